"""What rules on dumped tensors need of the engine: series without a label, magnitudes of scalars, regimes, guessed functions."""

from typing import Any

import numpy as np
import pytest

from mlcheck.engine.context import RunContext
from mlcheck.engine.loader import load_text
from mlcheck.engine.rank import Causes
from mlcheck.engine.ruletest import given_run
from mlcheck.engine.run import judge_run
from mlcheck.engine.select import Selected
from mlcheck.report import Finding, Severity
from mlcheck.store.build import build_run
from mlcheck.store.series import Hints, RawSeries
from tests.store.builders import imported

RULE = """
id: ACM001
name: acme
category: acme
status: {{stable: "0.1"}}
severity: error
inputs:
  {inputs}
when: {when}
message: "{{series}}"
tests:
  - {{name: fires, given: {{train/loss: "1"}}, expect: [{{}}]}}
  - {{name: quiet, given: {{train/loss: "1"}}, expect: passed}}
"""


def found(inputs: str, when: str, given: dict[str, Any], regime: str = "supervised") -> tuple[Finding, ...]:
    rule = load_text(RULE.format(inputs=inputs, when=when))
    run = given_run(rule, 0, {"given": given, "regime": regime})
    return judge_run(run, [Selected(rule, rule.defaults(), None)], Causes({})).findings


def test_none_asks_for_series_without_a_label() -> None:
    tensors = {name: {"abs_mean": "1x4"} for name in ("gradients/fc1", "gradients/fc2.weight", "gradients/fc2.bias")}
    judged = found("g: {role: gradient, stat: abs_mean, param: [weight, none]}", "g > 0", tensors)
    assert {f.series for f in judged} == {("gradients/fc1",), ("gradients/fc2.weight",)}


def test_the_magnitude_of_a_scalar_meets_the_norm_of_a_tensor() -> None:
    given = {"train/grad_norm": "-3x4", "gradients/fc1.weight": {"l2": "2x4"}}
    judged = found("g: {role: [grad_norm, gradient], stat: l2}", "g > 0", given)
    assert {(f.series[0], f.value) for f in judged} == {("train/grad_norm", 3.0), ("gradients/fc1.weight", 2.0)}


@pytest.mark.parametrize(
    ("regime", "tells"), [("supervised", True), ("finetune", True), ("unknown", True), ("rl", False), ("gan", False)]
)
def test_loss_tells_is_the_regime_as_a_condition(regime: str, tells: bool) -> None:
    judged = found("x: {role: loss}", "loss_tells > 0 and x > 0", {"train/loss": "1x4"}, regime)
    assert bool(judged) is tells


def test_a_guessed_function_is_at_most_a_warning() -> None:
    saves = {"min": "0x4", "max": "3x4", "abs_mean": "1x4"}
    asking = found("u: {role: activation, stat: abs_mean, act: relu}", "u > 0", {"activations/block1": saves})
    assert [(f.severity, f.reasons) for f in asking] == [
        (Severity.WARNING, ("function guessed from the values", "a series of 5 points"))
    ]
    named = found("u: {role: activation, stat: abs_mean, act: relu}", "u > 0", {"activations/relu1": saves})
    assert [f.severity for f in named] == [Severity.ERROR]
    not_asking = found("u: {role: activation, stat: abs_mean}", "u > 0", {"activations/block1": saves})
    assert [f.severity for f in not_asking] == [Severity.ERROR]


def test_the_sentence_names_the_tensor_and_not_its_witness() -> None:
    inputs = "g: {role: gradient, stat: abs_mean}\n  loss: {role: loss, optional: true}"
    given = {"gradients/fc1.weight": {"abs_mean": "1x4"}, "train/loss": "2x4"}
    judged = found(inputs, "g > 0 and among(max(loss), metric, max) > 1", given)
    assert [f.message for f in judged] == ["gradients/fc1.weight"]


def histograms(**changes: list[float]) -> RunContext:
    """Four histograms of a weight that are the same but for `changes`, and one of a dump."""
    columns = {"count": 64.0, "min": -0.5, "max": 0.5, "mean": 0.01, "std": 0.2, "l2": 1.6}
    values = {name: np.array(changes.get(name, [value] * 4)) for name, value in columns.items()}
    steps, wall = np.arange(4), np.full(4, np.nan)
    both = [
        RawSeries(f"weights/{name}", "tensor", steps, wall, values, Hints(), approximate=name == "fc1")
        for name in ("fc1", "fc2")
    ]
    return RunContext(build_run("run", "run", [("", imported(*both))]))


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({}, [0, 0, 0]),
        ({"max": [0.5, 0.5, 0.5000001, 0.5000001]}, [0, 1, 0]),
        ({"mean": [0.01, 0.02, 0.03, 0.04]}, [1, 1, 1]),
        ({"std": [0.2, float("nan"), 0.2, 0.2]}, [None, None, 0]),
    ],
    ids=["the same", "the greatest", "the mean", "not known"],
)
def test_histograms_tell_whether_anything_changed(changes: dict[str, list[float]], changed: list[float | None]) -> None:
    context = histograms(**changes)
    by_name = {series.name: series for series in context.run.series}
    key = "changed(1e-05,1e-08)"
    assert context.has(by_name["weights/fc1"], key)
    assert not context.has(by_name["weights/fc2"], key)
    found = context.column(by_name["weights/fc1"], key).values
    assert [None if np.isnan(value) else value for value in found] == [None, *changed]
