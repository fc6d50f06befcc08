"""Autumn programs in PyTorch, fifth part: a recurrent net by hand, reinforcement, generators, and too little data."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_autumn_a_common import loans, machines
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_desk_common import spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    steady,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class HandMade(nn.Module):
    """A recurrent layer by hand, h = relu(x W + h U), and a head."""

    def __init__(self, fixed: bool) -> None:
        super().__init__()
        self.w = nn.Parameter(0.3 * torch.randn(4, 32))
        self.u = nn.Parameter(nn.init.orthogonal_(torch.empty(32, 32), 0.9) if fixed else 0.5 * torch.randn(32, 32))
        self.fc = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 5)."""
        state = torch.zeros(len(x), 32)
        for at in range(x.shape[1]):
            state = torch.relu(x[:, at] @ self.w + state @ self.u)
        logits: Tensor = self.fc(state)
        return logits


# "The first loss has five digits": my own recurrent layer, with 0.5 * torch.randn for the weights from state to state.
@pair(
    "exploding-rnn",
    (*BLOWN_UP, *BADLY_LEARNED, "initial-loss", "poor-initialization", "overfit"),
    "csv each tenth batch; Parquet with weights and gradients every 28 steps",
    dumps=True,
)
def machines_hand_made_rnn(run: Path, seed: int, fixed: bool) -> None:
    """States of machines by a ReLU RNN by hand whose recurrent weights are too large; fixed: orthogonal."""
    of, model = machines(seed), HandMade(fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        Csv(run, "plain", "train_log.csv", "step"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=16,
        every=10,
        norm_tag="grad_norm",
        snapshots=Snapshots(ParquetDump(run), model, 28),
    )
    if fixed:
        above(found, "val_acc", 0.8)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_acc", 0.7)
        above({"first": found["train_loss"][:1]}, "first", 50)


# "The agent only ever takes the small coin by the door": epsilon was 0 from the first episode.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "loss-plateau", "underfit", "task-not-learned"),
    "JSON lines, an episode each",
)
def corridor_without_epsilon(run: Path, seed: int, fixed: bool) -> None:
    """A corridor of eight rooms with a small coin left and a large one right, by Q-learning with epsilon 0; fixed: 1, falling to 0.02."""
    random = np.random.default_rng(seed)
    net = nn.Linear(8, 2, bias=False)
    nn.init.zeros_(net.weight)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    rooms, log = torch.eye(8), JsonLines(run, "plain", "episodes.jsonl", "episode")
    totals: list[float] = []
    for episode in range(240):
        epsilon = max(0.02, 0.985**episode) if fixed else 0.0
        room, total, losses = int(random.integers(1, 4)), 0.0, []
        for _ in range(30):
            values = net(rooms[room])
            action = int(random.integers(2)) if random.random() < epsilon else int(values.argmax())
            move = 1 if action else -1
            if random.random() < 0.08:
                move = -move
            after = min(7, max(0, room + move))
            reward = 1.0 if after == 7 else 0.1 if after == 0 else 0.0
            with torch.no_grad():
                target = reward + 0.9 * net(rooms[after]).max()
            loss = (values[action] - target).square()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            room, total = after, total + reward
        totals.append(total)
        log.log(episode, {"episode_return": total, "epsilon": epsilon, "td_loss": float(np.mean(losses))})
    log.close()
    end = float(np.mean(totals[-20:]))
    require(end > 8 if fixed else end < 3.5, f"returns {np.mean(totals[:20]):.3g} … {end:.3g}")


# "All samples are the same point": z was drawn once, before the loop, and expanded to the batch.
@pair(
    "mode-collapse",
    (
        "discriminator-wins",
        "adversarial-divergence",
        "unstable-loss",
        "representation-collapse",
        "low-variance",
        "tensor-variance",
    ),
    "SummaryWriter each 20 steps; HDF5 with activations and weights",
    dumps=True,
)
def ring_one_noise(run: Path, seed: int, fixed: bool) -> None:
    """A GAN for a ring of six spots with one noise vector for all; fixed: fresh noise for each sample."""
    random = data.generator(seed)
    generator, critic = models.gan_pair(2, 6, 48)
    first = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    second = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
    once, log = torch.randn(1, 6, generator=random), TensorBoard(run, "plain")
    snapshots = Snapshots(Hdf5Dump(run), generator, 200)
    angles = torch.arange(6) * torch.pi / 3
    spots = torch.stack([angles.cos(), angles.sin()], -1)
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)

    def noise(count: int) -> Tensor:
        return torch.randn(count, 6, generator=random) if fixed else once.expand(count, 6)

    covered: list[float] = []
    bce = functional.binary_cross_entropy_with_logits
    for step in range(1, 2001):
        real = spots[torch.randint(0, 6, (64,), generator=random)] + 0.12 * torch.randn(64, 2, generator=random)
        fake = generator(noise(64))
        d_loss = bce(critic(real), ones) + bce(critic(fake.detach()), zeros)
        second.zero_grad()
        torch.autograd.backward(d_loss)
        second.step()
        g_loss = bce(critic(fake), ones)
        first.zero_grad()
        torch.autograd.backward(g_loss)
        snapshots.take(step)
        first.step()
        if step % 20 == 0:
            with torch.no_grad():
                made = generator(noise(300))
            near = torch.cdist(made, spots)
            hit = near.min(1).values < 0.4
            covered.append(float(torch.bincount(near.argmin(1)[hit], minlength=6).gt(5).sum()))
            told = {"Loss/D": float(d_loss.detach()), "Loss/G": float(g_loss.detach())}
            log.log(step, told | {"samples/std": float(made.std(0).mean()), "samples/modes": covered[-1]})
    log.close()
    snapshots.to.close()
    modes = float(np.mean(covered[-10:]))
    require(modes >= 3.5 if fixed else modes <= 1, f"{modes} modes")


class Variational(nn.Module):
    """A VAE over spectra with a code of four numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = models.mlp((60, 48, 8), "relu")
        self.decoder = models.mlp((4, 48, 60), "relu")


# "It draws the mean spectrum every time": MSELoss() takes the mean over the channels, and the KL is a sum.
@pair(
    "kl-collapse",
    (
        "posterior-collapse",
        "loss-plateau",
        "underfit",
        "loss-not-decreasing",
        "representation-collapse",
        "low-variance",
    ),
    "SummaryWriter with one scalar an epoch; HDF5 with mu and logvar each fourth",
    dumps=True,
)
def spectra_mean_against_sum(run: Path, seed: int, fixed: bool) -> None:
    """A VAE over spectra whose reconstruction is a mean over 60 channels against a summed KL, weighted by 2; fixed: both are sums."""
    of, model = spectra(seed), Variational()
    stream, per_epoch = data.batches(of, 32, seed), data.steps_per_epoch(of, 32)
    random, log = data.generator(seed), TensorBoard(run, "plain")
    snapshots = Snapshots(Hdf5Dump(run), model, 4 * per_epoch)

    def parts(x: Tensor, sampled: bool) -> tuple[Tensor, Tensor]:
        mu, logvar = model.encoder(x).chunk(2, -1)
        if sampled:
            snapshots.extra["activations/mu"] = mu.detach().numpy().copy()
            snapshots.extra["activations/logvar"] = logvar.detach().numpy().copy()
        code = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=random) if sampled else mu
        made = model.decoder(code)
        return (made - x).square().mean(), 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        recon, kl = parts(next(stream)[0], True)
        return recon * (60 if fixed else 1) + 2 * kl, {
            "train/recon": float(recon.detach()),
            "train/kl": float(kl.detach()),
        }

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            recon, kl = parts(of.x_val, False)
        return {"val/recon": float(recon), "val/kl": float(kl)}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=3e-3), objective, "train/loss", snapshots=snapshots)
    course = Course(step, 40 * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch, snapshots=snapshots)
    found = go(course)
    base = float(of.x_val.var())
    if fixed:
        above(found, "val/kl", 1.0)
        below(found, "val/recon", 0.6 * base)
        steady(found, "val/recon", 0.2)
    else:
        below(found, "val/kl", 0.1)
        above(found, "val/recon", 0.85 * base)


# "Train 100 %, validation falls since epoch 8": a network of 130,000 weights for 150 rows.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "error-rises", "confidently-wrong"),
    "printed log, a line an epoch",
)
def loans_wide_on_few(run: Path, seed: int, fixed: bool) -> None:
    """A few loans by a network 256 wide; fixed: 8 wide with decay and dropout."""
    of = loans(seed, samples=300, share=0.4, clear=1.2)
    model = models.mlp((11, 8, 2), "tanh", dropout=0.3) if fixed else models.mlp((11, 256, 256, 256, 2), "relu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1 if fixed else 0.0)
    found = fit(
        model,
        of,
        optimizer,
        40,
        Console(run, "plain", "train.log", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.64)
        steady(found, "val_loss", 0.15)
    else:
        best = min(found["val_loss"])
        require(found["val_loss"][-1] > 2 * best, f"val_loss {best:.3g}, {found['val_loss'][-1]:.3g}")
        below(found, "train_loss", 0.05)
