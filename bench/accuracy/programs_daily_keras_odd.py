"""Everyday trainings in Keras, under trainers and with boosters that look odd and are healthy; and one pair of Keras."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import TrainerState
from bench.accuracy.programs_daily_common import into, odd_into
from bench.accuracy.programs_daily_keras_common import (
    LightningCsv,
    TicketReader,
    aromas,
    bands,
    beams,
    keras_at,
    loans,
    seeds_of_plants,
    tickets,
    trained,
    write_evals,
)
from bench.accuracy.programs_desk_common import gestures
from bench.accuracy.programs_field_common import Course, Descent, above, below, fit, go, last, steady
from bench.accuracy.programs_post_common import board, explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)
odd = odd_into(RECIPES)


# "val_accuracy is 0.0 though it learns": fit(validation_split=0.25) takes the end of the table, which is sorted by gesture.
@pair(
    "data-not-shuffled",
    ("overfit", "generalisation-gap", "error-rises", "metric-at-chance", "most-answers-wrong", "confidently-wrong"),
    "Keras' CSVLogger",
    framework="keras",
)
def gestures_split_at_end(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by Conv1D and GRU, validated on the last quarter of a sorted table; fixed: it is shuffled first."""
    keras = keras_at(seed)
    of = gestures(seed, samples=640, noise=0.65)
    x, y = (torch.cat(both).numpy() for both in ((of.x, of.x_val), (of.y, of.y_val)))
    order = np.random.default_rng(seed).permutation(len(y)) if fixed else np.argsort(y, kind="stable")
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            keras.layers.Conv1D(16, 5, strides=2, activation="relu"),
            keras.layers.GRU(16),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(6e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger(str(run / "training_log.csv"))
    history = model.fit(
        x[order], y[order], validation_split=0.25, epochs=14, batch_size=32, verbose=0, callbacks=[logger]
    )
    found = {name: [float(one) for one in values] for name, values in history.history.items()}
    if fixed:
        above(found, "val_accuracy", 0.82)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.25)


# "Validation is better than training, is it a leak?": half of each layer is dropped, and labels are smoothed.
@odd("Keras' CSVLogger", framework="keras")
def roasts_half_dropped(run: Path, seed: int) -> None:
    """Roasts of coffee with Dropout(0.5) and label smoothing of 0.1: training looks worse than validation throughout."""
    keras = keras_at(seed)
    of = aromas(seed)
    hot = data.Split(of.x, functional.one_hot(of.y, 5).float(), of.x_val, functional.one_hot(of.y_val, 5).float())
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16,)),
            *(one for _ in range(2) for one in (layers.Dense(48, activation="relu"), layers.Dropout(0.5))),
            layers.Dense(5, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    found = trained(model, hot, 30, [keras.callbacks.CSVLogger(str(run / "log.csv"))], batch_size=32)
    above(found, "val_accuracy", 0.8)
    steady(found, "val_loss", 0.1)
    require(last(found, "accuracy") < last(found, "val_accuracy"), "training was to look worse")


# "The loss hops each six epochs": CosineDecayRestarts.
@odd("Keras' TensorBoard callback with update_freq", framework="keras")
def bands_with_restarts(run: Path, seed: int) -> None:
    """Instruments in songs, many labels, with a rate that restarts every six epochs at its height."""
    keras = keras_at(seed)
    of = bands(seed)
    per_epoch = data.steps_per_epoch(of, 32)
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.01, 6 * per_epoch, t_mul=1.0, m_mul=0.9, alpha=0.01)
    model = keras.Sequential(
        [
            keras.Input((48,)),
            keras.layers.Dense(32, activation="gelu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(6, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["binary_accuracy"])
    found = trained(model, of, 24, [board(keras, run, batches=5)], batch_size=32)
    above(found, "val_binary_accuracy", 0.85)
    steady(found, "val_loss", 0.15)


# "The base does not move, is that right?": a base trained on other pictures is kept, and only the head learns.
@odd("Keras' TensorBoard callback with histogram_freq", dumps=True, framework="keras")
def seeds_on_pretrained_base(run: Path, seed: int) -> None:
    """Kinds of seeds by a small head on convolutions that were trained before to tell them in other pictures, and are frozen."""
    keras = keras_at(seed)
    before, of = seeds_of_plants(seed + 100), seeds_of_plants(seed, samples=320)
    base = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            keras.layers.Conv2D(12, 3, activation="relu", name="block1_conv"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(24, 3, activation="relu", name="block2_conv"),
            keras.layers.GlobalMaxPooling2D(),
        ],
        name="base",
    )

    def topped(rate: float) -> object:
        model = keras.Sequential([keras.Input((14, 14, 1)), base, keras.layers.Dense(4, activation="softmax")])
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    trained(topped(5e-3), before, 14, [], batch_size=32)
    base.trainable = False
    found = trained(topped(8e-3), of, 16, [board(keras, run, weights=3)], batch_size=16)
    above(found, "val_accuracy", 0.82)
    steady(found, "val_loss", 0.2)


# "The counter does not start at 0, and the rate in the middle": a run resumed from a checkpoint with all its states.
@odd("Hugging Face trainer_state.json")
def tickets_resumed(run: Path, seed: int) -> None:
    """Queues of tickets by a transformer, resumed from the checkpoint of weights, optimizer and schedule."""
    of = tickets(seed)
    model = TicketReader()
    per_epoch, epochs, batch = data.steps_per_epoch(of, 24), 8, 24
    planned = epochs * per_epoch
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, step / 30) * max(0.0, (planned - step) / planned)
    )
    stream = data.batches(of, batch, seed)
    for _ in range(2 * per_epoch):
        x, y = next(stream)
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()
    resumed = TicketReader()
    resumed.load_state_dict(model.state_dict())
    again = torch.optim.AdamW(resumed.parameters(), lr=8e-4)
    follow = torch.optim.lr_scheduler.LambdaLR(
        again, lambda step: min(1.0, step / 30) * max(0.0, (planned - step) / planned)
    )
    again.load_state_dict(optimizer.state_dict())
    follow.load_state_dict(schedule.state_dict())
    found = fit(
        resumed,
        of,
        again,
        epochs - 2,
        TrainerState(run, per_epoch, planned, every=10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed + 1,
        batch=batch,
        every=10,
        first=2 * per_epoch,
        schedule=follow,
        rate_tag="lr",
        norm_tag="grad_norm",
    )
    above(found, "val_accuracy", 0.78)
    steady(found, "val_loss", 0.2)


# "A loss below zero, is this a bug?": the likelihood of a narrow Gaussian.
@odd("Lightning's metrics.csv")
def beams_below_zero(run: Path, seed: int) -> None:
    """Loads of beams in units of ten with how sure they are; the negative log likelihood falls below zero."""
    of = beams(seed, samples=900)
    of = data.Split(of.x, of.y[:, None] / 10, of.x_val, of.y_val[:, None] / 10)
    model = nn.Sequential(nn.Linear(7, 48), nn.Tanh(), nn.Linear(48, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream, per_epoch = data.batches(of, 32, seed), data.steps_per_epoch(of, 32)

    def parts(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = model(x).chunk(2, -1)
        return functional.gaussian_nll_loss(mean, y, functional.softplus(spread).square() + 1e-4), explained(mean, y)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        loss, _ = parts(*next(stream))
        return loss, {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss, r2 = parts(of.x_val, of.y_val)
        return {"val_nll": float(loss), "val_r2": float(r2)}

    descent = Descent(model, optimizer, objective, "train_nll")
    course = Course(descent, 30 * per_epoch, LightningCsv(run, per_epoch), evaluate=evaluate, per_epoch=per_epoch)
    found = go(course)
    above(found, "val_r2", 0.7)
    below(found, "val_nll", -1)
    steady(found, "val_nll", 0.1)


# "Only 0.7 of AUC, is it broken?": hard data that can hardly be told, by small steps, stopped early.
@odd("XGBoost's evals_result as JSON", framework="xgboost")
def loans_hardly_told(run: Path, seed: int) -> None:
    """Loans whose outcome is mostly chance, by boosting with small steps and early stopping: a low AUC that grows."""
    import xgboost as xgb

    of = loans(seed, samples=2400, clear=0.55, columns=12)
    parts = [xgb.DMatrix(x.numpy(), label=y.numpy()) for x, y in ((of.x, of.y), (of.x_val, of.y_val))]
    found: dict[str, dict[str, list[float]]] = {}
    settings = {
        "objective": "binary:logistic",
        "max_depth": 3,
        "eta": 0.03,
        "seed": seed,
        "nthread": 1,
        "subsample": 0.7,
    }
    xgb.train(
        settings | {"eval_metric": ["auc", "logloss"], "min_child_weight": 10, "lambda": 5},
        parts[0],
        300,
        evals=[(parts[0], "train"), (parts[1], "valid")],
        evals_result=found,
        early_stopping_rounds=15,
        verbose_eval=False,
    )
    write_evals(run / "evals.json", found)
    trail = {"loss": found["valid"]["logloss"], "auc": found["valid"]["auc"]}
    above(trail, "auc", 0.62)
    steady(trail, "loss", 0.02)
    require(trail["loss"][-1] < 0.98 * trail["loss"][0], f"{trail['loss'][0]} … {trail['loss'][-1]}")
