"""Accuracies of runs that log the share of wrong answers."""

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.series import Series
from tests.store.builders import imported, raw

STEPS = [1, 2, 3]


def accuracies(**curves: list[float]) -> dict[str, Series]:
    run = build_run("run", "run", [("", imported(*(raw(tag, STEPS, values) for tag, values in curves.items())))])
    return {one.name: one for one in run.series if one.role == "metric"}


@pytest.mark.parametrize(
    "tag",
    [
        "dev_error_rate",
        "dev_err_pct",
        "val_wrong_share",
        "val_merror",
        "valid_1's multi_error",
        "valid_1's binary_error",
        "val_top1_err",
        "val/1-acc",
    ],
)
def test_a_share_of_wrong_answers(tag: str) -> None:
    found = accuracies(**{tag: [0.5, 0.25, 0.125]})
    (one,) = found.values()
    assert one.name == f"{tag} (as accuracy)"
    assert one.columns["value"].tolist() == [0.5, 0.75, 0.875]
    assert {key: one.labels.get(key) for key in ("split", "metric", "family", "better")} == {
        "split": "val",
        "metric": "accuracy",
        "family": "accuracy",
        "better": "higher",
    }


def test_in_percent() -> None:
    (one,) = accuracies(dev_err_pct=[80.0, 40.0, 20.0]).values()
    assert one.columns["value"].tolist() == [20.0, 60.0, 80.0]


def test_the_split_that_is_nearly_right_is_in_percent_too() -> None:
    found = accuracies(train_error_rate=[1.2, 0.6, 0.3], val_error_rate=[9.0, 5.0, 4.0])
    assert found["train_error_rate (as accuracy)"].columns["value"].tolist() == pytest.approx([98.8, 99.4, 99.7])


@pytest.mark.parametrize(
    "curves",
    [
        {"val_error_rate": [0.5, 0.4, 0.3], "val_accuracy": [0.5, 0.6, 0.7]},
        {"val_error_rate": [150.0, 120.0, 90.0]},
        {"val_error_rate": [-0.1, 0.2, 0.3]},
        {"val_mean_error": [0.5, 0.4, 0.3]},
        {"val_wer": [0.5, 0.4, 0.3]},
        {"val_error_rate": [float("nan")] * 3},
    ],
)
def test_no_share(curves: dict[str, list[float]]) -> None:
    assert not [name for name in accuracies(**curves) if name.endswith("(as accuracy)")]


def test_a_bare_error_is_one_beside_the_logloss_of_xgboost() -> None:
    assert set(accuracies(**{"test/error": [0.5, 0.25, 0.125], "test/logloss": [0.6, 0.5, 0.4]})) == {
        "test/error (as accuracy)"
    }
    assert accuracies(**{"test/error": [0.5, 0.25, 0.125], "test/loss": [0.6, 0.5, 0.4]}) == {}
