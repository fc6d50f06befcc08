"""Everyday PyTorch programs that look odd and are healthy."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CyclicLR

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.loop import accuracy
from bench.accuracy.programs_desk_common import mails, spectra
from bench.accuracy.programs_field_common import Course, Snapshots, above, below, fit, go, last, steady, told
from bench.accuracy.programs_plain_common import odd_into
from bench.accuracy.programs_plain_torch_common import clouds, ratings
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Loss_G goes up and Loss_D stays at 1.3, but the samples look right."
@odd("SummaryWriter with Loss_D, Loss_G, D(x) and D(G(z))")
def four_clouds_gan(run: Path, seed: int) -> None:
    """A GAN of four clouds of points, logged as in the tutorial."""
    generator, discriminator = models.gan_pair(2, 4, 48)
    ours = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    theirs = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    random = data.generator(seed)
    entropy = functional.binary_cross_entropy_with_logits

    def step(_: int) -> Mapping[str, float]:
        real = clouds(random, 128)
        fake = generator(torch.randn(128, 4, generator=random))
        on_real, on_fake = discriminator(real), discriminator(fake.detach())
        loss_d = entropy(on_real, torch.full_like(on_real, 0.9)) + entropy(on_fake, torch.zeros_like(on_fake))
        theirs.zero_grad()
        torch.autograd.backward(loss_d)
        theirs.step()
        judged = discriminator(fake)
        loss_g = entropy(judged, torch.ones_like(judged))
        ours.zero_grad()
        torch.autograd.backward(loss_g)
        ours.step()
        return {
            "Loss_D": float(loss_d.detach()),
            "Loss_G": float(loss_g.detach()),
            "D(x)": float(on_real.detach().sigmoid().mean()),
            "D(G(z))": float(on_fake.detach().sigmoid().mean()),
        }

    found = go(Course(step, 1500, TensorBoard(run, "plain"), every=15))
    with torch.no_grad():
        made = generator(torch.randn(1000, 4, generator=random))
    near = (made.abs() - 1).norm(dim=1) < 0.6
    quarter = (made[:, 0] > 0).long() * 2 + (made[:, 1] > 0).long()
    shares = torch.bincount(quarter[near], minlength=4) / 1000
    require(float(near.float().mean()) > 0.75, f"points near a cloud {float(near.float().mean()):.2f}: {told(found)}")
    require(float(shares.min()) > 0.08, f"shares of the clouds {shares.tolist()}: {told(found)}")


class Tastes(nn.Module):
    """Ratings as a product of embeddings, whose gradients are sparse."""

    def __init__(self, users: int, films: int, width: int = 3) -> None:
        super().__init__()
        self.user = nn.Embedding(users, width, sparse=True)
        self.film = nn.Embedding(films, width, sparse=True)
        for one in (self.user, self.film):
            nn.init.normal_(one.weight, std=0.3)

    def forward(self, pairs: Tensor) -> Tensor:
        stars: Tensor = (self.user(pairs[:, 0]) * self.film(pairs[:, 1])).sum(1, keepdim=True)
        return stars


# "Most rows of the gradient are zero, and the learning rate is large."
@odd("csv by hand with a row an epoch")
def films_sparse(run: Path, seed: int) -> None:
    """Ratings of films by embeddings with sparse gradients under SparseAdam."""
    of = ratings(seed)
    model = Tastes(80, 60)
    found = fit(
        model,
        of,
        torch.optim.SparseAdam(list(model.parameters()), lr=0.01),
        30,
        Csv(run, "plain", "train_log.csv", "epoch"),
        ("train_mse", "", "valid_mse", "valid_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
    )
    above(found, "valid_r2", 0.6)
    steady(found, "valid_mse", 0.15)


# "134 wines and it stopped after a few epochs": patience of four epochs, on a table as small as that.
@odd("console log, ended by early stopping")
def wines_stopped(run: Path, seed: int) -> None:
    """Wines by an MLP with dropout, stopped when the validation loss has not fallen for four epochs."""
    of = data.bundled("wine", seed)
    model = models.mlp((13, 24, 3), dropout=0.3)

    def stop(trail: Mapping[str, list[float]]) -> bool:
        values = trail["val_loss"]
        return len(values) > 4 and min(values[-4:]) > min(values[:-4])

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        80,
        Console(run, "plain", "output.log", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        batch=16,
        seed=seed,
        stop=stop,
    )
    require(len(found["val_loss"]) < 80, f"was to stop: {told(found)}")
    above(found, "val_acc", 0.9)
    require(last(found, "val_loss", 1) < 0.2, f"validation loss: {told(found)}")


# "The learning rate goes up again and again": CyclicLR between 0.001 and 0.03.
@odd("SummaryWriter with a value each 5 batches and histograms", dumps=True)
def plastics_cyclic(run: Path, seed: int) -> None:
    """Plastics by a 1-D CNN under SGD with a triangular rate, stepped each batch."""
    of = spectra(seed, 800)
    of = data.Split(of.x[:, None], of.y, of.x_val[:, None], of.y_val)
    model = nn.Sequential(
        nn.Conv1d(1, 8, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool1d(3),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(160, 5),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    per_epoch = data.steps_per_epoch(of, 32)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        optimizer,
        24,
        writer,
        ("batch_loss", "batch_acc", "val_loss", "val_acc"),
        seed=seed,
        every=5,
        rate_tag="lr",
        schedule=CyclicLR(optimizer, 1e-3, 0.02, step_size_up=2 * per_epoch, cycle_momentum=False),
        snapshots=Snapshots(HistogramDump(writer), model, 57, "torch"),
    )
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.25)


# "My loss starts at 4.16 and does not get to zero, which is the logarithm of the batch."
@odd("jsonl by hand, tensors in HDF5", dumps=True)
def spectra_contrastive(run: Path, seed: int) -> None:
    """Two noisy views of a spectrum told to belong together among 64 (InfoNCE): the loss stays over 1, by the temperature."""
    of = spectra(seed, 1000)
    model = models.mlp((60, 64, 32))
    random = data.generator(seed)

    def views(x: Tensor) -> Tensor:
        noisy = torch.cat([x + 0.5 * torch.randn(x.shape, generator=random) for _ in range(2)])
        return functional.normalize(model(noisy), dim=1)

    def told_together(codes: Tensor) -> tuple[Tensor, Tensor]:
        one, other = codes.chunk(2)
        logits, targets = one @ other.T / 0.2, torch.arange(len(one))
        return functional.cross_entropy(logits, targets), accuracy(logits, targets)

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    stream = data.batches(data.Split(of.x[:704], of.y[:704], of.x_val, of.y_val), 64, seed)
    snapshots = Snapshots(Hdf5Dump(run), model, 55, "scopes")

    def step(number: int) -> Mapping[str, float]:
        loss, right = told_together(views(next(stream)[0]))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        snapshots.take(number)
        optimizer.step()
        return {"train/contrastive_loss": float(loss.detach()), "train/top1": float(right)}

    def evaluate() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            parts = [told_together(views(of.x_val[start : start + 64])) for start in (0, 64, 128)]
        model.train()
        names = ("val/contrastive_loss", "val/top1")
        return {
            name: float(torch.stack(values).mean())
            for name, values in zip(names, zip(*parts, strict=True), strict=True)
        }

    log = JsonLines(run, "plain", "pretrain.jsonl", "epoch")
    found = go(Course(step, 40 * 11, log, evaluate=evaluate, per_epoch=11, snapshots=snapshots))
    above(found, "val/top1", 0.5)
    below(found, "val/contrastive_loss", math.log(64) - 0.8)
    steady(found, "val/contrastive_loss", 0.08)


# "Only three epochs?" - it is a text of single words, and that is enough.
@odd("metrics.csv of Lightning")
def mails_three_epochs(run: Path, seed: int) -> None:
    """The department of a mail by a mean of embeddings, three epochs, logged each ten steps."""
    of = mails(seed, 2400, told=0.35)
    model = nn.Sequential(nn.EmbeddingBag(200, 32), nn.Linear(32, 4))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01),
        3,
        Csv(run, "plain", "metrics.csv", "step"),
        ("train_loss_step", "train_acc_step", "val_loss", "val_acc"),
        batch=16,
        seed=seed,
        every=10,
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.2)


# "The reward jumps about, it never settles": a bandit with noisy payments.
@odd("SummaryWriter with reward and average_reward")
def bandit_noisy(run: Path, seed: int) -> None:
    """Ten arms with noisy payments, played by softmax over learned values that cools; the mean reward rises through the noise."""
    random = torch.Generator().manual_seed(seed)
    pays = torch.linspace(-1, 1, 10)[torch.randperm(10, generator=random)]
    logits = nn.Parameter(torch.zeros(10))
    optimizer = torch.optim.Adam([logits], lr=0.02)
    average = 0.0

    def play(_: int) -> Mapping[str, float]:
        nonlocal average
        shares = logits.softmax(0)
        arms = torch.multinomial(shares.detach(), 8, replacement=True, generator=random)
        paid = pays[arms] + torch.randn(8, generator=random)
        loss = -(shares.log()[arms] * (paid - average)).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        average += 0.02 * (float(paid.mean()) - average)
        entropy = float(-(shares * shares.log()).sum().detach())
        return {"reward": float(paid.mean()), "average_reward": average, "policy/entropy": entropy}

    found = go(Course(play, 800, TensorBoard(run, "plain"), every=4))
    above(found, "average_reward", 0.55)
