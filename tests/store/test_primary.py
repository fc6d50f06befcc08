"""One loss is primary in each split; parts of a total are components."""

import numpy as np
import pytest

from mlcheck.store.build import build_run
from mlcheck.store.series import RawSeries, Run
from tests.store.builders import by_tag, imported, raw

TEN = list(range(10))


def run_of(*series: RawSeries) -> Run:
    return build_run("run", "run", [("", imported(*series))])


def primary(run: Run) -> set[str]:
    return {one.name for one in run.series if one.labels.get("primary") == "true"}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["train/loss", "val/loss"], {"train/loss", "val/loss"}),
        (["my_special_loss"], {"my_special_loss"}),
        (["total_loss", "loss_cls", "loss_box_reg"], {"total_loss"}),
        (["loss", "nll_loss", "val_loss", "val_nll_loss"], {"loss", "val_loss"}),
        (["ce_loss", "dice_loss", "val_ce_loss"], {"ce_loss", "val_ce_loss"}),
        (["loss", "loss_ema"], {"loss"}),
        (["train_loss", "val_cross_entropy"], {"train_loss", "val_cross_entropy"}),
        (["lm loss", "lm loss validation", "lm loss validation ppl"], {"lm loss", "lm loss validation"}),
        (["a_special_loss", "another_loss"], set()),
        (["train/box_loss", "train/cls_loss", "train/dfl_loss"], {"train/loss (sum of 3 parts)"}),
        (["train/value_loss", "train/policy_loss", "rollout/ep_rew_mean"], set()),
        (["Loss/Discriminator", "Loss/Generator"], set()),
        (["perplexity", "val_perplexity"], {"perplexity", "val_perplexity"}),
        (["loss", "best_val_loss"], {"loss"}),
        (["box_loss/train", "box_loss/val"], {"box_loss/train", "box_loss/val"}),
        (["bc/torque_mse", "bc_eval/torque_mse"], {"bc/torque_mse", "bc_eval/torque_mse"}),
        (["bc/torque_mse", "bc_eval/torque_mse", "bc/angle_mse", "bc_eval/angle_mse"], set()),
        (["val_loss/dataloader_idx_0", "val_loss/dataloader_idx_1"], {"val_loss/dataloader_idx_0"}),
    ],
)
def test_primary(tags: list[str], expected: set[str]) -> None:
    assert primary(run_of(*(raw(tag, TEN) for tag in tags))) == expected


def test_parts_of_a_total_become_components() -> None:
    run = run_of(*(raw(tag, TEN) for tag in ("loss", "mlm_loss", "nsp_loss", "perplexity", "loss_ema")))
    roles = {one.name: one.role for one in run.series if one.kind == "scalar"}
    assert roles == {
        "loss": "loss",
        "mlm_loss": "loss_component",
        "nsp_loss": "loss_component",
        "perplexity": "loss",
        "loss_ema": "loss",
    }
    assert by_tag(run.series, "mlm_loss").labels["better"] == "none"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["train/mse", "val/mse"], {"train/mse", "val/mse"}),
        (["mse", "val_mse"], {"mse", "val_mse"}),
        (["train_rmse", "val_rmse", "train_mae", "val_mae"], {"train_mae", "val_mae"}),
        (["train_huber"], {"train_huber"}),
        (["train/error", "test/error"], {"train/error", "test/error"}),
        (["train/nll", "val/nll"], {"train/nll", "val/nll"}),
        # The mean squared error is known of the validation set only: the absolute error is what both have.
        (["train/mse", "train/mae", "val/mae"], {"train/mae", "val/mae"}),
        (["train/mse", "val/mse", "train/loss"], {"train/loss"}),
        (["val/mse"], set()),
        (["mse"], set()),
        (["train/wer", "val/wer"], set()),
        (["train/fid", "val/fid"], set()),
        (["train/error", "val/error", "val/accuracy"], set()),
        (["train/mse", "val/mse", "train/box_loss"], set()),
        (["train/mse", "episode_reward"], set()),
        (["train/perplexity", "val/loss"], {"val/loss"}),
        (["train/loss", "val/ppl"], {"train/loss"}),
        (["train/loss", "train/policy_loss"], set()),
    ],
)
def test_what_stands_for_the_loss(tags: list[str], expected: set[str]) -> None:
    assert primary(run_of(*(raw(tag, TEN) for tag in tags))) == expected


def test_a_promoted_error_is_a_loss_and_says_so() -> None:
    run = run_of(raw("train/mse", TEN), raw("val/mse", TEN), raw("val/mae", TEN))
    found = by_tag(run.series, "train/mse")
    assert (found.role, found.labels["certainty"], found.labels["better"]) == ("loss", "pattern", "lower")
    assert "promoted: the only objective logged" in found.reason
    assert by_tag(run.series, "val/mae").role == "error_metric"


def test_perplexity_in_all_spellings_is_one_metric() -> None:
    run = run_of(*(raw(tag, TEN) for tag in ("loss", "val_ppl", "eval/perplexity", "lm loss validation ppl")))
    perplexities = [one for one in run.series if one.labels.get("metric") == "perplexity"]
    assert {one.role for one in perplexities} == {"loss"}
    assert len(perplexities) == 3


def test_without_a_total_losses_stay_losses() -> None:
    run = run_of(raw("a_special_loss", TEN), raw("another_loss", TEN))
    assert {one.role for one in run.series if one.kind == "scalar"} == {"loss"}


def test_per_step_and_per_epoch_are_both_kept_when_both_can_be_judged() -> None:
    run = run_of(raw("train_loss_step", list(range(100))), raw("train_loss_epoch", list(range(9, 100, 10))))
    assert primary(run) == {"train_loss_step", "train_loss_epoch"}
    assert by_tag(run.series, "train_loss_step").labels["freq"] == "step"


@pytest.mark.parametrize(
    ("per_step", "per_epoch", "expected"),
    [(2, 10, {"train_loss_epoch"}), (100, 3, {"train_loss_step"}), (20, 20, {"train_loss_step", "train_loss_epoch"})],
)
def test_a_series_too_short_to_judge_is_not_primary_beside_one_that_is_not(
    per_step: int, per_epoch: int, expected: set[str]
) -> None:
    run = run_of(raw("train_loss_step", list(range(per_step))), raw("train_loss_epoch", list(range(per_epoch))))
    assert primary(run) == expected


def test_the_axis_of_training_decides_in_validation() -> None:
    train = imported(raw("epoch_loss", TEN))
    val = imported(raw("epoch_loss", TEN), raw("evaluation_loss_vs_iterations", list(range(938, 10 * 938 + 1, 938))))
    run = build_run("run", "run", [("train", train), ("validation", val)])
    assert primary(run) == {"train/epoch_loss", "validation/epoch_loss"}


def test_two_series_under_one_tag_are_not_primary() -> None:
    run = run_of(raw("loss", [step for step in TEN for _ in range(2)], [0.7, 0.0] * 10))
    assert primary(run) == set()
    assert by_tag(run.series, "loss").labels["certainty"] == "guess"


@pytest.mark.parametrize("value", [0.5, float("nan")])
def test_the_same_value_twice_is_no_mixture(value: float) -> None:
    run = run_of(raw("loss", [step for step in TEN for _ in range(2)], np.full(20, value).tolist()))
    assert primary(run) == {"loss"}


def test_each_worker_has_its_own() -> None:
    parts = [("rank_0", imported(raw("loss", TEN))), ("rank_1", imported(raw("loss", TEN)))]
    assert primary(build_run("run", "run", parts)) == {"rank_0/loss", "rank_1/loss"}


def test_a_divergence_alone_is_no_loss() -> None:
    run = run_of(raw("kl_nats", TEN), raw("kl_nats_test", TEN))
    assert primary(run) == set()
    assert by_tag(run.series, "kl_nats").role == "loss_component"


def test_nor_is_one_behind_a_path() -> None:
    assert primary(run_of(raw("loss/kl", TEN), raw("loss/kl_test", TEN))) == set()
