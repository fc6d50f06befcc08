"""Keras programs of teams, first part: outputs and losses, inputs, what may be trained, depth, and the start; and repaired versions."""

import json
from pathlib import Path

import numpy as np

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, ParquetDump
from bench.accuracy.programs_desk_common import customers, gestures, inspections, spectra
from bench.accuracy.programs_field_common import NOTHING_LEARNED, above, below, not_below, steady, told
from bench.accuracy.programs_post_common import pictures
from bench.accuracy.programs_team_common import into
from bench.accuracy.programs_team_keras_common import arrays, each_epoch, keras_at, outputs_of, probe, soils, trail_of

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Accuracy stays at 25 % and the loss is over 3, where ln 4 = 1.39": Dense(4) without softmax, with the string of the loss.
@pair(
    "logits-taken-for-probabilities",
    ("loss-plateau", "loss-not-decreasing", "metric-at-chance", "underfit", "unstable-loss", "loss-divergence"),
    "keras CSVLogger, named training.log",
    framework="keras",
)
def wafer_sorter(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of damage on pictures of wafers by a CNN whose last layer is linear under a loss of probabilities; fixed: from_logits."""
    x, y, x_val, y_val = arrays(inspections(seed))
    x, x_val = x / 127.5 - 1, x_val / 127.5 - 1
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(4),
        ]
    )
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=fixed),
        metrics=["accuracy"],
    )
    log = keras.callbacks.CSVLogger(str(run / "training.log"))
    found = trail_of(model.fit(x, y, 32, 16, verbose=0, validation_data=(x_val, y_val), callbacks=[log]))
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.5)


# "The network says that everyone leaves": a softmax over one unit, which is one whatever comes in.
@pair(
    "softmax-over-one-unit",
    (*NOTHING_LEARNED, "initial-loss", "constant-answer"),
    "json of history.history, for each fit",
    framework="keras",
)
def churn_guard(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, with Dense(1, softmax) at the end; fixed: sigmoid."""
    x, y, x_val, y_val = arrays(customers(seed, 900, 3.0))
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.Dense(1, activation="sigmoid" if fixed else "softmax"),
        ]
    )
    metrics = [keras.metrics.BinaryAccuracy(name="hit_rate"), keras.metrics.AUC(name="roc")]
    model.compile("adam", "binary_crossentropy", metrics=metrics)
    found = trail_of(model.fit(x, y, 32, 25, verbose=0, validation_data=(x_val, y_val)))
    (run / "churn_history.json").write_text(json.dumps(found), encoding="utf-8")
    if fixed:
        above(found, "val_hit_rate", 0.75)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_roc", 0.55)


# "loss: nan from the first epoch on, the data have no NaN, I checked": conductivities of 800 and rains of 640 go in as they are.
@pair(
    "input-not-normalised",
    ("data-not-normalized", "non-finite", "loss-goes-missing", "loss-divergence", "learning-rate-too-high"),
    "tab-separated table by hand",
    framework="keras",
)
def soil_yield(run: Path, seed: int, fixed: bool) -> None:
    """The yield of fields from raw measures by SGD; fixed: a Normalization layer that was adapted."""
    x, y, x_val, y_val = arrays(soils(seed))
    keras = keras_at(seed)
    layers = keras.layers
    scale = layers.Normalization() if fixed else layers.Identity()
    if fixed:
        scale.adapt(x)
    hidden = [layers.Dense(24, activation="relu"), layers.Dense(12, activation="relu"), layers.Dense(1)]
    model = keras.Sequential([keras.Input((7,)), scale, *hidden])
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=[keras.metrics.R2Score(name="r2")])
    with (run / "yield_fit.tsv").open("w", encoding="utf-8") as file:
        file.write("epoch\tmse_fit\tmse_holdout\tr2_holdout\n")

        def tell(epoch: int, logs: dict[str, float]) -> None:
            file.write(f"{epoch + 1}\t{logs['loss']:.5f}\t{logs['val_loss']:.5f}\t{logs['val_r2']:.4f}\n")

        history = model.fit(
            x, y, 16, 20, verbose=0, validation_data=(x_val, y_val), callbacks=[each_epoch(keras, tell)]
        )
    found = trail_of(history)
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_loss", 0.15)
    else:
        not_below(found, "val_loss", 2.0)


# "Transfer learning gives 25 % for four kinds": `for layer in model.layers: layer.trainable = False`, after the head had been put on.
@pair(
    "all-layers-frozen",
    ("unchanged-tensor", "updates-too-small", *NOTHING_LEARNED),
    "SummaryWriter with scalars of each epoch and histograms of the variables",
    dumps=True,
    framework="keras",
)
def leaf_doctor(run: Path, seed: int, fixed: bool) -> None:
    """Four spots on leaves by a CNN, all of which is frozen; fixed: nothing but its first convolution is."""
    from torch.utils.tensorboard import SummaryWriter

    x, y, x_val, y_val = arrays(pictures(seed, 560, 18.0))
    x, x_val = x / 128 - 1, x_val / 128 - 1
    keras = keras_at(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, activation="relu", name="block1_conv"),
            layers.Conv2D(16, 3, activation="relu", name="block2_conv"),
            layers.MaxPooling2D(name="block2_pool"),
            layers.Conv2D(24, 3, activation="relu", name="block3_conv"),
            layers.Flatten(name="flat"),
            layers.Dense(4, activation="softmax", name="leaf_head"),
        ]
    )
    for layer in model.layers[:1] if fixed else model.layers:
        layer.trainable = False
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    writer = SummaryWriter(str(run / "leaf_tb"))
    tags = {"loss": "xent/fit", "accuracy": "top1/fit", "val_loss": "xent/unseen", "val_accuracy": "top1/unseen"}

    def tell(epoch: int, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            writer.add_scalar(tags[name], value, epoch)
        for one in model.weights if epoch % 2 == 0 else ():
            writer.add_histogram(one.path, np.array(keras.ops.convert_to_numpy(one)), epoch)

    history = model.fit(x, y, 32, 16, verbose=0, validation_data=(x_val, y_val), callbacks=[each_epoch(keras, tell)])
    writer.close()
    found = trail_of(history)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.5)


# "More layers must be better, yet it says the same class for every plastic": ten layers of sigmoids, in the manner of an old book.
@pair(
    "deep-sigmoids",
    ("vanishing-gradient", "updates-too-small", *NOTHING_LEARNED),
    "jsonl of epochs, and HDF5 of weights, gradients and activations by step",
    dumps=True,
    framework="keras",
)
def plastic_depth(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of plastic from spectra by ten layers of sigmoids; fixed: ReLU with he_normal."""
    x, y, x_val, y_val = arrays(spectra(seed, 1300, noise=0.2))
    keras = keras_at(seed)
    layers = keras.layers
    hidden = [
        layers.Dense(
            24,
            activation="relu" if fixed else "sigmoid",
            kernel_initializer="he_normal" if fixed else "glorot_uniform",
            name=f"hidden_{one}",
        )
        for one in range(10)
    ]
    model = keras.Sequential([keras.Input((60,)), *hidden, layers.Dense(5, activation="softmax", name="plastic")])
    loss = keras.losses.SparseCategoricalCrossentropy()
    rate = keras.optimizers.schedules.CosineDecay(0.003, 20 * -(-len(x) // 32))
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss, metrics=["accuracy"])
    dump = Hdf5Dump(run, name="inspect.h5")
    with (run / "epochs.jsonl").open("w", encoding="utf-8") as file:

        def tell(epoch: int, logs: dict[str, float]) -> None:
            names = {"loss": "nll_train", "val_loss": "nll_dev", "accuracy": "right_train", "val_accuracy": "right_dev"}
            row = {"epoch": epoch, **{names[name]: round(value, 6) for name, value in logs.items()}}
            file.write(json.dumps(row) + "\n")
            if epoch % 2 == 0:
                part = x[:128]
                dump.dump(epoch, probe(keras, model, loss, part, y[:128]) | outputs_of(keras, model, part))

        history = model.fit(
            x, y, 32, 20, verbose=0, validation_data=(x_val, y_val), callbacks=[each_epoch(keras, tell)]
        )
    dump.close()
    found = trail_of(history)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.15)
        require(found["val_loss"][-1] < 1.35 * min(found["val_loss"]), told(found))
    else:
        below(found, "val_accuracy", 0.4)


# "For a run that can be repeated I set kernel_initializer='zeros'; it repeats, at 20 %."
@pair(
    "zero-initialisation",
    ("poor-initialization", "all-zero", "gradient-all-zero", "unchanged-tensor", "loss-plateau", "metric-at-chance"),
    "json array of epochs, and Parquet of weights and gradients",
    dumps=True,
    framework="keras",
)
def glove_motion(run: Path, seed: int, fixed: bool) -> None:
    """Gestures from a glove by a 1-D CNN, all of whose kernels begin at zero; fixed: as Keras draws them."""
    x, y, x_val, y_val = arrays(gestures(seed))
    keras = keras_at(seed)
    layers = keras.layers
    start = "glorot_uniform" if fixed else "zeros"
    model = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Conv1D(12, 5, activation="relu", kernel_initializer=start, name="conv_a"),
            layers.Conv1D(16, 5, activation="relu", kernel_initializer=start, name="conv_b"),
            layers.GlobalMaxPooling1D(name="peak"),
            layers.Dense(5, activation="softmax", kernel_initializer=start, name="gesture"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy()
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    dump = ParquetDump(run, "glove_weights.parquet")
    rows: list[dict[str, float]] = []

    def tell(epoch: int, logs: dict[str, float]) -> None:
        told = {"trn_ce": logs["loss"], "trn_acc": logs["accuracy"], "dev_ce": logs["val_loss"]}
        rows.append({"epoch": epoch, **told, "dev_acc": logs["val_accuracy"]})
        if epoch % 3 == 0:
            dump.dump(epoch, probe(keras, model, loss, x[:96], y[:96]))

    history = model.fit(x, y, 32, 18, verbose=0, validation_data=(x_val, y_val), callbacks=[each_epoch(keras, tell)])
    dump.close()
    (run / "glove.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    found = trail_of(history)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.35)
