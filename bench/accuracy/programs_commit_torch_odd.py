"""Healthy programs in PyTorch whose logs look odd at first sight."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_commit_common import odd_into
from bench.accuracy.programs_commit_torch_common import (
    Deliveries,
    EachEpoch,
    HistoryJson,
    MlRuns,
    Printed,
    payments,
    rentals,
    signs,
    tickets,
)
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, last, steady, told
from bench.accuracy.programs_post_common import over

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """The mean, over the true ones, of the precision down to each of them when sorted by score."""
    hit = truth[scores.argsort(descending=True)].float()
    precision = hit.cumsum(0) / torch.arange(1, len(hit) + 1)
    return float((precision * hit).sum() / hit.sum())


# "Is it normal that the loss jumps up every six epochs?" Yes: CosineAnnealingWarmRestarts, which ends at the end of its fourth cycle.
@odd("SummaryWriter with one scalar an epoch")
def warm_restarts(run: Path, seed: int) -> None:
    """Digits by a CNN under SGD whose rate falls to nearly zero and begins anew, four times."""
    of = over(data.bundled("digits", seed, scaled=False).as_images(), 16.0)
    model = models.cnn(10, (8, 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 6)
    found = fit(
        model,
        of,
        optimizer,
        24,
        TensorBoard(run, "plain"),
        ("Loss/train", "Accuracy/train", "Loss/test", "Accuracy/test"),
        seed=seed,
        rate_tag="LR",
        schedule=EachEpoch(schedule, data.steps_per_epoch(of, 32)),
    )
    above(found, "Accuracy/test", 0.95)
    steady(found, "Loss/test", 0.25)


# "My loss is negative, is that a bug?" No: the logarithm of a density, which may be above 1.
@odd("JSON lines, one an epoch")
def negative_likelihood(run: Path, seed: int) -> None:
    """Bicycles rented in an hour, with a mean and a spread, by the negative log-likelihood of a Gaussian."""
    of = rentals(seed, samples=2400)
    of = data.Split(of.x, of.y[:, None], of.x_val, of.y_val[:, None])
    model = models.mlp((8, 48, 24, 2), "tanh")

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        variance = functional.softplus(outputs[:, 1:]) + 1e-3
        return functional.gaussian_nll_loss(outputs[:, :1], targets, variance)

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        25,
        JsonLines(run, "plain", "nll.jsonl", "epoch"),
        ("train_nll", "", "val_nll", "val_mae"),
        loss=likelihood,
        metric=lambda outputs, targets: (outputs[:, :1] - targets).abs().mean(),
        seed=seed,
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25 * per_epoch),
    )
    below(found, "val_nll", -0.6)
    below(found, "val_mae", 0.25)
    steady(found, "val_nll", 0.1)


# "Why is my training accuracy lower than that of validation?" Mixup and dropout, which are for training only.
@odd("CSV of Lightning")
def mixed_up(run: Path, seed: int) -> None:
    """Road signs by a CNN with mixup and dropout: worse on training batches than on those for validation."""
    raw = signs(seed)
    of = over(raw, 255.0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(128, 5),
    )
    random = data.generator(seed)
    shares = torch.distributions.Beta(0.4, 0.4)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        share, other = float(shares.sample()), torch.randperm(len(x), generator=random)
        targets = functional.one_hot(y, 5).float()
        return share * x + (1 - share) * x[other], share * targets + (1 - share) * targets[other]

    def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
        truth = targets.argmax(-1) if targets.dim() > 1 else targets
        return (outputs.argmax(-1) == truth).float().mean()

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        25,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        loss=functional.cross_entropy,
        metric=accuracy,
        seed=seed,
        alter=alter,
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25 * per_epoch),
    )
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.2)
    require(last(found, "train_loss") > last(found, "val_loss"), f"training was to look worse: {told(found)}")


# "Half of my weights do not change at all": linear probing, the backbone was trained on other classes and is frozen on purpose.
@odd("SummaryWriter with one scalar an epoch, tensors in HDF5", dumps=True)
def probe_on_frozen(run: Path, seed: int) -> None:
    """Digits 5 to 9 by a linear layer on a frozen backbone that learned 0 to 4 before (which is not logged)."""
    of = over(data.bundled("digits", seed, scaled=False).as_images(), 16.0)
    low, low_val = of.y < 5, of.y_val < 5
    before = data.Split(of.x[low], of.y[low], of.x_val[low_val], of.y_val[low_val])
    of = data.Split(of.x[~low], of.y[~low] - 5, of.x_val[~low_val], of.y_val[~low_val] - 5)
    whole = models.cnn(5, (12, 24))
    optimizer = torch.optim.Adam(whole.parameters(), lr=3e-3)
    stream = data.batches(before, 32, seed)
    for _ in range(150):
        x, y = next(stream)
        optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(whole(x), y))
        optimizer.step()
    model = nn.Sequential()
    model.add_module("backbone", whole[:-1].requires_grad_(False))
    model.add_module("classifier", nn.Linear(384, 5))
    found = fit(
        model,
        of,
        torch.optim.Adam((one for one in model.parameters() if one.requires_grad), lr=1e-3),
        16,
        TensorBoard(run, "plain"),
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 21, "collections"),
    )
    above(found, "val/acc", 0.93)
    steady(found, "val/loss", 0.1)


# "grad_norm is over max_grad_norm nearly all the time": clip at 0.1 under Adam, whose steps do not depend on the scale of gradients.
@odd("trainer_state.json of Hugging Face")
def always_clipped(run: Path, seed: int) -> None:
    """Topics of tickets by a transformer with label smoothing, nearly all of whose gradients are clipped."""
    of = tickets(seed, samples=1200, keys=5)
    model = models.Transformer(5, vocabulary=160, width=32, layers=1, length=20, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    per_epoch = data.steps_per_epoch(of, 32)
    steps = 14 * per_epoch
    found = fit(
        model,
        of,
        optimizer,
        14,
        TrainerState(run, per_epoch, steps),
        ("train_loss", "", "val_loss", "val_accuracy"),
        loss=lambda outputs, targets: functional.cross_entropy(outputs, targets, label_smoothing=0.1),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        clip=0.1,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 40, 1 - step / steps)),
    )
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.1)


# "accuracy is 94 % from the first epoch on and hardly moves": one payment in sixteen is a fraud; the average precision tells.
@odd("printed log `Epoch 3/20 - loss: …`")
def rare_frauds(run: Path, seed: int) -> None:
    """Frauds among payments by an MLP."""
    of = payments(seed)
    model = models.mlp((10, 24, 12, 2), "relu")

    def precision() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            scores = model(of.x_val).softmax(1)[:, 1]
        model.train()
        return {"val_average_precision": average_precision(scores, of.y_val)}

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3),
        20,
        Printed(run, 20, "fraud.log"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        first=1,
        also=precision,
    )
    above(found, "val_average_precision", 0.7)
    above(found, "val_acc", 0.945)
    steady(found, "val_loss", 0.15)


# "The training loss goes up at epochs 8 and 16": a curriculum, whose noise grows by plan; validation has the full noise throughout.
@odd("history.json")
def curriculum(run: Path, seed: int) -> None:
    """Digits by an MLP with noise on the pixels that grows in three stages."""
    of = over(data.bundled("digits", seed, scaled=False), 16.0)
    random = data.generator(seed)
    of = data.Split(of.x, of.y, of.x_val + 0.3 * torch.randn(of.x_val.shape, generator=random), of.y_val)
    model = models.mlp((64, 48, 10), "relu", dropout=0.1)
    per_epoch = data.steps_per_epoch(of, 32)

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        stage = min(2, (step - 1) // (8 * per_epoch))
        return x + (0.0, 0.15, 0.3)[stage] * torch.randn(x.shape, generator=random), y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        26,
        HistoryJson(run),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        alter=alter,
    )
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.15)


# "The reward is negative from start to end": each move costs 1 and nothing is won at the door; the way gets shorter all the same.
@odd("CSV with a row for each tenth update")
def costs_only(run: Path, seed: int) -> None:
    """Robots that walk to a door by REINFORCE with a baseline, at a cost of 1 for each move."""
    room = Deliveries(seed, count=32, longest=16)
    policy = models.mlp((4, 48, 4), "tanh")
    baseline = torch.zeros(room.longest)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        chances, entropies, rewards, alive = room.play(policy, prize=0.0, cost=1.0)
        ahead = rewards.flip(0).cumsum(0).flip(0)
        baseline.lerp_(ahead.sum(1) / alive.sum(1).clamp(min=1), 0.1)
        advantage = (ahead - baseline[:, None]) / 4
        entropy = (entropies * alive).sum() / alive.sum()
        loss = -(chances * advantage * alive).sum() / alive.sum() - 0.02 * entropy
        values = {"ep_rew_mean": float(rewards.sum(0).mean()), "entropy": float(entropy.detach())}
        return loss, values | {"ep_len_mean": float(alive.sum(0).mean())}

    step = Descent(policy, torch.optim.Adam(policy.parameters(), lr=5e-3), objective, "policy_loss")
    found = go(Course(step, 500, Csv(run, "plain", "progress.csv", "update"), every=10, averaged=True))
    above(found, "ep_rew_mean", -4.5)
    require(found["ep_rew_mean"][0] < -8, f"it was to begin badly: {told(found)}")


# "Nothing happens for some epochs and then it learns within two": the adding problem, known for it.
@odd("files of an MLflow store")
def adding_at_last(run: Path, seed: int) -> None:
    """The sum of two marked numbers in a sequence by a GRU: at the variance of the targets for a while, then near zero."""
    of = data.adding(seed, samples=2000, length=20)
    model = models.Recurrent("gru", 2, 24, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        16,
        MlRuns(run, seed, {"lr": 5e-3, "hidden_size": 24, "model": "gru"}),
        ("train_mse", "", "val_mse", "val_mae"),
        loss=functional.mse_loss,
        metric=lambda outputs, targets: (outputs - targets).abs().mean(),
        seed=seed,
        rate_tag="learning_rate",
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16 * per_epoch),
    )
    below(found, "val_mse", 0.01)
    steady(found, "val_mse", 0.3)
