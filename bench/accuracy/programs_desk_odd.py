"""Letters about healthy programs: tasks that are hard by nature, and logs that look odd while all is well."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.loop import accuracy
from bench.accuracy.programs_desk_common import customers, flats, gestures, inspections, mails, odd_into, spectra
from bench.accuracy.programs_field_common import Course, Descent, Trail, above, below, fit, go, last, steady, told
from bench.accuracy.programs_post_common import board, explained
from bench.accuracy.programs_qa_keras_common import arrays, dumping, seeded
from bench.accuracy.programs_qa_keras_common import fit as keras_fit

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "Only 62 %, what is wrong?" Nothing: whether these customers leave is for the most part chance.
@odd("CSVLogger of Keras", framework="keras")
def churn_mostly_chance(run: Path, seed: int) -> None:
    """Whether customers leave where the columns say little: an accuracy of about 0.63, as good as who knows the law behind it."""
    keras = seeded(seed)
    of = arrays(customers(seed, 1600, clear=0.7))
    layers = keras.layers
    hidden = [layers.Dense(16, "relu"), layers.Dropout(0.3), layers.Dense(8, "relu"), layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((12,)), *hidden, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.001), "binary_crossentropy", metrics=["accuracy", "AUC"])
    found = keras_fit(model, of, 20, [keras.callbacks.CSVLogger(run / "log.csv")], batch=32)
    above(found, "val_AUC", 0.6)
    above(found, "val_accuracy", 0.56)
    below(found, "val_accuracy", 0.71)
    steady(found, "val_loss", 0.03)


# "Four annotators, and they agree on every second mail only."
@odd("SummaryWriter with one scalar an epoch")
def mails_annotators_disagree(run: Path, seed: int) -> None:
    """The department of a mail where 55 % of the labels were given at random: an accuracy of about 0.55 of at most 0.59."""
    of = mails(seed, 1400)
    random = data.generator(seed)

    def noisy(y: Tensor) -> Tensor:
        hit = torch.rand(y.shape, generator=random) < 0.55
        return torch.where(hit, torch.randint(0, 4, y.shape, generator=random), y)

    of = data.Split(of.x, noisy(of.y), of.x_val, noisy(of.y_val))
    model = nn.Sequential(nn.EmbeddingBag(200, 12), nn.Dropout(0.3), nn.Linear(12, 4))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1),
        24,
        TensorBoard(run, "plain"),
        ("Train/CrossEntropy", "Train/Acc", "Val/CrossEntropy", "Val/Acc"),
        seed=seed,
    )
    above(found, "Val/Acc", 0.46)
    below(found, "Val/Acc", 0.66)
    steady(found, "Val/CrossEntropy", 0.03)


# "R² is 0.3, may I publish?" Rents of flats whose owners ask what they like.
@odd("Lightning's metrics.csv by epochs")
def rents_as_owners_like(run: Path, seed: int) -> None:
    """Rents to which each owner adds as he likes: R² of about 0.3, which is what can be known."""
    of = flats(seed, 1200)
    random = data.generator(seed)
    mean, spread = of.y.mean(), of.y.std()

    def owners(y: Tensor) -> Tensor:
        return ((y - mean) / spread + 1.4 * torch.randn(y.shape, generator=random)) / 1.7

    of = data.Split(of.x, owners(of.y), of.x_val, owners(of.y_val))
    model = models.mlp((9, 16, 1), dropout=0.1)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1),
        20,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_mse", "train_r2", "val_mse", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
    )
    above(found, "val_r2", 0.17)
    below(found, "val_r2", 0.42)
    steady(found, "val_mse", 0.05)


# "The training loss is six times that of validation": class_weight counts in the one and not in the other.
@odd("TensorBoard callback of Keras", framework="keras")
def weighted_classes(run: Path, seed: int) -> None:
    """Surfaces of parts where a missed defect costs six times: training loss lies far above validation loss, which has no weights."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(inspections(seed, 700, noise=10))
    of = x / 127.5 - 1, y, x_val / 127.5 - 1, y_val
    layers = keras.layers
    convolutions = [
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(24, 3, activation="relu"),
    ]
    model = keras.Sequential(
        [keras.Input((12, 12, 1)), *convolutions, layers.Flatten(), layers.Dropout(0.3), layers.Dense(4, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        of[0],
        of[1],
        batch_size=16,
        epochs=15,
        validation_data=of[2:],
        class_weight={0: 2.0, 1: 6.0, 2: 6.0, 3: 6.0},
        verbose=0,
        callbacks=[board(keras, run)],
    ).history
    found: Trail = {name: [float(one) for one in values] for name, values in history.items()}
    above(found, "val_accuracy", 0.8)
    steady(found, "val_loss", 0.2)
    require(last(found, "loss") > 1.5 * last(found, "val_loss"), told(found))


# "My loss is a hedge": batches of two, each logged.
@odd("csv with a row for each second batch")
def batches_of_two(run: Path, seed: int) -> None:
    """Gestures of a hand in batches of two, for lack of memory: each loss is 0 or 2, and validation gets better all the same."""
    of = gestures(seed, noise=0.6)
    of = data.Split(of.x.transpose(1, 2), of.y, of.x_val.transpose(1, 2), of.y_val)
    pooled = (nn.AdaptiveMaxPool1d(2), nn.Flatten())
    model = nn.Sequential(nn.Conv1d(3, 12, 5), nn.ReLU(), nn.Conv1d(12, 16, 5), nn.ReLU(), *pooled, nn.Linear(32, 5))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-4),
        8,
        Csv(run, "plain", "loss_per_batch.csv", "n_batch"),
        ("loss", "", "test_loss", "test_accuracy"),
        seed=seed,
        batch=2,
        every=2,
    )
    above(found, "test_accuracy", 0.85)
    steady(found, "test_loss", 0.2)


# "Each Monday the loss jumps": every eighth epoch a new line of products joins the data.
@odd("jsonl by hand")
def products_join(run: Path, seed: int) -> None:
    """Kinds of plastic, of which a new one joins the data every eighth epoch: the loss jumps and falls, accuracy on all gets better."""
    of = spectra(seed, 800, noise=0.6)
    model = models.mlp((60, 40, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    random = data.generator(seed)
    per_epoch = 20

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        known = min(5, 2 + (step - 1) // (8 * per_epoch))
        rows = torch.nonzero(of.y < known)[:, 0]
        chosen = rows[torch.randint(0, len(rows), (32,), generator=random)]
        outputs = model(of.x[chosen])
        return functional.cross_entropy(outputs, of.y[chosen]), {
            "acc": float(accuracy(outputs.detach(), of.y[chosen])),
            "n_classes": float(known),
        }

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        return {"acc_all": float(accuracy(outputs, of.y_val))}

    step = Descent(model, optimizer, objective, "loss")
    found = go(
        Course(
            step,
            40 * per_epoch,
            JsonLines(run, "plain", "weekly.jsonl", "epoch"),
            evaluate=evaluate,
            per_epoch=per_epoch,
        )
    )
    above(found, "acc_all", 0.8)
    require(last(found, "loss") < 0.3, told(found))


# "The language model stands at 2.3": machine codes of which three of four characters are chance.
@odd("trainer_state.json")
def codes_mostly_chance(run: Path, seed: int) -> None:
    """The next sign of machine codes: each fourth can be known, the others are one of 16; the loss ends at what chance leaves."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 16, (800, 24))
    codes[:, 3::4] = codes[:, 2::4] % 2 + 16
    signs = torch.tensor(codes)
    of = data.Split(signs[:640, :-1], signs[:640, 1:], signs[640:, :-1], signs[640:, 1:])
    # Of 23 signs 6 can be known (0 nats), and 17 are one of 16.
    floor = 17 / 23 * np.log(16)
    model = models.Transformer(18, 18, width=32, layers=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    epochs, per_epoch = 12, data.steps_per_epoch(of, 16)
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, epochs * per_epoch, 10),
        ("train_loss", "", "val_loss", ""),
        loss=lambda outputs, targets: functional.cross_entropy(outputs.flatten(0, 1), targets.flatten()),
        seed=seed,
        batch=16,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, epochs * per_epoch),
    )
    below(found, "val_loss", 1.05 * floor)
    require(found["val_loss"][0] > 1.05 * last(found, "val_loss"), told(found))
    steady(found, "val_loss", 0.03)


# "The autoencoder stands at 0.6": the cross-entropy of grey pixels with themselves is not zero.
@odd("history of Keras in csv; outputs and weights of layers in hdf5", dumps=True, framework="keras")
def grey_pixels(run: Path, seed: int) -> None:
    """Spectra as grey values through a code of 12 under the binary cross-entropy: 0.6 at the end, which is its floor, and good copies."""
    keras = seeded(seed)
    x, _, x_val, _ = arrays(spectra(seed, 800, noise=0.08))
    x, x_val = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-x_val))
    dense = keras.layers.Dense
    model = keras.Sequential(
        [
            keras.Input((60,)),
            dense(40, "relu", name="enc"),
            dense(12, "relu", name="code"),
            dense(40, "relu", name="dec"),
            dense(60, "sigmoid", name="copy"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["mse"])
    callbacks = [keras.callbacks.CSVLogger(run / "ae_history.csv"), dumping(keras, Hdf5Dump(run), x_val[:16])]
    found = keras_fit(model, (x, x, x_val, x_val), 25, callbacks, batch=16)
    floor = float(-(x_val * np.log(x_val) + (1 - x_val) * np.log(1 - x_val)).mean())
    below(found, "val_loss", floor + 0.03)
    below(found, "val_mse", 0.35 * float(x_val.var(0).mean()))
    steady(found, "val_loss", 0.02)
