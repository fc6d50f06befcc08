"""Students' programs in plain PyTorch, with the logs that they keep, and their repaired versions."""

from collections import deque
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_thesis_common import WandbHistory, genes, into, vibrations

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# A thesis on physics-informed nets: nn.ReLU, whose second derivative is zero, in the residual of a damped spring.
@pair("wrong-activation", BADLY_LEARNED, "wandb-history.jsonl, by hand")
def spring_relu(run: Path, seed: int, fixed: bool) -> None:
    """A damped spring, x'' + 0.4 x' + 4 x = 0, by a physics-informed net of ReLUs; fixed: tanh."""
    model = models.mlp((1, 32, 32, 1), "tanh" if fixed else "relu")
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    random = data.generator(seed)
    moments = torch.linspace(0, 3, 101)[:, None]
    turn = (4 - 0.04) ** 0.5
    truth = (-0.2 * moments).exp() * ((turn * moments).cos() + 0.2 / turn * (turn * moments).sin())

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        t = (3 * torch.rand(48, 1, generator=random)).requires_grad_()
        x = model(t)
        speed = torch.autograd.grad(x.sum(), t, create_graph=True)[0]
        push = torch.autograd.grad(speed.sum(), t, create_graph=True, allow_unused=True)[0]
        push = torch.zeros_like(speed) if push is None else push
        residual = (push + 0.4 * speed + 4 * x).square().mean()
        zero = torch.zeros(1, 1, requires_grad=True)
        start = model(zero)
        at_rest = torch.autograd.grad(start.sum(), zero, create_graph=True)[0].square().mean()
        initial = (start - 1).square().mean() + at_rest
        return residual + 5 * initial, {"loss_pde": float(residual.detach()), "loss_ic": float(initial.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"rel_l2": float((model(moments) - truth).norm() / truth.norm())}

    step = Descent(
        model, optimizer, objective, "loss_total", schedule=torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.999)
    )
    found = go(Course(step, 1000, WandbHistory(run), 10, averaged=True, evaluate=evaluate, evaluate_every=50))
    if fixed:
        below(found, "rel_l2", 0.2)
        steady(found, "rel_l2", 0.3)
    else:
        not_below(found, "rel_l2", 0.7)


# A course project that rebuilt VGG: SGD(lr=0.8, momentum=0.9) "as larger rates are faster".
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large", "dead-relu", "all-zero", "gradient-all-zero", "constant-answer"),
    "SummaryWriter with add_histogram",
    dumps=True,
)
def small_vgg_rate(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a small VGG with SGD at 0.8 and a momentum of 0.9; fixed: 0.01."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    of = data.Split(of.x / 16, of.y, of.x_val / 16, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 48),
        nn.ReLU(),
        nn.Linear(48, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if fixed else 0.8, momentum=0.9)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        optimizer,
        10,
        writer,
        ("VGG/trainLoss", "VGG/trainAcc", "VGG/testLoss", "VGG/testAcc"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 86, "torch"),
    )
    if fixed:
        above(found, "VGG/testAcc", 0.88)
        steady(found, "VGG/testLoss", 0.2)
    else:
        below(found, "VGG/testAcc", 0.2)


# A bioinformatics thesis: 270 patients, 400 genes, three wide layers and 60 epochs.
@pair(
    "overfitting",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap"),
    "jsonl by hand; weights and gradients in parquet",
    dumps=True,
)
def genes_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """A disease from 400 genes of 270 patients, all of them into a wide net; fixed: the 8 that correlate most, and a penalty."""
    of = genes(seed, 360)
    if fixed:
        signs = of.y.float() * 2 - 1
        chosen = (of.x * signs[:, None]).mean(0).abs().topk(8).indices
        of = data.Split(of.x[:, chosen], of.y, of.x_val[:, chosen], of.y_val)
    model = models.mlp((8, 8, 2), dropout=0.2) if fixed else models.mlp((400, 48, 24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3 if fixed else 1e-3, weight_decay=1e-2 if fixed else 0)
    found = fit(
        model,
        of,
        optimizer,
        30 if fixed else 60,
        JsonLines(run, "plain", "results.jsonl", "epoch"),
        ("tr_ce", "tr_acc", "te_ce", "te_acc"),
        batch=16,
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 340, watched=False),
    )
    if fixed:
        above(found, "te_acc", 0.82)
        steady(found, "te_ce", 0.15)
    else:
        below(found, "te_acc", 0.76)
        above(found, "tr_acc", 0.98)
        not_below(found, "te_ce", 1.3 * min(found["te_ce"]))


class Maze:
    """A corridor of five by five with a goal in the far corner: 1 there and 0 elsewhere, at most 20 steps."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.place, self.steps = np.zeros(2, int), 0

    def reset(self) -> np.ndarray:
        """The near corner."""
        self.place, self.steps = np.zeros(2, int), 0
        return self._state()

    def _state(self) -> np.ndarray:
        return np.eye(25, dtype=np.float32)[self.place[0] * 5 + self.place[1]]

    def step(self, action: int) -> tuple[np.ndarray, float, bool]:
        """The state after a move, the reward, and whether it is over."""
        move = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)][action])
        self.place, self.steps = np.clip(self.place + move, 0, 4), self.steps + 1
        there = bool((self.place == 4).all())
        return self._state(), float(there), there or self.steps >= 20


# A lab exercise on deep Q-learning: gamma=0 left from the bandit of the exercise before.
@pair("wrong-discount", ("reward-flat",), "csv of episodes, by hand")
def maze_without_future(run: Path, seed: int, fixed: bool) -> None:
    """A way through a maze by a DQN with gamma=0, which looks no step ahead; fixed: 0.95."""
    maze, model = Maze(seed), models.mlp((25, 32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    memory: deque[tuple[np.ndarray, int, float, np.ndarray, bool]] = deque(maxlen=3000)
    gamma = 0.95 if fixed else 0.0

    def learn() -> float:
        rows = [memory[int(one)] for one in maze.random.integers(0, len(memory), 32)]
        states, following = (torch.tensor(np.array([row[place] for row in rows])) for place in (0, 3))
        actions, rewards, over = (torch.tensor([row[place] for row in rows]) for place in (1, 2, 4))
        with torch.no_grad():
            target = rewards + gamma * model(following).amax(1) * ~over
        loss = functional.smooth_l1_loss(model(states)[torch.arange(32), actions], target.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    def play(episode: int) -> dict[str, float]:
        state, over, total, losses = maze.reset(), False, 0.0, [0.0]
        epsilon = max(0.05, 1 - episode / 120)
        while not over:
            with torch.no_grad():
                best = int(model(torch.from_numpy(state)).argmax())
            action = int(maze.random.integers(4)) if maze.random.random() < epsilon else best
            following, reward, over = maze.step(action)
            memory.append((state, action, reward, following, over and reward > 0))
            state, total = following, total + reward
            if len(memory) > 64:
                losses.append(learn())
        return {"score": total, "episode_len": maze.steps, "td_error": float(np.mean(losses)), "eps": epsilon}

    found = go(Course(play, 240, Csv(run, "plain", "episodes.csv", "episode"), 1))
    late = last(found, "score", 50)
    require(late > 0.8 if fixed else late < 0.4, told(found))


# A project on wear of tools: the deviation of the noise added as augmentation is 8, for 0.08.
@pair(
    "augmentation-too-strong",
    (*BADLY_LEARNED, "metric-at-chance"),
    "Lightning's metrics.csv",
)
def wear_under_noise(run: Path, seed: int, fixed: bool) -> None:
    """States of a tool by a 1-D CNN, trained on signals with noise of deviation 8 and batch norm; fixed: 0.08."""
    of = vibrations(seed)
    of = data.Split(of.x.transpose(1, 2), of.y, of.x_val.transpose(1, 2), of.y_val)
    model = nn.Sequential(
        nn.Conv1d(1, 16, 7, 2),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Conv1d(16, 24, 5, 2),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(3),
        nn.Flatten(),
        nn.Linear(72, 4),
    )
    random = data.generator(seed)
    strength = 0.08 if fixed else 8.0

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x + strength * torch.randn(x.shape, generator=random), y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        15,
        Csv(run, "plain", "metrics.csv"),
        ("train_xent_step", "train_top1_step", "val_xent", "val_top1"),
        seed=seed,
        batch=16,
        every=3,
        alter=alter,
    )
    if fixed:
        above(found, "val_top1", 0.8)
        steady(found, "val_xent", 0.25)
    else:
        below(found, "val_top1", 0.55)
