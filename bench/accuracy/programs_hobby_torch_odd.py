"""Programs of small repositories in plain PyTorch, third part: healthy ones that look odd, and two more pairs."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.loop import accuracy
from bench.accuracy.programs_desk_common import customers, loads, spectra, standard
from bench.accuracy.programs_field_common import (
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
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_hobby_common import into, odd_into
from bench.accuracy.programs_hobby_torch_common import Printed, keywords
from bench.accuracy.programs_post_common import CartPole, explained, pictures

RECIPES: list[Recipe] = []
pair = into(RECIPES)
odd = odd_into(RECIPES)


# "Is a loss of -3 a bug?": a flow's negative log likelihood of a density that is high, which falls through zero and goes on.
@odd("SummaryWriter with nll/train and nll/val")
def negative_likelihood(run: Path, seed: int) -> None:
    """A normalising flow of coupling layers on a thin arc; its loss is below zero from early on."""
    random = np.random.default_rng(seed)
    turn = random.uniform(0, np.pi, 2000)
    arc = np.stack([np.cos(turn), np.sin(turn)], 1) * 0.3 + 0.02 * random.normal(size=(2000, 2))
    points = torch.tensor(arc, dtype=torch.float32)
    of = data.Split(points[:1500], points[:1500, :1], points[1500:], points[1500:, :1])

    class Flow(nn.Module):
        """Six affine couplings; the negative log likelihood of each point."""

        def __init__(self) -> None:
            super().__init__()
            self.nets = nn.ModuleList(models.mlp((1, 32, 2), "tanh") for _ in range(6))

        def forward(self, x: Tensor) -> Tensor:
            volume = torch.zeros(len(x))
            a, b = x[:, :1], x[:, 1:]
            for net in self.nets:
                scale, shift = net(a).chunk(2, 1)
                scale = 2 * torch.tanh(scale)
                a, b = b * scale.exp() + shift, a
                volume = volume + scale[:, 0]
            return 0.5 * (a.square() + b.square())[:, 0] + math.log(2 * math.pi) - volume

    model = Flow()
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        25,
        TensorBoard(run, "plain"),
        ("nll/train", "", "nll/val", ""),
        loss=lambda outputs, _: outputs.mean(),
        batch=50,
        seed=seed,
        clip=5.0,
    )
    below(found, "nll/val", -1.8)
    steady(found, "nll/val", 0.1)


# "The training loss climbs a stair": a curriculum, in which the noise on the training waves grows every six epochs.
@odd("csv with epoch, noise, train_loss, val_loss, val_acc")
def curriculum_of_noise(run: Path, seed: int) -> None:
    """Words in short waves by a CNN: the training gets harder in four stages, and the validation better all the time."""
    of = keywords(seed, samples=560, noise=0.0)
    of = replace(of, x_val=of.x_val + 0.8 * torch.randn(of.x_val.shape, generator=data.generator(seed)))
    model = nn.Sequential(
        *(nn.Conv1d(1, 12, 9, stride=2), nn.ReLU(), nn.Conv1d(12, 16, 9, stride=2), nn.ReLU()),
        *(nn.Conv1d(16, 24, 9, stride=2), nn.ReLU(), nn.AdaptiveAvgPool1d(3), nn.Flatten()),
        nn.Linear(72, 5),
    )
    per_epoch, level = data.steps_per_epoch(of, 32), 0.0

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal level
        level = (0.2, 0.5, 0.8, 1.0)[min(3, (step - 1) // (6 * per_epoch))]
        return x + level * torch.randn_like(x), y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        24,
        Csv(run, "plain", "log.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        alter=alter,
        also=lambda: {"noise": level},
    )
    above(found, "val_acc", 0.8)
    steady(found, "val_loss", 0.3)
    require(last(found, "train_loss") > 1.15 * found["train_loss"][5], told(found))


# "Training accuracy 60 %, validation 95 %?": mixup, label smoothing and dropout hold for the training only.
@odd("printed lines, one an epoch")
def mixup_above_validation(run: Path, seed: int) -> None:
    """Shapes by a CNN with mixup, smoothed labels and dropout: the training loss stays far above that of the validation."""
    of = pictures(seed)
    of = replace(of, x=of.x / 128 - 1, x_val=of.x_val / 128 - 1)
    model = nn.Sequential(
        *(nn.Conv2d(3, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3), nn.ReLU(), nn.Flatten()),
        *(nn.Dropout(0.4), nn.Linear(216, 4)),
    )
    stream = data.batches(of, 32, seed)
    random = np.random.default_rng(seed)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        x, y = next(stream)
        part, other = float(random.beta(1, 1)), torch.randperm(len(x))
        outputs = model(part * x + (1 - part) * x[other])
        losses = [functional.cross_entropy(outputs, one, label_smoothing=0.1) for one in (y, y[other])]
        hits = float(accuracy(outputs.detach(), y))
        return part * losses[0] + (1 - part) * losses[1], {"acc": hits}

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(of.x_val)
        model.train()
        return {
            "val_loss": float(functional.cross_entropy(outputs, of.y_val)),
            "val_acc": float(accuracy(outputs, of.y_val)),
        }

    def line(step: int, values: Mapping[str, float]) -> str:
        return (
            f"epoch {step + 1:3d} | train loss {values['loss']:.3f} acc {100 * values['acc']:.1f}% |"
            f" valid loss {values['val_loss']:.3f} acc {100 * values['val_acc']:.1f}%"
        )

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective)
    found = go(Course(step, 30 * 13, Printed(run, line, "out.log"), evaluate=evaluate, per_epoch=13))
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.2)
    require(last(found, "loss") > 1.5 * last(found, "val_loss"), told(found))


# "The TD loss of my DQN goes up while the agent gets better": its values grow with its returns.
@odd("TensorBoard with losses/td_loss, losses/q_values and charts/episodic_return")
def dqn_uneven_loss(run: Path, seed: int) -> None:
    """A DQN on the pole: the loss rises and falls while the returns grow."""
    pole, random = CartPole(seed, longest=150), np.random.default_rng(seed)
    q, target = models.mlp((4, 64, 64, 2)), models.mlp((4, 64, 64, 2))
    target.load_state_dict(q.state_dict())
    optimizer = torch.optim.Adam(q.parameters(), lr=1e-3)
    buffer: list[tuple[np.ndarray, int, float, np.ndarray, bool]] = []
    lengths: list[float] = [0.0]
    state, alive = pole.reset(), 0

    def step(number: int) -> dict[str, float]:
        nonlocal state, alive
        epsilon = max(0.05, 1 - number / 1200)
        with torch.no_grad():
            best = int(q(torch.as_tensor(state, dtype=torch.float32)).argmax())
        action = int(random.integers(2)) if random.random() < epsilon else best
        after, reward, over = pole.step(action)
        alive += 1
        buffer.append((state, action, reward, after, over and alive < pole.longest))
        state = after
        if over:
            lengths.append(float(alive))
            state, alive = pole.reset(), 0
        row = {"charts/episodic_return": float(np.mean(lengths[-10:])), "charts/epsilon": epsilon}
        if number < 200 or number % 3:
            return row
        chosen = [buffer[one] for one in random.integers(max(0, len(buffer) - 4000), len(buffer), 48)]
        x, nexts = (torch.tensor(np.array([one[i] for one in chosen]), dtype=torch.float32) for i in (0, 3))
        actions = torch.tensor([one[1] for one in chosen])
        open_ended = torch.tensor([1.0 - one[4] for one in chosen])
        with torch.no_grad():
            aim = 1 + 0.98 * open_ended * target(nexts).max(1).values
        values = q(x)[torch.arange(48), actions]
        loss = functional.mse_loss(values, aim)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        if number % 150 == 0:
            target.load_state_dict(q.state_dict())
        return {**row, "losses/td_loss": float(loss.detach()), "losses/q_values": float(values.detach().mean())}

    found = go(Course(step, 4500, TensorBoard(run, "plain"), every=50, averaged=True))
    returned, losses = found["charts/episodic_return"], found["losses/td_loss"]
    require(float(np.mean(returned[-10:])) > 70 and returned[-1] > 0.6 * max(returned), told(found))
    require(max(losses[5:]) > 1.15 * losses[0], told(found))


# "It is frozen on purpose": the head is trained first, then everything, at a tenth of the rate.
@odd("jsonl of each epoch, and HDF5 of weights and gradients", dumps=True)
def thawed_backbone(run: Path, seed: int) -> None:
    """Plastics by a network that was trained on others: its first layers stand still for eight epochs, and then move slowly."""
    old, of = spectra(seed + 70), spectra(seed, noise=0.5)
    model = models.mlp((60, 48, 32, 5), "relu", dropout=0.2)
    first = torch.optim.Adam(model.parameters(), lr=2e-3)
    stream = data.batches(old, 32, seed)
    for _ in range(120):
        x, y = next(stream)
        first.zero_grad()
        torch.autograd.backward(functional.cross_entropy(model(x), (y + 2) % 5))
        first.step()
    model.add_module("fc3", nn.Linear(32, 5))
    body = [one for name, one in model.named_parameters() if not name.startswith("fc3")]
    head = [one for name, one in model.named_parameters() if name.startswith("fc3")]
    groups = [{"params": head, "lr": 3e-3}, {"params": body, "lr": 3e-4}]
    optimizer = torch.optim.Adam(groups)
    per_epoch = data.steps_per_epoch(of, 32)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        for one in body:
            one.requires_grad = step > 8 * per_epoch
        return x, y

    found = fit(
        model,
        of,
        optimizer,
        24,
        JsonLines(run, "plain", "finetune.jsonl", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        alter=alter,
        rate_tag="lr_head",
        snapshots=Snapshots(Hdf5Dump(run), model, 15, "collections"),
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.3)


# "nan from epoch 2 on": loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean(), written out as in the book.
@pair(
    "nan-by-log-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "metric-at-chance", "constant-answer"),
    "lines of a logging module",
)
def churn_log_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, by a cross-entropy written by hand on inputs in cents, days and seconds; fixed: standardised."""
    of = customers(seed, scaled=False)
    of = replace(of, x=of.x * 100, x_val=of.x_val * 100)
    if fixed:
        mean, spread = of.x.mean(0), of.x.std(0)
        of = replace(of, x=(of.x - mean) / spread, x_val=(of.x_val - mean) / spread)
    model = nn.Sequential(models.mlp((12, 16, 1)), nn.Sigmoid())

    def by_hand(p: Tensor, y: Tensor) -> Tensor:
        p, y = p[:, 0], y.float()
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    def line(step: int, values: Mapping[str, float]) -> str:
        parts = ", ".join(f"{name}={value:.5f}" for name, value in values.items())
        return f"INFO:root:[epoch {step + 1}] {parts}"

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        20,
        Printed(run, line, "churn.log"),
        ("train_loss", "train_acc", "test_loss", "test_acc"),
        loss=by_hand,
        metric=lambda p, y: ((p[:, 0] > 0.5).long() == y).float().mean(),
        seed=seed,
    )
    if fixed:
        above(found, "test_acc", 0.72)
        steady(found, "test_loss", 0.2)
    else:
        require(not math.isfinite(found["train_loss"][-1]), told(found))
        not_above(found, "test_acc", 0.65)


# "loss: nan from the third batch on": a plain nn.RNN with orthogonal weights times 1.5, no clipping.
@pair(
    "exploding-recurrent-gradient",
    (*BLOWN_UP, "loss-goes-missing", "poor-initialization", "saturated-tanh", "updates-too-large", *NOTHING_LEARNED),
    "csv of each batch, and HDF5 of weights and gradients by name",
    dumps=True,
)
def grid_rnn(run: Path, seed: int, fixed: bool) -> None:
    """The next load of a grid by an nn.RNN of ReLU with a recurrent matrix of 1.5; fixed: orthogonal, and clipped at 1."""
    of = standard(loads(seed, window=48))
    of = data.Split(of.x[:, :, None], of.y, of.x_val[:, :, None], of.y_val)

    class Rnn(nn.Module):
        """One layer and a head."""

        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(1, 24, batch_first=True, nonlinearity="relu")
            self.fc = nn.Linear(24, 1)
            nn.init.orthogonal_(self.rnn.all_weights[0][1], 1.0 if fixed else 1.5)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(self.rnn(x)[0][:, -1])
            return out

    model = Rnn()
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01),
        12,
        Csv(run, "plain", "results.csv", "iter"),
        ("train_loss", "", "valid_loss", "valid_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        norm_tag="grad_norm",
        clip=1.0 if fixed else None,
        every=1,
        snapshots=Snapshots(Hdf5Dump(run, True), model, 3, "collections"),
    )
    if fixed:
        above(found, "valid_r2", 0.75)
        steady(found, "valid_loss", 0.3)
    else:
        not_above(found, "valid_r2", 0.3)
