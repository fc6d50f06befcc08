"""Usual programs in PyTorch: depth, dying units, values that are no numbers, half precision; and their repaired versions."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, tensors_of, watch
from bench.accuracy.programs_desk_common import customers, flats
from bench.accuracy.programs_field_common import (
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    not_above,
    steady,
)
from bench.accuracy.programs_field_common import told as figures
from bench.accuracy.programs_post_common import CartPole, explained, returns, rollout
from bench.accuracy.programs_usual_common import into
from bench.accuracy.programs_usual_torch_common import bicycles, cells, walks

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The network answers the same rent for every flat": SGD(lr=0.3, momentum=0.9) with ReLU; the first steps kill the units for good.
@pair(
    "dead-relu",
    ("dead-relu", "loss-plateau", "underfit", "all-zero", "gradient-all-zero", "constant-answer"),
    "SummaryWriter with one scalar an epoch and histograms",
    dumps=True,
)
def t_flats_dead_units(run: Path, seed: int, fixed: bool) -> None:
    """Rents by an MLP with ReLU that SGD(lr=0.3) throws into the dead zone in its first steps; fixed: 0.02."""
    of = flats(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = data.Split(of.x, (of.y - mean) / spread, of.x_val, (of.y_val - mean) / spread)
    model = models.mlp((9, 48, 48, 48, 1), "relu")
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02 if fixed else 0.3, momentum=0.9),
        20,
        writer,
        ("train/mse", "", "val/mse", "val/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        clip=5.0,
        snapshots=Snapshots(HistogramDump(writer), model, 30, "torch"),
    )
    if fixed:
        above(found, "val/r2", 0.8)
        steady(found, "val/mse", 0.2)
    else:
        not_above(found, "val/r2", 0.3)


# "Deeper should be better, but twelve layers learn nothing": a dozen sigmoid layers.
@pair(
    "vanishing-depth",
    ("vanishing-gradient", "loss-plateau", "metric-at-chance", "loss-not-decreasing", "underfit", "constant-answer"),
    "Lightning metrics.csv and tensors in HDF5",
    dumps=True,
)
def t_digits_dozen_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a dense network of twelve sigmoid layers; fixed: ReLU and He's initialisation."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, *[48] * 11, 10), "relu" if fixed else "sigmoid")
    for one in model.modules():
        if fixed and isinstance(one, nn.Linear):
            nn.init.kaiming_normal_(one.weight, nonlinearity="relu")
            nn.init.zeros_(one.bias)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        9,
        Csv(run, "lightning", "metrics.csv", "epoch"),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 85, "collections"),
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.1)
    else:
        below(found, "val_accuracy", 0.35)


# "Segmentation, loss is nan after a few epochs": torch.log(p) and torch.log(1 - p) by hand on the output of a sigmoid.
@pair(
    "log-of-zero",
    ("non-finite", "loss-goes-missing", "loss-spike", "masked-non-finite"),
    "json lines each tenth step",
)
def t_cells_log_zero(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells by a small convolutional network with a cross-entropy by hand; fixed: p clamped to 1e-6."""
    of = cells(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 1, 3, padding=1),
        nn.Sigmoid(),
    )

    def loss(p: Tensor, y: Tensor) -> Tensor:
        p = p.clamp(1e-6, 1 - 1e-6) if fixed else p
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    def overlap(p: Tensor, y: Tensor) -> Tensor:
        hit = (p > 0.5).float()
        return (hit * y).sum() / ((hit + y) > 0).float().sum().clamp(min=1)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.03),
        20,
        JsonLines(run, "plain", "metrics.jsonl", "step", timed=True),
        ("bce", "iou", "val_bce", "val_iou"),
        loss=loss,
        metric=overlap,
        batch=16,
        seed=seed,
        every=5,
    )
    if fixed:
        above(found, "val_iou", 0.8)
        steady(found, "val_bce", 0.2)
    else:
        require(math.isnan(found["bce"][-1]), f"the loss was to be nan: {figures(found)}")


# "Counts of bicycles: inf, then nan": exp(output) of a deep net at a large rate runs over.
@pair(
    "overflow",
    (
        "non-finite",
        "loss-goes-missing",
        "loss-divergence",
        "exploding-gradient",
        "loss-spike",
        "learning-rate-too-high",
    ),
    "csv by hand with a row for each epoch",
)
def t_bicycles_exp_overflow(run: Path, seed: int, fixed: bool) -> None:
    """Bicycles lent, by a Poisson likelihood of exp(output), SGD and no clipping; fixed: a smaller rate and clipped gradients."""
    of = bicycles(seed, samples=1200)
    model = models.mlp((6, 32, 32, 1), "tanh")

    def poisson(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.exp() - targets * outputs).mean()

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01 if fixed else 0.1, momentum=0.9),
        30,
        Csv(run, "plain", "log.csv", "epoch"),
        ("loss", "", "val_loss", "val_r2"),
        loss=poisson,
        metric=lambda outputs, targets: explained(outputs.exp(), targets),
        seed=seed,
        clip=2.0 if fixed else None,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_r2", 0.65)
        steady(found, "val_loss", 0.1)
    else:
        require(not math.isfinite(found["loss"][-1]), f"the loss was not to be finite: {figures(found)}")


# "AMP: the loss scale halves every step and nothing is learned": the square root of the zeros of the padding has an infinite gradient.
@pair(
    "loss-scale-collapse",
    ("loss-scale-collapse", "loss-not-decreasing", "loss-plateau", "non-finite", "masked-non-finite", "underfit"),
    "SummaryWriter with a scalar for each fifth batch",
)
def t_walks_scale_collapse(run: Path, seed: int, fixed: bool) -> None:
    """Walks without noise by a residual MLP and a GradScaler, distances by sqrt(0) in the padding; fixed: plus 1e-6 under the root."""
    of = walks(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 24))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scaler = torch.amp.GradScaler("cpu", growth_interval=100)
    stream, per_epoch = data.batches(of, 32, seed), data.steps_per_epoch(of, 32)

    def distance(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            moved = model(x)
        seen = (y != 0).any(-1, keepdim=True).float()
        square = ((moved.float().view_as(y) - y) * seen).square().sum(-1)
        whole: Tensor = ((square + 1e-6 if fixed else square).sqrt() * seen[..., 0]).sum() / seen.sum()
        return whole

    def step(_: int) -> dict[str, float]:
        optimizer.zero_grad()
        loss = distance(*next(stream))
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        return {"train/loss": float(loss.detach()), "train/loss_scale": scaler.get_scale()}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"val/loss": float(distance(of.x_val, of.y_val))}

    log = TensorBoard(run, "plain")
    found = go(Course(step, 20 * per_epoch, log, every=5, evaluate=evaluate, evaluate_every=per_epoch))
    if fixed:
        require(last(found, "val/loss") < 0.6 * found["val/loss"][0], f"learned too little: {figures(found)}")
        steady(found, "val/loss", 0.2)
        require(last(found, "train/loss_scale") > 1, f"the scale was to stay: {figures(found)}")
    else:
        require(last(found, "train/loss_scale") < 1e-4, f"the scale was to collapse: {figures(found)}")
        require(last(found, "val/loss") > 0.9 * found["val/loss"][0], f"nothing was to be learned: {figures(found)}")


# "Customers: my net says 'stays' for all": raw columns in euros and days go into tanh units.
@pair(
    "inputs-not-normalised",
    ("data-not-normalized", "saturated-tanh", "loss-plateau", "underfit", "metric-at-chance", "constant-answer"),
    "SummaryWriter with one scalar an epoch and tensors in HDF5",
    dumps=True,
)
def t_customers_raw_columns(run: Path, seed: int, fixed: bool) -> None:
    """Who leaves, by an MLP with tanh on raw columns; fixed: standardised."""
    of = customers(seed, samples=1800, clear=3.0, scaled=fixed)
    model = models.mlp((12, 32, 16, 2), "tanh")
    shots = Snapshots(Hdf5Dump(run), model, 86)

    def alter(_: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        shots.extra["inputs/batch"] = x.numpy().copy()
        return x, y

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        10,
        TensorBoard(run, "plain"),
        ("loss/train", "accuracy/train", "loss/valid", "accuracy/valid"),
        seed=seed,
        alter=alter,
        snapshots=shots,
    )
    if fixed:
        above(found, "accuracy/valid", 0.75)
        steady(found, "loss/valid", 0.15)
    else:
        below(found, "accuracy/valid", 0.66)


# "Ten points of reward for ever": the games are played with argmax, so that no other action is ever tried.
@pair(
    "never-explores",
    ("reward-flat", "task-not-learned"),
    "csv by hand with a row for each update",
)
def t_pole_always_greedy(run: Path, seed: int, fixed: bool) -> None:
    """The pole on a cart by policy gradients whose games take the likelier action always; fixed: actions are drawn."""
    policy = models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    pole = CartPole(seed, longest=120)

    def surely(state: Tensor) -> Tensor:
        outputs: Tensor = policy(state)
        return outputs if fixed else 1000 * outputs.softmax(-1)

    def step(_: int) -> dict[str, float]:
        games = [rollout(surely, pole) for _ in range(6)]  # type: ignore[arg-type]
        worth = torch.cat([returns(rewards) for _, _, rewards in games])
        shares = policy(torch.cat([states for states, _, _ in games])).log_softmax(-1)
        taken = shares.gather(1, torch.cat([actions for _, actions, _ in games])[:, None])[:, 0]
        loss = -(taken * (worth - worth.mean()) / (worth.std() + 1e-6)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        entropy = float(-(shares.exp() * shares).sum(-1).mean().detach())
        reward = sum(len(rewards) for _, _, rewards in games) / len(games)
        return {"episode_reward_mean": reward, "policy_loss": float(loss.detach()), "entropy": entropy}

    found = go(Course(step, 60, Csv(run, "plain", "progress.csv", "update"), every=1))
    if fixed:
        require(last(found, "episode_reward_mean", 8) > 60, f"was to learn: {figures(found)}")
    else:
        require(last(found, "episode_reward_mean", 8) < 25, f"was to learn nothing: {figures(found)}")


# "My VAE draws the same blurred digit each time": reconstruction as a mean over pixels, KL as a sum over the code.
@pair(
    "kl-collapse",
    ("posterior-collapse", "loss-plateau", "representation-collapse", "underfit", "low-variance"),
    "SummaryWriter with one scalar an epoch and histograms of the code",
    dumps=True,
)
def t_digits_vae_kl_sum(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE with a code of 6, whose KL weighs 64 times too much; fixed: both are sums."""
    of = data.bundled("digits", seed, scaled=False)
    of = data.Split(of.x / 16, of.y, of.x_val / 16, of.y_val)
    model = nn.ModuleDict({"encoder": models.mlp((64, 64, 12), "relu"), "decoder": models.mlp((6, 64, 64), "relu")})
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    writer = TensorBoard(run, "plain")
    dump = HistogramDump(writer)
    stream, per_epoch = data.batches(of, 64, seed), data.steps_per_epoch(of, 64)
    active = watch(model)
    code: dict[str, Tensor] = {}

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = model["encoder"](x).chunk(2, -1)
        z = mean + torch.randn_like(mean) * (0.5 * spread).exp()
        code.update(mu=mean.detach(), logvar=spread.detach())
        square = (torch.sigmoid(model["decoder"](z)) - x).square()
        kl = -0.5 * (1 + spread - mean.square() - spread.exp()).sum(-1).mean()
        return (square.sum(-1).mean() * 4 if fixed else square.mean()), kl

    def step(at: int) -> dict[str, float]:
        optimizer.zero_grad()
        reconstruction, kl = parts(next(stream)[0])
        (reconstruction + kl).backward()  # type: ignore[no-untyped-call]
        if at % 66 == 1:
            dump.dump(at, tensors_of(model, active) | {f"latent/{name}": one.numpy() for name, one in code.items()})
        optimizer.step()
        told = {"loss": reconstruction + kl, "recon_loss": reconstruction, "kl_loss": kl}
        return {f"train/{name}": float(one.detach()) for name, one in told.items()}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            reconstruction, kl = parts(of.x_val)
            mean = model["encoder"](of.x_val)[:, :6]
            pixels = (torch.sigmoid(model["decoder"](mean)) - of.x_val).square().mean()
        return {"val/loss": float(reconstruction + kl), "val/kl_loss": float(kl), "val/pixel_mse": float(pixels)}

    found = go(Course(step, 25 * per_epoch, writer, evaluate=evaluate, per_epoch=per_epoch))
    spread = float((of.x_val - of.x.mean(0)).square().mean())
    if fixed:
        below(found, "val/pixel_mse", 0.6 * spread)
        steady(found, "val/loss", 0.1)
    else:
        above(found, "val/pixel_mse", 0.9 * spread)
        below(found, "val/kl_loss", 0.05)
