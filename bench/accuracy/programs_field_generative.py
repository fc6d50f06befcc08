"""Programs of the field that learn densities and representations: VAE, GAN, diffusion, flow, mixture density, contrastive."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, ParquetDump, TensorBoard
from bench.accuracy.loop import cross_entropy
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
    into,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_field_logs import AddScalars, DvcLive, Lines, TensorSummaries

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def ring(seed: int, samples: int, noise: float = 0.1) -> Tensor:
    """Points of five Gaussians on a circle (n, 2)."""
    random = np.random.default_rng(seed)
    angle = 2 * np.pi * random.integers(0, 5, samples) / 5
    points = np.stack([np.cos(angle), np.sin(angle)], 1) + noise * random.normal(size=(samples, 2))
    return torch.tensor(points, dtype=torch.float32)


def moons(seed: int, samples: int) -> Tensor:
    """Points of two half circles (n, 2), about standard."""
    random = np.random.default_rng(seed)
    angle, side = np.pi * random.uniform(size=samples), random.integers(0, 2, samples)
    x = np.where(side, 1 - np.cos(angle), np.cos(angle)) - 0.5
    y = np.where(side, 0.5 - np.sin(angle), np.sin(angle)) - 0.25
    return torch.tensor(np.stack([x, y], 1) * 1.3 + 0.08 * random.normal(size=(samples, 2)), dtype=torch.float32)


def pixels(seed: int) -> tuple[Tensor, Tensor]:
    """Digits (n, 64) from 0 to 1, for training and validation."""
    of = data.bundled("digits", seed, scaled=False)
    return of.x / 16, of.x_val / 16


class Vae(nn.Module):
    """Dense encoder to a mean and a logarithm of the variance, dense decoder to logits."""

    def __init__(self, inputs: int = 64, hidden: int = 64, code: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, inputs))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (spread / 2).exp() if self.training else mean
        return self.decoder(code), mean, spread


def vae_parts(model: Vae, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Reconstruction and divergence, each a sum over dimensions and a mean over samples; and the means of the codes."""
    logits, mean, spread = model(x)
    reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
    return reconstruction, 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1).mean(), mean


@pair(
    "posterior-collapse",
    ("low-variance", "loss-plateau", "underfit", "loss-not-decreasing"),
    "tensorboard; tensors in hdf5",
    dumps=True,
)
def divergence_weighs_too_much(run: Path, seed: int, fixed: bool) -> None:
    """A VAE whose reconstruction is a mean over pixels and whose divergence is a sum, so that the code tells nothing; fixed: both sums."""
    x, x_val = pixels(seed)
    model = Vae()
    kept = Snapshots(Hdf5Dump(run, by_name=True), model, 80)
    random = data.generator(seed)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        batch = x[torch.randint(0, len(x), (64,), generator=random)]
        reconstruction, divergence, mean = vae_parts(model, batch)
        kept.extra["activations/mu"] = mean.detach().numpy().copy()
        loss = reconstruction / (1 if fixed else 64) + divergence
        return loss, {"train/recon": float(reconstruction.detach()), "train/kld": float(divergence.detach())}

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            reconstruction, divergence, _ = vae_parts(model, x_val)
        model.train()
        whole = reconstruction / (1 if fixed else 64) + divergence
        return {"val/elbo_loss": float(whole), "val/recon": float(reconstruction), "val/kld": float(divergence)}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "train/elbo_loss", snapshots=kept)
    trail = go(Course(step, 800, TensorBoard(run, "plain"), 20, True, evaluate, 80, snapshots=kept))
    if fixed:
        below(trail, "val/recon", 24)
        steady(trail, "val/elbo_loss")
    else:
        not_above(trail, "val/kld", 0.2)
        not_below(trail, "val/recon", 26)


def adversarial(
    run: Path, seed: int, steps: int, rates: tuple[float, float], stuck: bool, balanced: bool
) -> tuple[dict, float]:
    """Train a GAN on the ring: what was logged, and how many of the five modes have a twentieth of the samples."""
    generator, discriminator = models.gan_pair(2, 8, 64)
    by = torch.optim.Adam(generator.parameters(), lr=rates[0], betas=(0.5, 0.99))
    against = torch.optim.Adam(discriminator.parameters(), lr=rates[1], betas=(0.5, 0.99))
    real, random = ring(seed, 4000), data.generator(seed)
    kept = Snapshots(Hdf5Dump(run), generator, 100, "scopes", watched=False)
    bce, frozen = functional.binary_cross_entropy_with_logits, torch.randn(1, 8)

    def noise(count: int) -> Tensor:
        return frozen.expand(count, 8) if stuck else torch.randn(count, 8)

    def step(at: int) -> dict[str, float]:
        batch = real[torch.randint(0, len(real), (128,), generator=random)]
        for _ in range(1 if balanced else 4):
            blur = 0.1 if balanced else 0.0
            made = generator(noise(128)).detach()
            true, false = (discriminator(one + blur * torch.randn_like(one)) for one in (batch, made))
            ones = torch.ones_like(true)
            loss_d = bce(true, ones) + bce(false, torch.zeros_like(false))
            against.zero_grad()
            loss_d.backward()
            against.step()
        by.zero_grad()
        made = generator(noise(128))
        said = discriminator(made + blur * torch.randn_like(made))
        loss_g = bce(said, torch.ones_like(said))
        loss_g.backward()
        kept.extra["outputs/samples"] = made.detach().numpy().copy()
        kept.take(at)
        by.step()
        scores = {"d_real": float(true.sigmoid().mean()), "d_fake": float(false.sigmoid().mean())}
        return {"g_loss": float(loss_g.detach()), "d_loss": float(loss_d.detach()), **scores}

    trail = go(Course(step, steps, TensorSummaries(run), 20, snapshots=kept))
    with torch.no_grad():
        samples = generator(noise(2000))
    near = torch.cdist(
        samples, torch.tensor([[math.cos(i * math.pi / 2.5), math.sin(i * math.pi / 2.5)] for i in range(5)])
    )
    close = near.min(1)
    hits = torch.bincount(close.indices[close.values < 0.45], minlength=5) / 2000
    return trail, float((hits > 0.05).sum())


@pair(
    "mode-collapse",
    ("low-variance", "unstable-loss", "loss-not-decreasing"),
    "CLU event files; tensors in hdf5",
    dumps=True,
)
def noise_drawn_once(run: Path, seed: int, fixed: bool) -> None:
    """A GAN whose noise was drawn once before the loop and broadcast over the batch, so that all its samples are one; fixed: drawn anew."""
    trail, found = adversarial(run, seed, 1600, (2e-3, 2e-3), not fixed, True)
    require(found >= 4 if fixed else found <= 1, f"{found:g} modes: {told(trail)}")


@pair(
    "discriminator-wins",
    ("loss-divergence", "vanishing-gradient", "loss-not-decreasing"),
    "CLU event files; tensors in hdf5",
    dumps=True,
)
def judge_too_strong(run: Path, seed: int, fixed: bool) -> None:
    """A GAN whose discriminator takes four steps of a large rate for each small one of the generator: it tells all, and the loss of the
    generator rises; fixed: even steps, and inputs blurred.
    """
    rates = (2e-3, 2e-3) if fixed else (2e-5, 5e-3)
    trail, found = adversarial(run, seed, 1600 if fixed else 400, rates, False, fixed)
    if fixed:
        require(found >= 4, f"{found:g} modes: {told(trail)}")
    else:
        require(found <= 2, f"{found:g} modes: {told(trail)}")
        not_below(trail, "g_loss", 3)
        not_above(trail, "d_loss", 0.35)


class Denoiser(nn.Module):
    """Points (n, 2) and a share of time (n, 1) to noise (n, 2)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.time = nn.Linear(8, width)
        self.enter, self.middle, self.leave = nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        waves = t * math.pi * torch.tensor([0.5, 1.0, 2.0, 4.0])
        y = functional.silu(self.enter(x) + self.time(torch.cat([waves.sin(), waves.cos()], 1)))
        return self.leave(functional.silu(self.middle(y) + y))


@pair("wrong-target", BADLY_LEARNED, "tensorboard by add_scalars")
def noise_drawn_twice(run: Path, seed: int, fixed: bool) -> None:
    """A diffusion model of points whose loss compares with noise drawn anew, not with that which was added, so that zero is the best
    answer; fixed: the same noise.
    """
    points, held = moons(seed, 2000), moons(seed + 99, 500)
    model = Denoiser()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)

    def loss_of(x: Tensor) -> Tensor:
        t, noise = torch.rand(len(x), 1), torch.randn_like(x)
        kept = (t * math.pi / 2).cos()
        mixed = kept * x + (1 - kept**2).sqrt() * noise
        return functional.mse_loss(model(mixed, t), noise if fixed else torch.randn_like(x))

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        return loss_of(points[torch.randint(0, len(points), (128,))]), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"diffusion|val": float(np.mean([float(loss_of(held)) for _ in range(5)]))}

    step = Descent(model, optimizer, objective, "diffusion|train", rate_tag="lr")
    trail = go(Course(step, 1500, AddScalars(run), 25, True, evaluate, 150))
    if fixed:
        below(trail, "diffusion|val", 0.5)
        steady(trail, "diffusion|val")
    else:
        not_below(trail, "diffusion|val", 0.93)


class Coupling(nn.Module):
    """One affine coupling of two coordinates: the transformed points and the logarithm of the determinant."""

    def __init__(self, swap: bool) -> None:
        super().__init__()
        self.net, self.swap = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2)), swap

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = (x[:, 1:], x[:, :1]) if self.swap else (x[:, :1], x[:, 1:])
        scale, shift = self.net(kept).chunk(2, 1)
        moved = moved * scale.exp() + shift
        return torch.cat([moved, kept] if self.swap else [kept, moved], 1), scale[:, 0]


@pair(
    "wrong-loss-sign",
    (*BLOWN_UP, "too-good", "low-variance", "updates-too-large"),
    "metrics.csv of Lightning; tensors in hdf5",
    dumps=True,
)
def determinant_subtracted(run: Path, seed: int, fixed: bool) -> None:
    """A flow whose logarithm of the determinant has the wrong sign: it shrinks all points to one, and the loss falls without end;
    fixed: the right sign.
    """
    points, held = moons(seed, 2000), moons(seed + 99, 500)
    model = nn.ModuleList(Coupling(bool(number % 2)) for number in range(6))
    kept = Snapshots(Hdf5Dump(run), model, 75)

    def nll(x: Tensor, sign: float) -> Tensor:
        whole = torch.zeros(len(x))
        for one in model:
            x, part = one(x)
            whole = whole + part
        kept.extra["outputs/z"] = x.detach()[:128].numpy().copy()
        return (0.5 * x.square().sum(1) + math.log(2 * math.pi) - sign * whole).mean()

    sign = 1.0 if fixed else -1.0

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        return nll(points[torch.randint(0, len(points), (128,))], sign), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"val_nll": float(nll(held, sign)), "val_bpd": float(nll(held, sign)) / 2 / math.log(2)}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=3e-3), objective, "train_nll", snapshots=kept)
    log = Csv(run, "plain")
    trail = go(Course(step, 700, log, 10, False, evaluate, 70, snapshots=kept))
    with torch.no_grad():
        true = float(nll(held, 1.0))
    if fixed:
        require(true < 2.2, f"{true:.3g} nats: {told(trail)}")
        steady(trail, "val_nll")
    else:
        require(not true < 5, f"{true:.3g} nats: {told(trail)}")


@pair("log-of-zero", ("non-finite", "loss-spike"), "jsonl")
def mixture_without_logsumexp(run: Path, seed: int, fixed: bool) -> None:
    """A mixture density network that takes the logarithm of a sum of densities, which are all 0 at some point: infinite loss, then NaN;
    fixed: logsumexp.
    """
    random = np.random.default_rng(seed)
    y = torch.tensor(random.uniform(-1, 1, (1500, 1)), dtype=torch.float32)
    x = (y + 0.3 * torch.sin(2 * math.pi * y) + 0.03 * torch.tensor(random.normal(size=(1500, 1)))).float()
    x, y = x * 3, y * 30
    of = data.Split(x[:1200], y[:1200], x[1200:], y[1200:])
    model = models.mlp((1, 32, 12), "tanh")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        weight, mean, spread = outputs.chunk(3, 1)
        scaled = (targets - 10 * mean) / spread.exp()
        each = -0.5 * scaled**2 - spread - 0.5 * math.log(2 * math.pi)
        if fixed:
            return -(weight.log_softmax(1) + each).logsumexp(1).mean()
        return -(weight.softmax(1) * each.exp()).sum(1).log().mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    log = Lines(run / "wandb-history.jsonl", "_step", "_runtime")
    tags = ("train/nll", "", "val/nll", "")
    trail = fit(model, of, optimizer, 25, log, tags, loss=loss, seed=seed, every=10)
    if fixed:
        below(trail, "val/nll", 3.0)
        steady(trail, "val/nll")
    else:
        require(not math.isfinite(trail["train/nll"][-1]), told(trail))


@pair(
    "representation-collapse", ("low-variance", "too-good", "loss-plateau"), "DVCLive; tensors in parquet", dumps=True
)
def siamese_without_stop(run: Path, seed: int, fixed: bool) -> None:
    """Two views of a digit drawn together, with nothing that pushes different ones apart: all get one embedding; fixed: SimCLR's loss."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 16))
    kept = Snapshots(ParquetDump(run), model, 60, watched=False)

    def view(x: Tensor) -> Tensor:
        return (x + 0.4 * torch.randn_like(x)) * (torch.rand_like(x) > 0.15)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        x = of.x[torch.randint(0, len(of.x), (64,))]
        one, two = (functional.normalize(model(view(x)), dim=1) for _ in range(2))
        kept.extra["outputs/embedding"] = one.detach().numpy().copy()
        agree = one @ two.T
        loss = cross_entropy(agree / 0.2, torch.arange(64)) if fixed else 1 - agree.diagonal().mean()
        return loss, {"train/embed_std": float(one.detach().std(0).mean())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            known, asked = functional.normalize(model(of.x), dim=1), functional.normalize(model(of.x_val), dim=1)
        near = of.y[(asked @ known.T).topk(5).indices].mode(1).values
        return {"val/knn_acc": float((near == of.y_val).float().mean())}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "train/loss", snapshots=kept)
    trail = go(Course(step, 600, DvcLive(run), 10, True, evaluate, 60, snapshots=kept))
    if fixed:
        above(trail, "val/knn_acc", 0.85)
    else:
        not_above(trail, "train/embed_std", 0.03)
        require(last(trail, "val/knn_acc") < trail["val/knn_acc"][0] + 0.1, told(trail))
