"""The last notebooks in PyTorch that do not learn: a schedule, a head, noise, a logarithm."""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, Hdf5History, JsonLines, TensorBoard, tensors_of
from bench.accuracy.programs_colab_common import into
from bench.accuracy.programs_colab_torch_common import (
    Track,
    hits,
    one_epoch,
    shuffled,
    tickets,
    validate,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "StepLR(step_size=10, gamma=0.1) for 30 epochs. Loss stops at 1.7 in the second epoch. In Lightning it is the interval 'step'."
@pair(
    "scheduler-per-batch",
    ["rate-falls-too-soon", "learning-rate-zero", "loss-plateau", "underfit", "schedule-mismatch"],
    "csv of Lightning",
)
def scheduler_in_batch_loop(run: Path, seed: int, fixed: bool) -> None:
    """A text classifier whose `StepLR` of ten epochs is stepped after each batch."""
    of = tickets(seed)
    embedding, head = nn.EmbeddingBag(220, 24), nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 6))
    model = nn.Sequential(embedding, head)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.1)
    track = Track(Csv(run, "plain"))
    step = 0
    for epoch in range(24):
        model.train()
        kept = []
        for x, y in shuffled(of.x, of.y, 32):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            torch.autograd.backward(loss)
            optimizer.step()
            if not fixed:
                scheduler.step()
            step += 1
            kept.append(loss.item())
            if step % 10 == 0:
                row = {"lr-Adam": optimizer.param_groups[0]["lr"], "train_loss_step": loss.item()}
                track.log(step - 1, {"epoch": epoch, **row})
        if fixed:
            scheduler.step()
        val_loss, val_acc = validate(model, of, functional.cross_entropy)
        track.log(step - 1, {"epoch": epoch, "val_loss": val_loss, "val_acc": val_acc})
        track.log(step - 1, {"epoch": epoch, "train_loss_epoch": sum(kept) / len(kept)})
    track.close()
    reached = track.last("val_acc")
    what = f"accuracy {reached:.3f}, validation {track.last('val_loss'):.3f}, best {min(track.columns['val_loss']):.3f}"
    require(reached > 0.75 and track.near_best("val_loss") if fixed else reached < 0.5, what)


class Pretrained(nn.Module):
    """A small CNN of digits, `features` and a last layer `fc`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(192, 48), nn.ReLU())
        self.fc = nn.Linear(48, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.fc(self.hidden(self.features(x)))
        return logits


# "Transfer learning: I freeze all, optimizer on model.fc, then put my own fc of 5 classes. Loss does not move, not even a bit."
@pair(
    "parameters-not-in-optimizer",
    [
        "unchanged-tensor",
        "updates-too-small",
        "loss-not-decreasing",
        "metric-at-chance",
        "loss-plateau",
        "task-not-learned",
    ],
    "tensorboard and hdf5",
    dumps=True,
)
def new_head_after_optimizer(run: Path, seed: int, fixed: bool) -> None:
    """A new last layer on a frozen net, made after the optimizer was given the old one."""
    digits = data.bundled("digits", seed).as_images()
    old, new = digits.y < 5, digits.y >= 5
    model = Pretrained(5)
    before = torch.optim.Adam(model.parameters(), lr=0.003)
    pretraining = data.Split(digits.x[old], digits.y[old], digits.x[old], digits.y[old])
    for _ in range(6):
        one_epoch(model, pretraining, before, functional.cross_entropy)
    new_val = digits.y_val >= 5
    of = data.Split(digits.x[new], digits.y[new] - 5, digits.x_val[new_val], digits.y_val[new_val] - 5)
    for parameter in model.parameters():
        parameter.requires_grad = False
    if fixed:
        model.fc = nn.Linear(48, 5)
        optimizer = torch.optim.Adam(model.fc.parameters(), lr=0.003, weight_decay=1e-3)
    else:
        optimizer = torch.optim.Adam(model.fc.parameters(), lr=0.003, weight_decay=1e-3)
        model.fc = nn.Linear(48, 5)
    track, dump = Track(TensorBoard(run, "plain")), Hdf5Dump(run, by_name=True)
    step = 0
    for epoch in range(20):
        model.train()
        total, right, count = 0.0, 0.0, 0
        for x, y in shuffled(of.x, of.y, 16):
            optimizer.zero_grad()
            model.fc.zero_grad()
            outputs = model(x)
            loss = functional.cross_entropy(outputs, y)
            torch.autograd.backward(loss)
            if step % 40 == 0:
                dump.dump(step, tensors_of(model))
            optimizer.step()
            step += 1
            total, right, count = total + loss.item(), right + hits(outputs, y), count + 1
        val_loss, val_acc = validate(model, of, functional.cross_entropy)
        track.log(epoch, {"train loss": total / count, "train acc": right / count})
        track.log(epoch, {"val loss": val_loss, "val acc": val_acc})
    track.close()
    dump.close()
    reached = track.last("val acc")
    what = f"accuracy {reached:.3f}, validation {track.last('val loss'):.3f}, best {min(track.columns['val loss']):.3f}"
    require(reached > 0.8 and track.near_best("val loss") if fixed else reached < 0.45, what)


# "My diffusion model's MSE stays at 1.0 and the samples are pure noise. I copied p_losses from a blog."
@pair(
    "wrong-target",
    ["noise-not-predicted", "loss-plateau", "loss-not-decreasing", "underfit", "task-not-learned"],
    "json lines",
)
def diffusion_with_fresh_noise(run: Path, seed: int, fixed: bool) -> None:
    """A diffusion model of points on two moons whose target is another noise than the one that was added."""
    angle, lower = 3.1416 * torch.rand(1500), (torch.rand(1500) < 0.5).float()
    points = torch.stack([angle.cos() + lower, angle.sin() * (1 - 2 * lower) + 0.5 * lower], 1)
    points = points + 0.05 * torch.randn(1500, 2)
    x = (points - points.mean(0)) / points.std(0)
    x_train, x_val = x[:1200], x[1200:]
    bars = torch.cumprod(1 - torch.linspace(1e-4, 0.1, 60), 0)
    model = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    average = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

    def loss_of(net: nn.Module, clean: Tensor) -> Tensor:
        t = torch.randint(0, 60, (len(clean),))
        noise = torch.randn_like(clean)
        noisy = bars[t, None].sqrt() * clean + (1 - bars[t, None]).sqrt() * noise
        phase = t[:, None] / 60 * torch.tensor([1.0, 3.0, 6.0, 12.0])
        guess = net(torch.cat([noisy, phase.sin(), phase.cos()], 1))
        return functional.mse_loss(guess, noise if fixed else torch.randn_like(clean))

    track = Track(JsonLines(run, "plain", "metrics.jsonl", "epoch", timed=True))
    for epoch in range(30):
        kept = []
        for batch, _ in shuffled(x_train, x_train, 50):
            optimizer.zero_grad()
            loss = loss_of(model, batch)
            torch.autograd.backward(loss)
            optimizer.step()
            kept.append(loss.item())
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                    slow.lerp_(fast, 0.02)
        with torch.no_grad():
            val_loss = sum(loss_of(average, x_val).item() for _ in range(8)) / 8
        track.log(epoch, {"train/mse": sum(kept) / len(kept), "val/mse_ema": val_loss})
    track.close()
    last = track.last("val/mse_ema")
    what = f"validation {last:.3f}, best {min(track.columns['val/mse_ema']):.3f}"
    require(last < 0.7 and track.near_best("val/mse_ema", 1.1) if fixed else last > 0.95, what)


# "It trains fine for some epochs, then loss: nan for ever. My own binary cross-entropy, as in Andrew Ng's course."
@pair(
    "log-of-zero",
    ["loss-goes-missing", "non-finite", "masked-non-finite", "metric-at-chance"],
    "hdf5 history",
)
def clicks_own_entropy(run: Path, seed: int, fixed: bool) -> None:
    """Binary cross-entropy by hand with `log(1 - p)`, on columns with long tails."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(800, 8))
    z[:, :3] = np.exp(1.2 * z[:, :3]) - 2
    y = (1.5 * (z[:, 0] + z[:, 1] - z[:, 2] + z[:, 3]) + random.logistic(size=800) > 0).astype(np.float64)
    of = data.split(z, y[:, None], seed, scaled=False)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=1e-4)

    def entropy(outputs: Tensor, targets: Tensor) -> Tensor:
        if fixed:
            return functional.binary_cross_entropy_with_logits(outputs, targets)
        p = torch.sigmoid(outputs)
        return -(targets * torch.log(p) + (1 - targets) * torch.log(1 - p)).mean()

    track = Track(Hdf5History(run, "plain"))
    for epoch in range(20):
        loss, _ = one_epoch(model, of, optimizer, entropy, 32)
        val_loss, _ = validate(model, of, entropy)
        with torch.no_grad():
            val_acc = float(((model(of.x_val) > 0) == (of.y_val > 0)).float().mean())
        track.log(epoch, {"loss": loss, "val_loss": val_loss, "val_acc": val_acc})
    track.close()
    first, last = track.columns["loss"][0], track.columns["loss"][-1]
    what = (
        f"loss {first:.3f} to {last:.3f}, accuracy {track.last('val_acc'):.3f}, validation {track.last('val_loss'):.3f}"
    )
    good = track.last("val_acc") > 0.8 and track.near_best("val_loss")
    require(good if fixed else bool(np.isnan(last)), what)
