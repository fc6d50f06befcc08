"""Planted faults in Keras, XGBoost, LightGBM and scikit-learn."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.faults_common import DEVELOPMENT, NOT_LEARNING, SEEN, TOO_FAST, planted, varied
from bench.accuracy.harness import require
from bench.accuracy.loggers import Csv, Hdf5Dump, TensorBoard


def _arrays(of: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and targets for training, then for validation."""
    return of.x.numpy(), of.y.numpy(), of.x_val.numpy(), of.y_val.numpy()


def _keras_digits(run: Path, seed: int, model: Any, optimizer: Any, loss: Any, callbacks: Sequence[Any] = ()) -> Any:
    """Train on digits for 25 epochs with Keras' own CSVLogger; its history."""
    import keras

    x, y, x_val, y_val = _arrays(data.bundled("digits", seed))
    model.compile(optimizer, loss, metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(run / "training.csv")
    return model.fit(
        x, y, batch_size=64, epochs=25, validation_data=(x_val, y_val), verbose=0, callbacks=[log, *callbacks]
    ).history


def _learned_nothing(history: Mapping[str, Sequence[float]]) -> None:
    accuracy = history["val_accuracy"][-1]
    require(accuracy < 0.22, f"validation accuracy {accuracy:.3f} is above chance")


def keras_zeros(run: Path, seed: int) -> None:
    """Dense layers with kernel_initializer="zeros" and ReLU: nothing but the last bias ever changes."""
    import keras

    keras.utils.set_random_seed(seed)
    dense = [keras.layers.Dense(48, "relu", kernel_initializer="zeros") for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *dense, keras.layers.Dense(10, kernel_initializer="zeros")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    _learned_nothing(_keras_digits(run, seed, model, keras.optimizers.Adam(varied(seed, 2e-3)), loss))


def keras_double_softmax(run: Path, seed: int) -> None:
    """A softmax layer, and from_logits=True: six layers with SGD stay at chance."""
    import keras

    keras.utils.set_random_seed(seed)
    dense = [keras.layers.Dense(32, "sigmoid") for _ in range(5)]
    model = keras.Sequential([keras.Input((64,)), *dense, keras.layers.Dense(10), keras.layers.Softmax()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    _learned_nothing(_keras_digits(run, seed, model, keras.optimizers.SGD(varied(seed, 0.05)), loss))


def keras_rate(run: Path, seed: int) -> None:
    """Adam at 1.0 (0.001 was meant): the first steps throw the units out of reach. Weights are dumped at each epoch."""
    import keras

    class Dump(keras.callbacks.Callback):
        """Weights by epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.into = Hdf5Dump(run)

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """One group."""
            weights = {f"weights/{one.path}": one.numpy() for one in self.model.trainable_variables}
            self.into.dump(epoch, weights)

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            """Close the file."""
            self.into.close()

    keras.utils.set_random_seed(seed)
    dense = [keras.layers.Dense(48, "relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((64,)), *dense, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    _learned_nothing(_keras_digits(run, seed, model, keras.optimizers.Adam(varied(seed, 1.0)), loss, [Dump()]))


def _noisy_cancer(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """228 samples of two classes, with half of the labels drawn at random."""
    return _arrays(data.with_label_noise(data.bundled("breast_cancer", seed, share=0.6), 0.5, seed))


def _turned_up(losses: Sequence[float]) -> None:
    """Require that a validation loss ended at least a sixth above its best."""
    require(losses[-1] > 1.16 * min(losses), f"validation loss {losses[-1]:.3g} at the end, {min(losses):.3g} at best")


def boosted_overfit_xgboost(run: Path, seed: int) -> None:
    """200 deep trees with a rate of 0.3 on noisy labels; the evaluations of each round go to TensorBoard."""
    import xgboost

    x, y, x_val, y_val = _noisy_cancer(seed)
    train, val = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings = {"objective": "binary:logistic", "max_depth": 8, "eta": varied(seed, 0.3), "seed": seed}
    settings |= {"min_child_weight": 0, "lambda": 0, "nthread": 1}
    told: dict[str, dict[str, list[float]]] = {}
    xgboost.train(settings, train, 200, [(train, "train"), (val, "validation")], evals_result=told, verbose_eval=False)
    log = TensorBoard(run, "plain", x=True)
    for number, pair in enumerate(zip(told["train"]["logloss"], told["validation"]["logloss"], strict=True)):
        log.log(number, {"train/logloss": pair[0], "validation/logloss": pair[1]})
    log.close()
    _turned_up(told["validation"]["logloss"])


def boosted_overfit_lightgbm(run: Path, seed: int) -> None:
    """300 rounds of LightGBM on noisy labels; the evaluations as lines of JSON."""
    import lightgbm

    x, y, x_val, y_val = _noisy_cancer(seed)
    settings = {"objective": "binary", "num_leaves": 63, "min_data_in_leaf": 3, "learning_rate": varied(seed, 0.15)}
    settings |= {"num_threads": 1, "verbose": -1, "seed": seed}
    train = lightgbm.Dataset(x, y)
    told: dict[str, dict[str, list[float]]] = {}
    lightgbm.train(
        settings,
        train,
        300,
        [train, lightgbm.Dataset(x_val, y_val, reference=train)],
        ["training", "valid"],
        callbacks=[lightgbm.record_evaluation(told)],
    )
    rows = zip(told["training"]["binary_logloss"], told["valid"]["binary_logloss"], strict=True)
    lines = [
        json.dumps({"iteration": number, "train_loss": train_loss, "valid_loss": valid_loss})
        for number, (train_loss, valid_loss) in enumerate(rows)
    ]
    (run / "evals.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _turned_up(told["valid"]["binary_logloss"])


def _partial_fits(run: Path, model: Any, of: data.Split, epochs: int) -> list[float]:
    """Epochs of partial_fit of a regression; mean squared errors before and after each, in a table; those of training."""
    x, y, x_val, y_val = _arrays(of)
    log, losses = Csv(run, "plain", axis="epoch"), [float(np.mean(y**2))]
    log.log(0, {"train_loss": losses[0], "val_loss": float(np.mean(y_val**2))})
    with np.errstate(all="ignore"):
        for epoch in range(1, epochs + 1):
            model.partial_fit(x, y.ravel())
            losses.append(_error(model, x, y))
            log.log(epoch, {"train_loss": losses[-1], "val_loss": _error(model, x_val, y_val)})
    log.close()
    return losses


def _error(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((x @ model.coef_ + model.intercept_ - y.ravel()) ** 2))


def linear_diverges_sklearn(run: Path, seed: int) -> None:
    """SGDRegressor with a constant rate of 0.3, which is beyond what its inputs bear: the error grows by orders of magnitude."""
    from sklearn.linear_model import SGDRegressor

    of = data.bundled("diabetes", seed)
    model = SGDRegressor(learning_rate="constant", eta0=varied(seed, 0.3, 0.1), alpha=0.0, random_state=seed)
    losses = _partial_fits(run, model, of, 30)
    require(losses[-1] > 100 * losses[0], f"errors {losses[0]:.3g} and {losses[-1]:.3g}")


def linear_too_low_sklearn(run: Path, seed: int) -> None:
    """SGDRegressor at 1e-9: 40 epochs change nothing that could be seen."""
    from sklearn.linear_model import SGDRegressor

    of = data.bundled("diabetes", seed)
    model = SGDRegressor(learning_rate="constant", eta0=varied(seed, 1e-9), alpha=0.0, random_state=seed)
    losses = _partial_fits(run, model, of, 40)
    require(losses[-1] > 0.999 * losses[0], f"errors {losses[0]:.3g} and {losses[-1]:.3g}")


_INIT = ("poor-initialization", "vanishing-gradient", *NOT_LEARNING)
_CHANCE = ("learning-rate-too-high", "updates-too-large", "loss-divergence", *NOT_LEARNING)

RECIPES = (
    planted("zeros-keras", "initialised-with-zeros", DEVELOPMENT, keras_zeros, _INIT, "csv", framework="keras"),
    planted(
        "double-softmax-keras", "double-softmax", SEEN, keras_double_softmax, NOT_LEARNING, "csv", framework="keras"
    ),
    planted(
        "rate-at-chance-keras",
        "learning-rate-stays-at-chance",
        SEEN,
        keras_rate,
        _CHANCE,
        "csv, hdf5",
        dumps=True,
        framework="keras",
    ),
    planted(
        "boosted-overfit-xgboost",
        "overfit",
        DEVELOPMENT,
        boosted_overfit_xgboost,
        ("overfit",),
        "tensorboardX",
        framework="xgboost",
    ),
    planted(
        "boosted-overfit-lightgbm",
        "overfit",
        SEEN,
        boosted_overfit_lightgbm,
        ("overfit",),
        "jsonl",
        framework="lightgbm",
    ),
    planted(
        "linear-diverges-sklearn",
        "learning-rate-too-high",
        SEEN,
        linear_diverges_sklearn,
        TOO_FAST,
        "csv",
        framework="sklearn",
    ),
    planted(
        "linear-too-low-sklearn",
        "learning-rate-too-low",
        DEVELOPMENT,
        linear_too_low_sklearn,
        NOT_LEARNING,
        "csv",
        framework="sklearn",
    ),
)
