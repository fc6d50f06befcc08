"""The week's healthy programs that look odd: boosting, and loops in the manner of Hugging Face's and Lightning's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.loop import Plan
from bench.accuracy.loop import fit as fit_plan
from bench.accuracy.programs_desk_common import inspections, mails
from bench.accuracy.programs_field_common import Trail, above, below, last, steady, told
from bench.accuracy.programs_post_common import CartPole, houses, over, returns, rollout
from bench.accuracy.programs_week_common import odd_into
from bench.accuracy.programs_week_others_common import churn, library

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "The training loss goes on falling, and the other has stood still for a hundred rounds": a slow LightGBM, stopped early.
@odd("TensorBoard scalars by a callback of LightGBM", framework="lightgbm")
def others_slow_boosting(run: Path, seed: int) -> None:
    """Which contracts are ended, by LightGBM with early stopping."""
    lightgbm = library("lightgbm")
    x, y = churn(seed, noise=1.2)
    train = lightgbm.Dataset(x[:600], y[:600])
    valid = lightgbm.Dataset(x[600:], y[600:], reference=train)
    log = TensorBoard(run, "plain")
    found: Trail = {}

    def tell(env: Any) -> None:
        """Each metric of a round."""
        for part, name, value, _ in env.evaluation_result_list:
            log.log(env.iteration, {f"{part}/{name}": value})
            found.setdefault(f"{part}/{name}", []).append(value)

    lightgbm.train(
        {
            "objective": "binary",
            "metric": ["binary_logloss", "binary_error"],
            "learning_rate": 0.03,
            "num_leaves": 6,
            "feature_fraction": 0.7,
            "verbose": -1,
            "seed": seed,
            "num_threads": 1,
        },
        train,
        400,
        valid_sets=[train, valid],
        valid_names=["train", "valid"],
        callbacks=[tell, lightgbm.early_stopping(12, first_metric_only=True, verbose=False)],
    )
    log.close()
    below(found, "valid/binary_error", 0.33)
    steady(found, "valid/binary_logloss", 0.05)


# "It said nothing but a falling error for 150 rounds": scikit-learn's boosting with subsample, out-of-bag gains told as a noisy column.
@odd("CSV of train_score_ and staged_predict", framework="sklearn")
def others_staged_forest(run: Path, seed: int) -> None:
    """Prices of houses by scikit-learn's GradientBoostingRegressor, told afterwards by its stages."""
    of = houses(seed)
    x, x_val = of.x.numpy(), of.x_val.numpy()
    y, y_val = of.y.numpy()[:, 0], of.y_val.numpy()[:, 0]
    model = library("sklearn.ensemble").GradientBoostingRegressor(
        n_estimators=150, max_depth=3, learning_rate=0.06, subsample=0.5, random_state=seed
    )
    model.fit(x, y)
    log = Csv(run, "plain", "stages.csv", "stage")
    found: Trail = {}
    for stage, said in enumerate(model.staged_predict(x_val)):
        row = {
            "train_mse": float(model.train_score_[stage]),
            "val_mse": float(np.mean((y_val - said) ** 2)),
            "oob_improvement": float(model.oob_improvement_[stage]),
        }
        log.log(stage, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    log.close()
    require(last(found, "val_mse") < 0.4 * float(np.var(y_val)), told(found))
    steady(found, "val_mse", 0.06)


# "The loss in the log is lower than I think, and steps are few": four batches of 8 for each step of the optimizer.
@odd("Lightning metrics.csv with lr-AdamW, HDF5 with weights and gradients each 40 steps", dumps=True)
def others_accumulated(run: Path, seed: int) -> None:
    """Flaws of a surface by a CNN with gradients accumulated over four batches of 8 and a one-cycle rate."""
    of = over(inspections(seed, noise=8.0), 128.0)
    of = data.Split(of.x - 1, of.y, of.x_val - 1, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 4),
    )
    per_epoch, epochs = data.steps_per_epoch(of, 8) // 4, 24
    steps = per_epoch * epochs
    rate = torch.optim.AdamW(model.parameters(), lr=1e-3)
    plan = Plan(
        model,
        of,
        rate,
        steps,
        batch=8,
        seed=seed,
        schedule=torch.optim.lr_scheduler.OneCycleLR(rate, 8e-3, total_steps=steps + 1),
        accumulate=4,
        averaged=True,
        log_every=per_epoch,
        evaluate_every=per_epoch,
        dump_every=40,
        also=frozenset({"lr", "epoch"}),
    )
    found = fit_plan(plan, Csv(run), Hdf5Dump(run))
    require(found["val_accuracy"] > 0.75, str(found))
    require(found["val_loss"] < 1.3 * found["best_val_loss"] + 0.03, str(found))


# "Only the last 200 steps are in this file, and the loss starts low": training was resumed from checkpoint-200, as one should.
@odd("trainer_state.json of the part after the resumption")
def others_trainer_resumed(run: Path, seed: int) -> None:
    """The department of a mail by a small transformer, of whose training the part after a resumption with all states is logged."""
    of = mails(seed)
    model = models.Transformer(4, vocabulary=200, width=24, heads=2, layers=1, length=24, causal=False, pooled=True)
    per_epoch = data.steps_per_epoch(of, 16)
    steps, first = 14 * per_epoch, 2 * per_epoch
    rate = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(rate, lambda step: max(0.0, 1 - step / steps))
    options: dict[str, Any] = {"batch": 16, "schedule": schedule, "averaged": True, "evaluate_every": per_epoch}
    unseen = JsonLines(run.parent, "plain", f"{run.name}.before.jsonl")
    before = fit_plan(Plan(model, of, rate, first, seed=seed, train_metrics=False, **options), unseen)
    (run.parent / f"{run.name}.before.jsonl").unlink()
    plan = Plan(model, of, rate, steps - first, seed=seed + 1, first_step=first, train_metrics=False, **options)
    found = fit_plan(plan, TrainerState(run, per_epoch, steps))
    require(found["val_accuracy"] > 0.75 and found["val_loss"] <= before["val_loss"] + 0.02, f"{before}\n{found}")
    require(found["val_loss"] < 1.25 * found["best_val_loss"] + 0.03, str(found))


# "Is this learning or noise?": mean returns of three episodes of REINFORCE, and a loss that means nothing.
@odd("TensorBoard with rollout/ep_rew_mean and train/loss each three episodes")
def others_noisy_returns(run: Path, seed: int) -> None:
    """REINFORCE on the pole on a cart; the returns jump from episode to episode and rise."""
    pole, policy = CartPole(seed), models.mlp((4, 32, 2), "tanh")
    rate = torch.optim.Adam(policy.parameters(), lr=1e-2)
    log = TensorBoard(run, "plain")
    found: Trail = {}
    for update in range(90):
        few = [rollout(policy, pole) for _ in range(3)]
        states, actions = (torch.cat([one[part] for one in few]) for part in (0, 1))
        rewards = torch.stack([one[2].sum() for one in few])
        gains = torch.cat([returns(one[2]) for one in few])
        gains = (gains - gains.mean()) / (gains.std() + 1e-6)
        scores = policy(states).log_softmax(-1)
        loss = -(scores[torch.arange(len(actions)), actions] * gains).mean()
        rate.zero_grad()
        loss.backward()
        rate.step()
        row = {
            "rollout/ep_rew_mean": float(rewards.mean()),
            "train/policy_loss": float(loss.detach()),
            "train/entropy": -float((scores.exp() * scores).sum(-1).mean().detach()),
        }
        log.log(update, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    log.close()
    above(found, "rollout/ep_rew_mean", 20)
    require(
        last(found, "rollout/ep_rew_mean", 30) > 2.5 * float(np.mean(found["rollout/ep_rew_mean"][:20])), told(found)
    )
