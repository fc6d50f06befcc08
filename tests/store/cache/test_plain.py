"""Dataclasses of the report taken apart and put together again are the same, to the last bit."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcheck import report as reports
from mlcheck.engine.run import RunPart
from mlcheck.report import Evidence, Report, Severity
from mlcheck.store.cache.plain import from_plain, to_json


def reached(hint: Any) -> set[type]:
    """All dataclasses in a type."""
    if isinstance(hint, type) and is_dataclass(hint):
        return {hint}.union(*(reached(one) for one in hint.__annotations__.values()))
    return set().union(*[reached(one) for one in get_args(hint)])


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type that stands in a report; short lists, so that a report of reports stays small."""
    if isinstance(hint, type) and is_dataclass(hint):
        return st.builds(lambda values: hint(**values), st.fixed_dictionaries(fields_of(hint)))
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if origin is UnionType:
        return st.one_of(*map(values_of, arguments))
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=3), values_of(arguments[1]), max_size=2)
    return st.text(max_size=5) if hint is str else st.from_type(hint)


def fields_of(cls: Any) -> dict[str, st.SearchStrategy[Any]]:
    return {name: values_of(hint) for name, hint in cls.__annotations__.items()}


@pytest.mark.parametrize("cls", sorted(reached(Report) | reached(RunPart), key=lambda one: one.__name__))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_class_of_a_report_comes_back(cls: Any, data: st.DataObject) -> None:
    made = data.draw(values_of(cls))
    back = from_plain(cls, json.loads(to_json(made)))
    # NaN is unequal to itself; the text of a float tells every bit that counts, and 1 from 1.0.
    assert repr(back) == repr(made)


def test_numbers_that_json_has_not_and_text_that_utf_8_has_not() -> None:
    values = (math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1 + 0.2, 1e308)
    one = Evidence("a\udc80\u2028\0", "loss", "value", "step", (-(2**63), 2**63 - 1), values)
    back = from_plain(Evidence, json.loads(to_json(one)))
    assert repr(back) == repr(one)
    assert math.copysign(1, back.values[3]) == -1


def test_what_a_report_does_not_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        to_json(Evidence("a", "loss", "value", "step", (), ({1},)))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [[], ["only one"], 3, None, [[]] * len(fields(Report))])
def test_what_is_no_report_raises_what_is_told(state: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        from_plain(reports.Finding, state)
    with pytest.raises(ValueError, match="worse"):
        from_plain(reports.Finding, [*["x"] * 3, "worse", *["x"] * (len(fields(reports.Finding)) - 4)])
    assert Severity("error") is Severity.ERROR
