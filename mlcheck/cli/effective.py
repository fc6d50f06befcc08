"""The settings that hold: what the command line says over the environment, over the file, over the profile (design.md §6)."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mlcheck import settings
from mlcheck.errors import UsageError
from mlcheck.settings import Settings

if TYPE_CHECKING:
    from mlcheck.report import FailOn
    from mlcheck.work import ScanOptions


def effective(config: Path | None, *, isolated: bool = False, **given: Any) -> Settings:
    """All layers as one. `given` are the options of the command line by the names of the settings; None where one is not given.

    `isolated`: no file is read. Raises ConfigError and UsageError.
    """
    if isolated and config is not None:
        raise UsageError(f"--isolated reads no configuration file, --config {config} names one: give one of them")
    options = {name: value for name, value in given.items() if value is not None}
    if "fail_when" in options:
        options["fail_when"] = share(options["fail_when"])
    line = Settings(**options, origins={name.replace("_", "-"): f"--{name.replace('_', '-')}" for name in options})
    upper = settings.over(line, settings.over(settings.from_environment(), Settings() if isolated else _file(config)))
    if upper.profile:
        upper = settings.over(upper, settings.profile(upper.profile))
    if upper.fail_when is not None:
        share(upper.fail_when)
    return upper


def _file(config: Path | None) -> Settings:
    if config is not None:
        return settings.load(config)
    try:
        here = Path.cwd()
    except OSError:
        return Settings()
    found = settings.find(here)
    return settings.load(found) if found else Settings()


def baseline_path(found: Settings, off: bool) -> Path | None:
    """The baseline that holds: the one that is named, else the one that `mlcheck baseline write` leaves here; None for none."""
    if off:
        return None
    if found.baseline:
        named = Path(found.baseline)
        from_file = found.origins.get("baseline") == found.path
        return Path(found.path).parent / named if from_file and found.path else named
    usual = Path(settings.BASELINE_FILE)
    return usual if usual.is_file() else None


def share(text: str) -> str:
    """`any`, `all`, or a share: `0.2` or `20%`; as any, all or a number from 0 to 1. Raises UsageError."""
    word = text.strip().lower()
    if word in ("any", "all"):
        return word
    try:
        number = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise UsageError(f"--fail-when {text}: write any, all, or the share of runs that must fail, such as 0.2 or 20%")
    return f"{number:g}"


def words(option: str, texts: Sequence[str] | None) -> tuple[str, ...] | None:
    """Words between commas; None for an option that is not given. Raises UsageError for one that names nothing: an unset variable must
    not mean "all".
    """
    if not texts:
        return None
    found = tuple(word.strip() for text in texts for word in text.split(",") if word.strip())
    if not found:
        raise UsageError(f"{option}: names {'nothing' if option == '--expect' else 'no rule'}")
    return found


def scan_options(found: Settings, *, no_cache: bool = False, **more: Any) -> "ScanOptions":
    """What a scan is asked to do by settings, and by what only the command line says."""
    from mlcheck.work import ScanOptions

    keeps = not os.environ.get("MLCHECK_NO_CACHE")
    return ScanOptions(
        select=found.select,
        require=found.require,
        expect=found.expect,
        regime=found.regime if found.origins.get("regime") == "--regime" else None,
        fail_on=cast("FailOn", found.fail_on or "error"),
        fail_when=share(found.fail_when or "any"),
        strict=found.strict,
        allow_empty=found.allow_empty,
        jobs=found.jobs or os.cpu_count() or 1,
        settings=found,
        keep_rules=keeps,
        cache=keeps and not no_cache,
        **more,
    )
