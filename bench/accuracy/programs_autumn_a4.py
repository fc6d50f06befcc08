"""Autumn programs in PyTorch, fourth part: numbers that are none, resumed runs, sets of parameters, balance, and generators."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import (
    Console,
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    ParquetLong,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.programs_autumn_a_common import bikes, loans, tickets, tunes
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import (
    NOTHING_LEARNED,
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    steady,
)
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def broken(values: list[float]) -> None:
    """Require that the last values are not finite."""
    require(not torch.tensor(values[-3:]).isfinite().any(), f"was to end without numbers: {values[-3:]}")


# "The loss is nan from the second batch": np.log over skewed columns, and some of the concavities are 0.
@pair(
    "nan-from-log-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "exploding-tensor", "metric-at-chance", "constant-answer"),
    "printed log, a line every second batch",
)
def cancer_log_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by an MLP with a batch norm before it, over the log of each column; fixed: log1p."""
    of = data.bundled("breast_cancer", seed, scaled=False)
    change = torch.log1p if fixed else torch.log
    of = replace(of, x=change(of.x), x_val=change(of.x_val))
    model = nn.Sequential(nn.BatchNorm1d(30), nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        14,
        Console(run, "plain", "run.log", "batch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        every=2,
    )
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss", 0.5)
    else:
        broken(found["loss"])


# "inf, then nan": torch.exp of the output for counts of hires, and a column of 1013 hPa that nobody scaled.
@pair(
    "overflow",
    ("non-finite", "loss-goes-missing", "exploding-gradient", "loss-divergence", "loss-spike", "data-not-normalized"),
    "SummaryWriter each fifth batch",
)
def bikes_exp_of_raw(run: Path, seed: int, fixed: bool) -> None:
    """Counts of hires by exp() of an MLP over raw columns; fixed: over standardised ones and PoissonNLLLoss's own form."""
    of, model = bikes(seed, scaled=fixed, relative=False), models.mlp((7, 48, 48, 1), "relu")

    def poisson(outputs: Tensor, targets: Tensor) -> Tensor:
        if fixed:
            return functional.poisson_nll_loss(outputs, targets / 100)
        rate = torch.exp(outputs)
        return (rate - targets / 100 * torch.log(rate)).mean()

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        20,
        TensorBoard(run, "plain"),
        ("train/poisson_nll", "", "valid/poisson_nll", "valid/r2"),
        loss=poisson,
        metric=lambda outputs, targets: explained(torch.exp(outputs), targets / 100),
        seed=seed,
        every=5,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "valid/r2", 0.7)
        steady(found, "valid/poisson_nll", 0.3)
    else:
        broken(found["train/poisson_nll"])


class MaskedMean(nn.Module):
    """Embeddings, a mean over those that are no padding (0), and two dense layers."""

    def __init__(self, safe: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(160, 24, padding_idx=0)
        self.fc1, self.fc2 = nn.Linear(24, 32), nn.Linear(32, 5)
        self.safe = safe

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 5)."""
        count = (x > 0).sum(1, keepdim=True)
        pooled = self.embedding(x).sum(1) / (count.clamp(min=1) if self.safe else count)
        logits: Tensor = self.fc2(torch.relu(self.fc1(pooled)))
        return logits


# "nan after 60 batches, but only on the full data": one ticket is empty, and the mean over its words divides by 0.
@pair(
    "nan-in-one-layer",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "exploding-tensor", "metric-at-chance"),
    "JSON lines; HDF5 with weights and gradients every 12 steps",
    dumps=True,
)
def tickets_one_is_empty(run: Path, seed: int, fixed: bool) -> None:
    """Teams for tickets by a masked mean; one ticket has no words; fixed: its count is at least 1."""
    of = tickets(seed, told=0.4)
    x = of.x.clone()
    x[40 + seed] = 0
    of, model = replace(of, x=x), MaskedMean(fixed)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        14,
        JsonLines(run, "plain", "log.jsonl", "step"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        batch=16,
        every=4,
        snapshots=Snapshots(Hdf5Dump(run), model, 12, "torch", watched=False),
    )
    if fixed:
        above(found, "val_acc", 0.85)
        steady(found, "val_loss", 0.4)
    else:
        broken(found["train_loss"])


# "Scale 1e-25 and nothing learned": a penalty is summed in half precision, and does not fit into it.
@pair(
    "loss-scale-collapse",
    (
        "loss-scale-collapse",
        *NOTHING_LEARNED,
        "non-finite",
        "masked-non-finite",
        "unchanged-tensor",
        "loss-goes-missing",
    ),
    "Hugging Face-like trainer_state.json with loss_scale",
)
def tunes_scaler_at_nothing(run: Path, seed: int, fixed: bool) -> None:
    """Next notes by a GRU under a loss scale that halves at each overflow; a penalty is too large for half precision; fixed: averaged."""
    of = tunes(seed)
    model = models.Recurrent("gru", 16, 32, 12, vocabulary=12, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    stream, per_epoch = data.batches(of, 20, seed), data.steps_per_epoch(of, 20)
    scale = {"now": 65536.0, "good": 0}

    def step(number: int) -> dict[str, float]:
        x, y = next(stream)
        optimizer.zero_grad()
        outputs = model(x).reshape(-1, 12)
        loss = functional.cross_entropy(outputs, y.reshape(-1))
        # Half precision ends at 65504: the sum of the squares of large activations does not fit.
        penalty = (1e3 * outputs).half().square().sum().float() if not fixed else outputs.square().mean()
        total = loss + 1e-6 * penalty
        (total * scale["now"]).backward()
        grads = [one.grad for one in model.parameters() if one.grad is not None]
        if all(bool(one.half().isfinite().all()) for one in grads) and bool(total.isfinite()):
            for one in grads:
                one /= scale["now"]
            optimizer.step()
            scale["good"] += 1
            if scale["good"] % 100 == 0:
                scale["now"] *= 2
        else:
            scale["now"] /= 2
        return {"train_loss": float(loss.detach()), "loss_scale": scale["now"], "lr": 8e-3}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val).reshape(-1, 12)
        targets = of.y_val.reshape(-1)
        right = float((outputs.argmax(-1) == targets).float().mean())
        return {"val_loss": float(functional.cross_entropy(outputs, targets)), "val_accuracy": right}

    log = TrainerState(run, per_epoch, 10 * per_epoch, 5)
    found = go(Course(step, 10 * per_epoch, log, every=5, evaluate=evaluate, evaluate_every=per_epoch))
    if fixed:
        above(found, "val_accuracy", 0.5)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.2)
        below(found, "loss_scale", 1e-3)


# "After the restart the loss jumps and never gets back": the checkpoint had the model, but neither scheduler nor optimizer.
@pair(
    "resume-without-scheduler",
    (
        "state-lost-on-resume",
        "loss-spike",
        "schedule-mismatch",
        "unstable-loss",
        "best-is-not-last",
        "learning-rate-too-high",
    ),
    "SummaryWriter, two event files, each second batch",
    since=280,
)
def tunes_resumed_hot(run: Path, seed: int, fixed: bool) -> None:
    """Next notes by a GRU; after epoch 14 of 18 training goes on with a new Adam and rate; fixed: with the states of both."""
    of, model = tunes(seed), models.Recurrent("gru", 16, 32, 12, vocabulary=12, every_step=True)
    tags = ("train/loss", "", "val/loss", "val/acc")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.15)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.992)
    parts: list[Mapping[str, list[float]]] = []
    for part, epochs in enumerate((14, 4)):
        if part and not fixed:
            optimizer = torch.optim.Adam(model.parameters(), lr=0.15)
            schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.992)
        log = TensorBoard(run, "plain", suffix=f".part{part}")
        begun, order = part * 280, seed + part
        parts.append(
            fit(
                model,
                of,
                optimizer,
                epochs,
                log,
                tags,
                batch=20,
                seed=order,
                every=2,
                first=begun,
                rate_tag="train/lr",
                schedule=schedule,
            )
        )
    whole = {tag: [*parts[0][tag], *parts[1][tag]] for tag in parts[0]}
    if fixed:
        above(whole, "val/acc", 0.55)
        steady(whole, "val/loss", 0.3)
    else:
        before, after = min(parts[0]["train/loss"]), parts[1]["train/loss"][:20]
        require(max(after) > 1.4 * before, f"no jump: {before:.3g}, {max(after):.3g}")
        below({"gain": [min(parts[0]["val/loss"]) - parts[1]["val/loss"][-1]]}, "gain", -0.03)


# "Only the last layer learns": optimizer = Adam(model.head.parameters()), kept from an experiment.
@pair(
    "parameters-not-in-optimizer",
    ("unchanged-tensor", "underfit", "loss-plateau", "loss-not-decreasing"),
    "SummaryWriter with scalars an epoch; add_histogram of weights and gradients each second",
    dumps=True,
)
def letters_head_only(run: Path, seed: int, fixed: bool) -> None:
    """Next letters of a text by an LSTM whose head alone is in the optimizer; fixed: all is."""
    of, vocabulary = data.characters(seed, sentences=600)
    model = models.Recurrent("lstm", 16, 40, vocabulary, vocabulary=vocabulary, every_step=True)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam((model if fixed else model.head).parameters(), lr=1e-2),
        10,
        writer,
        ("loss/train", "", "loss/val", "acc/val"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 40, watched=False),
    )
    if fixed:
        above(found, "acc/val", 0.65)
        steady(found, "loss/val", 0.2)
    else:
        below(found, "acc/val", 0.5)


# "97 % right and not one bad loan found": three bad loans in a hundred, and no weights.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "constant-answer",
        "nothing-found",
        "class-never-found",
        "metric-left-behind",
        "classifier-confusion",
    ),
    "wandb export as csv",
)
def loans_three_in_a_hundred(run: Path, seed: int, fixed: bool) -> None:
    """Loans of which 3 % fail, with a plain loss; fixed: weighted by the share of the classes."""
    of, model = loans(seed, samples=2400, share=0.03, clear=1.2), models.mlp((11, 16, 2), "tanh")
    weight = torch.tensor([1.0, 12.0]) if fixed else None

    def balanced() -> dict[str, float]:
        with torch.no_grad():
            said = model(of.x_val).argmax(-1)
        hits = float(((said == 1) & (of.y_val == 1)).sum())
        precision, recall = hits / max(1.0, float(said.sum())), hits / float(of.y_val.sum())
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        return {"val/precision": precision, "val/recall": recall, "val/f1": f1}

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.5),
        15,
        Csv(run, "plain", "wandb_export.csv", "Step"),
        ("train/loss", "train/accuracy", "val/loss", "val/accuracy"),
        loss=lambda outputs, targets: functional.cross_entropy(outputs, targets, weight),
        seed=seed,
        also=balanced,
    )
    if fixed:
        above(found, "val/recall", 0.4)
        above(found, "val/f1", 0.2)
        steady(found, "val/loss", 0.3)
    else:
        below(found, "val/recall", 0.05)


# "One hidden unit seemed enough for the microcontroller": and the loss of both parts stands high.
@pair(
    "underfit",
    ("underfit", "loss-plateau", "metric-at-chance", "loss-not-decreasing", "most-answers-wrong", "class-never-found"),
    "Parquet, long",
)
def digits_through_one_unit(run: Path, seed: int, fixed: bool) -> None:
    """Digits through a layer of one unit; fixed: of 32."""
    of, model = data.bundled("digits", seed), models.mlp((64, 32 if fixed else 1, 10), "relu")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3),
        18,
        ParquetLong(run, "plain"),
        ("train/loss", "train/top1", "val/loss", "val/top1"),
        seed=seed,
    )
    if fixed:
        above(found, "val/top1", 0.93)
        steady(found, "val/loss", 0.3)
    else:
        below(found, "val/top1", 0.5)
