"""Several reports as one: shards of a sweep that were scanned by different jobs.

What is in two reports is kept once. Runs of equal names that are not the same get `#2`, as in a scan. The merged report fails where
any of its parts would: the stricter setting wins.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from mlcheck.records import dataclass, field, replace
from mlcheck.report import (
    FailOn,
    Finding,
    Note,
    Outcome,
    Panel,
    Report,
    RuleInfo,
    RunInfo,
    SeriesInfo,
    SourceStatus,
)
from mlcheck.reporters.codec import encode

_STRICTEST: tuple[FailOn, ...] = ("info", "warning", "error", "never")

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Part:
    """One report to merge."""

    name: str
    """The file that it came from, as the user named it."""
    report: Report


@dataclass
class _Names:
    """Which name each run of the merged report has, and what it was made of."""

    notes: list[Note] = field(default_factory=list)
    known: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By original name: (what it consists of, its name in the merged report)."""
    taken: set[str] = field(default_factory=set)

    def of(self, part: Part, run: RunInfo, content: str) -> tuple[str, bool]:
        """The run's name in the merged report, and whether it is new there."""
        for other, name in self.known.get(run.name, ()):
            if other == content:
                return name, False
        name, count = run.name, 1
        while name in self.taken:
            count += 1
            name = f"{run.name}#{count}"
        if count > 1:
            self.notes.append(Note("name", f"two runs are called {run.name}: the one of {part.name} is {name} here"))
        self.taken.add(name)
        self.known.setdefault(run.name, []).append((content, name))
        return name, True


def merge(parts: Sequence[Part]) -> Report:
    """One report of all parts; a single part stays as it is. Splits over settings are left out: they are per scan.

    Findings keep the order of their report; where ranks matter across runs they must be ranked anew.
    """
    if len(parts) == 1:
        return parts[0].report
    names = _Names()
    renamed = [_renamed(part, names) for part in parts]
    reports = [part.report for part in parts]
    rules, rule_notes = _rules(parts)
    allow_empty = all(report.allow_empty for report in reports)
    return Report(
        version=reports[0].version,
        runs=_all(renamed, lambda r: r.runs),
        sources=_once(renamed, lambda r: r.sources),
        findings=_all(renamed, lambda r: r.findings),
        outcomes=_all(renamed, lambda r: r.outcomes),
        rules=rules,
        series=_all(renamed, lambda r: r.series),
        panels=_all(renamed, lambda r: r.panels),
        notes=(*_once(reports, lambda r: r.notes), *names.notes, *_versions(parts), *rule_notes),
        identical=_once(renamed, lambda r: r.identical),
        fail_on=min((report.fail_on for report in reports), key=_STRICTEST.index),
        fail_when=min((report.fail_when for report in reports), key=_share),
        strict=any(report.strict for report in reports),
        allow_empty=allow_empty,
        missing_paths=_once(parts, _missing if not allow_empty else lambda part: part.report.missing_paths),
        unmet=_once(reports, lambda r: r.unmet),
    )


def _share(fail_when: str) -> float:
    """Smaller is stricter: `any` 0, a share itself, `all` 1."""
    return {"any": 0.0, "all": 1.0}[fail_when] if fail_when in ("any", "all") else float(fail_when)


def _missing(part: Part) -> tuple[str, ...]:
    """What makes a part fail for want of data; a part that may be empty adds nothing to one that may not."""
    report = part.report
    if report.allow_empty:
        return ()
    return report.missing_paths or (() if report.runs else (f"{part.name}: the report holds no run",))


def _renamed(part: Part, names: _Names) -> Report:
    """The part with the names of the merged report, without the runs that are there already."""
    report = part.report
    content = _contents(report)
    new: dict[str, str] = {}
    old: dict[str, str] = {}
    for run in report.runs:
        name, is_new = names.of(part, run, content[run.name])
        (new if is_new else old)[run.name] = name
    here = {**old, **new}
    return replace(
        report,
        runs=tuple(replace(run, name=new[run.name]) for run in report.runs if run.name in new),
        findings=tuple(replace(f, run=new.get(f.run, f.run)) for f in report.findings if f.run not in old),
        outcomes=tuple(replace(o, run=new.get(o.run, o.run)) for o in report.outcomes if o.run not in old),
        series=tuple(replace(s, run=new.get(s.run, s.run)) for s in report.series if s.run not in old),
        panels=tuple(replace(p, run=new.get(p.run, p.run)) for p in report.panels if p.run not in old),
        sources=tuple(replace(s, run=here.get(s.run or "", s.run)) for s in report.sources if s.run not in old),
        identical=tuple(replace(one, runs=tuple(here.get(run, run) for run in one.runs)) for one in report.identical),
    )


def _contents(report: Report) -> dict[str, str]:
    """What each run consists of, as text: two runs are the same when all that was found out about them is."""
    parts: dict[str, list[Any]] = {run.name: [encode(run)] for run in report.runs}
    items: Iterable[Finding | Outcome | SeriesInfo | Panel | SourceStatus]
    for items in (report.findings, report.outcomes, report.series, report.panels, report.sources):
        for item in items:
            if item.run in parts:
                parts[item.run].append(encode(item))
    return {name: json.dumps(values, sort_keys=True) for name, values in parts.items()}


def _rules(parts: Sequence[Part]) -> tuple[tuple[RuleInfo, ...], list[Note]]:
    """Every rule once, as the first part that has it says; a note for each that another part had otherwise."""
    found: dict[str, tuple[RuleInfo, str]] = {}
    notes: dict[str, Note] = {}
    for part in parts:
        for rule in part.report.rules:
            first, name = found.setdefault(rule.id, (rule, part.name))
            if encode(first) != encode(rule) and rule.id not in notes:
                text = (
                    f"{rule.id} ({rule.name}) was set otherwise in {part.name} than in {name}, whose settings are shown"
                )
                notes[rule.id] = Note("merge", text)
    return tuple(rule for rule, _ in found.values()), list(notes.values())


def _versions(parts: Sequence[Part]) -> list[Note]:
    versions: dict[str, str] = {}
    for part in parts:
        versions.setdefault(part.report.version, part.name)
    if len(versions) == 1:
        return []
    texts = [f"{version} ({name})" for version, name in versions.items()]
    return [Note("merge", f"the reports are of different versions of mlcheck: {', '.join(texts)}")]


def _all(reports: Iterable[Report], items: Callable[[Report], Iterable[T]]) -> tuple[T, ...]:
    return tuple(item for report in reports for item in items(report))


def _once(parts: Iterable[S], items: Callable[[S], Iterable[T]]) -> tuple[T, ...]:
    """All items in order, without those that an earlier part has already; a part may hold the same one twice."""
    seen: set[str] = set()
    found: list[T] = []
    for part in parts:
        keyed = [(json.dumps(encode(item), sort_keys=True), item) for item in items(part)]
        found += [item for key, item in keyed if key not in seen]
        seen.update(key for key, _ in keyed)
    return tuple(found)
