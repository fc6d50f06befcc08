"""What the page's script draws: series, each held once, and charts that point to them."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from mlcheck.records import replace
from mlcheck.report import Evidence, Finding
from mlcheck.reporters.codec import encode
from mlcheck.reporters.statistics import in_words
from mlcheck.reporters.text import clean, number

MAX_POINTS = 130_000
"""Points of all series of a page (about 2.5 MB at the most); charts beyond it are left out, and said to be."""
_DIGITS = 6
_MEDIAN = "quantile(0.5)"
_QUANTILE = re.compile(r"quantile\((0\.\d{1,6})\)$")
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

    def distribution(self, title: str, rows: Sequence[Evidence]) -> int | None:
        """How the values of one tensor are spread over steps: bands around a line, widest first. `rows` are its statistics.

        From quantiles: least to greatest, then between quantiles that lie equally far from the median; else from the moments: least to
        greatest, then one standard deviation around the mean.
        """
        known = {row.statistic: row for row in rows}
        pairs, middle = _bands(known)
        places = [(name, self._place(low), self._place(high)) for name, low, high in pairs]
        line = self._place(middle) if middle is not None else None
        bands = [{"name": name, "low": low, "high": high} for name, low, high in places if None not in (low, high)]
        if middle is None or line is None or len(bands) < len(pairs):
            return None
        line_name = in_words(middle.statistic)
        axis = clean(middle.axis, 40)
        return self._add(
            {"kind": "bands", "title": clean(title, 80), "axis": axis, "bands": bands, "line": line, "name": line_name}
        )

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


def _bands(known: Mapping[str, Evidence]) -> tuple[list[tuple[str, Evidence, Evidence]], Evidence | None]:
    """Name, lower and upper edge of each band, and the line between them; nothing of statistics that are no distribution."""
    bands = [("least to greatest", known["min"], known["max"])] if {"min", "max"} <= known.keys() else []
    shares = [(float(found[1]), row) for key, row in known.items() if (found := _QUANTILE.match(key))]
    shares.sort(key=lambda share: share[0])
    for q, low in shares:
        high = next((row for other, row in shares if q < 0.5 and math.isclose(other, 1 - q)), None)
        if high is not None:
            bands.append((f"the middle {100 * (1 - 2 * q):.0f} %", low, high))
    if _MEDIAN in known or "mean" not in known or "std" not in known:
        return bands, known.get(_MEDIAN)
    mean, std = known["mean"], known["std"].values
    low, high = (
        replace(mean, statistic=name, values=tuple(m + sign * s for m, s in zip(mean.values, std, strict=False)))
        for name, sign in (("mean - std", -1), ("mean + std", 1))
    )
    return [*bands, ("one standard deviation around the mean", low, high)], mean


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
    return role if evidence.statistic == "value" else f"{in_words(evidence.statistic)} of {role}"


def _series(evidence: Evidence) -> Spec:
    """Steps as the first and one stride where they are regular, else as differences: both are short as text."""
    steps = evidence.steps
    strides = [later - earlier for earlier, later in pairwise(steps)]
    regular = len(set(strides)) <= 1
    return {
        "name": clean(evidence.series, 80),
        "statistic": in_words(evidence.statistic),
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
