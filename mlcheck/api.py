"""What the command line, tests and notebooks share: `scan()`, `load()` and `registry()`.

from mlcheck import api
report = api.scan(["runs/exp1"])
for finding in report.findings:
    print(finding.rule, finding.run, finding.message)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck.errors import ConfigError, UsageError, did_you_mean
from mlcheck.report import FailOn, Note, Report, SourceStatus
from mlcheck.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from mlcheck.engine.registry import Registry
    from mlcheck.engine.run import RunPart
    from mlcheck.engine.select import Selected
    from mlcheck.importers.discover import Found
    from mlcheck.store.series import Run

Progress = Callable[[int, int, str], None]
"""Called with runs done, runs in all, and the name of the run at hand."""

POOL_BYTES = 24_000_000
"""Below this much input one process is faster than starting others (language.md fix 39)."""


@dataclass(frozen=True)
class ScanOptions:
    """What a scan is asked to do."""

    select: Sequence[str] = ()
    """Rule ids, prefixes, names or categories; none: the settings', else all that are on by default."""
    ignore: Sequence[str] = ()
    assignments: Sequence[str] = ()
    """`RULE.param=value`."""
    rules_dirs: Sequence[Path] = ()
    regime: str | None = None
    """Overrides what the runs look like."""
    fail_on: FailOn = "error"
    fail_when: str = "any"
    """Of several runs: any, all, or the share (0 to 1) that must have such a finding."""
    strict: bool = False
    allow_empty: bool = False
    require: Sequence[str] = ()
    """Rules that must be judged in every run: skipped counts as failed."""
    jobs: int = 1
    """Processes. A script that asks for more needs `if __name__ == "__main__":`, as always with multiprocessing."""
    run_name: str | None = None
    """Name (and lane) of the run, where there is only one."""
    settings: Settings = field(default_factory=Settings)


def registry(rules_dirs: Sequence[Path] = ()) -> "Registry":
    """All rules: built-in, installed, and those of the given directories. Raises RuleError or UsageError."""
    from mlcheck.engine.registry import load

    return load(rules_dirs)


def load(path: str | Path, *, regime: str | None = None, settings: Settings | None = None) -> "list[Run]":
    """Import the runs below a path without judging them."""
    from mlcheck.importers.discover import discover

    imported = (_import(found, regime, settings or Settings()) for found in discover([str(path)]).runs)
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
    rules, selected = _selected(options)
    from mlcheck.engine.assemble import assemble
    from mlcheck.importers.discover import discover

    found = discover([str(path) for path in paths])
    runs = _renamed(found.runs, options)
    parts: list[RunPart] = []
    sources = list(found.ignored)
    for part, orphans in _work(runs, selected, rules, options, progress):
        if part is not None:
            parts.append(part)
        sources += orphans
    notes = [*found.notes, *(Note("rules", text) for text in rules.warnings)]
    report = assemble(parts, selected, sources, notes)
    return replace(
        report,
        fail_on=options.fail_on,
        fail_when=options.fail_when,
        strict=options.strict,
        allow_empty=options.allow_empty,
        missing_paths=tuple(found.missing),
        unmet=_unmet(report, rules, options.require),
    )


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


def _selected(options: ScanOptions) -> "tuple[Registry, list[Selected]]":
    from mlcheck.engine.select import Selection, choose

    settings = options.settings
    base = Path(settings.path).parent if settings.path else Path()
    rules = registry([*(base / one for one in settings.rules_dirs), *options.rules_dirs])
    selection = Selection(
        select=options.select or settings.select,
        ignore=[*settings.ignore, *options.ignore],
        settings=settings.rules,
        assignments=options.assignments,
    )
    return rules, choose(rules, selection)


def _renamed(runs: "Sequence[Found]", options: ScanOptions) -> "Sequence[Found]":
    if options.run_name is None:
        return runs
    if not options.run_name.strip():
        raise UsageError("--run-name is empty")
    if len(runs) > 1:
        raise UsageError(f"--run-name names one run, but {len(runs)} were found; write NAME=PATH for each")
    return [replace(one, name=options.run_name, path=options.run_name) for one in runs]


Work = tuple["RunPart | None", list[SourceStatus]]


def _work(
    runs: "Sequence[Found]",
    selected: "Sequence[Selected]",
    rules: "Registry",
    options: ScanOptions,
    progress: Progress | None,
) -> Iterator[Work]:
    """Import and judge each run, in order: in this process, or in a pool where there is enough to do."""
    jobs = options.jobs
    if jobs > 1 and len(runs) > 1 and sum(one.bytes for one in runs) >= POOL_BYTES:
        yield from _pooled(runs, options, jobs, progress)
        return
    for done, found in enumerate(runs):
        if progress is not None:
            progress(done, len(runs), found.name)
        yield _one(found, selected, rules, options)


def _one(found: "Found", selected: "Sequence[Selected]", rules: "Registry", options: ScanOptions) -> Work:
    import numpy as np

    # Steps near 2^63 and wall times near 1e308 are legal in a file: what they overflow to is judged, not printed as a warning.
    with np.errstate(all="ignore"):
        run = _import(found, options.regime, options.settings)
        return _judged(run, selected, rules)


def _judged(run: "Run", selected: "Sequence[Selected]", rules: "Registry") -> Work:
    from mlcheck.engine.run import judge_run

    if not any(series.kind != "fact" for series in run.series):
        return None, [replace(source, run=None) for source in run.sources]
    return judge_run(run, selected, rules.causes), []


def _pooled(runs: "Sequence[Found]", options: ScanOptions, jobs: int, progress: Progress | None) -> Iterator[Work]:
    """The unit of work is one run; what comes back is its part of the report, never its series (language.md fix 39).

    A run whose process is killed (out of memory, most often) is tried once more by itself, and then reported as unreadable; the
    others are judged all the same.
    """
    from concurrent.futures.process import BrokenProcessPool

    with _pool(min(jobs, len(runs)), options) as pool:
        futures = _submitted(pool, runs)
        for done, (found, future) in enumerate(zip(runs, futures, strict=True)):
            if progress is not None:
                progress(done, len(runs), found.name)
            try:
                yield future.result()
            except BrokenProcessPool:
                yield _once_more(found, options)


def _once_more(found: "Found", options: ScanOptions) -> Work:
    from concurrent.futures.process import BrokenProcessPool

    with _pool(1, options) as pool:
        try:
            work: Work = _submitted(pool, [found])[0].result()
        except BrokenProcessPool:
            reason = "the process that read it was killed; it may need more memory than there is"
            lost = [SourceStatus(f.shown, f.format, "unreadable", reason=reason, bytes=f.bytes) for f in found.files]
            return None, lost
    return work


@contextmanager
def _pool(jobs: int, options: ScanOptions) -> "Iterator[ProcessPoolExecutor]":
    """A process pool whose workers never outlive this process, whatever ends it."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import active_children, get_context

    # `spawn`: a fork of a process that has threads (numpy's, pyarrow's) may hang.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_prepare, initargs=(options,))
    try:
        yield pool
    except BaseException:
        for child in active_children():
            # They were started with the signals blocked.
            child.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _submitted(pool: "ProcessPoolExecutor", runs: "Sequence[Found]") -> "list[Future[Work]]":
    """Submit all runs. The workers start here, with the signals that end this process blocked: those are its own to answer."""
    import signal

    blocked = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked) if hasattr(signal, "pthread_sigmask") else None
    try:
        return [pool.submit(_in_worker, found) for found in runs]
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: "tuple[Registry, list[Selected], ScanOptions] | None" = None


def _prepare(options: ScanOptions) -> None:
    """Load the rules once per worker: compiled rules do not travel between processes."""
    global _worker
    _worker = (*_selected(options), options)


def _in_worker(found: "Found") -> Work:
    assert _worker is not None
    rules, selected, options = _worker
    return _one(found, selected, rules, options)


def _import(found: "Found", regime: str | None, settings: Settings) -> "Run":
    """Read all files of a run and build it: series with roles, facts, regime."""
    from mlcheck.importers.base import HoldsRuns, unreadable
    from mlcheck.importers.registry import by_format
    from mlcheck.store.build import build_run
    from mlcheck.store.roles import RoleOverride

    parts = []
    for file in found.files:
        try:
            importer = by_format(file.format)
            if file.member is not None and isinstance(importer, HoldsRuns):
                imported = importer.read_member(file.path, file.shown, file.member)
            else:
                imported = importer.read(file.path, file.shown)
        except OSError as error:
            imported = unreadable(file.shown, file.format, error.strerror or str(error), file.bytes)
        except MemoryError:
            imported = unreadable(file.shown, file.format, "it needs more memory than there is", file.bytes)
        parts.append((file.part, replace(imported, status=replace(imported.status, run=found.name))))
    overrides = [RoleOverride(one.pattern, one.role, one.labels) for one in settings.roles]
    return build_run(found.name, found.path, parts, overrides=overrides, regime=regime or settings.regime)


def _unmet(report: Report, rules: "Registry", required: Sequence[str]) -> tuple[str, ...]:
    """Required rules that no combination of a run could be judged by."""
    unmet = []
    for word in required:
        rule = rules.get(word)
        for run in report.runs:
            mine = [o for o in report.outcomes if o.rule == rule.id and o.run == run.name]
            if not any(o.outcome in ("passed", "failed") for o in mine):
                reason = next((o.reason for o in mine if o.reason), "not selected")
                unmet.append(f"{run.name}: {rule.id} ({rule.name}) is required and was not checked: {reason}")
    return tuple(unmet)
