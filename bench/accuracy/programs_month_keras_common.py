"""What the Keras programs of the month share: a fresh Keras, callbacks that write scalars and tensors, and some data."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.loggers import Dump, Log
from bench.accuracy.programs_field_common import Trail

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Training inputs and targets, validation inputs and targets."""


def fresh(seed: int) -> Any:
    """Keras with its names and generators as at the start of a program."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: data.Split) -> Arrays:
    """The parts of a split as arrays of numpy."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def train(
    model: Any,
    of: Arrays,
    epochs: int,
    callbacks: Sequence[Any],
    *,
    batch: int = 32,
    printed: Path | None = None,
    **more: Any,
) -> Trail:
    """model.fit with validation data; what the History has. `printed` is a file for the lines of verbose=2."""
    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch, "callbacks": list(callbacks), **more}
    if "validation_split" not in more:
        given["validation_data"] = (of[2], of[3])
    with contextlib.ExitStack() as stack:
        if printed is not None:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(printed.open("a", encoding="utf-8"))))
        history = model.fit(of[0], of[1], verbose=2 if printed is not None else 0, **given)
    return {name: [float(one) for one in values] for name, values in history.history.items()}


def rows(keras: Any, log: Log, rename: Mapping[str, str] | None = None, rate: str = "") -> Any:
    """A LambdaCallback-like writer: what an epoch's logs say to a log of any kind, and the learning rate."""
    names = rename or {}

    class Rows(keras.callbacks.Callback):
        """Writes as the training goes on."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            values = {names.get(name, name): float(value) for name, value in (logs or {}).items()}
            if rate:
                values[rate] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            log.log(epoch, values)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            log.close()

    return Rows()


def tensors(
    keras: Any,
    to: Dump,
    every: int,
    *,
    weights: bool = True,
    gradients: bool = False,
    probe: np.ndarray | None = None,
    layers: Sequence[str] = (),
    plain: bool = False,
) -> Any:
    """Dumps each so many batches: weights by their paths, gradients of the last step, outputs of layers for a probe batch.

    `plain`: names such as dense/kernel and dense/kernel_grad rather than weights/dense/kernel and gradients/dense/kernel.
    """
    form = ("{}", "{}_grad", "{}_output") if plain else ("weights/{}", "gradients/{}", "activations/{}")

    class Tensors(keras.callbacks.Callback):
        """Writes as the training goes on."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.seen = 0
            outputs = {name: self.model.get_layer(name).output for name in layers}
            self.probe = keras.Model(self.model.inputs, outputs) if outputs else None

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if (self.seen - 1) % every:
                return
            made: dict[str, np.ndarray] = {}
            for one in self.model.trainable_weights:
                name = one.path.split("/", 1)[1] if one.path.startswith(("sequential", "functional")) else one.path
                if weights:
                    made[form[0].format(name)] = np.array(keras.ops.convert_to_numpy(one))
                if gradients and one.value.grad is not None:
                    made[form[1].format(name)] = one.value.grad.numpy().copy()
            if self.probe is not None:
                with torch.no_grad():
                    found = self.probe(keras.ops.convert_to_tensor(probe), training=False)
                made |= {form[2].format(name): np.array(value) for name, value in found.items()}
            to.dump(self.seen, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            to.close()

    return Tensors()


def dense(keras: Any, sizes: Sequence[int], activation: str = "relu", last: str | None = None, **more: Any) -> Any:
    """A Sequential of Dense layers; sizes are of the inputs and of each layer."""
    layers = keras.layers
    made = [keras.Input((sizes[0],))]
    made += [layers.Dense(size, activation=activation, **more) for size in sizes[1:-1]]
    return keras.Sequential([*made, layers.Dense(sizes[-1], activation=last, **more)])


def channels_last(of: data.Split) -> Arrays:
    """Pictures (n, c, h, w) as (n, h, w, c)."""
    x, y, x_val, y_val = arrays(of)
    return x.transpose(0, 2, 3, 1).copy(), y, x_val.transpose(0, 2, 3, 1).copy(), y_val


def padded_texts(seed: int, samples: int = 560, longest: int = 50, words: int = 120) -> Arrays:
    """Tickets of 5 to 12 words whose words tell one of three teams, padded behind with zeros to `longest`."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    x = np.zeros((samples, longest), dtype=np.int64)
    for row, team in zip(x, y, strict=True):
        count = random.integers(5, 13)
        own = 1 + 15 * team + random.integers(0, 15, count)
        row[:count] = np.where(random.random(count) < 0.4, own, random.integers(46, words, count))
    cut = samples * 3 // 4
    return x[:cut], y[:cut], x[cut:], y[cut:]


def sales(seed: int, days: int = 700, window: int = 30) -> Arrays:
    """Sales of the last days (n, window, 1) in pieces, 400 to 1,700, and of the next day (n, 1), standardised targets."""
    random = np.random.default_rng(seed)
    day = np.arange(days + window)
    sold = (
        1000
        + 300 * np.sin(2 * np.pi * day / 7)
        + 200 * np.sin(2 * np.pi * day / 91)
        + 60 * random.normal(size=day.size)
    )
    x = np.lib.stride_tricks.sliding_window_view(sold[:-1], window)[:, :, None].astype(np.float32)
    y = sold[window:, None].astype(np.float32)
    cut = len(y) * 3 // 4
    return x[:cut].copy(), y[:cut], x[cut:].copy(), y[cut:]


def scaled(of: Arrays) -> Arrays:
    """Inputs and targets standardised by the training part, as one number each."""
    x, y, x_val, y_val = of
    mean, spread, middle, width = x.mean(), x.std(), y.mean(), y.std()
    return (x - mean) / spread, (y - middle) / width, (x_val - mean) / spread, (y_val - middle) / width


def fraud(seed: int, samples: int = 1600, share: float = 0.12) -> Arrays:
    """Ten measures of payments and whether they are fraud; a rare class that can be told from the rest fairly well."""
    return arrays(data.imbalanced(seed, samples, share))


def pairs_of_digits(seed: int, count: int = 2400) -> tuple[Arrays, Callable[[np.ndarray], np.ndarray]]:
    """Pairs of digits (n, 2, 64), with 1 for the same digit and 0 for two; and the other convention of the labels."""
    of = data.bundled("digits", seed, scaled=False)
    random = np.random.default_rng(seed)

    def made(x: np.ndarray, y: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        first = random.integers(0, len(y), number)
        same = random.random(number) < 0.5
        second = np.array(
            [random.choice(np.flatnonzero((y == y[one]) == like)) for one, like in zip(first, same, strict=True)]
        )
        return np.stack([x[first], x[second]], 1), same.astype(np.float32)[:, None]

    x, y, x_val, y_val = arrays(of)
    return (*made(x / 16, y, count), *made(x_val / 16, y_val, count // 4)), lambda labels: 1 - labels
