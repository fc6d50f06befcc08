"""What the Keras programs of groups share: a fresh session, arrays of a split, and dumps of what a model holds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.accuracy.data import Split
from bench.accuracy.loggers import Dump

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def keras_at(seed: int) -> Any:
    """Keras with its generators at this seed and its layers named from the start."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: Split) -> Arrays:
    """Training inputs and targets, validation inputs and targets, as numpy has them."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def keywords(seed: int, samples: int = 560, frames: int = 20, bands: int = 10, noise: float = 0.7) -> Arrays:
    """Log-mel pictures (n, frames, bands) with a tone that rises (the keyword, two in five) or falls."""
    random = np.random.default_rng(seed)
    y = (random.random(samples) < 0.4).astype(np.float32)
    time, band = np.mgrid[0:frames, 0:bands]
    start, pace = random.uniform(0, 8, (samples, 1, 1)), random.uniform(0.6, 1.0, (samples, 1, 1))
    place = (time - start) * pace
    place = np.where(y[:, None, None] > 0, place, bands - 1 - place)
    x = 2.0 * np.exp(-((band - place) ** 2)) + noise * random.normal(size=(samples, frames, bands))
    cut = samples * 3 // 4
    x = x.astype(np.float32)
    return x[:cut], y[:cut, None], x[cut:], y[cut:, None]


def inside(keras: Any, model: Any, x: np.ndarray, y: np.ndarray, loss: Any) -> dict[str, np.ndarray]:
    """Weights, gradients at a batch, and outputs of hidden layers, under Keras' own names."""
    told: dict[str, np.ndarray] = {}
    outputs = keras.ops.convert_to_tensor(x)
    layers: list[tuple[str, Any]] = []
    for layer in model.layers:
        outputs = layer(outputs)
        layers.append((layer.name, outputs))
    model.zero_grad()
    keras.ops.mean(loss(keras.ops.convert_to_tensor(y), outputs)).backward()
    for one in model.trainable_variables:
        name = "/".join(one.path.split("/")[-2:])
        told[f"weights/{name}"] = keras.ops.convert_to_numpy(one).copy()
        told[f"gradients/{name}"] = one.value.grad.detach().numpy().copy()
    for name, value in layers[:-1]:
        told[f"activations/{name}"] = value.detach().numpy().copy()
    model.zero_grad()
    return told


def dumping(keras: Any, model: Any, to: Dump, x: np.ndarray, y: np.ndarray, loss: Any, every: int = 1) -> Any:
    """A callback that dumps what is inside a model at a fixed batch each so many epochs."""

    def dump(epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if epoch % every == 0:
            to.dump(epoch, inside(keras, model, x, y, loss))

    return keras.callbacks.LambdaCallback(on_epoch_end=dump, on_train_end=lambda logs: to.close())
