"""Keras programs of the month, second part: labels, weights of classes, own models and rates; and their repaired versions."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetLong
from bench.accuracy.programs_desk_common import inspections, spectra
from bench.accuracy.programs_field_common import above, below, not_above, steady
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_month_keras_common import (
    arrays,
    channels_last,
    dense,
    fraud,
    fresh,
    pairs_of_digits,
    rows,
    tensors,
    train,
)
from bench.accuracy.programs_post_common import board, over, patients

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Validation is below chance while training is perfect": a LabelEncoder fitted anew on the validation folder, whose order differs.
@pair(
    "validation-labels-encoded-otherwise",
    [
        "generalisation-gap",
        "overfit",
        "most-answers-wrong",
        "classifier-confusion",
        "metric-left-behind",
        "confidently-wrong",
    ],
    "csv by a callback, a row an epoch",
    framework="keras",
)
def keras_two_label_encoders(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by their spectra, numbered in another order for validation; fixed: one numbering."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(spectra(seed))
    y_val = y_val if fixed else np.array([3, 0, 4, 1, 2])[y_val]
    model = dense(keras, (60, 32, 5), last="softmax")
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    log = Csv(run, "plain", "epochs.csv", "epoch")
    found = train(model, (x, y, x_val, y_val), 14, [rows(keras, log)])
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.15)


# "Recall of fraud is 0": class_weight={0: 8.0, 1: 1.0}, the wrong way round.
@pair(
    "class-weights-inverted",
    ["class-never-found", "nothing-found", "class-imbalance", "constant-answer", "classifier-confusion", "confusion"],
    "Keras CSVLogger with precision, recall and auc",
    framework="keras",
)
def keras_weights_inverted(run: Path, seed: int, fixed: bool) -> None:
    """Payments of which few are fraud, with weights that make the rare class rarer; fixed: the other way round."""
    keras = fresh(seed)
    of = fraud(seed)
    model = dense(keras, (10, 16, 1), last="sigmoid")
    judged = [
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
        keras.metrics.AUC(name="auc"),
    ]
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy", *judged])
    weights = {0: 1.0, 1: 4.0} if fixed else {0: 8.0, 1: 1.0}
    calls = [keras.callbacks.CSVLogger(str(run / "fraud_log.csv"))]
    found = train(model, of, 10, calls, batch=64, class_weight=weights)
    if fixed:
        above(found, "val_recall", 0.6)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_recall", 0.2)


# "kl_loss is 0.000 and all pictures come out the same": the mean over pixels for the reconstruction, the sum for the divergence.
@pair(
    "posterior-collapse",
    ["posterior-collapse", "loss-plateau", "low-variance", "representation-collapse", "underfit"],
    "Keras TensorBoard callback and outputs of layers in HDF5",
    framework="keras",
    dumps=True,
)
def keras_vae_mean_of_pixels(run: Path, seed: int, fixed: bool) -> None:
    """A variational autoencoder of digits whose divergence outweighs the pixels by far; fixed: sums, and a spread of 0.25."""
    keras = fresh(seed)
    layers, ops = keras.layers, keras.ops
    of = over(data.bundled("digits", seed, scaled=False), 16)
    x, _, x_val, _ = arrays(of)
    noise = keras.random.SeedGenerator(seed)

    model_class: Any = keras.Model
    layer_class: Any = layers.Layer

    class Vae(model_class):
        """Encoder, sampling and decoder; tells the parts of its loss."""

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.reconstruction = keras.metrics.Mean(name="reconstruction_loss")
            self.divergence = keras.metrics.Mean(name="kl_loss")

        @property
        def metrics(self) -> list[Any]:
            """With those of the parts."""
            return [*super().metrics, self.reconstruction, self.divergence]

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            """The reconstruction and the divergence from a standard normal distribution."""
            mean, log_variance, made = y_pred["z_mean"], y_pred["z_log_var"], y_pred["made"]
            pixels = ops.square(made - x)
            reconstruction = ops.mean(ops.sum(pixels, 1) if fixed else ops.mean(pixels, 1)) * (8.0 if fixed else 1.0)
            gap = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
            divergence = ops.mean(ops.sum(gap, 1))
            self.reconstruction.update_state(reconstruction)
            self.divergence.update_state(divergence)
            return reconstruction + divergence

    inputs = keras.Input((64,))
    hidden = layers.Dense(48, activation="relu", name="encoder")(inputs)
    mean = layers.Dense(6, name="z_mean")(hidden)
    log_variance = layers.Dense(6, name="z_log_var")(hidden)

    class Sampling(layer_class):
        """A draw from the posterior."""

        def call(self, given: Any) -> Any:
            """Mean plus noise."""
            middle, spread = given
            return middle + ops.exp(0.5 * spread) * keras.random.normal(ops.shape(middle), seed=noise)

    z = Sampling()([mean, log_variance])
    made = layers.Dense(64, activation="sigmoid", name="pixels")(layers.Dense(48, activation="relu", name="decoder")(z))
    model = Vae(inputs=inputs, outputs={"z_mean": mean, "z_log_var": log_variance, "made": made})
    model.compile(keras.optimizers.Adam(4e-3))
    calls = [
        board(keras, run),
        tensors(keras, Hdf5Dump(run), 84, gradients=True, probe=x_val[:64], layers=("encoder", "z_mean", "z_log_var")),
    ]
    found = train(model, (x, x, x_val, x_val), 12, calls)
    if fixed:
        above(found, "val_kl_loss", 2.0)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_kl_loss", 0.05)


# "The loss falls nicely and distances are useless": the contrastive loss takes 1 for different, the labels say 1 for the same.
@pair(
    "labels-inverted",
    ["metric-at-chance", "most-answers-wrong", "metric-left-behind", "representation-collapse"],
    "long scalars.parquet by a callback",
    framework="keras",
)
def keras_siamese_inverted(run: Path, seed: int, fixed: bool) -> None:
    """Pairs of digits by a Siamese network that draws together what differs; fixed: labels turned round."""
    keras = fresh(seed)
    ops = keras.ops
    of, turned = pairs_of_digits(seed)
    if fixed:
        of = (of[0], turned(of[1]), of[2], turned(of[3]))

    def contrastive(different: Any, distance: Any) -> Any:
        """Margin 1: pairs of a kind near, others apart."""
        apart = ops.square(ops.maximum(1 - distance, 0))
        return ops.mean((1 - different) * ops.square(distance) + different * apart)

    def accuracy(labels: Any, distance: Any) -> Any:
        """Share of pairs told by a distance below 0.5: the same digit."""
        same = 1 - labels if fixed else labels
        return ops.mean(ops.cast(ops.equal(ops.cast(distance < 0.5, "float32"), same), "float32"))

    tower = dense(keras, (64, 48, 16))
    both = keras.Input((2, 64))
    gap = tower(both[:, 0]) - tower(both[:, 1])
    model = keras.Model(both, ops.sqrt(ops.sum(ops.square(gap), -1, keepdims=True) + 1e-6))
    model.compile(keras.optimizers.Adam(2e-3), contrastive, metrics=[accuracy])
    names = {"loss": "train/loss", "accuracy": "train/acc", "val_loss": "valid/loss", "val_accuracy": "valid/acc"}
    found = train(model, of, 12, [rows(keras, ParquetLong(run, "plain"), names)])
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.55)


# "One class for everything after the first epoch": Adam(learning_rate=0.1), which went well with SGD.
@pair(
    "learning-rate-too-high",
    ["learning-rate-too-high", "dead-relu", "constant-answer", "metric-at-chance", "loss-plateau", "updates-too-large"],
    "jsonl by a callback and weights and activations in HDF5",
    framework="keras",
    dumps=True,
)
def keras_adam_of_a_tenth(run: Path, seed: int, fixed: bool) -> None:
    """Faults of a surface by a CNN under Adam(0.1); fixed: 0.002."""
    keras = fresh(seed)
    layers = keras.layers
    of = channels_last(over(inspections(seed, noise=12.0), 255))
    of = ((of[0] - of[0].mean()) / of[0].std(), of[1], (of[2] - of[0].mean()) / of[0].std(), of[3])
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(16, 3, activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="relu", name="fc"),
            layers.Dense(4, activation="softmax", name="probabilities"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(2e-3 if fixed else 0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    calls = [
        rows(keras, JsonLines(run, "plain", "log.jsonl", "epoch"), rate="learning_rate"),
        tensors(keras, Hdf5Dump(run, by_name=True), 14, probe=of[2][:48], layers=("conv1", "conv2", "fc")),
    ]
    found = train(model, of, 15, calls)
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_accuracy", 0.45)


# "Glucose is 120, the pedigree 0.5, a network does not care": no StandardScaler before three layers of sigmoids.
@pair(
    "inputs-not-normalised",
    [
        "data-not-normalized",
        "saturated-sigmoid",
        "saturated-activation",
        "loss-plateau",
        "underfit",
        "vanishing-gradient",
    ],
    "Keras CSVLogger and histograms of weights, gradients and outputs in TensorBoard",
    framework="keras",
    dumps=True,
)
def keras_patients_unscaled(run: Path, seed: int, fixed: bool) -> None:
    """Who of the patients is sick, by sigmoids over raw measures; fixed: standardised."""
    keras = fresh(seed)
    of = arrays(patients(seed, scaled=fixed))
    layers = keras.layers
    wide = keras.initializers.RandomNormal(stddev=0.3)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(24, activation="sigmoid", kernel_initializer=wide, name="hidden_1"),
            layers.Dense(16, activation="sigmoid", name="hidden_2"),
            layers.Dense(1, activation="sigmoid", name="risk"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy", metrics=["accuracy"])
    calls = [
        keras.callbacks.CSVLogger(str(run / "patients.csv")),
        tensors(keras, HistogramDump(run), 34, gradients=True, probe=of[0][:64], layers=("hidden_1", "hidden_2")),
    ]
    found = train(model, of, 20, calls)
    if fixed:
        above(found, "val_accuracy", 0.74)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.71)
        require(min(found["val_loss"]) > 0.58, f"nothing was to be learned: {found['val_loss']}")


# "I only wanted to freeze the encoder": model.trainable = False, set on the whole network before compile().
@pair(
    "all-frozen-by-mistake",
    [
        "loss-not-decreasing",
        "metric-at-chance",
        "loss-plateau",
        "stalled-training-rule",
        "underfit",
        "task-not-learned",
    ],
    "Keras TensorBoard callback with update_freq=5",
    framework="keras",
)
def keras_whole_model_frozen(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by an encoder trained before and a new head, all frozen; fixed: the encoder only."""
    keras = fresh(seed)
    of = arrays(spectra(seed))
    first = dense(keras, (60, 32, 16, 60))
    first.compile(keras.optimizers.Adam(3e-3), "mse")
    first.fit(of[0], of[0], epochs=12, verbose=0)
    encoder = keras.Sequential(first.layers[:-1], name="encoder")
    head = keras.Sequential([keras.layers.Dense(24, activation="relu"), keras.layers.Dense(5, activation="softmax")])
    model = keras.Sequential([keras.Input((60,)), encoder, head])
    (encoder if fixed else model).trainable = False
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = train(model, of, 15, [board(keras, run, batches=5)])
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_accuracy", 0.45)
