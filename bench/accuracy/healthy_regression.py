"""Healthy regressions and likelihoods: losses in the thousands, near zero, and below zero."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import generalises, into, varied
from bench.accuracy.loop import Plan, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


def mean_absolute(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error."""
    return (outputs - targets).abs().mean()


def explains(found: dict[str, float], targets: Tensor, share: float) -> None:
    """Require that the validation error (mean squared) leaves at most `1 - share` of the variance."""
    left = found["val_loss"] / float(targets.var(correction=0))
    require(left <= 1 - share, f"{left:.2%} of the variance is left")
    generalises(found)


@healthy("development", "tensorboard, per epoch")
def diabetes_in_thousands(run: Path, seed: int) -> None:
    """Diabetes with its targets as they are (25 to 346): the loss begins near 29,000 and ends near 3,000, where linear regression ends.
    The model explains more than 0.3 of the variance, which is much for these data.
    """
    split = data.bundled("diabetes", seed)
    split = data.Split(split.x, split.y[:, None], split.x_val, split.y_val[:, None])
    model = models.mlp((10, 16, 1))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 0.03))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 11 * 40)
    plan = Plan(model, split, optimizer, 11 * 40, functional.mse_loss, {"mae": mean_absolute}, seed=seed)
    plan.schedule, plan.by_epoch, plan.also = schedule, True, frozenset({"lr"})
    explains(fit(plan, loggers.TensorBoard(run, "slash")), split.y_val, 0.3)


@healthy("seen", "tensorboard, every 10 steps; hdf5 by step", dumps=True)
def loss_near_zero(run: Path, seed: int) -> None:
    """A smooth function without noise: the loss falls by three orders of magnitude and then jitters by factors, at a level of nothing."""
    x = torch.linspace(-1, 1, 400)[:, None]
    y = torch.sin(4 * x) * 0.5 + 0.3 * x
    order = torch.randperm(400, generator=data.generator(seed))
    split = data.Split(x[order[:300]], y[order[:300]], x[order[300:]], y[order[300:]])
    model = models.mlp((1, 32, 32, 1), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 5e-3))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000, 1e-5)
    plan = Plan(model, split, optimizer, 1000, functional.mse_loss, {}, seed=seed, schedule=schedule, dump_every=50)
    found = fit(plan, loggers.TensorBoard(run, "lower"), loggers.Hdf5Dump(run))
    require(found["val_loss"] < 5e-4, f"validation loss {found['val_loss']:.3g}")


@healthy("development", "jsonl, every 10 steps")
def quantiles(run: Path, seed: int) -> None:
    """Quantile regression (0.1, 0.5, 0.9): the pinball loss has a floor above zero; between 0.65 and 0.95 of the validation targets lie
    between the outer quantiles.
    """
    split = data.regression(seed, noise=0.3)
    model = models.mlp((8, 48, 48, 3), dropout=0.1)
    levels = torch.tensor([0.1, 0.5, 0.9])

    def pinball(outputs: Tensor, targets: Tensor) -> Tensor:
        over = targets - outputs
        return torch.maximum(levels * over, (levels - 1) * over).mean()

    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 2e-3), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    plan = Plan(model, split, optimizer, 600, pinball, {}, seed=seed, schedule=schedule)
    found = fit(plan, loggers.JsonLines(run, "lower", "train.jsonl"))
    with torch.no_grad():
        low, _, high = model.eval()(split.x_val).split(1, 1)
    inside = float(((split.y_val > low) & (split.y_val < high)).float().mean())
    require(0.6 < inside < 0.95, f"{inside:.2f} of the targets lie inside")
    generalises(found)


@healthy("seen", "tensorboard, every 10 steps")
def likelihood_below_zero(run: Path, seed: int) -> None:
    """A Gaussian whose mean and width are learned: the negative log-likelihood of small noise falls below zero and goes on falling, which
    is no fault: densities may exceed one.
    """
    random = data.generator(seed)
    x = torch.rand(1200, 2, generator=random) * 2 - 1
    width = 0.02 + 0.08 * (x[:, :1] > 0)
    y = torch.sin(3 * x[:, 1:]) + width * torch.randn(1200, 1, generator=random)
    split = data.Split(x[:900], y[:900], x[900:], y[900:])
    model = models.mlp((2, 32, 32, 2), "silu")

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        mean, log_width = outputs[:, :1], outputs[:, 1:].clamp(-5, 2)
        return (log_width + 0.5 * ((targets - mean) / log_width.exp()) ** 2).mean() + 0.5 * math.log(2 * math.pi)

    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 3e-3))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000, 1e-5)
    plan = Plan(model, split, optimizer, 1000, likelihood, {}, seed=seed, schedule=schedule, clip=5.0)
    found = fit(plan, loggers.TensorBoard(run, "slash"))
    require(found["val_loss"] < -0.8, f"validation loss {found['val_loss']:.3f}")
    require(found["val_loss"] < found["best_val_loss"] + 0.15, "the likelihood got worse again")


@healthy("development", "tensorboard, training loss only, each step")
def training_loss_only(run: Path, seed: int) -> None:
    """Nothing but the training loss is logged: it falls to the level of the noise; more than 0.8 of the variance of fresh data is
    explained.
    """
    split = data.regression(seed, samples=2000)
    model = models.mlp((8, 64, 1), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 5e-3))
    log = loggers.TensorBoard(run, "plain")
    stream = data.batches(split, 64, seed)
    for step in range(900):
        x, y = next(stream)
        loss = functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.log(step, {"loss": loss.item()})
    log.close()
    with torch.no_grad():
        left = functional.mse_loss(model(split.x_val), split.y_val) / split.y_val.var()
    require(float(left) < 0.2, f"{float(left):.2f} of the variance is left")


@healthy("seen", "parquet scalars, every 10 steps")
def huber_with_outliers(run: Path, seed: int) -> None:
    """Huber loss on data of which 3 % are gross outliers: a batch with an outlier has a high loss now and then, and the level falls all
    the same. The clean validation data are explained to more than 0.7.
    """
    split = data.regression(seed, samples=1500)
    random = data.generator(seed)
    hit = torch.rand(split.y.shape, generator=random) < 0.03
    split = data.Split(
        split.x,
        torch.where(hit, split.y + 8 * torch.randn(split.y.shape, generator=random), split.y),
        split.x_val,
        split.y_val,
    )
    model = models.mlp((8, 48, 48, 1))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 2e-3))
    plan = Plan(model, split, optimizer, 700, functional.huber_loss, {"mse": functional.mse_loss}, batch=64, seed=seed)
    plan.train_metrics = False
    found = fit(plan, loggers.ParquetLong(run))
    require(found["val_mse"] < 0.3 * float(split.y_val.var()), f"mean squared error {found['val_mse']:.3f}")
    generalises(found)


@healthy("development", "csv, per epoch; hdf5 by step", dumps=True)
def bias_zeros(run: Path, seed: int) -> None:
    """Biases start at zero, as most initialisations have them, and those of the layers before batch norm stay there: the norm takes any
    bias away, so their gradient is zero. More than 0.7 of the variance is explained.
    """
    split = data.regression(seed, samples=1200)
    model = models.mlp((8, 48, 48, 1), norm=True)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.02), momentum=0.9)
    steps = 29 * 25
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-4)
    plan = Plan(model, split, optimizer, steps, functional.mse_loss, {"mae": mean_absolute}, seed=seed)
    plan.schedule, plan.by_epoch, plan.dump_every = schedule, True, 29
    explains(fit(plan, loggers.Csv(run, "slash", axis="epoch"), loggers.Hdf5Dump(run)), split.y_val, 0.7)


@healthy("development", "tensorboard, every 20 steps")
def coupling_flow(run: Path, seed: int) -> None:
    """A small normalising flow: negative log-likelihood in nats, from above that of a Gaussian fit to clearly below it, through zero and
    on.
    """
    random = data.generator(seed)
    x = torch.randn(1600, 2, generator=random) * torch.tensor([0.5, 0.05])
    x[:, 1] += x[:, 0] ** 2
    train, val = x[:1200], x[1200:]
    nets = nn.ModuleList(models.mlp((1, 24, 2), "tanh") for _ in range(4))
    scale = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam([*nets.parameters(), scale], varied(seed, 4e-3))

    def likelihood(x: Tensor) -> Tensor:
        z, volume = x, scale.sum()
        for number, net in enumerate(nets):
            kept, moved = (z[:, :1], z[:, 1:]) if number % 2 else (z[:, 1:], z[:, :1])
            widen, shift = net(kept).split(1, 1)
            moved = moved * torch.tanh(widen).exp() + shift
            volume = volume + torch.tanh(widen).squeeze(1)
            z = torch.cat([kept, moved] if number % 2 else [moved, kept], 1)
        z = z * scale.exp()
        return (0.5 * (z**2).sum(1) + math.log(2 * math.pi) - volume).mean()

    log = loggers.TensorBoard(run, "plain")
    reached = best = math.inf
    for step in range(1, 801):
        loss = likelihood(train[torch.randint(0, 1200, (64,), generator=random)])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(nets.parameters(), 5.0)
        optimizer.step()
        if step % 20 == 0:
            with torch.no_grad():
                reached = float(likelihood(val))
            best = min(best, reached)
            log.log(step, {"train_nll": loss.item(), "val_nll": reached})
    log.close()
    gaussian = 0.5 * float(torch.logdet(torch.cov(train.T))) + 1 + math.log(2 * math.pi)
    require(reached < gaussian - 0.2, f"likelihood {reached:.3f}, of a Gaussian {gaussian:.3f}")
    require(reached < best + 0.25, f"likelihood {reached:.3f}, best {best:.3f}")
