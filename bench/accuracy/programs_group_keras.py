"""Keras programs of groups that tell scalars only, each with a mistake that took days to find and without it."""

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.programs_desk_common import loads
from bench.accuracy.programs_field_common import above, below, not_below, steady, told
from bench.accuracy.programs_group_common import into
from bench.accuracy.programs_group_keras_common import arrays, keras_at, keywords
from bench.accuracy.programs_post_common import pictures, reviews

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My wake-word net gives 1.0 for everything, even for silence": Dense(1, activation='softmax') with binary_crossentropy.
@pair(
    "wrong-output-activation",
    ("loss-not-decreasing", "loss-plateau", "metric-at-chance", "constant-answer", "initial-loss", "underfit"),
    "Keras CSVLogger with semicolons",
    framework="keras",
)
def wakeword_softmax_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Whether a keyword was said, by a 1-D CNN that ends in a softmax of one unit; fixed: sigmoid."""
    keras = keras_at(seed)
    x, y, x_val, y_val = keywords(seed, noise=1.1)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Conv1D(12, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(16, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["binary_accuracy"])
    logger = keras.callbacks.CSVLogger(str(run / "wakeword_fit.csv"), separator=";")
    found = model.fit(x, y, 32, 18, 0, [logger], validation_data=(x_val, y_val)).history
    if fixed:
        above(found, "val_binary_accuracy", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_binary_accuracy", 0.5)
        require(max(found["val_binary_accuracy"]) - min(found["val_binary_accuracy"]) < 0.01, told(found))


# "98 % in training, and validation is a joke": preprocess_input stands in the training generator only; validation gets pixels of 0 to 255.
@pair(
    "different-preprocessing",
    ("generalisation-gap", "overfit", "confidently-wrong", "metric-at-chance", "constant-answer"),
    "history.history as JSON",
    framework="keras",
)
def tiles_preprocessed_once(run: Path, seed: int, fixed: bool) -> None:
    """Land use of a tile by a CNN, trained on -1 to 1 and validated on 0 to 255; fixed: both on -1 to 1."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(pictures(seed, 640, 40.0))
    x, x_val = x.transpose(0, 2, 3, 1) / 127.5 - 1, x_val.transpose(0, 2, 3, 1)
    if fixed:
        x_val = x_val / 127.5 - 1
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["acc"])
    found = model.fit(x, y, 32, 16, 0, validation_data=(x_val, y_val)).history
    (run / "landuse_history.json").write_text(json.dumps(found), encoding="utf-8")
    above(found, "acc", 0.85)
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.7)
        not_below(found, "val_loss", 5)


# "The forecast is a flat line near zero and the loss is 90,000": the inputs went through the scaler, the megawatts to be told did not.
@pair(
    "unnormalised-target",
    ("underfit", "still-improving", "initial-loss", "task-not-learned", "metric-at-chance", "data-not-normalized"),
    "csv by hand with a time of day and an R² column",
    framework="keras",
)
def grid_load_in_megawatts(run: Path, seed: int, fixed: bool) -> None:
    """The load of the next hour by a 1-D CNN, told in megawatts of about 300; fixed: standardised."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(loads(seed))
    mean, spread = x.mean(), x.std()
    x, x_val = ((one[:, :, None] - mean) / spread for one in (x, x_val))
    if fixed:
        y, y_val = ((one - mean) / spread for one in (y, y_val))
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Conv1D(16, 5, activation="relu"),
            layers.Conv1D(16, 5, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse", metrics=[keras.metrics.R2Score(name="r2")])
    rows: list[list[Any]] = []

    def tell(epoch: int, logs: dict[str, float]) -> None:
        clock = time.strftime("%H:%M:%S")
        rows.append([clock, epoch + 1, logs["loss"], logs["val_loss"], logs["val_r2"]])

    teller = keras.callbacks.LambdaCallback(on_epoch_end=tell)
    found = model.fit(x, y, 32, 12, 0, [teller], validation_data=(x_val, y_val)).history
    with (run / "load_forecast.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clock", "epoch", "MSE fit", "MSE test weeks", "R2 test weeks"])
        writer.writerows(rows)
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_r2", -1.0)


# "It learned nothing after epoch 5, and the rate reads 1e-9": ReduceLROnPlateau(monitor='val_loss', mode='max').
@pair(
    "scheduler-decays-too-soon",
    (
        "rate-falls-too-soon",
        "learning-rate-zero",
        "loss-plateau",
        "underfit",
        "updates-too-small",
        "loss-not-decreasing",
    ),
    "JSON lines with nested train and dev",
    framework="keras",
)
def reviews_plateau_upside_down(run: Path, seed: int, fixed: bool) -> None:
    """Whether a review is kind, with a schedule that takes a falling loss for a plateau; fixed: mode='min'."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(reviews(seed, 900, share=0.14))
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Embedding(300, 12),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1.5e-3), "binary_crossentropy", metrics=["acc"])
    file = (run / "review_runs.jsonl").open("w", encoding="utf-8")

    def tell(epoch: int, logs: dict[str, float]) -> None:
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        row = {
            "ep": epoch,
            "lr": rate,
            "train": {"xent": logs["loss"], "acc": logs["acc"]},
            "dev": {"xent": logs["val_loss"], "acc": logs["val_acc"]},
        }
        file.write(json.dumps(row) + "\n")

    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", mode="min" if fixed else "max", factor=0.1, patience=1
    )
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=tell), plateau]
    found = model.fit(x, y, 64, 40, 0, callbacks, validation_data=(x_val, y_val)).history
    file.close()
    if fixed:
        above(found, "val_acc", 0.8)
        below(found, "val_loss", 0.55)
        steady(found, "val_loss", 0.15)
    else:
        not_below(found, "val_loss", 0.66)
        below(found, "val_acc", 0.75)


# "Every face that I sample is the same grey mean": the squares are averaged over the pixels, the KL is summed over the latents.
@pair(
    "kl-collapse",
    (
        "posterior-collapse",
        "loss-plateau",
        "loss-not-decreasing",
        "underfit",
        "representation-collapse",
        "constant-answer",
    ),
    "MLflow's files, a metric each",
    framework="keras",
)
def digits_vae_grey_mean(run: Path, seed: int, fixed: bool) -> None:
    """A variational autoencoder of digits whose squares are a mean over 64 pixels; fixed: their sum."""
    keras = keras_at(seed)
    import torch

    of = data.bundled("digits", seed, scaled=False)
    x, x_val = ((one - of.x.mean()) / of.x.std() for one in (of.x, of.x_val))
    layers, ops = keras.layers, keras.ops
    encoder = keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(8)])
    decoder = keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(64)])
    encoder.build((None, 64))
    decoder.build((None, 4))
    both = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.Adam(4e-3)
    random = data.generator(seed)
    folder = run / "mlruns" / "1" / f"{seed + 11:032x}" / "metrics"
    folder.mkdir(parents=True)
    found: dict[str, list[float]] = {}

    def parts(batch: Any) -> tuple[Any, Any]:
        code = encoder(batch)
        mean, spread = code[:, :4], code[:, 4:]
        z = mean + ops.exp(0.5 * spread) * torch.randn(mean.shape, generator=random)
        squares = ops.mean(ops.square(decoder(z) - batch))
        kl = -0.5 * ops.mean(ops.sum(1 + spread - ops.square(mean) - ops.exp(spread), axis=1))
        return squares, kl

    for epoch in range(25):
        seen = []
        order = torch.randperm(len(x), generator=random)
        for start in range(0, len(x), 64):
            squares, kl = parts(x[order[start : start + 64]])
            loss = (64.0 if fixed else 1.0) * squares + kl
            for one in both:
                one.value.grad = None
            loss.backward()
            with torch.no_grad():
                optimizer.apply([one.value.grad for one in both], both)
            seen.append((float(loss.detach()), float(squares.detach()), float(kl.detach())))
        with torch.no_grad():
            held_squares, held_kl = parts(x_val)
        held = (64.0 if fixed else 1.0) * float(held_squares) + float(held_kl)
        names = ("neg_elbo", "reconstruction", "kl_divergence", "heldout_neg_elbo", "heldout_reconstruction")
        values = (*np.mean(seen, axis=0), held, float(held_squares))
        for name, value in zip(names, values, strict=True):
            found.setdefault(name, []).append(float(value))
            with (folder / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {float(value)} {epoch}\n")
    flat = float((x_val - x.mean(0)).square().mean())
    if fixed:
        below(found, "heldout_reconstruction", 0.7 * flat)
        steady(found, "heldout_neg_elbo", 0.1)
    else:
        not_below(found, "heldout_reconstruction", 0.95 * flat)
        below(found, "kl_divergence", 0.05)
