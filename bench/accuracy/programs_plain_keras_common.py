"""What the everyday programs of other frameworks share: Keras' own fit, logs of Lightning, data, and dumps from Keras models."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.loggers import Csv, Dump
from bench.accuracy.programs_field_common import Trail


def keras_at(seed: int) -> Any:
    """Keras on torch, with all its generators at this seed."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    keras.utils.set_random_seed(seed)
    keras.backend.clear_session()
    return keras


def arrays(of: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, x_val and y_val as numpy arrays; pictures with their channels last."""
    parts = [one.numpy() for one in (of.x, of.y, of.x_val, of.y_val)]
    return tuple(np.moveaxis(one, 1, -1).copy() if one.ndim == 4 else one for one in parts)  # type: ignore[return-value]


def taught(model: Any, of: data.Split, epochs: int, callbacks: list[Any], **more: Any) -> Trail:
    """What model.fit says, epoch by epoch."""
    x, y, x_val, y_val = arrays(of)
    about = {"batch_size": 32, "verbose": 0, **more}
    history = model.fit(x, y, validation_data=(x_val, y_val), epochs=epochs, callbacks=callbacks, **about)
    return {name: [float(one) for one in values] for name, values in history.history.items()}


def column(of: data.Split) -> data.Split:
    """The same with targets as a column of floats (n, 1), as sigmoid outputs want them."""
    return data.Split(of.x, of.y.float().reshape(-1, 1), of.x_val, of.y_val.float().reshape(-1, 1))


def probe(keras: Any, of: data.Split, dump: Dump, every: int = 1, outputs: tuple[str, ...] = ()) -> Any:
    """A callback that dumps weights, the gradients of a batch, and outputs of some layers, after each so many epochs."""
    x, y = (one[:64] for one in arrays(of)[:2])

    class Probe(keras.callbacks.Callback):  # type: ignore[misc]
        """Dumps as the training goes on."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """Dump, unless this epoch is left out."""
            if epoch % every:
                return
            told = self.model(keras.ops.convert_to_tensor(x), training=True)
            loss = self.model.compute_loss(y=keras.ops.convert_to_tensor(y), y_pred=told)
            learning = self.model.trainable_variables
            found = torch.autograd.grad(loss, [one.value for one in learning], allow_unused=True)
            made = {f"weights/{one.path}": np.array(keras.ops.convert_to_numpy(one)) for one in self.model.weights}
            for one, gradient in zip(learning, found, strict=True):
                if gradient is not None:
                    made[f"gradients/{one.path}"] = gradient.numpy().copy()
            if outputs:
                inner = keras.Model(self.model.inputs, [self.model.get_layer(one).output for one in outputs])
                for one, value in zip(outputs, inner.predict_on_batch(x), strict=True):
                    made[f"activations/{one}"] = np.array(value)
            dump.dump(epoch, made)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            """Finish the file."""
            dump.close()

    return Probe()


class LightningCsv(Csv):
    """metrics.csv in lightning_logs/version_0, with the epoch of each row; steps count from 0, as Lightning's do."""

    def __init__(self, run: Path, per_epoch: int, hparams: Mapping[str, Any]) -> None:
        folder = run / "lightning_logs" / "version_0"
        folder.mkdir(parents=True)
        told = "".join(f"{name}: {value}\n" for name, value in hparams.items())
        (folder / "hparams.yaml").write_text(told, encoding="utf-8")
        super().__init__(folder, "plain", "metrics.csv", "step")
        self.per_epoch = per_epoch

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a row; the mean of a rate that stands still is that rate."""
        told = {name: round(value, 9) if name.startswith("lr-") else value for name, value in values.items()}
        self.rows.append({"epoch": (step - 1) // self.per_epoch, **told, self.axis: step - 1})


def payments(seed: int, samples: int = 2400, share: float = 0.04) -> data.Split:
    """Eight standardised measures of payments, a small share of which is fraud; the two kinds overlap; 2 classes."""
    random = np.random.default_rng(seed)
    y = (np.arange(samples) < share * samples).astype(np.int64)
    x = random.normal(size=(samples, 8))
    x[:, :3] += np.array([1.3, -1.0, 0.9]) * y[:, None]
    return data.split(x, y, seed)


def tickets(seed: int, samples: int = 1400, longest: int = 20, empty: int = 1) -> data.Split:
    """Support tickets as tokens (n, longest), 0 after their end, of 3 classes; one of the first thousand has no word at all."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, samples)
    x = random.integers(61, 150, (samples, longest))
    x = np.where(random.random(x.shape) < 0.25, 1 + 20 * y[:, None] + random.integers(0, 20, x.shape), x)
    length = random.integers(6, longest + 1, samples)
    length[random.choice(1000, empty, replace=False)] = 0
    x[np.arange(longest) >= length[:, None]] = 0
    xs, ys = torch.tensor(x), torch.tensor(y)
    return data.Split(xs[:1000], ys[:1000], xs[1000:], ys[1000:])
