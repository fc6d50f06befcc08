"""Season, author B: healthy programs that look odd, in Keras and other frameworks."""

import contextlib
import json
from pathlib import Path

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump
from bench.accuracy.programs_desk_common import gestures
from bench.accuracy.programs_field_common import Trail, above, below, steady
from bench.accuracy.programs_season_b_common import arrays, cut, fresh, learn, loans, meters, saver
from bench.accuracy.programs_season_common import odd_into

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)
SPARSE = "sparse_categorical_crossentropy"


# "Validation is better than training from the first epoch, is that a bug?": Dropout(0.6) twice.
@odd("keras CSVLogger", framework="keras")
def b_digits_dropout(run: Path, seed: int) -> None:
    """Digits with so much dropout that validation is far better than training."""
    keras = fresh(seed)
    layers = keras.layers
    hidden = [layers.Dense(96, activation="relu"), layers.Dropout(0.6), layers.Dense(48, activation="relu")]
    head = [layers.Dropout(0.6), layers.Dense(10, activation="softmax")]
    model = keras.Sequential([layers.Input((64,)), *hidden, *head])
    model.compile(keras.optimizers.Adam(2e-3), SPARSE, metrics=["accuracy"])
    trail = learn(keras, run, model, arrays(data.bundled("digits", seed)), 15, "csv")
    above(trail, "val_accuracy", 0.9)
    steady(trail, "val_loss", 0.3)


# "The loss will not go below 0.9": CategoricalCrossentropy(label_smoothing=0.2).
@odd("keras TensorBoard callback", framework="keras")
def b_gestures_smoothed(run: Path, seed: int) -> None:
    """Gestures with smoothed labels, whose loss has a floor of 0.8."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(gestures(seed))
    conv = [layers.Conv1D(16, 5, activation="relu"), layers.Conv1D(16, 5, activation="relu")]
    model = keras.Sequential(
        [layers.Input((32, 3)), *conv, layers.GlobalMaxPooling1D(), layers.Dense(5, activation="softmax")]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    model.compile(keras.optimizers.Adam(4e-3), loss, metrics=["accuracy"])
    trail = learn(keras, run, model, (x, np.eye(5)[y], x_val, np.eye(5)[y_val]), 18, "board")
    above(trail, "val_accuracy", 0.85)
    steady(trail, "val_loss", 0.15)


# "The rate jumps back up every five epochs": CosineDecayRestarts.
@odd("keras history as json with the learning rate", framework="keras")
def b_loans_restarts(run: Path, seed: int) -> None:
    """Whether loans are paid back under a cosine rate that is restarted."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((10,)), layers.Dense(12, activation="relu"), layers.Dense(2, activation="softmax")]
    )
    model.compile(keras.optimizers.SGD(0.1), SPARSE, metrics=["accuracy"])
    rate = keras.callbacks.LearningRateScheduler(lambda at, _: 0.002 + 0.06 * (1 + np.cos(np.pi * (at % 5) / 5)) / 2)
    trail = learn(keras, run, model, loans(seed, noise=0.4), 20, "json", name="history.json", callbacks=[rate])
    above(trail, "val_accuracy", 0.74)
    steady(trail, "val_loss", 0.1)


# "Half of the weights never change": the base is fine-tuned with trainable=False, as meant.
@odd("keras CSVLogger; weights and gradients in HDF5", framework="keras", dumps=True)
def b_digits_fine_tuned(run: Path, seed: int) -> None:
    """A head for the digits 5 to 9 on a base that learned 0 to 4 and is frozen."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(data.bundled("digits", seed).as_images())
    flat = [layers.Conv2D(16, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu"), layers.Flatten()]
    base = keras.Sequential([layers.Input((8, 8, 1)), *flat], name="base")
    before = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    before.compile(keras.optimizers.Adam(3e-3), SPARSE)
    before.fit(x[y < 5], y[y < 5], epochs=6, verbose=0)
    base.trainable = False
    model = keras.Sequential([base, layers.Dense(5, activation="softmax", name="head")])
    model.compile(keras.optimizers.Adam(2e-3), SPARSE, metrics=["accuracy"])
    of = (x[y >= 5], y[y >= 5] - 5, x_val[y_val >= 5], y_val[y_val >= 5] - 5)
    saving = saver(keras, Hdf5Dump(run), 42)
    trail = learn(keras, run, model, of, 12, "csv", callbacks=[saving])
    above(trail, "val_accuracy", 0.88)
    steady(trail, "val_loss", 0.3)


# "My loss is below zero!": the likelihood of a Gaussian with a small spread is above 1.
@odd("what fit() prints", framework="keras")
def b_heat_likelihood(run: Path, seed: int) -> None:
    """Heat demand in units in which its likelihood is above 1, so that the loss is negative."""
    keras = fresh(seed)
    layers, ops = keras.layers, keras.ops
    x, y, x_val, y_val = meters(seed, samples=900, noise=0.3)

    def likelihood(truth: object, told: object) -> object:
        """The negative logarithm of the density, of a mean and the logarithm of a spread."""
        mean, spread = ops.split(told, 2, axis=-1)
        spread = ops.clip(spread, -4.0, 3.0)
        return ops.mean(spread + 0.5 * ops.square((truth - mean) / ops.exp(spread)))

    model = keras.Sequential([layers.Input((8,)), layers.Dense(24, activation="tanh"), layers.Dense(2)])
    model.compile(keras.optimizers.Adam(4e-3), likelihood)
    trail = learn(keras, run, model, (x, 0.2 * y, x_val, 0.2 * y_val), 25, "print", name="stdout.txt")
    below(trail, "val_loss", -1.0)
    steady(trail, "val_loss", 0.1)


# "13 % accuracy!": but there are 40 classes, and it rises still.
@odd("keras CSVLogger", framework="keras")
def b_forty_classes(run: Path, seed: int) -> None:
    """A hard task of 40 classes with a low metric that improves."""
    keras = fresh(seed)
    layers = keras.layers
    random = np.random.default_rng(seed)
    y = random.integers(0, 40, 2400)
    x = random.normal(size=(40, 16))[y] + 1.9 * random.normal(size=(2400, 16))
    model = keras.Sequential([layers.Input((16,)), layers.Dense(40, activation="softmax")])
    model.compile(keras.optimizers.Adam(1.5e-3), SPARSE, metrics=["accuracy"])
    trail = learn(keras, run, model, cut(x.astype(np.float32), y), 16, "csv", name="forty.csv")
    above(trail, "val_accuracy", 0.12)
    steady(trail, "val_loss", 0.05)


# "The file has two runs in it": CSVLogger(append=True) and initial_epoch, with the optimizer's state, since the model lived on.
@odd("keras CSVLogger, appended", framework="keras")
def b_wine_resumed(run: Path, seed: int) -> None:
    """Wines in two calls of fit(), the second of which goes on where the first stopped."""
    keras = fresh(seed)
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((13,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(3e-3), SPARSE, metrics=["accuracy"])
    of = arrays(data.bundled("wine", seed))
    learn(keras, run, model, of, 12, "csv", append=True, batch=16)
    trail = learn(keras, run, model, of, 24, "csv", append=True, batch=16, initial_epoch=12)
    above(trail, "val_accuracy", 0.9)
    steady(trail, "val_loss", 0.3)


# "It stopped after half of the rounds": early_stopping(10), which is what it is for.
@odd("lightgbm evals_result as json", framework="lightgbm")
def b_loans_early_stop(run: Path, seed: int) -> None:
    """Whether loans are paid back by trees that are stopped early."""
    import lightgbm

    x, y, x_val, y_val = loans(seed)
    of = lightgbm.Dataset(x, y)
    settings = {"objective": "binary", "metric": "binary_logloss", "learning_rate": 0.1, "num_leaves": 4}
    settings |= {"seed": seed, "verbose": -1, "num_threads": 1}
    kept: dict[str, dict[str, list[float]]] = {}
    stop = lightgbm.early_stopping(8, verbose=False)
    watch = [lightgbm.record_evaluation(kept), stop]
    valid = [of, of.create_valid(x_val, y_val)]
    lightgbm.train(settings, of, 300, valid_sets=valid, valid_names=["train", "valid"], callbacks=watch)
    (run / "evals_result.json").write_text(json.dumps(kept), encoding="utf-8")
    trail = {"valid": list(kept["valid"]["binary_logloss"])}
    below(trail, "valid", 0.57)
    steady(trail, "valid", 0.05)


# "Ten rounds are enough": eta=0.5 on an easy table.
@odd("what xgboost prints", framework="xgboost")
def b_cancer_ten_rounds(run: Path, seed: int) -> None:
    """Tumours by ten trees: a very short run."""
    import xgboost

    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed))
    of, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings = {"objective": "binary:logistic", "max_depth": 2, "eta": 0.5, "seed": seed, "nthread": 1}
    kept: dict[str, dict[str, list[float]]] = {}
    with (run / "train.log").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        xgboost.train(settings, of, 10, evals=[(of, "train"), (valid, "eval")], evals_result=kept)
    trail = {"eval": list(kept["eval"]["logloss"])}
    below(trail, "eval", 0.25)
    steady(trail, "eval", 0.2)


# "The returns jump by a factor of two": each arm's pay is noisy, and the bandit explores.
@odd("csv by hand", framework="numpy")
def b_bandit_noisy(run: Path, seed: int) -> None:
    """Eight arms with noisy pay, chosen by a gradient bandit."""
    random = np.random.default_rng(seed)
    means = random.permutation(np.linspace(0, 2.0, 8))
    liking, baseline, log = np.zeros(8), 0.0, Csv(run, "plain", "bandit.csv", "episode")
    trail: Trail = {"episode_reward": []}
    for episode in range(120):
        total, entropy = 0.0, 0.0
        for _ in range(20):
            share = np.exp(liking - liking.max())
            share /= share.sum()
            entropy = float(-(share * np.log(share + 1e-12)).sum())
            arm = int(random.choice(8, p=share))
            pay = means[arm] + 1.5 * random.normal()
            baseline += 0.02 * (pay - baseline)
            liking += 0.02 * (pay - baseline) * ((np.arange(8) == arm) - share)
            total += pay
        log.log(episode, {"episode_reward": total, "entropy": entropy})
        trail["episode_reward"].append(total)
    log.close()
    rewards = trail["episode_reward"]
    require(float(np.mean(rewards[-30:])) > float(np.mean(rewards[:20])) + 5, f"{np.mean(rewards[-30:])}")
