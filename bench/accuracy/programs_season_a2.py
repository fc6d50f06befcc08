"""Season programs of part a, with tensors: depth, activations, initialisation, and parts that do not learn; and their repaired versions."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_desk_common import mails, spectra
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Snapshots,
    above,
    below,
    fit,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_post_common import explained, hits, houses, pictures
from bench.accuracy.programs_season_a_common import bikes, spoken, weather
from bench.accuracy.programs_season_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class LongRnn(nn.Module):
    """A plain RNN with ReLU over frames, and a head on its last state."""

    def __init__(self, careful: bool) -> None:
        super().__init__()
        self.rnn = nn.RNN(12, 48, nonlinearity="tanh" if careful else "relu", batch_first=True)
        self.head = nn.Linear(48, 6)
        recurrent = self.rnn.get_parameter("weight_hh_l0")
        nn.init.orthogonal_(recurrent)
        if not careful:
            nn.init.normal_(recurrent, std=0.35)

    def forward(self, x: Tensor) -> Tensor:
        """Classes of words."""
        found: Tensor = self.head(self.rnn(x)[0].mean(1))
        return found


# "grad_norm is 400 and then everything is lost": nn.RNN(nonlinearity='relu'), weights of normal_(std=0.35), no clipping.
@pair(
    "exploding-rnn",
    ("exploding-gradient", "loss-spike", "unstable-loss", "loss-divergence", "non-finite", "exploding-tensor"),
    "Hugging Face's trainer_state.json and gradients in Parquet",
    dumps=True,
)
def a_words_rnn_explodes(run: Path, seed: int, fixed: bool) -> None:
    """Spoken words by a plain RNN with ReLU and recurrent weights that are too large; fixed: tanh, orthogonal and clipped."""
    of = spoken(seed)
    model = LongRnn(fixed)
    per_epoch = -(-len(of.x) // 32)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        18,
        TrainerState(run, per_epoch, 18 * per_epoch),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=7,
        norm_tag="grad_norm",
        rate_tag="lr",
        clip=1.0 if fixed else None,
        snapshots=Snapshots(ParquetDump(run), model, 30),
    )
    if fixed:
        above(found, "val_accuracy", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)


# "A deeper network must be better, so I made it 12 layers": sigmoids all the way.
@pair(
    "vanishing-gradient-through-depth",
    (*NOTHING_LEARNED, "vanishing-gradient", "saturated-sigmoid", "gradient-all-zero", "constant-answer"),
    "SummaryWriter with add_histogram of weights and gradients",
    dumps=True,
)
def a_tumours_twelve_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Tumours by twelve dense layers with sigmoids; fixed: two with ReLU and one more."""
    of = data.bundled("breast_cancer", seed)
    model = models.mlp((30, *[24] * 12, 2), "relu" if fixed else "sigmoid", norm=fixed)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        15,
        writer,
        ("train/loss", "train/accuracy", "val/loss", "val/accuracy"),
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 28, "torch", watched=False),
    )
    if fixed:
        above(found, "val/accuracy", 0.9)
        steady(found, "val/loss", 1.0)
    else:
        below(found, "val/accuracy", 0.7)


# "Half of my feature maps are black": SGD(0.5, momentum=0.9) on pixels of 0 to 16 killed the units in the first epoch.
@pair(
    "dead-relu",
    (*NOTHING_LEARNED, "dead-relu", "learning-rate-too-high", "all-zero", "gradient-all-zero", "constant-answer"),
    "jsonl and activations with weights in HDF5",
    dumps=True,
)
def a_digits_dead_units(run: Path, seed: int, fixed: bool) -> None:
    """Digits of 0 to 16 by an MLP under SGD(0.1, momentum 0.9); fixed: 5e-3."""
    of = data.bundled("digits", seed, scaled=False)
    model = models.mlp((64, 48, 32, 10))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=2e-3 if fixed else 0.1, momentum=0.9),
        12,
        JsonLines(run, "plain", "metrics.jsonl", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 50),
    )
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_acc", 0.4)


# "All filters look the same": nn.init.constant_(m.weight, 0.01) for each layer.
@pair(
    "constant-initialisation",
    (*NOTHING_LEARNED, "poor-initialization", "tensor-variance", "low-variance", "representation-collapse"),
    "SummaryWriter and weights in HDF5 by name",
    dumps=True,
)
def a_shapes_constant_filters(run: Path, seed: int, fixed: bool) -> None:
    """Coloured shapes by a CNN whose weights all begin at 0.01; fixed: Kaiming."""
    of = pictures(seed)
    of = data.Split(of.x / 255 - 0.5, of.y, of.x_val / 255 - 0.5, of.y_val)
    convs = {"conv1": nn.Conv2d(3, 12, 3), "relu1": nn.ReLU(), "pool": nn.MaxPool2d(2), "conv2": nn.Conv2d(12, 16, 3)}
    model = nn.Sequential()
    for name, layer in {**convs, "relu2": nn.ReLU(), "flatten": nn.Flatten(), "fc": nn.Linear(144, 4)}.items():
        model.add_module(name, layer)
    for one in model.modules():
        if isinstance(one, (nn.Conv2d, nn.Linear)):
            if fixed:
                nn.init.kaiming_normal_(one.weight, nonlinearity="relu")
            else:
                nn.init.constant_(one.weight, 0.01)
            nn.init.zeros_(one.get_parameter("bias"))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        16,
        TensorBoard(run, "plain"),
        ("epoch/train_loss", "epoch/train_acc", "epoch/val_loss", "epoch/val_acc"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 39, watched=False),
    )
    if fixed:
        above(found, "epoch/val_acc", 0.8)
        steady(found, "epoch/val_loss", 0.3)
    else:
        below(found, "epoch/val_acc", 0.55)


# "I set the weights by hand as in the lecture": torch.randn for each matrix, so that each tanh says 1 or -1.
@pair(
    "initialisation-too-large",
    (*BADLY_LEARNED, "saturated-tanh", "poor-initialization", "vanishing-gradient", "initial-loss", "overfit"),
    "csv and all tensors in Parquet",
    dumps=True,
)
def a_spectra_randn_weights(run: Path, seed: int, fixed: bool) -> None:
    """Plastics from spectra by an MLP with tanh whose weights are standard normal; fixed: Xavier."""
    of = spectra(seed)
    model = models.mlp((60, 64, 64, 5), "tanh")
    for one in model:
        if isinstance(one, nn.Linear):
            (nn.init.xavier_normal_ if fixed else nn.init.normal_)(one.weight)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        20,
        Csv(run, "plain", "log.csv", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 42),
    )
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.5)
    else:
        below(found, "val_acc", 0.82)


# "I replaced model.fc as in the tutorial": after the optimizer of its parameters had been made.
@pair(
    "parameters-not-in-optimizer",
    (*NOTHING_LEARNED, "unchanged-tensor", "updates-too-small", "stalled-training", "stalled-training-rule"),
    "SummaryWriter and weights with gradients in HDF5",
    dumps=True,
)
def a_mails_new_head_left_out(run: Path, seed: int, fixed: bool) -> None:
    """Mails by embeddings learned before and a new head, which the optimizer of the head does not know; fixed: it does."""
    of = mails(seed)
    model = nn.Sequential()
    embedding, old, fresh = nn.EmbeddingBag(200, 24), nn.Linear(24, 2), nn.Linear(24, 4)
    model.add_module("embedding", embedding)
    model.add_module("fc", old)
    before = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        before.zero_grad()
        functional.cross_entropy(model(of.x), (of.y > 1).long()).backward()
        before.step()
    embedding.weight.requires_grad_(False)
    optimizer = torch.optim.Adam((fresh if fixed else old).parameters(), lr=0.02)
    model.fc = fresh
    found = fit(
        model,
        of,
        optimizer,
        14,
        TensorBoard(run, "plain"),
        ("Loss/train", "Acc/train", "Loss/valid", "Acc/valid"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 38, "torch", watched=False),
    )
    if fixed:
        above(found, "Acc/valid", 0.6)
        steady(found, "Loss/valid", 0.3)
    else:
        below(found, "Acc/valid", 0.45)


class Halves(nn.Module):
    """An encoder of series and a head, between which the graph may be cut."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.encoder = nn.GRU(3, 16, batch_first=True)
        self.head = nn.Linear(16, 1)
        self.cut = cut
        for name, one in self.encoder.named_parameters():
            if "weight" in name:
                nn.init.normal_(one, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        """The temperature to come."""
        states = self.encoder(x)[0][:, -1]
        found: Tensor = self.head(states.detach() if self.cut else states)
        return found


# "The encoder's weights never move": .detach() was left from saving its states for a plot.
@pair(
    "detached-graph",
    (*BADLY_LEARNED, "unchanged-tensor", "still-improving", "updates-too-small", "gradient-all-zero"),
    "SummaryWriter with add_histogram of weights and gradients",
    dumps=True,
)
def a_weather_detached_encoder(run: Path, seed: int, fixed: bool) -> None:
    """The temperature in three hours by a GRU whose states are detached before the head; fixed: they are not."""
    of = weather(seed)
    model = Halves(not fixed)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        12,
        writer,
        ("train_loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 26, "torch", watched=False),
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_r2", 0.65)


# "weight_decay=0.5 generalises best, a post said": that was AdamW with a small rate; here it is Adam's L2.
@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "weights-vanish", "constant-answer", "low-variance"),
    "csv and weights with gradients in HDF5 by name",
    dumps=True,
)
def a_houses_heavy_decay(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by an MLP under Adam(weight_decay=0.5); fixed: 1e-4."""
    of = houses(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = data.Split(of.x, (of.y - mean) / spread, of.x_val, (of.y_val - mean) / spread)
    model = models.mlp((10, 32, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4 if fixed else 0.5),
        30,
        Csv(run, "plain", "training.csv", "epoch"),
        ("train_loss", "train_r2", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, by_name=True), model, 36, watched=False),
    )
    if fixed:
        above(found, "val_r2", 0.85)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_r2", 0.55)


# "nan at epoch 7, and only on some machines": binary cross-entropy written out with torch.log, on columns as they are in the file.
@pair(
    "log-of-zero",
    ("non-finite", "loss-goes-missing", "data-not-normalized", "exploding-gradient", "loss-divergence", "loss-spike"),
    "SummaryWriter with add_histogram of gradients",
    dumps=True,
)
def a_tumours_log_of_zero(run: Path, seed: int, fixed: bool) -> None:
    """Tumours from raw columns by an MLP with log(sigmoid) written out; fixed: with logits, clamped by torch."""
    of = data.bundled("breast_cancer", seed, scaled=False)
    model = models.mlp((30, 24, 1))
    if fixed:
        of = data.bundled("breast_cancer", seed)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        y = targets.float()
        if fixed:
            return functional.binary_cross_entropy_with_logits(outputs[:, 0], y)
        p = torch.sigmoid(outputs[:, 0])
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        15,
        writer,
        ("bce/train", "accuracy/train", "bce/val", "accuracy/val"),
        loss=loss,
        metric=hits,
        seed=seed,
        snapshots=Snapshots(HistogramDump(writer), model, 28, watched=False),
    )
    if fixed:
        above(found, "accuracy/val", 0.92)
        steady(found, "bce/val", 0.5)
    else:
        not_above(found, "accuracy/val", 0.75)
        not_below(found, "bce/val", 0.4)


# "Linear regression does better": the hour, the pressure of 1013 and the humidity go in as they are, under SGD.
@pair(
    "inputs-not-normalised",
    (*NOTHING_LEARNED, "data-not-normalized", "dead-relu", "constant-answer", "loss-spike", "exploding-gradient"),
    "jsonl and activations with weights in Parquet",
    dumps=True,
)
def a_bikes_raw_columns(run: Path, seed: int, fixed: bool) -> None:
    """Bikes lent by an MLP under SGD(0.01, momentum 0.9) from raw columns; fixed: standardised."""
    of = bikes(seed, scaled=fixed)
    model = models.mlp((9, 32, 32, 1))
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        25,
        JsonLines(run, "plain", "logs.jsonl", "epoch"),
        ("loss", "r2", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=Snapshots(ParquetDump(run), model, 95),
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_r2", 0.2)
