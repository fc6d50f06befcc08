"""Month programs in torch on series, tunes and rewards: axes, warm-up, clipping, resuming and exploring."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_field_common import (
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    steady,
    told,
)
from bench.accuracy.programs_month_common import into
from bench.accuracy.programs_month_torch_common import Only, first_words, tunes

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Spoken(nn.Module):
    """An LSTM over series (n, length, 3), read at the last moment, and a dense layer."""

    def __init__(self, batch_first: bool, hidden: int = 24) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, hidden, batch_first=batch_first)
        self.fc = nn.Linear(hidden, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x)[0][:, -1])


# "The LSTM guesses": nn.LSTM without batch_first=True, so that it walks along the samples of a batch.
@pair(
    "wrong-axis",
    ("metric-at-chance", "loss-plateau", "loss-not-decreasing", "underfit", "task-not-learned", "initial-loss"),
    "csv by hand",
)
def torch_words_batch_second(run: Path, seed: int, fixed: bool) -> None:
    """Words by their first moments by an LSTM that takes the batch for time; fixed: batch_first."""
    model = Spoken(fixed)
    found = fit(
        model,
        first_words(seed, length=10),
        torch.optim.Adam(model.parameters(), lr=5e-3),
        20,
        Csv(run, "plain", "result.csv", "epoch"),
        ("train_loss", "train_acc", "dev_loss", "dev_acc"),
        seed=seed,
    )
    if fixed:
        above(found, "dev_acc", 0.85)
        steady(found, "dev_loss", 0.3)
    else:
        below(found, "dev_acc", 0.45)


# "Fine-tuning rates are about 2e-6, I read": a transformer from scratch at the rate of one that has been trained.
@pair(
    "learning-rate-too-low",
    ("still-improving", "updates-too-small", "underfit", "loss-not-decreasing", "metric-at-chance", "loss-plateau"),
    "trainer_state.json",
)
def torch_tunes_at_finetuning_rate(run: Path, seed: int, fixed: bool) -> None:
    """The next note by a small transformer at 2e-6 with warm-up and linear fall; fixed: 2e-3."""
    of = tunes(seed, 500, 16)
    model = models.Transformer(16, vocabulary=16, width=32, layers=2, length=16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3 if fixed else 2e-6)
    steps = 13 * 16
    found = fit(
        model,
        of,
        optimizer,
        16,
        TrainerState(run, 13, steps, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        every=5,
        seed=seed,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 20, 1.02 - step / steps)),
    )
    if fixed:
        above(found, "val_accuracy", 0.55)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.25)


# "The loss walks in tiny steps, whatever the rate": clip_grad_norm_(model.parameters(), 1e-3), under SGD.
@pair(
    "clipped-too-tight",
    ("gradient-always-clipped", "updates-too-small", "underfit", "still-improving", "loss-not-decreasing"),
    "SummaryWriter with the norm before clipping and add_histogram",
    dumps=True,
)
def torch_tunes_clipped(run: Path, seed: int, fixed: bool) -> None:
    """The next note by a GRU with gradients clipped to a norm of 0.001; fixed: 1."""
    of = tunes(seed)
    model = models.Recurrent("gru", 24, 32, 16, vocabulary=16, every_step=True)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        18,
        writer,
        ("loss/train", "", "loss/val", "acc/val"),
        seed=seed,
        batch=16,
        clip=1.0 if fixed else 1e-3,
        norm_tag="grad_norm/before_clip",
        snapshots=Snapshots(HistogramDump(writer), model, 75, watched=False),
    )
    if fixed:
        above(found, "acc/val", 0.65)
        steady(found, "loss/val", 0.2)
    else:
        below(found, "acc/val", 0.45)


# "Since the job was restarted it is worse than before": the weights were saved, the scheduler and the optimizer were not.
@pair(
    "resume-without-scheduler",
    ("state-lost-on-resume", "schedule-mismatch", "loss-spike", "best-is-not-last", "error-rises"),
    "jsonl that goes on after the restart",
)
def torch_tunes_restarted(run: Path, seed: int, fixed: bool) -> None:
    """The next note by a GRU under a cosine, restarted from the weights alone; fixed: with optimizer and scheduler."""
    of = tunes(seed, 500, sure=0.92)
    model = models.Recurrent("gru", 24, 32, 16, vocabulary=16, every_step=True)
    per_epoch = data.steps_per_epoch(of, 16)

    def begin() -> tuple[torch.optim.Optimizer, Any]:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.08, weight_decay=0.01)
        return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 22 * per_epoch)

    def part(epochs: int, first: int, optimizer: torch.optim.Optimizer, schedule: Any) -> dict[str, list[float]]:
        return fit(
            model,
            of,
            optimizer,
            epochs,
            JsonLines(run, "plain", "train_log.jsonl", "epoch"),
            ("train_loss", "", "val_loss", "val_acc"),
            seed=seed + first,
            batch=16,
            first=first,
            rate_tag="lr",
            schedule=schedule,
        )

    kept = begin()
    before = part(17, 0, *kept)
    after = part(5, 17, *(kept if fixed else begin()))
    if fixed:
        above(after, "val_acc", 0.4)
        require(last(after, "val_loss") < 1.1 * min(before["val_loss"] + after["val_loss"]), told(after))
    else:
        end = before["train_loss"][-1]
        worse = after["train_loss"][0] > 1.2 * end and after["train_loss"][-1] > 1.08 * end
        require(worse, f"{told(before)}; {told(after)}")


class Adder(nn.Module):
    """A plain ReLU recurrent network over (n, length, 2), read at the end."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, 32, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(32, 1)
        with torch.no_grad():
            for name, one in self.rnn.named_parameters():
                if name.startswith("weight_hh"):
                    one.copy_(torch.eye(32) * scale if scale == 1 else torch.randn(32, 32) * scale)
                if name.startswith("bias"):
                    one.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rnn(x)[0][:, -1])


# "The first loss is 10^9, then NaN or nothing": a ReLU RNN whose recurrent weights are random with a deviation of 0.5.
@pair(
    "exploding-rnn",
    ("exploding-gradient", "initial-loss", "exploding-tensor", "poor-initialization", "loss-spike", "non-finite"),
    "SummaryWriter, and HDF5 of weights and gradients",
    dumps=True,
    layer="rnn",
)
def torch_sums_by_exploding_rnn(run: Path, seed: int, fixed: bool) -> None:
    """Sums of two marked numbers by a ReLU RNN that starts too large; fixed: at the identity."""
    of = data.adding(seed, 1600, 16)
    model = Adder(1.0 if fixed else 0.5)
    dump = Only(Hdf5Dump(run), lambda name: "activations" not in name)

    def explained(outputs: Tensor, targets: Tensor) -> Tensor:
        return 1 - (outputs - targets).square().mean() / targets.var()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        20,
        TensorBoard(run, "plain"),
        ("train/mse", "", "test/mse", "test/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        norm_tag="train/grad_norm",
        snapshots=Snapshots(dump, model, 80, watched=False),
    )
    if fixed:
        above(found, "test/r2", 0.75)
        steady(found, "test/mse", 0.5)
    else:
        require(not last(found, "test/r2") > 0.0, told(found))


class Cut(nn.Module):
    """An encoder of tokens and a head; the script for feature extraction left torch.no_grad() about the encoder."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(60, 12)
        self.encoder = nn.GRU(12, 24, batch_first=True)
        self.classifier = nn.Linear(24, 4)
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.cut):
            states = self.encoder(self.embedding(x))[0]
        return self.classifier(states[:, -1])


def orders(seed: int) -> data.Split:
    """Token rows (n, 10) in which one of four marks stands at any place; 4 classes."""
    random = data.generator(seed)
    x = torch.randint(8, 60, (1200, 10), generator=random)
    y = torch.randint(0, 4, (1200,), generator=random)
    place = torch.randint(0, 10, (1200,), generator=random)
    x[torch.arange(1200), place] = y * 2 + torch.randint(0, 2, (1200,), generator=random)
    return data.Split(x[:900], y[:900], x[900:], y[900:])


# "The encoder's weights are the same as at the start": torch.no_grad() was left about it.
@pair(
    "detached-graph",
    ("unchanged-tensor", "underfit", "loss-plateau", "metric-at-chance", "loss-not-decreasing"),
    "jsonl, and Parquet of weights and gradients each third epoch",
    dumps=True,
    layer="encoder",
)
def torch_orders_under_no_grad(run: Path, seed: int, fixed: bool) -> None:
    """Which mark stands in a row of tokens by a GRU under no_grad; fixed: with its graph."""
    model = Cut(not fixed)
    found = fit(
        model,
        orders(seed),
        torch.optim.Adam(model.parameters(), lr=5e-3),
        15,
        JsonLines(run, "plain", "stats.jsonl", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 87, watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_acc", 0.55)


# "Five thousand episodes, always the same return": Q-learning that takes the best action always; the far prize is never seen.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "loss-plateau", "reward-collapse"),
    "SummaryWriter with rollout/ep_rew_mean, train/loss, rollout/exploration_rate",
)
def torch_corridor_without_epsilon(run: Path, seed: int, fixed: bool) -> None:
    """A corridor with a crumb at one end and a prize at the other by Q-learning with no epsilon; fixed: it falls from 1 to 0.05."""
    random = data.generator(seed)
    model = models.mlp((8, 24, 2))
    with torch.no_grad():
        model.get_submodule("fc2").bias.copy_(torch.tensor([0.2, 0.0]))  # type: ignore[operator]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    log = TensorBoard(run, "plain")
    eyes, kept, recent = torch.eye(8), [], []
    trail: dict[str, list[float]] = {"rollout/ep_rew_mean": []}
    for episode in range(1, 401):
        epsilon = max(0.05, 1 - episode / 150) if fixed else 0.0
        place, total = 2, 0.0
        for _ in range(20):
            explore = torch.rand(1, generator=random).item() < epsilon
            with torch.no_grad():
                best = int(model(eyes[place]).argmax())
            action = int(torch.randint(0, 2, (1,), generator=random)) if explore else best
            after = place + (1 if action else -1)
            over = after in (0, 7)
            reward = (1.0 if after == 7 else 0.1 if after == 0 else 0.0) + 0.02 * float(
                torch.randn(1, generator=random)
            )
            kept.append((place, action, reward, after, over))
            total += reward
            place = after
            if over:
                break
        recent.append(total)
        for _ in range(6):
            chosen = [kept[int(one)] for one in torch.randint(0, len(kept), (48,), generator=random)]
            s, a, r, t, o = (torch.tensor(one) for one in zip(*chosen, strict=True))
            with torch.no_grad():
                target = r.float() + 0.9 * model(eyes[t]).max(1).values * (~o)
            loss = functional.mse_loss(model(eyes[s])[torch.arange(48), a], target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if episode % 5 == 0:
            mean = sum(recent[-20:]) / len(recent[-20:])
            trail["rollout/ep_rew_mean"].append(mean)
            told_now = {"rollout/ep_rew_mean": mean, "train/loss": float(loss.detach())}
            log.log(episode, told_now | {"rollout/exploration_rate": epsilon})
    log.close()
    if fixed:
        above(trail, "rollout/ep_rew_mean", 0.7)
    else:
        below(trail, "rollout/ep_rew_mean", 0.2)


# "The bot always recommends the same article": minutes of reading are all above zero, and no baseline is taken from them.
@pair(
    "policy-without-baseline",
    ("entropy-collapse", "reward-flat", "reward-collapse", "policy-update-too-large"),
    "csv with reward, policy_loss, entropy",
)
def torch_articles_no_baseline(run: Path, seed: int, fixed: bool) -> None:
    """Which of eight articles to show by a policy gradient over raw minutes; fixed: over minutes less their mean."""
    random = data.generator(seed)
    taste = torch.randn(6, 8, generator=data.generator(21))
    model = models.mlp((6, 32, 8), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)

    def step(_: int) -> dict[str, float]:
        x = torch.randn(24, 6, generator=random)
        shares = model(x).log_softmax(1)
        action = torch.multinomial(shares.exp().detach(), 1, generator=random)
        minutes = 30 + (x @ taste).gather(1, action) + 0.5 * torch.randn(24, 1, generator=random)
        entropy = -(shares.exp() * shares).sum(1).mean()
        policy = -((minutes - (minutes.mean() if fixed else 0)) * shares.gather(1, action)).mean()
        loss = policy - 0.02 * entropy
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        told_now = {"reward": float(minutes.mean()), "policy_loss": float(policy.detach())}
        return told_now | {"entropy": float(entropy.detach())}

    found = go(Course(step, 1200, Csv(run, "plain", "progress.csv", "update"), every=10, averaged=True))
    if fixed:
        above(found, "reward", 32)
    else:
        below(found, "reward", 31.7)
        below(found, "entropy", 0.25)
