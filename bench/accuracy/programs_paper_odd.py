"""Healthy programs of the papers' manner that look odd: what makes simple tools alarm."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, last, steady, told
from bench.accuracy.programs_paper_common import arrows, odd_into
from bench.accuracy.programs_qa_keras_common import arrays, as_json, seeded
from bench.accuracy.programs_qa_keras_common import fit as keras_fit

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


@odd("CSVLogger of Keras", framework="keras")
def strong_dropout(run: Path, seed: int) -> None:
    """Digits with dropout 0.6 twice: the training loss lies far above the validation loss all the way, because only it has dropout."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    layers = keras.layers
    hidden = [one for _ in range(2) for one in (layers.Dense(64, "relu"), layers.Dropout(0.6))]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(run / "training_log.csv")
    found = keras_fit(model, (x / 16, y, x_val / 16, y_val), 26, [log], batch=128)
    above(found, "val_accuracy", 0.92)
    steady(found, "val_loss")
    require(last(found, "loss") > 1.5 * last(found, "val_loss"), f"nothing odd: {told(found)}")


@odd("SummaryWriter by steps")
def tiny_batches(run: Path, seed: int) -> None:
    """Irises two at a time: each logged loss is that of one batch, so that it jumps between nearly 0 and 1 while the model learns."""
    of = data.bundled("iris", seed)
    model = models.mlp((4, 12, 3), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    log = TensorBoard(run, "plain")
    tags = ("loss/batch", "", "loss/validation", "accuracy/validation")
    found = fit(model, of, optimizer, 20, log, tags, batch=2, seed=seed, every=1)
    above(found, "accuracy/validation", 0.88)
    steady(found, "loss/validation", 0.15)


@odd("csv by rounds", framework="lightgbm")
def label_noise(run: Path, seed: int) -> None:
    """LightGBM on two classes of which a third of the labels is flipped in both parts: an AUC near 0.65 is about the most there is."""
    import lightgbm
    import numpy as np

    random = np.random.default_rng(seed)
    x = random.normal(size=(3000, 8))
    clean = (x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2] > 0).astype(int)
    y = np.where(random.random(3000) < 0.33, 1 - clean, clean)
    train = lightgbm.Dataset(x[:2000], y[:2000])
    settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "verbosity": -1, "num_threads": 1}
    settings |= {"num_leaves": 4, "learning_rate": 0.08, "min_data_in_leaf": 40, "seed": seed}
    evals: dict[str, dict[str, list[float]]] = {}
    model = lightgbm.train(
        settings,
        train,
        40,
        [train, lightgbm.Dataset(x[2000:], y[2000:], reference=train)],
        valid_names=["train", "valid"],
        callbacks=[lightgbm.record_evaluation(evals)],
    )
    found = {f"{part}_{name}": list(values) for part, told_of in evals.items() for name, values in told_of.items()}
    log = Csv(run, "plain", "lgbm_eval.csv", axis="iteration")
    for number in range(40):
        log.log(number, {tag: values[number] for tag, values in found.items()})
    log.close()
    right = float(((model.predict(x[2000:]) > 0.5) == (clean[2000:] == 1)).mean())
    require(right > 0.85, f"{right:.3f} of the clean labels were hit")
    above(found, "valid_auc", 0.62)
    steady(found, "valid_binary_logloss", 0.03)


@odd("SummaryWriter by steps, with histograms", dumps=True)
def cyclic_rate(run: Path, seed: int) -> None:
    """Digits under a triangular rate between 0.002 and 0.2: the loss rises a little in each upper half and ends low in the last valley."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.8)
    per_epoch = data.steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.002, 0.2, 2 * per_epoch, cycle_momentum=False)
    log = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(log), model, 60, "torch")
    found = fit(
        model,
        of,
        optimizer,
        12,
        log,
        ("train/loss", "", "valid/loss", "valid/acc"),
        seed=seed,
        every=10,
        schedule=schedule,
        rate_tag="train/lr",
        snapshots=snapshots,
    )
    above(found, "valid/acc", 0.92)
    steady(found, "valid/loss", 0.2)


@odd("Lightning's csv by epochs")
def warm_restarts(run: Path, seed: int) -> None:
    """Arrows under a cosine that starts anew every five epochs, each time with a bump of the losses; it ends at the bottom of one."""
    of = arrows(seed, 800)
    model = models.cnn(4, (8, 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    per_epoch = data.steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 5 * per_epoch)
    found = fit(
        model,
        of,
        optimizer,
        20,
        Csv(run, "plain", axis="epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        schedule=schedule,
        rate_tag="lr-SGD",
    )
    above(found, "val_acc", 0.88)
    steady(found, "val_loss", 0.2)


@odd("history.json", framework="keras")
def six_epochs(run: Path, seed: int) -> None:
    """Digits by a CNN with batch norm for six epochs, which is all that they need."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False).as_images())
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(6e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = keras_fit(model, (x / 16, y, x_val / 16, y_val), 6)
    as_json(run, found)
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.15)


@odd("jsonl by epochs")
def rare_class(run: Path, seed: int) -> None:
    """One in twelve is positive, and weighs eleven times as much: accuracy lies below always saying no for long, recall is good."""
    of = data.imbalanced(seed, 2000, 0.08)
    model = models.mlp((10, 16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3)
    weight = torch.tensor(float((of.y == 0).sum()) / float((of.y == 1).sum()))

    def weighted(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float(), pos_weight=weight)

    def balanced(outputs: Tensor, targets: Tensor) -> Tensor:
        said = outputs[:, 0] > 0
        shares = [(said == (side == 1))[targets == side].float().mean() for side in (0, 1)]
        return torch.nan_to_num(torch.stack(shares), nan=0.5).mean()

    def also() -> dict[str, float]:
        with torch.no_grad():
            said = model(of.x_val)[:, 0] > 0
        truth = of.y_val == 1
        return {
            "val_recall": float(said[truth].float().mean()),
            "val_precision": float(truth[said].float().mean()),
            "val_accuracy": float((said == truth).float().mean()),
        }

    log = JsonLines(run, "plain", "history.jsonl", axis="epoch")
    tags = ("loss", "", "val_loss", "val_balanced_accuracy")
    found = fit(model, of, optimizer, 25, log, tags, loss=weighted, metric=balanced, seed=seed, batch=64, also=also)
    above(found, "val_balanced_accuracy", 0.75)
    above(found, "val_recall", 0.7)
    steady(found, "val_loss", 0.15)


@odd("trainer_state.json")
def starts_good(run: Path, seed: int) -> None:
    """A network that knows the digits is tuned to the same in other brightness at a small rate: the loss starts low and falls little."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    shifted = replace(of, x=of.x * 0.8 + 0.25, x_val=of.x_val * 0.8 + 0.25)
    teacher = torch.optim.Adam(model.parameters(), lr=2e-3)
    stream = data.batches(of, 32, seed + 10)
    for _ in range(120):
        x, y = next(stream)
        teacher.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        teacher.step()
    per_epoch = data.steps_per_epoch(of, 32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / (4 * per_epoch)))
    log = TrainerState(run, per_epoch, 4 * per_epoch)
    tags = ("train_loss", "", "val_loss", "val_accuracy")
    found = fit(
        model,
        shifted,
        optimizer,
        4,
        log,
        tags,
        seed=seed,
        every=10,
        schedule=schedule,
        rate_tag="lr",
        norm_tag="grad_norm",
    )
    above(found, "val_accuracy", 0.9)
    require(found["train_loss"][0] < 0.8 and last(found, "train_loss") < 0.85 * found["train_loss"][0], told(found))
    steady(found, "val_loss")


@odd("CSVLogger of Keras", framework="keras")
def diabetes_units(run: Path, seed: int) -> None:
    """The progress of diabetes in its own units: the squared error ends near 3,000 and R² near 0.4, which is all that there is."""
    keras = seeded(seed)
    of = arrays(data.bundled("diabetes", seed))
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.03), "mse", metrics=["mae", keras.metrics.R2Score(name="r2")])
    x, y, x_val, y_val = of
    log = keras.callbacks.CSVLogger(run / "diabetes.csv")
    found = keras_fit(model, (x, y[:, None], x_val, y_val[:, None]), 25, [log])
    above(found, "val_r2", 0.28)
    require(last(found, "loss") > 2000, f"nothing odd: {told(found)}")
    steady(found, "val_loss")


class Spread(nn.Module):
    """The mean and the logarithm of the deviation of what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.body = models.mlp((1, 32, 32, 2), "tanh")

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


@odd("csv, each hundredth step; weights and gradients in hdf5", dumps=True)
def density_below_zero(run: Path, seed: int) -> None:
    """The negative log-likelihood of a narrow density falls far below zero; logged twelve times in all, and never as a share."""
    random = data.generator(seed)
    x = torch.rand((800, 1), generator=random) * 4 - 2
    y = 0.5 * torch.sin(2 * x) + (0.03 + 0.05 * (x > 0)) * torch.randn((800, 1), generator=random)
    of = data.Split(x[:600], y[:600], x[600:], y[600:])
    model = Spread()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1200)
    stream = data.batches(of, 64, seed)

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        mean, spread = outputs[:, :1], outputs[:, 1:].clamp(-5, 3)
        return (spread + 0.5 * ((targets - mean) / spread.exp()).square()).mean() + 0.9189

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        inputs, targets = next(stream)
        return likelihood(model(inputs), targets), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"valid_nll": float(likelihood(model(of.x_val), of.y_val))}

    snapshots = Snapshots(Hdf5Dump(run), model, 200)
    step = Descent(model, optimizer, objective, "nll", clip=5.0, schedule=schedule, snapshots=snapshots)
    found = go(Course(step, 1200, Csv(run, "plain", "nll.csv"), 100, True, evaluate, 100, snapshots=snapshots))
    below(found, "valid_nll", -0.9)
    steady(found, "valid_nll", 0.15)
