"""PyTorch programs of teams in speech, medicine, recommendation, robotics and language; and their repaired versions."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, HistogramDump, TensorBoard
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, not_below, steady
from bench.accuracy.programs_team_common import into
from bench.accuracy.programs_team_torch_common import Written, arm, heartbeats, r_squared, ratings, utterances

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "Cross-entropy hangs at 2.9 and the loss cannot be pushed lower": forward() ends in softmax, and CrossEntropyLoss has one of its own.
@pair(
    "softmax-twice",
    ("loss-not-decreasing", "loss-plateau", "underfit", "still-improving", "metric-at-chance", "task-not-learned"),
    "jsonl with one line for each split of an epoch",
)
def wake_words(run: Path, seed: int, fixed: bool) -> None:
    """Twenty spoken commands by a 1-D CNN that ends in softmax before CrossEntropyLoss; fixed: logits."""
    of = utterances(seed, 1200, 20)
    model = nn.Sequential(
        nn.Conv1d(14, 24, 5),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(24, 24, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(192, 20),
        nn.Identity() if fixed else nn.Softmax(dim=-1),
    )

    def form(epoch: int, told: Mapping[str, float]) -> str:
        rows = [
            {
                "ep": epoch + 1,
                "split": part,
                "xent": round(told[f"{part}.xent"], 5),
                "utt_acc": round(told[f"{part}.acc"], 4),
            }
            for part in ("train", "dev")
        ]
        return "".join(json.dumps(row) + "\n" for row in rows)

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.05),
        20,
        Written(run / "kws_progress.jsonl", form),
        ("train.xent", "train.acc", "dev.xent", "dev.acc"),
        seed=seed,
    )
    if fixed:
        above(found, "dev.acc", 0.85)
        steady(found, "dev.xent", 0.2)
    else:
        below(found, "dev.acc", 0.5)
        not_below(found, "dev.xent", 2.5)


# "AUROC stays at one half": the array of beats was shuffled with one permutation, the array of labels with another.
@pair(
    "labels-shuffled",
    ("metric-at-chance", "overfit", "overtraining", "generalisation-gap", "best-is-not-last", "task-not-learned"),
    "csv with semicolons",
)
def ectopic_beats(run: Path, seed: int, fixed: bool) -> None:
    """Premature beats in an ECG, labels in another order than the beats; fixed: one permutation for both."""
    of = heartbeats(seed, noise=0.2)
    order = torch.randperm(len(of.x), generator=data.generator(seed))
    other = order if fixed else torch.randperm(len(of.x), generator=data.generator(seed + 100))
    of = data.Split(of.x[order], of.y[other], of.x_val, of.y_val)
    model = models.mlp((64, 32, 16, 1), "elu", dropout=0.25)

    def auroc(outputs: Tensor, targets: Tensor) -> Tensor:
        return torch.tensor(roc_auc_score(targets[:, 0].numpy(), outputs[:, 0].numpy()))

    def form(epoch: int, told: Mapping[str, float]) -> str:
        return ";".join([str(epoch), *(f"{told[name]:.6f}" for name in ("bce_tr", "bce_va", "auroc_va"))]) + "\n"

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=2e-3),
        24,
        Written(run / "fold1.csv", form, "epoch;bce_tr;bce_va;auroc_va\n"),
        ("bce_tr", "", "bce_va", "auroc_va"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=auroc,
        seed=seed,
    )
    if fixed:
        above(found, "auroc_va", 0.95)
        steady(found, "bce_va", 0.1)
    else:
        below(found, "auroc_va", 0.62)
        not_below(found, "bce_va", 0.69)


class Factors(nn.Module):
    """Products of embeddings of users and films, and a bias of each."""

    def __init__(self, users: int = 90, films: int = 60, width: int = 6) -> None:
        super().__init__()
        self.user, self.film = nn.Embedding(users, width), nn.Embedding(films, width)
        self.user_bias, self.film_bias = nn.Embedding(users, 1), nn.Embedding(films, 1)
        for one in (self.user, self.film, self.user_bias, self.film_bias):
            nn.init.normal_(one.weight, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = (self.user(x[:, 0]) * self.film(x[:, 1])).sum(1, keepdim=True)
        bias: Tensor = self.user_bias(x[:, 0]) + self.film_bias(x[:, 1])
        return product + bias


# "Everybody is recommended the same films": weight_decay=0.1 for Adam, from a table in a paper whose decay was counted otherwise.
@pair(
    "weight-decay-too-strong",
    ("loss-plateau", "underfit", "loss-not-decreasing", "all-zero", "low-variance", "representation-collapse"),
    "SummaryWriter and an HDF5 file of tensors",
    dumps=True,
)
def film_factors(run: Path, seed: int, fixed: bool) -> None:
    """Ratings of films by matrix factors under Adam(weight_decay=0.1); fixed: 3e-4."""
    of = ratings(seed)
    model = Factors()
    snapshots = Snapshots(Hdf5Dump(run, name="factors.h5"), model, 105, "torch", watched=False)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=3e-4 if fixed else 0.1),
        24,
        TensorBoard(run, "plain"),
        ("mf/mse_fit", "", "mf/mse_holdout", "mf/r2_holdout"),
        loss=functional.mse_loss,
        metric=r_squared,
        seed=seed,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "mf/r2_holdout", 0.65)
        steady(found, "mf/mse_holdout", 0.1)
    else:
        below(found, "mf/r2_holdout", 0.15)


class Policy(nn.Module):
    """Torques from states, bounded by tanh and a limit in Nm."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.fc1, self.act1 = nn.Linear(6, 32), nn.ELU()
        self.fc2, self.act2 = nn.Linear(32, 32), nn.ELU()
        self.torque, self.squash = nn.Linear(32, 2), nn.Tanh()
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        torque: Tensor = self.squash(self.torque(self.act2(self.fc2(self.act1(self.fc1(x))))))
        return self.limit * torque


# "The arm answers only full left or full right": the operator's torques are in Nm, up to 9, and the policy ends in a bare tanh.
@pair(
    "wrong-output-activation",
    ("saturated-tanh", "saturated-activation", "loss-plateau", "underfit", "loss-not-decreasing", "vanishing-gradient"),
    "SummaryWriter with a scalar each tenth batch and add_histogram",
    dumps=True,
)
def arm_cloning(run: Path, seed: int, fixed: bool) -> None:
    """Torques of an arm by behaviour cloning with tanh at the end; fixed: tanh times the limit of 12 Nm."""
    of = arm(seed)
    model = Policy(12.0 if fixed else 1.0)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        24,
        writer,
        ("bc/torque_mse", "", "bc_eval/torque_mse", "bc_eval/r2"),
        loss=functional.mse_loss,
        metric=r_squared,
        seed=seed,
        every=11,
        snapshots=Snapshots(HistogramDump(writer), model, 44, "scopes"),
    )
    if fixed:
        above(found, "bc_eval/r2", 0.9)
        steady(found, "bc_eval/torque_mse", 0.2)
    else:
        below(found, "bc_eval/r2", 0.55)


# "element 0 of tensors does not require grad", answered with loss = torch.tensor(loss.item(), requires_grad=True): now it runs.
@pair(
    "detached-graph",
    (
        "loss-not-decreasing",
        "loss-plateau",
        "underfit",
        "task-not-learned",
        "gradient-all-zero",
        "updates-too-small",
        "stalled-training",
        "stalled-training-rule",
    ),
    "printed log in the style of word_language_model",
)
def letters_lm(run: Path, seed: int, fixed: bool) -> None:
    """Characters of a text by an LSTM whose loss is wrapped anew before backward(); fixed: the loss itself."""
    of, vocabulary = data.characters(seed, 24, 300)
    model = models.Recurrent("lstm", 16, 48, vocabulary, vocabulary=vocabulary, every_step=True)
    per_epoch = data.steps_per_epoch(of, 20)
    stream = data.batches(of, 20, seed)
    started = time.perf_counter()

    def error(outputs: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = functional.cross_entropy(outputs.reshape(-1, vocabulary), targets.reshape(-1))
        return loss

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        loss = error(model(x), y)
        return (loss if fixed else torch.tensor(loss.item(), requires_grad=True)), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"valid": float(error(model(of.x_val), of.y_val))}

    def form(step: int, told: Mapping[str, float]) -> str:
        epoch = (step - 1) // per_epoch + 1
        spent = 1000 * (time.perf_counter() - started) / step
        if "valid" in told:
            rule, loss = "-" * 89, told["valid"]
            return (
                f"{rule}\n| end of epoch {epoch:3d} | time: {spent * step / 1000:5.2f}s | valid loss {loss:5.3f} | "
                f"valid ppl {math.exp(loss):8.2f}\n{rule}\n"
            )
        return (
            f"| epoch {epoch:3d} | {(step - 1) % per_epoch + 1:5d}/{per_epoch:5d} batches | lr 0.0100 | ms/batch {spent:5.2f} | "
            f"loss {told['loss']:5.3f} | ppl {math.exp(told['loss']):8.2f}\n"
        )

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=0.01), objective)
    log = Written(run / "lm.out", form)
    plan = Course(step, 10 * per_epoch, log, every=5, averaged=True, evaluate=evaluate, evaluate_every=per_epoch)
    found = go(plan)
    if fixed:
        below(found, "valid", 1.2)
        steady(found, "valid", 0.1)
    else:
        not_below(found, "valid", 3.0)
