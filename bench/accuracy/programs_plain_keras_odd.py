"""Everyday programs of other frameworks that are healthy and look odd."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from torch import nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, TrainerState
from bench.accuracy.programs_desk_common import customers, flats, mails
from bench.accuracy.programs_field_common import Snapshots, Trail, above, below, fit, last, steady
from bench.accuracy.programs_plain_common import odd_into
from bench.accuracy.programs_plain_keras_common import LightningCsv, keras_at, taught
from bench.accuracy.programs_post_common import board, over, patients, pictures

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "why is my validation better than my training?": Dropout(0.5) twice, as in every notebook.
@odd("keras CSVLogger", framework="keras")
def dropped_by_half(run: Path, seed: int) -> None:
    """Digits with half of the units dropped while training, so that validation is better all along."""
    keras = keras_at(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-3)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    found = taught(model, data.bundled("digits", seed), 18, [keras.callbacks.CSVLogger(str(run / "training.csv"))])
    above(found, "val_accuracy", 0.92)
    steady(found, "val_loss", 0.1)
    require(last(found, "val_loss") < last(found, "loss"), "validation is better than training")


# "the rate jumps back up every six epochs, on purpose": CosineDecayRestarts.
@odd("keras TensorBoard callback", framework="keras")
def warmly_restarted(run: Path, seed: int) -> None:
    """Shapes by a CNN under a cosine rate that begins anew every six epochs."""
    keras = keras_at(seed)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(24, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    of = over(pictures(seed, 900, noise=50.0), 255.0)
    per_epoch = -(-len(of.x) // 32)
    rate = keras.optimizers.schedules.CosineDecayRestarts(4e-3, 6 * per_epoch, t_mul=1.0, m_mul=0.8)
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    found = taught(model, of, 18, [board(keras, run)])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.35)


# "a loss below zero?": a Gaussian likelihood of the targets, whose logarithm is negative once the model is sure.
@odd("keras TensorBoard callback with histograms", framework="keras", dumps=True)
def sure_of_the_load(run: Path, seed: int) -> None:
    """The target by a mean and a deviation under a likelihood that goes below zero."""
    keras = keras_at(seed)
    ops = keras.ops

    def likelihood(y: Any, told: Any) -> Any:
        """The negative log-likelihood, without its constant."""
        deviation = ops.softplus(told[:, 1:]) + 0.05
        return ops.log(deviation) + 0.5 * ops.square((y - told[:, :1]) / deviation)

    def mae(y: Any, told: Any) -> Any:
        """The mean absolute error of the mean."""
        return ops.mean(ops.abs(y - told[:, :1]))

    hidden = [keras.layers.Dense(32, activation="elu") for _ in range(2)]
    model = keras.Sequential([keras.Input((9,)), *hidden, keras.layers.Dense(2)])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=likelihood, metrics=[mae])
    of = flats(seed, 900)
    mean, spread = of.y.mean(), of.y.std()
    of = data.Split(of.x, (of.y - mean) / spread, of.x_val, (of.y_val - mean) / spread)
    found = taught(model, of, 25, [board(keras, run / "tb", weights=4)])
    below(found, "val_loss", -0.3)
    below(found, "val_mae", 0.35)
    require(last(found, "val_loss") < min(found["val_loss"]) + 0.15, f"val_loss ends near its best {found['val_loss']}")


# "the machine was needed, I went on the next day": load_model with the optimizer in it, CSVLogger(append=True).
@odd("keras CSVLogger with append", framework="keras")
def gone_on_next_day(run: Path, seed: int) -> None:
    """Patients in two sittings of ten epochs, the model saved and loaded between them."""
    keras = keras_at(seed)
    of = patients(seed, 900)
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer=keras.optimizers.Adam(2.5e-3), loss="binary_crossentropy", metrics=["accuracy"])
    wanted = data.Split(of.x, of.y[:, None].float(), of.x_val, of.y_val[:, None].float())
    before = taught(model, wanted, 10, [keras.callbacks.CSVLogger(str(run / "log.csv"))])
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/last.keras")
        model = keras.models.load_model(f"{folder}/last.keras")
    writer = keras.callbacks.CSVLogger(str(run / "log.csv"), append=True)
    after = taught(model, wanted, 20, [writer], initial_epoch=10)
    found = {name: before[name] + values for name, values in after.items()}
    above(found, "val_accuracy", 0.72)
    steady(found, "val_loss", 0.05)


# "eval_loss stands at 0.6 and accuracy is fine": label_smoothing_factor=0.1, with gradients of two batches at a time.
@odd("trainer_state.json of Hugging Face")
def smoothed_labels(run: Path, seed: int) -> None:
    """The department of a mail by a small transformer with smoothed labels, warm-up and gradients accumulated over two batches."""
    of = mails(seed, 1000)
    model = models.Transformer(4, vocabulary=200, length=24, causal=False, pooled=True, dropout=0.3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-4)
    per_epoch = -(-len(of.x) // 32)
    steps = per_epoch * 9

    def rate(step: int) -> float:
        """Up for a tenth, then down to zero."""
        return min(step / (0.1 * steps), (steps - step) / (0.9 * steps))

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=0.1)

    writer = TrainerState(run, per_epoch, steps)
    about: dict[str, Any] = {"rate_tag": "lr", "norm_tag": "grad_norm", "clip": 1.0}
    about["schedule"] = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    tags = ("train_loss", "", "val_loss", "val_accuracy")
    found = fit(model, of, optimizer, 9, writer, tags, loss=loss, seed=seed, every=10, **about)
    above(found, "val_accuracy", 0.76)
    steady(found, "val_loss", 0.1)


# "only the head learns, as it should": a backbone that was trained on other digits, requires_grad_(False).
@odd("metrics.csv of Lightning and hdf5", dumps=True)
def head_on_a_learned_base(run: Path, seed: int) -> None:
    """Digits 5 to 9 by a new head on a frozen backbone that has learned the digits 0 to 4."""
    whole = data.bundled("digits", seed)

    def part(low: int) -> data.Split:
        """Five of the digits, as classes 0 to 4."""
        mine, mine_val = (whole.y // 5 == low // 5), (whole.y_val // 5 == low // 5)
        return data.Split(whole.x[mine], whole.y[mine] - low, whole.x_val[mine_val], whole.y_val[mine_val] - low)

    model = models.mlp((64, 128, 96, 5))
    old, new = part(0), part(5)
    early = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(150):
        chosen = torch.randint(0, len(old.x), (32,), generator=data.generator(step))
        early.zero_grad()
        torch.autograd.backward(functional.cross_entropy(model(old.x[chosen]), old.y[chosen]))
        early.step()
    model.requires_grad_(False)
    model.fc3 = nn.Linear(96, 5)
    for one in model.parameters():
        one.grad = None
    per_epoch = -(-len(new.x) // 32)
    found = fit(
        model,
        new,
        torch.optim.Adam(model.fc3.parameters(), lr=1e-2),
        30,
        LightningCsv(run, per_epoch, {"lr": 0.01, "freeze_backbone": True}),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=10,
        rate_tag="lr-Adam",
        snapshots=Snapshots(Hdf5Dump(run), model, 40),
    )
    above(found, "val_acc", 0.83)
    steady(found, "val_loss", 0.1)


# "400 rounds, and the last 300 hardly move": boosting with a small rate, early_stopping_rounds for safety.
@odd("csv by hand of boosting", framework="xgboost")
def boosted_patiently(run: Path, seed: int) -> None:
    """Who leaves, by 400 small steps of boosting; training stays better than validation, which does not rise."""
    import xgboost as xgb

    of = customers(seed, 1400, clear=2.0)
    train = xgb.DMatrix(of.x.numpy(), of.y.numpy())
    test = xgb.DMatrix(of.x_val.numpy(), of.y_val.numpy())
    about = {
        "objective": "binary:logistic",
        "eval_metric": ["auc", "logloss"],
        "eta": 0.03,
        "max_depth": 2,
        "nthread": 1,
    }
    more = {"subsample": 0.7, "colsample_bytree": 0.8, "min_child_weight": 5, "seed": seed}
    found: Any = {}
    pairs = [(train, "train"), (test, "eval")]
    xgb.train({**about, **more}, train, 400, pairs, evals_result=found, early_stopping_rounds=80, verbose_eval=False)
    trail: Trail = {f"{part}-{name}": values for part, one in found.items() for name, values in one.items()}
    rows = zip(*trail.values(), strict=True)
    lines = [",".join(["iter", *trail]), *(",".join(map(str, (at, *row))) for at, row in enumerate(rows))]
    (run / "evals.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    above(trail, "eval-auc", 0.82)
    steady(trail, "eval-logloss", 0.03)


# "31 % is a good figure here": forty classes, most of them alike, partial_fit for thirty epochs.
@odd("jsonl by hand", framework="sklearn")
def forty_alike(run: Path, seed: int) -> None:
    """Forty classes that overlap, by MLPClassifier.partial_fit: a low accuracy that rises; chance is 0.025."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(5).normal(size=(40, 10))
    y = random.integers(0, 40, 4000)
    x = centres[y] + 1.6 * random.normal(size=(4000, 10))
    of = data.split(x, y, seed)
    model = MLPClassifier((48,), solver="sgd", learning_rate_init=0.01, batch_size=64, random_state=seed)
    found: Trail = {}
    with (run / "scores.jsonl").open("w", encoding="utf-8") as file:
        for epoch in range(1, 31):
            model.partial_fit(of.x.numpy(), of.y.numpy(), classes=np.arange(40))
            shares = model.predict_proba(of.x_val.numpy())
            likely = shares[np.arange(len(shares)), of.y_val.numpy()]
            row = {
                "train_loss": float(model.loss_),
                "val_loss": float(-np.log(likely + 1e-12).mean()),
                "train_acc": float(model.score(of.x.numpy(), of.y.numpy())),
                "val_acc": float((shares.argmax(1) == of.y_val.numpy()).mean()),
            }
            file.write(json.dumps({"epoch": epoch, **{name: round(value, 5) for name, value in row.items()}}) + "\n")
            for name, value in row.items():
                found.setdefault(name, []).append(value)
    above(found, "val_acc", 0.2)
    below(found, "val_acc", 0.6)
    steady(found, "val_loss", 0.05)
