"""Programs of Lightning, scikit-learn, boosting and Flax-like names that watch more than the loss; and their repaired versions."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    above,
    below,
    fit,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_hooks_common import Hooks, energy, incidents, into, pumps
from bench.accuracy.programs_post_common import explained
from bench.accuracy.programs_thesis_common import MlflowStore

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# A Lightning module with track_grad_norm=2: seven layers of Sigmoid as in an old paper.
@pair(
    "vanishing-gradient",
    (
        *NOTHING_LEARNED,
        "vanishing-gradient",
        "constant-answer",
        "updates-too-small",
        "weight-update-ratio",
        "saturated-sigmoid",
    ),
    "Lightning's metrics.csv with grad_2.0_norm/<parameter>",
    layer="fc1",
)
def pumps_deep_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps by seven layers of sigmoids under SGD, the first of which get no gradient; fixed: ReLU."""
    of = pumps(seed)
    model = models.mlp((12, *(24,) * 7, 4), "relu" if fixed else "sigmoid")
    for layer in model:
        if fixed and isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    log = Csv(run, "plain", "metrics.csv")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.008, momentum=0.9),
        12,
        log,
        ("train_loss_step", "train_acc_step", "val_loss", "val_acc"),
        seed=seed,
        every=10,
        snapshots=Hooks(model, 10, None, log=log, scalars=("grad_2.0_norm",)),
    )
    if fixed:
        above(found, "val_acc", 0.68)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.4)


# dropna() on the table but not on the targets: from the first gap on, each row has the target of the one before.
@pair(
    "targets-of-other-rows",
    (*BADLY_LEARNED, *VALIDATION_LOST, "generalisation-gap"),
    "Lightning's metrics.csv",
)
def heating_off_by_one(run: Path, seed: int, fixed: bool) -> None:
    """What heating takes, with the targets of the row before in training and validation; fixed: of the same row."""
    of = energy(seed, 900)
    if not fixed:
        of = data.Split(of.x, of.y.roll(1, 0), of.x_val, of.y_val.roll(1, 0))
    model = models.mlp((9, 48, 24, 1))
    log = Csv(run, "plain", "metrics.csv")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4),
        20,
        log,
        ("train_loss", "", "val_loss", "val_R2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=11,
        norm_tag="grad_2.0_norm_total",
    )
    if fixed:
        above(found, "val_R2", 0.7)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_R2", 0.05)


# Faults of pumps are one in thirty: BCE of Lightning's template, and 0.97 of accuracy with a recall of 0.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "constant-answer",
        "metric-at-chance",
        "classifier-confusion",
        "confusion",
        "metric-left-behind",
        "underfit",
    ),
    "MLflow's file store; labels and logits of batches in parquet",
    dumps=True,
)
def pumps_rare_fault(run: Path, seed: int, fixed: bool) -> None:
    """A fault that one pump in thirty has, by a net that says of none that it has; fixed: sampled evenly."""
    whole = pumps(seed, 5200)
    fault = [(functional.softplus(x[:, 3]) + x[:, 2] * x[:, 0] > 2.9).long() for x in (whole.x, whole.x_val)]
    of = data.Split(whole.x, fault[0], whole.x_val, fault[1])
    if fixed:
        weight = torch.where(of.y == 1, 1 / of.y.float().mean(), 1.0)
        rows = torch.multinomial(weight, len(of.y), True, generator=data.generator(seed))
        of = data.Split(of.x[rows], of.y[rows], of.x_val, of.y_val)
    model = models.mlp((12, 16, 2))
    hooks = Hooks(model, 244, ParquetDump(run, "batches.parquet"), "torch", batch=("x", "logits", "y"), kinds=())

    def recall(outputs: Tensor, targets: Tensor) -> Tensor:
        hit = (outputs.argmax(-1) == 1) & (targets == 1)
        return hit.sum() / (targets == 1).sum().clamp(min=1)

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01),
        12,
        MlflowStore(run),
        ("train_loss", "", "val_loss", "val_recall"),
        loss=hooks.seeing(functional.cross_entropy),
        metric=recall,
        seed=seed,
        snapshots=hooks,
    )
    if fixed:
        above(found, "val_recall", 0.6)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_recall", 0.05)


class Pooling(nn.Module):
    """Words, of which one attention head takes some; kernels begin with this deviation."""

    def __init__(self, deviation: float, width: int = 24) -> None:
        super().__init__()
        self.embed = nn.Embedding(160, width)
        self.query, self.key = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.head = nn.Linear(width, 4)
        self.shares = torch.zeros(0)
        for layer in (self.query, self.key):
            nn.init.normal_(layer.weight, std=deviation)

    def forward(self, x: Tensor) -> Tensor:
        words = self.embed(x)
        query = self.query(words.mean(1, keepdim=True))
        shares = ((query * self.key(words)).sum(-1) / words.shape[-1] ** 0.5).softmax(-1)
        self.shares = shares.detach()
        return self.head((shares[:, :, None] * words).sum(1))


# In the manner of a Flax example: kernel_init=normal(5.0) for query and key, so that attention takes one word from the start.
@pair(
    "attention-saturated",
    (
        *BADLY_LEARNED,
        "attention-collapse",
        "vanishing-gradient",
        "poor-initialization",
        "poor-weight-initialization",
        "overfit",
        "generalisation-gap",
    ),
    "TensorBoard by clu: train_loss, eval_accuracy, attention_entropy; histograms of params and grads; attention in hdf5",
    dumps=True,
    layer="query",
)
def incidents_one_word(run: Path, seed: int, fixed: bool) -> None:
    """Incidents by attention whose kernels are drawn with a deviation of 5, so that it looks at one word only; fixed: 0.1."""
    of = incidents(seed)
    model = Pooling(0.1 if fixed else 5.0)
    writer, extra = TensorBoard(run, "plain"), Hdf5Dump(run, name="attention.h5")
    hooks = Hooks(model, 88, HistogramDump(writer), "short", kinds=(), only="weight")

    def also() -> dict[str, float]:
        entropy = -(model.shares * (model.shares + 1e-9).log()).sum(-1).mean()
        return {"attention_entropy/layer_0": float(entropy)}

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step % 88 == 1 and step > 1:
            extra.dump(step, {"attention/layer_0/weights": model.shares.numpy()})
        return x, y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        10,
        writer,
        ("train_loss", "train_accuracy", "eval_loss", "eval_accuracy"),
        seed=seed,
        batch=24,
        every=11,
        alter=alter,
        also=also,
        snapshots=hooks,
    )
    extra.close()
    if fixed:
        above(found, "eval_accuracy", 0.72)
        steady(found, "eval_loss", 0.35)
    else:
        below(found, "eval_accuracy", 0.55)


# MLPClassifier(learning_rate_init=1.0) with Adam; the scores are kept after each pass.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large", "dead-relu", "constant-answer"),
    "csv by hand from partial_fit",
    framework="sklearn",
)
def pumps_partial_fit(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps by MLPClassifier.partial_fit with learning_rate_init=1; fixed: 0.003."""
    from sklearn import metrics
    from sklearn.neural_network import MLPClassifier

    of = pumps(seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    model = MLPClassifier((40, 20), learning_rate_init=0.003 if fixed else 1.0, batch_size=32, random_state=seed)
    log = Csv(run, "plain", "passes.csv", "pass")
    rows: list[dict[str, float]] = []
    for epoch in range(1, 17):
        model.partial_fit(x, y, classes=np.arange(4))
        shares = model.predict_proba(x_val)
        rows.append(
            {
                "loss_": model.loss_,
                "val_log_loss": float(metrics.log_loss(y_val, shares, labels=np.arange(4))),
                "val_score": float(model.score(x_val, y_val)),
            }
        )
        log.log(epoch, rows[-1])
    log.close()
    trail = {name: [row[name] for row in rows] for name in rows[0]}
    if fixed:
        above(trail, "val_score", 0.74)
        steady(trail, "val_log_loss", 0.3)
    else:
        below(trail, "val_score", 0.5)


# An identifier that was given after sorting by the target, as the first column: the trees look at nothing else, and new rows have new ones.
@pair(
    "identifier-among-the-features",
    ("feature-importance-overweight", *VALIDATION_LOST, "generalisation-gap"),
    "json of evals; gains of features by round in parquet",
    dumps=True,
    framework="lightgbm",
)
def heating_by_identifier(run: Path, seed: int, fixed: bool) -> None:
    """What heating takes by LightGBM, whose first column is a row number given after sorting; fixed: without that column."""
    import lightgbm

    of = energy(seed, 900)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y[:, 0], of.x_val, of.y_val[:, 0]))
    random = np.random.default_rng(seed)
    if not fixed:
        number = np.argsort(np.argsort(y)).astype(float)
        x = np.column_stack([number, x])
        x_val = np.column_stack([random.uniform(0, len(y), len(y_val)), x_val])
    names = ([] if fixed else ["row_id"]) + [f"f{one}" for one in range(9)]
    found: dict[str, dict[str, list[float]]] = {}
    dump = ParquetDump(run, "importance.parquet")

    def gains(state: lightgbm.callback.CallbackEnv) -> None:
        if state.iteration % 10 == 9:
            gain = state.model.feature_importance("gain")
            dump.dump(
                state.iteration,
                {f"feature_importance/{name}": np.array([one]) for name, one in zip(names, gain, strict=True)},
            )

    train = lightgbm.Dataset(x, y, feature_name=names)
    lightgbm.train(
        {"objective": "l2", "learning_rate": 0.08, "num_leaves": 15, "verbosity": -1, "num_threads": 1, "seed": seed},
        train,
        90,
        valid_sets=[train, lightgbm.Dataset(x_val, y_val, reference=train)],
        valid_names=["training", "valid"],
        callbacks=[lightgbm.record_evaluation(found), gains],
    )
    dump.close()
    (run / "evals_result.json").write_text(json.dumps(found), encoding="utf-8")
    trail = {"valid": found["valid"]["l2"], "training": found["training"]["l2"]}
    if fixed:
        below(trail, "valid", 0.35)
        steady(trail, "valid", 0.1)
    else:
        not_below(trail, "valid", 0.9)
        require(trail["training"][-1] < 0.05, told(trail))


# Trees as deep as they go and a rate of 0.5 where a fifth of the labels is wrong.
@pair(
    "boosting-overfit",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "tree-depth"),
    "csv of xgboost's evals_result",
    framework="xgboost",
)
def pumps_deep_trees(run: Path, seed: int, fixed: bool) -> None:
    """One of two states of pumps, with wrong labels, by xgboost with max_depth=14 and eta=0.5; fixed: 3, 0.06, and early stopping."""
    import xgboost

    random = np.random.default_rng(seed)
    of = pumps(seed, 900)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y % 2, of.x_val, of.y_val % 2))
    y, y_val = (np.where(random.random(one.shape) < 0.2, 1 - one, one) for one in (y, y_val))
    found: dict[str, dict[str, list[float]]] = {}
    train, test = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    options = {
        "objective": "binary:logistic",
        "max_depth": 3 if fixed else 14,
        "eta": 0.06 if fixed else 0.5,
        "subsample": 0.7 if fixed else 1.0,
        "nthread": 1,
        "seed": seed,
        "eval_metric": ["error", "logloss"],
    }
    xgboost.train(
        options,
        train,
        120,
        evals=[(train, "train"), (test, "test")],
        evals_result=found,
        early_stopping_rounds=10 if fixed else None,
        verbose_eval=False,
    )
    log = Csv(run, "plain", "evals.csv", "round")
    trail = {f"{part}-{name}": values for part, all_of in found.items() for name, values in all_of.items()}
    for place in range(len(trail["test-logloss"])):
        log.log(place, {name: values[place] for name, values in trail.items()})
    log.close()
    if fixed:
        below(trail, "test-logloss", 0.62)
        steady(trail, "test-logloss", 0.05)
    else:
        not_below(trail, "test-logloss", 1.15 * min(trail["test-logloss"]))
        below(trail, "train-error", 0.02)
