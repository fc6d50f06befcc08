"""Example scripts in PyTorch that somebody changed for their own data: classifiers and forecasts; with the mistake, and without."""

import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import lr_scheduler

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, JsonLines, TensorBoard
from bench.accuracy.programs_desk_common import customers, gestures, loads, standard
from bench.accuracy.programs_field_common import Trail, above, below, not_below, steady
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_script_common import into
from bench.accuracy.programs_script_torch_common import (
    FastaiTable,
    Mlflow,
    Printed,
    digits,
    evaluate,
    frauds,
    genres,
    keep,
    loaders,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class MnistNet(nn.Module):
    """The network of the MNIST example, for pictures of 8 × 8."""

    def __init__(self, log: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(128, 64), nn.Linear(64, 10)
        self.log = log

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv2(functional.relu(self.conv1(x)))), 2)
        x = functional.relu(self.fc1(torch.flatten(self.dropout1(x), 1)))
        x = self.fc2(self.dropout2(x))
        return functional.log_softmax(x, dim=1) if self.log else functional.softmax(x, dim=1)


# "Why is my loss negative?": F.nll_loss was kept from the MNIST example, and log_softmax became softmax ("I want probabilities").
@pair(
    "loss-does-not-fit-output",
    ("impossible-loss", "initial-loss", "loss-plateau", "underfit"),
    "what the MNIST example prints",
)
def mnist_negative_loss(run: Path, seed: int, fixed: bool) -> None:
    """Digits with nll_loss of softmax; fixed: of log_softmax."""
    train, test = loaders(digits(seed), 64)
    model = MnistNet(fixed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.8)
    out, trail = Printed(run, "mnist.log"), Trail()
    for epoch in range(1, 21):
        for index, (x, y) in enumerate(train):
            optimizer.zero_grad()
            loss = functional.nll_loss(model(x), y)
            loss.backward()
            optimizer.step()
            if index % 5 == 0:
                done = f"{index * len(x)}/{len(train.dataset)} ({100 * index / len(train):.0f}%)"
                out(f"Train Epoch: {epoch} [{done}]\tLoss: {float(loss):.6f}")
        test_loss, accuracy = evaluate(model, test, functional.nll_loss)
        keep(trail, {"loss": test_loss, "accuracy": accuracy})
        hits, total = round(accuracy * len(test.dataset)), len(test.dataset)
        told = f"Accuracy: {hits}/{total} ({100 * accuracy:.0f}%)"
        out(f"\nTest set: Average loss: {test_loss:.4f}, {told}\n")
    out.close()
    if fixed:
        above(trail, "accuracy", 0.9)
        steady(trail, "loss", 0.2)
    else:
        below(trail, "accuracy", 0.75)


# "UserWarning: Using a target size (32) that is different to the input size (32, 1)", and the forecast is a flat line.
@pair(
    "broadcast-loss",
    ("loss-not-decreasing", "loss-plateau", "underfit", "task-not-learned", "constant-answer", "metric-at-chance"),
    "Lightning's lightning_logs/version_0/metrics.csv",
)
def load_forecast_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """The load of a grid by a GRU with targets of (n,) against outputs of (n, 1); fixed: both are (n,)."""
    of = standard(loads(seed))
    of = data.Split(of.x[:, :, None], of.y[:, 0], of.x_val[:, :, None], of.y_val[:, 0])
    model = models.Recurrent("gru", 1, 16, 1)
    train, _ = loaders(of, 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    (run / "lightning_logs/version_0").mkdir(parents=True)
    log, trail, step = Csv(run / "lightning_logs/version_0", "plain"), Trail(), 0
    for epoch in range(12):
        for x, y in train:
            outputs = model(x)
            loss = functional.mse_loss(outputs.squeeze(-1) if fixed else outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 10 == 9:
                log.log(step, {"train_loss_step": float(loss), "epoch": epoch})
            step += 1
        with torch.no_grad():
            outputs = model(of.x_val)
            val_loss = functional.mse_loss(outputs.squeeze(-1) if fixed else outputs, of.y_val)
            r2 = explained(outputs, of.y_val[:, None])
        log.log(step - 1, keep(trail, {"val_loss": float(val_loss), "val_r2": float(r2), "epoch": epoch}))
    log.close()
    if fixed:
        above(trail, "val_r2", 0.8)
        steady(trail, "val_loss", 0.3)
    else:
        below(trail, "val_r2", 0.2)


# "After two epochs nothing moves any more": scheduler.step() went into the loop over batches, and StepLR counts epochs.
@pair(
    "schedule-stepped-per-batch",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "loss-plateau", "underfit", "updates-too-small"),
    "SummaryWriter with Acc@1 and lr, as people add it to the ImageNet example",
)
def imagenet_steps_per_batch(run: Path, seed: int, fixed: bool) -> None:
    """Pictures by a CNN with StepLR of 8, stepped each batch; fixed: each epoch."""
    of = over(pictures(seed), 255)
    train, test = loaders(of, 32)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3), nn.ReLU(), nn.Flatten()
    )
    model.append(nn.Linear(24 * 16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    scheduler = lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.1)
    log, trail = TensorBoard(run, "plain"), Trail()
    for epoch in range(20):
        losses, hits, rate = 0.0, 0, optimizer.param_groups[0]["lr"]
        for x, y in train:
            outputs = model(x)
            loss = functional.cross_entropy(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += float(loss) * len(x)
            hits += int((outputs.argmax(1) == y).sum())
            if not fixed:
                scheduler.step()
        if fixed:
            scheduler.step()
        val_loss, accuracy = evaluate(model, test)
        values = {"Loss/train": losses / len(of.x), "Acc@1/train": 100 * hits / len(of.x), "lr": rate}
        log.log(epoch, keep(trail, values | {"Loss/val": val_loss, "Acc@1/val": 100 * accuracy}))
    log.close()
    if fixed:
        above(trail, "Acc@1/val", 80)
        steady(trail, "Loss/val", 0.3)
    else:
        below(trail, "Acc@1/val", 55)


# "Micro-F1 is 0.0 for a film with three genres": the softmax of the single-label script was kept before BCELoss.
@pair(
    "wrong-output-activation",
    ("nothing-found", "loss-plateau", "underfit", "metric-at-chance", "task-not-learned"),
    "wandb-history.jsonl by hand, one line an epoch",
)
def genres_by_softmax(run: Path, seed: int, fixed: bool) -> None:
    """Genres of films, many to each, by softmax and BCELoss; fixed: sigmoid."""
    of = genres(seed)
    train, _ = loaders(of, 32)
    model = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 8), nn.Sigmoid() if fixed else nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    log, trail = JsonLines(run, "plain", "wandb-history.jsonl", "_step"), Trail()
    for epoch in range(25):
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.binary_cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += float(loss) / len(train)
        with torch.no_grad():
            shares = model(of.x_val)
        said, true = shares > 0.5, of.y_val > 0.5
        f1 = 2 * float((said & true).sum()) / max(float(said.sum() + true.sum()), 1.0)
        bce = float(functional.binary_cross_entropy(shares, of.y_val))
        values = {"train/bce": total, "val/bce": bce, "val/f1_micro": f1, "epoch": epoch}
        log.log(epoch, keep(trail, values))
    log.close()
    if fixed:
        above(trail, "val/f1_micro", 0.75)
        steady(trail, "val/bce", 0.1)
    else:
        below(trail, "val/f1_micro", 0.35)


# "95 % accuracy, and not one fraud is found": BCEWithLogitsLoss without pos_weight where one payment in twenty is a fraud.
@pair(
    "class-imbalance",
    ("class-imbalance", "nothing-found", "constant-answer", "metric-at-chance", "metric-left-behind"),
    "what Ignite's handlers print",
)
def fraud_unweighted(run: Path, seed: int, fixed: bool) -> None:
    """Frauds by a small network without weights; fixed: pos_weight of the share."""
    of = frauds(seed)
    train, _ = loaders(of, 64)
    model = models.mlp((10, 16, 1))
    weight = (1 - of.y.mean()) / of.y.mean() if fixed else torch.tensor(1.0)
    criterion = nn.BCEWithLogitsLoss(pos_weight=weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
    out, trail = Printed(run, "ignite.log"), Trail()
    for epoch in range(1, 16):
        for index, (x, y) in enumerate(train, 1):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            if index % 10 == 0:
                out(f"Epoch[{epoch}] Iteration[{index}/{len(train)}] Loss: {float(loss):.4f}")
        for name, x, y in (("Training", of.x, of.y), ("Validation", of.x_val, of.y_val)):
            with torch.no_grad():
                logits = model(x)
            said, true = logits > 0, y > 0.5
            values = {"loss": float(criterion(logits, y)), "accuracy": float((said == true).float().mean())}
            values["recall"] = float((said & true).sum() / true.sum())
            values["f1"] = 2 * float((said & true).sum()) / max(float(said.sum() + true.sum()), 1.0)
            told = "  ".join(f"Avg {tag}: {value:.4f}" for tag, value in keep(trail, values).items())
            out(f"{name} Results - Epoch: {epoch}  {told}")
    out.close()
    found = {tag: values[1::2] for tag, values in trail.items()}
    if fixed:
        above(found, "recall", 0.5)
        above(found, "f1", 0.3)
        steady(found, "loss", 0.2)
    else:
        below(found, "recall", 0.1)


# "valid_loss goes up from the third epoch": the tutorial's layers=[400, 200] for a table of a million rows, on one of 300 rows.
@pair(
    "overfitting-by-capacity",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "confidently-wrong"),
    "fastai's table on the console",
)
def tabular_layers_too_wide(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, by layers of 400 and 200; fixed: one of 8."""
    of = customers(seed, 600, clear=1.5)
    of = replace(of, x=of.x[:300], y=of.y[:300], x_val=torch.cat([of.x[300:], of.x_val]))
    of = replace(of, y_val=torch.cat([customers(seed, 600, clear=1.5).y[300:], of.y_val]))
    train, valid = loaders(of, 32)
    model = models.mlp((12, 8, 2) if fixed else (12, 400, 200, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=24 * len(train))
    table, trail, smooth = FastaiTable(run, "accuracy"), Trail(), 0.0
    for epoch in range(24):
        for inputs, targets in train:
            loss = functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
            smooth = 0.9 * smooth + 0.1 * float(loss) if smooth else float(loss)
        valid_loss, accuracy = evaluate(model, valid)
        table.row(epoch, *keep(trail, {"train": smooth, "valid": valid_loss, "accuracy": accuracy}).values())
    table.close()
    if fixed:
        above(trail, "accuracy", 0.7)
        steady(trail, "valid", 0.1)
    else:
        not_below(trail, "valid", 1.5 * min(trail["valid"]))


# "It memorises, but never validates": x was shuffled with its own permutation, and y with another.
@pair(
    "labels-shuffled",
    ("overfit", "metric-at-chance", "best-is-not-last", "confidently-wrong", "most-answers-wrong"),
    "MLflow's file store",
)
def digits_shuffled_apart(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a network whose inputs and labels are shuffled apart; fixed: together."""
    of = data.bundled("digits", seed)
    x, y = torch.cat([of.x, of.x_val]), torch.cat([of.y, of.y_val])
    first = torch.randperm(len(x))
    second = first if fixed else torch.randperm(len(x))
    x, y = x[first], y[second]
    of = data.Split(x[:1400], y[:1400], x[1400:], y[1400:])
    train, test = loaders(of, 32)
    model = models.mlp((64, 64, 32, 10), dropout=0.2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    log, trail = Mlflow(run), Trail()
    log.param("lr", 1e-3)
    for epoch in range(25):
        total = hits = 0.0
        for inputs, targets in train:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = functional.cross_entropy(outputs, targets)
            loss.backward()
            optimizer.step()
            total += float(loss) * len(inputs) / len(of.x)
            hits += float((outputs.argmax(1) == targets).sum()) / len(of.x)
        val_loss, accuracy = evaluate(model, test)
        values = {"train_loss": total, "train_accuracy": hits, "valid_loss": val_loss, "valid_accuracy": accuracy}
        log.log(epoch, keep(trail, values))
    if fixed:
        above(trail, "valid_accuracy", 0.93)
        steady(trail, "valid_loss", 0.3)
    else:
        below(trail, "valid_accuracy", 0.18)


# "SGD(model.parameters(), lr=0.01, weight_decay=0.9)": the momentum of the example was typed in the wrong place.
@pair(
    "weight-decay-too-strong",
    ("loss-plateau", "loss-not-decreasing", "metric-at-chance", "underfit", "task-not-learned", "constant-answer"),
    "history.csv as pandas writes it",
)
def gestures_decayed(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a convolution over time with a weight decay of 0.9; fixed: with a momentum of 0.9."""
    of = gestures(seed)
    of = replace(of, x=of.x.transpose(1, 2), x_val=of.x_val.transpose(1, 2))
    train, test = loaders(of, 16)
    model = nn.Sequential(nn.Conv1d(3, 16, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(16, 16, 5), nn.ReLU())
    model.extend([nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 5)])
    momentum, decay = (0.9, 0.0) if fixed else (0.0, 0.9)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum, weight_decay=decay)
    log, trail = Csv(run, "plain", "history.csv", "epoch"), Trail()
    for epoch in range(1, 26):
        started, total = time.perf_counter(), 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += float(loss) * len(x) / len(of.x)
        val_loss, accuracy = evaluate(model, test)
        values = keep(trail, {"loss": total, "val_loss": val_loss, "val_acc": accuracy})
        log.log(epoch, values | {"seconds": time.perf_counter() - started})
    log.close()
    if fixed:
        above(trail, "val_acc", 0.85)
        steady(trail, "val_loss", 0.25)
    else:
        below(trail, "val_acc", 0.35)
