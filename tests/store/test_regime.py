"""Regimes follow from what is logged and stated, with a reason that names it."""

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.regime import REGIMES, _table
from mlcheck.store.series import Fact, Regime
from tests.store.builders import imported, raw

HUNDRED = range(100)


def regime_of(tags: list[str], facts: list[Fact] | None = None, part: str = "") -> Regime:
    file = imported(*(raw(tag, HUNDRED) for tag in tags), facts=facts or [])
    return build_run("run", "run", [(part, file)]).regime


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["train/loss"], "supervised"),
        (["Loss/train", "Loss/val"], "supervised"),
        (["loss", "accuracy"], "supervised"),
        (["loss", "learning_rate"], "supervised"),
        (["loss"], "unknown"),
        (["foo", "bar"], "unknown"),
        (["train/box_loss", "val/box_loss", "metrics/mAP50(B)"], "supervised"),
        (["rollout/ep_rew_mean", "train/loss"], "rl"),
        (["charts/episodic_return", "losses/value_loss"], "rl"),
        (["losses/a_loss", "losses/c_loss", "rewards/step"], "rl"),
        (["train/loss", "train/rewards/margins", "train/rewards/chosen"], "rlhf"),
        (["train/loss", "train/reward", "train/completions/mean_length"], "rlhf"),
        (["actor/pg_loss", "critic/score/mean", "response_length/mean"], "rlhf"),
        (["loss_D", "loss_G"], "gan"),
        (["train/loss", "errD", "errG"], "gan"),
        (["train/loss", "gen_loss"], "supervised"),
        (["train/loss_simple_step", "train/loss_vlb_step", "val/loss_simple_ema"], "diffusion"),
        (["train/simple_loss", "val/simple_loss"], "diffusion"),
        (["train/simple_loss", "train/pruned_loss", "train/loss", "valid/loss"], "supervised"),
        (["train/loss", "logit_scale"], "contrastive"),
        (["lm loss", "lm loss validation", "grad-norm"], "pretrain"),
        (["train-logloss", "validation-logloss"], "tree"),
        (["train/mlogloss", "eval/mlogloss"], "tree"),
        (["training_binary_logloss", "valid_1_binary_logloss"], "tree"),
        (["train/logloss", "train/error", "test/logloss", "test/error"], "tree"),
        (["train/logloss", "val/logloss"], "supervised"),
        (["train/logloss", "train/error", "val/logloss", "val/error", "lr"], "supervised"),
        (["train/loss", "eval/loss", "train/entropy"], "supervised"),
        # Kullback-Leibler annealing makes the total rise by design.
        (["train/recon_loss", "train/kl_loss", "train/loss"], "unknown"),
        (["train/recon_loss", "train/loss"], "supervised"),
        (["train/kl_loss", "train/ce_loss", "train/loss"], "supervised"),
        (["train/loss", "train/margin", "train/accuracy"], "supervised"),
        (["train-loss", "validation-loss"], "supervised"),
        (["train/mfu", "train/loss"], "pretrain"),
        (["critic_loss", "generator_loss"], "gan"),
        (["critic_loss", "actor_loss", "gradient_penalty"], "rl"),
        (["train_loss", "lr/unet"], "supervised"),
        (["unet/epoch_loss", "unet/val_dice"], "supervised"),
        (["d_a"], "unknown"),
        (["loss", "align"], "unknown"),
    ],
)
def test_regime(tags: list[str], expected: str) -> None:
    found = regime_of(tags)
    assert found.name == expected, found.reason


def test_the_reason_names_what_decided() -> None:
    assert regime_of(["train/loss", "rollout/ep_rew_mean"]).reason == "logs rollout/ep_rew_mean"


def test_a_directory_may_name_the_split() -> None:
    assert regime_of(["loss"], part="train").name == "supervised"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("_name_or_path", "google/flan-t5-small", "finetune"),
        ("_name_or_path", "", "supervised"),
        ("lora_r", 8.0, "finetune"),
        ("lora_r", 0.0, "supervised"),
        ("noise_scheduler", "DDPMScheduler", "diffusion"),
        ("dropout", 0.1, "supervised"),
    ],
)
def test_stated_settings(key: str, value: str | float, expected: str) -> None:
    assert regime_of(["train/loss"], [Fact(key, value, "args")]).name == expected


def test_ml_agents_schedule_is_no_diffusion() -> None:
    facts = [Fact("trainer_type", "ppo", "h"), Fact("hyperparameters/beta_schedule", "constant", "h")]
    assert regime_of(["train/loss"], facts).name == "supervised"


@pytest.mark.parametrize(
    ("steps", "wall", "expected"),
    [
        ([0, 1, 2], 1.0, "smoke"),
        ([0, 1, 2, 3, 4], 1.0, "supervised"),
        ([100, 200, 300], 1.0, "supervised"),
        ([0, 1, 2], 3600.0, "supervised"),
    ],
)
def test_smoke(steps: list[int], wall: float, expected: str) -> None:
    file = imported(raw("train/loss", steps, wall=wall))
    assert build_run("run", "run", [("", file)]).regime.name == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (range(100), "tree"),
        (range(1, 101), "tree"),
        (range(0, 1000, 10), "supervised"),
        (range(500, 600), "supervised"),
    ],
)
def test_rounds_of_boosting_count_one_by_one(steps: range, expected: str) -> None:
    file = imported(raw("train-logloss", steps), raw("eval-logloss", steps))
    assert build_run("run", "run", [("", file)]).regime.name == expected


def test_hyphens_beside_an_epoch_counter_are_no_tree() -> None:
    assert regime_of(["train-error", "validation-error", "epoch"]).name == "supervised"


def test_the_table_holds_only_known_regimes() -> None:
    assert {entry.name for entry in _table()[1]} <= set(REGIMES)
