"""The loss of a run none of whose names is known."""

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.series import Run
from tests.store.builders import imported, raw

TEN = list(range(10))
FALLING = [3 - 0.2 * n for n in TEN]
RISING = [0.1 + 0.05 * n for n in TEN]


def run_of(curves: dict[str, list[float]]) -> Run:
    series = (raw(tag, list(range(len(values))), values) for tag, values in curves.items())
    return build_run("run", "run", [("", imported(*series))])


def losses(curves: dict[str, list[float]]) -> dict[str, tuple[str | None, str | None]]:
    run = run_of(curves)
    return {
        one.name: (one.labels.get("split"), one.labels.get("certainty")) for one in run.series if one.role == "loss"
    }


def test_a_curve_that_falls_in_both_splits() -> None:
    curves = {"train/zeta": FALLING, "val/zeta": FALLING, "val/accuracy": RISING, "lr": [0.1] * 10}
    assert losses(curves) == {"train/zeta": ("train", "curve"), "val/zeta": ("val", "curve")}
    run = run_of(curves)
    assert {one.name for one in run.series if one.labels.get("primary") == "true"} == {"train/zeta", "val/zeta"}
    assert run.regime.name == "supervised"


def test_a_bare_name_beside_its_validation() -> None:
    assert losses({"zeta": FALLING, "val_zeta": FALLING}) == {"zeta": ("train", "curve"), "val_zeta": ("val", "curve")}


def test_a_word_for_training_that_nobody_knows_either() -> None:
    curves = {"zeta/cask": FALLING, "zeta/heldout": FALLING, "accuracy/cask": RISING, "accuracy/heldout": RISING}
    assert losses(curves) == {"zeta/cask": ("train", "curve"), "zeta/heldout": ("val", "curve")}


def test_a_curve_that_stands_is_a_guess() -> None:
    flat = [2.3, 2.31, 2.29, 2.3, 2.31, 2.3, 2.29, 2.31, 2.3, 2.3]
    assert losses({"train/zeta": flat, "val/zeta": flat}) == {
        "train/zeta": ("train", "guess"),
        "val/zeta": ("val", "guess"),
    }


def test_the_letter_of_textbooks_is_a_guess() -> None:
    assert losses({"J": FALLING, "accuracy": RISING}) == {"J": ("train", "guess")}


def test_a_fall_that_is_over_after_a_few_points() -> None:
    # All of the last third lies below all of the first, though the range is that of the first two points.
    steep = [4000.0, 2700.0, *(600 - 20 * n for n in range(10))]
    assert losses({"zeta": steep, "val_zeta": steep}) == {"zeta": ("train", "curve"), "val_zeta": ("val", "curve")}


def test_a_positive_ll_that_falls_is_a_log_loss() -> None:
    assert losses({"ll": FALLING, "ll_oot": FALLING}) == {"ll": ("train", "curve"), "ll_oot": ("val", "curve")}


@pytest.mark.parametrize("curve", [RISING, [-3.0 + 0.2 * n for n in TEN], [-0.2 * n for n in TEN]])
def test_any_other_ll_is_a_log_likelihood(curve: list[float]) -> None:
    assert losses({"ll": curve, "val_ll": curve}) == {}


def test_it_becomes_nan() -> None:
    curve = [*FALLING, float("nan"), float("nan")]
    assert losses({"train/zeta": curve, "val/zeta": curve}) == {
        "train/zeta": ("train", "curve"),
        "val/zeta": ("val", "curve"),
    }


@pytest.mark.parametrize(
    "curves",
    [
        # Something is known to be the objective.
        {"train/zeta": FALLING, "val/zeta": FALLING, "loss": FALLING},
        {"train/zeta": FALLING, "val/zeta": FALLING, "train/mse": FALLING},
        {"J": FALLING, "rollout/ep_rew_mean": RISING},
        # It rises, as a score does.
        {"train/zeta": RISING, "val/zeta": RISING},
        {"J": RISING, "accuracy": RISING},
        # It stands where a share, or a percentage, may stand.
        {"train/zeta": [0.5] * 10, "val/zeta": [0.5] * 10},
        {"train/zeta": [50.0] * 10, "val/zeta": [50.0] * 10},
        # One of two: nothing tells which.
        {"train/zeta": FALLING, "val/zeta": FALLING, "train/theta": FALLING, "val/theta": FALLING},
        # Of one split alone it may be anything.
        {"train/zeta": FALLING, "val/accuracy": RISING},
        # Four points have no direction.
        {"train/zeta": FALLING[:4], "val/zeta": FALLING[:4]},
    ],
)
def test_nothing_is_guessed(curves: dict[str, list[float]]) -> None:
    assert not {name for name in losses(curves) if "zeta" in name or name == "J"}
