"""What the Keras programs of teams share: Keras at a seed, arrays, gradients of a batch, a small loop by hand, and some data."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from bench.accuracy import data
from bench.accuracy.programs_field_common import Trail

Tell = Callable[[int, dict[str, float]], None]


def keras_at(seed: int) -> Any:
    """The module keras, all of its generators at this seed."""
    keras = importlib.import_module("keras")
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and targets, validation inputs and targets; pictures get their channels last."""
    x, x_val = (one.permute(0, 2, 3, 1) if one.ndim == 4 else one for one in (of.x, of.x_val))
    return x.numpy().copy(), of.y.numpy(), x_val.numpy().copy(), of.y_val.numpy()


def each_epoch(keras: Any, tell: Tell) -> Any:
    """A callback that tells what Keras knows at the end of each epoch, counted from 0."""

    def on_epoch_end(epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        tell(epoch, {name: float(value) for name, value in (logs or {}).items()})

    return keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)


def trail_of(history: Any) -> Trail:
    """What a History has, as plain numbers."""
    return {name: [float(one) for one in values] for name, values in history.history.items()}


def rate_of(keras: Any, model: Any) -> float:
    """The learning rate that is in force."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def probe(keras: Any, model: Any, loss: Any, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Weights, their gradients at a batch (`… /gradient`), by the paths that Keras gives to its variables."""
    model.zero_grad()
    value = loss(keras.ops.convert_to_tensor(y), model(keras.ops.convert_to_tensor(x), training=True))
    if value.requires_grad:
        torch.autograd.backward(value)
    made: dict[str, np.ndarray] = {}
    for one in model.trainable_weights:
        made[f"weights/{one.path}"] = one.value.detach().numpy().copy()
        if one.value.grad is not None:
            made[f"gradients/{one.path}"] = one.value.grad.numpy().copy()
    model.zero_grad()
    return made


def outputs_of(keras: Any, model: Any, x: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of the hidden layers at a batch, by `activations/LAYER`."""
    layers = model.layers[:-1]
    inner = keras.Model(model.inputs, [one.output for one in layers])
    with torch.no_grad():
        found = inner(keras.ops.convert_to_tensor(x), training=False)
    found = found if isinstance(found, list) else [found]
    return {f"activations/{one.name}": np.array(value.numpy()) for one, value in zip(layers, found, strict=True)}


def descend(loss: torch.Tensor, optimizer: Any, weights: list[Any]) -> None:
    """One step of a loop by hand: backward, and the optimizer applied."""
    for one in weights:
        one.value.grad = None
    torch.autograd.backward(loss)
    gradients = [one.value.grad for one in weights]
    with torch.no_grad():
        optimizer.apply(gradients, weights)


def soils(seed: int, samples: int = 700) -> data.Split:
    """Seven measures of fields in their own units (pH, ppm, µS/cm, mm, m …) and the yield (n, 1) in tonnes a hectare, 1 to 10."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(samples, 7))
    grain = 5.5 + 0.9 * z[:, 0] - 0.4 * z[:, 0] ** 2 + 0.8 * z[:, 1] + 0.6 * z[:, 4] * (z[:, 3] > 0) - 0.5 * z[:, 5]
    grain = np.clip(grain + 0.35 * random.normal(size=samples), 1, 10)
    x = z * [0.7, 12, 260, 7, 110, 140, 4] + [6.4, 38, 820, 28, 640, 310, 14]
    return data.split(x, grain[:, None], seed, scaled=False)


def smells(seed: int, samples: int = 480, wrong: float = 0.15) -> data.Split:
    """Forty responses of an electronic nose, and whether the sample is spoilt; this share of the labels is wrong; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 40))
    score = x[:, 0] + 0.8 * x[:, 1] - 0.8 * x[:, 2] + 0.6 * x[:, 3]
    y = (score > 0).astype(np.int64)
    y = np.where(random.random(samples) < wrong, 1 - y, y)
    return data.split(x, y, seed, share=0.5)
