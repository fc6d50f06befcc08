"""Everyday programs under Hugging Face's Trainer, Lightning, boosting and scikit-learn, and their repaired versions."""

import itertools
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import SGDRegressor
from torch import Tensor, nn

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import ParquetDump, TrainerState
from bench.accuracy.programs_desk_common import customers, flats, mails, spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Snapshots,
    Trail,
    above,
    below,
    fit,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_plain_common import into
from bench.accuracy.programs_plain_keras_common import LightningCsv, tickets

RECIPES: list[Recipe] = []
pair = into(RECIPES)

TRAINER = ("train_loss", "", "val_loss", "val_accuracy")
"""Tags that a TrainerState writes as loss, eval_loss and eval_accuracy."""


# "it stops learning after the first epoch": num_training_steps of the scheduler is len(train_dataloader), of one epoch of fifteen.
@pair(
    "learning-rate-zero-too-early",
    (*BADLY_LEARNED, "learning-rate-zero", "rate-falls-too-soon", "schedule-mismatch"),
    "trainer_state.json of Hugging Face",
)
def mails_scheduled_for_one_epoch(run: Path, seed: int, fixed: bool) -> None:
    """The department of a mail by a small transformer whose linear schedule is over after an epoch; fixed: after all of them."""
    of = mails(seed)
    model = models.Transformer(4, vocabulary=200, length=24, causal=False, pooled=True, dropout=0.2)
    per_epoch = -(-len(of.x) // 32)
    planned = per_epoch * (12 if fixed else 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / planned))
    writer = TrainerState(run, per_epoch, per_epoch * 12)
    about: dict[str, Any] = {"rate_tag": "lr", "norm_tag": "grad_norm", "clip": 1.0, "schedule": schedule}
    found = fit(model, of, optimizer, 12, writer, TRAINER, seed=seed, every=10, **about)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.6)
        require(found["lr"][-1] == 0, "the rate is zero at the end")


class Tagger(nn.Module):
    """Attention over the words of a ticket, those after its end masked, and a dense head."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(150, width, padding_idx=0)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.scale = width**-0.5
        self.classifier = nn.Linear(width, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embeddings(tokens)
        scores = self.query(x) @ self.key(x).transpose(1, 2) * self.scale
        scores = scores.masked_fill((tokens == 0)[:, None], -torch.inf)
        x = x + scores.softmax(-1) @ self.value(x)
        told: Tensor = self.classifier(x.mean(1))
        return told


# "loss nan somewhere in the first epoch, and from there on": one ticket of a thousand has an empty text, all of it padding.
@pair(
    "nan-from-empty-texts",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "metric-at-chance", "constant-answer"),
    "trainer_state.json of Hugging Face",
)
def tickets_without_words(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of tickets by masked attention; a softmax over no word at all is nan; fixed: empty tickets are dropped."""
    of = tickets(seed)
    full, full_val = of.x.ne(0).any(1), of.x_val.ne(0).any(1)
    kept = data.Split(of.x[full], of.y[full], of.x_val[full_val], of.y_val[full_val])
    of = kept if fixed else data.Split(of.x, of.y, kept.x_val, kept.y_val)
    model = Tagger()
    per_epoch = -(-len(of.x) // 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, per_epoch * 8)
    writer = TrainerState(run / "checkpoint-last", per_epoch, per_epoch * 8, every=5)
    writer.path.parent.mkdir()
    about: dict[str, Any] = {"rate_tag": "lr", "norm_tag": "grad_norm", "clip": 1.0, "schedule": schedule}
    found = fit(model, of, optimizer, 8, writer, TRAINER, batch=16, seed=seed, every=5, **about)
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        require(bool(np.isnan(found["val_loss"][-1])), "the loss is nan at the end")
        below(found, "val_accuracy", 0.5)


# "the loss creeps": Trainer(gradient_clip_val=0.01), two zeros of which are a slip.
@pair(
    "clipped-too-tight",
    (*BADLY_LEARNED, "gradient-always-clipped", "updates-too-small", "still-improving"),
    "metrics.csv of Lightning and parquet",
    dumps=True,
)
def plastics_on_a_short_leash(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra, with the norm of gradients clipped to 0.01; fixed: to 1."""
    of = spectra(seed)
    model = models.mlp((60, 48, 24, 5), dropout=0.2)
    per_epoch = -(-len(of.x) // 32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    clip = 1.0 if fixed else 0.01
    found = fit(
        model,
        of,
        optimizer,
        15,
        LightningCsv(run, per_epoch, {"lr": 0.01, "gradient_clip_val": clip, "max_epochs": 15}),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=10,
        rate_tag="lr-SGD",
        norm_tag="grad_2.0_norm_total",
        clip=clip,
        snapshots=Snapshots(ParquetDump(run), model, 30, "torch"),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.6)


class Stack(nn.Module):
    """Dense layers in a list, which torch does not see unless it is a ModuleList, and a head."""

    def __init__(self, sizes: tuple[int, ...], outputs: int, seen: bool) -> None:
        super().__init__()
        layers = [nn.Linear(before, after) for before, after in itertools.pairwise(sizes)]
        self.layers: Any = nn.ModuleList(layers) if seen else layers
        self.head = nn.Linear(sizes[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        told: Tensor = self.head(x)
        return told


# "a deeper net does not help at all": self.layers = [nn.Linear(…), …], a plain list, so that parameters() has only the head.
@pair(
    "parameters-not-in-the-optimizer",
    (*NOTHING_LEARNED, "unchanged-tensor", "task-not-learned"),
    "metrics.csv of Lightning",
)
def spirals_by_a_list_of_layers(run: Path, seed: int, fixed: bool) -> None:
    """Arms of a spiral by four hidden layers in a plain list; fixed: in nn.ModuleList."""
    of = data.spirals(seed, noise=0.2)
    model = Stack((2, 16, 16, 16, 16), 3, fixed)
    per_epoch = -(-len(of.x) // 32)
    learning = sum(one.numel() for one in model.parameters())
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        40,
        LightningCsv(run, per_epoch, {"lr": 0.003, "depth": 4, "trainable_params": learning}),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=per_epoch,
        rate_tag="lr-Adam",
    )
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.4)
    else:
        below(found, "val_acc", 0.8)
        above(found, "val_loss", 0.7)


# "training logloss 0.0001, valid gets worse with each round": num_leaves=255 and min_data_in_leaf=1 for six hundred customers.
@pair("overfit", (*VALIDATION_LOST, "generalisation-gap", "error-rises"), "log of LightGBM", framework="lightgbm")
def customers_by_deep_trees(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, by 120 rounds of trees that grow to single customers; fixed: small trees, learned slowly."""
    import lightgbm as lgb

    of = customers(seed, 800, clear=1.0)
    tight = {"num_leaves": 7, "min_data_in_leaf": 20, "learning_rate": 0.03}
    loose = {"num_leaves": 255, "min_data_in_leaf": 1, "learning_rate": 0.3}
    told = logging.getLogger("lightgbm_train")
    told.setLevel(logging.INFO)
    told.propagate = False
    to_file = logging.FileHandler(run / "train.log", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(message)s"))
    told.addHandler(to_file)
    lgb.register_logger(told)
    train = lgb.Dataset(of.x.numpy(), of.y.numpy())
    valid = lgb.Dataset(of.x_val.numpy(), of.y_val.numpy(), reference=train)
    common = {"objective": "binary", "metric": "binary_logloss", "num_threads": 1, "seed": seed, "verbosity": 1}
    found: Any = {}
    lgb.train(
        {**common, **(tight if fixed else loose)},
        train,
        120,
        valid_sets=[train, valid],
        valid_names=["training", "valid"],
        callbacks=[lgb.log_evaluation(2), lgb.record_evaluation(found)],
    )
    told.removeHandler(to_file)
    to_file.close()
    trail: Trail = {"train": found["training"]["binary_logloss"], "valid": found["valid"]["binary_logloss"]}
    if fixed:
        below(trail, "valid", 0.62)
        steady(trail, "valid", 0.05)
    else:
        below(trail, "train", 0.05)
        above(trail, "valid", 0.8)


# "it fits the training data and knows nothing of others": labels were joined by position after the table had been sorted.
@pair(
    "shuffled-labels",
    (*VALIDATION_LOST, "generalisation-gap", "error-rises"),
    "console log of XGBoost",
    framework="xgboost",
)
def patients_joined_by_position(run: Path, seed: int, fixed: bool) -> None:
    """Which patients are sick, by boosted trees, with labels of other patients; fixed: with their own."""
    import xgboost as xgb

    of = customers(seed, 1000, clear=2.5)
    x, y = torch.cat([of.x, of.x_val]).numpy(), torch.cat([of.y, of.y_val]).numpy()
    if not fixed:
        y = y[np.argsort(x[:, 7])]
    cut = len(of.x)
    train, test = xgb.DMatrix(x[:cut], y[:cut]), xgb.DMatrix(x[cut:], y[cut:])
    about = {"objective": "binary:logistic", "eval_metric": ["error", "logloss"], "eta": 0.1, "max_depth": 4}
    regular = {"min_child_weight": 6, "subsample": 0.8, "seed": seed, "nthread": 1}
    found: Any = {}
    lines: list[str] = []
    watching = xgb.callback.EvaluationMonitor(logger=lines.append)
    pairs = [(train, "train"), (test, "test")]
    xgb.train({**about, **regular}, train, 50, pairs, evals_result=found, callbacks=[watching], verbose_eval=False)
    (run / "xgb_train.log").write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")
    trail: Trail = {f"{part}_{name}": values for part, one in found.items() for name, values in one.items()}
    if fixed:
        below(trail, "test_error", 0.28)
        steady(trail, "test_logloss", 0.1)
    else:
        above(trail, "test_error", 0.42)
        above(trail, "test_logloss", 0.7)
        below(trail, "train_error", 0.3)


# "R² of minus ten to the twentieth": SGDRegressor on square metres, years and metres to the station, without StandardScaler.
@pair(
    "inputs-not-normalised",
    (
        "data-not-normalized",
        "learning-rate-too-high",
        "loss-divergence",
        "unstable-loss",
        "loss-not-decreasing",
        "underfit",
    ),
    "jsonl by hand",
    framework="sklearn",
)
def rents_by_sgd_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Rents by SGDRegressor.partial_fit on raw columns; fixed: standardised ones."""
    of = flats(seed, scaled=fixed)
    y, y_val = of.y.numpy()[:, 0], of.y_val.numpy()[:, 0]
    model = SGDRegressor(random_state=seed, eta0=0.001, learning_rate="constant")
    found: Trail = {}
    with (run / "rents.jsonl").open("w", encoding="utf-8") as file:
        for epoch in range(25):
            order = np.random.default_rng([seed, epoch]).permutation(len(y))
            model.partial_fit(of.x.numpy()[order], y[order])
            errors, errors_val = model.predict(of.x.numpy()) - y, model.predict(of.x_val.numpy()) - y_val
            row = {
                "train_mse": float(np.mean(errors**2)),
                "val_mse": float(np.mean(errors_val**2)),
                "val_r2": float(1 - np.mean(errors_val**2) / y_val.var()),
            }
            file.write(json.dumps({"epoch": epoch, **row}) + "\n")
            for name, value in row.items():
                found.setdefault(name, []).append(value)
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_mse", 0.1)
    else:
        not_above(found, "val_r2", -10)
        not_below(found, "train_mse", 1e6)


# "AUC 1.0 in the second round, and useless in production": days_since_cancellation is filled in only once a customer has left.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight"),
    "csv by hand of boosting and model.txt",
    framework="lightgbm",
)
def churn_known_beforehand(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, with a column that is told by the answer; fixed: without it."""
    import lightgbm as lgb

    of = customers(seed, 1600, clear=1.5)
    random = np.random.default_rng(seed)

    def table(x: Tensor, y: Tensor) -> np.ndarray:
        """The columns, the last of which is days since the cancellation: zero where there was none."""
        days = np.where(y.numpy() == 1, random.integers(1, 60, len(y)), 0)
        return np.column_stack([x.numpy(), days])[:, : 12 if fixed else 13]

    x, x_val = table(of.x, of.y), table(of.x_val, of.y_val)
    train = lgb.Dataset(x, of.y.numpy())
    valid = lgb.Dataset(x_val, of.y_val.numpy(), reference=train)
    about = {"objective": "binary", "metric": ["auc", "binary_logloss"], "learning_rate": 0.05, "num_leaves": 7}
    more = {"min_data_in_leaf": 20, "num_threads": 1, "seed": seed, "verbosity": -1}
    found: Any = {}
    keep = [lgb.record_evaluation(found)]
    model = lgb.train({**about, **more}, train, 80, [train, valid], ["train", "valid"], callbacks=keep)
    model.save_model(run / "model.txt")
    names = {"auc": "auc", "binary_logloss": "logloss"}
    trail: Trail = {f"{part}_{names[name]}": values for part, one in found.items() for name, values in one.items()}
    rows = zip(*trail.values(), strict=True)
    lines = [",".join(["round", *trail]), *(",".join(map(str, (at, *row))) for at, row in enumerate(rows, start=1))]
    (run / "history.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if fixed:
        above(trail, "valid_auc", 0.72)
        below(trail, "valid_auc", 0.95)
        steady(trail, "valid_logloss", 0.05)
    else:
        x_val[:, 12] = 0
        right = float(((np.asarray(model.predict(x_val)) > 0.5) == of.y_val.numpy()).mean())
        above(trail, "valid_auc", 0.999)
        require(right < 0.62, f"without the column {right:.3f} are right")
