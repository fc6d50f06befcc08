"""What the decade programs with Keras, numpy and scikit-learn share: Keras itself, callbacks that log and dump, and a few data."""

import contextlib
import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.accuracy.data import Split
from bench.accuracy.loggers import Dump, Log
from bench.accuracy.programs_post_common import board

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""x, y, x_val, y_val."""


def keras_of(seed: int) -> Any:
    """Keras, with fresh layer names and this seed."""
    keras = importlib.import_module("keras")
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def library(name: str) -> Any:
    """A module of a library that is not typed."""
    return importlib.import_module(name)


def arrays(of: Split) -> Arrays:
    """A split as numpy arrays."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def last_channel(of: Split) -> Split:
    """Pictures with their channels last, as Keras has them."""
    return replace(of, x=of.x.permute(0, 2, 3, 1).contiguous(), x_val=of.x_val.permute(0, 2, 3, 1).contiguous())


def stack(keras: Any, shape: tuple[int, ...], *layers: Any) -> Any:
    """A Sequential model over inputs of a shape."""
    return keras.Sequential([keras.Input(shape), *layers])


def tensorboard(keras: Any, run: Path, weights: int = 0, batches: int = 0) -> Any:
    """Keras' TensorBoard callback."""
    return board(keras, run, weights=weights, batches=batches)


def csv_logger(keras: Any, run: Path, name: str = "training.csv", separator: str = ",") -> Any:
    """Keras' CSVLogger."""
    return keras.callbacks.CSVLogger(str(run / name), separator=separator)


def teller(keras: Any, log: Log, names: Mapping[str, str] | None = None, rate: str = "", first: int = 0) -> Any:
    """A LambdaCallback-like writer of the epoch's logs to any logger, under other names; `rate` is the name of the learning rate."""
    told = dict(names or {})

    class Teller(keras.callbacks.Callback):  # type: ignore[misc]
        """Writes once an epoch."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            values = {told.get(name, name): float(value) for name, value in (logs or {}).items()}
            if rate:
                values[rate] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            log.log(first + epoch, values)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            log.close()

    return Teller()


def history_json(run: Path, trail: Mapping[str, list[float]], name: str = "history.json") -> None:
    """json.dump(history.history), as everybody does it."""
    (run / name).write_text(json.dumps({key: [float(one) for one in values] for key, values in trail.items()}))


def copied(value: Any) -> np.ndarray:
    """A copy of a tensor of torch as an array."""
    return np.array(value.detach().cpu().numpy())


def dumper(
    keras: Any, to: Dump, every: int, what: str = "wg", probe: np.ndarray | None = None, epochs: bool = False
) -> Any:
    """Dumps weights (w), gradients (g) and, on a probe, activations (a) each so many batches, or epochs."""

    class Dumper(keras.callbacks.Callback):  # type: ignore[misc]
        """Keeps the tensors under Keras' names."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            self.done = 0

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.done += 1
            if not epochs and (self.done - 1) % every == 0:
                to.dump(self.done, tensors(keras, self.model, what, probe))

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if epochs and epoch % every == 0:
                to.dump(epoch, tensors(keras, self.model, what, probe))

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            to.close()

    return Dumper()


def tensors(keras: Any, model: Any, what: str, probe: np.ndarray | None) -> dict[str, np.ndarray]:
    """Weights, gradients of the last batch, and activations on a probe, by Keras' names."""
    made: dict[str, np.ndarray] = {}
    for layer in model.layers:
        for one in layer.trainable_variables + layer.non_trainable_variables:
            if "seed" in one.path:
                continue
            name = f"{layer.name}/{one.name}"
            if "w" in what:
                made[f"weights/{name}"] = copied(one.value)
            if "g" in what and one.value.grad is not None:
                made[f"gradients/{name}"] = copied(one.value.grad)
    if "a" in what and probe is not None:
        shown = [one for one in model.layers if getattr(one, "activation", None) is not None]
        with torch.no_grad():
            outputs = keras.Model(model.inputs, [one.output for one in shown])(probe)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        for layer, output in zip(shown, outputs, strict=True):
            made[f"activations/{layer.name}/{layer.activation.__name__}"] = copied(output)
    return made


@contextlib.contextmanager
def printed(run: Path, name: str = "train.log") -> Iterator[None]:
    """What is printed goes to a file, as with `python train.py > train.log`."""
    with (run / name).open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        yield


def spam(seed: int, samples: int = 800, share: float = 0.5, clear: float = 1.6, inputs: int = 12) -> Split:
    """Transactions of twelve standard measures; this share of them is bad, and lies elsewhere; 2 classes."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < share).astype(np.int64)
    x = random.normal(size=(samples, inputs))
    x[:, 0] += clear * y
    x[:, 1] -= clear * y
    x[:, 2] += clear * y * x[:, 3]
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    cut = samples * 3 // 4
    return Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def waves(seed: int, samples: int = 500, length: int = 40, noise: float = 0.3) -> Split:
    """Signals (n, length, 1): a slow, a fast or a square wave of any phase; 3 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    phase = random.uniform(0, 2 * np.pi, (samples, 1))
    moment = np.arange(length)[None] * 2 * np.pi / 20
    kinds = np.stack([np.sin(moment + phase), np.sin(2.2 * moment + phase), np.sign(np.sin(moment + phase))], 1)
    x = kinds[np.arange(samples), y] + noise * random.normal(size=(samples, length))
    xs, ys = torch.tensor(x[:, :, None], dtype=torch.float32), torch.tensor(y)
    cut = samples * 3 // 4
    return Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])
