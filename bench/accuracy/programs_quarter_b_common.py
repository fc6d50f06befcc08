"""What part b of the quarter programs shares: Keras set up afresh, its fit() with ordinary logs, and dumps of its tensors."""

import contextlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.data import Split
from bench.accuracy.loggers import Dump

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Training inputs and targets, validation inputs and targets."""
Trail = dict[str, list[float]]
"""What was logged, by name, in order."""


def fresh(seed: int) -> Any:
    """Keras with its generators at this seed and its names counted from the start."""
    keras = importlib.import_module("keras")
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: Split) -> Arrays:
    """A split as arrays."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def one_hot(y: np.ndarray, classes: int) -> np.ndarray:
    """What to_categorical makes."""
    made: np.ndarray = np.eye(classes, dtype=np.float32)[y]
    return made


def stack(keras: Any, inputs: Sequence[int], *layers: Any) -> Any:
    """A Sequential model."""
    return keras.Sequential([keras.Input(tuple(inputs)), *layers])


def fit(
    model: Any,
    of: Arrays,
    epochs: int,
    *,
    batch: int = 32,
    callbacks: Sequence[Any] = (),
    printed: Path | None = None,
    verbose: int = 2,
    **more: Any,
) -> Trail:
    """model.fit() with validation data; with `printed`, what it prints goes to that file. The history."""
    x, y, x_val, y_val = of
    given = {
        "batch_size": batch,
        "epochs": epochs,
        "callbacks": list(callbacks),
        "validation_data": (x_val, y_val),
        **more,
    }
    if printed is None:
        done = model.fit(x, y, verbose=0, **given)
    else:
        with printed.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
            done = model.fit(x, y, verbose=verbose, **given)
    return {name: [float(one) for one in values] for name, values in done.history.items()}


def tensor_dump(keras: Any, to: Dump, x: np.ndarray, y: np.ndarray, what: str = "wg", every: int = 1) -> Any:
    """A callback that dumps weights (w), gradients (g) and activations (a) on a batch each so many epochs, and before the first."""

    class TensorDump(keras.callbacks.Callback):  # type: ignore[misc]
        """Dumps as the training goes on."""

        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if epoch % every:
                return
            model, made = self.model, {}
            inputs = keras.ops.convert_to_tensor(x)
            if "w" in what:
                for one in model.weights:
                    made[f"weights/{_named(one)}"] = np.array(keras.ops.convert_to_numpy(one))
            if "g" in what:
                model.zero_grad()
                told = model(inputs, training=False)
                loss = model.compute_loss(inputs, keras.ops.convert_to_tensor(y), told)
                if loss.requires_grad:
                    loss.backward()
                for one in model.trainable_weights:
                    if one.value.grad is not None:
                        made[f"gradients/{_named(one)}"] = one.value.grad.numpy().copy()
                model.zero_grad()
            if "a" in what:
                at = inputs
                for layer in model.layers:
                    at = layer(at)
                    made[f"activations/{layer.name}"] = np.array(keras.ops.convert_to_numpy(at))
            to.dump(epoch, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            to.close()

    return TensorDump()


def _named(variable: Any) -> str:
    """The path of a variable without the name of the model."""
    path = str(variable.path)
    return path.split("/", 1)[1] if path.startswith(("sequential", "functional")) else path
