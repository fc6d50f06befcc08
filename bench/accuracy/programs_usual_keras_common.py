"""What the usual programs in Keras and scikit-learn share: a fresh Keras, dumps from callbacks, and some data."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.data import Split
from bench.accuracy.loggers import Dump
from bench.accuracy.programs_field_common import Trail

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Training inputs and targets, validation inputs and targets."""


def fresh(seed: int) -> Any:
    """Keras with its names and generators begun anew."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: Split) -> Arrays:
    """A split as arrays; pictures (n, channels, rows, columns) with their channels last."""
    x, x_val = (np.moveaxis(one.numpy(), 1, -1) if one.dim() == 4 else one.numpy() for one in (of.x, of.x_val))
    return np.ascontiguousarray(x), of.y.numpy(), np.ascontiguousarray(x_val), of.y_val.numpy()


def learn(model: Any, of: Arrays, epochs: int, callbacks: list[Any], printed: Path | None = None, **more: Any) -> Trail:
    """model.fit with validation; what its history holds. With `printed`, what verbose=2 prints goes there."""
    x, y, x_val, y_val = of
    file = printed.open("a", encoding="utf-8") if printed else None
    with contextlib.redirect_stdout(file) if file else contextlib.nullcontext():
        history = model.fit(
            x,
            y,
            validation_data=(x_val, y_val),
            epochs=epochs,
            callbacks=callbacks,
            verbose=2 if printed else 0,
            **{"batch_size": 32, **more},
        ).history
    if file:
        file.close()
    return {name: [float(value) for value in values] for name, values in history.items()}


def dumping(
    keras: Any, dump: Dump, sample: np.ndarray, every: int, forms: tuple[str, str, str], inputs: str = ""
) -> Any:
    """A callback that dumps weights, gradients and outputs of hidden layers each so many epochs; `forms` are the forms of their names, of
    which an empty one is left out; `inputs` is a name for the sample itself.
    """

    def as_array(value: Any) -> np.ndarray:
        return np.array(keras.ops.convert_to_numpy(value))

    class Dumping(keras.callbacks.Callback):  # type: ignore[misc]
        """Writes as the training goes on."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            hidden = [one for one in self.model.layers[:-1] if getattr(one, "activation", None) is not None]
            self.names = [one.name for one in hidden]
            self.probe = keras.Model(self.model.inputs, [one.output for one in hidden]) if hidden else None

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if epoch % every:
                return
            weights, gradients, outputs = forms
            made: dict[str, np.ndarray] = {inputs: sample} if inputs else {}
            for one in self.model.trainable_weights:
                name = "/".join(one.path.split("/")[-2:])
                made[weights.format(name)] = as_array(one)
                if gradients and one.value.grad is not None:
                    made[gradients.format(name)] = as_array(one.value.grad)
            if outputs and self.probe is not None:
                found = self.probe(sample)
                found = found if isinstance(found, list) else [found]
                for name, value in zip(self.names, found, strict=True):
                    made[outputs.format(name)] = as_array(value.detach())
            dump.dump(epoch, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            dump.close()

    return Dumping()


def lines(keras: Any, path: Path) -> Any:
    """The LambdaCallback of the documentation, which writes one JSON object an epoch."""

    def tell(epoch: int, logs: Mapping[str, float]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, **{name: float(value) for name, value in logs.items()}}) + "\n")

    return keras.callbacks.LambdaCallback(on_epoch_end=tell)


def frauds(seed: int, samples: int = 2400, share: float = 0.04) -> Arrays:
    """Fourteen standardised columns on payments, and which few of them are frauds; overlapping."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < share).astype(np.int64)
    x = random.normal(size=(samples, 14)).astype(np.float32)
    x[:, :4] += 0.85 * y[:, None]
    cut = samples * 3 // 4
    return x[:cut], y[:cut], x[cut:], y[cut:]


def loans(seed: int, samples: int = 1000) -> tuple[Arrays, list[str]]:
    """Loans of a bank and who did not pay back, with `late_fee`, which is known only afterwards; names of the columns."""
    random = np.random.default_rng(seed)
    names = ["age", "income", "amount", "months", "debts", "years_employed", "cards", "late_fee"]
    z = random.normal(size=(samples, 8))
    risk = 1.6 * z[:, 4] - 1.4 * z[:, 1] + 1.0 * z[:, 2] - 0.7 * z[:, 5] + 0.8 * z[:, 3] * z[:, 2] - 0.3
    y = (1.3 * risk + random.logistic(size=samples) > 0).astype(np.int64)
    x = z * [11, 1200, 4000, 14, 900, 6, 2, 1] + [42, 3100, 9000, 36, 1500, 9, 3, 0]
    x[:, 7] = np.where(y == 1, random.uniform(20, 90, samples), 0.0)
    cut = samples * 3 // 4
    return (x[:cut], y[:cut], x[cut:], y[cut:]), names


def beats(seed: int, samples: int = 560, length: int = 40, noise: float = 0.25) -> Arrays:
    """Heartbeats (n, length, 1) of four forms: normal, early, wide and without a P wave; 4 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, samples)
    at = np.linspace(0, 1, length)
    shift = 0.04 * random.normal(size=(samples, 1))

    def wave(centre: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
        form: np.ndarray = height * np.exp(-(((at - centre - shift) / width) ** 2))
        return form

    kind = y[:, None]
    ones = np.ones((samples, 1))
    x = wave(0.25 * ones, 0.05 * ones, np.where(kind == 3, 0.0, 0.6))
    x = x + wave(np.where(kind == 1, 0.36, 0.45), np.where(kind == 2, 0.08, 0.03), 1.6 * ones)
    x = x + wave(0.7 * ones, 0.08 * ones, np.where(kind == 2, -0.5, 0.5))
    x = (x + noise * random.normal(size=x.shape)).astype(np.float32)[:, :, None]
    cut = samples * 3 // 4
    return x[:cut], y[:cut], x[cut:], y[cut:]


def scaled(x: np.ndarray, x_val: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both standardised by the first."""
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    return (x - mean) / deviation, (x_val - mean) / deviation
