"""Programs whose data are wrong: prepared twice or never, in the wrong order, leaking, too few; and their fixed versions."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_qa_common import (
    NOT_LEARNING,
    STANDS,
    VALIDATION_LOST,
    Job,
    as_scopes,
    binary_accuracy,
    binary_loss,
    explained,
    into,
    learned,
    no_better,
    not_finite,
    stuck,
    train,
)
from bench.accuracy.programs_qa_data import circles, masks, prices, reviews, shapes, shuffled_labels, tagged
from bench.accuracy.programs_qa_keras_common import arrays, as_events, as_json, curves, dumping, fit, seeded

RECIPES: list[Recipe] = []
pair = into(RECIPES)
PLAIN = {"loss": "train_loss", "val_loss": "val_loss", "metric": "train_acc", "val_metric": "val_acc"}


@pair("validation-not-prepared", VALIDATION_LOST, "event files in train/ and validation/", framework="keras")
def keras_val_raw(run: Path, seed: int, fixed: bool) -> None:
    """Training images divided by 255, validation images left as they are; fixed: both divided."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(shapes(seed))
    of = x / 255, y, x_val / (255 if fixed else 1), y_val
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="tanh"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = fit(model, of, 15)
    as_events(run, history)
    found = curves(history)
    if fixed:
        learned(found, 0.75)
    else:
        require(found.metric[-1] > 0.75, f"not trained: {found}")
        no_better(found, 0.55)


@pair("dropout-too-strong", (*NOT_LEARNING, "loss-plateau"), "CSVLogger of Keras", framework="keras")
def keras_dropout(run: Path, seed: int, fixed: bool) -> None:
    """Dropout of 0.95 after each layer, where 0.05 was meant: chance; fixed: 0.05."""
    keras = seeded(seed)
    of = arrays(data.bundled("digits", seed))
    layers = keras.layers
    rate = 0.05 if fixed else 0.95
    hidden = [one for _ in range(3) for one in (layers.Dense(32, "relu"), layers.Dropout(rate))]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, "softmax")])
    model.compile(
        keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"]
    )
    found = curves(
        fit(model, of, 12, [keras.callbacks.CSVLogger(run / "training.csv")], 64), "sparse_categorical_accuracy"
    )
    if fixed:
        learned(found, 0.92)
    else:
        require(found.metric[-1] < 0.2, f"it learned: {found}")


@pair("nan-in-input", ("non-finite",), "CSVLogger of Keras", framework="keras")
def keras_nan_rows(run: Path, seed: int, fixed: bool) -> None:
    """A table with three empty cells, read as NaN, which reach all weights in the first epoch; fixed: filled with the mean."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("diabetes", seed))
    x[[7, 90, 200], [2, 5, 1]] = 0.0 if fixed else np.nan
    of = x, y / 100, x_val, y_val / 100
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(4e-3), "mse", metrics=["mae"])
    found = curves(fit(model, of, 25, [keras.callbacks.CSVLogger(run / "diabetes_log.csv")]), "mae")
    if fixed:
        learned(found, share_left=0.4)
    else:
        not_finite(found)


@pair("only-padding", ("token-ratio", *NOT_LEARNING), "history.json; token ids in hdf5", dumps=True, framework="keras")
def keras_padding(run: Path, seed: int, fixed: bool) -> None:
    """Reviews cut after they were padded in front, which leaves almost nothing but padding; fixed: padded at the end."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(reviews(seed))
    if not fixed:
        x, x_val = (np.pad(one, ((0, 0), (22, 0)))[:, :24] for one in (x, x_val))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((24,)),
            layers.Embedding(200, 12),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, "relu"),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), "binary_crossentropy", metrics=["accuracy"])
    ids = dumping(keras, Hdf5Dump(run), more=lambda: {"inputs/input_ids": x[:100].astype("int64")})
    history = fit(model, (x, y[:, None], x_val, y_val[:, None]), 10, [ids])
    as_json(run, history)
    found = curves(history)
    if fixed:
        learned(found, 0.75)
    else:
        no_better(found, 0.64)


@pair("overfit", ("overfit", "overtraining", "best-is-not-last"), "history.json", framework="keras")
def keras_few_reviews(run: Path, seed: int, fixed: bool) -> None:
    """A large model on 70 reviews for 60 epochs, learned by heart; fixed: 600 reviews, dropout, and 10 epochs."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(reviews(seed))
    count = 600 if fixed else 70
    layers = keras.layers
    parts = [
        layers.Embedding(200, 24),
        layers.Flatten(),
        layers.Dropout(0.5 if fixed else 0.0),
        layers.Dense(64, "relu"),
    ]
    model = keras.Sequential([keras.Input((24,)), *parts, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(1e-3 if fixed else 6e-3), "binary_crossentropy", metrics=["accuracy"])
    history = fit(model, (x[:count], y[:count, None], x_val, y_val[:, None]), 10 if fixed else 60)
    as_json(run, history)
    found = curves(history)
    if fixed:
        learned(found, 0.65)
    else:
        require(found.val_loss[-1] > 1.3 * min(found.val_loss), f"no overfit: {found}")


@pair("batch-norm-statistics", VALIDATION_LOST, "csv as of Lightning; tensors in hdf5", dumps=True)
def torch_norm_momentum(run: Path, seed: int, fixed: bool) -> None:
    """BatchNorm with momentum=0.0003, as another framework counts it, whose statistics stay at their start; fixed: 0.1."""
    model = models.mlp((64, 48, 48, 10), norm=True)
    for one in model.modules():
        if isinstance(one, nn.BatchNorm1d):
            one.momentum = 0.1 if fixed else 0.0003
    of = data.bundled("digits", seed, scaled=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    tags = {**PLAIN, "loss": "train_loss_epoch", "epoch": "epoch"}
    steps = {"loss": "train_loss_step", "epoch": "epoch"}
    job = Job(model, of, optimizer, 10, Csv(run, "plain"), tags, steps, 5, on_steps=True, seed=seed, batch=64)
    job.dump, job.dump_every = Hdf5Dump(run), 22
    found = train(job)
    if fixed:
        learned(found, 0.93, late_rise=0.15)
    else:
        require(found.metric[-1] > 0.93, f"not trained: {found}")
        no_better(found, 0.75)


@pair(
    "no-shuffling",
    ("epoch-steps", "loss-spike", "unstable-loss", "classifier-confusion", "metric-at-chance"),
    "tensorboard by steps; batches in parquet",
    dumps=True,
)
def torch_sorted(run: Path, seed: int, fixed: bool) -> None:
    """Folders of images read one after the other with shuffle=False: one class at a time; fixed: shuffle=True."""
    of = shapes(seed, 1600, noise=0.25)
    of = replace(of, x=of.x / 255 - 0.2, x_val=of.x_val / 255 - 0.2)
    order = of.y.argsort(stable=True)
    of = replace(of, x=of.x[order], y=of.y[order])
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(300, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3 if not fixed else 0.15)
    steps = {"loss": "Train/batch_loss", "epoch": "Train/epoch"}
    tags = {"val_loss": "Val/loss", "val_metric": "Val/accuracy"}
    job = Job(model, of, optimizer, 6, TensorBoard(run, "plain"), tags, steps, on_steps=True, seed=seed, shuffled=fixed)
    job.dump, job.dump_every = ParquetDump(run), 3

    def said(model: nn.Module, activations: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        return {"labels/y": job.batch_seen["labels"], "predictions/y": job.batch_seen["outputs"].argmax(1)}

    job.named = said
    found = train(job)
    if fixed:
        learned(found, 0.8, late_rise=0.25)
    else:
        no_better(found, 0.7)


def f1(outputs: Tensor, targets: Tensor) -> Tensor:
    """F1 of the second class, from logits (n, 1)."""
    said, true = outputs[:, 0] > 0, targets > 0
    return 2 * (said & true).sum() / (said.sum() + true.sum()).clamp(min=1)


@pair(
    "class-imbalance",
    ("class-imbalance", "classifier-confusion", "metric-at-chance"),
    "jsonl by epochs; batches in parquet",
    dumps=True,
)
def torch_fraud(run: Path, seed: int, fixed: bool) -> None:
    """Fraud in 3 % of the rows, of which none is found, with F1 at 0; fixed: the rare rows sampled as often as the others."""
    of = data.imbalanced(seed, 3000, 0.03)
    if fixed:
        rare = of.y.nonzero()[:, 0]
        chosen = torch.cat([torch.arange(len(of.y)), rare.repeat(len(of.y) // len(rare) - 1)])
        of = replace(of, x=of.x[chosen], y=of.y[chosen])
    model = models.mlp((10, 16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if not fixed else 0.1)
    tags = {"loss": "train_loss", "val_loss": "val_loss", "metric": "train_f1", "val_metric": "val_f1"}
    job = Job(model, of, optimizer, 20, JsonLines(run, axis="epoch"), tags, loss=binary_loss, metric=f1, seed=seed)
    job.batch, job.dump, job.dump_every = 64, ParquetDump(run), 12

    def said(model: nn.Module, activations: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        return {
            "labels/fraud": job.batch_seen["labels"],
            "predictions/fraud": (job.batch_seen["outputs"][:, 0] > 0) * 1,
        }

    job.named = said
    found = train(job)
    if fixed:
        learned(found, 0.25, late_rise=0.25)
    else:
        no_better(found, 0.03)


@pair("data-leak", ("too-good",), "tensorboard by epochs")
def torch_leak(run: Path, seed: int, fixed: bool) -> None:
    """A table in which the target is still a column, so that all is right after one epoch; fixed: the column dropped."""
    of = data.with_label_noise(circles(seed, 800, 0.25), 0.0, seed)
    if not fixed:
        of = replace(of, x=torch.cat([of.x, 3 * of.y[:, None].float()], 1))
        of = replace(of, x_val=torch.cat([of.x_val, 3 * of.y_val[:, None].float()], 1))
    model = models.mlp((of.x.shape[1], 32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    tags = {"loss": "Loss/train", "val_loss": "Loss/val", "metric": "Acc/train", "val_metric": "Acc/val"}
    job = Job(model, of, optimizer, 40, TensorBoard(run, "plain"), tags, loss=binary_loss, metric=binary_accuracy)
    job.batch, job.seed = 16, seed
    found = train(job)
    if fixed:
        learned(found, 0.75, share_left=0.85)
        require(max(found.val_metric) < 0.98, f"the task is too easy to tell a leak: {found}")
    else:
        require(min(found.val_metric[:3]) > 0.995, f"no leak seen: {found}")


@pair("shuffled-labels", NOT_LEARNING, "csv by epochs")
def torch_glob_order(run: Path, seed: int, fixed: bool) -> None:
    """Images in the order in which the disk lists them, labels in that of the table; fixed: both sorted by name."""
    of = data.bundled("digits", seed)
    of = of if fixed else shuffled_labels(of, seed)
    model = models.mlp((64, 24, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    log = Csv(run, "plain", "results.csv", axis="epoch")
    found = train(Job(model, of, optimizer, 20, log, PLAIN, seed=seed))
    if fixed:
        learned(found, 0.85)
    else:
        no_better(found, 0.16)


@pair("normalised-twice", ("data-not-normalized", *NOT_LEARNING), "trainer_state.json; tensors in hdf5", dumps=True)
def torch_twice_scaled(run: Path, seed: int, fixed: bool) -> None:
    """Pixels divided by 255 in the reader and again in the loop, next to nothing; fixed: once."""
    of = shapes(seed, noise=0.25)
    scale = 255 if fixed else 255 * 255
    of = replace(of, x=of.x / scale, x_val=of.x_val / scale)
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(300, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    log = TrainerState(run, 19, 19 * 15, 10)
    steps = {"loss": "train_loss", "lr": "lr", "grad_norm": "grad_norm"}
    job = Job(model, of, optimizer, 15, log, {"val_loss": "val_loss", "val_metric": "val_accuracy"}, steps, 10)
    job.on_steps, job.seed = True, seed
    job.dump, job.dump_every = Hdf5Dump(run), 40
    found = train(job)
    if fixed:
        learned(found, 0.75)
    else:
        stuck(found)
        no_better(found, 0.4)


@pair("background-only", (*STANDS, "metric-at-chance", "class-imbalance"), "tensorboard by epochs")
def torch_background(run: Path, seed: int, fixed: bool) -> None:
    """Spots of 4 % of the pixels under plain binary cross-entropy and SGD: all is background, IoU 0; fixed: the spots weigh 20 times."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        weight = torch.tensor(20.0 if fixed else 1.0)
        return functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight)

    def iou(outputs: Tensor, targets: Tensor) -> Tensor:
        said, true = outputs > 0, targets > 0.5
        return (said & true).sum() / (said | true).sum().clamp(min=1)

    of = masks(seed)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9 if fixed else 0.0)
    tags = {
        "loss": "seg/train_loss",
        "val_loss": "seg/val_loss",
        "metric": "seg/train_iou",
        "val_metric": "seg/val_iou",
    }
    job = Job(model, of, optimizer, 25, TensorBoard(run, "plain"), tags, loss=loss, metric=iou, seed=seed, batch=16)
    found = train(job)
    if fixed:
        learned(found, 0.4)
    else:
        no_better(found, 0.05)


@pair("softmax-for-several-labels", (*STANDS, "metric-at-chance"), "jsonl by epochs; histograms", dumps=True)
def torch_tags_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Several labels an example under nn.CrossEntropyLoss, so that they compete and F1 stays low; fixed: BCEWithLogitsLoss."""

    def hit(outputs: Tensor, targets: Tensor) -> Tensor:
        said, true = (outputs.sigmoid() if fixed else outputs.softmax(1)) > 0.5, targets > 0.5
        return 2 * (said & true).sum() / (said.sum() + true.sum()).clamp(min=1)

    model = models.mlp((20, 32, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    tags = {"loss": "loss", "val_loss": "val_loss", "metric": "micro_f1", "val_metric": "val_micro_f1"}
    job = Job(model, tagged(seed), optimizer, 25, JsonLines(run, axis="epoch"), tags, metric=hit, seed=seed)
    job.loss = functional.binary_cross_entropy_with_logits if fixed else functional.cross_entropy
    job.dump, job.dump_every = HistogramDump(run), 33
    job.named = as_scopes
    found = train(job)
    if fixed:
        learned(found, 0.75)
    else:
        no_better(found, 0.65)
        stuck(found, 0.5)


@pair("targets-not-scaled", STANDS, "tensorboard by epochs")
def torch_prices(run: Path, seed: int, fixed: bool) -> None:
    """Prices in dollars as they are, a loss of 1e11 that hardly moves in 40 epochs; fixed: standardised targets."""
    of = prices(seed)
    if fixed:
        mean, deviation = of.y.mean(), of.y.std()
        of = data.Split(of.x, (of.y - mean) / deviation, of.x_val, (of.y_val - mean) / deviation)
    model = models.mlp((10, 64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tags = {"loss": "MSE/train", "val_loss": "MSE/test"}
    job = Job(model, of, optimizer, 40, TensorBoard(run, "plain"), tags, seed=seed)
    job.loss, job.metric = functional.mse_loss, explained
    found = train(job)
    if fixed:
        learned(found, 0.7)
        require(found.val_loss[-1] < 0.4, f"too little learned: {found}")
    else:
        stuck(found, 0.96)
