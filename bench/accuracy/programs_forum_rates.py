"""Programs of the forum: learning rates, momentum, schedules, reductions, and training that goes on or ends at the wrong place."""

import csv
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, ParquetDump
from bench.accuracy.programs_forum_common import (
    NOT_LEARNING,
    STUCK,
    TOO_FAST,
    Job,
    Table,
    ends_well,
    explained,
    gradients_and_weights,
    into,
    proved,
    steps,
    tested,
    write_json,
)

RECIPES: list[Recipe] = []
program = into(RECIPES)


@program("momentum-too-large", ("unstable-loss", *TOO_FAST, *STUCK), "tensorboard by step and epoch")
def momentum_99(run: Path, seed: int, faulty: bool) -> None:
    """A CNN by SGD at 0.1 with momentum 0.99 builds up steps ten times too long (faulty); momentum 0.9 at 0.01 learns (fixed)."""
    model = models.cnn(channels=(8, 16))
    optimizer = torch.optim.SGD(model.parameters(), 0.1 if faulty else 0.01, momentum=0.99 if faulty else 0.9)
    job = Job(model, data.bundled("digits", seed).as_images(), optimizer, 10, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.step % 5 == 0:
            writer.add_scalar("train/loss_step", now.loss, now.step)
            writer.add_scalar("train/lr", optimizer.param_groups[0]["lr"], now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("train/loss_epoch", now.mean_loss, now.step)
            writer.add_scalar("val/loss_epoch", val_loss, now.step)
            writer.add_scalar("val/acc_epoch", reached, now.step)
    writer.close()
    proved(faulty, reached, 0.93, 0.5)
    ends_well(faulty, losses, 0.25)


@program("learning-rate-stays-at-chance", ("dead-relu", *TOO_FAST, *STUCK), "csv, hdf5 dump", dumps=True)
def adam_at_ten(run: Path, seed: int, faulty: bool) -> None:
    """Four spirals by Adam(lr=10), where 10e-3 was meant: the units are thrown out of reach (faulty), or at 0.01 (fixed)."""
    of = data.spirals(seed + 20, arms=4, points=180, noise=0.05)
    model = nn.Sequential()
    for name, layer in (
        ("dense", nn.Linear(2, 64)),
        ("relu", nn.ReLU()),
        ("dense_1", nn.Linear(64, 64)),
        ("relu_1", nn.ReLU()),
        ("dense_2", nn.Linear(64, 4)),
    ):
        model.add_module(name, layer)
    job = Job(model, of, torch.optim.Adam(model.parameters(), 10.0 if faulty else 10e-3), 40, batch=64, seed=seed)
    dump = Hdf5Dump(run, by_name=True, name="params.h5")
    job.before_step = lambda step: (
        (step - 1) % 18 == 0
        and dump.dump(step, {f"weights/{name}": one.detach().numpy().copy() for name, one in model.named_parameters()})
    )
    table = Table(run / "history.csv", ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"])
    losses, reached = list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            values = {"loss": now.mean_loss, "accuracy": now.mean_score, "val_loss": val_loss, "val_accuracy": reached}
            table.row(epoch=now.epoch - 1, **values)
    table.close()
    dump.close()
    proved(faulty, reached, 0.85, 0.45)
    ends_well(faulty, losses, 0.3)


@program(
    "learning-rate-too-low",
    ("updates-too-small", *NOT_LEARNING),
    "add_scalars of tensorboard, parquet dump",
    dumps=True,
)
def adam_at_1e_8(run: Path, seed: int, faulty: bool) -> None:
    """Energy use from a table by Adam(lr=1e-8), the epsilon in the wrong place (faulty), or lr=3e-3 (fixed)."""
    of = data.regression(seed + 7, samples=640, inputs=8, noise=0.25)
    model = models.mlp((8, 32, 16, 1))
    job = Job(
        model, of, torch.optim.Adam(model.parameters(), 1e-8 if faulty else 3e-3), 50, functional.mse_loss, explained
    )
    dump = ParquetDump(run, "dump.parquet")
    job.before_step = lambda step: step % 30 == 1 and dump.dump(step, gradients_and_weights(model))
    writer, losses, reached = SummaryWriter(str(run), flush_secs=30), list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalars("MSE", {"train": now.mean_loss, "valid": val_loss}, now.epoch)
    writer.close()
    dump.close()
    proved(faulty, reached, 0.55, 0.1, "R²")
    ends_well(faulty, losses, 0.15)


@program("learning-rate-decays-too-soon", ("learning-rate-zero", "schedule-mismatch", *STUCK), "tensorboard")
def decay_each_batch(run: Path, seed: int, faulty: bool) -> None:
    """ExponentialLR(0.8), meant for epochs, is stepped after each batch, so that the rate is nothing after three epochs of 25 (or not)."""
    model = models.mlp((64, 40, 40, 10), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), 0.02)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8 if faulty else 0.93)
    job = Job(model, data.bundled("digits", seed), optimizer, 25, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.step % 10 == 0:
            writer.add_scalar("running_loss", now.mean_loss, now.step)
            writer.add_scalar("lr", scheduler.get_last_lr()[0], now.step)
        if faulty or now.last:
            scheduler.step()
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("test_loss", val_loss, now.step)
            writer.add_scalar("test_acc", reached, now.step)
    writer.close()
    proved(faulty, reached, 0.9, 0.6)
    ends_well(faulty, losses)


@program("summed-loss", TOO_FAST, "tensorboard by step")
def summed_loss(run: Path, seed: int, faulty: bool) -> None:
    """Sums of squares over a batch of 64 sequences with the rate of a mean: it diverges (faulty); with the mean it learns (fixed)."""
    t = torch.linspace(0, 60, 900)
    wave = torch.sin(t) + 0.5 * torch.sin(2.7 * t) + 0.1 * torch.randn(900, generator=data.generator(seed))
    windows = wave.unfold(0, 25, 1)
    x, y = windows[:, :24].contiguous(), windows[:, 24:].contiguous()
    of = data.Split(x[:640], y[:640], x[640:], y[640:])
    model = models.mlp((24, 32, 1))

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs, targets, reduction="sum" if faulty and outputs.requires_grad else "mean")

    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    job = Job(model, of, optimizer, 20, criterion, explained, batch=64, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        writer.add_scalar("forecast/train_mse", now.loss, now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("forecast/val_mse", val_loss, now.step)
    writer.close()
    proved(faulty, reached, 0.7, 0.1, "R²")
    ends_well(faulty, losses, 0.2)


@program("resume-starts-anew", ("state-lost-on-resume", "loss-spike", "step-went-back"), "tensorboard, two files")
def resume_resets(run: Path, seed: int, faulty: bool) -> None:
    """A second job goes on counting but never loads the checkpoint (faulty), or loads model and optimizer (fixed)."""
    of = data.bundled("digits", seed)
    losses, reached, kept, ends, starts = list[float](), 0.0, {}, 0.0, 0.0
    for part in range(2):
        torch.manual_seed(seed + 50 * part)
        model = models.mlp((64, 32, 10))
        optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.5)
        if part and not faulty:
            model.load_state_dict(kept["model"])
            optimizer.load_state_dict(kept["optimizer"])
        job = Job(model, of, optimizer, 9 - 5 * part, seed=seed + part)
        writer = SummaryWriter(str(run), filename_suffix=f".{part}")
        for now in steps(job):
            at = now.step + part * 9 * 43
            starts = now.loss if part and now.step == 1 else starts
            if now.step % 3 == 0:
                writer.add_scalar("train_loss", now.mean_loss if now.step % 43 == 0 else now.loss, at)
            if now.last:
                val_loss, reached = tested(job)
                losses.append(val_loss)
                ends = now.mean_loss if not part else ends
                writer.add_scalar("val_loss", val_loss, at)
                writer.add_scalar("val_acc", reached, at)
        kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        writer.close()
    if faulty:
        require(starts > 5 * ends, f"loss {ends:.3g} before and {starts:.3g} after")
    else:
        require(reached > 0.92 and starts < 3 * ends, f"accuracy {reached:.3f}, loss {ends:.3g} and {starts:.3g}")
        ends_well(faulty, losses, 0.15)


@program("too-few-epochs", ("still-improving", "underfit"), "csv in the way of Lightning")
def too_few_epochs(run: Path, seed: int, faulty: bool) -> None:
    """Digits by SGD at 0.005 for 6 epochs, which are not enough by far (faulty), or for 60 (fixed)."""
    model = models.mlp((64, 24, 24, 10), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), 0.005)
    job = Job(model, data.bundled("digits", seed), optimizer, 6 if faulty else 60, seed=seed)
    rows, losses, reached = [], list[float](), 0.0
    for now in steps(job):
        if now.step % 25 == 0:
            rows.append(
                {
                    "epoch": now.epoch - 1,
                    "step": now.step - 1,
                    "train_loss_step": now.loss,
                    "lr-SGD": optimizer.param_groups[0]["lr"],
                }
            )
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            rows.append({"epoch": now.epoch - 1, "step": now.step - 1, "val_loss": val_loss, "val_acc": reached})
            rows.append({"epoch": now.epoch - 1, "step": now.step - 1, "train_loss_epoch": now.mean_loss})
    columns = ["epoch", "lr-SGD", "step", "train_loss_epoch", "train_loss_step", "val_acc", "val_loss"]
    with (run / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    proved(faulty, reached, 0.88, 0.65)
    ends_well(faulty, losses)


@program("optimizer-steps-once-an-epoch", NOT_LEARNING, "json")
def step_outside_loop(run: Path, seed: int, faulty: bool) -> None:
    """optimizer.step() is indented to the epoch: 8 steps of SGD in all (faulty); within the loop over batches it learns (fixed)."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(channels=(8, 16))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    history: dict[str, list[float]] = {"epoch_train_loss": [], "epoch_val_loss": [], "epoch_val_acc": []}
    random = data.generator(seed)
    for _ in range(8):
        total, order = 0.0, torch.randperm(len(of.x), generator=random).split(32)
        for chosen in order:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(of.x[chosen]), of.y[chosen])
            loss.backward()
            total += loss.item() / len(order)
            if not faulty:
                optimizer.step()
        if faulty:
            optimizer.step()
        with torch.no_grad():
            outputs = model(of.x_val)
        history["epoch_train_loss"].append(total)
        history["epoch_val_loss"].append(float(functional.cross_entropy(outputs, of.y_val)))
        history["epoch_val_acc"].append(float((outputs.argmax(-1) == of.y_val).float().mean()))
    write_json(run / "metrics.json", history)
    proved(faulty, history["epoch_val_acc"][-1], 0.88, 0.35)
    ends_well(faulty, history["epoch_val_loss"])
