"""The report: everything that a scan found, frozen, as plain data.

The engine builds one `Report`; reporters are pure functions of it and see nothing else, so it carries all that any of them draws.
It holds no timestamps, durations of the scan, or absolute paths: the same input gives the same report, byte for byte.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from mlcheck.records import dataclass, field

SCHEMA = "mlcheck.report/1"

COMPARISON_CATEGORIES = frozenset({"comparison", "updates", "embeddings", "rewriting"})
"""Categories of the rules that judge a run or a model against another one."""
NOT_APPLICABLE = frozenset({"regime", "unlogged", "undumped"})
"""Kinds of skipped outcome of a rule that does not apply to the run: not for its regime, or for something that it need not log."""

Outcomes = Literal["passed", "failed", "skipped", "errored"]
SourceState = Literal["read", "partial", "unreadable", "ignored"]
FindingStatus = Literal["active", "baselined", "suppressed"]
FailOn = Literal["error", "warning", "info", "never"]


class Severity(StrEnum):
    """How bad a finding is. `rank` orders them: info 0, warning 1, error 2."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return ("info", "warning", "error").index(self.value)

    def lower(self) -> "Severity":
        """The next lower severity; info stays info."""
        return (Severity.INFO, Severity.INFO, Severity.WARNING)[self.rank]


class Confidence(StrEnum):
    """How sure mlcheck is that a finding is real; orthogonal to how bad it would be."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One input of a rule around the worst point of a finding, at most 200 points, min-max down-sampled."""

    series: str
    """Name of the series in its run."""
    role: str
    """Its role, such as `loss`."""
    statistic: str
    """`value` for scalars, else the tensor statistic that the rule looked at."""
    axis: str
    """What its steps count: step, epoch, sample or time."""
    steps: tuple[int, ...]
    """Steps, ascending within a segment."""
    values: tuple[float, ...]
    """Values at these steps; NaN and infinities are kept."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of steps in which a rule's condition held."""

    first_step: int
    last_step: int
    points: int
    """Logged points in the stretch."""
    worst_step: int
    """Step of the value farthest beyond the limit."""
    worst: float | None
    """That value; None where the rule has none."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What came after a finding began: what it cost."""

    steps: int
    """Steps of the run from its onset to the end."""
    share: float
    """That as a share of the run, 0 to 1."""
    hours: float | None
    """Wall time of that part in hours; None where the wall time is unknown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that failed for one run and one set of labels, with all its episodes."""

    rule: str
    """Rule id, `GRD001`."""
    name: str
    """Rule name, `vanishing-gradient`."""
    category: str
    severity: Severity
    confidence: Confidence
    reasons: tuple[str, ...]
    """Why severity or confidence are not what the rule says at first: healed, borderline, short series, role guessed …"""
    run: str
    """Name of the run."""
    labels: Mapping[str, str]
    """Labels of the combination, such as `{"layer": "fc1"}`."""
    series: tuple[str, ...]
    """Names of the series that were judged."""
    axis: str
    """What its steps count: step, epoch, sample or time."""
    first_step: int
    last_step: int
    onset: int | None
    """Step at which it began; None for a rule that judges the run as a whole."""
    points: int
    value: float | None
    limit: float | None
    message: str
    advice: str
    headline: str
    """Half a sentence for the verdict, such as `the loss diverges`."""
    fingerprint: str
    """Hash of rule, run lane and series: no step and no value, so that it survives a re-run."""
    healed: bool = False
    """The condition no longer held at the end of the run."""
    episodes: tuple[Episode, ...] = ()
    """At most 20, in order; `episode_count` is exact."""
    episode_count: int = 1
    cost: Cost | None = None
    status: FindingStatus = "active"
    caused_by: str | None = None
    """Fingerprint of the finding that explains this one."""
    explains: tuple[str, ...] = ()
    """Fingerprints of the findings filed under this one."""
    excess: float = 0.0
    """How far beyond the limit, 0 to 6 (orders of magnitude); language.md fix 23."""
    layer_order: int | None = None
    """Place of the layer in the model where that is known: the fold names the first layer by it."""
    params: Mapping[str, float | bool | str] = field(default_factory=dict)
    """Effective parameters of the rule."""
    evidence: tuple[Evidence, ...] = ()
    measure: str = ""
    """What `value` is, where it is not the value of the series: `gain`, `seconds`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a rule in a run: failed and errored singly, passed and skipped counted by reason."""

    rule: str
    run: str
    outcome: Outcomes
    reason: str | None = None
    """Why it was skipped, or the exception of an errored rule."""
    count: int = 1
    """Label combinations that it stands for."""
    kind: str | None = None
    """Sort of reason: `regime`, `unlogged`, `undumped` (the rule does not apply; the last: no tensors are there for it), `input`,
    `ambiguous`, `short`, `axis`, `direction`."""
    missing: tuple[str, ...] = ()
    """For kind `input`: what nobody logged, such as `validation loss`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """For failed and errored ones: the combination."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One file that was looked at and how much of it could be read."""

    path: str
    """Relative to the scanned path, `/`-separated."""
    format: str
    """`tensorboard`, `hdf5`, …, or `unknown`."""
    status: SourceState
    """read: all of it; partial: some records are lost; unreadable: nothing came of it; ignored: not run data, and that is fine."""
    records: int = 0
    """Whole records that were read."""
    reason: str | None = None
    """Why it is not `read`, or what a readable file lacks (`header only`)."""
    offset: int | None = None
    """Byte offset at which reading stopped or data was lost."""
    run: str | None = None
    """Name of the run that it belongs to."""
    bytes: int = 0
    """Size of the file."""
    lost_bytes: int = 0
    """Bytes that could not be read."""
    tail_only: bool = False
    """Only the last record is cut: the file may still be being written."""


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """One series of a run, as `inspect` shows it."""

    run: str
    name: str
    role: str
    labels: Mapping[str, str]
    reason: str
    """Why it has this role: the pattern that matched, or the hint of the file."""
    points: int
    first_step: int
    last_step: int
    segments: int
    """Stretches of record order; more than one means a restart or repeated steps."""
    not_finite: int
    """Values that are NaN or infinite."""
    kind: str = "scalar"
    """scalar or tensor."""
    shape: tuple[int, ...] | None = None
    """Shape of a tensor at its first step; None where it is not known (histograms)."""
    dtype: str | None = None
    """Data type of a tensor: numpy's name, or `bfloat16`."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of what the run is judged by."""

    series: str
    role: str
    split: str
    step: int
    value: float
    axis: str = "step"
    metric: str = ""
    """The quantity without its split: `loss`, `perplexity`, `accuracy`."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not logged, the rules that are silent for it, and how to log it."""

    what: str
    """`validation loss`, `gradients`, …"""
    rules: tuple[str, ...]
    how: str
    """One line that closes the gap; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the rules that apply to a run could be checked."""

    applicable: int
    """Rules whose regime fits the run."""
    checked: int
    """Of these, rules that were judged on at least one combination."""
    gaps: tuple[Gap, ...] = ()
    curve_judged: bool = True
    """Whether any rule judged how the training went (its loss, validation or reward), not only what surrounds it."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run of the scan."""

    name: str
    path: str
    """Relative to the scanned path, `/`-separated; `.` for the path itself."""
    lane: str
    """The path with timestamps, hosts and counters taken out: what stays the same in a re-run."""
    series: int
    points: int
    first_step: int | None
    last_step: int | None
    axis: str
    """What its steps count: step, epoch, sample or time."""
    hours: float | None
    """Wall time from the first to the last record, pauses between restarts left out; None where unknown."""
    formats: tuple[str, ...]
    regime: str
    regime_reason: str
    facts: Mapping[str, str | float | bool] = field(default_factory=dict)
    best: Best | None = None
    coverage: Coverage = Coverage(0, 0)
    curve: str | None = None
    """Hash of what the run is judged by, steps and values: equal for bit-identical curves. None where it says nothing (constant,
    or under five points)."""


@dataclass(frozen=True, slots=True)
class SettingSplit:
    """The setting that tells best the runs in which a rule failed from those in which it passed."""

    rule: str
    setting: str
    """Name of the run fact."""
    relation: str
    """≥, < or =."""
    value: str | float | bool
    failed_with: int
    """Runs with the setting in which the rule failed, of `runs_with`."""
    runs_with: int
    failed_without: int
    runs_without: int
    p_value: float
    """Fisher's exact test, two-sided, times the number of settings and thresholds that were tried (Bonferroni)."""


@dataclass(frozen=True, slots=True)
class IdenticalRuns:
    """Runs whose curves are equal to the last bit."""

    runs: tuple[str, ...]
    settings: tuple[str, ...]
    """Run facts in which they differ; empty where they do not."""


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A selected rule, as SARIF, JUnit and HTML need it."""

    id: str
    name: str
    category: str
    status: str
    """stable, preview or deprecated."""
    default_severity: str
    """The highest severity that the rule gives by itself."""
    effective_severity: str
    """That after the user's settings."""
    summary: str
    """First sentence of its documentation."""
    doc: str
    regimes: tuple[str, ...]
    """Empty: all."""
    params: Mapping[str, float | bool | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Panel:
    """An overview chart of a run: one series, down-sampled."""

    run: str
    title: str
    """The series; of a heatmap its statistic and what it is of. Rows of one run, kind and title make one chart."""
    kind: str
    """line; heatmap: one row, a layer over steps; distribution: one row, a statistic of a tensor over steps."""
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the reader should know and that is no finding."""

    kind: str
    """name, baseline, suppression, config, path, limit …"""
    text: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number of a comparison, whatever the rules say of it."""

    subject: str
    """What was measured: `flips`, `val/loss against the baseline`."""
    statistic: str
    """`negative_flip_rate`, `best`."""
    value: float | None
    """None where it is undefined; then `note` says why."""
    base: float | None = None
    """The same of the baseline, where it has one."""
    low: float | None = None
    """Bounds of the confidence interval, where there is one."""
    high: float | None = None
    note: str = ""
    headline: bool = False
    """Shown in tables; the others are in the JSON report."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts. Findings are never dropped, only filed."""

    errors: int
    """Active findings of severity error; likewise the next two."""
    warnings: int
    infos: int
    passed: int
    """(rule, run) pairs by their worst outcome; likewise the next three."""
    failed: int
    skipped: int
    errored: int
    baselined: int
    suppressed: int
    applicable: int
    """(rule, run) pairs whose regime fits."""
    exit_code: int
    exit_reason: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that a scan found."""

    version: str
    """Version of mlcheck."""
    runs: tuple[RunInfo, ...]
    sources: tuple[SourceStatus, ...]
    findings: tuple[Finding, ...]
    """In rank order: roots by rank, each followed by what it explains."""
    outcomes: tuple[Outcome, ...]
    rules: tuple[RuleInfo, ...]
    series: tuple[SeriesInfo, ...] = ()
    panels: tuple[Panel, ...] = ()
    notes: tuple[Note, ...] = ()
    splits: tuple[SettingSplit, ...] = ()
    identical: tuple[IdenticalRuns, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    """Of `mlcheck compare`: what was measured, beside what rules say of it."""
    fail_on: FailOn = "error"
    fail_when: str = "any"
    """Of several runs: `any`, `all`, or the share (0 to 1) that must have a finding at or above `fail_on`."""
    strict: bool = False
    allow_empty: bool = False
    missing_paths: tuple[str, ...] = ()
    """Paths given by the user that do not exist or hold no run."""
    unmet: tuple[str, ...] = ()
    """What `--require` and `--expect` asked for and the runs do not have."""

    @property
    def summary(self) -> Summary:
        """The counts and the exit code, computed from the rest."""
        return summarise(self)


def exit_reasons(report: Report) -> tuple[str, ...]:
    """All reasons for an exit code other than 0, in order of precedence (design.md §6): a finding is never hidden by an error."""
    reasons = []
    if report.fail_on != "never":
        limit = Severity(report.fail_on).rank
        failing = {f.run for f in report.findings if f.status == "active" and f.severity.rank >= limit}
        if failing and len(failing) >= _failing_runs(report):
            reasons.append("finding")
    if any(o.outcome == "errored" for o in report.outcomes):
        reasons.append("rule-error")
    if report.unmet:
        reasons.append("requirement")
    if not report.allow_empty and (not report.runs or report.missing_paths):
        reasons.append("missing-path" if report.missing_paths else "no-run")
    if report.strict and any(s.status in ("partial", "unreadable") and not s.tail_only for s in report.sources):
        reasons.append("incomplete-source")
    return tuple(reasons)


def _failing_runs(report: Report) -> float:
    """How many runs must fail before the whole scan does."""
    if report.fail_when == "any":
        return 1
    share = 1.0 if report.fail_when == "all" else float(report.fail_when)
    return share * len(report.runs)


def exit_code(report: Report) -> int:
    """0 clean, 1 a finding at or above `fail_on`, 2 an errored rule or an unmet requirement, 3 no run data or incomplete input."""
    codes = {"finding": 1, "rule-error": 2, "requirement": 2, "missing-path": 3, "no-run": 3, "incomplete-source": 3}
    reasons = exit_reasons(report)
    return codes[reasons[0]] if reasons else 0


def summarise(report: Report) -> Summary:
    """Count findings by severity and (rule, run) pairs by their worst outcome."""
    active = [f for f in report.findings if f.status == "active"]
    worst: dict[tuple[str, str], Outcomes] = {}
    not_applicable = set()
    order = ("skipped", "passed", "failed", "errored")
    for o in report.outcomes:
        pair = (o.rule, o.run)
        if o.kind in NOT_APPLICABLE:
            not_applicable.add(pair)
        if pair not in worst or order.index(o.outcome) > order.index(worst[pair]):
            worst[pair] = o.outcome
    tally = list(worst.values())
    return Summary(
        errors=sum(f.severity is Severity.ERROR for f in active),
        warnings=sum(f.severity is Severity.WARNING for f in active),
        infos=sum(f.severity is Severity.INFO for f in active),
        passed=tally.count("passed"),
        failed=tally.count("failed"),
        skipped=tally.count("skipped"),
        errored=tally.count("errored"),
        baselined=sum(f.status == "baselined" for f in report.findings),
        suppressed=sum(f.status == "suppressed" for f in report.findings),
        applicable=len(worst) - len(not_applicable),
        exit_code=exit_code(report),
        exit_reason=exit_reasons(report),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a ranked table: findings of one rule in one run with one severity, folded over their labels."""

    lead: Finding
    """The finding that stands for the row: the first layer in order, else the first in rank."""
    findings: tuple[Finding, ...]
    explained: tuple["Row", ...] = ()
    """Rows filed under this one."""


def rows(report: Report, run: str) -> tuple[Row, ...]:
    """The active findings of a run as ranked rows: roots in rank order, consequences under their cause, layers folded."""
    active = [f for f in report.findings if f.run == run and f.status == "active"]
    known = {f.fingerprint for f in active}
    roots = [f for f in active if f.caused_by not in known]
    under: dict[str, list[Finding]] = {}
    for f in active:
        if f.caused_by in known:
            under.setdefault(f.caused_by or "", []).append(f)
    return _fold(roots, under)


def _fold(findings: list[Finding], under: Mapping[str, list[Finding]]) -> tuple[Row, ...]:
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for f in findings:
        groups.setdefault((f.rule, f.severity), []).append(f)
    folded = []
    for members in groups.values():
        ordered = [f for f in members if f.layer_order is not None]
        lead = (
            min(ordered, key=lambda f: (f.onset if f.onset is not None else 0, f.layer_order or 0))
            if ordered
            else members[0]
        )
        children = [child for f in members for child in under.get(f.fingerprint, [])]
        folded.append(Row(lead, tuple(members), _fold(children, under)))
    return tuple(folded)


@dataclass(frozen=True, slots=True)
class ParamInfo:
    """A parameter of a rule, as `explain` shows it."""

    name: str
    default: float | bool | str
    min: float | None
    max: float | None
    unit: str
    help: str
    source: str


@dataclass(frozen=True, slots=True)
class RuleDetail:
    """One rule in full, as `mlcheck explain` shows it."""

    info: RuleInfo
    origin: str
    """`built-in`, the path of the file, or the entry point of a Python rule."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name to what it binds to, in words."""
    let: Mapping[str, str] = field(default_factory=dict)
    when: str = ""
    severity: str = ""
    patience: str = ""
    """When it speaks: `after 2 %, for 3 points, at the end`."""
    params: tuple[ParamInfo, ...] = ()
    may_cause: tuple[str, ...] = ()
    tests: int = 0
    opt_in: bool = False
    """Off unless it is selected by its id, its name or its category."""
