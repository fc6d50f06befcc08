"""Programs with Keras and numpy on reinforcement, generation, dropout, dying units and resuming; their bugs and their repairs."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, ParquetDump, TensorBoard
from bench.accuracy.programs_decade_b_common import (
    arrays,
    csv_logger,
    dumper,
    keras_of,
    spam,
    stack,
    teller,
    tensorboard,
)
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import customers, spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Trail,
    above,
    below,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import houses

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The agent walks into the same wall in every episode": argmax over a table of zeros, with epsilon = 0.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "reward-collapse", "metric-at-chance"),
    "SummaryWriter with a row for each tenth episode",
    framework="sklearn",
)
def lake_without_epsilon(run: Path, seed: int, fixed: bool) -> None:
    """Q-learning of a way over a frozen lake of 4 x 4 with epsilon 0; fixed: it falls from 1 to 0.05."""
    holes, goal = {5, 7, 11, 12}, 15
    random, table = np.random.default_rng(seed), np.zeros((16, 4))
    log, trail = TensorBoard(run, "plain"), Trail()
    rewards, lengths = [], []
    for episode in range(1, 801):
        epsilon = max(0.05, 1 - episode / 400) if fixed else 0.0
        state, ended, length = 0, False, 0
        while not ended and length < 60:
            action = int(random.integers(4)) if random.random() < epsilon else int(table[state].argmax())
            taken = action if random.random() < 0.9 else int(random.integers(4))
            row, column = divmod(state, 4)
            row = min(3, max(0, row + (taken == 1) - (taken == 3)))
            column = min(3, max(0, column + (taken == 2) - (taken == 0)))
            after = 4 * row + column
            ended = after in holes or after == goal
            reward = float(after == goal)
            table[state, action] += 0.2 * (reward + 0.95 * table[after].max() * (not ended) - table[state, action])
            state, length = after, length + 1
        rewards.append(reward)
        lengths.append(length)
        if episode % 10 == 0:
            values = {
                "rollout/ep_rew_mean": float(np.mean(rewards[-50:])),
                "rollout/ep_len_mean": float(np.mean(lengths[-50:])),
                "rollout/exploration_rate": epsilon,
            }
            log.log(episode, values)
            for name, value in values.items():
                trail.setdefault(name, []).append(value)
    log.close()
    if fixed:
        above(trail, "rollout/ep_rew_mean", 0.4)
    else:
        below(trail, "rollout/ep_rew_mean", 0.1)


# "All samples look like the mean picture": the reconstruction is a mean over pixels, the KL a sum over the code.
@pair(
    "vae-kl-collapse",
    ("posterior-collapse", "loss-plateau", "representation-collapse", "low-variance", "loss-not-decreasing"),
    "csv with the parts of the loss, HDF5 with activations and weights",
    dumps=True,
)
def digits_vae_mean_of_pixels(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits with mse_loss by its default and a KL of full weight; fixed: a sum over pixels."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 12))
    decoder = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid())
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    log, dump, trail = Csv(run, "plain", "vae.csv", "epoch"), Hdf5Dump(run), Trail()

    def parts(part: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, log_variance = encoder(part).chunk(2, 1)
        made = decoder(mean + torch.randn_like(mean) * (0.5 * log_variance).exp())
        apart = functional.mse_loss(made, part, reduction="none")
        rebuilt = apart.sum(1).mean() * 5 if fixed else apart.mean()
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        return rebuilt, divergence, mean, log_variance

    for epoch in range(30):
        losses = []
        for rows in torch.chunk(torch.randperm(len(x)), len(x) // 32):
            optimizer.zero_grad()
            rebuilt, divergence, mean, log_variance = parts(x[rows])
            (rebuilt + divergence).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append([float(rebuilt.detach()), float(divergence.detach())])
        if epoch % 4 == 0:
            tensors = {f"weights/{name}": one.detach().numpy().copy() for name, one in encoder.named_parameters()}
            shown = {"activations/mu": mean.detach().numpy(), "activations/logvar": log_variance.detach().numpy()}
            dump.dump(epoch, tensors | shown)
        with torch.no_grad():
            rebuilt, divergence, mean, _ = parts(x_val)
            explained = 1 - (decoder(mean) - x_val).square().mean() / (x_val - x.mean(0)).square().mean()
        train = np.mean(losses, 0)
        values = {
            "recon_loss": float(train[0]),
            "kl_loss": float(train[1]),
            "loss": float(train.sum()),
            "val_recon_loss": float(rebuilt),
            "val_kl_loss": float(divergence),
            "val_loss": float(rebuilt + divergence),
        }
        log.log(epoch, values)
        for name, value in (values | {"explained": float(explained)}).items():
            trail.setdefault(name, []).append(value)
    log.close()
    dump.close()
    if fixed:
        above(trail, "explained", 0.4)
        above(trail, "kl_loss", 1.0)
        steady(trail, "val_loss", 0.1)
    else:
        below(trail, "explained", 0.1)
        below(trail, "kl_loss", 0.05)


# "I was told to use dropout against overfitting": Dropout(0.9) after each of three narrow layers, at the input too.
@pair(
    "underfit",
    (*NOTHING_LEARNED, "task-not-learned", "constant-answer"),
    "Keras TensorBoard callback",
    framework="keras",
)
def dropout_of_nine_tenths(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra with Dropout(0.9) after each layer; fixed: 0.2."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spectra(seed))
    layers = keras.layers
    share = 0.2 if fixed else 0.9
    hidden = [one for _ in range(3) for one in (layers.Dropout(share), layers.Dense(24, activation="relu"))]
    model = stack(keras, (60,), *hidden, layers.Dropout(share), layers.Dense(5, activation="softmax"))
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    calls = [tensorboard(keras, run)]
    trail = model.fit(x, y, 16, 22, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.85)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_accuracy", 0.55)


# "Half of my units are dead after the first epoch": SGD(0.5) with momentum under ReLU.
@pair(
    "dead-relu",
    (*NOTHING_LEARNED, "dead-relu", "all-zero", "gradient-all-zero", "constant-answer", "unchanged-tensor"),
    "SummaryWriter, histograms of weights and activations",
    framework="keras",
    dumps=True,
)
def prices_dying_units(run: Path, seed: int, fixed: bool) -> None:
    """House prices by a ReLU MLP under SGD(0.3, momentum=0.9); fixed: 0.005."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    y, y_val = (y - 24) / 8, (y_val - 24) / 8
    dense = keras.layers.Dense
    model = stack(keras, (10,), *(dense(24, activation="relu") for _ in range(3)), dense(1))
    rate = 0.005 if fixed else 0.3
    model.compile(keras.optimizers.SGD(rate, momentum=0.9, clipnorm=5.0), "mse", metrics=["mae"])
    board = TensorBoard(run, "plain")
    names = {"loss": "mse/train", "val_loss": "mse/valid", "mae": "mae/train", "val_mae": "mae/valid"}
    calls = [dumper(keras, HistogramDump(board), 2, "wa", x_val[:64], True), teller(keras, board, names, "lr")]
    trail = model.fit(x, y, 16, 20, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        below(trail, "val_loss", 0.3)
        steady(trail, "val_loss", 0.4)
    else:
        above(trail, "val_loss", 0.6)


# "My loss stands at 1.74 and will not fall": softmax in the last layer and from_logits=True in the loss.
@pair(
    "softmax-twice",
    ("softmax-twice", "loss-plateau", "loss-not-decreasing", "underfit", "metric-left-behind", "initial-loss"),
    "Keras CSVLogger, Parquet with weights and gradients",
    framework="keras",
    dumps=True,
)
def softmax_and_from_logits(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP whose softmax outputs are taken for logits under SGD; fixed: logits."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    dense = keras.layers.Dense
    end = dense(10, activation=None if fixed else "softmax", name="predictions")
    model = stack(keras, (64,), dense(32, activation="relu"), end)

    def loss(truth: Any, outputs: Any) -> Any:
        codes = truth.reshape(-1).long()
        return functional.cross_entropy(outputs, codes)

    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["sparse_categorical_accuracy"])
    calls = [csv_logger(keras, run, "digits.csv"), dumper(keras, ParquetDump(run), 5, "wg", epochs=True)]
    trail = model.fit(x, y, 32, 20, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_sparse_categorical_accuracy", 0.92)
        steady(trail, "val_loss", 0.2)
    else:
        above(trail, "val_loss", 1.5)


# "The rate is 1.0 as in Adadelta's documentation, and SGD diverges".
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *BADLY_LEARNED, "updates-too-large", "validation-swings"),
    "csv by a callback with the rate, HDF5 with weights and gradients by name",
    framework="keras",
    dumps=True,
)
def spam_rate_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Churn by a tanh MLP under SGD(1.0, momentum=0.9); fixed: 0.01."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(customers(seed, clear=3.0))
    dense = keras.layers.Dense
    model = stack(keras, (12,), dense(24, activation="tanh"), dense(24, activation="tanh"), dense(1))
    model.compile(
        keras.optimizers.SGD(0.01 if fixed else 1.0, momentum=0.9),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="acc")],
    )
    calls = [
        teller(keras, Csv(run, "plain", "churn.csv", "epoch"), None, "lr"),
        dumper(keras, Hdf5Dump(run, True), 30, "wg"),
    ]
    trail = model.fit(x, y, 16, 15, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_acc", 0.74)
        steady(trail, "val_loss", 0.15)
    else:
        not_below(trail, "val_loss", 1.0)


# "Class 3 is never right": the labels of the second annotator are 1-based for some of the classes.
@pair(
    "labels-wrong-for-some-classes",
    (
        "class-never-found",
        "classifier-confusion",
        "confusion",
        "confidently-wrong",
        "generalisation-gap",
        "most-answers-wrong",
    ),
    "SummaryWriter with the recall of each class",
    framework="keras",
)
def annotator_counts_from_one(run: Path, seed: int, fixed: bool) -> None:
    """Plastics whose training labels 2 and 3 are one too high; fixed: as they are."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spectra(seed, 700))
    if not fixed:
        y = np.where((y == 2) | (y == 3), y + 1, y)
    dense = keras.layers.Dense
    model = stack(keras, (60,), dense(32, activation="relu"), keras.layers.Dropout(0.3), dense(5, activation="softmax"))
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])

    class Recalls(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """Adds the recall of each class to the logs."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            said = self.model.predict(x_val, verbose=0).argmax(1)
            for one in range(5):
                logs[f"val_recall/class_{one}"] = float((said[y_val == one] == one).mean())

    names = {"loss": "train/loss", "val_loss": "val/loss", "accuracy": "train/acc", "val_accuracy": "val/acc"}
    calls = [Recalls(), teller(keras, TensorBoard(run, "plain"), names)]
    trail = model.fit(x, y, 16, 15, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.9)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_accuracy", 0.75)


# "Out of nowhere the loss is 100 and it takes epochs to recover": -9999 stands for a missing number in three rows.
@pair(
    "bad-batch",
    ("loss-spike", "step-outlier", "exploding-gradient", "unstable-loss", "loss-not-decreasing", "exploding-tensor"),
    "Keras TensorBoard callback with batches",
    framework="keras",
)
def sensor_writes_minus_9999(run: Path, seed: int, fixed: bool) -> None:
    """Bad transactions by an MLP under SGD, of which three rows have -9999 for a missing number; fixed: zero there."""
    keras = keras_of(seed)
    x, y, x_val, y_val = arrays(spam(seed, clear=1.5))
    x = x.copy()
    x[[17, 230, 411], 5] = 0.0 if fixed else -9999.0
    dense = keras.layers.Dense
    model = stack(keras, (12,), dense(24, activation="relu"), dense(1))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    accuracy = keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
    model.compile(keras.optimizers.SGD(0.05), loss, metrics=[accuracy])
    calls = [tensorboard(keras, run, batches=1)]
    trail = model.fit(x, y, 16, 16, verbose=0, validation_data=(x_val, y_val), callbacks=calls).history
    if fixed:
        above(trail, "val_accuracy", 0.78)
        steady(trail, "val_loss", 0.25)
    else:
        require(max(trail["loss"]) > 10, f"the loss was to leap: {told(trail)}")
        above({"mean": [float(np.mean(trail["val_loss"]))]}, "mean", 0.8)
