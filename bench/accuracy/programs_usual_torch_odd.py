"""Usual programs in PyTorch that look odd and are healthy: rates, freezing, accumulation, resuming and rewards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_desk_common import flats, gestures, mails, spectra
from bench.accuracy.programs_field_common import Course, Snapshots, above, fit, go, last, steady
from bench.accuracy.programs_field_common import told as figures
from bench.accuracy.programs_post_common import CartPole, explained, over, patients, pictures, returns, rollout
from bench.accuracy.programs_usual_common import odd_into
from bench.accuracy.programs_usual_torch_common import river, towns

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Validation is better than training, is something leaking?": no, half of all units are dropped while training.
@odd("csv by hand with a row for each epoch")
def t_pictures_strong_dropout(run: Path, seed: int) -> None:
    """Shapes in pictures by a CNN with a dropout of 0.5 twice, so that validation is better than training."""
    of = over(pictures(seed, samples=900, noise=50.0), 255.0)
    head = (nn.Flatten(), nn.Dropout(0.5), nn.Linear(256, 48), nn.ReLU(), nn.Dropout(0.5), nn.Linear(48, 4))
    body = (nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU(), nn.MaxPool2d(2))
    model = nn.Sequential(*body, *head)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1.5e-3),
        30,
        Csv(run, "plain", "results.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.2)
    require(last(found, "val_loss") < last(found, "train_loss"), f"validation was to be better: {figures(found)}")


# "The loss will not go below 0.35 though all is right": label smoothing of 0.1 has such a floor.
@odd("Hugging Face trainer_state.json")
def t_towns_label_smoothing(run: Path, seed: int) -> None:
    """Regions of towns by a transformer with labels smoothed by 0.1, warm-up and linear decay."""
    of = towns(seed)
    epochs, per_epoch = 10, data.steps_per_epoch(of, 32)
    total = epochs * per_epoch
    model = models.Transformer(4, vocabulary=27, layers=2, length=10, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    ramp = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: min((at + 1) / 30, max(0.0, 1 - at / total)))
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, total, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        loss=lambda outputs, y: functional.cross_entropy(outputs, y, label_smoothing=0.1),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=ramp,
    )
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.1)


# "lr goes up and down and so does the loss": cosine annealing with warm restarts, as meant.
@odd("SummaryWriter with scalars for each tenth batch")
def t_spectra_warm_restarts(run: Path, seed: int) -> None:
    """Plastics by their spectra under SGD with three warm restarts of the rate."""
    of = spectra(seed, samples=1200, noise=0.5)
    model = models.mlp((60, 48, 5), "relu", dropout=0.3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-2)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        28,
        TensorBoard(run, "plain"),
        ("Loss/train", "Acc/train", "Loss/val", "Acc/val"),
        seed=seed,
        every=10,
        rate_tag="LR",
        schedule=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4 * per_epoch, 2),
    )
    above(found, "Acc/val", 0.85)
    steady(found, "Loss/val", 0.1)


# "Half of my weights never change": the body was trained on the other task before and is frozen on purpose.
@odd("Lightning metrics.csv and tensors in HDF5", dumps=True)
def t_digits_frozen_backbone(run: Path, seed: int) -> None:
    """Whether a digit is even, by a head on a frozen CNN that had learned the digits before (not logged)."""
    of = data.bundled("digits", seed).as_images()
    body = models.cnn(10, (8, 16, 16))
    before = torch.optim.Adam(body.parameters(), lr=2e-3)
    stream = data.batches(of, 64, seed)
    for _ in range(6 * data.steps_per_epoch(of, 64)):
        x, y = next(stream)
        before.zero_grad()
        cross_entropy(body(x), y).backward()  # type: ignore[no-untyped-call]
        before.step()
    body.fc = nn.Identity()
    for one in body.parameters():
        one.requires_grad = False
    body.zero_grad()
    model = nn.Sequential()
    model.add_module("backbone", body)
    model.add_module("head", models.mlp((64, 32, 2), "relu"))
    task = data.Split(of.x, of.y % 2, of.x_val, of.y_val % 2)
    found = fit(
        model,
        task,
        torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=1e-3),
        10,
        Csv(run, "lightning", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=64,
        snapshots=Snapshots(Hdf5Dump(run), model, 44, "torch"),
    )
    above(found, "val_acc", 0.88)
    steady(found, "val_loss", 0.2)


# "My loss is negative": the log-likelihood of a density may be above nought.
@odd("json lines for each epoch")
def t_flats_negative_loss(run: Path, seed: int) -> None:
    """Rents and how sure they are by nn.GaussianNLLLoss, which falls below nought."""
    of = flats(seed, samples=1600)
    mean, spread = of.y.mean(), of.y.std()
    of = data.Split(of.x, (of.y - mean) / spread, of.x_val, (of.y_val - mean) / spread)
    model = models.mlp((9, 48, 32, 2), "tanh")
    gauss = nn.GaussianNLLLoss(eps=1e-3)

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        told: Tensor = gauss(outputs[:, :1], targets, functional.softplus(outputs[:, 1:]))
        return told

    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05),
        14,
        JsonLines(run, "plain", "nll.jsonl", "epoch"),
        ("train_nll", "", "val_nll", "val_r2"),
        loss=likelihood,
        metric=lambda outputs, targets: explained(outputs[:, :1], targets),
        seed=seed,
        rate_tag="lr",
    )
    above(found, "val_r2", 0.85)
    require(last(found, "val_nll") < 0, f"was to be negative: {figures(found)}")
    steady(found, "val_nll", 0.1)


# "The reward jumps like mad": policy gradients with one game an update; the trend is upward.
@odd("SummaryWriter with a scalar for each episode")
def t_pole_noisy_returns(run: Path, seed: int) -> None:
    """The pole on a cart by REINFORCE with three games an update and a bonus for entropy."""
    policy = models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    pole = CartPole(seed, longest=150)

    def step(_: int) -> dict[str, float]:
        games = [rollout(policy, pole) for _ in range(3)]
        worth = torch.cat([returns(rewards) for _, _, rewards in games])
        shares = policy(torch.cat([states for states, _, _ in games])).log_softmax(-1)
        taken = shares.gather(1, torch.cat([actions for _, actions, _ in games])[:, None])[:, 0]
        entropy = -(shares.exp() * shares).sum(-1).mean()
        loss = -(taken * (worth - worth.mean()) / (worth.std() + 1e-6)).mean() - 0.01 * entropy
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        told = {"losses/policy_loss": float(loss.detach()), "losses/entropy": float(entropy.detach())}
        return {"charts/episodic_return": float(len(games[0][2])), **told}

    found = go(Course(step, 110, TensorBoard(run, "plain"), every=1))
    early, late = sum(found["charts/episodic_return"][:10]) / 10, last(found, "charts/episodic_return", 25)
    require(late > 60 and late > 2 * early, f"was to learn: {figures(found)}")


# "Only the rows of the words seen change": sparse embeddings, and the gradients of four batches for each step.
@odd("printed log with a line for each tenth step")
def t_mails_accumulated_sparse(run: Path, seed: int) -> None:
    """Departments of mails by sparse embeddings with SparseAdam and Adam, four small batches a step."""
    of = mails(seed, samples=1600)
    model = nn.ModuleDict({"words": nn.EmbeddingBag(200, 16, sparse=True), "head": nn.Linear(16, 4)})
    sparse: torch.optim.Optimizer = torch.optim.SparseAdam(list(model["words"].parameters()), lr=5e-3)
    dense = torch.optim.Adam(model["head"].parameters(), lr=5e-3)
    stream, per_epoch = data.batches(of, 8, seed), data.steps_per_epoch(of, 32)

    def step(_: int) -> dict[str, float]:
        total, hit = 0.0, 0.0
        for one in (sparse, dense):
            one.zero_grad()
        for _ in range(4):
            x, y = next(stream)
            outputs = model["head"](model["words"](x))
            loss = cross_entropy(outputs, y) / 4
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
            hit += float(accuracy(outputs.detach(), y)) / 4
        for one in (sparse, dense):
            one.step()
        return {"loss": total, "acc": hit}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model["head"](model["words"](of.x_val))
        return {"val_loss": float(cross_entropy(outputs, of.y_val)), "val_acc": float(accuracy(outputs, of.y_val))}

    log = Console(run, "plain", "train.log", "step")
    found = go(Course(step, 14 * per_epoch, log, every=10, averaged=True, evaluate=evaluate, evaluate_every=per_epoch))
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.2)


# "The log has two files, is it whole?": stopped at epoch 8 and resumed from a full checkpoint.
@odd("two SummaryWriters, one for each part of the run")
def t_river_resumed_well(run: Path, seed: int) -> None:
    """The level of a river by a GRU, resumed with model, optimizer and scheduler, the steps going on."""
    of = river(seed)
    per_epoch = data.steps_per_epoch(of, 32)
    model = models.Recurrent("gru", 2, 24, 1)
    optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16 * per_epoch)
    trails = []
    for first in (0, 8):
        if first:
            kept = model.state_dict(), optimizer.state_dict(), schedule.state_dict()
            model = models.Recurrent("gru", 2, 24, 1)
            optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16 * per_epoch)
            parts: tuple[Any, ...] = (model, optimizer, schedule)
            for one, state in zip(parts, kept, strict=True):
                one.load_state_dict(state)
        tags = ("train/loss", "", "val/loss", "val/r2")
        trails.append(
            fit(
                model,
                of,
                optimizer,
                8,
                TensorBoard(run, "plain", suffix=f".{first}"),
                tags,
                loss=functional.mse_loss,
                metric=explained,
                seed=seed + first,
                every=10,
                first=first * per_epoch,
                rate_tag="train/lr",
                schedule=schedule,
            )
        )
    above(trails[1], "val/r2", 0.8)
    steady(trails[1], "val/loss", 0.2)


# "Only 4 of 10 right": many classes that overlap much; it is a hard task, and the curve still rises at the end of the budget.
@odd("SummaryWriter with one scalar an epoch")
def t_gestures_hard_and_slow(run: Path, seed: int) -> None:
    """Gestures under so much noise that not half of them can be told, by a 1-D CNN at a low rate."""
    of = gestures(seed, samples=2400, noise=2.2)
    of = data.Split(of.x.transpose(1, 2), of.y, of.x_val.transpose(1, 2), of.y_val)
    pooled = (nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, 5))
    model = nn.Sequential(nn.Conv1d(3, 12, 7), nn.ReLU(), nn.Conv1d(12, 16, 5), nn.ReLU(), *pooled)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        20,
        TensorBoard(run, "plain"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        batch=64,
        seed=seed,
    )
    above(found, "val_accuracy", 0.35)
    steady(found, "val_loss", 0.05)
    require(last(found, "val_accuracy") < 0.75, f"was to be hard: {figures(found)}")


# "It stopped after 20 epochs, the set has 130 rows": tiny data, and patience of 4.
@odd("csv by hand with a row for each epoch")
def t_patients_early_stop(run: Path, seed: int) -> None:
    """Who is sick, of 160 patients, by a small MLP that is stopped when validation has not gained for 4 epochs."""
    of = patients(seed, samples=220)
    model = models.mlp((8, 16, 2), "relu")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        60,
        Csv(run, "plain", "training.csv", "epoch"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        batch=16,
        seed=seed,
        stop=lambda trail: len(trail["val_loss"]) > 4 and min(trail["val_loss"][-4:]) > min(trail["val_loss"][:-4]),
    )
    require(len(found["loss"]) < 60, f"was to stop: {figures(found)}")
    above(found, "val_accuracy", float(torch.bincount(of.y_val).max()) / len(of.y_val) + 0.05)
    steady(found, "val_loss", 0.1)
