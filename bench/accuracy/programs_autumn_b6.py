"""Healthy autumn programs in Keras, boosting and numpy that look odd."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines
from bench.accuracy.programs_autumn_b_common import (
    bearings,
    concrete,
    dense,
    glyphs,
    history_json,
    learn,
    loans,
    scaled,
    scaled_targets,
    songs,
    start,
    tap,
    vineyards,
)
from bench.accuracy.programs_autumn_common import odd_into
from bench.accuracy.programs_field_common import Trail, above, below, steady
from bench.accuracy.programs_post_common import board

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "Validation is better than training all the time?": dropout of a half in each layer.
@odd("keras CSVLogger", framework="keras")
def vineyard_strong_dropout(run: Path, seed: int) -> None:
    """The vineyard of a wine by an MLP with dropout of 0.5 thrice."""
    keras, of = start(seed), vineyards(seed)
    layers: list[Any] = [keras.Input((12,)), keras.layers.Dropout(0.2)]
    for _ in range(2):
        layers += [keras.layers.Dense(64, activation="relu"), keras.layers.Dropout(0.5)]
    model = keras.Sequential([*layers, keras.layers.Dense(5, activation="softmax")])
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 25, callbacks=[keras.callbacks.CSVLogger(str(run / "training.csv"))])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.3)


# "My loss never falls below 0.6": label smoothing of 0.15.
@odd("TensorBoard callback of Keras", framework="keras")
def bearing_label_smoothing(run: Path, seed: int) -> None:
    """The state of a bearing by a CNN with smoothed labels, whose loss cannot come near zero."""
    keras, of = start(seed), bearings(seed, noise=0.5)
    of = of._replace(y=np.eye(4, dtype=np.float32)[of.y], yv=np.eye(4, dtype=np.float32)[of.yv])
    model = keras.Sequential(
        [
            keras.Input((48, 1)),
            keras.layers.Conv1D(12, 7, activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.15)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    found = learn(model, of, 18, callbacks=[board(keras, run)])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.1)


# "The loss rises every eight epochs": CosineDecayRestarts.
@odd("TensorBoard callback of Keras, with the learning rate and histograms", framework="keras", dumps=True)
def songs_warm_restarts(run: Path, seed: int) -> None:
    """Tags of songs by an MLP whose rate begins anew three times."""
    keras, of = start(seed), songs(seed, samples=900)
    model = dense(keras, (24, 6), 16, last="sigmoid", kernel_regularizer=keras.regularizers.L2(1e-3))
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.02, 8 * 22, t_mul=1.0, m_mul=0.9, alpha=0.01)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["binary_accuracy"])
    found = learn(model, of, 32, callbacks=[board(keras, run, weights=4)])
    above(found, "val_binary_accuracy", 0.86)
    steady(found, "val_loss", 0.25)


# "Why is my loss negative?": the likelihood of a Gaussian, whose density may be above one.
@odd("keras CSVLogger", framework="keras")
def concrete_gaussian(run: Path, seed: int) -> None:
    """The strength of concrete and its doubt, in units of a hundred MPa."""
    keras, of = start(seed), scaled(concrete(seed, samples=900))
    ops = keras.ops
    of = of._replace(y=(of.y / 100)[:, None], yv=(of.yv / 100)[:, None])

    def likelihood(y: Any, out: Any) -> Any:
        spread = ops.softplus(out[:, 1:]) + 0.02
        return ops.mean(ops.log(spread) + 0.5 * ops.square((y - out[:, :1]) / spread))

    model = dense(keras, (24, 2), 8, "tanh", kernel_regularizer=keras.regularizers.L2(1e-4))
    model.compile(keras.optimizers.Adam(5e-3), likelihood)
    found = learn(model, of, 25, callbacks=[keras.callbacks.CSVLogger(str(run / "nll.csv"))])
    below(found, "val_loss", -1.8)
    steady(found, "val_loss", 0.15)


# "Most of the layers do not change": a trunk that was trained before is frozen, and a head learns on it.
@odd("keras CSVLogger, weights in hdf5", framework="keras", dumps=True)
def glyphs_frozen_trunk(run: Path, seed: int) -> None:
    """Three glyphs of five by a new head on convolutions that were trained on all five before."""
    keras, of = start(seed), glyphs(seed, samples=1200, noise=30)
    of = of._replace(x=of.x / 255, xv=of.xv / 255)
    layers = keras.layers
    trunk = [layers.Conv2D(10, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(2)]
    before = keras.Sequential(
        [keras.Input((10, 10, 1)), *trunk, layers.Flatten(), layers.Dense(5, activation="softmax")]
    )
    before.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy")
    before.fit(of.x[:600], of.y[:600], epochs=10, verbose=0)
    for one in trunk:
        one.trainable = False
    model = keras.Sequential(
        [keras.Input((10, 10, 1)), *trunk, layers.Flatten(), layers.Dense(3, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    new, held = of.y[600:] < 3, of.yv < 3
    of = of._replace(x=of.x[600:][new], y=of.y[600:][new], xv=of.xv[held], yv=of.yv[held])
    calls = [keras.callbacks.CSVLogger(str(run / "finetune.csv")), tap(keras, Hdf5Dump(run), 15, None, "weights")]
    found = learn(model, of, 12, callbacks=calls, batch=16)
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.3)


# "It has improved for 400 rounds, is that normal?": a small rate and shallow trees.
@odd("csv of evals_result", framework="xgboost")
def concrete_many_rounds(run: Path, seed: int) -> None:
    """The strength of concrete by 400 shallow trees at a rate of 0.05."""
    import xgboost as xgb

    of = concrete(seed, samples=900)
    train, valid = xgb.DMatrix(of.x, of.y), xgb.DMatrix(of.xv, of.yv)
    result: dict[str, Any] = {}
    given = {"max_depth": 2, "eta": 0.05, "subsample": 0.7, "min_child_weight": 4, "nthread": 1, "seed": seed}
    sets = [(train, "train"), (valid, "valid")]
    xgb.train(given, train, 400, evals=sets, evals_result=result, verbose_eval=False)
    trail = {f"{part}_rmse": [float(one) for one in found["rmse"]] for part, found in result.items()}
    log = Csv(run, "plain", "rounds.csv", "round")
    for at, (one, other) in enumerate(zip(trail["train_rmse"], trail["valid_rmse"], strict=True)):
        log.log(at, {"train_rmse": one, "valid_rmse": other})
    log.close()
    below(trail, "valid_rmse", 0.5 * float(of.yv.std()))
    steady(trail, "valid_rmse", 0.05)


# "Only four epochs, and it is done": an easy task and a network of scikit-learn.
@odd("jsonl by hand", framework="sklearn")
def vineyard_four_epochs(run: Path, seed: int) -> None:
    """The vineyard of a wine, well apart, by MLPClassifier in five epochs."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    of, trail = vineyards(seed, spread=0.7, samples=900), Trail()
    model = MLPClassifier((32,), learning_rate_init=0.01, batch_size=16, random_state=seed)
    log, random = JsonLines(run, "plain", "epochs.jsonl", "epoch"), np.random.default_rng(seed)
    for epoch in range(5):
        order = random.permutation(len(of.x))
        model.partial_fit(of.x[order], of.y[order], classes=np.arange(5))
        row = {"train_loss": float(model.loss_), "val_loss": float(log_loss(of.yv, model.predict_proba(of.xv)))}
        row |= {"train_acc": float(model.score(of.x, of.y)), "val_acc": float(model.score(of.xv, of.yv))}
        log.log(epoch, row)
        for name, value in row.items():
            trail.setdefault(name, []).append(value)
    log.close()
    above(trail, "val_acc", 0.85)
    steady(trail, "val_loss", 0.3)


# "AUC of 0.68 only, but it rises": a hard task, of which most is chance.
@odd("history.history as json", framework="keras")
def loans_hard_to_tell(run: Path, seed: int) -> None:
    """Who will not pay a loan, which is mostly chance, by a logistic regression in Keras with a small rate."""
    keras, of = start(seed), loans(seed, samples=1600, steep=0.55)
    model = dense(keras, (1,), 10, last="sigmoid")
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    found = learn(model, of, 25)
    history_json(run, found)
    above(found, "val_auc", 0.6)
    steady(found, "val_loss", 0.1)


# "ReduceLROnPlateau has brought the rate to nothing at the end": it was done by then.
@odd("keras CSVLogger with the learning rate", framework="keras")
def concrete_plateau_done(run: Path, seed: int) -> None:
    """The strength of concrete by an MLP whose rate falls, rightly, when the validation loss stands."""
    keras, of = start(seed), scaled_targets(scaled(concrete(seed, samples=900)))
    model = dense(keras, (24, 1), 8, kernel_regularizer=keras.regularizers.L2(1e-3))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    falls = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=4, factor=0.2)
    found = learn(model, of, 40, callbacks=[falls, keras.callbacks.CSVLogger(str(run / "plateau.csv"))])
    below(found, "val_loss", 0.35)
    steady(found, "val_loss", 0.1)
