"""Programs of the field on tables, graphs, ratings and boosted trees."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, ParquetDump, TensorBoard
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    into,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_field_logs import Lines, MlFlow

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def churn(seed: int, samples: int = 1400, noise: float = 0.02) -> data.Split:
    """Twenty columns of customers, and which of three things they do."""
    x, y = datasets.make_classification(
        samples, 20, n_informative=10, n_classes=3, class_sep=1.4, flip_y=noise, random_state=seed
    )
    return data.split(x, y, seed)


def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """The share of the variance that is explained."""
    return 1 - functional.mse_loss(outputs, targets) / targets.var(unbiased=False)


@pair("overfit", VALIDATION_LOST, "console of XGBoost", framework="xgboost")
def boosted_beyond(run: Path, seed: int, fixed: bool) -> None:
    """Deep trees at a rate of 0.6 for 250 rounds on few rows with a fifth of wrong labels; fixed: stumps, a low rate, stopped early."""
    import xgboost

    of = churn(seed, 600, 0.3)
    parts = [xgboost.DMatrix(x.numpy(), y.numpy()) for x, y in ((of.x, of.y), (of.x_val, of.y_val))]
    rate, depth, rounds = (0.08, 3, 90) if fixed else (0.6, 9, 250)
    settings = {
        "objective": "multi:softprob",
        "num_class": 3,
        "eta": rate,
        "max_depth": depth,
        "nthread": 1,
        "seed": seed,
    }
    settings |= {"eval_metric": ["merror", "mlogloss"]} | ({"subsample": 0.7, "min_child_weight": 4} if fixed else {})
    found: dict = {}
    xgboost.train(
        settings, parts[0], rounds, [(parts[0], "train"), (parts[1], "eval")], evals_result=found, verbose_eval=False
    )
    lines = [
        f"[{at}]"
        + "".join(f"\t{part}-{name}:{values[at]:.5f}" for part, rows in found.items() for name, values in rows.items())
        for at in range(rounds)
    ]
    (run / "train.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    curve = found["eval"]["mlogloss"]
    if fixed:
        require(curve[-1] < 0.95 and curve[-1] < 1.05 * min(curve), f"{min(curve):.3g}, {curve[-1]:.3g}")
    else:
        require(
            curve[-1] > 1.15 * min(curve) and found["train"]["mlogloss"][-1] < 0.1, f"{min(curve):.3g}, {curve[-1]:.3g}"
        )


@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight"),
    "evals_result.json of LightGBM and importances",
    framework="lightgbm",
)
def column_of_the_answer(run: Path, seed: int, fixed: bool) -> None:
    """One column was filled after the fact and tells the answer, in validation too; on new rows it is empty; fixed: without it."""
    import lightgbm

    of = churn(seed, 1400, 0.1)
    y, y_val = (of.y > 0).numpy().astype(int), (of.y_val > 0).numpy().astype(int)
    x, x_val, random = of.x.numpy(), of.x_val.numpy(), np.random.default_rng(seed)
    if not fixed:
        told_by = [one[:, None] * 3.0 + random.uniform(0, 0.5, (len(one), 1)) for one in (y, y_val)]
        x, x_val = np.hstack([x, told_by[0]]), np.hstack([x_val, told_by[1]])
    found: dict = {}
    parts = [lightgbm.Dataset(x, y), lightgbm.Dataset(x_val, y_val)]
    settings = {
        "objective": "binary",
        "metric": ["auc", "binary_logloss"],
        "learning_rate": 0.08,
        "num_leaves": 7,
        "num_threads": 1,
    }
    settings |= {"verbose": -1, "seed": seed, "min_data_in_leaf": 20}
    model = lightgbm.train(
        settings,
        parts[0],
        80,
        valid_sets=parts,
        valid_names=["training", "valid_1"],
        callbacks=[lightgbm.record_evaluation(found)],
    )
    (run / "evals_result.json").write_text(json.dumps(found), encoding="utf-8")
    gains = dict(zip(model.feature_name(), model.feature_importance("gain").tolist(), strict=True))
    (run / "feature_importance.json").write_text(json.dumps(gains, indent=1), encoding="utf-8")
    auc = found["valid_1"]["auc"][-1]
    if fixed:
        require(0.85 < auc < 0.995, f"AUC {auc:.3f}")
    else:
        empty = np.hstack([x_val[:, :-1], np.zeros((len(x_val), 1))])
        later = roc_auc_score(y_val, model.predict(empty))
        require(auc > 0.999 and later < 0.75, f"AUC {auc:.3f}, on new rows {later:.3f}")


@pair(
    "features-not-normalised",
    ("data-not-normalized", "initial-loss", "exploding-tensor", *BLOWN_UP),
    "csv by epochs; tensors in hdf5",
    dumps=True,
)
def graph_summed(run: Path, seed: int, fixed: bool) -> None:
    """A graph network of four layers that multiplies by the raw adjacency, with about twenty-five neighbours each, so that features grow by
    thousands; fixed: normalised by the degrees.
    """
    random = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(3), 60)
    links = random.uniform(size=(180, 180)) < np.where(kinds[:, None] == kinds[None], 0.3, 0.05)
    links = np.triu(links, 1)
    dense = torch.tensor((links | links.T) + np.eye(180), dtype=torch.float32)
    if fixed:
        scale = dense.sum(1).rsqrt()
        dense = scale[:, None] * dense * scale
    x = torch.tensor(
        0.8 * np.eye(3)[kinds] @ random.normal(size=(3, 12)) + random.normal(size=(180, 12)), dtype=torch.float32
    )
    y, known = torch.tensor(kinds), torch.tensor(random.uniform(size=180) < 0.4)
    model = models.mlp((12, 16, 16, 16, 3))
    kept = Snapshots(Hdf5Dump(run), model, 16, "torch")

    def forward() -> Tensor:
        hidden = x
        for layer in model:
            hidden = layer(dense @ hidden) if isinstance(layer, nn.Linear) else layer(hidden)
        return hidden

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        return cross_entropy(forward()[known], y[known]), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            said = forward()
        right = (said.argmax(1) == y).float()
        parts = {"train_acc": float(right[known].mean()), "val_acc": float(right[~known].mean())}
        return parts | {"val_loss": float(cross_entropy(said[~known], y[~known]))}

    step = Descent(
        model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), objective, "train_loss", snapshots=kept
    )
    trail = go(Course(step, 220, Csv(run, "plain", "gcn.csv", "epoch"), evaluate=evaluate, per_epoch=1, snapshots=kept))
    if fixed:
        above(trail, "val_acc", 0.75)
    else:
        require(not trail["train_loss"][0] < 100, told(trail))
        not_above(trail, "val_acc", 0.55)


@pair("validation-coded-otherwise", VALIDATION_LOST, "file store of MLflow")
def users_numbered_twice(run: Path, seed: int, fixed: bool) -> None:
    """A recommender whose users are numbered anew in the validation set, so that each is taken for another; fixed: one list for both."""
    random = np.random.default_rng(seed)
    users, items = random.normal(size=(150, 4)), random.normal(size=(100, 4))
    bought = users @ items.T + 0.5 * random.normal(size=(150, 100)) > 2.5
    held = random.uniform(size=bought.shape) < 0.2
    yes, no = (torch.tensor(np.argwhere(one & ~held)) for one in (bought, ~bought))
    good, bad = (torch.tensor(random.permutation(np.argwhere(one & held))[:500]) for one in (bought, ~bought))
    coded = torch.arange(150) if fixed else torch.tensor(random.permutation(150))
    table = nn.ModuleDict({"user": nn.Embedding(150, 8), "item": nn.Embedding(100, 8), "bias": nn.Embedding(100, 1)})
    for one in table.values():
        nn.init.normal_(one.weight, std=0.1)
    optimizer = torch.optim.Adam(table.parameters(), lr=6e-3)
    log = MlFlow(run, {"lr": 6e-3, "factors": 8, "batch_size": 256})

    def score(pairs: Tensor) -> Tensor:
        return (table["user"](pairs[:, 0]) * table["item"](pairs[:, 1])).sum(1) + table["bias"](pairs[:, 1])[:, 0]

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        pairs = torch.cat([one[torch.randint(0, len(one), (128,))] for one in (yes, no)])
        return functional.binary_cross_entropy_with_logits(score(pairs), (torch.arange(256) < 128).float()), {}

    def evaluate() -> dict[str, float]:
        pairs = torch.cat([good[: len(bad)], bad])
        asked = torch.cat([torch.ones(len(good[: len(bad)])), torch.zeros(len(bad))])
        with torch.no_grad():
            said = score(torch.stack([coded[pairs[:, 0]], pairs[:, 1]], 1))
        loss = functional.binary_cross_entropy_with_logits(said, asked)
        return {"val_loss": float(loss), "val_auc": float(roc_auc_score(asked, said))}

    step = Descent(table, optimizer, objective, "train_loss")
    trail = go(Course(step, 25 * 25, log, evaluate=evaluate, per_epoch=25))
    if fixed:
        above(trail, "val_auc", 0.75)
        steady(trail, "val_loss")
    else:
        not_above(trail, "val_auc", 0.62)
        below(trail, "train_loss", 0.4)


@pair("shuffled-labels", (*NOTHING_LEARNED, *VALIDATION_LOST), "tensorboard under names of Lightning")
def joined_by_position(run: Path, seed: int, fixed: bool) -> None:
    """Targets joined to the rows by position after a sort, so that each row has another's; fixed: joined by key."""
    of = data.regression(seed, 1000)
    if not fixed:
        order = data.generator(seed)
        of = data.Split(
            of.x,
            of.y[torch.randperm(len(of.y), generator=order)],
            of.x_val,
            of.y_val[torch.randperm(len(of.y_val), generator=order)],
        )
    model = models.mlp((8, 48, 48, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    tags = ("train_loss", "train_r2", "val_loss", "val_r2")
    log = TensorBoard(run / "lightning_logs" / "version_0", "plain")
    trail = fit(model, of, optimizer, 20, log, tags, loss=functional.mse_loss, metric=r2, seed=seed)
    if fixed:
        above(trail, "val_r2", 0.7)
        steady(trail, "val_loss")
    else:
        not_above(trail, "val_r2", 0.02)


@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "all-zero", "low-variance", "vanishing-gradient", "updates-too-small"),
    "jsonl; tensors in hdf5",
    dumps=True,
)
def decayed_to_nothing(run: Path, seed: int, fixed: bool) -> None:
    """A weight decay of 1 in Adam's own way, as a penalty, pulls all weights to nothing; fixed: 0.00001."""
    of = churn(seed)
    model = models.mlp((20, 48, 24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-5 if fixed else 1.0)
    kept = Snapshots(Hdf5Dump(run), model, 40)
    tags = ("train/ce", "train/top1", "valid/ce", "valid/top1")
    log = Lines(run / "metrics.jsonl", "global_step")
    trail = fit(model, of, optimizer, 15, log, tags, seed=seed, every=11, snapshots=kept, norm_tag="train/grad_norm")
    if fixed:
        above(trail, "valid/top1", 0.75)
        steady(trail, "valid/ce", 0.2)
    else:
        not_above(trail, "valid/top1", 0.5)


@pair("overflow", ("non-finite", *BLOWN_UP, "data-not-normalized"), "console; inputs in parquet", dumps=True)
def counts_by_exponential(run: Path, seed: int, fixed: bool) -> None:
    """Counts by a network whose output is put into exp(), from incomes in whole coins: the first output overflows; fixed: standardised."""
    random = np.random.default_rng(seed)
    x = np.stack([random.lognormal(8, 0.8, 900), random.uniform(18, 90, 900), random.integers(0, 6, 900)], 1)
    rate = np.exp(0.4 * (np.log(x[:, 0]) - 8) + 0.01 * (x[:, 1] - 50) + 0.15 * x[:, 2])
    y = random.poisson(rate).astype(np.float64)[:, None]
    of = data.split(x, y, seed, scaled=fixed)
    model = models.mlp((3, 24, 1))
    kept = Snapshots(ParquetDump(run), model, 20, watched=False)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.exp() - targets * outputs).mean()

    def alter(_: int, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        kept.extra["inputs/features"] = inputs.numpy().copy()
        return inputs, targets

    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    tags = ("poisson_loss", "", "val_poisson_loss", "")
    trail = fit(
        model, of, optimizer, 20, Console(run, axis="epoch"), tags, loss=loss, alter=alter, seed=seed, snapshots=kept
    )
    if fixed:
        require(trail["val_poisson_loss"][-1] < trail["val_poisson_loss"][0] - 0.05, told(trail))
        steady(trail, "val_poisson_loss", 0.15)
    else:
        require(not abs(trail["poisson_loss"][-1]) < 1e4 and not math.isfinite(sum(trail["poisson_loss"])), told(trail))


@pair(
    "dead-relu",
    (
        "dead-relu",
        "gradient-all-zero",
        "all-zero",
        "vanishing-gradient",
        "poor-initialization",
        *BADLY_LEARNED,
        "metric-at-chance",
    ),
    "csv; tensors in hdf5",
    dumps=True,
)
def biases_far_below(run: Path, seed: int, fixed: bool) -> None:
    """Biases set to -8 by a constant meant for the detection head, in all layers with ReLU, which never open; fixed: at 0."""
    of = churn(seed)
    model = models.mlp((20, 40, 40, 3))
    for name, one in model.named_parameters():
        if "bias" in name and not name.startswith("fc3"):
            nn.init.constant_(one, 0.0 if fixed else -8.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.015, momentum=0.9)
    kept = Snapshots(Hdf5Dump(run), model, 40, "torch")
    tags = ("Train Loss", "Train Acc", "Test Loss", "Test Acc")
    trail = fit(model, of, optimizer, 12, Csv(run, "plain", "results.csv", "Epoch"), tags, seed=seed, snapshots=kept)
    if fixed:
        above(trail, "Test Acc", 0.75)
        steady(trail, "Test Loss", 0.3)
    else:
        not_above(trail, "Test Acc", 0.45)


@pair(
    "detached-graph",
    ("unchanged-tensor", "gradient-all-zero", "updates-too-small", *BADLY_LEARNED),
    "tensorboard; tensors in hdf5",
    dumps=True,
)
def features_without_gradient(run: Path, seed: int, fixed: bool) -> None:
    """The trunk of a network of two tasks runs under no_grad(), a leftover of its evaluation, so that only the heads learn; fixed: not."""
    random = np.random.default_rng(seed)
    x = torch.tensor(random.normal(size=(1200, 2)), dtype=torch.float32)
    one = ((x[:, 0] * x[:, 1] > 0).long()[:, None], (x.square().sum(1).sqrt() + 0.05 * torch.randn(1200))[:, None])
    model = nn.ModuleDict({"trunk": models.mlp((2, 12, 12, 6)), "sign": nn.Linear(6, 2), "radius": nn.Linear(6, 1)})
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    log = TensorBoard(run, "plain")
    kept = Snapshots(Hdf5Dump(run), model, 40)

    def losses(rows: Tensor) -> tuple[Tensor, Tensor, float]:
        with torch.set_grad_enabled(fixed and torch.is_grad_enabled()):
            hidden = model["trunk"](x[rows])
        said = model["sign"](hidden)
        right = float((said.argmax(1) == one[0][rows, 0]).float().mean())
        return cross_entropy(said, one[0][rows, 0]), functional.mse_loss(model["radius"](hidden), one[1][rows]), right

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        sign, radius, _ = losses(torch.randint(0, 900, (32,)))
        return sign + radius, {"train/quadrant_loss": float(sign.detach()), "train/radius_loss": float(radius.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            sign, radius, right = losses(torch.arange(900, 1200))
        return {"val/quadrant_loss": float(sign), "val/radius_loss": float(radius), "val/quadrant_acc": right}

    step = Descent(model, optimizer, objective, "train/total_loss", snapshots=kept)
    trail = go(Course(step, 800, log, 10, True, evaluate, 80, snapshots=kept))
    if fixed:
        above(trail, "val/quadrant_acc", 0.92)
        steady(trail, "val/radius_loss", 0.5)
    else:
        not_above(trail, "val/quadrant_acc", 0.8)
