"""`scheduled`: what a rule may know of the text fact `schedule`."""

import pytest

from mlcheck import api
from mlcheck.engine.bind import Binding, Combination
from mlcheck.engine.context import RunContext
from mlcheck.engine.rule import Rule
from mlcheck.engine.scope import RuleScope
from mlcheck.report import SourceStatus
from mlcheck.store.build import build_run
from mlcheck.store.series import Fact, Imported


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", 1.0),
        ("Linear", 1.0),
        ("polynomial", 1.0),
        ("constant_with_warmup", 0.0),
        ("reduce_lr_on_plateau", 0.0),
    ],
)
def test_a_schedule_that_always_changes_the_rate(schedule: str, expected: float) -> None:
    assert lookup([Fact("lr_scheduler_type", schedule, "args")]) == expected


def test_an_unknown_schedule_is_nan() -> None:
    value = lookup([])
    assert value != value


def lookup(facts: list[Fact]) -> float:
    source = SourceStatus("events", "test", "read", records=1)
    run = build_run("run", "run", [("", Imported(source, (), first_wall_time=0.0))], raw_facts=facts)
    rule = next(one for one in api.registry().rules if one.id == "OPT003")
    assert isinstance(rule, Rule)
    binding = Binding(rule, RunContext(run), rule.defaults())
    value = RuleScope(binding, Combination({}, {})).lookup("scheduled")
    assert isinstance(value, float)
    return value
