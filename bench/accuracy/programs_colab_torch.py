"""Notebooks in PyTorch that do not learn: the loop, the inputs, the rate, shapes, overfitting, and what comes out of the last layer."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, tensors_of, watch
from bench.accuracy.programs_colab_common import into
from bench.accuracy.programs_colab_torch_common import (
    HistoryJson,
    Mlflow,
    Printed,
    Track,
    cells,
    hits,
    houses,
    movements,
    one_epoch,
    shuffled,
    sketches,
    tickets,
    validate,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I followed the CIFAR tutorial with my own pictures; the loss goes down for a moment and then jumps about."
@pair(
    "no-zero-grad",
    ["loss-not-decreasing", "unstable-loss", "loss-divergence", "exploding-gradient", "loss-spike", "metric-at-chance"],
    "tensorboard",
)
def tutorial_without_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """The tutorial's CNN with SGD and momentum, without `optimizer.zero_grad()`."""
    of = sketches(seed)
    net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.Flatten())
    net.append(nn.Linear(144, 64)).append(nn.ReLU()).append(nn.Linear(64, 4))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    track = Track(TensorBoard(run, "plain"))
    for epoch in range(20):
        net.train()
        running_loss, norm, right = 0.0, 0.0, 0.0
        for i, (inputs, labels) in enumerate(shuffled(of.x, of.y, 16), start=1):
            if fixed:
                optimizer.zero_grad()
            outputs = net(inputs)
            loss = criterion(outputs, labels)
            torch.autograd.backward(loss)
            norm = float(nn.utils.get_total_norm([one.grad for one in net.parameters() if one.grad is not None]))
            optimizer.step()
            running_loss += (loss.item() - running_loss) / i
            right += (hits(outputs, labels) - right) / i
        val_loss, val_accuracy = validate(net, of, criterion)
        track.log(epoch, {"Loss/train": running_loss, "Loss/test": val_loss, "Accuracy/train": right})
        track.log(epoch, {"Accuracy/test": val_accuracy, "grad_norm": norm})
    track.close()
    reached = track.last("Accuracy/test")
    what = (
        f"accuracy {reached:.3f}, validation {track.last('Loss/test'):.3f}, best {min(track.columns['Loss/test']):.3f}"
    )
    require(reached > 0.9 and track.near_best("Loss/test") if fixed else reached < 0.5, what)


# "Why is my loss stuck at 1.386 from the second epoch on? The same net works on MNIST from Keras."
@pair(
    "inputs-not-scaled",
    ["data-not-normalized", "dead-relu", "initial-loss", "loss-not-decreasing", "metric-at-chance", "loss-plateau"],
    "csv and hdf5",
    dumps=True,
)
def pixels_up_to_255(run: Path, seed: int, fixed: bool) -> None:
    """A dense net with SGD on pixels of 0 to 255 that were not divided by 255."""
    of = sketches(seed, 1400, scale=255.0, noise=0.1)
    if fixed:
        of = data.Split(of.x / 255 - 0.2, of.y, of.x_val / 255 - 0.2, of.y_val)
    model = nn.Sequential()
    model.add_module("flatten", nn.Flatten())
    for number, (inputs, outputs) in enumerate([(144, 128), (128, 64), (64, 32)], start=1):
        model.add_module(f"fc{number}", nn.Linear(inputs, outputs))
        model.add_module(f"relu{number}", nn.ReLU())
    model.add_module("fc4", nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    track, dump, activations = Track(Csv(run, "plain", "history.csv", "epoch")), Hdf5Dump(run), watch(model)
    step = 0
    for epoch in range(14):
        model.train()
        told = []
        for x, y in shuffled(of.x, of.y, 32):
            optimizer.zero_grad()
            outputs = model(x)
            loss = functional.cross_entropy(outputs, y)
            torch.autograd.backward(loss)
            if step % 25 == 0:
                dump.dump(step, tensors_of(model, activations))
            optimizer.step()
            step += 1
            told.append((loss.item(), hits(outputs, y)))
        val_loss, val_acc = validate(model, of, functional.cross_entropy)
        train_loss, train_acc = (sum(column) / len(told) for column in zip(*told, strict=True))
        track.log(epoch, {"train_loss": train_loss, "train_acc": train_acc, "val_loss": val_loss, "val_acc": val_acc})
    track.close()
    dump.close()
    reached = track.last("val_acc")
    what = f"accuracy {reached:.3f}, validation {track.last('val_loss'):.3f}, best {min(track.columns['val_loss']):.3f}"
    require(reached > 0.85 and track.near_best("val_loss") if fixed else reached < 0.5, what)


# "My 1D CNN for sensor data gives about 25 % whatever I do. I took Adam with lr=0.1 as in the SGD examples."
@pair(
    "learning-rate-too-high",
    [
        "learning-rate-too-high",
        "loss-spike",
        "loss-not-decreasing",
        "metric-at-chance",
        "underfit",
        "loss-plateau",
    ],
    "csv of Lightning",
)
def sensors_adam_tenth(run: Path, seed: int, fixed: bool) -> None:
    """A CNN over time with Adam at 0.1 rather than 0.001."""
    of = movements(seed, noise=0.6)
    of = data.Split(of.x.transpose(1, 2), of.y, of.x_val.transpose(1, 2), of.y_val)
    model = nn.Sequential(
        nn.Conv1d(3, 24, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(24, 48, 5), nn.ReLU(), nn.Flatten()
    )
    for inputs in (432, 64, 64):
        model.append(nn.Linear(inputs, 64)).append(nn.ReLU())
    model.append(nn.Linear(64, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001 if fixed else 0.1)
    track = Track(Csv(run, "plain"))
    batches = len(of.x) // 32
    for epoch in range(12):
        loss, accuracy = one_epoch(model, of, optimizer, functional.cross_entropy)
        val_loss, val_acc = validate(model, of, functional.cross_entropy)
        step = (epoch + 1) * batches - 1
        track.log(step, {"epoch": epoch, "val_loss": val_loss, "val_acc": val_acc})
        track.log(step, {"epoch": epoch, "train_loss_epoch": loss, "train_acc_epoch": accuracy})
    track.close()
    reached = track.last("val_acc")
    what = f"accuracy {reached:.3f}, validation {track.last('val_loss'):.3f}, best {min(track.columns['val_loss']):.3f}"
    require(reached > 0.85 and track.near_best("val_loss", 1.2) if fixed else reached < 0.5, what)


# "My house price net always predicts the mean. There is a UserWarning about a target size, is that important?"
@pair(
    "wrong-shape",
    ["loss-plateau", "constant-answer", "underfit", "loss-not-decreasing", "worse-than-baseline", "task-not-learned"],
    "printed lines",
)
def prices_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """MSELoss of outputs (n, 1) and targets (n,), which makes a table (n, n) of it."""
    of = houses(seed)
    y, y_val = (of.y, of.y_val) if fixed else (of.y.squeeze(1), of.y_val.squeeze(1))
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002, weight_decay=1e-3)
    track = Track(Printed(run, 30, form="Epoch [{}/{}]", joint=", "))
    for epoch in range(1, 31):
        model.train()
        total, count = 0.0, 0
        for x, target in shuffled(of.x, y, 16):
            optimizer.zero_grad()
            loss = functional.mse_loss(model(x), target)
            torch.autograd.backward(loss)
            optimizer.step()
            total, count = total + loss.item(), count + 1
        with torch.no_grad():
            predicted = model.eval()(of.x_val)
            val_loss = functional.mse_loss(predicted, y_val).item()
            r2 = 1 - float(((predicted - of.y_val) ** 2).mean() / of.y_val.var())
        track.log(epoch, {"Loss": total / count, "Val Loss": val_loss, "Val R2": r2})
    track.close()
    reached = track.last("Val R2")
    what = f"R2 {reached:.3f}, validation {track.last('Val Loss'):.3f}, best {min(track.columns['Val Loss']):.3f}"
    require(reached > 0.7 and track.near_best("Val Loss") if fixed else reached < 0.2, what)


# "I made my network deeper (8 hidden layers, sigmoid as in the lecture) and now it learns nothing at all, 10 % on digits."
@pair(
    "vanishing-gradient",
    ["vanishing-gradient", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "saturated-sigmoid", "underfit"],
    "tensorboard with histograms",
    dumps=True,
)
def deep_sigmoid_digits(run: Path, seed: int, fixed: bool) -> None:
    """Eight hidden layers of sigmoids on digits; repaired with ReLU."""
    of = data.bundled("digits", seed)
    model = nn.Sequential()
    before = 64
    for number in range(1, 9):
        linear = nn.Linear(before, 32)
        model.add_module(f"linear{number}", linear)
        model.add_module(f"act{number}", nn.ReLU() if fixed else nn.Sigmoid())
        nn.init.kaiming_normal_(linear.weight)
        before = 32
    model.add_module("out", nn.Linear(32, 10))
    board = TensorBoard(run, "plain")
    track, dump, activations = Track(board), HistogramDump(board), watch(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for epoch in range(14):
        loss, accuracy = one_epoch(model, of, optimizer, functional.cross_entropy, 64)
        if epoch % 2 == 0:
            dump.dump(epoch, tensors_of(model, activations))
        val_loss, val_accuracy = validate(model, of, functional.cross_entropy)
        track.log(epoch, {"train/loss": loss, "train/acc": accuracy, "val/loss": val_loss, "val/acc": val_accuracy})
    track.close()
    reached = track.last("val/acc")
    what = f"accuracy {reached:.3f}, validation {track.last('val/loss'):.3f}, best {min(track.columns['val/loss']):.3f}"
    require(reached > 0.9 and track.near_best("val/loss", 1.2) if fixed else reached < 0.3, what)


# "Training accuracy 98 %, validation 60 %, and the validation loss is in the tens. It cannot be overfitting after one epoch?"
@pair(
    "validation-not-scaled",
    [
        "generalisation-gap",
        "overfit",
        "confidently-wrong",
        "constant-answer",
        "metric-left-behind",
    ],
    "history.json",
)
def scaler_for_training_only(run: Path, seed: int, fixed: bool) -> None:
    """`StandardScaler.fit_transform` on the training table, and nothing on the validation table."""
    scaled, raw = data.bundled("breast_cancer", seed), data.bundled("breast_cancer", seed, scaled=False)
    of = scaled if fixed else data.Split(scaled.x, scaled.y, raw.x_val, raw.y_val)
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002, weight_decay=1e-3)
    track = Track(HistoryJson(run))
    for epoch in range(20):
        loss, accuracy = one_epoch(model, of, optimizer, functional.cross_entropy, 16)
        val_loss, val_accuracy = validate(model, of, functional.cross_entropy)
        track.log(epoch, {"loss": loss, "accuracy": accuracy, "val_loss": val_loss, "val_accuracy": val_accuracy})
    track.close()
    reached = track.last("val_accuracy")
    what = f"accuracy {reached:.3f}, validation {track.last('val_loss'):.3f}, best {min(track.columns['val_loss']):.3f}"
    require(reached > 0.93 and track.near_best("val_loss", 1.2) if fixed else reached < 0.8, what)


class Topics(nn.Module):
    """A bidirectional LSTM over words, with dropout before and after."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(220, 48)
        self.lstm = nn.LSTM(48, 48, batch_first=True, bidirectional=True)
        self.fc, self.dropout = nn.Linear(96, 6), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the topics."""
        states, _ = self.lstm(self.dropout(self.embedding(x)))
        logits: Tensor = self.fc(self.dropout(states.mean(1)))
        return logits


# "500 tickets, BiLSTM: train_acc is 100 % after ten epochs, test_acc falls, test_loss rises and rises. More epochs do not help."
@pair(
    "overfitting",
    ["overfit", "generalisation-gap", "overtraining", "best-is-not-last", "confidently-wrong"],
    "json lines",
)
def tickets_without_dropout(run: Path, seed: int, fixed: bool) -> None:
    """A BiLSTM on few tickets, some of them labelled wrongly, without dropout and weight decay."""
    of = tickets(seed, 700, told=0.33)
    wrong = torch.rand(len(of.y)) < 0.1
    of = data.Split(of.x, torch.where(wrong, torch.randint(0, 6, of.y.shape), of.y), of.x_val, of.y_val)
    model = Topics(0.5 if fixed else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003, weight_decay=3e-3 if fixed else 0.0)
    track = Track(JsonLines(run, name="metrics.jsonl", axis="epoch"))
    for epoch in range(1, 26):
        loss, accuracy = one_epoch(model, of, optimizer, functional.cross_entropy, 32)
        val_loss, val_accuracy = validate(model, of, functional.cross_entropy)
        track.log(epoch, {"train_loss": loss, "train_acc": accuracy, "test_loss": val_loss, "test_acc": val_accuracy})
    track.close()
    reached, last, best = track.last("test_acc"), track.last("test_loss"), min(track.columns["test_loss"])
    what = f"accuracy {reached:.3f}, test {last:.3f}, best {best:.3f}"
    require(reached > 0.75 and track.near_best("test_loss") if fixed else last > 1.35 * best and last > 0.6, what)


def dice(outputs: Tensor, masks: Tensor) -> float:
    """The overlap of what is found (logits above 0) with the masks."""
    found = (outputs > 0).float()
    return float((2 * (found * masks).sum() + 1e-6) / (found.sum() + masks.sum() + 1e-6))


# "My U-Net stays at a BCE of 0.69. I use BCEWithLogitsLoss and a ReLU in every ConvBlock, as in the paper."
@pair(
    "wrong-output-activation",
    ["loss-plateau", "underfit", "loss-not-decreasing", "nothing-found", "constant-answer"],
    "files of mlflow",
)
def masks_after_relu(run: Path, seed: int, fixed: bool) -> None:
    """A segmentation net whose last layer is a block with a ReLU, so that no logit is below 0."""
    of = cells(seed)
    net = nn.Sequential()
    for number, (before, after) in enumerate([(1, 8), (8, 12), (12, 8)], start=1):
        net.add_module(f"conv{number}", nn.Conv2d(before, after, 3, padding=1))
        net.add_module(f"relu{number}", nn.ReLU())
    net.add_module("head", nn.Conv2d(8, 1, 1))
    if not fixed:
        net.add_module("relu_out", nn.ReLU())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
    track = Track(Mlflow(run))
    for epoch in range(15):
        loss, _ = one_epoch(net, of, optimizer, functional.binary_cross_entropy_with_logits, 12)
        val_loss, _ = validate(net, of, functional.binary_cross_entropy_with_logits)
        with torch.no_grad():
            overlap = dice(net(of.x_val), of.y_val)
        track.log(epoch, {"train_loss": loss, "val_loss": val_loss, "val_dice": overlap})
    track.close()
    last, reached = track.last("val_loss"), track.last("val_dice")
    what = f"dice {reached:.3f}, validation {last:.3f}, best {min(track.columns['val_loss']):.3f}"
    require(reached > 0.85 and last < 0.2 and track.near_best("val_loss") if fixed else last > 0.5, what)
