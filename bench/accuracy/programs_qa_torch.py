"""Programs in plain PyTorch whose loop or loss is wrong, and their fixed versions."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import (
    Console,
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    ParquetDump,
    ParquetLong,
    TensorBoard,
)
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_qa_common import (
    NOT_LEARNING,
    STANDS,
    TOO_FAST,
    Job,
    as_scopes,
    binary_accuracy,
    binary_loss,
    driven_up,
    explained,
    into,
    learned,
    no_better,
    not_finite,
    stuck,
    train,
)
from bench.accuracy.programs_qa_data import boxes, circles, shapes, tagged

RECIPES: list[Recipe] = []
pair = into(RECIPES)
BOTH = {"loss": "Loss/train", "val_loss": "Loss/valid", "metric": "Accuracy/train", "val_metric": "Accuracy/valid"}


@pair("double-softmax", NOT_LEARNING, "tensorboard by epochs; tensors in hdf5", dumps=True)
def torch_double_softmax(run: Path, seed: int, fixed: bool) -> None:
    """A network that ends in nn.Softmax under nn.CrossEntropyLoss, with SGD and few epochs: at chance; fixed: without it."""
    model = models.mlp((64, 32, 32, 10))
    if not fixed:
        model.add_module("softmax", nn.Softmax(dim=1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    job = Job(model, data.bundled("digits", seed), optimizer, 20, TensorBoard(run, "plain"), BOTH, seed=seed)
    job.dump, job.dump_every = Hdf5Dump(run), 84
    found = train(job)
    if fixed:
        learned(found, 0.8)
    else:
        no_better(found, 0.5)
        stuck(found)


@pair(
    "missing-zero-grad",
    (*TOO_FAST, "unstable-loss", "loss-spike", "non-finite"),
    "tensorboard by steps; histograms",
    dumps=True,
)
def torch_no_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """A loop without optimizer.zero_grad(), whose gradients add up; fixed: with it."""
    of = data.regression(seed)
    model = models.mlp((8, 32, 1), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    steps = {"loss": "running_loss", "grad_norm": "grad_norm"}
    tags = {"val_loss": "val_loss", "val_metric": "val_r2"}
    job = Job(model, of, optimizer, 30, TensorBoard(run, "plain"), tags, steps, on_steps=True, seed=seed)
    job.loss, job.metric, job.zero_grad = functional.mse_loss, explained, fixed
    job.dump, job.dump_every = HistogramDump(run / "histograms"), 30
    job.named = as_scopes
    found = train(job)
    if fixed:
        learned(found, 0.5, share_left=0.6)
    else:
        driven_up(found)


@pair(
    "optimizer-without-parameters",
    ("unchanged-tensor", *NOT_LEARNING),
    "console; histograms in event files",
    dumps=True,
)
def torch_head_replaced(run: Path, seed: int, fixed: bool) -> None:
    """The optimizer was given the parameters of a network that was then built again, so that nothing moves; fixed: built before."""
    thrown_away = models.cnn(4, (8, 8))
    model = nn.Sequential(*thrown_away.children()) if fixed else nn.Sequential(*models.cnn(4, (8, 8)).children())
    model[-1] = nn.Linear(8 * 6 * 6, 4)
    of = shapes(seed)
    of = data.Split(of.x / 255, of.y, of.x_val / 255, of.y_val)
    given = model if fixed else thrown_away
    optimizer = torch.optim.Adam(given.parameters(), lr=3e-3)
    tags = {"loss": "train_loss", "metric": "train_acc", "val_loss": "val_loss", "val_metric": "val_acc"}
    job = Job(model, of, optimizer, 12, Console(run, axis="Epoch"), tags, seed=seed)
    job.dump, job.dump_every = HistogramDump(run / "runs"), 19
    found = train(job)
    if fixed:
        learned(found, 0.75)
    else:
        stuck(found, 0.99)


@pair("wrong-loss-sign", ("metric-at-chance", "underfit", "best-is-not-last", "loss-divergence"), "jsonl by epochs")
def torch_wrong_sign(run: Path, seed: int, fixed: bool) -> None:
    """`loss = log_probability[target].mean()` without its minus, which falls below zero and makes all wrong; fixed: with it."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        told = outputs.log_softmax(1).gather(1, targets[:, None]).mean()
        return -told if fixed else told

    model = models.mlp((13, 24, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    tags = {"loss": "loss", "val_loss": "val_loss", "metric": "acc", "val_metric": "val_acc"}
    job = Job(model, data.bundled("wine", seed), optimizer, 60, JsonLines(run, axis="epoch"), tags, seed=seed)
    job.loss, job.batch = loss, 16
    found = train(job)
    if fixed:
        learned(found, 0.85)
    else:
        no_better(found, 0.34)


@pair(
    "detached-graph",
    ("unchanged-tensor", *NOT_LEARNING),
    "parquet, long; weights in parquet",
    dumps=True,
)
def torch_detached(run: Path, seed: int, fixed: bool) -> None:
    """`loss = Variable(loss.data, requires_grad=True)` before backward(), which reaches no weight; fixed: without the line."""

    def backward(loss: Tensor) -> None:
        (loss if fixed else loss.detach().requires_grad_()).backward()

    model = models.mlp((64, 32, 10), "sigmoid")
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    tags = {"loss": "train/ce", "val_loss": "valid/ce", "val_metric": "valid/top1"}
    job = Job(model, data.bundled("digits", seed), optimizer, 12, ParquetLong(run, "plain"), tags, seed=seed)
    job.batch, job.backward, job.dump, job.dump_every = 64, backward, ParquetDump(run), 22
    found = train(job)
    if fixed:
        learned(found, 0.9)
    else:
        stuck(found, 0.99)


@pair("targets-broadcast", STANDS, "csv by epochs; tensors in parquet", dumps=True)
def torch_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Outputs (n, 1) and targets (n,) under the mean squared error, which makes n × n differences; fixed: targets (n, 1)."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - (targets if fixed else targets[:, 0])).square().mean()

    model = models.mlp((8, 32, 16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log = Csv(run, "plain", "log.csv", axis="epoch")
    job = Job(model, data.regression(seed), optimizer, 50, log, {"loss": "train_mse", "val_loss": "val_mse"})
    job.loss, job.metric, job.seed = loss, explained, seed
    job.dump, job.dump_every = ParquetDump(run), 95
    found = train(job)
    if fixed:
        learned(found, 0.6, late_rise=0.2)
    else:
        no_better(found, 0.1)


@pair(
    "vanishing-depth",
    ("vanishing-gradient", "updates-too-small", "low-variance", *NOT_LEARNING),
    "csv as of Lightning; tensors in hdf5",
    dumps=True,
)
def torch_deep_sigmoid(run: Path, seed: int, fixed: bool) -> None:
    """Nine dense layers under sigmoid with SGD, to whose first layers no gradient comes; fixed: ReLU and a better initialiser."""
    model = models.mlp((64, *[32] * 8, 10), "relu" if fixed else "sigmoid")
    if fixed:
        for name, one in model.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(one, nonlinearity="relu")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.015, momentum=0.5)
    tags = {"loss": "train_loss_epoch", "val_loss": "val_loss", "val_metric": "val_acc", "epoch": "epoch"}
    steps = {"loss": "train_loss_step", "epoch": "epoch"}
    job = Job(model, data.bundled("digits", seed), optimizer, 9, Csv(run, "plain"), tags, steps, 10)
    job.on_steps, job.seed, job.dump, job.dump_every = True, seed, Hdf5Dump(run), 43
    found = train(job)
    if fixed:
        learned(found, 0.85, late_rise=0.2)
    else:
        stuck(found, 0.98)


@pair(
    "dead-relu",
    ("dead-relu", "gradient-all-zero", "all-zero", "learning-rate-too-high", *NOT_LEARNING),
    "tensorboard by steps; histograms",
    dumps=True,
)
def torch_dying_relu(run: Path, seed: int, fixed: bool) -> None:
    """Biases of -3 in all hidden layers, so that no unit ever answers; fixed: biases of zero."""
    model = models.mlp((2, 32, 32, 32, 1))
    for name, one in model.named_parameters():
        if name.endswith("bias") and not name.startswith("fc4"):
            nn.init.constant_(one, 0.0 if fixed else -3.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log = TensorBoard(run, "plain")
    steps = {"loss": "train/batch_loss", "lr": "train/lr"}
    tags = {"metric": "train/acc", "val_loss": "val/loss", "val_metric": "val/acc"}
    job = Job(model, circles(seed), optimizer, 25, log, tags, steps, 5, on_steps=True, seed=seed)
    job.loss, job.metric, job.dump, job.dump_every, job.named = (
        binary_loss,
        binary_accuracy,
        HistogramDump(log),
        50,
        as_scopes,
    )
    found = train(job)
    if fixed:
        learned(found, 0.9)
    else:
        stuck(found, 0.97)


@pair(
    "exploding-rnn",
    ("exploding-gradient", "loss-spike", "loss-divergence", "non-finite", "learning-rate-too-high"),
    "jsonl by steps",
)
def torch_rnn_no_clip(run: Path, seed: int, fixed: bool) -> None:
    """An RNN over the adding problem whose gradients now and then explode; fixed: clipped at a norm of 1."""
    model = models.Recurrent("rnn", 2, 32, 1)
    with torch.no_grad():
        nn.init.orthogonal_(model.rnn.weight_hh_l0, gain=1.15)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    steps = {"loss": "loss", "grad_norm": "total_norm"}
    of = data.adding(seed, 1200, 25)
    job = Job(model, of, optimizer, 40, JsonLines(run), {"val_loss": "test_loss"}, steps, 2, on_steps=True)
    job.loss, job.metric, job.seed, job.clip = functional.mse_loss, explained, seed, 0.5 if fixed else None
    if fixed:
        optimizer.param_groups[0]["lr"] = 0.03
    found = train(job)
    if fixed:
        learned(found, 0.5)
    else:
        no_better(found, 0.1)


@pair(
    "weight-decay-too-strong",
    ("all-zero", "low-variance", "vanishing-gradient", *NOT_LEARNING),
    "tensorboard; weights in hdf5",
    dumps=True,
)
def torch_strong_decay(run: Path, seed: int, fixed: bool) -> None:
    """weight_decay=1 in Adam, which pulls all weights to zero; fixed: 1e-4."""
    model = models.mlp((30, 32, 16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4 if fixed else 1.0)
    tags = {"loss": "loss/train", "val_loss": "loss/test", "metric": "acc/train", "val_metric": "acc/test"}
    of = data.bundled("breast_cancer", seed)
    job = Job(model, of, optimizer, 25, TensorBoard(run, "plain"), tags, seed=seed)
    job.dump, job.dump_every = Hdf5Dump(run), 20
    found = train(job)
    if fixed:
        learned(found, 0.9, late_rise=0.25)
    else:
        no_better(found, of.majority + 0.01)


@pair("nan-from-log-zero", ("non-finite",), "console; tensors in hdf5", dumps=True)
def torch_log_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """A cross-entropy of one's own with torch.log of probabilities that reach 0; fixed: clamped at 1e-7."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        said = outputs[:, 0].sigmoid()
        said = said.clamp(1e-7, 1 - 1e-7) if fixed else said
        return -(targets * said.log() + (1 - targets) * (1 - said).log()).mean()

    model = models.mlp((2, 48, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    of = circles(seed, noise=0.05)
    tags = {"loss": "train loss", "val_loss": "val loss", "val_metric": "val acc"}
    job = Job(model, of, optimizer, 120, Console(run, axis="epoch"), tags, seed=seed)
    job.loss, job.metric = loss, binary_accuracy
    job.dump, job.dump_every = Hdf5Dump(run), 75
    found = train(job)
    if fixed:
        learned(found, 0.95)
    else:
        not_finite(found)


@pair(
    "learning-rate-zero-early",
    ("learning-rate-zero", "loss-plateau", "underfit", "loss-not-decreasing"),
    "tensorboard by epochs",
)
def torch_decay_each_batch(run: Path, seed: int, fixed: bool) -> None:
    """scheduler.step() after each batch of a decay meant for epochs, which ends the rate in the first; fixed: after each epoch."""
    model = models.cnn(10, (6, 8))
    of = data.bundled("digits", seed).as_images()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    tags = {**BOTH, "lr": "LR"}
    job = Job(model, of, optimizer, 15, TensorBoard(run, "plain"), tags, seed=seed)
    job.schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.7 if fixed else 0.5)
    job.schedule_steps = not fixed
    found = train(job)
    if fixed:
        learned(found, 0.9)
    else:
        no_better(found, 0.6)


@pair("learning-rate-too-low", ("updates-too-small", *NOT_LEARNING), "csv as of Lightning; tensors in hdf5", dumps=True)
def torch_tiny_rate(run: Path, seed: int, fixed: bool) -> None:
    """lr=1e-8, a slip of the keyboard: nothing is learned in 20 epochs; fixed: 1e-3."""
    model = models.mlp((20, 64, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 1e-8)
    of = tagged(seed)
    tags = {"loss": "train_loss", "val_loss": "valid_loss", "val_metric": "valid_acc", "epoch": "epoch"}
    job = Job(model, of, optimizer, 20, Csv(run, "plain"), tags, {"lr": "lr-Adam"}, 10, on_steps=True, seed=seed)
    job.loss = functional.binary_cross_entropy_with_logits
    job.metric = lambda outputs, targets: ((outputs > 0) == (targets > 0.5)).float().mean()
    job.dump, job.dump_every = Hdf5Dump(run, by_name=True), 22
    found = train(job)
    if fixed:
        learned(found, 0.85)
    else:
        stuck(found, 0.99)


@pair("learning-rate-too-high", (*TOO_FAST, "non-finite"), "tensorboard by steps; histograms", dumps=True)
def torch_box_momentum(run: Path, seed: int, fixed: bool) -> None:
    """Corners of a box in pixels with a momentum of 0.99, which diverges; fixed: Adam on corners of 0 to 1."""
    of = boxes(seed)
    if fixed:
        of = data.Split(of.x, of.y / 12, of.x_val, of.y_val / 12)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(288, 32),
        nn.ReLU(),
        nn.Linear(32, 4),
    )
    optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.99)
    if fixed:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    steps, tags = {"loss": "box_loss/train"}, {"val_loss": "box_loss/val"}
    job = Job(model, of, optimizer, 12, TensorBoard(run, "plain"), tags, steps, on_steps=True, seed=seed)
    job.loss, job.metric = functional.mse_loss, explained
    job.dump, job.dump_every = HistogramDump(run / "histograms"), 17
    found = train(job)
    if fixed:
        learned(found, 0.7)
    else:
        no_better(found, 0.0)


@pair("sum-instead-of-mean", (*TOO_FAST, "non-finite", *NOT_LEARNING), "jsonl by epochs; tensors in hdf5", dumps=True)
def torch_sum_reduction(run: Path, seed: int, fixed: bool) -> None:
    """reduction="sum" over batches of 128 with a rate chosen for the mean; fixed: the mean."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(outputs, targets) * (1 if fixed else len(targets))

    model = models.mlp((64, 64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    tags = {"loss": "trainLoss", "val_loss": "testLoss", "metric": "trainAcc", "val_metric": "testAcc"}
    job = Job(model, data.bundled("digits", seed), optimizer, 20, JsonLines(run, axis="epoch"), tags, seed=seed)
    job.loss, job.batch = loss, 128
    job.dump, job.dump_every = Hdf5Dump(run), 12
    found = train(job)
    if fixed:
        learned(found, 0.93)
    else:
        no_better(found, 0.4)
