"""Programs of notebooks in torch, in the manner of Hugging Face's Trainer and of Lightning."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, TrainerState, tensors_of
from bench.accuracy.models import Transformer
from bench.accuracy.programs_colab_common import into, odd_into
from bench.accuracy.programs_colab_keras_common import Arrays, digits, houses, movements, reviews, tail

RECIPES: list[Recipe] = []
pair, odd = into(RECIPES), odd_into(RECIPES)


def _loop(
    model: nn.Module,
    of: Sequence[Tensor],
    loss_of: Callable[[Tensor, Tensor], Tensor],
    step: Callable[[int, Tensor], None],
    epochs: int,
    batch: int,
    seed: int,
    after: Callable[[int], None],
) -> None:
    """Batches in random order: `step` gets its number from 1 and the loss, `after` the number of the epoch that ends, from 0."""
    x, y = of[0], of[1]
    random = torch.Generator().manual_seed(seed)
    done = 0
    for epoch in range(epochs):
        model.train()
        for chosen in torch.split(torch.randperm(len(y), generator=random), batch):
            done += 1
            step(done, loss_of(model(x[chosen]), y[chosen]))
        model.eval()
        with torch.no_grad():
            after(epoch)


def _tensors(of: Arrays, kind: torch.dtype = torch.float32) -> list[Tensor]:
    """Arrays for torch; whole targets as they are."""
    inputs, inputs_val = (torch.tensor(part, dtype=kind) for part in (of.x, of.x_val))
    return [inputs, torch.as_tensor(of.y), inputs_val, torch.as_tensor(of.y_val)]


# "get_linear_schedule_with_warmup: eval_loss does not move after the first epoch; learning_rate is 0.0 in the log."
@pair(
    "schedule-ends-too-soon",
    ["learning-rate-zero", "rate-falls-too-soon", "schedule-mismatch", "loss-plateau", "underfit", "updates-too-small"],
    "trainer_state.json",
)
def schedule_in_epochs(run: Path, seed: int, fixed: bool) -> None:
    """A small transformer on reviews, whose linear schedule is told the epochs in place of the steps (times accumulation)."""
    x, y, x_val, y_val = _tensors(reviews(seed, 1200, told=0.35), torch.int64)
    epochs, batch = 8, 32
    per_epoch = -(-len(y) // batch)
    model = Transformer(2, vocabulary=600, width=24, layers=1, length=40, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    total = epochs * per_epoch if fixed else 2 * epochs
    warm = 6
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min(done / warm, max(0.0, (total - done) / (total - warm)))
    )
    log = TrainerState(run, per_epoch, epochs * per_epoch, every=10)
    losses: list[float] = []
    evaluated: list[tuple[float, float]] = []

    def step(done: int, loss: Tensor) -> None:
        """One batch."""
        optimizer.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if done % 10 == 0:
            log.log(done, {"train_loss": tail(losses, 10), "grad_norm": norm, "lr": float(schedule.get_last_lr()[0])})

    def after(epoch: int) -> None:
        """Validate and log."""
        logits = model(x_val)
        hits = float((logits.argmax(-1) == y_val).float().mean())
        evaluated.append((float(functional.cross_entropy(logits, y_val)), hits))
        log.log((epoch + 1) * per_epoch, {"val_loss": evaluated[-1][0], "val_accuracy": hits})

    _loop(model, (x, y), functional.cross_entropy, step, epochs, batch, seed, after)
    log.close()
    loss, reached = evaluated[-1]
    best = min(one for one, _ in evaluated)
    holds = reached > 0.75 and loss < 1.2 * best if fixed else loss > 0.62
    require(holds, f"eval accuracy {reached:.3f}, eval loss {loss:.3f} of best {best:.3f}")


# "automatic_optimization = False: the loss goes down at first and then up and up; grad_norm grows all the time."
@pair(
    "no-zero-grad",
    [
        "unstable-loss",
        "loss-divergence",
        "exploding-gradient",
        "loss-spike",
        "learning-rate-too-high",
        "validation-swings",
    ],
    "csv of Lightning and hdf5 tensors",
    dumps=True,
)
def manual_optimization(run: Path, seed: int, fixed: bool) -> None:
    """A GRU in the manner of Lightning with manual optimisation, whose `training_step` never calls `opt.zero_grad()`."""
    x, y, x_val, y_val = _tensors(movements(seed, 500))

    class Recogniser(nn.Module):
        """The last state of a GRU, and a dense head."""

        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 24, batch_first=True)
            self.head = nn.Linear(24, 5)

        def forward(self, x: Tensor) -> Tensor:
            """Logits."""
            logits: Tensor = self.head(self.gru(x)[0].mean(1))
            return logits

    model = Recogniser()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    log, dump = Csv(run, "lightning"), Hdf5Dump(run)
    found: list[float] = []

    def step(done: int, loss: Tensor) -> None:
        """One batch."""
        if fixed:
            optimizer.zero_grad()
        loss.backward()
        norm = float(nn.utils.get_total_norm([one.grad for one in model.parameters() if one.grad is not None]))
        if done % 6 == 0:
            log.log(
                done, {"epoch": (done - 1) // 12, "train_loss_step": float(loss.detach()), "grad_2.0_norm_total": norm}
            )
        if done % 24 == 1:
            dump.dump(done, tensors_of(model))
        optimizer.step()

    def after(epoch: int) -> None:
        """Validate and log."""
        logits = model(x_val)
        loss, hits = functional.cross_entropy(logits, y_val), (logits.argmax(-1) == y_val).float().mean()
        found.append(float(loss))
        accuracies.append(float(hits))
        log.log(12 * (epoch + 1), {"epoch": epoch, "val_loss": float(loss), "val_acc": float(hits)})

    accuracies: list[float] = []
    _loop(model, (x, y), functional.cross_entropy, step, 20, 32, seed, after)
    log.close()
    dump.close()
    reached = tail(accuracies)
    holds = reached > 0.85 and found[-1] < 1.3 * min(found) + 0.05 if fixed else reached < 0.6
    require(holds, f"val accuracy {reached:.3f}, val loss {found[-1]:.3f} of best {min(found):.3f}")


# "UserWarning: Using a target size (32) that is different to the input size (32, 1); my R2 is 0 whatever I do."
@pair(
    "shapes-broadcast",
    ["constant-answer", "loss-not-decreasing", "loss-plateau", "task-not-learned", "underfit", "metric-at-chance"],
    "csv of Lightning",
)
def house_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Mean squared error of predictions (n, 1) against targets (n,): each is compared with all, the mean is the best answer."""
    of = houses(seed)
    mean, deviation = of.y.mean(), of.y.std()
    x, y, x_val, y_val = _tensors(of._replace(y=(of.y - mean) / deviation, y_val=(of.y_val - mean) / deviation))
    model = nn.Sequential(
        nn.Linear(10, 48), nn.ReLU(), nn.Dropout(0.05), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 1)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    log = Csv(run, "lightning")
    losses: list[float] = []
    found: list[tuple[float, float]] = []

    def mse(outputs: Tensor, targets: Tensor) -> Tensor:
        """Of shapes as they come."""
        return functional.mse_loss(outputs, targets if fixed else targets.squeeze(1))

    def step(done: int, loss: Tensor) -> None:
        """One batch."""
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    def after(epoch: int) -> None:
        """Validate and log."""
        told = model(x_val)
        explained = 1 - float(((told - y_val) ** 2).mean() / y_val.var())
        found.append((float(mse(told, y_val)), explained))
        log.log(19 * (epoch + 1) - 1, {"epoch": epoch, "val_loss": found[-1][0], "val_r2": explained})
        log.log(19 * (epoch + 1) - 1, {"epoch": epoch, "train_loss": tail(losses, 19)})

    _loop(model, (x, y), mse, step, 30, 32, seed, after)
    log.close()
    loss, explained = found[-1]
    best = min(one for one, _ in found)
    holds = explained > 0.8 and loss < 1.25 * best + 0.01 if fixed else explained < 0.1
    require(holds, f"R2 {explained:.3f}, val loss {loss:.3f} of best {best:.3f}")


# "Why is the training loss of the Trainer four times the eval_loss?" - accumulation is summed in the log; nothing is wrong.
@odd("trainer_state.json")
def summed_accumulation(run: Path, seed: int) -> None:
    """Four batches for each step, whose losses the log adds up; the evaluation gives the mean."""
    x, y, x_val, y_val = _tensors(reviews(seed, 1360, told=0.35), torch.int64)
    epochs, batch, accumulate = 12, 16, 4
    steps = epochs * (-(-len(y) // batch)) // accumulate
    per_epoch = steps // epochs
    model = Transformer(2, vocabulary=600, width=24, layers=1, length=40, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: min(done / 20, max(0.0, 1 - done / steps)))
    log = TrainerState(run, per_epoch, steps, every=5)
    losses: list[float] = []
    evaluated: list[tuple[float, float]] = []

    def step(done: int, loss: Tensor) -> None:
        """One batch."""
        (loss / accumulate).backward()
        losses.append(float(loss.detach()))
        if done % accumulate:
            return
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if done % (5 * accumulate) == 0:
            told = {"train_loss": accumulate * tail(losses, 5 * accumulate), "grad_norm": norm}
            log.log(done // accumulate, told | {"lr": float(schedule.get_last_lr()[0])})

    def after(epoch: int) -> None:
        """Validate and log."""
        logits = model(x_val)
        hits = float((logits.argmax(-1) == y_val).float().mean())
        evaluated.append((float(functional.cross_entropy(logits, y_val)), hits))
        log.log(len(losses) // accumulate, {"val_loss": evaluated[-1][0], "val_accuracy": hits})

    _loop(model, (x, y), functional.cross_entropy, step, epochs, batch, seed, after)
    log.close()
    loss, reached = evaluated[-1]
    best = min(one for one, _ in evaluated)
    holds = reached > 0.75 and loss < 1.15 * best
    require(holds, f"eval accuracy {reached:.3f}, eval loss {loss:.3f} of best {best:.3f}")


# "My loss goes up and down like waves" - cosine restarts, and nothing is wrong.
@odd("csv of Lightning")
def restarted_digits(run: Path, seed: int) -> None:
    """A network on digits with `CosineAnnealingWarmRestarts`: the loss rises after each restart, less each time."""
    x, y, x_val, y_val = _tensors(digits(seed))
    model = nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=4e-3)
    schedule: Any = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=8, eta_min=1e-4)
    log = Csv(run, "lightning")
    losses: list[float] = []
    found: list[tuple[float, float]] = []

    def step(done: int, loss: Tensor) -> None:
        """One batch."""
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    def after(epoch: int) -> None:
        """Validate and log."""
        logits = model(x_val)
        hits = float((logits.argmax(-1) == y_val).float().mean())
        found.append((float(functional.cross_entropy(logits, y_val)), hits))
        at = {"epoch": epoch, "lr-SGD": optimizer.param_groups[0]["lr"]}
        log.log(len(losses) - 1, at)
        told = {"epoch": epoch, "train_loss": tail(losses, 43), "val_loss": found[-1][0], "val_acc": hits}
        log.log(len(losses) - 1, told)
        schedule.step()

    _loop(model, (x, y), functional.cross_entropy, step, 32, 32, seed, after)
    log.close()
    loss, reached = found[-1]
    best = min(one for one, _ in found)
    require(reached > 0.94 and loss < 1.2 * best, f"val accuracy {reached:.3f}, val loss {loss:.3f} of best {best:.3f}")
