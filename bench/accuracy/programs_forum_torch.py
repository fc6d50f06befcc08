"""Programs of the forum in plain PyTorch: losses, shapes and the lines of the training loop."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import HistogramDump, ParquetDump
from bench.accuracy.programs_forum_common import (
    NOT_LEARNING,
    STUCK,
    TOO_FAST,
    Job,
    Table,
    ends_well,
    explained,
    gradients_and_weights,
    history_parquet,
    into,
    proved,
    steps,
    tested,
    write_json,
)

RECIPES: list[Recipe] = []
program = into(RECIPES)


def _own_bce(outputs: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy as written by hand, of logits."""
    p, y = torch.sigmoid(outputs.reshape(-1)), targets.float()
    return -(y * torch.log(p + 1e-8) + (1 - y) * torch.log(1 - p + 1e-8)).mean()


@program("labels-of-minus-one", ("metric-at-chance", "underfit", "saturated-sigmoid"), "history as Parquet")
def labels_minus_one(run: Path, seed: int, faulty: bool) -> None:
    """Tumours; labels of -1 and 1 drive a hand-written cross-entropy below zero, and no -1 is ever hit (faulty); 0 and 1 work (fixed)."""
    of = data.bundled("breast_cancer", seed, share=0.3)
    if faulty:
        of = data.Split(of.x, 2 * of.y - 1, of.x_val, 2 * of.y_val - 1)
    model = models.mlp((30, 16, 1), "tanh")

    def right(outputs: Tensor, targets: Tensor) -> float:
        return float(((outputs.reshape(-1) > 0).long() == targets).float().mean())

    job = Job(model, of, torch.optim.Adam(model.parameters(), 1e-3), 30, _own_bce, right, seed=seed)
    history: dict[str, list[float]] = {name: [] for name in ("train_loss", "train_acc", "valid_loss", "valid_acc")}
    for now in steps(job):
        if now.last:
            for name, value in zip(history, (now.mean_loss, now.mean_score, *tested(job)), strict=True):
                history[name].append(value)
    history_parquet(run / "metrics.parquet", history)
    proved(faulty, history["valid_acc"][-1], 0.9, 0.7)
    require(not faulty or history["train_loss"][-1] < 0, f"loss {history['train_loss'][-1]:.3g}")
    ends_well(faulty, history["valid_loss"])


@program("sigmoid-before-cross-entropy", ("vanishing-gradient", *STUCK), "tensorboard")
def sigmoid_before_entropy(run: Path, seed: int, faulty: bool) -> None:
    """A deep net on digits ends in a sigmoid before CrossEntropyLoss, and SGD gets nowhere (faulty); without it above 0.9 (fixed)."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 48, 48, 48, 10))
    if faulty:
        model.add_module("sigmoid", nn.Sigmoid())
    job = Job(model, of, torch.optim.SGD(model.parameters(), 0.06), 18, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("training_loss", now.mean_loss, now.epoch)
            writer.add_scalar("validation_loss", val_loss, now.epoch)
            writer.add_scalar("validation_accuracy", 100 * reached, now.epoch)
    writer.close()
    proved(faulty, reached, 0.9, 0.5)
    ends_well(faulty, losses)


@program("missing-zero-grad", ("unstable-loss", *TOO_FAST), "tensorboard by step")
def no_zero_grad(run: Path, seed: int, faulty: bool) -> None:
    """Digits; optimizer.zero_grad() was forgotten and gradients pile up (faulty), or is there (fixed)."""
    model = models.mlp((64, 64, 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, data.bundled("digits", seed), optimizer, 12, seed=seed, zero_grad=not faulty)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        writer.add_scalar("Loss/train", now.loss, now.step)
        writer.add_scalar("grad_norm", now.grad_norm, now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("Loss/val", val_loss, now.step)
            writer.add_scalar("Accuracy/val", reached, now.step)
    writer.close()
    proved(faulty, reached, 0.93, 0.7)
    ends_well(faulty, losses, 0.25)


@program(
    "optimizer-over-another-model",
    ("unchanged-tensor", "updates-too-small", *NOT_LEARNING),
    "csv, parquet dump",
    dumps=True,
)
def other_parameters(run: Path, seed: int, faulty: bool) -> None:
    """A wine classifier is built again after its optimizer, which trains the first one (faulty); built once it learns (fixed)."""
    of = data.bundled("wine", seed, share=0.3)
    model = models.mlp((13, 24, 24, 3), norm=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    if faulty:
        model = models.mlp((13, 24, 24, 3), norm=False)
    job = Job(model, of, optimizer, 40, batch=16, seed=seed)
    dump = ParquetDump(run, "params.parquet")
    job.before_step = lambda step: step % 16 == 1 and dump.dump(step, gradients_and_weights(model))
    table = Table(run / "results.csv", ["epoch", "iteration", "train_loss", "train_acc", "test_loss", "test_acc"])
    losses, reached = list[float](), 0.0
    for now in steps(job):
        if now.last:
            test_loss, reached = tested(job)
            losses.append(test_loss)
            about = {"epoch": now.epoch, "iteration": now.step, "train_loss": now.mean_loss}
            table.row(**about, train_acc=now.mean_score, test_loss=test_loss, test_acc=reached)
    table.close()
    dump.close()
    proved(faulty, reached, 0.9, 0.65)
    ends_well(faulty, losses, 0.2)


@program("loss-detached", ("gradient-all-zero", "updates-too-small", "unchanged-tensor", *NOT_LEARNING), "console")
def loss_detached(run: Path, seed: int, faulty: bool) -> None:
    """Topics of token sequences; the loss is wrapped anew in a tensor, so that nothing flows back (faulty), or used as it is (fixed)."""
    random = data.generator(seed)
    topic = torch.randint(0, 4, (1200,), generator=random)
    tokens = torch.randint(0, 80, (1200, 20), generator=random)
    marked = torch.rand(1200, 20, generator=random) < 0.3
    tokens = torch.where(marked, 20 * topic[:, None] + tokens % 20, tokens)
    of = data.Split(tokens[:900], topic[:900], tokens[900:], topic[900:])
    model = nn.Sequential(nn.EmbeddingBag(80, 16), nn.Linear(16, 4))

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        loss = functional.cross_entropy(outputs, targets)
        return torch.tensor(loss.item(), requires_grad=True) if faulty else loss

    job = Job(model, of, torch.optim.Adam(model.parameters(), 3e-3), 25, criterion, seed=seed)
    losses, reached = list[float](), 0.0
    with (run / "output.log").open("w", encoding="utf-8") as file:
        for now in steps(job):
            if now.last:
                val_loss, reached = tested(job)
                losses.append(val_loss)
                file.write(
                    f"Epoch [{now.epoch}/{job.epochs}] train loss: {now.mean_loss:.4f} train acc: {now.mean_score:.4f} "
                    f"val loss: {val_loss:.4f} val acc: {reached:.4f}\n"
                )
    proved(faulty, reached, 0.8, 0.45)
    ends_well(faulty, losses)


@program("shapes-broadcast-in-loss", ("low-variance", *STUCK), "json")
def shapes_broadcast(run: Path, seed: int, faulty: bool) -> None:
    """MSELoss of outputs (n, 1) and targets (n,) compares all with all and learns the mean (faulty); squeezed it explains most (fixed)."""
    of = data.regression(seed, samples=900)
    model = models.mlp((8, 48, 48, 1))

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets.squeeze(1)) ** 2).mean() if faulty else functional.mse_loss(outputs, targets)

    job = Job(model, of, torch.optim.Adam(model.parameters(), 3e-3), 40, criterion, explained, seed=seed)
    rows, losses, reached = [], list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            rows.append({"epoch": now.epoch, "loss": now.mean_loss, "val_loss": val_loss, "val_r2": reached})
    write_json(run / "history.json", rows)
    proved(faulty, reached, 0.7, 0.2, "R²")
    ends_well(faulty, losses, 0.15)


@program("targets-not-scaled", STUCK, "tensorboard")
def prices_in_dollars(run: Path, seed: int, faulty: bool) -> None:
    """House prices in dollars, MSE, Adam at 0.001: the output never gets there (faulty); in units of their spread it does (fixed)."""
    of = data.regression(seed, samples=700, inputs=10)
    if faulty:
        of = data.Split(of.x, 250_000 + 80_000 * of.y, of.x_val, 250_000 + 80_000 * of.y_val)
    model = models.mlp((10, 64, 32, 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    job = Job(model, of, optimizer, 60, functional.mse_loss, explained, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("mse/train", now.mean_loss, now.epoch)
            writer.add_scalar("mse/valid", val_loss, now.epoch)
            writer.add_scalar("r2/valid", reached, now.epoch)
    writer.close()
    proved(faulty, reached, 0.6, 0.0, "R²")
    ends_well(faulty, losses, 0.15)


@program("own-log-of-zero", ("non-finite",), "tensorboard by step")
def log_of_zero(run: Path, seed: int, faulty: bool) -> None:
    """A hand-written cross-entropy takes log(1 - p) of a p that rounds to 1 for an outlier (faulty), or clamps as torch does (fixed)."""
    of = data.bundled("breast_cancer", seed, share=0.3)
    of.x[seed::90] *= 12
    model = models.mlp((30, 24, 1))

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        p, y = torch.sigmoid(outputs.squeeze(1)), targets.float()
        if faulty:
            return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
        return functional.binary_cross_entropy(p, y)

    optimizer = torch.optim.Adam(model.parameters(), 3e-3, weight_decay=2e-3)
    job = Job(model, of, optimizer, 24, criterion, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        writer.add_scalar("batch_loss", now.loss, now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("val_loss", val_loss, now.step)
            writer.add_scalar("val_top1", reached, now.step)
    writer.close()
    if faulty:
        require(losses[-1] != losses[-1], f"validation loss {losses[-1]:.3g} is finite")
    proved(faulty, reached, 0.93, 0.7)
    ends_well(faulty, losses, 0.3)


@program("root-of-zero", ("non-finite",), "csv, histograms", dumps=True)
def root_of_zero(run: Path, seed: int, faulty: bool) -> None:
    """A siamese net on digits by roots of squared distances: an image paired with itself makes NaN (faulty), an epsilon helps (fixed)."""
    of = data.bundled("digits", seed)
    random = data.generator(seed)
    model = models.mlp((64, 48, 8))
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    table, dump = Table(run / "log.csv", ["step", "contrastive_loss", "pair_accuracy"]), HistogramDump(run)
    reached, recent = 0.0, list[float]()
    for step in range(1, 401):
        one, other = torch.randint(0, len(of.x), (2, 64), generator=random)
        if step == 180 + 20 * seed:
            other[5] = one[5]
        same = (of.y[one] == of.y[other]).float()
        squared = ((model(of.x[one]) - model(of.x[other])) ** 2).sum(-1)
        distance = torch.sqrt(squared) if faulty else torch.sqrt(squared + 1e-9)
        loss = (same * distance**2 + (1 - same) * functional.relu(2 - distance) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent.append(float(((distance < 1) == (same > 0.5)).float().mean()))
        if step % 5 == 0:
            table.row(step=step, contrastive_loss=loss.item(), pair_accuracy=sum(recent[-5:]) / 5)
        if step % 40 == 0:
            dump.dump(step, {f"siamese/{name}": value for name, value in gradients_and_weights(model).items()})
    table.close()
    dump.close()
    reached = sum(recent[-30:]) / 30 if float(loss.detach()) == float(loss.detach()) else float("nan")
    proved(faulty, reached, 0.94, 0.5, "share of pairs")


@program("gradient-sign", TOO_FAST, "console by step")
def gradient_sign(run: Path, seed: int, faulty: bool) -> None:
    """Linear regression with a hand-written update that adds the gradient and climbs (faulty), or subtracts it (fixed)."""
    of = data.bundled("diabetes", seed)
    mean, spread = of.y.mean(), of.y.std()
    y, y_val = (of.y - mean) / spread, (of.y_val - mean) / spread
    weight, bias = torch.zeros(10), torch.zeros(1)
    lines = []
    for step in range(201):
        residual = of.x @ weight + bias - y
        if step % 5 == 0:
            left = float(((of.x_val @ weight + bias - y_val) ** 2).mean())
            lines.append(f"step {step}: cost = {float((residual**2).mean()):.6f}, test cost = {left:.6f}")
        sign = 1 if faulty else -1
        weight += sign * 0.02 * 2 * of.x.T @ residual / len(y)
        bias += sign * 0.02 * 2 * residual.mean()
    (run / "train.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    proved(faulty, explained(of.x_val @ weight + bias, y_val), 0.3, -10, "R²")
