"""What the command line, tests and notebooks share: `scan()`, `load()` and `registry()`.

from mlcheck import api
report = api.scan(["runs/exp1"])
for finding in report.findings:
    print(finding.rule, finding.run, finding.message)
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck.errors import ConfigError, UsageError, did_you_mean
from mlcheck.records import replace
from mlcheck.report import Note, Report
from mlcheck.settings import Settings
from mlcheck.work import Progress, ScanOptions, cache_of, judged_before, request_for, select_rules, work

if TYPE_CHECKING:
    from mlcheck.comparing.dumps import DumpOptions
    from mlcheck.engine.baseline import Baseline
    from mlcheck.engine.registry import Registry
    from mlcheck.engine.run import RunPart
    from mlcheck.engine.select import Selected
    from mlcheck.importers.found import Found
    from mlcheck.judged import Judged
    from mlcheck.store.series import Run

__all__ = ["Loading", "Progress", "ScanOptions", "compare", "load", "registry", "scan"]


def registry(rules_dirs: Sequence[Path] = ()) -> "Registry":
    """All rules: built-in, installed, and those of the given directories. Raises RuleError or UsageError."""
    from mlcheck.engine.registry import load

    return load(rules_dirs)


def load(path: str | Path, *, regime: str | None = None, settings: Settings | None = None) -> "list[Run]":
    """Import the runs below a path without judging them."""
    return list(Loading([str(path)], regime=regime, settings=settings))


class Loading:
    """The runs below some paths, imported one after another without judging them, each when it is asked for."""

    def __init__(
        self,
        paths: Sequence[str],
        *,
        regime: str | None = None,
        settings: Settings | None = None,
        without: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`without`: a directory whose runs are left out, such as that of an earlier export."""
        from mlcheck.importers.discover import discover

        self._options = ScanOptions(regime=regime, settings=settings or Settings())
        _check_regime(self._options)
        self._progress = progress
        found = discover(list(paths))
        self.missing: Sequence[str] = found.missing
        """Paths that are not there, or hold no run; with the reason."""
        left = without.resolve() if without is not None else None
        self._runs = [one for one in found.runs if left is None or not _lies_in(one, left)]

    def __iter__(self) -> "Iterator[Run]":
        from mlcheck.reading import import_run

        options = self._options
        request = request_for(select_rules(options)[1], options.settings).and_base()
        for done, found in enumerate(self._runs):
            if self._progress is not None:
                self._progress(done, len(self._runs), found.name)
            run = import_run(found, options.regime or options.settings.regime, request, cache_of(options))
            if run.series:
                yield run


def _lies_in(found: "Found", directory: Path) -> bool:
    return all(file.path.resolve().is_relative_to(directory) for file in found.files)


def scan(
    paths: Iterable[str | Path] = (".",), options: ScanOptions | None = None, progress: Progress | None = None
) -> Report:
    """Import all runs below the paths, judge them, and return the report.

    Raises UsageError (and its kinds ConfigError and RuleError) for options, settings and rule files that mean nothing. What is in
    the scanned files never raises: it is in the report's sources.
    """
    options = options or ScanOptions()
    given = [str(path) for path in paths]
    judged = judged_before(options)
    place = None if judged is None else judged.scan(given)
    report = None if place is None else place.get()
    if report is not None:
        # What is wrong with options was said before anything was kept.
        return _as_asked(report, options, None, _baseline(options.baseline))
    _check_regime(options)
    _check_roles(options.settings)
    rules, selected = select_rules(options)
    baseline = _baseline(options.baseline)
    from mlcheck.engine.plugin import PluginRule

    if any(isinstance(one, PluginRule) for one in rules):
        # Python rules may look at anything.
        judged = place = None
    report = _judged(given, options, rules, selected, progress, judged)
    if judged is not None and place is not None:
        place.keep(report)
    if judged is not None:
        judged.verdicts.evict()
    return _as_asked(report, options, rules, baseline)


def _judged(
    paths: Sequence[str],
    options: ScanOptions,
    rules: "Registry",
    selected: "Sequence[Selected]",
    progress: Progress | None,
    judged: "Judged | None",
) -> Report:
    """The report of all runs below the paths, before what the user has suppressed, accepted and required."""
    from mlcheck.engine.assemble import assemble
    from mlcheck.importers.discover import discover

    found = discover(paths)
    runs = _renamed(found.runs, options)
    parts: list[RunPart] = []
    sources = list(found.ignored)
    for part, orphans in work(runs, selected, rules, options, progress, judged):
        if part is not None:
            parts.append(part)
        sources += orphans
    notes = [*found.notes, *(Note("rules", text) for text in rules.warnings)]
    return replace(assemble(parts, selected, sources, notes), missing_paths=tuple(found.missing))


def compare(
    paths: Sequence[str],
    options: ScanOptions | None = None,
    progress: Progress | None = None,
    dumps: "DumpOptions | None" = None,
) -> Report:
    """Hold runs against baseline runs, or a model's dumps against its predecessor's, and return the report.

    `paths` are BASE and NEW, or the new runs where `options.baseline_runs` names those of the baseline; of dumps (see `DumpOptions`) one
    alone, two, or all versions. Raises UsageError (and its kinds
    ConfigError, RuleError and ComparisonError) for what cannot be compared. Without `dumps` the settings' table `[compare]` holds.
    """
    from mlcheck.comparing.dumps import are_dumps, compare_dumps
    from mlcheck.comparing.runs import compare_runs, sides
    from mlcheck.comparing.settings import dump_options, run_settings
    from mlcheck.importers.paths import expanded

    options = options or ScanOptions()
    _check_regime(options)
    _check_roles(options.settings)
    baseline = _baseline(options.baseline)
    dumps = dumps or dump_options(options.settings.compare)
    options = replace(
        options, comparing="only", run_settings=options.run_settings or run_settings(options.settings.compare)
    )
    given = [one for path in paths for one in expanded(str(path))]
    if given and not options.baseline_runs and are_dumps(given, dumps):
        report, rules = compare_dumps(given, options, dumps, progress)
    else:
        base, new = sides([str(path) for path in paths], options.baseline_runs)
        report, rules = compare_runs(new, replace(options, baseline_runs=base), progress)
    return _as_asked(report, options, rules, baseline)


def _as_asked(report: Report, options: ScanOptions, rules: "Registry | None", baseline: "Baseline | None") -> Report:
    """The report with what the user has suppressed, accepted and required. `rules`: None where they are not loaded."""
    from mlcheck.engine import suppress
    from mlcheck.engine.aggregate import aggregate

    report = aggregate(report, options.settings.groups)
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
        unmet=_unmet(report, options, rules),
    )


def _unmet(report: Report, options: ScanOptions, rules: "Registry | None") -> tuple[str, ...]:
    if not options.require and not options.expect:
        return ()
    from mlcheck.engine.expect import unmet

    return unmet(report, rules or select_rules(options)[0], options.require, options.expect)


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
