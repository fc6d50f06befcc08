"""What the command line, tests and notebooks share: `scan()`, `load()` and `registry()`.

from mlcheck import api
report = api.scan(["runs/exp1"])
for finding in report.findings:
    print(finding.rule, finding.run, finding.message)
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck.errors import ConfigError, UsageError, did_you_mean
from mlcheck.report import Note, Report
from mlcheck.settings import Settings
from mlcheck.work import Progress, ScanOptions, cache_of, request_for, select_rules, work

if TYPE_CHECKING:
    from mlcheck.engine.baseline import Baseline
    from mlcheck.engine.registry import Registry
    from mlcheck.engine.run import RunPart
    from mlcheck.importers.found import Found
    from mlcheck.store.series import Run

__all__ = ["Progress", "ScanOptions", "load", "registry", "scan"]


def registry(rules_dirs: Sequence[Path] = ()) -> "Registry":
    """All rules: built-in, installed, and those of the given directories. Raises RuleError or UsageError."""
    from mlcheck.engine.registry import load

    return load(rules_dirs)


def load(path: str | Path, *, regime: str | None = None, settings: Settings | None = None) -> "list[Run]":
    """Import the runs below a path without judging them."""
    from mlcheck.importers.discover import discover
    from mlcheck.reading import import_run

    settings = settings or Settings()
    options = ScanOptions(settings=settings)
    request = request_for(select_rules(options)[1], settings).and_base()
    wanted = regime or settings.regime
    imported = (import_run(found, wanted, request, cache_of(options)) for found in discover([str(path)]).runs)
    return [run for run in imported if run.series]


def scan(
    paths: Iterable[str | Path] = (".",), options: ScanOptions | None = None, progress: Progress | None = None
) -> Report:
    """Import all runs below the paths, judge them, and return the report.

    Raises UsageError (and its kinds ConfigError and RuleError) for options, settings and rule files that mean nothing. What is in
    the scanned files never raises: it is in the report's sources.
    """
    options = options or ScanOptions()
    _check_regime(options)
    _check_roles(options.settings)
    rules, selected = select_rules(options)
    baseline = _baseline(options.baseline)
    from mlcheck.engine import suppress
    from mlcheck.engine.assemble import assemble
    from mlcheck.engine.expect import unmet
    from mlcheck.importers.discover import discover

    found = discover([str(path) for path in paths])
    runs = _renamed(found.runs, options)
    parts: list[RunPart] = []
    sources = list(found.ignored)
    for part, orphans in work(runs, selected, rules, options, progress):
        if part is not None:
            parts.append(part)
        sources += orphans
    notes = [*found.notes, *(Note("rules", text) for text in rules.warnings)]
    report = assemble(parts, selected, sources, notes)
    report = suppress.suppress(report, options.settings.suppress, options.today or datetime.date.today())
    if baseline is not None:
        from mlcheck.engine.baseline import apply

        report = apply(report, baseline, "the baseline")
    return replace(
        report,
        fail_on=options.fail_on,
        fail_when=options.fail_when,
        strict=options.strict,
        allow_empty=options.allow_empty,
        missing_paths=tuple(found.missing),
        unmet=unmet(report, rules, options.require, options.expect),
    )


def _baseline(path: Path | None) -> "Baseline | None":
    if path is None:
        return None
    from mlcheck.engine.baseline import load as load_baseline

    try:
        return load_baseline(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such baseline; `mlcheck baseline write` makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def _check_roles(settings: Settings) -> None:
    from mlcheck.store.roles import known_roles

    for one in settings.roles:
        if one.role not in known_roles():
            hint = did_you_mean(one.role, known_roles()) or "known: " + ", ".join(sorted(known_roles()))
            raise ConfigError(f"{settings.path}: `roles.{one.pattern}`: no role {one.role!r}; {hint}")


def _check_regime(options: ScanOptions) -> None:
    from mlcheck.store.regime import REGIMES

    regime = options.regime or options.settings.regime
    if regime is not None and regime not in REGIMES:
        hint = did_you_mean(regime, REGIMES) or "known: " + ", ".join(REGIMES)
        raise UsageError(f"no regime {regime!r}; {hint}")


def _renamed(runs: "Sequence[Found]", options: ScanOptions) -> "Sequence[Found]":
    if options.run_name is None:
        return runs
    if not options.run_name.strip():
        raise UsageError("--run-name is empty")
    if len(runs) > 1:
        raise UsageError(f"--run-name names one run, but {len(runs)} were found; write NAME=PATH for each")
    return [replace(one, name=options.run_name, path=options.run_name) for one in runs]
