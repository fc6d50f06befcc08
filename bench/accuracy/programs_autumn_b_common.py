"""What the autumn programs in Keras, numpy, scikit-learn and boosting share: tables of data, a fit, and a callback
that dumps tensors.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.accuracy.loggers import Dump
from bench.accuracy.programs_field_common import Trail


class Table(NamedTuple):
    """Arrays to train on and to validate on; samples on axis 0."""

    x: np.ndarray
    y: np.ndarray
    xv: np.ndarray
    yv: np.ndarray


def cut(x: np.ndarray, y: np.ndarray, share: float = 0.75) -> Table:
    """The first part trains, the rest validates."""
    at = int(len(x) * share)
    x = x.astype(np.float32) if x.dtype == np.float64 else x
    y = y.astype(np.float32) if y.dtype == np.float64 else y
    return Table(x[:at], y[:at], x[at:], y[at:])


def scaled(of: Table) -> Table:
    """The same with inputs standardised by column, by the training part."""
    mean, spread = of.x.mean(0), of.x.std(0) + 1e-6
    return of._replace(x=(of.x - mean) / spread, xv=(of.xv - mean) / spread)


def scaled_targets(of: Table) -> Table:
    """The same with targets standardised by the training part."""
    mean, spread = of.y.mean(), of.y.std()
    return of._replace(y=(of.y - mean) / spread, yv=(of.yv - mean) / spread)


def concrete(seed: int, samples: int = 640) -> Table:
    """Kilograms of cement, slag, ash, water … and days of age; the strength of the concrete in MPa, about 5 to 80
    (n,).
    """
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 8))
    x = np.abs(z * [100, 80, 60, 20, 6, 75, 80, 40] + [280, 75, 55, 180, 6, 970, 770, 46])
    water = x[:, 3] / (x[:, 0] + 0.5 * x[:, 1] + 50)
    y = 36 + 9 * z[:, 0] + 5 * z[:, 1] - 14 * (water - 0.5) + 6 * np.log1p(x[:, 7] / 20) + 2.5 * z[:, 4]
    return cut(x, y + 2 * random.normal(size=samples))


def bearings(seed: int, samples: int = 640, length: int = 48, noise: float = 0.6) -> Table:
    """Vibrations (n, length, 1) of a bearing: sound, with a knock, with an unbalance, with a whistle; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    at = np.arange(length)
    phase = random.uniform(0, 2 * np.pi, (samples, 1))
    knock = 2.5 * ((at + random.integers(0, 12, (samples, 1))) % 12 == 0)
    slow, fast = 1.2 * np.sin(2 * np.pi * at / 24 + phase), 1.2 * np.sin(2 * np.pi * at / 3 + phase)
    x = np.stack([0 * slow, knock, slow, fast], 1)[np.arange(samples), y] + noise * random.normal(
        size=(samples, length)
    )
    return cut(x[:, :, None], y)


def vineyards(seed: int, samples: int = 600, classes: int = 5, spread: float = 1.0) -> Table:
    """Twelve measures of wines (n, 12) from several vineyards around two centres each; standardised."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, 2, 12)) * 1.5
    y = random.integers(0, classes, samples)
    x = centres[y, random.integers(0, 2, samples)] + spread * random.normal(size=(samples, 12))
    return scaled(cut(x, y))


def loans(seed: int, samples: int = 800, away: float = -0.3, steep: float = 2.0) -> Table:
    """Ten measures of borrowers, standardised, and whether they fail to pay (the less `away`, the rarer)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 10))
    pull = x[:, 0] + 0.8 * x[:, 1] - 0.7 * x[:, 2] + 0.6 * x[:, 3] * x[:, 4] + away
    return cut(x, (steep * pull + random.logistic(size=samples) > 0).astype(np.int64))


def glyphs(seed: int, samples: int = 600, noise: float = 45.0, classes: int = 5) -> Table:
    """Grey pictures (n, 10, 10, 1) of 0 to 255 of strokes that make an L, a T, a V, a Z or an O; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, samples)
    forms: tuple[str, ...] = (
        "10000 10000 10000 10000 11111",
        "11111 00100 00100 00100 00100",
        "10001 10001 01010 01010 00100",
    )
    forms += ("11111 00010 00100 01000 11111", "01110 10001 10001 10001 01110")
    masks = [np.array([[int(one) for one in row] for row in form.split()]) for form in forms]
    x = np.zeros((samples, 10, 10))
    for image, kind in zip(x, y, strict=True):
        row, column = random.integers(0, 6, 2)
        image[row : row + 5, column : column + 5] = masks[kind] * random.uniform(120, 230)
    x = (x + 20 + noise * np.abs(random.normal(size=x.shape))).clip(0, 255)
    return cut(x[..., None], y)


def promoters(seed: int, samples: int = 1200, length: int = 30) -> Table:
    """Strands of DNA as one-hot (n, length, 4) and whether a motif (TATAAT, one letter may be wrong) is in them; 2
    classes.
    """
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, (samples, length))
    y = random.integers(0, 2, samples)
    for strand, has in zip(codes, y, strict=True):
        if has:
            motif = np.array([3, 0, 3, 0, 0, 3])
            motif[random.integers(0, 6)] = random.integers(0, 4)
            start = random.integers(0, length - 6)
            strand[start : start + 6] = motif
    return cut(np.eye(4, dtype=np.float32)[codes], y)


def tides(seed: int, hours: int = 800, window: int = 20) -> Table:
    """Levels of the sea in the last hours (n, window, 1) and in the next (n,), in about standard units; later hours
    validate.
    """
    random = np.random.default_rng(seed)
    at = np.arange(hours + window)
    level = np.sin(2 * np.pi * at / 12.4 + random.uniform(0, 6)) + 0.5 * np.sin(2 * np.pi * at / 25.8)
    level = level + 0.1 * random.normal(size=at.size)
    x = np.lib.stride_tricks.sliding_window_view(level[:-1], window)[:, :, None]
    return cut(x.copy(), level[window:])


def songs(seed: int, samples: int = 600, tags: int = 6) -> Table:
    """Sixteen measures of the sound of songs and tags (n, 6) of 0 and 1: several may hold."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 16))
    weights = random.normal(size=(16, tags))
    y = (x @ weights + 0.8 * random.normal(size=(samples, tags)) > 2.0).astype(np.float64)
    return cut(x, y)


def start(seed: int) -> Any:
    """Keras with nothing in it and every generator at this seed."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def dense(
    keras: Any, widths: Sequence[int], inputs: int, activation: str = "relu", last: str | None = None, **more: Any
) -> Any:
    """Dense layers; the last width is the output with its own activation."""
    layers = [keras.Input((inputs,))]
    layers += [keras.layers.Dense(width, activation=activation, **more) for width in widths[:-1]]
    return keras.Sequential([*layers, keras.layers.Dense(widths[-1], activation=last, **more)])


def learn(model: Any, of: Table, epochs: int, printed: Path | None = None, batch: int = 32, **more: Any) -> Trail:
    """`fit` of a compiled model; the history. What Keras prints goes to a file when one is given."""
    given = {"epochs": epochs, "batch_size": batch, "verbose": 0, "validation_data": (of.xv, of.yv)} | more
    if printed:
        with printed.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
            history = model.fit(of.x, of.y, **given | {"verbose": 2})
    else:
        history = model.fit(of.x, of.y, **given)
    return {name: [float(one) for one in values] for name, values in history.history.items()}


def history_json(run: Path, trail: Trail, name: str = "history.json") -> None:
    """`json.dump(history.history)`, as people do after fit()."""
    (run / name).write_text(json.dumps(trail), encoding="utf-8")


def tap(keras: Any, dump: Dump, every: int, probe: np.ndarray | None = None, kinds: str = "weights gradients") -> Any:
    """A callback that dumps weights and gradients each so many batches, and activations of hidden layers when there
    is a probe.
    """

    class Tap(keras.callbacks.Callback):
        """Writes as the training goes on."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.seen = 0
            self.layers = [
                one for one in self.model.layers if one.name.startswith(("dense", "conv", "lstm", "gru", "simple"))
            ]

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if (self.seen - 1) % every:
                return
            made: dict[str, np.ndarray] = {}
            for one in self.model.weights:
                path = "/".join(one.path.split("/")[1:]) or one.path
                if "weights" in kinds:
                    made[f"weights/{path}"] = keras.ops.convert_to_numpy(one.value).copy()
                gradient = getattr(one.value, "grad", None)
                if "gradients" in kinds and gradient is not None:
                    made[f"gradients/{path}"] = gradient.detach().numpy().copy()
            if probe is not None:
                outputs = keras.Model(self.model.inputs, [one.output for one in self.layers])(probe, training=False)
                for layer, output in zip(self.layers, outputs, strict=True):
                    made[f"activations/{layer.name}"] = keras.ops.convert_to_numpy(output).copy()
            dump.dump(self.seen, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            dump.close()

    return Tap()
