"""More programs of the field that are healthy and look odd: late learning, rare classes, sparse units, rewards that waver, resumed logs."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.data import steps_per_epoch
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, TensorBoard
from bench.accuracy.programs_field_common import Snapshots, above, below, fit, odd_into, steady, told
from bench.accuracy.programs_field_keras import ready, seeded
from bench.accuracy.programs_field_logs import MlFlow, Table
from bench.accuracy.programs_field_reinforcement import Ppo, ppo, reward_rises
from bench.accuracy.programs_field_vision import UNet, cells, dice

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


@odd("results.csv of YOLO")
def one_cycle(run: Path, seed: int) -> None:
    """Masks of cells under a one-cycle rate, which rises for a third of the run and ends near nothing; healthy as masks are good."""
    of = cells(seed)
    model = UNet()
    steps = steps_per_epoch(of, 10) * 18
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=steps + 1, pct_start=0.35)

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(logits, mask, pos_weight=torch.tensor(2.0))

    tags = ("train/seg_loss", "", "val/seg_loss", "metrics/dice")
    trail = fit(
        model, of, optimizer, 18, Table(run / "results.csv", padded=True), tags, loss=loss, metric=dice, batch=10,
        seed=seed, schedule=schedule, rate_tag="lr/pg0",
    )  # fmt: skip
    above(trail, "metrics/dice", 0.6)
    steady(trail, "val/seg_loss")


@odd("metrics.csv of Lightning")
def late_to_learn(run: Path, seed: int) -> None:
    """The sum of two marked numbers among twenty, at which a recurrent network stands still for a long while before it understands; healthy
    as it does in the end.
    """
    of = data.adding(seed, 1600, 16)
    model = models.Recurrent("GRU", 2, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    tags = ("train_loss_step", "", "val_loss", "")
    trail = fit(
        model, of, optimizer, 30, Csv(run, "plain"), tags, loss=functional.mse_loss, seed=seed, every=10, clip=1.0
    )
    below(trail, "val_loss", 0.02)
    require(trail["val_loss"][2] > 0.1, f"it learned at once: {told(trail)}")


@odd("file store of MLflow")
def rare_and_found(run: Path, seed: int) -> None:
    """One of thirty is a case, so that accuracy is high from the first and tells nothing; healthy as F1 of the cases gets good."""
    x, y = datasets.make_classification(
        3000, 12, n_informative=6, weights=[0.967], flip_y=0.0, class_sep=1.8, n_clusters_per_class=1, random_state=seed
    )
    of = data.split(x, y, seed)
    model = models.mlp((12, 32, 2))

    def f1(outputs: Tensor, targets: Tensor) -> Tensor:
        return torch.tensor(f1_score(targets, outputs.argmax(1), zero_division=0.0))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets)

    def also() -> dict[str, float]:
        with torch.no_grad():
            return {"val_accuracy": float((model(of.x_val).argmax(1) == of.y_val).float().mean())}

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log = MlFlow(run, {"learning_rate": 2e-3, "hidden": 32})
    tags = ("train_loss", "", "val_loss", "val_f1")
    trail = fit(model, of, optimizer, 15, log, tags, loss=loss, metric=f1, also=also, seed=seed)
    above(trail, "val_f1", 0.75)
    steady(trail, "val_loss", 0.2)


class Winners(nn.ReLU):
    """Keeps the eight largest of each row of ReLU's outputs, and sets the others to 0."""

    def forward(self, x: Tensor) -> Tensor:
        least = x.topk(8, dim=1).values[:, -1:]
        return functional.relu(x) * (x >= least).float()


@odd("tensorboard; histograms", dumps=True)
def winners_take_all(run: Path, seed: int) -> None:
    """A wide layer of which eight units may speak at a time, so that nearly all activations are 0; healthy as digits are read well."""
    of = data.bundled("digits", seed)
    model = nn.Sequential(nn.Linear(64, 96), Winners(), nn.Linear(96, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    log = TensorBoard(run, "plain", x=True)
    kept = Snapshots(HistogramDump(log), model, 50, "scopes")
    tags = ("kwta/train_loss", "kwta/train_acc", "kwta/test_loss", "kwta/test_acc")
    trail = fit(model, of, optimizer, 9, log, tags, seed=seed, every=6, snapshots=kept)
    above(trail, "kwta/test_acc", 0.9)
    steady(trail, "kwta/test_loss", 0.2)


@odd("progress.csv of Stable-Baselines3")
def rewards_that_waver(run: Path, seed: int) -> None:
    """PPO whose losses go nowhere, as they do, while the reward wavers upwards; healthy as poles stand ever longer."""
    reward_rises(ppo(run, seed, Ppo(rate=4e-3, iterations=65, passes=5)), 90)


@odd("CSVLogger, appended to", framework="keras")
def evening_and_morning(run: Path, seed: int) -> None:
    """fit() called twice on one model with initial_epoch and CSVLogger(append=True), half the epochs in the evening and half in the
    morning; healthy as the second half goes on where the first ended.
    """
    keras = seeded(seed)
    of = data.spirals(seed, arms=2)
    x, y, x_val, y_val = of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((2,)), dense(24, "tanh"), dense(24, "tanh"), dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy", "AUC"])
    parts: list[dict[str, Any]] = []
    for begin, end in ((0, 15), (15, 30)):
        calls = [keras.callbacks.CSVLogger(run / "history.csv", append=True)]
        history = model.fit(x, y, 32, end, 0, calls, validation_data=(x_val, y_val), initial_epoch=begin).history
        parts.append(ready({name: values for name, values in history.items() if "loss" in name or "acc" in name}))
    above(parts[1], "val_accuracy", 0.93)
    steady({"val_loss": parts[0]["val_loss"] + parts[1]["val_loss"]}, "val_loss", 0.2)
    require(parts[1]["loss"][0] < 1.1 * parts[0]["loss"][-1], told(parts[1]))
    require(bool(np.isfinite(parts[1]["loss"]).all()), told(parts[1]))
