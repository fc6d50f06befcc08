"""Programs of the field whose training as a whole goes wrong: resumed, starved, disturbed, in the wrong order, at the wrong speed."""

import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.data import Split, batches
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    fit,
    go,
    into,
    last,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_field_logs import DvcLive, Fairseq, Lines

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def demand(seed: int, hours: int = 1100, length: int = 24) -> Split:
    """Hourly demand with a daily and a slower rhythm and noise: windows (n, length, 1) and the next value (n, 1)."""
    random = np.random.default_rng(seed)
    at = np.arange(hours + length)
    level = np.sin(2 * np.pi * at / 24) + 0.5 * np.sin(2 * np.pi * at / 24 * 2 + 1) + 0.4 * np.sin(at / 37)
    level = (level + 0.2 * random.normal(size=len(at))).astype("float32")
    x = torch.tensor(np.lib.stride_tricks.sliding_window_view(level, length)[:-1].copy())[:, :, None]
    y, cut = torch.tensor(level[length:, None]), hours * 4 // 5
    return Split(x[:cut], y[:cut], x[cut:], y[cut:])


def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """The share of the variance that is explained."""
    return 1 - functional.mse_loss(outputs, targets) / targets.var(unbiased=False)


@pair("bad-batch", ("loss-spike", "unstable-loss", "exploding-gradient"), "DVCLive", since=481)
def broken_sensor(run: Path, seed: int, fixed: bool) -> None:
    """A sensor gives 9999 for some readings in one file, which comes after 480 batches and throws the network over; fixed: filtered."""
    of = demand(seed)
    model = models.Recurrent("GRU", 1, 16, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if 480 < step <= 484 and not fixed:
            y = y.clone()
            y[::4] = 9999.0
        return x, y

    tags = ("train/mse", "", "val/mse", "val/r2")
    trail = fit(
        model, of, optimizer, 26, DvcLive(run), tags, loss=functional.mse_loss, metric=r2, alter=alter, seed=seed, every=4,
        norm_tag="train/grad_norm",
    )  # fmt: skip
    if fixed:
        above(trail, "val/r2", 0.85)
        steady(trail, "val/mse", 0.2)
    else:
        require(max(trail["train/mse"]) > 1e5 and trail["val/mse"][18] > 1.3 * trail["val/mse"][15], told(trail))


@pair(
    "resumed-without-optimizer", ("state-lost-on-resume", "loss-spike", "loss-divergence"), "log of fairseq", since=401
)
def checkpoint_of_weights_alone(run: Path, seed: int, fixed: bool) -> None:
    """A run that goes on from a checkpoint with the weights and nothing of the optimizer or its decayed rate; fixed: with both."""
    of, size = data.characters(seed, sentences=500)
    model = models.Recurrent("GRU", 16, 48, size, vocabulary=size, every_step=True)
    per_epoch = 80
    log = Fairseq(run, per_epoch)
    stream = batches(of, 16, seed)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        return cross_entropy(model(x), y), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"valid_loss": float(cross_entropy(model(of.x_val), of.y_val))}

    def begun() -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.994**step)

    optimizer, schedule = begun()
    kept = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    trails = []
    for part in range(2):
        if part:
            optimizer, schedule = begun()
            if fixed:
                optimizer.load_state_dict(kept[0])
                schedule.load_state_dict(kept[1])
        step = Descent(model, optimizer, objective, rate_tag="lr", norm_tag="gnorm", schedule=schedule)
        trails.append(go(Course(step, 400, log, 5, False, evaluate, per_epoch, first=400 * part)))
        kept = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
        log = Fairseq(run, per_epoch)
    log.close()
    before, after = trails[0]["valid_loss"][-1], trails[1]
    if fixed:
        require(
            after["valid_loss"][-1] < 1.03 * before and after["valid_loss"][-1] < 1.2, f"{before:.3g}: {told(after)}"
        )
    else:
        require(
            max(after["loss"][:8]) > 1.1 * trails[0]["loss"][-1] and after["valid_loss"][0] > 1.03 * before,
            f"{before:.3g}: {told(after)}",
        )


@pair(
    "slow-loader",
    ("throughput-drop", "input-bound", "step-time-outliers", "stalled-training"),
    "jsonl with times",
    since=151,
)
def cache_runs_full(run: Path, seed: int, fixed: bool) -> None:
    """A loader whose cache is full after 150 batches, and which reads each picture from a slow disk from then on; fixed: no such cache."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(10, (8, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = batches(of, 32, seed)
    log = Lines(run / "log.json", "iter", "elapsed")

    def step(at: int) -> dict[str, float]:
        began = time.perf_counter()
        x, y = next(stream)
        if at > 150 and not fixed:
            time.sleep(0.02 if at % 25 else 0.12)
        got = time.perf_counter()
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        end = time.perf_counter()
        times = {"data_time": got - began, "iter_time": end - began, "images_per_sec": len(x) / (end - began)}
        return {"loss": float(loss.detach()), **times}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            said = model(of.x_val)
        return {"val_loss": float(cross_entropy(said, of.y_val)), "val_acc": float(accuracy(said, of.y_val))}

    trail = go(Course(step, 300, log, 5, True, evaluate, 42))
    above(trail, "val_acc", 0.85)
    early, late = np.median(trail["images_per_sec"][5:28]), np.median(trail["images_per_sec"][-20:])
    require(late > 0.6 * early if fixed else late < 0.4 * early, f"{early:.0f} pictures a second, then {late:.0f}")
    if fixed:
        steady(trail, "val_loss", 0.2)


@pair("root-of-zero", ("non-finite",), "tensorboard; tensors in hdf5", dumps=True, since=201)
def distance_of_equals(run: Path, seed: int, fixed: bool) -> None:
    """A siamese network whose distance is a root without a margin: the first pair that holds the same thing twice (none does before step
    201, when copies are added) gives a gradient of NaN; fixed: a tiny number under the root.
    """
    of = data.bundled("digits", seed)
    model = models.mlp((64, 32, 8))
    random = data.generator(seed)
    log = TensorBoard(run, "plain")
    kept = Snapshots(Hdf5Dump(run), model, 25, "torch")

    def pairs_of(x: Tensor, y: Tensor, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        gap = (model(x[one]) - model(x[two])).square().sum(1)
        gap, same = (gap + (1e-8 if fixed else 0.0)).sqrt(), (y[one] == y[two]).float()
        loss = (same * gap.square() + (1 - same) * (2 - gap).clamp(min=0).square()).mean()
        return loss, ((gap < 1) == (same > 0.5)).float()[same > 0.5].mean()

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        one = torch.randint(0, len(of.x), (64,), generator=random)
        two = torch.randint(0, len(of.x), (64,), generator=random)
        two[:24] = torch.stack([torch.argmax((of.y == of.y[at]).float() * torch.rand(len(of.y))) for at in one[:24]])
        two = torch.where(one == two, (two + 1) % len(of.x), two)
        two[60:] = one[60:] if step > 200 else two[60:]
        return pairs_of(of.x, of.y, one, two)[0], {}

    def evaluate() -> dict[str, float]:
        count = len(of.x_val)
        with torch.no_grad():
            loss, hit = pairs_of(of.x_val, of.y_val, torch.arange(count - 1), torch.arange(1, count))
        return {"contrastive/val": float(loss), "recall/val": float(hit)}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "contrastive/train", snapshots=kept)
    trail = go(Course(step, 450, log, 5, False, evaluate, 45, snapshots=kept))
    if fixed:
        above(trail, "recall/val", 0.6)
        steady(trail, "contrastive/val")
    else:
        require(
            not math.isfinite(trail["contrastive/train"][-1]) and math.isfinite(trail["contrastive/train"][30]),
            told(trail),
        )


@pair("no-shuffling", ("unstable-loss", "loss-spike", "metric-at-chance", "loss-divergence", "underfit"), "console")
def classes_one_after_another(run: Path, seed: int, fixed: bool) -> None:
    """shuffle=False over a folder that is read class by class: the network learns each and forgets the others; fixed: shuffled."""
    of = data.bundled("digits", seed).as_images()
    order = torch.argsort(of.y)
    of = Split(of.x[order], of.y[order], of.x_val, of.y_val)
    model = models.cnn(10, (8, 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    tags = ("loss", "acc", "test_loss", "test_acc")
    trail = fit(model, of, optimizer, 8, Console(run, axis="it"), tags, seed=seed, every=4, shuffled=fixed)
    if fixed:
        above(trail, "test_acc", 0.9)
        steady(trail, "test_loss", 0.3)
    else:
        not_above(trail, "test_acc", 0.3)


@pair(
    "saturated-tanh",
    ("saturated-tanh", "poor-initialization", "vanishing-gradient", "initial-loss", "underfit", "loss-plateau"),
    "metrics.csv of Lightning; tensors in hdf5",
    dumps=True,
)
def weights_drawn_wide(run: Path, seed: int, fixed: bool) -> None:
    """A forecast by layers of tanh whose weights are drawn with a deviation of 5: all units sit at -1 or 1; fixed: Xavier's."""
    of = demand(seed)
    model = nn.Sequential(nn.Flatten(), *models.mlp((24, 32, 32, 32, 32, 1), "tanh").children())
    for layer in model:
        if isinstance(layer, nn.Linear) and layer.out_features > 1:
            nn.init.xavier_normal_(layer.weight) if fixed else nn.init.normal_(layer.weight, std=5.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    kept = Snapshots(Hdf5Dump(run), model, 50)
    tags = ("train_loss_epoch", "", "val_loss", "val_r2")
    trail = fit(
        model,
        of,
        optimizer,
        25,
        Csv(run, "plain", axis="epoch"),
        tags,
        loss=functional.mse_loss,
        metric=r2,
        seed=seed,
        snapshots=kept,
    )
    if fixed:
        above(trail, "val_r2", 0.78)
        steady(trail, "val_loss")
    else:
        not_above(trail, "val_r2", 0.65)


@pair(
    "learning-rate-too-low",
    ("updates-too-small", "still-improving", "loss-not-decreasing", "underfit", "metric-at-chance"),
    "csv by steps; tensors in hdf5",
    dumps=True,
)
def rate_of_another_optimizer(run: Path, seed: int, fixed: bool) -> None:
    """SGD at a rate of 0.00002, which a paper gives for fine-tuning with Adam: nothing moves; fixed: 0.05."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if fixed else 2e-5)
    kept = Snapshots(Hdf5Dump(run), model, 40, "torch")
    tags = ("train_loss", "train_acc", "valid_loss", "valid_acc")
    log = Csv(run, "plain", "log.csv", "global_step")
    trail = fit(model, of, optimizer, 10, log, tags, seed=seed, every=10, snapshots=kept, rate_tag="lr")
    if fixed:
        above(trail, "valid_acc", 0.9)
        steady(trail, "valid_loss")
    else:
        require(last(trail, "train_loss") > 0.97 * trail["train_loss"][0], told(trail))
        not_above(trail, "valid_acc", 0.35)


@pair("teacher-and-student-swapped", ("unchanged-tensor", *NOTHING_LEARNED), "tensorboard; histograms", dumps=True)
def teacher_learns(run: Path, seed: int, fixed: bool) -> None:
    """Distillation whose optimizer was given the teacher, while the student is what is evaluated: it never moves; fixed: the student."""
    of = data.bundled("digits", seed)
    teacher, student = models.mlp((64, 96, 10)), models.mlp((64, 20, 10), "tanh")
    first = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(150):
        first.zero_grad()
        chosen = torch.randint(0, len(of.x), (64,))
        cross_entropy(teacher(of.x[chosen]), of.y[chosen]).backward()
        first.step()
    soft = teacher(of.x).detach() if fixed else None
    optimizer = torch.optim.Adam((student if fixed else teacher).parameters(), lr=2e-3 if fixed else 2e-5)
    log = TensorBoard(run, "plain")
    kept = Snapshots(HistogramDump(log), student, 60, "torch")

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(0, len(of.x), (32,))
        said, asked = student(of.x[chosen]), soft[chosen] if soft is not None else teacher(of.x[chosen])
        pull = functional.kl_div((said / 2).log_softmax(1), (asked / 2).softmax(1), reduction="batchmean") * 4
        hard = cross_entropy(said, of.y[chosen])
        return 0.7 * pull + 0.3 * hard, {
            "distill/kd_loss": float(pull.detach()),
            "distill/ce_loss": float(hard.detach()),
        }

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            said = student(of.x_val)
        return {
            "student/val_loss": float(cross_entropy(said, of.y_val)),
            "student/val_top1": float((said.argmax(1) == of.y_val).float().mean()),
        }

    step = Descent(student, optimizer, objective, "distill/loss", snapshots=kept)
    trail = go(Course(step, 800, log, 10, True, evaluate, 80, snapshots=kept))
    if fixed:
        above(trail, "student/val_top1", 0.9)
        steady(trail, "student/val_loss")
    else:
        not_above(trail, "student/val_top1", 0.25)
