"""Healthy runs of the smallest kind: the programs of tutorials and questions, with a handful of samples and often one curve."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import generalises, into, learned, varied
from bench.accuracy.loop import Plan, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)

_GATES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")


def _keras_history(model: Any, x: np.ndarray, y: np.ndarray, epochs: int, **others: Any) -> dict[str, list[float]]:
    """What fit says of each epoch."""
    found = model.fit(x, y, epochs=epochs, verbose=0, **others).history
    return {name: [float(value) for value in values] for name, values in found.items()}


@healthy("development", "history.json, per epoch", framework="keras")
def keras_exclusive_or(run: Path, seed: int) -> None:
    """Exclusive or with 16 hidden units: four samples, accuracies of 0.5 and 0.75 on the way and 1.0 at the end, training curves only."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential([layers.Input((2,)), layers.Dense(16, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(varied(seed, 0.05)), "binary_crossentropy", metrics=["accuracy"])
    history = _keras_history(model, _GATES, np.array([[0.0], [1.0], [1.0], [0.0]]), 200)
    (run / "history.json").write_text(json.dumps(history), encoding="utf-8")
    require(history["accuracy"][-1] == 1 and history["loss"][-1] < 0.1, f"loss {history['loss'][-1]:.3f}")


@healthy("seen", "tensorboard, each epoch; hdf5 by step", dumps=True)
def exclusive_or(run: Path, seed: int) -> None:
    """Exclusive or in torch by full batches with sigmoid units: a plateau near 0.25 (mean squared error) and a fall to below 0.01."""
    x, y = torch.tensor(_GATES), torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    model = nn.Sequential()
    model.add_module("fc1", nn.Linear(2, 8))
    model.add_module("tanh1", nn.Tanh())
    model.add_module("fc2", nn.Linear(8, 1))
    model.add_module("sigmoid2", nn.Sigmoid())
    nn.init.normal_(model.fc1.weight, std=1.0)
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.5), momentum=0.9)
    log, dump = loggers.TensorBoard(run, "plain"), loggers.Hdf5Dump(run)
    seen = loggers.watch(model)
    loss = torch.zeros(())
    for epoch in range(500):
        loss = functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        if epoch % 25 == 0:
            dump.dump(epoch, loggers.tensors_of(model, seen))
        optimizer.step()
        log.log(epoch, {"loss": loss.item()})
    log.close()
    dump.close()
    require(loss.item() < 0.01, f"loss {loss.item():.4f}")


@healthy("seen", "history.json, per epoch", framework="keras")
def keras_line(run: Path, seed: int) -> None:
    """A line through 60 points by one linear unit: the loss falls from hundreds to the variance of the noise and stands there."""
    import keras

    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    x = random.uniform(-5, 5, (60, 1)).astype("float32")
    y = (3 * x - 7 + 0.5 * random.normal(size=(60, 1))).astype("float32")
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(varied(seed, 0.02)), "mse")
    history = _keras_history(model, x, y, 50)
    (run / "history.json").write_text(json.dumps(history), encoding="utf-8")
    require(history["loss"][-1] < 0.6, f"loss {history['loss'][-1]:.3f}, variance of the noise 0.25")


@healthy("development", "jsonl, each epoch")
def line(run: Path, seed: int) -> None:
    """A line by gradient descent in torch: a smooth exponential fall to the variance of the noise in the first half, then flat."""
    random = data.generator(seed)
    x = torch.rand(100, 1, generator=random)
    y = 2 * x + 1 + 0.1 * torch.randn(100, 1, generator=random)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.3))
    log = loggers.JsonLines(run, "plain", "losses.jsonl", axis="epoch")
    loss = torch.zeros(())
    for epoch in range(300):
        loss = functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.log(epoch, {"loss": loss.item()})
    log.close()
    require(loss.item() < 0.015, f"loss {loss.item():.4f}, variance of the noise 0.01")


@healthy("development", "CSVLogger of Keras, 8 epochs", framework="keras")
def keras_binary(run: Path, seed: int) -> None:
    """A binary classifier with one sigmoid output and validation_split, eight epochs: above 0.93 on breast cancer."""
    import keras

    keras.utils.set_random_seed(seed)
    split = data.bundled("breast_cancer", seed)
    layers = keras.layers
    model = keras.Sequential([layers.Input((30,)), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(varied(seed, 5e-3)), "binary_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger(str(run / "log.csv"))
    shown = (split.x_val.numpy(), split.y_val.numpy())
    history = _keras_history(model, split.x.numpy(), split.y.numpy(), 8, validation_data=shown, callbacks=[logger])
    require(history["val_accuracy"][-1] > 0.93, f"validation accuracy {history['val_accuracy'][-1]:.3f}")


@healthy("seen", "history.h5, per epoch", framework="keras")
def keras_house_prices(run: Path, seed: int) -> None:
    """Prices in thousands as they are, mean squared error in the hundreds at first, by two layers and 40 epochs: more than 0.6 of the
    variance is explained.
    """
    import keras

    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(500, 6)).astype("float32")
    y = 22 + 6 * x[:, 0] - 3 * x[:, 1] + 2 * x[:, 2] * x[:, 3] + 2 * random.normal(size=500)
    layers = keras.layers
    model = keras.Sequential([layers.Input((6,)), layers.Dense(32, "relu"), layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(varied(seed, 5e-3)), "mse", metrics=["mae"])
    shown = (x[400:], y[400:])
    history = _keras_history(model, x[:400], y[:400], 40, batch_size=32, validation_data=shown)
    log = loggers.Hdf5History(run)
    for epoch in range(40):
        log.log(epoch, {name: values[epoch] for name, values in history.items()})
    log.close()
    left = history["val_loss"][-1] / float(np.var(y[400:]))
    require(left < 0.4, f"{left:.2f} of the variance is left")


@healthy("development", "tensorboard, per epoch; hdf5 by step", dumps=True)
def sine_of_few_points(run: Path, seed: int) -> None:
    """A sine through 80 noisy points: validation error near the variance of the noise, and no overfit, for the model is small."""
    random = data.generator(seed)
    x = torch.rand(120, 1, generator=random) * 2 - 1
    y = torch.sin(3 * x) + 0.1 * torch.randn(120, 1, generator=random)
    split = data.Split(x[:80], y[:80], x[80:], y[80:])
    model = models.mlp((1, 20, 1), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 0.02))
    plan = Plan(model, split, optimizer, 5 * 100, functional.mse_loss, {}, batch=16, seed=seed, by_epoch=True)
    plan.also, plan.dump_every = frozenset(), 25
    found = fit(plan, loggers.TensorBoard(run, "pytorch"), loggers.Hdf5Dump(run))
    require(found["val_loss"] < 0.05, f"validation loss {found['val_loss']:.3f}")
    generalises(found)


@healthy("seen", "plain log, each epoch")
def moons_sigmoid(run: Path, seed: int) -> None:
    """Two moons by a small sigmoid network and one logit: above 0.8; the loss falls slowly at first, as sigmoids do."""
    from sklearn.datasets import make_moons

    x, y = make_moons(400, noise=0.2, random_state=seed)
    split = data.split(x, y, seed)
    model = models.mlp((2, 16, 1), "sigmoid")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs.squeeze(-1), targets.float())

    def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs.squeeze(-1) > 0) == targets).float().mean()

    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 0.03))
    plan = Plan(
        model, split, optimizer, 10 * 30, loss, {"accuracy": accuracy}, seed=seed, by_epoch=True, also=frozenset()
    )
    learned(fit(plan, loggers.Console(run, "bare", "output.log", axis="epoch")), 0.8)


@healthy("development", "tensorboard, per epoch, three labels", framework="torch")
def multi_label(run: Path, seed: int) -> None:
    """Several yes-or-no labels at once with a sigmoid each: the loss is a mean over labels, the metric an F1 score; above 0.85."""
    random = data.generator(seed)
    x = torch.randn(1200, 10, generator=random)
    y = ((x @ torch.randn(10, 5, generator=random)) > 1).float()
    split = data.Split(x[:900], y[:900], x[900:], y[900:])
    model = models.mlp((10, 48, 5))

    def f1(outputs: Tensor, targets: Tensor) -> Tensor:
        said = (outputs > 0).float()
        return 2 * (said * targets).sum() / (said.sum() + targets.sum()).clamp_min(1)

    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 4e-3))
    plan = Plan(model, split, optimizer, 29 * 15, functional.binary_cross_entropy_with_logits, {"f1": f1}, seed=seed)
    plan.by_epoch, plan.also = True, frozenset({"lr"})
    found = fit(plan, loggers.TensorBoard(run, "slash"))
    require(found["val_f1"] > 0.85, f"F1 {found['val_f1']:.3f}")
    generalises(found)
