"""What the Keras programs of bug-fix commits share: how they begin and train, dumps through a callback, and their data."""

import contextlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.loggers import Dump
from bench.accuracy.programs_field_common import Trail


def keras_at(seed: int) -> Any:
    """Keras with all its generators at this seed and its counting of layers begun anew."""
    keras: Any = importlib.import_module("keras")
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def trained(
    model: Any,
    of: data.Split,
    epochs: int,
    callbacks: Sequence[Any] = (),
    *,
    batch: int = 32,
    printed: Path | None = None,
    **more: Any,
) -> Trail:
    """`model.fit` with validation data; what its History holds. With `printed`, the lines of verbose=2 go to that file."""
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    with contextlib.ExitStack() as stack:
        if printed is not None:
            file = stack.enter_context(printed.open("w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(file))
        history = model.fit(
            x,
            y,
            epochs=epochs,
            batch_size=batch,
            validation_data=(x_val, y_val),
            callbacks=list(callbacks),
            verbose=2 if printed is not None else 0,
            **more,
        )
    return {name: [float(one) for one in values] for name, values in history.history.items()}


COLLECTIONS = ("weights/{}", "gradients/{}", "activations/{}")
SUFFIXES = ("{}", "{}/gradient", "{}/output")


def snapshots(
    keras: Any, to: Dump, every: int, *, form: tuple[str, str, str] = COLLECTIONS, probe: torch.Tensor | None = None
) -> Any:
    """A callback that dumps weights, the gradients of the last batch, and outputs of all layers for `probe`, each so many batches."""

    class Snapshots(keras.callbacks.Callback):  # type: ignore[misc]
        """Dumps after the first batch and each `every` after it."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.seen = 0

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if (self.seen - 1) % every:
                return
            made: dict[str, np.ndarray] = {}
            for one in self.model.weights:
                made[form[0].format(one.path)] = one.value.detach().numpy().copy()
                if one.value.grad is not None:
                    made[form[1].format(one.path)] = one.value.grad.numpy().copy()
            if probe is not None:
                layers = self.model.layers
                outputs = keras.Model(self.model.inputs, [layer.output for layer in layers])(probe, training=False)
                made |= {
                    form[2].format(layer.name): value.detach().numpy().copy()
                    for layer, value in zip(layers, outputs, strict=True)
                }
            to.dump(self.seen, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            to.close()

    return Snapshots()


def _shaped(x: np.ndarray, y: np.ndarray, seed: int) -> data.Split:
    """Split arrays of any shape at random, as they are."""
    of = data.split(x.reshape(len(x), -1), y, seed, scaled=False)
    return data.Split(of.x.reshape(-1, *x.shape[1:]), of.y, of.x_val.reshape(-1, *x.shape[1:]), of.y_val)


def tiles(seed: int, samples: int = 560, noise: float = 22.0) -> data.Split:
    """Coloured pictures (n, 12, 12, 3) of 0 to 255 of floor tiles: lines across, lines down, checks, or one round spot; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    rows, columns = np.mgrid[0:12, 0:12]
    x = np.zeros((samples, 12, 12, 3))
    for image, kind in zip(x, y, strict=True):
        shift, row, column = random.integers(0, 4), *random.integers(4, 8, 2)
        across, down = (rows + shift) // 2 % 2 == 0, (columns + shift) // 2 % 2 == 0
        spot = (rows - row) ** 2 + (columns - column) ** 2 <= 10
        pattern = (across, down, across ^ down, spot)[kind]
        image[:] = np.where(pattern[:, :, None], random.uniform(130, 230, 3), random.uniform(40, 120, 3))
    return _shaped((x + noise * random.normal(size=x.shape)).clip(0, 255), y, seed)


def tickets(seed: int, samples: int = 800, length: int = 20, words: int = 240, told: float = 0.3) -> data.Split:
    """Tickets of a help desk as tokens (n, length) of 1 to words - 1; a share of the words belongs to one of 5 teams; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    x = random.integers(101, words, (samples, length))
    x = np.where(random.random(x.shape) < told, 1 + 20 * y[:, None] + random.integers(0, 20, x.shape), x)
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def bearings(seed: int, samples: int = 560, length: int = 48, noise: float = 0.5) -> data.Split:
    """Vibrations (n, length, 1) of bearings: sound, off balance, worn (a higher tone), or chipped (a knock now and then); 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    moment = np.arange(length) + random.uniform(0, 12, (samples, 1))
    turn = np.sin(2 * np.pi * moment / 12)
    tone = 0.9 * np.sin(2 * np.pi * moment / 4)
    knock = 2.5 * (moment.astype(int) % 12 == 0)
    kinds = np.stack([0.5 * turn, 1.6 * turn, 0.5 * turn + tone, 0.5 * turn + knock], 1)
    x = kinds[np.arange(samples), y] + noise * random.normal(size=(samples, length))
    return _shaped(x[:, :, None], y, seed)


def frauds(seed: int, samples: int = 1400, share: float = 0.08) -> data.Split:
    """Twelve columns on payments, standardised, and whether they are frauds: about this share is; targets (n, 1)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 12))
    pull = 1.5 * x[:, 0] + 1.2 * x[:, 1] - x[:, 2] + 0.8 * x[:, 3] * x[:, 4] + 0.5 * random.logistic(size=samples)
    y = (pull > np.quantile(pull, 1 - share)).astype(np.int64)
    of = data.split(x, y, seed)
    return data.Split(of.x, of.y[:, None].float(), of.x_val, of.y_val[:, None].float())


def cells(seed: int, samples: int = 320, side: int = 16) -> data.Split:
    """Pictures (n, side, side, 1) of 0 to 255 of round cells on a darker ground, and where they are, as masks of 0 and 1."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    x, y = np.zeros((samples, side, side, 1)), np.zeros((samples, side, side, 1))
    for image, mask in zip(x, y, strict=True):
        for _ in range(random.integers(1, 4)):
            row, column = random.integers(2, side - 2, 2)
            mask[(rows - row) ** 2 + (columns - column) ** 2 <= random.uniform(4, 12)] = 1
        image[:] = random.uniform(90, 120) + random.uniform(45, 70) * mask + 18 * random.normal(size=mask.shape)
    cut = samples * 3 // 4
    xs, ys = torch.tensor(x.clip(0, 255), dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def estates(seed: int, samples: int = 600) -> data.Split:
    """Eight measures of houses, standardised, and what they were sold for (n, 1), in dollars, 60,000 to 900,000."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 8))
    price = 310 + 85 * x[:, 0] + 50 * x[:, 1] - 35 * x[:, 2] + 25 * x[:, 0] * (x[:, 3] > 0) + 20 * np.sin(2 * x[:, 4])
    price = 1000 * np.clip(price + 20 * random.normal(size=samples), 60, 900)
    return data.split(x, price[:, None], seed)


def by_targets_spread(of: data.Split) -> data.Split:
    """The same with its targets standardised by the training part."""
    mean, spread = of.y.mean(), of.y.std()
    return data.Split(of.x, (of.y - mean) / spread, of.x_val, (of.y_val - mean) / spread)
