"""Programs whose numbers break, or that start or resume from the wrong place; and their fixed versions."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import (
    Csv,
    Hdf5Dump,
    JsonLines,
    ParquetLong,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_qa_common import (
    NOT_LEARNING,
    STANDS,
    TOO_FAST,
    Job,
    as_parameters,
    explained,
    into,
    learned,
    no_better,
    not_finite,
    stuck,
    train,
)
from bench.accuracy.programs_qa_data import reviews, shapes, waves

RECIPES: list[Recipe] = []
pair = into(RECIPES)


@pair(
    "initialised-too-large",
    ("initial-loss", "poor-initialization", "saturated-tanh", *STANDS, "metric-at-chance"),
    "tensorboard; tensors in hdf5",
    dumps=True,
)
def init_normal(run: Path, seed: int, fixed: bool) -> None:
    """nn.init.normal_(weight, std=10) in a network of tanh: all units saturated, a loss of hundreds; fixed: xavier_normal_."""
    model = models.mlp((13, 32, 32, 3), "tanh")
    for name, one in model.named_parameters():
        if name.endswith("weight"):
            nn.init.xavier_normal_(one) if fixed else nn.init.normal_(one, std=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    log = TensorBoard(run, "plain")
    tags = {
        "loss": "wine/loss_train",
        "val_loss": "wine/loss_val",
        "metric": "wine/acc_train",
        "val_metric": "wine/acc_val",
    }
    job = Job(model, data.bundled("wine", seed), optimizer, 40, log, tags, seed=seed, batch=16)
    job.dump, job.dump_every = Hdf5Dump(run), 15
    found = train(job)
    if fixed:
        learned(found, 0.9)
    else:
        require(found.loss[0] > 5 and found.val_loss[-1] > 1.1, f"it learned: {found}")


@pair("nan-from-square-root", ("non-finite",), "parquet, long; tensors in hdf5", dumps=True)
def sqrt_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """Distances of all embeddings of a batch by torch.sqrt, each to itself too, whose slope at 0 is infinite; fixed: + 1e-6."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        distance = ((outputs[:, None] - outputs[None]).square().sum(-1) + (1e-6 if fixed else 0)).sqrt()
        same = (targets[:, None] == targets[None]).float()
        return (same * distance.square() + (1 - same) * (2 - distance).relu().square()).mean()

    model = models.mlp((64, 32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tags, steps = {"val_loss": "val/contrastive"}, {"loss": "train/contrastive", "grad_norm": "train/grad_norm"}
    job = Job(model, data.bundled("digits", seed), optimizer, 10, ParquetLong(run, "plain"), tags, steps)
    job.loss, job.metric, job.on_steps, job.batch, job.seed = loss, None, True, 64, seed
    job.dump, job.dump_every = Hdf5Dump(run), 10
    found = train(job)
    if fixed:
        learned(found, share_left=0.6)
    else:
        not_finite(found)


@pair("bad-batch", ("loss-spike", "exploding-gradient", "exploding-tensor"), "tensorboard by steps", since=300)
def outlier_rows(run: Path, seed: int, fixed: bool) -> None:
    """One reading of a sensor in wrong units comes into two batches at step 300, and the loss with it; fixed: clipped to 5 deviations."""

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x = x.clone()
        if step in (300, 301):
            x[:, :2] *= 500
        return (x.clamp(-5, 5) if fixed else x), y

    model = models.mlp((8, 48, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
    steps, tags = {"loss": "train/mse_step", "lr": "lr-SGD"}, {"val_loss": "val/mse"}
    log = TensorBoard(run, "plain")
    told: list[float] = []

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        value = functional.mse_loss(outputs, targets)
        if value.requires_grad:
            told.append(float(value.detach()))
        return value

    job = Job(model, data.regression(seed, 1200), optimizer, 25, log, tags, steps, on_steps=True, seed=seed)
    job.loss, job.metric, job.alter = loss, None, alter
    job.clip = 1.0
    found = train(job)
    if fixed:
        learned(found, share_left=0.5, late_rise=0.2)
    else:
        usual = float(np.mean(told[250:299]))
        require(max(told[299:301]) > 20 * usual, f"no spike: {told[295:305]}")


@pair("loss-scale-collapse", ("loss-scale-collapse", "non-finite", *NOT_LEARNING), "jsonl by steps")
def half_precision(run: Path, seed: int, fixed: bool) -> None:
    """Half precision with measures of up to 4,000 as they are: the activations overflow at each step, the scaler halves its scale for
    ever; fixed: standardised measures.
    """
    of = data.bundled("breast_cancer", seed, scaled=fixed)
    model = models.mlp((30, 32, 2))
    factor = 1.0 if fixed else 3000.0
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log, scale, good, found = JsonLines(run), 65536.0, 0, []
    for step, (x, y) in zip(range(1, 401), data.batches(of, 32, seed), strict=False):
        optimizer.zero_grad()
        hidden = (factor * model[0](x)).half().float().relu()
        loss = cross_entropy(model[2](hidden).half().float(), y)
        (scale * loss).backward()
        gradients = [one.grad.half().float() / scale for one in model.parameters() if one.grad is not None]
        if all(bool(one.isfinite().all()) for one in gradients):
            for one, gradient in zip(model.parameters(), gradients, strict=True):
                one.grad = gradient
            optimizer.step()
            good += 1
            scale *= 2 if good % 100 == 0 else 1
        else:
            scale, good = scale / 2, 0
        found.append(float(loss.detach()))
        if step % 2 == 0:
            log.log(step, {"loss": found[-1], "amp/loss_scale": scale})
    log.close()
    if fixed:
        require(np.mean(found[-40:]) < 0.3 and scale > 1000, f"loss {np.mean(found[-40:]):.3g}, scale {scale}")
    else:
        require(scale < 1e-3, f"scale {scale}")


@pair("warm-up-missing", (*TOO_FAST, *NOT_LEARNING, "loss-plateau"), "trainer_state.json; tensors in hdf5", dumps=True)
def no_warm_up(run: Path, seed: int, fixed: bool) -> None:
    """A small BERT with normalisation after its blocks at a rate of 0.1 from the first step: chance; fixed: 1e-3 after a warm-up."""
    model = models.Transformer(
        2, 200, width=24, heads=2, layers=3, length=24, causal=False, pooled=True, post_norm=True
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if fixed else 0.1)
    log = TrainerState(run, 19, 19 * 8, 2)
    steps = {"loss": "train_loss", "lr": "lr", "grad_norm": "grad_norm"}
    tags = {"val_loss": "val_loss", "val_metric": "val_accuracy"}
    job = Job(model, reviews(seed), optimizer, 8, log, tags, steps, 2, on_steps=True, seed=seed)
    job.schedule_steps = True
    job.schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 30 if fixed else 1.0, max(0.0, (152 - step) / 122))
    )
    job.dump, job.dump_every = Hdf5Dump(run), 30
    job.named = lambda model, activations: as_parameters(model, {})
    found = train(job)
    if fixed:
        learned(found, 0.7, share_left=0.85)
    else:
        no_better(found, 0.62)


@pair("fine-tuned-too-long", ("overfit", "overtraining", "best-is-not-last"), "trainer_state.json")
def tuned_too_long(run: Path, seed: int, fixed: bool) -> None:
    """30 epochs of a small BERT on 120 reviews: eval_loss climbs after its best; fixed: 600 reviews and 5 epochs."""
    of = reviews(seed)
    count, epochs = (600, 5) if fixed else (120, 30)
    of = data.Split(of.x[:count], of.y[:count], of.x_val, of.y_val)
    model = models.Transformer(2, 200, width=24, heads=2, layers=1, length=24, causal=False, pooled=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    per_epoch = math.ceil(count / 32)
    log = TrainerState(run, per_epoch, per_epoch * epochs, 5)
    steps = {"loss": "train_loss", "lr": "lr", "grad_norm": "grad_norm"}
    tags = {"val_loss": "val_loss", "val_metric": "val_accuracy"}
    job = Job(model, of, optimizer, epochs, log, tags, steps, 5, on_steps=True, seed=seed, schedule_steps=True)
    planned = per_epoch * epochs
    job.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.02, 1 - step / planned))
    found = train(job)
    if fixed:
        learned(found, 0.7)
    else:
        require(found.val_loss[-1] > 1.3 * min(found.val_loss), f"no overfit: {found}")


@pair("resume-without-state", ("state-lost-on-resume", "loss-spike"), "two event files, by steps", since=361)
def resumed(run: Path, seed: int, fixed: bool) -> None:
    """Resumed with load_state_dict(…, strict=False) from a checkpoint of DataParallel, of which no key fits; fixed: with its prefix cut."""
    of = data.bundled("digits", seed)
    tags = {"val_loss": "eval/loss", "val_metric": "eval/acc"}
    before = after = 0.0
    state: Mapping[str, Tensor] = {}
    moments: dict[str, object] = {}
    for part in (0, 1):
        model = models.mlp((64, 40, 10), dropout=0.2)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        if part:
            optimizer.load_state_dict(moments)
            model.load_state_dict(
                state if fixed else {f"module.{name}": one for name, one in state.items()}, strict=False
            )
        inner = TensorBoard(run, "plain", suffix=f".{part}")
        job = Job(
            model, of, optimizer, 9 if part == 0 else 10, Shifted(inner, 378 * part), tags, {"loss": "train/loss"}, 3
        )
        job.on_steps, job.seed = True, seed + part
        found = train(job)
        state, moments = model.state_dict(), optimizer.state_dict()
        before, after = (found.loss[-1], after) if part == 0 else (before, found.loss[0])
    if fixed:
        require(after < 1.3 * before, f"training loss {before:.3g} before, {after:.3g} after")
        learned(found, 0.93, share_left=0.9)
    else:
        require(after > 2 * before, f"training loss {before:.3g} before, {after:.3g} after")


class Shifted:
    """A log whose steps are counted from another one on."""

    def __init__(self, log: TensorBoard, first: int) -> None:
        self.inner, self.first = log, first

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The same, later."""
        self.inner.log(self.first + step, values)

    def close(self) -> None:
        """Finish the file."""
        self.inner.close()


@pair("sigmoid-decoder", (*STANDS, "saturated-sigmoid"), "jsonl by epochs")
def autoencoder_sigmoid(run: Path, seed: int, fixed: bool) -> None:
    """An autoencoder of pixels of 0 to 16 that ends in a sigmoid, which makes none above 1; fixed: no activation at the end."""
    of = data.bundled("digits", seed, scaled=False)
    of = data.Split(of.x, of.x, of.x_val, of.x_val)
    model: nn.Module = models.Autoencoder((64, 32, 12))
    if not fixed:
        model = nn.Sequential(model, nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    tags = {"loss": "recon_loss", "val_loss": "val_recon_loss"}
    job = Job(model, of, optimizer, 30, JsonLines(run, axis="epoch"), tags, seed=seed)
    job.loss, job.metric = functional.mse_loss, None
    found = train(job)
    if fixed:
        learned(found, share_left=0.45)
    else:
        stuck(found, 0.8)


@pair("series-shifted", ("metric-at-chance", "underfit", "loss-plateau"), "csv as of Lightning")
def series_in_rows(run: Path, seed: int, fixed: bool) -> None:
    """Windows of a wave reshaped instead of transposed, which mixes the rows; fixed: permuted."""
    of = waves(seed)
    if not fixed:

        def mixed(x: Tensor) -> Tensor:
            return x.reshape(24, -1, 1).permute(1, 0, 2)

        of = data.Split(mixed(of.x), of.y, mixed(of.x_val), of.y_val)
    model = models.Recurrent("gru", 1, 16, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    tags = {"loss": "train_loss_epoch", "val_loss": "val_loss", "val_metric": "val_r2", "epoch": "epoch"}
    steps = {"loss": "train_loss_step", "epoch": "epoch"}
    job = Job(model, of, optimizer, 15, Csv(run, "plain"), tags, steps, 5, on_steps=True, seed=seed)
    job.loss, job.metric = functional.mse_loss, explained
    found = train(job)
    if fixed:
        learned(found, 0.7, late_rise=0.25)
    else:
        no_better(found, 0.15)


@pair(
    "exploding-depth",
    (*TOO_FAST, "exploding-tensor", "non-finite", "initial-loss"),
    "tensorboard; tensors in hdf5",
    dumps=True,
)
def deep_no_norm(run: Path, seed: int, fixed: bool) -> None:
    """Fifteen layers with weights of deviation 0.6 and no normalisation, whose first loss is in the millions; fixed: batch norm."""
    model = models.mlp((144, *[24] * 10, 4), norm=fixed)
    for name, one in model.named_parameters():
        if name.endswith("weight") and one.ndim == 2 and not fixed:
            nn.init.normal_(one, std=0.7)
    of = shapes(seed)
    of = data.Split(of.x.flatten(1) / 255, of.y, of.x_val.flatten(1) / 255, of.y_val)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    log = TensorBoard(run, "plain")
    steps = {"loss": "iter/loss", "metric": "iter/acc", "grad_norm": "iter/grad_norm"}
    job = Job(model, of, optimizer, 15, log, {"val_loss": "epoch/val_loss", "val_metric": "epoch/val_acc"}, steps)
    job.on_steps, job.seed, job.dump, job.dump_every = True, seed, Hdf5Dump(run), 50
    found = train(job)
    if fixed:
        learned(found, 0.4, share_left=0.9, late_rise=0.15)
    else:
        no_better(found, 0.35)
