"""Programs of groups in PyTorch: finance, chemistry, games, pictures and meters; and their repaired versions."""

import csv
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy import programs_group_torch_common as common
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, tensors_of
from bench.accuracy.loop import gradient_norm
from bench.accuracy.programs_group_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The loss stops moving after the third epoch": scheduler.step() had slipped into the loop over batches.
@pair(
    "scheduler-stepped-per-batch",
    (
        "rate-falls-too-soon",
        "learning-rate-zero",
        "schedule-mismatch",
        "underfit",
        "loss-plateau",
        "stalled-training",
        "updates-too-small",
        "loss-not-decreasing",
    ),
    "SummaryWriter with Huber losses an epoch and the rate of each batch",
)
def volatility_desk(run: Path, seed: int, fixed: bool) -> None:
    """Volatility of the next day by an MLP with StepLR(10, 0.5) stepped at each batch; fixed: at each epoch."""
    of, random = common.volatility(seed), data.generator(seed)
    model = nn.Sequential(nn.Linear(15, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=7e-4, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.5)
    writer = SummaryWriter(str(run))
    curve, step = [], 0

    def told(_: float) -> None:
        """Write the rate and, by mistake, step the schedule."""
        nonlocal step
        writer.add_scalar("Sched/eta", schedule.get_last_lr()[0], step)
        step += 1
        if not fixed:
            schedule.step()

    for number in range(32):
        train = common.epoch(model, optimizer, functional.huber_loss, of, 32, random, after=told)
        if fixed:
            schedule.step()
        valid, outputs = common.judge(model, functional.huber_loss, of)
        curve.append(valid)
        writer.add_scalar("Huber/in_sample", train, number)
        writer.add_scalar("Huber/out_of_sample", valid, number)
        writer.add_scalar("R2/out_of_sample", common.r2(outputs, of.y_val), number)
    writer.close()
    found = common.r2(outputs, of.y_val)
    if fixed:
        require(found > 0.6, f"R² {found:.2f}")
        common.settled(curve, 0.06)
    else:
        require(found < 0.5, f"R² {found:.2f}")


def f1(outputs: Tensor, targets: Tensor) -> float:
    """F1 over all assays of what is above one half."""
    found, true = outputs > 0.5, targets > 0.5
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


# "Only ever one assay is positive": nn.Softmax at the end of a multi-label network, in front of BCELoss.
@pair(
    "wrong-output-activation",
    ("loss-plateau", "underfit", "loss-not-decreasing", "nothing-found", "metric-left-behind", "task-not-learned"),
    "history.json of lists by name",
)
def tox_assays(run: Path, seed: int, fixed: bool) -> None:
    """Assays that a molecule turns positive, by an MLP with a softmax over them; fixed: a sigmoid each."""
    of, random = common.toxicity(seed), data.generator(seed)
    last = nn.Sigmoid() if fixed else nn.Softmax(dim=1)
    model = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 8), last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    names = ("train_bce", "valid_bce", "train_f1_micro", "valid_f1_micro")
    history: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(24):
        train = common.epoch(model, optimizer, functional.binary_cross_entropy, of, 32, random)
        valid, outputs = common.judge(model, functional.binary_cross_entropy, of)
        with torch.no_grad():
            seen = f1(model(of.x), of.y)
        for name, value in zip(names, (train, valid, seen, f1(outputs, of.y_val)), strict=True):
            history[name].append(value)
    (run / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")
    reached = history["valid_f1_micro"][-1]
    if fixed:
        require(reached > 0.8, f"F1 {reached:.2f}")
        common.settled(history["valid_bce"], 0.06)
    else:
        require(reached < 0.45, f"F1 {reached:.2f}")


def caught(policy: nn.Module, random: torch.Generator, games: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """Games of catch on a board of 7 × 7: log-probabilities (6, n), entropies (6, n), and the score of each game, 1 or -1."""
    ball, paddle = (torch.randint(0, 7, (games,), generator=random) for _ in range(2))
    said, doubt = [], []
    for _ in range(6):
        state = functional.one_hot(ball - paddle + 6, 13).float()
        logs = policy(state).log_softmax(-1)
        action = torch.multinomial(logs.exp().detach(), 1, generator=random)
        said.append(logs.gather(1, action)[:, 0])
        doubt.append(-(logs.exp() * logs).sum(1))
        paddle = (paddle + action[:, 0] - 1).clamp(0, 6)
    return torch.stack(said), torch.stack(doubt), 1.0 - 2.0 * (ball != paddle)


# "My agent learns to miss": the minus in front of the policy gradient got lost.
@pair(
    "policy-gradient-sign",
    ("reward-collapse", "reward-flat", "entropy-collapse", "task-not-learned", "loss-not-decreasing"),
    "progress.csv in the manner of a toolbox for reinforcement learning",
)
def catch_the_ball(run: Path, seed: int, fixed: bool) -> None:
    """A paddle that shall catch a ball by REINFORCE that descends on the reward; fixed: ascends."""
    random = data.generator(seed)
    policy = models.mlp((13, 32, 3), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    scores: list[float] = []
    with (run / "progress.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["time/iterations", "rollout/ep_rew_mean", "train/pg_loss", "train/policy_entropy"])
        for number in range(1, 251):
            said, doubt, score = caught(policy, random)
            gain = (said * (score - score.mean())).sum(0).mean()
            loss = (-gain if fixed else gain) - 0.02 * doubt.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scores.append(float(score.mean()))
            table.writerow([number, scores[-1], float(loss.detach()), float(doubt.detach().mean())])
    late = sum(scores[-20:]) / 20
    if fixed:
        require(late > 0.8, f"score {late:.2f}")
    else:
        require(late < -0.85, f"score {late:.2f}")


class Variational(nn.Module):
    """A VAE of digits; keeps the last means and log-variances."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 12))
        self.decoder = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64))
        self.mu, self.logvar = torch.zeros(1, 6), torch.zeros(1, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the pixels."""
        self.mu, self.logvar = self.encoder(x).chunk(2, 1)
        noise = torch.randn_like(self.mu) if self.training else torch.zeros_like(self.mu)
        return self.decoder(self.mu + noise * (0.5 * self.logvar).exp())  # type: ignore[no-any-return]


# "All my reconstructions are the same grey smear": the reconstruction is a mean over the pixels, the KL a sum over the code.
@pair(
    "posterior-collapse",
    ("posterior-collapse", "loss-plateau", "underfit", "loss-not-decreasing", "representation-collapse"),
    "csv as pandas writes it, with an index, and HDF5 of mu and logvar",
    dumps=True,
)
def digit_vae(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE whose reconstruction is averaged over the pixels; fixed: summed over them."""
    of, random = data.bundled("digits", seed, scaled=False), data.generator(seed)
    of = data.Split(of.x / 16, of.x / 16, of.x_val / 16, of.x_val / 16)
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    dump = Hdf5Dump(run, name="latents.h5")

    def parts(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL of a picture."""
        pixels = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
        kld = -0.5 * (1 + model.logvar - model.mu.square() - model.logvar.exp()).sum(1).mean()
        return (pixels.sum(1) if fixed else pixels.mean(1)).mean(), kld

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        """Both together."""
        recon, kld = parts(outputs, targets)
        return recon + kld

    curve, last = [], 0.0
    step = 0

    def keep() -> None:
        """Tensors at every fiftieth step."""
        nonlocal step
        if step % 50 == 0:
            dump.dump(step, tensors_of(model, {"mu": model.mu.detach(), "logvar": model.logvar.detach()}))
        step += 1

    with (run / "vae_losses.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["", "neg_elbo", "neg_elbo_test", "recon_test", "kld_test", "pixel_mse_test"])
        for number in range(28):
            train = common.epoch(model, optimizer, loss, of, 64, random, between=keep)
            test, outputs = common.judge(model, loss, of)
            recon, kld = parts(outputs, of.y_val)
            error = functional.mse_loss(outputs.sigmoid(), of.y_val)
            curve.append(test)
            last = float(error / (of.y_val - of.y.mean(0)).square().mean())
            table.writerow([number, train, test, float(recon), float(kld), float(error)])
    dump.close()
    if fixed:
        require(last < 0.55 and float(kld) > 2, f"error {last:.2f} of the mean picture's, KL {float(kld):.2f}")
        common.settled(curve, 0.06)
    else:
        require(last > 0.95 and float(kld) < 0.05, f"error {last:.2f} of the mean picture's, KL {float(kld):.2f}")


# "Loss is constant to the fourth digit, yet no error": loss = torch.tensor(loss.item(), requires_grad=True) silenced one.
@pair(
    "graph-detached",
    ("loss-not-decreasing", "loss-plateau", "metric-at-chance", "underfit", "gradient-all-zero", "stalled-training"),
    "metrics in files by name, as MLflow keeps them",
)
def meter_reader(run: Path, seed: int, fixed: bool) -> None:
    """Digits of meters by a CNN whose loss is wrapped into a new tensor; fixed: not."""
    of, random = data.bundled("digits", seed).as_images(), data.generator(seed)
    model = models.cnn(10, (8, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    folder = run / "mlruns" / "0" / f"3f9c2ab{seed}d1e84b0c" / "metrics"
    folder.mkdir(parents=True)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy, wrapped or not."""
        found = functional.cross_entropy(outputs, targets)
        return found if fixed else torch.tensor(found.item(), requires_grad=True)

    norms: list[float] = []

    def keep() -> None:
        """The norm of the gradients; 0 where there are none."""
        norms.append(gradient_norm(model) if any(one.grad is not None for one in model.parameters()) else 0.0)

    curve, scores = [], []
    for number in range(12):
        train = common.epoch(model, optimizer, loss, of, 64, random, between=keep)
        valid, outputs = common.judge(model, functional.cross_entropy, of)
        curve.append(valid)
        scores.append(common.share(outputs, of.y_val))
        told = {"xent": train, "xent_val": valid, "top1_val": scores[-1], "gnorm": sum(norms[-22:]) / 22}
        for name, value in told.items():
            with (folder / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {value} {number}\n")
    if fixed:
        require(scores[-1] > 0.94, f"accuracy {scores[-1]:.2f}")
        common.settled(curve, 0.06)
    else:
        require(max(scores) < 0.25, f"accuracy {max(scores):.2f}")
