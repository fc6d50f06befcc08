"""What the page's script draws: series, each held once, and charts that point to them."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mlcheck.report import Evidence, Finding
from mlcheck.reporters.codec import encode
from mlcheck.reporters.text import clean, number

MAX_POINTS = 130_000
"""Points of all series of a page (about 2.5 MB at the most); charts beyond it are left out, and said to be."""
_DIGITS = 6
_TOLERANCE = 1e-5
_ROLES = {"lr": "learning rate", "grad_norm": "gradient norm"}
_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}

Spec = dict[str, Any]


class Charts:
    """Collects the series and charts of a page. A chart is known by its number."""

    def __init__(self) -> None:
        self._series: list[Spec] = []
        self._places: dict[str, int] = {}
        self._charts: list[Spec] = []
        self._points = 0

    def document(self) -> Spec:
        """All of it, as plain values for JSON."""
        return {"series": self._series, "charts": self._charts}

    def finding(self, finding: Finding) -> int | None:
        """The chart of a finding: its inputs, the limit, the failing steps. None where it has no evidence, or no room is left."""
        lanes = self._lanes(finding.evidence, finding)
        if not lanes:
            return None
        spans = [[e.first_step, e.last_step] for e in finding.episodes]
        if not spans and finding.onset is not None:
            spans = [[finding.first_step, finding.last_step]]
        return self._add(
            {"kind": "lines", "lanes": lanes, "axis": clean(finding.axis, 40), "spans": spans, "marks": []}
        )

    def overview(self, panels: Sequence[Evidence], axis: str, marks: list[Spec]) -> int | None:
        """The overview of a run on one kind of axis: `marks` are its findings, each with step, last, severity, text, target."""
        lanes = self._lanes(panels, None)
        if not lanes:
            return None
        return self._add({"kind": "lines", "lanes": lanes, "axis": clean(axis, 40), "spans": [], "marks": marks})

    def heatmap(self, title: str, rows: Sequence[Evidence]) -> int | None:
        """Layers x steps of one statistic, first row on top."""
        places = [self._place(row) for row in rows]
        known = [place for place in places if place is not None]
        if not known:
            return None
        axis = clean(rows[0].axis, 40)
        return self._add({"kind": "heatmap", "title": clean(title, 80), "axis": axis, "rows": known})

    def _add(self, spec: Spec) -> int:
        self._charts.append(spec)
        return len(self._charts) - 1

    def _lanes(self, inputs: Sequence[Evidence], finding: Finding | None) -> list[Spec]:
        """Series of one role, statistic and axis share a lane, in order of appearance."""
        judged = None if finding is None else _judged(finding, inputs)
        lanes: dict[tuple[str, str, str], Spec] = {}
        for evidence in inputs:
            place = self._place(evidence) if evidence.steps else None
            if place is None:
                continue
            key = (evidence.role, evidence.statistic, evidence.axis)
            lane = lanes.setdefault(key, {"title": _title(evidence), "axis": clean(evidence.axis, 40), "series": []})
            lane["series"].append(place)
            if finding is not None and finding.limit is not None and evidence is judged:
                lane["limit"] = _number(finding.limit)
                lane["limit_text"] = f"limit {number(finding.limit)}"
        return list(lanes.values())

    def _place(self, evidence: Evidence) -> int | None:
        spec = _series(evidence)
        key = json.dumps(spec, sort_keys=True)
        if key not in self._places:
            if self._points + len(evidence.steps) > MAX_POINTS:
                return None
            self._points += len(evidence.steps)
            self._places[key] = len(self._series)
            self._series.append(spec)
        return self._places[key]


def _judged(finding: Finding, inputs: Sequence[Evidence]) -> Evidence | None:
    """The input on whose scale the limit is: one that has the value, else the first where the value lies in its range.

    What a rule compares may be a ratio or a slope; its limit must not be drawn among losses. A mean over a window is in range.
    """
    value, limit = finding.value, finding.limit
    if value is None or limit is None or finding.measure or not math.isfinite(limit) or not inputs:
        return None
    for evidence in inputs:
        if any(_same(one, value) for one in evidence.values):
            return evidence
    finite = [one for one in inputs[0].values if math.isfinite(one)]
    return inputs[0] if finite and min(finite) <= value <= max(finite) else None


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_TOLERANCE) or (math.isnan(one) and math.isnan(other))


def _title(evidence: Evidence) -> str:
    role = _ROLES.get(evidence.role) or clean(evidence.role, 40).replace("_", " ")
    return role if evidence.statistic == "value" else f"{clean(evidence.statistic, 40)} of {role}"


def _series(evidence: Evidence) -> Spec:
    """Steps as the first and one stride where they are regular, else as differences: both are short as text."""
    steps = evidence.steps
    strides = [later - earlier for earlier, later in pairwise(steps)]
    regular = len(set(strides)) <= 1
    return {
        "name": clean(evidence.series, 80),
        "statistic": clean(evidence.statistic, 40),
        "first": steps[0] if steps else 0,
        "strides": (strides[0] if strides else 1) if regular else strides,
        "values": [_number(value) for value in evidence.values],
    }


def _number(value: float) -> float | int | str:
    if math.isfinite(value):
        # From the seven digits of the JSON report, so that a page made from a saved report is the same.
        rounded = float(f"{encode(float(value)):.{_DIGITS - 1}e}")
        return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e6 else rounded
    return _WORDS.get(value, "NaN")
