"""Healthy programs in Keras that look odd: dropout, smoothing, cyclic rates, frozen layers, few data, a likelihood, a resumed run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.accuracy.data import bundled, regression, with_label_noise
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump
from bench.accuracy.programs_desk_common import arrows, customers, flats, mails
from bench.accuracy.programs_field_common import above, below, steady, told
from bench.accuracy.programs_post_common import board
from bench.accuracy.programs_usual_common import odd_into
from bench.accuracy.programs_usual_keras_common import Arrays, arrays, beats, dumping, fresh, learn, lines

Build = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Why is my validation better than my training?": Dropout(0.6) and GaussianNoise work in training only.
@odd("Keras TensorBoard callback", framework="keras")
def dropout_of_six_tenths_b(run: Path, seed: int) -> None:
    """Digits by an MLP with strong dropout; validation is better than training all along."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(bundled("digits", seed))
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.GaussianNoise(0.3),
            layers.Dense(96, activation="relu"),
            layers.Dropout(0.6),
            layers.Dense(48, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1.5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 16, [board(keras, run)])
    above(found, "val_accuracy", 0.92)
    steady(found, "val_loss", 0.15)
    require(found["accuracy"][-1] < found["val_accuracy"][-1], f"training was to be worse: {told(found)}")


# "The loss stays at 0.7 although the accuracy is 95 %": label_smoothing=0.2.
@odd("Keras CSVLogger", framework="keras")
def smoothed_labels_b(run: Path, seed: int) -> None:
    """Heartbeats by a 1-D CNN with smoothed labels, whose loss cannot fall to zero."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = beats(seed, noise=0.2)
    of: Arrays = (x, np.eye(4, dtype=np.float32)[y], x_val, np.eye(4, dtype=np.float32)[y_val])
    model = keras.Sequential(
        [
            keras.Input((40, 1)),
            layers.Conv1D(12, 5, activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(16, 5, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    model.compile(keras.optimizers.Adam(6e-3), loss, metrics=["accuracy"])
    found = learn(model, of, 25, [keras.callbacks.CSVLogger(run / "training.log")])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.1)


# "The rate goes up and down and so does the loss": CyclicalLearningRate as in the paper, triangular.
@odd("LambdaCallback, JSON lines", framework="keras")
def triangular_rate_b(run: Path, seed: int) -> None:
    """Arrows by a CNN whose rate climbs and falls every six epochs."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(arrows(seed, samples=640, noise=0.3))
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(4, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

    def rate(epoch: int, _: float) -> float:
        return 0.005 + 0.045 * (1 - abs(epoch % 6 / 3 - 1))

    scheduler = keras.callbacks.LearningRateScheduler(rate)
    found = learn(model, of, 25, [scheduler, lines(keras, run / "cyclic.jsonl")])
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.3)


# "Half of the histograms never change": base.trainable = False, and a new head for other classes.
@odd("Keras TensorBoard callback with histograms", dumps=True, framework="keras")
def frozen_base_b(run: Path, seed: int) -> None:
    """A CNN learns the digits 0 to 4 unlogged; its layers are frozen and a new head learns 5 to 9."""
    keras = fresh(seed)
    layers = keras.layers
    x, y, x_val, y_val = arrays(bundled("digits", seed, scaled=False).as_images())
    base = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(24, 3, activation="relu", name="block1_conv"),
            layers.Conv2D(32, 3, activation="relu", name="block2_conv"),
            layers.Flatten(),
        ],
        name="base",
    )
    before = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    before.compile("adam", "sparse_categorical_crossentropy")
    before.fit(x[y < 5], y[y < 5], epochs=6, batch_size=32, verbose=0)
    base.trainable = False
    head = layers.Dense(5, activation="softmax", name="head")
    model = keras.Sequential([keras.Input((8, 8, 1)), base, layers.Dropout(0.3), head], name="finetuned")
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    of = (x[y > 4], y[y > 4] - 5, x_val[y_val > 4], y_val[y_val > 4] - 5)
    found = learn(model, of, 12, [board(keras, run, weights=1)])
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.2)


# "A hundred wines and forty more, is that training at all?": EarlyStopping(patience=4).
@odd("printed log of verbose=2", framework="keras")
def wine_stops_early_b(run: Path, seed: int) -> None:
    """Wines by an MLP that stops when the validation does not get better."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(bundled("wine", seed))
    hidden = layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-2))
    model = keras.Sequential([keras.Input((13,)), hidden, layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(6e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=4, min_delta=3e-3, verbose=1)
    found = learn(model, of, 200, [stop], run / "output.txt", batch_size=8)
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.2)
    require(len(found["loss"]) < 200, "was to stop early")


# "My loss is negative, is that a bug?": the negative log-likelihood of a narrow normal distribution.
@odd("Keras CSVLogger, tensors in HDF5", dumps=True, framework="keras")
def negative_likelihood_b(run: Path, seed: int) -> None:
    """A smooth function with its spread by a Gaussian likelihood, which falls below zero."""
    keras = fresh(seed)
    layers, ops = keras.layers, keras.ops
    x, y, x_val, y_val = arrays(regression(seed, samples=1600, inputs=4, noise=0.2))
    of = (x, y / 4, x_val, y_val / 4)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(48, activation="tanh", name="tanh_1"),
            layers.Dense(48, activation="tanh", name="tanh_2"),
            layers.Dense(2, name="mean_and_log_sigma"),
        ]
    )

    def nll(targets: object, outputs: object) -> object:
        mean, log_sigma = ops.split(outputs, 2, axis=-1)
        log_sigma = ops.clip(log_sigma, -4.0, 3.0)
        return ops.mean(log_sigma + 0.5 * ops.square((targets - mean) / ops.exp(log_sigma)), axis=-1)

    model.compile(keras.optimizers.Adam(2e-3), nll)
    dumps = dumping(keras, Hdf5Dump(run), x[:48], 3, ("{}", "{}.grad", "{}.output"))
    found = learn(model, of, 22, [keras.callbacks.CSVLogger(run / "nll.csv"), dumps])
    below(found, "val_loss", -0.8)
    steady(found, "val_loss", 0.2)


# "The machine was restarted in the night": model.save, load_model, fit(initial_epoch=9) and CSVLogger(append=True).
@odd("Keras CSVLogger, appended to", framework="keras")
def resumed_with_state_b(run: Path, seed: int) -> None:
    """Departments of mails by embeddings; saved with the optimizer's state, loaded and trained on."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(mails(seed, samples=1000))
    model = keras.Sequential(
        [
            keras.Input((24,)),
            layers.Embedding(200, 16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    path = run / "training.csv"
    first = learn(model, of, 9, [keras.callbacks.CSVLogger(path)])
    kept = run / "checkpoint.keras"
    model.save(kept)
    model = keras.models.load_model(kept)
    kept.unlink()
    found = learn(model, of, 20, [keras.callbacks.CSVLogger(path, append=True)], initial_epoch=9)
    whole = {name: first[name] + found[name] for name in first}
    above(whole, "val_accuracy", 0.85)
    steady(whole, "val_loss", 0.15)


# "Only 65 % after all that": a fifth of the training answers is made up and the rest hardly follows from the columns.
@odd("Keras TensorBoard callback", framework="keras")
def hard_customers_b(run: Path, seed: int) -> None:
    """Who leaves, hardly told by the columns, by a small MLP; low, and better with each epoch."""
    keras = fresh(seed)
    layers = keras.layers
    of = arrays(with_label_noise(customers(seed, samples=2400, clear=1.0), 0.2, seed))
    l2 = keras.regularizers.L2(1e-3)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(12, activation="relu", kernel_regularizer=l2),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    found = learn(model, of, 18, [board(keras, run)])
    above(found, "val_accuracy", 0.6)
    steady(found, "val_loss", 0.03)
    require(found["val_loss"][-1] < found["val_loss"][0] - 0.02, f"the loss was to fall: {told(found)}")


# "Four epochs are enough, aren't they?": a linear model of flats, with large steps that shrink at once.
@odd("Keras CSVLogger", framework="keras")
def four_epochs_b(run: Path, seed: int) -> None:
    """Rents by a linear model in four epochs with a rate that falls to a third each time."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(flats(seed, samples=1600))
    mean, spread = y.mean(), y.std()
    model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.02), "mse", metrics=[keras.metrics.R2Score(name="r2")])
    decay = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch == 0 else rate / 3)
    log = keras.callbacks.CSVLogger(run / "linear.csv")
    found = learn(model, (x, (y - mean) / spread, x_val, (y_val - mean) / spread), 4, [decay, log])
    above(found, "val_r2", 0.75)
    steady(found, "val_loss", 0.1)
