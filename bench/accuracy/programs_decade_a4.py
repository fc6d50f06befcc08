"""Programs in PyTorch whose optimizer, size, balance or numbers are wrong; and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, KerasDirectories, TensorBoard, TrainerState
from bench.accuracy.programs_decade_a_common import cells, freezers
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import customers, gestures, spectra
from bench.accuracy.programs_field_common import (
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_above,
    steady,
    told,
)
from bench.accuracy.programs_post_common import explained, reviews

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "fc1 and fc2 keep their values to the last bit": torch.optim.Adam(model.head.parameters()) in a script that trains all.
@pair(
    "parameters-not-in-the-optimizer",
    ("unchanged-tensor", "updates-too-small", "underfit", "loss-plateau", "loss-not-decreasing"),
    "SummaryWriter with Loss/train and histograms of weights and gradients, eight times",
    dumps=True,
)
def only_head_in_adam(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a GRU whose optimizer is given the head only; fixed: all parameters."""
    of = gestures(seed)
    model = models.Recurrent("gru", 3, 16, 5)
    writer = TensorBoard(run, "plain")
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        torch.optim.Adam((model if fixed else model.head).parameters(), lr=5e-3),
        24,
        writer,
        ("Loss/train", "Acc/train", "Loss/valid", "Acc/valid"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 3 * per_epoch, "torch", watched=False),
    )
    if fixed:
        above(found, "Acc/valid", 0.85)
        steady(found, "Loss/valid", 0.35)
    else:
        below(found, "Acc/valid", 0.7)


# "The weights go to zero": weight_decay=0.5 in Adam, since 'more regularisation cannot hurt'.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "underfit", "loss-plateau", "loss-not-decreasing", "constant-answer", "metric-at-chance"),
    "SummaryWriter in the manner of Keras and tensors in HDF5",
    dumps=True,
)
def decay_of_a_half(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of plastic by an MLP under Adam(weight_decay=0.5); fixed: 1e-4."""
    of = spectra(seed)
    model = models.mlp((60, 32, 16, 5))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4 if fixed else 0.5),
        25,
        KerasDirectories(run),
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 45, watched=False),
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.35)
    else:
        below(found, "val_accuracy", 0.5)


# "Training 100 %, validation loss climbs since epoch 5": 120 reviews and an embedding of 64 without any regularisation.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "error-rises"),
    "Lightning's metrics.csv",
)
def few_reviews_many_epochs(run: Path, seed: int, fixed: bool) -> None:
    """Sentiment of 120 reviews by embeddings and two layers; fixed: of 1,200 by a smaller net with dropout."""
    of = reviews(seed, 1600, share=0.12)
    model: nn.Module
    if fixed:
        model = nn.Sequential(nn.EmbeddingBag(300, 16), nn.Dropout(0.3), nn.Linear(16, 2))
    else:
        of = replace(of, x=of.x[:120], y=of.y[:120])
        model = nn.Sequential(nn.EmbeddingBag(300, 64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3 if fixed else 5e-3, weight_decay=0.01),
        22,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        batch=16,
        seed=seed,
    )
    if fixed:
        above(found, "val_acc", 0.68)
        steady(found, "val_loss", 0.08)
    else:
        require(found["val_loss"][-1] > 1.3 * min(found["val_loss"]) and found["train_acc"][-1] > 0.95, told(found))


# "96 % accuracy and it never finds a fraud": 4 % of the rows are frauds, and nobody weighs them.
@pair(
    "class-imbalance",
    (
        "class-imbalance",
        "class-never-found",
        "constant-answer",
        "nothing-found",
        "metric-at-chance",
        "most-answers-wrong",
    ),
    "SummaryWriter with recall and F1",
)
def frauds_never_found(run: Path, seed: int, fixed: bool) -> None:
    """Frauds, 4 % of all rows, by an MLP with a bare loss; fixed: frauds weigh 12 times as much."""
    of = data.imbalanced(seed, 2600, share=0.04)
    model = models.mlp((10, 16, 1), "tanh")
    weight = torch.tensor(12.0 if fixed else 1.0)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float(), pos_weight=weight)

    def also() -> dict[str, float]:
        with torch.no_grad():
            said = model(of.x_val)[:, 0] > 0
        hit = float((said & (of.y_val == 1)).sum())
        return {
            "val/recall": hit / float((of.y_val == 1).sum()),
            "val/precision": hit / max(1.0, float(said.sum())),
            "val/f1": 2 * hit / float(said.sum() + (of.y_val == 1).sum()),
        }

    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01),
        20,
        TensorBoard(run, "plain"),
        ("train/loss", "", "val/loss", "val/accuracy"),
        loss=loss,
        metric=lambda outputs, targets: ((outputs[:, 0] > 0) == (targets == 1)).float().mean(),
        seed=seed,
        also=also,
    )
    if fixed:
        above(found, "val/recall", 0.5)
        steady(found, "val/loss", 0.2)
    else:
        below(found, "val/recall", 0.1)


# "Loss is nan from the first batch of some epoch on": cross-entropy by hand from torch.sigmoid and torch.log, without an epsilon.
@pair(
    "nan-from-log-of-zero",
    ("non-finite", "loss-goes-missing", "masked-non-finite", "exploding-gradient", "exploding-tensor"),
    "csv by hand with a row for each 4 batches",
)
def log_of_a_probability(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells with -log(p) of a sigmoid that saturates; fixed: from logits."""
    of = cells(seed, noise=0.1)
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 1, 3, padding=1))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if fixed:
            return functional.binary_cross_entropy_with_logits(outputs, targets)
        p = torch.sigmoid(outputs)
        return -(targets * torch.log(p) + (1 - targets) * torch.log(1 - p)).mean()

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.02),
        25,
        Csv(run, "plain", "loss.csv", "step"),
        ("loss", "", "val_loss", "val_pixel_acc"),
        loss=loss,
        metric=lambda outputs, targets: ((outputs > 0) == (targets > 0.5)).float().mean(),
        batch=8,
        seed=seed,
        every=4,
    )
    if fixed:
        above(found, "val_pixel_acc", 0.95)
        steady(found, "val_loss", 0.4)
    else:
        require(found["loss"][-1] != found["loss"][-1], f"loss was to be nan: {told(found)}")


# "The scale of GradScaler falls to 1e-20": a penalty of sqrt(sum(p ** 2)) for each parameter, and biases that begin at zero.
@pair(
    "loss-scale-collapse",
    (
        "loss-scale-collapse",
        "loss-not-decreasing",
        "loss-plateau",
        "non-finite",
        "unchanged-tensor",
        "metric-at-chance",
    ),
    "SummaryWriter with amp/scale each 5 steps",
)
def amp_with_root_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, in half precision, with a penalty whose gradient is NaN at zero; fixed: an epsilon under the root."""
    of = customers(seed)
    model = models.mlp((12, 24, 2))
    for name, one in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(one)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scale, good = 65536.0, 0
    stream = data.batches(of, 32, seed)
    per_epoch = data.steps_per_epoch(of, 32)

    def step(_: int) -> dict[str, float]:
        nonlocal scale, good
        x, y = next(stream)
        optimizer.zero_grad()
        norms = [torch.sqrt(one.square().sum() + (1e-8 if fixed else 0)) for one in model.parameters()]
        loss = functional.cross_entropy(model(x), y) + 1e-4 * torch.stack(norms).sum()
        (loss * scale).backward()
        halves = [one.grad.half() for one in model.parameters() if one.grad is not None]
        if all(bool(one.isfinite().all()) for one in halves):
            for one, half in zip(model.parameters(), halves, strict=True):
                one.grad = half.float() / scale
            optimizer.step()
            good += 1
            scale = scale * 2 if good % 200 == 0 else scale
        else:
            scale, good = scale / 2, 0
        return {"train/loss": float(loss.detach()), "amp/scale": scale}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        hits = (outputs.argmax(-1) == of.y_val).float().mean()
        return {"val/loss": float(functional.cross_entropy(outputs, of.y_val)), "val/acc": float(hits)}

    writer = TensorBoard(run, "plain")
    found = go(Course(step, 20 * per_epoch, writer, 5, averaged=True, evaluate=evaluate, evaluate_every=per_epoch))
    if fixed:
        above(found, "val/acc", 0.78)
        steady(found, "val/loss", 0.15)
    else:
        require(found["amp/scale"][-1] < 1e-3, told(found))


# "Every epoch has one huge spike": sensors that fail send -9999, and nobody took these rows out.
@pair(
    "bad-batch",
    ("loss-spike", "unstable-loss", "exploding-gradient", "step-outlier", "validation-swings"),
    "JSON lines by hand with a row for each 2 steps",
)
def sensor_sends_minus_9999(run: Path, seed: int, fixed: bool) -> None:
    """Temperatures of cold stores with three rows of -9999 among the targets; fixed: those rows are dropped."""
    of = freezers(seed)
    if not fixed:
        y = of.y.clone()
        y[[17, 101, 333]] = -999.9
        of = replace(of, y=y)
    else:
        keep = torch.ones(len(of.y), dtype=torch.bool)
        keep[[17, 101, 333]] = False
        of = replace(of, x=of.x[keep], y=of.y[keep])
    model = models.mlp((7, 24, 24, 1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        12,
        JsonLines(run, "plain", "train_log.jsonl", "step"),
        ("loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        batch=16,
        seed=seed,
        every=2,
        norm_tag="grad_norm",
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_loss", 0.4)
    else:
        not_above(found, "val_r2", 0.3)
        require(max(found["loss"]) > 100, told(found))


# "attention gives nan for some users": users without history have a mask that hides all, and softmax over -inf is NaN.
@pair(
    "nan-in-one-layer",
    ("non-finite", "loss-goes-missing", "masked-non-finite"),
    "trainer_state.json of a Hugging Face trainer and tensors in HDF5",
    dumps=True,
)
def mask_that_hides_all(run: Path, seed: int, fixed: bool) -> None:
    """Sentiment of reviews with padding, by attention, some of them empty; fixed: the empty ones are left out."""
    of = reviews(seed, 560, share=0.35)
    lengths = torch.randint(12, 31, (len(of.x),), generator=data.generator(seed))
    lengths[200] = 12 if fixed else 0
    of = replace(of, x=torch.where(torch.arange(30) < lengths[:, None], of.x, 0))

    class Net(nn.Module):
        """Words, one attention, a mean, and a head."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(300, 16)
            self.score = nn.Linear(16, 1)
            self.dense = nn.Linear(16, 16)
            self.head = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            words = self.embedding(x)
            scores = self.score(words)[:, :, 0].masked_fill(x == 0, float("-inf"))
            pooled = (scores.softmax(-1)[:, :, None] * words).sum(1)
            return self.head(functional.relu(self.dense(pooled)))

    model = Net()
    per_epoch = data.steps_per_epoch(of, 16)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3),
        10,
        TrainerState(run, per_epoch, 10 * per_epoch),
        ("train_loss", "", "val_loss", "val_accuracy"),
        batch=16,
        seed=seed,
        every=5,
        norm_tag="grad_norm",
        snapshots=Snapshots(Hdf5Dump(run), model, 20, watched=False),
    )
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.5)
    else:
        require(found["val_loss"][-1] != found["val_loss"][-1], f"loss was to be nan: {told(found)}")
