"""Month programs in torch that make or embed: diffusion, VAE, GAN, Siamese and triplet nets."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    above,
    below,
    go,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_month_torch_common import Only, pixels, ring

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def diffuser(seed: int, new_noise: bool) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """A net that predicts noise from points and a level of it, and its loss for points."""
    model = models.mlp((3, 64, 64, 2), "silu")
    random = data.generator(seed)

    def loss(points: Tensor) -> Tensor:
        level = torch.rand(len(points), 1, generator=random)
        kept = torch.cos(level * torch.pi / 2).clamp(min=0.02)
        noise = torch.randn(points.shape, generator=random)
        noisy = kept * points + (1 - kept.square()).sqrt() * noise
        target = torch.randn(points.shape, generator=random) if new_noise else noise
        return functional.mse_loss(model(torch.cat([noisy, 2 * level - 1], 1)), target)

    return model, loss


# "My diffusion model stands at exactly 1.0": q_sample draws a noise, and the loss draws another.
@pair(
    "wrong-target",
    ("noise-not-predicted", "loss-not-decreasing", "loss-plateau", "task-not-learned", "underfit"),
    "SummaryWriter with train_loss each twenty steps",
)
def torch_ring_two_noises(run: Path, seed: int, fixed: bool) -> None:
    """Points of an octagon by a diffusion model whose target is another noise than the one that was added; fixed: the same."""
    model, loss = diffuser(seed, not fixed)
    random = data.generator(seed + 7)
    held = ring(1500, random)

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"val_loss": float(loss(held))}

    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    step = Descent(model, optimizer, lambda _: (loss(ring(128, random)), {}), "train_loss", rate_tag="lr")
    log = TensorBoard(run, "plain")
    found = go(Course(step, 1500, log, every=20, averaged=True, evaluate=evaluate, evaluate_every=100))
    if fixed:
        below(found, "val_loss", 0.62)
        steady(found, "val_loss", 0.1)
    else:
        not_below(found, "val_loss", 0.93)


class Variational(nn.Module):
    """A VAE of pictures (n, 64) with a code of six numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
        self.mu, self.logvar = nn.Linear(48, 6), nn.Linear(48, 6)
        self.decoder = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64))


# "Every sample is the same grey blob": the reconstruction is a mean over pixels, the divergence a sum.
@pair(
    "posterior-collapse",
    ("posterior-collapse", "loss-plateau", "underfit", "low-variance", "representation-collapse"),
    "SummaryWriter with recon and kl, histograms of weights, gradients and latents",
    dumps=True,
    layer="mu",
)
def torch_digits_vae_mean_and_sum(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits with functional.mse_loss as the reconstruction; fixed: summed over pixels, as the divergence is."""
    of, model, random = pixels(seed), Variational(), data.generator(seed)
    stream = data.batches(of, 64, seed)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 66, "collections", watched=False)

    def elbo(x: Tensor) -> tuple[Tensor, float, float]:
        h = model.encoder(x)
        mu, logvar = model.mu(h), model.logvar(h)
        code = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=random)
        snapshots.extra = {"latent/mu": mu.detach().numpy().copy(), "latent/logvar": logvar.detach().numpy().copy()}
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
        error = (model.decoder(code) - x).square()
        recon = 10 * error.sum(1).mean() if fixed else error.mean()
        return recon + kl, float(error.detach().mean()), float(kl.detach())

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        loss, recon, kl = elbo(next(stream)[0])
        return loss, {"train/recon": recon, "train/kl": kl}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss, recon, kl = elbo(of.x_val)
        return {"val/loss": float(loss), "val/recon": recon, "val/kl": kl}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=3e-3), objective, "train/loss", snapshots=snapshots)
    found = go(Course(step, 22 * 25, writer, evaluate=evaluate, per_epoch=22, snapshots=snapshots))
    if fixed:
        below(found, "val/recon", 0.045)
        above(found, "val/kl", 3)
        steady(found, "val/loss", 0.1)
    else:
        below(found, "val/kl", 0.1)
        above(found, "val/recon", 0.06)


# "My SimSiam loss is -1 after two epochs, great": no stop-gradient on the other view.
@pair(
    "representation-collapse",
    ("representation-collapse", "low-variance", "too-good", "constant-answer"),
    "jsonl, and Parquet of weights and embeddings",
    dumps=True,
)
def torch_digits_simsiam_no_detach(run: Path, seed: int, fixed: bool) -> None:
    """Embeddings of digits from two noisy views without detach(); fixed: with it."""
    of = pixels(seed)
    encoder = nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 16))
    predictor = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16))
    model = nn.ModuleDict({"encoder": encoder, "predictor": predictor})
    if fixed:
        encoder.append(nn.BatchNorm1d(16, affine=False))
    random = data.generator(seed)
    take = Only(ParquetDump(run), lambda name: not name.startswith("gradients"))
    snapshots = Snapshots(take, model, 84, watched=False)

    def loss(x: Tensor) -> Tensor:
        views = [x + 0.25 * torch.randn(x.shape, generator=random) for _ in range(2)]
        a, b = (encoder(view) for view in views)
        snapshots.extra = {"activations/embedding": a.detach().numpy().copy()}
        p, q = predictor(a), predictor(b)
        if fixed:
            a, b = a.detach(), b.detach()
        return -(functional.cosine_similarity(p, b).mean() + functional.cosine_similarity(q, a).mean()) / 2

    def evaluate() -> dict[str, float]:
        encoder.eval()
        with torch.no_grad():
            known, asked = (functional.normalize(encoder(x), dim=1) for x in (of.x, of.x_val))
        encoder.train()
        near = (asked @ known.T).topk(5).indices
        right = (of.y[near].mode(1).values == of.y_val).float().mean()
        return {"embedding_std": float(asked.std(0).mean()), "knn_acc": float(right)}

    stream = data.batches(of, 64, seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    step = Descent(model, optimizer, lambda _: (loss(next(stream)[0]), {}), snapshots=snapshots)
    log = JsonLines(run, "plain", "pretrain.jsonl", "epoch")
    found = go(Course(step, 22 * 20, log, evaluate=evaluate, per_epoch=22, snapshots=snapshots))
    if fixed:
        above(found, "embedding_std", 0.15)
        above(found, "knn_acc", 0.8)
    else:
        below(found, "embedding_std", 0.06)


# "Triplet loss stuck at 0.5, my margin": the embedding ends in a ReLU, and at this rate all its units die.
@pair(
    "embeddings-collapse",
    ("loss-at-margin", "representation-collapse", "loss-plateau", "dead-relu", "all-zero", "loss-not-decreasing"),
    "csv by hand",
)
def torch_digits_triplets_at_margin(run: Path, seed: int, fixed: bool) -> None:
    """Embeddings of digits by triplets with hard negatives, a ReLU at the end and Adam(0.05); fixed: no ReLU, Adam(0.002)."""
    of = pixels(seed)
    model = models.mlp((64, 48, 12))
    if not fixed:
        model.add_module("relu2", nn.ReLU())
    random = data.generator(seed)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        z = model(x)
        apart = (z[:, None] - z[None]).square().sum(-1)
        same = y[:, None] == y[None]
        near = torch.where(same, torch.inf, apart.detach()).argmin(1)
        order = torch.rand(same.shape, generator=random).masked_fill(~same | torch.eye(len(x), dtype=torch.bool), -1)
        other, rows = order.argmax(1), torch.arange(len(x))
        return (apart[rows, other] - apart[rows, near] + 0.5).clamp(min=0).mean()

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            known, asked = model(of.x), model(of.x_val)
            near = torch.cdist(asked, known).topk(5, largest=False).indices
            right = (of.y[near].mode(1).values == of.y_val).float().mean()
            return {"val_triplet_loss": float(loss(of.x_val, of.y_val)), "recall_at_5": float(right)}

    stream = data.batches(of, 64, seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 0.05)
    step = Descent(model, optimizer, lambda _: (loss(*next(stream)), {}), "triplet_loss")
    log = Csv(run, "plain", "triplet.csv", "epoch")
    found = go(Course(step, 22 * 20, log, evaluate=evaluate, per_epoch=22))
    if fixed:
        above(found, "recall_at_5", 0.9)
        steady(found, "val_triplet_loss", 0.3)
    else:
        require(abs(last(found, "triplet_loss") - 0.5) < 0.02, told(found))
        below(found, "recall_at_5", 0.5)
