"""The tests inside rule files: series in promtool's notation, and the findings that they must give.

tests:
  - name: one layer dies, the other lives
    given:
      gradients/fc1: {abs_mean: "1e-3*0.1x10"}       # statistics: a tensor
      train/loss: "1-0.1x9"                          # values: a scalar
      val/loss: {values: "1 _ 2", every: 10, start: 5, wall: 30, split: val}
    baseline: [{train/loss: "1-0.1x9"}]              # runs that this one is held against, each as `given`
    facts: {num_classes: 10}
    regime: supervised
    expect: [{layer: fc1, first: 5, last: 10, severity: error}]      # or [], passed, or skipped: "7 of 20 points"
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlcheck.engine.rank import Causes
from mlcheck.engine.registry import AnyRule
from mlcheck.engine.rule import Rule
from mlcheck.engine.run import RunPart, judge_run
from mlcheck.engine.schema import FACT_ROLES, FILTER_LABELS
from mlcheck.engine.select import Selected
from mlcheck.errors import RuleError, did_you_mean
from mlcheck.lang.notation import expand
from mlcheck.records import dataclass, replace
from mlcheck.report import Finding, SourceStatus
from mlcheck.store.build import build_run
from mlcheck.store.series import Fact, Hints, Imported, RawSeries, Run

TEST_KEYS = ("name", "given", "baseline", "facts", "regime", "params", "restart", "source", "expect")
SERIES_KEYS = ("values", "every", "start", "steps", "wall", "role", "part", "file")
_LABELS = (*FILTER_LABELS, "order")
EXPECT_KEYS = ("first", "last", "onset", "severity", "points", "episodes", "healed", "value", "series", "confidence")


@dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one test of one rule."""

    __test__ = False

    rule: str
    name: str
    place: str
    """file:line:column of the test."""
    passed: bool
    message: str = ""
    """What was expected and what came instead."""


def run_tests(rule: AnyRule) -> list[TestResult]:
    """Run all tests of a rule; a Python rule has none. Raises RuleError for a test that is not written right."""
    if not isinstance(rule, Rule):
        return []
    return [_run(rule, index, test) for index, test in enumerate(rule.model.tests)]


def _run(rule: Rule, index: int, test: Mapping[str, Any]) -> TestResult:
    place = rule.document.place(("tests", index))
    _known(rule, ("tests", index), test, TEST_KEYS)
    run = given_run(rule, index, test)
    baseline = [
        replace(
            given_run(rule, index, {**test, "given": given}, ("tests", index, "baseline", number)), name=f"base{number}"
        )
        for number, given in enumerate(test.get("baseline", []))
    ]
    params = {**rule.defaults(), **test.get("params", {})}
    part = judge_run(run, [Selected(rule, params, None)], Causes({}), baseline=baseline)
    message = _compare(rule, index, test.get("expect", []), part)
    return TestResult(rule.id, str(test.get("name", f"test {index + 1}")), str(place), not message, message)


def _known(rule: Rule, path: tuple[str | int, ...], data: Any, keys: Sequence[str]) -> None:
    if not isinstance(data, Mapping):
        raise RuleError("must be a mapping", rule.document.place(path))
    for key in data:
        if key not in keys:
            hint = did_you_mean(str(key), keys) or "known keys: " + ", ".join(keys)
            raise RuleError(f"unknown key {key!r} in a test", rule.document.place((*path, key), of_key=True), hint)


# What is given


def given_run(rule: Rule, index: int, test: Mapping[str, Any], place: tuple[str | int, ...] | None = None) -> Run:
    """The run that a test describes, built as an imported one is: roles come from the tags unless the test names them."""
    path = place or ("tests", index, "given")
    given = test.get("given", {})
    if not isinstance(given, Mapping):
        raise RuleError("`given` maps tags to values", rule.document.place(path))
    files: dict[tuple[str, int], list[RawSeries]] = {}
    stated: dict[str, Mapping[str, Any]] = {}
    for tag, spec in given.items():
        spec = {"values": spec} if isinstance(spec, str | int | float) else spec
        if not isinstance(spec, Mapping):
            raise RuleError("a series is text in the notation, or a mapping", rule.document.place((*path, tag)))
        for part_of_tag in spec.get("files", [spec]):
            merged = {**{k: v for k, v in spec.items() if k != "files"}, **part_of_tag}
            raw = _series(rule, (*path, tag), str(tag), merged, len(files))
            files.setdefault((str(merged.get("part", "")), int(merged.get("file", 0))), []).append(raw)
        stated[tag] = spec
    source = test.get("source", {})
    parts = [
        (part, Imported(_status(number, source if not number else {}), tuple(series), first_wall_time=float(number)))
        for (part, number), series in sorted(files.items(), key=lambda item: item[0])
    ]
    facts = [Fact(str(key), value, "test") for key, value in test.get("facts", {}).items()]
    run = build_run("test", "test", parts, raw_facts=facts, regime=test.get("regime"))
    series = [_with_labels(one, stated.get(one.tag, {})) for one in run.series]
    return replace(run, series=series, facts={**run.facts, **test.get("facts", {})})


def _status(number: int, source: Mapping[str, Any]) -> SourceStatus:
    status = SourceStatus(f"events-{number}", "test", "read", records=1)
    return replace(status, **source)


def _series(rule: Rule, path: tuple[str | int, ...], tag: str, spec: Mapping[str, Any], order: int) -> RawSeries:
    statistics = {
        key: value
        for key, value in spec.items()
        if key not in SERIES_KEYS and key not in _LABELS and key != "files" and not isinstance(value, bool)
    }
    texts = {"value": spec["values"]} if "values" in spec else statistics
    if not texts:
        raise RuleError("a series needs `values` or statistics", rule.document.place(path))
    columns = {}
    for key, text in texts.items():
        try:
            columns[key] = expand(str(text))
        except ValueError as error:
            raise RuleError(str(error), rule.document.place((*path, key))) from None
    rows = {len(column) for column in columns.values()}
    if len(rows) != 1:
        raise RuleError(f"its statistics have {sorted(rows)} points; they must be as many", rule.document.place(path))
    there = np.array(
        [all(column[row] is not None for column in columns.values()) for row in range(rows.pop())], dtype=bool
    )
    is_fact = spec.get("role") in FACT_ROLES
    return RawSeries(
        tag=tag,
        kind="fact" if is_fact else "scalar" if "values" in spec else "tensor",
        steps=_steps(rule, path, spec, len(there))[there],
        wall_times=_walls(rule, path, spec, len(there))[there],
        columns={
            key: np.array([math.nan if v is None else v for v in column])[there] for key, column in columns.items()
        },
        hints=Hints(order=order, collection=str(spec["role"])) if is_fact else Hints(order=order),
    )


def _steps(
    rule: Rule, path: tuple[str | int, ...], spec: Mapping[str, Any], rows: int
) -> "np.ndarray[Any, np.dtype[np.int64]]":
    if "steps" in spec:
        given = expand(str(spec["steps"]))
        if len(given) != rows or any(step is None for step in given):
            raise RuleError(f"{len(given)} steps for {rows} points", rule.document.place((*path, "steps")))
        return np.array(given, dtype=np.int64)
    return int(spec.get("start", 0)) + int(spec.get("every", 1)) * np.arange(rows, dtype=np.int64)


def _walls(
    rule: Rule, path: tuple[str | int, ...], spec: Mapping[str, Any], rows: int
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Wall times: one second a point from a fixed day; `wall: 30` sets the seconds, `wall: none` leaves them unknown."""
    wall = spec.get("wall", 1)
    if wall == "none":
        return np.full(rows, np.nan)
    if isinstance(wall, str):
        given = expand(wall)
        if len(given) != rows:
            raise RuleError(f"{len(given)} wall times for {rows} points", rule.document.place((*path, "wall")))
        return 1.7e9 + np.array([math.nan if one is None else one for one in given])
    offset = float(spec.get("start", 0)) / max(1.0, float(spec.get("every", 1)))
    return np.asarray(1.7e9 + float(wall) * (offset + np.arange(rows)), dtype=np.float64)


def _with_labels(series: Any, spec: Mapping[str, Any]) -> Any:
    labels = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in spec.items()
        if key in _LABELS
    }
    if not labels and "role" not in spec:
        return series
    return replace(series, role=str(spec.get("role", series.role)), labels={**series.labels, **labels})


# What is expected


def _compare(rule: Rule, index: int, expect: Any, part: RunPart) -> str:
    path = ("tests", index, "expect")
    errored = next((o.reason for o in part.outcomes if o.outcome == "errored"), None)
    if errored is not None:
        return f"the rule raised {errored}"
    if isinstance(expect, list):
        for number, one in enumerate(expect):
            labels = [key for key in one if key in _LABELS] if isinstance(one, Mapping) else []
            _known(rule, (*path, number), one, [*EXPECT_KEYS, *labels])
        return _compare_findings(expect, part)
    if expect == "passed":
        outcomes = [o.outcome for o in part.outcomes]
        return "" if outcomes and set(outcomes) == {"passed"} else f"expected passed, came {_shown(part)}"
    if isinstance(expect, Mapping) and set(expect) == {"skipped"}:
        reasons = [o.reason or "" for o in part.outcomes if o.outcome == "skipped"]
        fits = not part.findings and any(str(expect["skipped"]) in reason for reason in reasons)
        return "" if fits else f"expected skipped: {expect['skipped']!r}, came {_shown(part)}"
    raise RuleError("`expect` is a list of findings, `passed`, or `skipped: reason`", rule.document.place(path))


def _compare_findings(expect: Sequence[Mapping[str, Any]], part: RunPart) -> str:
    left = list(part.findings)
    for one in expect:
        match = next((f for f in left if _fits(one, f)), None)
        if match is None:
            return f"expected {dict(one)}, came {_shown(part)}"
        left.remove(match)
    return f"expected {len(expect)} findings, came {_shown(part)}" if left else ""


def _fits(expected: Mapping[str, Any], f: Finding) -> bool:
    actual: dict[str, Any] = {
        "first": f.first_step,
        "last": f.last_step,
        "onset": f.onset,
        "severity": f.severity.value,
        "confidence": f.confidence.value,
        "points": f.points,
        "episodes": f.episode_count,
        "healed": f.healed,
        "value": f.value,
    }
    for key, want in expected.items():
        if key == "series":
            if want not in f.series:
                return False
        elif key in actual:
            if not _equal(want, actual[key]):
                return False
        elif f.labels.get(key) != str(want):
            return False
    return True


def _equal(want: Any, have: Any) -> bool:
    if isinstance(want, float) and isinstance(have, float):
        return (math.isnan(want) and math.isnan(have)) or math.isclose(want, have, rel_tol=1e-6)
    return bool(want == have)


def _shown(part: RunPart) -> str:
    if part.findings:
        return "; ".join(
            f"{f.severity} {dict(f.labels)} first {f.first_step} last {f.last_step}"
            f" ({f.points} points, value {f.value}, limit {f.limit}{', ' + ', '.join(f.reasons) if f.reasons else ''})"
            for f in part.findings
        )
    return "; ".join(f"{o.outcome}{': ' + o.reason if o.reason else ''}" for o in part.outcomes) or "nothing"
