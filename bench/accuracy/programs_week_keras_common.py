"""What the week's Keras programs share: a fresh Keras, its callbacks for logs and dumps, and further data."""

import contextlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.loggers import Dump, Log
from bench.accuracy.programs_field_common import Trail


def fresh(seed: int) -> Any:
    """Keras with layers counted from the first, seeded."""
    keras: Any = importlib.import_module("keras")
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and targets and those of validation; pictures with the channels last."""
    x, x_val = of.x.numpy(), of.x_val.numpy()
    if x.ndim == 4:
        x, x_val = x.transpose(0, 2, 3, 1).copy(), x_val.transpose(0, 2, 3, 1).copy()
    return x, of.y.numpy(), x_val, of.y_val.numpy()


def learn(
    model: Any,
    of: Sequence[np.ndarray],
    epochs: int,
    callbacks: Sequence[Any] = (),
    *,
    batch: int = 32,
    printed: Path | None = None,
    **options: Any,
) -> Trail:
    """model.fit with validation; with `printed`, what verbose=2 prints goes to that file. What was logged, by name."""
    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch, "validation_data": (of[2], of[3]), **options}
    if printed is None:
        return dict(model.fit(of[0], of[1], verbose=0, callbacks=list(callbacks), **given).history)
    with printed.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        return dict(model.fit(of[0], of[1], verbose=2, callbacks=list(callbacks), **given).history)


def teller(keras: Any, log: Log, rename: Callable[[str], str] = str, rate: str = "") -> Any:
    """A callback that hands the values of each epoch to a log, with the learning rate under the name `rate`."""

    class Tell(keras.callbacks.Callback):  # type: ignore[misc]
        """Writes as the training goes on."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            values = {rename(name): float(value) for name, value in (logs or {}).items()}
            if rate:
                values[rate] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            log.log(epoch, values)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            log.close()

    return Tell()


def dumper(
    keras: Any,
    dump: Dump,
    every: int = 1,
    *,
    batches: bool = False,
    weights: str = "{}",
    gradients: str = "",
    outputs: str = "",
    probe: np.ndarray | None = None,
    layers: Sequence[str] = (),
) -> Any:
    """A callback that dumps each so many epochs (or batches): weights, gradients of the last batch, and outputs of layers for a probe,
    each under names of the given form; an empty form: none.
    """

    class Keep(keras.callbacks.Callback):  # type: ignore[misc]
        """Writes as the training goes on."""

        seen = 0

        def keep(self, step: int) -> None:
            """Dump now."""
            made: dict[str, np.ndarray] = {}
            for one in self.model.weights if weights else ():
                made[weights.format(one.path)] = np.array(keras.ops.convert_to_numpy(one))
            for one in self.model.trainable_weights if gradients else ():
                if one.value.grad is not None:
                    made[gradients.format(one.path)] = one.value.grad.detach().numpy().copy()
            if outputs:
                chosen = [self.model.get_layer(name).output for name in layers]
                found = keras.Model(self.model.inputs, chosen)(probe, training=False)
                for name, one in zip(layers, found if isinstance(found, list) else [found], strict=True):
                    made[outputs.format(name)] = np.array(keras.ops.convert_to_numpy(one))
            dump.dump(step, made)

        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            self.seen += 1
            if batches and (self.seen - 1) % every == 0:
                self.keep(self.seen)

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if not batches and epoch % every == 0:
                self.keep(epoch)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            dump.close()

    return Keep()


def frauds(seed: int, samples: int = 1600, share: float = 0.05, apart: float = 1.5) -> data.Split:
    """Payments (n, 8), standardised, of which this share is fraud: it lies apart, but not far; 2 classes."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < share).astype(np.int64)
    x = random.normal(size=(samples, 8))
    x[:, 0] += apart * y
    x[:, 3] -= 0.8 * apart * y
    return data.split(x, y, seed)


def wear(seed: int, samples: int = 640) -> data.Split:
    """Six standardised measures of a bearing and its wear (n, 1), standardised, whose noise is far smaller where it runs cool."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 6))
    level = 0.8 * x[:, 0] + 0.5 * np.tanh(x[:, 1]) - 0.3 * x[:, 2]
    spread = 0.03 + 0.12 / (1 + np.exp(-2 * x[:, 3]))
    return data.split(x, (level + spread * random.normal(size=samples))[:, None], seed)
