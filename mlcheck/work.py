"""The work of a scan: import and judge each run, in this process or in a pool; each run is independent of the others (design.md §8)."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck.errors import NoRunError, UsageError
from mlcheck.records import dataclass, field, names, replace
from mlcheck.report import FailOn, SourceStatus
from mlcheck.settings import RuleSettings, Settings, over

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from mlcheck.engine.registry import Registry
    from mlcheck.engine.run import RunPart
    from mlcheck.engine.select import Comparing, Selected
    from mlcheck.importers.found import Found
    from mlcheck.judged import Judged
    from mlcheck.store.cache.cache import Cache
    from mlcheck.store.series import Run
    from mlcheck.store.tensors.request import Request
    from mlcheck.updates.runs import RunSettings

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
    verify: bool = False
    """Compare every checksum that a file carries."""
    cache: bool = False
    """Keep what was read in the user's cache directory, and read it from there when the files are unchanged."""
    keep_rules: bool = False
    """Keep the built-in rules as they come out of their files, beside the cache."""
    run_name: str | None = None
    """Name (and lane) of the run, where there is only one."""
    expect: Sequence[str] = ()
    """`runs=2`, `min-steps=100`, `metric=ROLE`: what the scan must have found."""
    baseline: Path | None = None
    """A file of findings that are accepted. Raises ConfigError when it is none."""
    baseline_runs: Sequence[str] = ()
    """Runs that those of the scan are held against: paths, or patterns of them."""
    identical: bool = False
    """The runs are expected to be the same as those to the last digit."""
    comparing: "Comparing" = "no"
    """Whether rules of comparisons run: no, also, or only they."""
    run_settings: "RunSettings | None" = None
    """How runs are held against each other; None: as they come."""
    today: datetime.date | None = None
    """The day by which suppressions expire; None: today's."""
    settings: Settings = field(default_factory=Settings)


def select_rules(options: ScanOptions) -> "tuple[Registry, list[Selected]]":
    """The rules that there are, and those that run for all runs. Raises RuleError, ConfigError or UsageError."""
    from mlcheck.engine.registry import load

    settings = options.settings
    base = Path(settings.path).parent if settings.path else Path()
    # Like Python's own compiled files, rules are kept also where nothing of the runs is to be.
    from mlcheck.store.cache.place import rules_directory

    directory = rules_directory() if options.keep_rules else None
    rules = load([*(base / one for one in settings.rules_dirs), *options.rules_dirs], directory)
    for one in settings.runs:
        _chosen(rules, options, one.rules)
    return rules, _chosen(rules, options, {})


def _chosen(rules: "Registry", options: ScanOptions, more: Mapping[str, RuleSettings]) -> "list[Selected]":
    """The rules that run where these settings hold beside those for all runs."""
    from mlcheck.engine.select import Selection, choose

    settings = over(Settings(rules=more, origins={"rules": "runs"}), options.settings)
    selection = Selection(
        select=options.select or settings.select,
        ignore=[*settings.ignore, *options.ignore],
        settings=settings.rules,
        assignments=options.assignments,
        comparing=options.comparing,
        identical=options.identical,
        learned=bool(settings.limits),
    )
    return choose(rules, selection)


_NOT_ASKED = frozenset(
    {"fail_on", "fail_when", "strict", "allow_empty", "require", "expect", "jobs", "cache", "keep_rules", "baseline", "today"}
)  # fmt: skip
"""Fields of ScanOptions that no run is judged by; likewise the next."""
_NOT_SET = frozenset(
    {"fail_on", "fail_when", "min_severity", "output", "max_chars", "strict", "jobs", "groups", "suppress", "baseline", "require",
     "expect", "allow_empty", "origins"}
)  # fmt: skip


def judged_before(options: ScanOptions) -> "Judged | None":
    """What earlier scans made of runs, asked the same; None where nothing is kept: of comparisons, whose answer hangs on runs that are
    elsewhere, and of scans that are to read the files. Raises UsageError.
    """
    if not options.cache or options.verify or options.baseline_runs or options.comparing != "no" or options.identical:
        return None
    from mlcheck.engine.built_in import built_in_directory
    from mlcheck.judged import Judged
    from mlcheck.store.cache.place import user_verdicts

    settings = options.settings
    asked = [(name, getattr(options, name)) for name in names(ScanOptions) if name not in (*_NOT_ASKED, "settings")]
    found = [(name, getattr(settings, name)) for name in names(Settings) if name not in _NOT_SET]
    base = Path(settings.path).parent if settings.path else Path()
    directories = [built_in_directory(), *(base / one for one in settings.rules_dirs), *options.rules_dirs]
    return Judged(user_verdicts(), repr((asked, found)), [str(one) for one in directories])


Work = tuple["RunPart | None", list[SourceStatus]]


def work(
    runs: "Sequence[Found]",
    selected: "Sequence[Selected]",
    rules: "Registry",
    options: ScanOptions,
    progress: Progress | None,
    judged: "Judged | None" = None,
) -> Iterator[Work]:
    """What each run gives, in order: as `judged` kept it, where it still holds; else the run is imported and judged."""
    places = [None if judged is None else judged.run(found) for found in runs]
    before = [None if place is None else place.get() for place in places]
    rest = [found for found, part in zip(runs, before, strict=True) if part is None]
    fresh = _worked(rest, selected, rules, options, progress)
    for place, part in zip(places, before, strict=True):
        if part is not None:
            yield part
            continue
        made = next(fresh)
        if place is not None:
            place.keep(made)
        yield made


def _worked(
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

    from mlcheck.native.threads import at_most
    from mlcheck.reading import import_run
    from mlcheck.store.lane import lane

    # Steps near 2^63 and wall times near 1e308 are legal in a file: what they overflow to is judged, not printed as a warning.
    with np.errstate(all="ignore"), at_most(options.jobs):
        words = (found.name, found.path, lane(found.name if found.path == "." else found.path))
        own = [one for one in options.settings.runs if one.fits(*words)]
        for one in own:
            selected = _chosen(rules, options, one.rules) if one.rules else selected
        regime = next((one.regime for one in reversed(own) if one.regime), options.settings.regime)
        request = request_for(selected, options.settings)
        run = import_run(found, options.regime or regime, request, cache_of(options), verify=options.verify)
        baseline = _baseline_runs(options, request) if options.baseline_runs else ()
        return _judged(_with_facts(run, baseline, options), selected, rules, baseline, threads=options.jobs)


def _with_facts(run: "Run", baseline: "Sequence[Run]", options: ScanOptions) -> "Run":
    """The run with what it is against baseline runs, and against limits that were learned."""
    if not baseline and not options.settings.limits:
        return run
    from mlcheck.updates.base import facts
    from mlcheck.updates.limits import measure_limits
    from mlcheck.updates.runs import measure_runs

    measures = measure_runs(baseline, [run], options.run_settings) if baseline else []
    return replace(run, series=[*run.series, *facts([*measures, *measure_limits(run, options.settings.limits)])])


_baselines: "dict[tuple[str, ...], Sequence[Run]]" = {}


def _baseline_runs(options: ScanOptions, request: "Request") -> "Sequence[Run]":
    """The runs that all others are held against, read once in each process."""
    key = tuple(options.baseline_runs)
    if key not in _baselines:
        _baselines.clear()
        _baselines[key] = load_runs(key, options, request)
    return _baselines[key]


def load_runs(paths: Sequence[str], options: ScanOptions, request: "Request") -> "Sequence[Run]":
    """The runs below some paths or patterns. Raises UsageError where there is none below one of them."""
    from mlcheck.importers.discover import discover
    from mlcheck.importers.paths import expanded
    from mlcheck.reading import import_run
    from mlcheck.updates.peek import is_dump

    given = [one for path in paths for one in expanded(path)]
    for one in given:
        if is_dump(Path(one)):
            raise UsageError(f"{one}: holds predictions, and no run; `mlcheck compare OLD NEW` compares two such dumps")
    found = discover(given)
    if found.missing:
        raise NoRunError(found.missing[0])
    cache = cache_of(options)
    runs = [import_run(one, options.regime, request, cache, verify=options.verify) for one in found.runs]
    judged = [run for run in runs if any(series.kind != "fact" for series in run.series)]
    if not judged:
        raise NoRunError(f"{', '.join(paths)}: no run below it; `mlcheck inspect` shows what is there")
    return judged


def _judged(
    run: "Run",
    selected: "Sequence[Selected]",
    rules: "Registry",
    baseline: "Sequence[Run]" = (),
    *,
    threads: int,
) -> Work:
    from mlcheck.engine.run import judge_run

    # Facts that an importer derived, such as the trees of a model, are data of the run; those that the store derives are not.
    if not any(series.kind != "fact" or series.hints.collection for series in run.series):
        return None, [replace(source, run=None) for source in run.sources]
    return judge_run(run, selected, rules.causes, baseline=baseline, threads=threads), []


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

    numbers = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
    with _deferred(numbers):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers) if hasattr(signal, "pthread_sigmask") else None
        try:
            return [pool.submit(_in_worker, found) for found in runs]
        finally:
            if before is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _deferred(numbers: set[int]) -> Iterator[None]:
    """Answer signals afterwards: a worker that is half started when its parent leaves says so on the user's terminal.

    A mask alone does not do it: another thread of the process (numpy's, pyarrow's) takes the signal, and Python answers it here.
    """
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda got, _: came.append(got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for number in came[:1]:
            signal.raise_signal(number)


_worker: "tuple[Registry, list[Selected], ScanOptions] | None" = None


def _prepare(options: ScanOptions) -> None:
    """Load the rules once per worker: compiled rules do not travel between processes."""
    global _worker
    # The workers are as many as the cores: within each there is one thread.
    _worker = (*select_rules(options), replace(options, jobs=1))


def _in_worker(found: "Found") -> Work:
    assert _worker is not None
    rules, selected, options = _worker
    return _one(found, selected, rules, options)


def cache_of(options: ScanOptions) -> "Cache | None":
    """The user's cache; None where it is not wanted."""
    if not options.cache:
        return None
    from mlcheck.store.cache.place import user_cache

    return user_cache()


def request_for(selected: "Sequence[Selected]", settings: Settings) -> "Request":
    """What the rules need of tensors."""
    from mlcheck.engine.request import requested
    from mlcheck.store.roles import RoleOverride

    return requested(selected, [RoleOverride(one.pattern, one.role, one.labels) for one in settings.roles])
