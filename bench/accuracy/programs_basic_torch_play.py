"""Everyday programs in plain PyTorch that play or make: policies, a variational autoencoder, a GAN."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_basic_common import into, odd_into
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    above,
    below,
    go,
    last,
    not_above,
    told,
)
from bench.accuracy.programs_post_common import CartPole, returns, rollout

Odd = Callable[[Path, int], None]
RECIPES: list[Recipe] = []
pair = into(RECIPES)
odd: Callable[..., Callable[[Odd], Odd]] = odd_into(RECIPES)

SIDE = 4


class Field:
    """A square of 4 × 4: a prize in the far corner; an episode has 30 moves at most."""

    def __init__(self) -> None:
        self.row, self.column, self.moves = 0, 0, 0

    def reset(self) -> int:
        """The corner to start from."""
        self.row, self.column, self.moves = 0, 0, 0
        return 0

    def step(self, action: int) -> tuple[int, float, bool]:
        """Up, down, left or right; the place, the reward, and whether it is over."""
        down, right = ((-1, 0), (1, 0), (0, -1), (0, 1))[action]
        self.row = min(SIDE - 1, max(0, self.row + down))
        self.column = min(SIDE - 1, max(0, self.column + right))
        self.moves += 1
        there = self.row == self.column == SIDE - 1
        return self.row * SIDE + self.column, 1.0 if there else 0.0, there or self.moves >= 30


# "My agent walks against the wall for ever": epsilon is 0 from the start, set so for the demonstration.
@pair(
    "no-exploration",
    ("reward-flat", "entropy-collapse", "loss-plateau", "reward-collapse", "constant-answer"),
    "SummaryWriter with CleanRL's tags",
)
def field_greedy_c(run: Path, seed: int, fixed: bool) -> None:
    """A field with a prize in the far corner by a table of values, all 0 at first, that never explores; fixed: epsilon from 1 to 0.05."""
    random = np.random.default_rng(seed)
    field = Field()
    table = nn.Embedding(SIDE * SIDE, 4)
    nn.init.zeros_(table.weight)
    optimizer = torch.optim.SGD(table.parameters(), lr=6.0)
    memory: list[tuple[int, int, float, int, bool]] = []
    log = TensorBoard(run, "plain")
    gained: list[float] = []
    for episode in range(220):
        epsilon = max(0.05, 1 - episode / 150) if fixed else 0.0
        place, ended, total, losses = field.reset(), False, 0.0, []
        while not ended:
            with torch.no_grad():
                best = int(np.argmax(table.weight[place].numpy()))
            action = int(random.integers(4)) if random.random() < epsilon else best
            after, reward, ended = field.step(action)
            memory.append((place, action, reward, after, reward > 0))
            place, total = after, total + reward
            if len(memory) < 64 or field.moves % 3:
                continue
            chosen = [memory[at] for at in random.integers(max(0, len(memory) - 4000), len(memory), 32)]
            places, actions, rewards, afters, over = (torch.tensor(column) for column in zip(*chosen, strict=True))
            with torch.no_grad():
                goal = rewards.float() + 0.95 * (~over).float() * table(afters).amax(1)
            loss = functional.smooth_l1_loss(table(places)[torch.arange(32), actions], goal)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(float(loss.detach()))
        gained.append(total)
        values = {
            "charts/episodic_return": total,
            "charts/episodic_length": float(field.moves),
            "charts/epsilon": epsilon,
        }
        log.log(episode, values | ({"losses/td_loss": float(np.mean(losses))} if losses else {}))
    log.close()
    ended_with = float(np.mean(gained[-30:]))
    require(ended_with >= 0.85 if fixed else ended_with <= 0.1, f"the last returns are {ended_with:.3f}")


class Vae(nn.Module):
    """Digits of 64 pixels to a code of 6 and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
        self.mu, self.logvar = nn.Linear(48, 6), nn.Linear(48, 6)
        self.decoder = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inner = self.encoder(x)
        mu, logvar = self.mu(inner), self.logvar(inner)
        code = mu + torch.exp(logvar / 2) * torch.randn_like(mu) if self.training else mu
        return self.decoder(code), mu, logvar


# "All pictures that my VAE makes are the same grey blot": the error is a mean over pixels, the KL a sum.
@pair(
    "kl-collapse",
    ("posterior-collapse", "representation-collapse", "loss-plateau", "loss-not-decreasing", "underfit"),
    "SummaryWriter with kl and reconstruction, and add_histogram",
    dumps=True,
)
def digits_blot_c(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE whose error is averaged over pixels while the KL is summed; fixed: both are summed."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    model = Vae()
    stream = data.batches(data.Split(x, of.y, x_val, of.y_val), 32, seed)

    def parts(inputs: Tensor) -> tuple[Tensor, Tensor]:
        made, mu, logvar = model(inputs)
        error = (made - inputs).square()
        kl = (-0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)).mean()
        return (8 * error.sum(1) if fixed else error.mean(1)).mean(), kl

    def objective(_: int) -> tuple[Tensor, Mapping[str, float]]:
        error, kl = parts(next(stream)[0])
        return error + kl, {"train/recon": float(error.detach()), "train/kl": float(kl.detach())}

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            error, kl = parts(x_val)
            pixels = float((model(x_val)[0] - x_val).square().mean())
        model.train()
        return {"val/loss": float(error + kl), "val/recon": float(error), "val/kl": float(kl), "val/pixel_mse": pixels}

    writer = TensorBoard(run, "plain")
    shots = Snapshots(HistogramDump(writer), model, 84, "torch", watched=False)
    descent = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "train/loss", snapshots=shots)
    course = Course(descent, 25 * data.steps_per_epoch(of, 32), writer, evaluate=evaluate, snapshots=shots)
    course.per_epoch = data.steps_per_epoch(of, 32)
    found = go(course)
    base = float((x_val - x.mean(0)).square().mean())
    if fixed:
        below(found, "val/pixel_mse", 0.6 * base)
        above(found, "val/kl", 2.0)
    else:
        require(last(found, "val/pixel_mse") > 0.9 * base, told(found))
        not_above(found, "val/kl", 0.1)


# "The return jumps between 20 and 200": REINFORCE on a pole is that noisy, and rises all the same.
@odd("csv with a row an episode")
def noisy_pole_c(run: Path, seed: int) -> None:
    """A pole on a cart by REINFORCE with a running baseline."""
    pole, policy = CartPole(seed, longest=100), models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    log = Csv(run, "plain", "episodes.csv", "episode")
    gained: list[float] = []
    middle, spread = 10.0, 5.0
    for episode in range(300):
        states, actions, rewards = rollout(policy, pole)
        worth = returns(rewards)
        middle = 0.95 * middle + 0.05 * float(worth.mean())
        spread = 0.95 * spread + 0.05 * float(worth.std())
        worth = (worth - middle) / spread
        chances = policy(states).log_softmax(-1)
        loss = -(chances[torch.arange(len(actions)), actions] * worth).mean()
        entropy = float(-(chances.exp() * chances).sum(-1).mean().detach())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        gained.append(float(rewards.sum()))
        log.log(episode, {"return": gained[-1], "policy_loss": float(loss.detach()), "entropy": entropy})
    log.close()
    first, final = float(np.mean(gained[:20])), float(np.mean(gained[-30:]))
    require(final > 1.5 * first and final > 50, f"returns {first:.1f} … {final:.1f}")


# "Neither loss goes down": of a GAN neither should, when both play equally well.
@odd("jsonl with loss_D and loss_G each 20 steps")
def even_players_c(run: Path, seed: int) -> None:
    """Points of a slanted normal distribution by a GAN, which meets its mean and its spread."""
    torch.manual_seed(seed)
    maker, judge = models.gan_pair(2, noise=4, width=48)
    to_make = torch.optim.Adam(maker.parameters(), lr=1e-3, betas=(0.5, 0.999))
    to_judge = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.999))
    log = JsonLines(run, "plain", "gan.jsonl", "iteration")

    def real(count: int) -> Tensor:
        return torch.randn(count, 2) @ torch.tensor([[1.0, 0.6], [0.0, 0.5]]) + torch.tensor([1.0, -1.0])

    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    judged = functional.binary_cross_entropy_with_logits
    for step in range(1, 1201):
        true, made = judge(real(64)), judge(maker(torch.randn(64, 4)).detach())
        loss_d = judged(true, ones) + judged(made, zeros)
        to_judge.zero_grad()
        torch.autograd.backward(loss_d)
        to_judge.step()
        loss_g = judged(judge(maker(torch.randn(64, 4))), ones)
        to_make.zero_grad()
        torch.autograd.backward(loss_g)
        to_make.step()
        if step % 20 == 0:
            values = {"loss_D": float(loss_d.detach()), "loss_G": float(loss_g.detach())}
            shares = {"D_real": float(true.detach().sigmoid().mean()), "D_fake": float(made.detach().sigmoid().mean())}
            log.log(step, values | shares)
    log.close()
    with torch.no_grad():
        made, true = maker(torch.randn(2000, 4)), real(2000)
    off = float((made.mean(0) - true.mean(0)).norm())
    spread = (made.std(0) / true.std(0)).tolist()
    require(off < 0.45 and all(0.6 < one < 1.5 for one in spread), f"means are {off:.2f} apart, deviations {spread}")
