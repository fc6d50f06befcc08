"""What the Keras programs of hobbyists share: the backend, arrays, callbacks that log as people log, and a dump of tensors."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.data import Split
from bench.accuracy.loggers import Dump, Log

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Inputs and targets to train on, inputs and targets to validate on."""


def keras_at(seed: int) -> Any:
    """Keras with the torch backend, fresh names of layers, and all generators at this seed."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: Split) -> Arrays:
    """A split as numpy arrays."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def trail(history: Any) -> dict[str, list[float]]:
    """What `fit` returned, as lists of plain floats."""
    return {name: [float(one) for one in values] for name, values in history.history.items()}


def renamed(keras: Any, log: Log, names: Mapping[str, str], first: int = 0) -> Any:
    """A LambdaCallback of a kind: passes the logs of each epoch to a writer under names of one's own; unnamed ones are left out."""

    class Renamed(keras.callbacks.Callback):
        """Writes at the end of each epoch."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            found = dict(logs or {})
            found["lr"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            log.log(epoch + first, {told: float(found[name]) for name, told in names.items() if name in found})

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            log.close()

    return Renamed()


def progress(keras: Any, path: Path, epochs: int, rate: bool = False) -> Any:
    """What `python train.py | tee train.log` leaves with verbose=2: `Epoch 3/20` and `13/13 - 1s - loss: … - val_loss: …`."""

    class Progress(keras.callbacks.Callback):
        """Appends two lines each epoch."""

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.batches = batch + 1

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            found = dict(logs or {})
            if rate:
                found["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            told = " - ".join(
                f"{name}: {value:.4e}" if value < 1e-3 else f"{name}: {value:.4f}" for name, value in found.items()
            )
            with path.open("a", encoding="utf-8") as file:
                file.write(f"Epoch {epoch + 1}/{epochs}\n{self.batches}/{self.batches} - 1s - 42ms/step - {told}\n")

    return Progress()


def save_history(path: Path, history: Mapping[str, Sequence[float]]) -> None:
    """json.dump(history.history, open(path, 'w')), as the forum says."""
    path.write_text(json.dumps(history), encoding="utf-8")


def dumper(keras: Any, to: Dump, every: int, form: Sequence[str], probe: np.ndarray | None = None) -> Any:
    """Dumps weights, gradients and, of a probe, outputs of the layers each so many batches. `form` has the three spellings of names."""

    class Dumper(keras.callbacks.Callback):
        """Looks at the model after a batch; the backend keeps the gradients until the next."""

        seen = 0

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if (self.seen - 1) % every:
                return
            made: dict[str, np.ndarray] = {}
            for one in self.model.weights:
                if "seed_generator" in one.path:
                    continue
                made[form[0].format(one.path)] = np.array(keras.ops.convert_to_numpy(one))
                slope = one.value.grad
                if slope is not None:
                    made[form[1].format(one.path)] = slope.detach().numpy().copy()
            if probe is not None:
                value = keras.ops.convert_to_tensor(probe)
                for layer in self.model.layers:
                    value = layer(value, training=False)
                    if "dense" in layer.name or "conv" in layer.name or "activation" in layer.name:
                        made[form[2].format(layer.name)] = np.array(keras.ops.convert_to_numpy(value))
            to.dump(self.seen, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            to.close()

    return Dumper()
