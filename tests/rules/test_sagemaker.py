"""The pack of SageMaker Debugger's rules: as documented there, and the numbers that were published."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcheck.engine import registry
from mlcheck.engine.loader import load_file
from mlcheck.engine.rank import Causes
from mlcheck.engine.rule import Rule
from mlcheck.engine.ruletest import given_run
from mlcheck.engine.run import judge_run
from mlcheck.engine.select import Selected
from mlcheck.report import Finding

ROOT = Path(__file__).parent.parent.parent

DOCUMENTED: dict[str, dict[str, float | bool]] = {
    "vanishing-gradient": {"threshold": 1e-7},
    "exploding-tensor": {"only_nan": False},
    "poor-weight-initialization": {"threshold": 10, "distribution_range": 0.001, "patience": 5, "steps": 10},
    "saturated-activation": {
        "threshold_tanh_min": -9.4999,
        "threshold_tanh_max": 9.4999,
        "threshold_sigmoid_min": -23,
        "threshold_sigmoid_max": 16.99999,
        "threshold_inactivity": 1,
        "threshold_layer": 50,
    },
    "dead-relu": {"threshold_inactivity": 1, "threshold_layer": 50},
    "weight-update-ratio": {"large_threshold": 10, "small_threshold": 1e-8, "epsilon": 1e-9},
    "all-zero": {"threshold": 100},
    "tensor-variance": {"max_threshold": 1e308, "min_threshold": 0},
    "unchanged-tensor": {"num_steps": 3, "rtol": 1e-5, "atol": 1e-8, "equal_nan": False},
    "loss-not-decreasing": {"num_steps": 10, "diff_percent": 0.1, "increase_threshold_percent": 5, "start_step": 0},
    "overfit": {"start_step": 0, "patience": 1, "ratio_threshold": 0.1},
    "overtraining": {"patience_train": 5, "patience_validation": 10, "delta": 0.01},
    "confusion": {"min_diag": 0.9, "max_off_diag": 0.1},
    "class-imbalance": {"threshold_imbalance": 10, "threshold_misprediction": 0.7, "samples": 500},
    "check-input-images": {"threshold_mean": 0.2, "threshold_samples": 500},
    "nlp-sequence-ratio": {"token_values": 0, "token_thresholds_percent": 50},
    "tree-depth": {"depth": 4},
    "feature-importance-overweight": {"threshold": 0.8, "nfeatures": 3},
    "stalled-training-rule": {"threshold": 1800},
    "step-outlier": {"stddev": 3, "n_outliers": 10},
    "low-gpu-utilization": {"threshold_p95": 70, "threshold_p5": 10, "window": 500, "patience": 1000},
    "gpu-memory-increase": {"increase": 5, "window": 10, "patience": 1000},
}
"""Names and defaults of AWS' "List of Debugger built-in rules"; where its editions differ, rules.md decided."""


def pack() -> list[Rule]:
    return [load_file(path) for path in registry.rule_files(registry.built_in_directory() / "sagemaker")]


def judged(name: str, given: dict[str, Any], **params: float | bool) -> tuple[Finding, ...]:
    rule = next(one for one in pack() if one.name == name)
    run = given_run(rule, 0, {"given": given})
    part = judge_run(run, [Selected(rule, {**rule.defaults(), **params}, None)], Causes({}))
    assert not [outcome for outcome in part.outcomes if outcome.outcome == "errored"]
    return part.findings


def test_the_pack_is_complete() -> None:
    assert {rule.name for rule in pack()} == set(DOCUMENTED)


@pytest.mark.parametrize("rule", pack(), ids=lambda rule: rule.name)
def test_as_documented(rule: Rule) -> None:
    """Its own parameters and defaults; it fires or it does not; nothing is taken back for noise, healing or nearness."""
    assert rule.defaults() == DOCUMENTED[rule.name]
    assert all(param.source.startswith(("SageMaker Debugger, ", "smdebug, ")) for param in rule.parameters.values())
    assert [case.severity.value for case in rule.severity_cases()] == ["error"]
    assert (rule.model.healed, rule.model.borderline, rule.category) == ("same", False, "sagemaker")
    assert (rule.regimes, list(rule.may_cause)) == ([], [])
    assert "noise" not in rule.model.when + "".join(str(text) for text in rule.model.let.values())


@pytest.mark.parametrize(("start", "fires"), [(0, [12]), (13, [])])
def test_loss_not_decreasing_on_the_published_losses(start: int, fires: list[int]) -> None:
    given = {"train/loss": {"values": "0.30 0.33 0.31 0.30 0.28", "steps": "0 4 8 12 16"}}
    assert [one.first_step for one in judged("loss-not-decreasing", given, start_step=start)] == fires


@pytest.mark.parametrize(
    ("steps", "values", "fires"),
    [("0 1 2 5", "nan 0 0 1", True), ("0 1", "nan 0", False), ("3 5", "nan 1", False)],
)
def test_unchanged_tensor_on_the_published_ones(steps: str, values: str, fires: bool) -> None:
    """Ones at steps 0, 1 and 2 and other ones at 5: over all of it and at step 2 it fires, up to 1 and after 3 it does not."""
    given = {"fc.weight": {"changed(1e-05,1e-08,0)": values, "steps": steps}}
    found = judged("unchanged-tensor", given)
    assert [(one.first_step, one.last_step) for one in found] == ([(2, 2)] if fires else [])


def confusion(labels: list[int], predictions: list[int]) -> dict[str, Any]:
    """The facts of a confusion matrix by its definition."""
    classes = sorted({*labels, *predictions})
    matrix = np.zeros((len(classes), len(classes)))
    np.add.at(matrix, (np.searchsorted(classes, labels), np.searchsorted(classes, predictions)), 1)
    with np.errstate(invalid="ignore"):
        rows, columns = matrix / matrix.sum(1, keepdims=True), matrix / matrix.sum(0, keepdims=True)
    beside = ~np.eye(len(classes), dtype=bool)
    return {
        f"confusion/{name}": {
            "role": "confusion",
            "category": str(name),
            "recall": str(rows[k, k]),
            "precision": str(columns[k, k]),
            "worst_row": str(rows[k][beside[k]].max()),
            "worst_column": str(columns[:, k][beside[:, k]].max()),
        }
        for k, name in enumerate(classes)
    }


def test_confusion_of_a_perfect_classifier() -> None:
    assert judged("confusion", confusion(list(range(10)), list(range(10)))) == ()


@pytest.mark.parametrize("wrong", range(9))
def test_confusion_of_arange_with_one_wrong(wrong: int) -> None:
    predictions = list(range(10))
    predictions[wrong] = wrong + 1
    found = judged("confusion", confusion(list(range(10)), predictions))
    assert {one.labels["category"] for one in found} == {str(wrong), str(wrong + 1)}


def test_class_imbalance_of_990_and_10() -> None:
    given = {
        f"class_count/{name}": {"role": "class_count", "category": str(name), "value": str(n), "wrong": "nan"}
        for name, n in ((0, 990), (1, 10))
    }
    assert [one.value for one in judged("class-imbalance", given)] == [99.0]


def test_nan_at_two_steps_with_a_finite_one_between() -> None:
    (found,) = judged("exploding-tensor", {"train/loss": "nan 1 nan"})
    assert (found.points, found.episode_count, found.healed) == (2, 2, False)


def test_the_documentation_maps_every_rule() -> None:
    text = (ROOT / "docs" / "sagemaker.md").read_text()
    for rule in pack():
        assert f"| {rule.id} `{rule.name}` |" in text, rule.id
    for name in ("SimilarAcrossRuns", "CPUBottleneck", "IOBottleneck", "LoadBalancing", "MaxInitializationTime"):
        assert name in text
