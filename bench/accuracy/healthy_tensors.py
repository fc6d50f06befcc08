"""Healthy runs whose tensors look broken by absolute limits: tiny or huge gradients, sure outputs, dead units that nobody needs."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import generalises, into, learned, varied
from bench.accuracy.loop import Plan, cross_entropy, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


@healthy("development", "tensorboard; hdf5 by step", dumps=True)
def scaled_down_loss(run: Path, seed: int) -> None:
    """The loss is divided by ten thousand, and so are all gradients; Adam does not care. Above 0.93 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 32, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1.5e-3), eps=1e-12)
    plan = Plan(model, split, optimizer, 500, lambda o, t: cross_entropy(o, t) * 1e-4, seed=seed, dump_every=25)
    learned(fit(plan, loggers.TensorBoard(run, "slash"), loggers.Hdf5Dump(run)), 0.93)


@healthy("seen", "csv; hdf5 by name", dumps=True)
def scaled_up_loss(run: Path, seed: int) -> None:
    """Squared errors summed over the batch, of targets in the hundreds: losses of millions and gradients of thousands throughout; Adam
    does not care. More than 0.5 of the variance is explained.
    """
    split = data.regression(seed, samples=1000)
    split = data.Split(split.x, 200 + 150 * split.y, split.x_val, 200 + 150 * split.y_val)
    model = models.mlp((8, 64, 64, 1))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 0.015))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 800)

    def summed(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets) ** 2).sum()

    plan = Plan(model, split, optimizer, 800, summed, {}, seed=seed, schedule=schedule, dump_every=50)
    found = fit(plan, loggers.Csv(run, "slash"), loggers.Hdf5Dump(run, by_name=True))
    left = found["val_loss"] / len(split.y_val) / float(split.y_val.var(correction=0))
    require(left < 0.5, f"{left:.2f} of the variance is left")
    generalises(found)


@healthy("development", "jsonl; parquet", dumps=True)
def sure_sigmoid(run: Path, seed: int) -> None:
    """A binary classifier that has become sure: most outputs of its sigmoid are near 0 or 1, and right: above 0.95 where classes are far
    apart.
    """
    random = data.generator(seed)
    y = torch.randint(0, 2, (900,), generator=random)
    x = torch.randn(900, 6, generator=random) + 1.6 * (2.0 * y[:, None] - 1)
    split = data.Split(x[:600], y[:600], x[600:], y[600:])
    model = models.mlp((6, 24, 1), "tanh")
    model.add_module("sigmoid", nn.Sigmoid())

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy(outputs.squeeze(-1), targets.float())

    def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs.squeeze(-1) > 0.5) == targets).float().mean()

    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 5e-3), weight_decay=0.02)
    plan = Plan(model, split, optimizer, 400, loss, {"accuracy": accuracy}, seed=seed, dump_every=20)
    learned(fit(plan, loggers.JsonLines(run, "slash"), loggers.ParquetDump(run)), 0.95)


@healthy("seen", "tensorboard; hdf5 by step", dumps=True)
def latch(run: Path, seed: int) -> None:
    """A tanh network that has to remember the first sign through twelve steps of noise: its units go to -1 or 1, which is how such a
    network remembers. Above 0.9 (chance 0.5).
    """
    random = data.generator(seed)
    x = 0.3 * torch.randn(1600, 12, 1, generator=random)
    y = torch.randint(0, 2, (1600,), generator=random)
    x[:, 0, 0] = 2.0 * y - 1
    split = data.Split(x[:1200], y[:1200], x[1200:], y[1200:])

    class Latch(nn.Module):
        """A recurrent layer by hand, so that its activation can be seen."""

        def __init__(self) -> None:
            super().__init__()
            self.inputs, self.state, self.head = nn.Linear(1, 12), nn.Linear(12, 12, bias=False), nn.Linear(12, 2)
            self.tanh = nn.Tanh()
            with torch.no_grad():
                self.state.weight.copy_(1.2 * torch.eye(12))

        def forward(self, x: Tensor) -> Tensor:
            held = torch.zeros(len(x), 12)
            for step in range(x.shape[1]):
                held = self.tanh(self.inputs(x[:, step]) + self.state(held))
            return self.head(held)

    optimizer = torch.optim.Adam((model := Latch()).parameters(), varied(seed, 4e-3))
    plan = Plan(model, split, optimizer, 300, seed=seed, clip=1.0, dump_every=20)
    learned(fit(plan, loggers.TensorBoard(run, "slash"), loggers.Hdf5Dump(run)), 0.9)


@healthy("development", "tensorboard; hdf5 by step", dumps=True)
def some_dead_units(run: Path, seed: int) -> None:
    """A fifth of the units of a wide layer starts with a bias so low that they answer nothing, and nobody misses them: above 0.93 on
    digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 96, 10))
    with torch.no_grad():
        model.fc1.bias[:20] = -30.0
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.05), momentum=0.9, weight_decay=1e-3)
    plan = Plan(model, split, optimizer, 400, seed=seed, dump_every=25)
    learned(fit(plan, loggers.TensorBoard(run, "lower"), loggers.Hdf5Dump(run)), 0.93)


@healthy("development", "csv; hdf5 by step", dumps=True)
def frozen_embeddings(run: Path, seed: int) -> None:
    """Embeddings learned before are kept as they are, and nothing in the run says so; the rest learns: above 0.9 (chance 0.25)."""
    random = data.generator(seed)
    groups, words = 4, 120
    vectors = torch.randn(groups, 12, generator=random)[torch.arange(words) % groups] + 0.5 * torch.randn(
        words, 12, generator=random
    )
    y = torch.randint(0, groups, (1500,), generator=random)
    telling = y[:, None] + groups * torch.randint(0, words // groups, (1500, 10), generator=random)
    x = torch.where(
        torch.rand(1500, 10, generator=random) < 0.5, telling, torch.randint(0, words, (1500, 10), generator=random)
    )
    split = data.Split(x[:1100], y[:1100], x[1100:], y[1100:])
    model = nn.Sequential()
    model.add_module("embedding", nn.EmbeddingBag.from_pretrained(vectors, freeze=True))
    model.add_module("body", models.mlp((12, 32, 4), dropout=0.1))
    optimizer = torch.optim.Adam(model.body.parameters(), varied(seed, 3e-3))
    plan = Plan(model, split, optimizer, 400, seed=seed, dump_every=25)
    learned(fit(plan, loggers.Csv(run, "slash"), loggers.Hdf5Dump(run)), 0.9)


@healthy("seen", "jsonl; hdf5 by name", dumps=True)
def constant_inputs(run: Path, seed: int) -> None:
    """A third of the inputs is always zero (pixels that are blank in all digits, and more): their weights never change. Above 0.9."""
    split = data.bundled("digits", seed, scaled=False)
    blank = torch.zeros(64, dtype=torch.bool)
    blank[torch.randperm(64, generator=data.generator(seed))[:12]] = True
    split = data.Split(
        (split.x / 16).masked_fill(blank, 0), split.y, (split.x_val / 16).masked_fill(blank, 0), split.y_val
    )
    model = models.mlp((64, 64, 10))
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.15), momentum=0.9)
    plan = Plan(model, split, optimizer, 500, seed=seed, dump_every=25)
    learned(fit(plan, loggers.JsonLines(run, "slash"), loggers.Hdf5Dump(run, by_name=True)), 0.9)


@healthy("development", "tensorboard, every 100 steps")
def six_points(run: Path, seed: int) -> None:
    """Six hundred steps and six points: a single batch's loss each, noisy by chance, and six evaluations. Above 0.93 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3))
    plan = Plan(model, split, optimizer, 600, batch=16, seed=seed, log_every=100, evaluate_every=100)
    learned(fit(plan, loggers.TensorBoard(run, "pytorch")), 0.93)
