"""The page docs/accuracy.md, made of verdicts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.accuracy import measures
from bench.accuracy.measures import Counts
from bench.accuracy.verdicts import Verdict

LEVELS = ("error", "warning")
PARTS: Mapping[str, Callable[[Verdict], bool]] = {
    "All runs": lambda one: True,
    "Scalars alone": lambda one: one.label.scalars_only,
    "With dumps": lambda one: not one.label.scalars_only,
}
DETECTION: Mapping[str, Callable[[Counts], float]] = {
    "recall": lambda one: one.recall,
    "false alarms": lambda one: one.false_alarm_rate,
    "Youden's J": lambda one: one.youden,
    "Matthews": lambda one: one.matthews,
}

TITLES = {
    "development": "Development: rules are tuned on it",
    "seen": "Seen: held out until the first look at it, development data since",
    "held-out": "Held out: never tuned on",
}

INTRODUCTION = """\
# Accuracy

How often mlcheck finds a planted fault, names it first, and leaves healthy runs alone. `make accuracy` makes this page.

## Protocol

- **Runs.** {runs} Every run is a real training of a small model, of a few
  seconds on one core; what is scanned is what it logged. A healthy recipe must have learned clearly more than chance, and a
  faulty one must show its harm (or the planted event must have happened): each recipe asserts that, or there is no run.
  The wall time in the logs of stalled and slowing loaders is planted, seconds for each step; all else is as it was measured.
- **Parts.** Each recipe belongs to one part, as its definition says since before anything was scanned. Rules are tuned on the
  development part and on what has been seen. The held-out part is scored only; no rule is changed for what it shows.
- **Detection.** A faulty run is detected when there is a finding at the level or above; a healthy run is alarmed by the same.
  Recall is the share of faulty runs that were detected, Youden's J is recall minus the rate of false alarms, Matthews the
  correlation of what was planted with what was said. In brackets: 95 % bootstrap intervals over {draws:,} samples of whole
  recipes, since the seeds of one recipe are no independent witnesses.
- **Diagnosis.** The rules that name a fault by their definition were written down with its recipe. Top 1 and top 3: the share
  of runs detected at warning or above in which such a rule is the first row, or among the first three. Rows: the median number
  of rows at warning or above; consequences that are filed under their cause are no rows.
  One such list was amended after a first scan of the development half: `all-zero` for weights that begin at zero. Rules that are newer
  than a recipe count by a table of their own (`LATER_BY_…` in verdicts.py), which was written before a part was scanned (those of its
  entries that verdicts.py names after it).
- **Peers.** `sagemaker` is our reproduction of the built-in rules of Amazon SageMaker Debugger with their documented defaults,
  alone; each of its findings is an error. `runmedic` 0.1.1 reads the directories as they are; "handed scalars" gets all
  scalars of a run in its own form, with their roles. "always alarm" calls everything faulty and names nothing.
  bench/accuracy/peers.py says which of their rules count as the same as ours.
"""


@dataclass(frozen=True)
class Judged:
    """What the tools said of one half."""

    half: str
    verdicts: Mapping[str, Sequence[Verdict]]
    """By tool; the first is mlcheck."""

    @property
    def own(self) -> Sequence[Verdict]:
        """mlcheck's."""
        return next(iter(self.verdicts.values()))


def page(halves: Sequence[Judged], date: str, version: str) -> str:
    """The whole page; `date` and `version` say when and of what it is."""
    counted = " ".join(_counted(one) for one in halves)
    parts = [INTRODUCTION.format(runs=counted, draws=measures.DRAWS), f"Made on {date} with mlcheck {version}."]
    parts += [half_of_page(one) for one in halves]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def half_of_page(judged: Judged) -> str:
    """The tables and lists of one half."""
    parts = [f"## {TITLES[judged.half]}"]
    for name, fits in PARTS.items():
        part = {tool: [one for one in said if fits(one)] for tool, said in judged.verdicts.items()}
        parts.append(f"### {name}\n\n{detection_table(part)}\n\n{diagnosis_table(part)}")
    parts.append(f"### By kind of fault\n\n{kind_table(judged.own)}")
    for title, listed in (
        ("Missed at error level", measures.missed(judged.own)),
        ("Detected, but another rule comes first", measures.wrongly_named(judged.own)),
        ("False alarms", measures.false_alarms(judged.own)),
    ):
        parts.append(f"### {title}\n\n{run_list(listed)}")
    return "\n\n".join(parts)


def _counted(judged: Judged) -> str:
    own = judged.own
    faulty, healthy = (measures.clusters(own, faulty=one) for one in (True, False))
    kinds = len(measures.by_kind(own))
    return (
        f"{judged.half.capitalize()}: {_runs(healthy)} of {len(healthy)} healthy recipes, {_runs(faulty)} of {len(faulty)} "
        f"faulty recipes with {kinds} kinds of fault."
    )


def _runs(groups: Sequence[Sequence[Verdict]]) -> str:
    return f"{sum(map(len, groups))} runs"


def detection_table(by_tool: Mapping[str, Sequence[Verdict]]) -> str:
    """Recall, false alarms, J and Matthews of each tool at both levels, with their intervals."""
    own = next(iter(by_tool.values()))
    rows = [[tool, level, *_detected(said, level)] for tool, said in by_tool.items() for level in LEVELS]
    rows.append(["always alarm", "", *_detected(measures.always_alarm(own), "error", intervals=False)])
    faulty = sum(one.label.faulty for one in own)
    caption = f"{faulty} faulty and {len(own) - faulty} healthy runs."
    return f"{caption}\n\n{table(['tool', 'at or above', *DETECTION], rows)}"


def _detected(said: Sequence[Verdict], level: str, *, intervals: bool = True) -> list[str]:
    if not intervals:
        return [_number(measure(measures.counts(said, level))) for measure in DETECTION.values()]
    found = [measures.with_interval(said, level, measure) for measure in DETECTION.values()]
    return [f"{_number(one.value)} [{_number(one.low)}, {_number(one.high)}]" for one in found]


def diagnosis_table(by_tool: Mapping[str, Sequence[Verdict]]) -> str:
    """How often the fault is named first or among the first three, and how many rows there are."""
    rows = [
        [tool, _number(measures.top(said, 1)), _number(measures.top(said, 3)), _number(measures.median_rows(said), 1)]
        for tool, said in by_tool.items()
    ]
    return table(["tool", "top 1", "top 3", "rows"], rows)


def kind_table(own: Sequence[Verdict]) -> str:
    """One row for each kind of fault."""
    rows = []
    for kind, said in measures.by_kind(own).items():
        cells = [
            sum(one.alarms("error") for one in said),
            sum(one.alarms("warning") for one in said),
            sum(one.hit(1) for one in said),
            sum(one.hit(3) for one in said),
        ]
        rows.append([kind, str(len(said)), *map(str, cells), _number(measures.median_rows(said), 1)])
    heads = ["kind", "runs", "at error", "at warning or above", "named first", "named in the first 3", "rows"]
    return table(heads, rows)


def run_list(said: Sequence[Verdict]) -> str:
    """One line for each run, with its first rows."""
    return "\n".join(f"- {_run(one)}" for one in said) if said else "None."


def _run(one: Verdict) -> str:
    planted = f" ({one.label.kind}; expected {', '.join(one.label.expects)})" if one.label.faulty else ""
    rows = "; ".join(f"{row.level} {row.name}" for row in one.rows[:4]) or one.trouble or "nothing"
    where = "scalars" if one.label.scalars_only else "dumps"
    return f"`{one.label.run}` {where}{planted}: {rows}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    marks = ["---" if index == 0 else "---:" for index in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, marks, *rows))


def _number(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
