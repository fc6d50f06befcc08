"""Healthy runs of other frameworks: Keras 3 (on torch), XGBoost, LightGBM, scikit-learn."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from bench.accuracy import data, loggers
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import into, varied

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


def _arrays(split: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and targets, validation inputs and targets."""
    return split.x.numpy(), split.y.numpy().ravel(), split.x_val.numpy(), split.y_val.numpy().ravel()


def _keras(seed: int) -> Any:
    """Keras on torch, seeded."""
    import keras

    keras.utils.set_random_seed(seed)
    return keras


@healthy("development", "CSVLogger of Keras", framework="keras")
def keras_cnn(run: Path, seed: int) -> None:
    """A CNN on digits by compile and fit, twelve epochs in Keras' own training.log: above 0.92, no overfit."""
    keras = _keras(seed)
    split = data.bundled("digits", seed)
    x, y, x_val, y_val = _arrays(split)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(varied(seed, 3e-3)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        x.reshape(-1, 8, 8, 1),
        y,
        batch_size=64,
        epochs=12,
        verbose=0,
        validation_data=(x_val.reshape(-1, 8, 8, 1), y_val),
        callbacks=[keras.callbacks.CSVLogger(str(run / "training.log"))],
    ).history
    _keras_learned(history, 0.92)


def _keras_learned(history: Mapping[str, list[float]], accuracy: float) -> None:
    """Require this accuracy, and a validation loss that ends near its best."""
    reached, losses = history["val_accuracy"][-1], history["val_loss"]
    require(reached > accuracy, f"validation accuracy {reached:.3f}")
    require(losses[-1] < 1.25 * min(losses) + 0.01, f"validation loss {losses[-1]:.3f}, best {min(losses):.3f}")


@healthy("seen", "event files in train/ and validation/, as Keras writes them", framework="keras")
def keras_regression(run: Path, seed: int) -> None:
    """A regression by compile and fit for 25 epochs: more than 0.7 of the variance is explained."""
    keras = _keras(seed)
    x, y, x_val, y_val = _arrays(data.regression(seed, samples=1000))
    model = keras.Sequential(
        [keras.layers.Input((8,)), keras.layers.Dense(48, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(varied(seed, 5e-3)), "mse", metrics=["mae"])
    log = loggers.KerasDirectories(run)
    history = model.fit(
        x, y, batch_size=32, epochs=25, verbose=0, validation_data=(x_val, y_val), callbacks=[_each_epoch(keras, log)]
    ).history
    log.close()
    left = history["val_loss"][-1] / float(y_val.var())
    require(left < 0.3, f"{left:.2f} of the variance is left")


def _each_epoch(keras: Any, log: loggers.Log, dump: loggers.Dump | None = None) -> Any:
    """A callback that logs each epoch under plain names, and dumps the weights."""

    class Each(keras.callbacks.Callback):
        """After each epoch."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """Log and dump."""
            told = {
                name if name.startswith("val_") else f"train_{name}": float(value)
                for name, value in (logs or {}).items()
            }
            log.log(epoch, told)
            if dump:
                convert = keras.ops.convert_to_numpy
                dump.dump(epoch, {f"weights/{one.path}": convert(one) for one in self.model.trainable_variables})

    return Each()


@healthy("development", "jsonl, per epoch; hdf5 by step", dumps=True, framework="keras")
def keras_lstm(run: Path, seed: int) -> None:
    """An LSTM that says whether numbers sum to more than zero, with weights dumped after each epoch: above 0.9."""
    keras = _keras(seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(1200, 8, 1)).astype("float32")
    y = (x.sum((1, 2)) > 0).astype("int64")
    model = keras.Sequential(
        [keras.layers.Input((8, 1)), keras.layers.LSTM(16), keras.layers.Dense(2, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(varied(seed, 8e-3)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    log, dump = loggers.JsonLines(run, "keras", axis="epoch"), loggers.Hdf5Dump(run)
    history = model.fit(
        x[:900],
        y[:900],
        batch_size=64,
        epochs=14,
        verbose=0,
        validation_data=(x[900:], y[900:]),
        callbacks=[_each_epoch(keras, log, dump)],
    ).history
    log.close()
    dump.close()
    require(history["val_accuracy"][-1] > 0.9, f"validation accuracy {history['val_accuracy'][-1]:.3f}")


@healthy("seen", "history.json, per epoch", framework="keras")
def keras_dropout(run: Path, seed: int) -> None:
    """Dropout of 0.5 and batch norm with ReduceLROnPlateau: training accuracy below validation accuracy; above 0.93."""
    import json

    keras = _keras(seed)
    x, y, x_val, y_val = _arrays(data.bundled("digits", seed))
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(96, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(varied(seed, 2e-3)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    plateau = keras.callbacks.ReduceLROnPlateau(patience=2, factor=0.5)
    history = model.fit(
        x, y, batch_size=64, epochs=15, verbose=0, validation_data=(x_val, y_val), callbacks=[plateau]
    ).history
    told = {name: [float(value) for value in values] for name, values in history.items()}
    (run / "history.json").write_text(json.dumps(told), encoding="utf-8")
    _keras_learned(history, 0.93)


def _log_rounds(log: loggers.Log, columns: Mapping[str, list[float]]) -> None:
    """Lists of one length, round by round."""
    for number in range(len(next(iter(columns.values())))):
        log.log(number, {name: values[number] for name, values in columns.items()})
    log.close()


@healthy("development", "csv, per round", framework="xgboost")
def xgboost_digits(run: Path, seed: int) -> None:
    """Boosted trees on digits: the training loss goes to almost nothing, which trees do, while the validation loss still falls; errors
    under 0.07.
    """
    import xgboost

    x, y, x_val, y_val = _arrays(data.bundled("digits", seed))
    train, val = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings = {"objective": "multi:softprob", "num_class": 10, "eta": varied(seed, 0.2), "max_depth": 4, "seed": seed}
    settings |= {"eval_metric": ["mlogloss", "merror"], "subsample": 0.8, "nthread": 1}
    told: dict[str, dict[str, list[float]]] = {}
    xgboost.train(settings, train, 60, evals=[(train, "train"), (val, "val")], evals_result=told, verbose_eval=False)
    columns = {f"{part}-{name}": values for part, metrics in told.items() for name, values in metrics.items()}
    _log_rounds(loggers.Csv(run, "plain", "evals.csv", axis="round"), columns)
    require(told["val"]["merror"][-1] < 0.07, f"error {told['val']['merror'][-1]:.3f}")
    require(told["val"]["mlogloss"][-1] < 1.05 * min(told["val"]["mlogloss"]), "the validation loss rose again")


@healthy("seen", "tensorboard through tensorboardX, per round", framework="xgboost")
def xgboost_regression(run: Path, seed: int) -> None:
    """Boosted trees for a regression: the gap between training and validation error grows, while the validation error still falls or
    stands; more than 0.5 of the variance is explained.
    """
    import xgboost

    x, y, x_val, y_val = _arrays(data.regression(seed, samples=1500))
    train, val = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings = {"eta": varied(seed, 0.1), "max_depth": 4, "seed": seed, "subsample": 0.8, "nthread": 1}
    told: dict[str, dict[str, list[float]]] = {}
    xgboost.train(settings, train, 120, evals=[(train, "train"), (val, "eval")], evals_result=told, verbose_eval=False)
    columns = {f"{part}/rmse": metrics["rmse"] for part, metrics in told.items()}
    _log_rounds(loggers.TensorBoard(run, "plain", x=True), columns)
    errors = told["eval"]["rmse"]
    require(errors[-1] ** 2 < 0.5 * float(y_val.var()), f"error {errors[-1]:.3f}")
    require(errors[-1] < 1.03 * min(errors), f"error {errors[-1]:.3f}, best {min(errors):.3f}")


@healthy("development", "jsonl, per round", framework="lightgbm")
def lightgbm_early_stop(run: Path, seed: int) -> None:
    """LightGBM on breast cancer, stopped ten rounds after the best: the last rounds are a little worse, which is what early stopping is."""
    told, accuracy = _lightgbm(seed, varied(seed, 0.08), 200, stop=10)
    (run / "params.json").write_text('{"boosting_type": "gbdt", "early_stopping_rounds": 10, "num_leaves": 7}')
    columns = {f"{part} {name}": values for part, metrics in told.items() for name, values in metrics.items()}
    _log_rounds(loggers.JsonLines(run, "plain", "evals.jsonl", axis="iteration"), columns)
    require(accuracy > 0.92, f"accuracy {accuracy:.3f}")


@healthy("seen", "csv, per round", framework="lightgbm")
def lightgbm_slow(run: Path, seed: int) -> None:
    """LightGBM with a small rate and no more rounds than it needs: both losses fall smoothly to the end; above 0.92."""
    told, accuracy = _lightgbm(seed, varied(seed, 0.03), 80, stop=0)
    columns = {f"{part}_{name}": values for part, metrics in told.items() for name, values in metrics.items()}
    columns = {name.replace("valid_0", "val").replace("training", "train"): values for name, values in columns.items()}
    _log_rounds(loggers.Csv(run, "plain", "progress.csv", axis="iteration"), columns)
    losses = told["valid_0"]["binary_logloss"]
    require(accuracy > 0.92 and losses[-1] < 1.1 * min(losses), f"accuracy {accuracy:.3f}, loss {losses[-1]:.3f}")


def _lightgbm(seed: int, rate: float, rounds: int, stop: int) -> tuple[dict[str, dict[str, list[float]]], float]:
    """What LightGBM says of each round on breast cancer, and the accuracy."""
    import lightgbm

    x, y, x_val, y_val = _arrays(data.bundled("breast_cancer", seed))
    train = lightgbm.Dataset(x, y)
    settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "learning_rate": rate, "num_leaves": 7}
    settings |= {"verbosity": -1, "num_threads": 1, "seed": seed, "feature_fraction": 0.5}
    told: dict[str, dict[str, list[float]]] = {}
    after: list[Callable[..., Any]] = [lightgbm.record_evaluation(told)]
    if stop:
        after.append(lightgbm.early_stopping(stop, first_metric_only=True, verbose=False))
    sets = [lightgbm.Dataset(x_val, y_val, reference=train), train]
    model = lightgbm.train(settings, train, rounds, sets, ["valid_0", "training"], callbacks=after)
    return told, float(((model.predict(x_val) > 0.5) == y_val).mean())


@healthy("development", "csv, per round", framework="sklearn")
def gradient_boosting(run: Path, seed: int) -> None:
    """scikit-learn's boosting on wine, staged: the training deviance falls to almost nothing, the validation loss with it; above 0.9."""
    from sklearn.ensemble import GradientBoostingClassifier

    x, y, x_val, y_val = _arrays(data.bundled("wine", seed, share=0.35))
    model = GradientBoostingClassifier(
        learning_rate=varied(seed, 0.08), n_estimators=40, subsample=0.6, max_depth=2, random_state=seed
    )
    model.fit(x, y)
    staged = list(model.staged_predict_proba(x_val))
    columns = {
        "train_loss": [log_loss(y, one) for one in model.staged_predict_proba(x)],
        "val_loss": [log_loss(y_val, one) for one in staged],
        "val_accuracy": [float((one.argmax(1) == y_val).mean()) for one in staged],
    }
    _log_rounds(loggers.Csv(run, "plain", "history.csv", axis="iteration"), columns)
    require(columns["val_accuracy"][-1] > 0.9, f"accuracy {columns['val_accuracy'][-1]:.3f}")
    require(columns["val_loss"][-1] < 1.15 * min(columns["val_loss"]) + 0.01, "the validation loss rose again")


@healthy("development", "tensorboard through tensorboardX, per epoch", framework="sklearn")
def sklearn_mlp(run: Path, seed: int) -> None:
    """MLPClassifier by partial_fit, thirty epochs: above 0.92 on digits; the loss is scikit-learn's own loss_."""
    x, y, x_val, y_val = _arrays(data.bundled("digits", seed))
    model = MLPClassifier((40,), learning_rate_init=varied(seed, 2e-3), alpha=1.0, random_state=seed)
    log = loggers.TensorBoard(run, "lightning", x=True)
    accuracy, losses = 0.0, []
    for epoch in range(30):
        model.partial_fit(x, y, classes=np.arange(10))
        accuracy = float(model.score(x_val, y_val))
        losses.append(float(log_loss(y_val, model.predict_proba(x_val))))
        told = {"train_loss": float(model.loss_), "val_loss": losses[-1]}
        log.log(epoch, {**told, "train_accuracy": float(model.score(x, y)), "val_accuracy": accuracy})
    log.close()
    require(accuracy > 0.92 and losses[-1] < 1.15 * min(losses), f"accuracy {accuracy:.3f}, loss {losses[-1]:.3f}")


@healthy("seen", "jsonl, per epoch", framework="sklearn")
def sklearn_sgd(run: Path, seed: int) -> None:
    """A linear classifier by stochastic gradient, epoch by epoch: its curves jump about from epoch to epoch around a good level; above
    0.9 on breast cancer.
    """
    x, y, x_val, y_val = _arrays(data.bundled("breast_cancer", seed))
    model = SGDClassifier("log_loss", alpha=varied(seed, 0.01), random_state=seed)
    log = loggers.JsonLines(run, "plain", "epochs.jsonl", axis="epoch")
    accuracy = 0.0
    for epoch in range(40):
        model.partial_fit(x, y, classes=np.arange(2))
        accuracy = float(model.score(x_val, y_val))
        told = {"train_loss": float(log_loss(y, model.predict_proba(x))), "val_accuracy": accuracy}
        log.log(epoch, {**told, "val_loss": float(log_loss(y_val, model.predict_proba(x_val)))})
    log.close()
    require(accuracy > 0.9, f"accuracy {accuracy:.3f}")
