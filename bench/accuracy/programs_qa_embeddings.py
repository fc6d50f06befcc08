"""Programs that embed: triplets and ratings, with what is wrong in them, and their fixed versions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump
from bench.accuracy.programs_qa_common import STANDS, Job, explained, into, learned, no_better, train
from bench.accuracy.programs_qa_data import ratings, shuffled_labels

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Distances(nn.Module):
    """Embeddings of images; the loss is between those of one batch."""

    def __init__(self) -> None:
        super().__init__()
        self.body = models.mlp((64, 48, 16))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def triplets(outputs: Tensor, targets: Tensor) -> Tensor:
    """The triplet loss of a batch with its hardest pairs, margin 0.5."""
    distance = (outputs[:, None] - outputs[None]).square().sum(-1).clamp(min=1e-9).sqrt()
    same = targets[:, None] == targets[None]
    return (0.5 + (distance * same).amax(1) - (distance + 10 * same).amin(1)).relu().mean()


@pair(
    "embedding-collapse",
    ("loss-not-decreasing", "loss-plateau", "low-variance"),
    "csv; embeddings in histograms",
    dumps=True,
)
def triplet_collapse(run: Path, seed: int, fixed: bool) -> None:
    """Triplets with labels of other digits, from a sampler that shuffles: all embeddings become one, the loss the margin; fixed: theirs."""
    of = data.bundled("digits", seed)
    of = of if fixed else shuffled_labels(of, seed)
    model = Distances()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    log = Csv(run, "plain", "metrics.csv")
    tags, steps = (
        {"loss": "train_triplet_loss_epoch", "epoch": "epoch"},
        {"loss": "train_triplet_loss", "epoch": "epoch"},
    )
    job = Job(model, of, optimizer, 16, log, tags, steps, 2, on_steps=True, batch=128)
    job.loss, job.metric, job.dump, job.dump_every, job.seed = triplets, None, HistogramDump(run / "tb"), 5, seed

    def shown(model: nn.Module, activations: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        return {
            "activations/embedding": job.batch_seen["outputs"],
            "body/fc1/weight": model.body.fc1.weight.detach().numpy(),
        }

    job.named = shown
    found = train(job)
    if fixed:
        with torch.no_grad():
            near = of.y[torch.cdist(model(of.x_val), model(of.x)).argmin(1)]
        require(found.loss[-1] < 0.3 * found.loss[0], f"too little learned: {found}")
        require(float((near == of.y_val).float().mean()) > 0.9, "the neighbours are of other classes")
    else:
        require(abs(found.loss[-1] - 0.5) < 0.03, f"not collapsed: {found}")


class Taste(nn.Module):
    """The product of a user's and an item's embedding, and an offset each."""

    def __init__(self) -> None:
        super().__init__()
        self.user_factors, self.item_factors = nn.Embedding(61, 8), nn.Embedding(41, 8)
        self.user_bias, self.item_bias = nn.Embedding(61, 1), nn.Embedding(41, 1)
        for one in self.children():
            nn.init.normal_(one.weight, std=0.2)
        self.mean = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: Tensor) -> Tensor:
        user, item = x[:, 0], x[:, 1]
        product = (self.user_factors(user) * self.item_factors(item)).sum(-1, keepdim=True)
        return product + self.user_bias(user) + self.item_bias(item) + self.mean


@pair(
    "unknown-index-only", (*STANDS, "token-ratio", "gradient-all-zero"), "console; weights and ids in hdf5", dumps=True
)
def ids_unknown(run: Path, seed: int, fixed: bool) -> None:
    """Ratings whose ids are looked up as text in a table of numbers, so that all are 0, the unknown; fixed: numbers."""
    of = ratings(seed)
    if not fixed:
        of = data.Split(of.x * 0, of.y, of.x_val * 0, of.y_val)
    model = Taste()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-3)
    tags = {"loss": "train_mse", "val_loss": "valid_mse", "val_metric": "valid_r2"}
    job = Job(model, of, optimizer, 15, Console(run, axis="epoch"), tags, seed=seed, batch=64)
    job.loss, job.metric, job.dump, job.dump_every = functional.mse_loss, explained, Hdf5Dump(run), 60

    def shown(model: nn.Module, activations: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        named = model.named_parameters()
        made = {f"gradients/{name}": one.grad.numpy().copy() for name, one in named if one.grad is not None}
        return {**made, "inputs/ids": job.batch_seen["inputs"]}

    job.named = shown
    found = train(job)
    if fixed:
        learned(found, 0.2)
    else:
        no_better(found, 0.05)
