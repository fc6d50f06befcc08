"""Planted faults of the network: its depth, its activations, and gradients that do not reach what should learn."""

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.accuracy import data, models
from bench.accuracy.faults_common import (
    DEVELOPMENT,
    NOT_LEARNING,
    SEEN,
    TOO_FAST,
    Told,
    at_chance,
    digits,
    initialised,
    mse,
    planted,
    scheduled,
    settings,
    varied,
)
from bench.accuracy.harness import require
from bench.accuracy.loggers import (
    Console,
    Csv,
    Hdf5Dump,
    JsonLines,
    ParquetDump,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.loop import Plan, cross_entropy, fit


def _chaotic(model: models.Recurrent, gain: float) -> models.Recurrent:
    """With a recurrent matrix of orthogonal columns that are so long: gradients grow from step to step of the sequence."""
    nn.init.orthogonal_(model.rnn.weight_hh_l0, gain)
    return model


def _exploded(told: Told) -> None:
    """Require that the loss was finite at first, and rose a thousandfold or was no longer finite later."""
    losses = [values["train_loss"] for values in told.rows if "train_loss" in values]
    sound = next((at for at, loss in enumerate(losses) if not loss < 1000 * losses[0]), len(losses))
    require(
        3 <= sound < len(losses), f"training loss {losses[:3]} … {losses[-1]:.3g}; sound for {sound} of {len(losses)}"
    )


def exploding_rnn_adding(run: Path, seed: int) -> None:
    """The adding problem over 60 steps with recurrent weights of twice their length, not clipped: the gradient explodes, then the loss."""
    torch.manual_seed(seed)
    model = _chaotic(models.Recurrent("rnn", 2, 32, 1), 2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.06, 0.1))
    plan = Plan(model, data.adding(seed, length=60), optimizer, 300, loss=mse, metrics={}, seed=seed, log_every=1)
    told = Told(TensorBoard(run, "slash"))
    fit(plan, told)
    _exploded(told)


def exploding_rnn_counting(run: Path, seed: int) -> None:
    """Counting ones over 40 bits in the same kind of network, dumped."""
    torch.manual_seed(seed)
    of = data.parity(seed, length=40)
    counted = data.Split(of.x, of.x.mean(1), of.x_val, of.x_val.mean(1))
    model = _chaotic(models.Recurrent("rnn", 1, 32, 1), 2.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.08, 0.1))
    plan = Plan(model, counted, optimizer, 300, loss=mse, metrics={}, seed=seed, log_every=1, dump_every=15)
    told = Told(Csv(run, "plain"))
    fit(plan, told, Hdf5Dump(run))
    _exploded(told)


def vanishing_sigmoid_digits(run: Path, seed: int) -> None:
    """Twelve layers of sigmoids, SGD: the gradient of the first layers is nothing, and the loss stays at ln 10."""
    torch.manual_seed(seed)
    model = models.mlp((64, *[32] * 12, 10), "sigmoid")
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05), momentum=0.5)
    at_chance(fit(digits(model, optimizer, seed), TensorBoard(run, "slash"), Hdf5Dump(run)), 10, 2)


def vanishing_sigmoid_cancer(run: Path, seed: int) -> None:
    """Ten layers of sigmoids on two classes, SGD: it says the more frequent class, at the loss of its share."""
    torch.manual_seed(seed)
    of = data.bundled("breast_cancer", seed)
    model = models.mlp((30, *[16] * 10, 2), "sigmoid")
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    found = fit(Plan(model, of, optimizer, 800, batch=32, seed=seed), TrainerState(run, 14, 800))
    require(abs(found["val_accuracy"] - of.majority) < 0.02, f"not the majority's share {of.majority}: {found}")


def dead_relu_negative_bias(run: Path, seed: int) -> None:
    """The biases of fc2 begin at -20, a sign lost in a table of settings: relu2 gives 0 for everything."""
    torch.manual_seed(seed)
    model = models.mlp((64, 32, 32, 10))
    nn.init.constant_(model.fc2.bias, -20.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05))
    at_chance(fit(digits(model, optimizer, seed), TensorBoard(run, "lower"), Hdf5Dump(run)), 10, 2)


def dead_relu_huge_step(run: Path, seed: int) -> None:
    """It learns for 200 steps; then three steps with 3,000 times the rate (a unit mistaken) kill all units."""
    torch.manual_seed(seed)
    model = models.mlp((64, 32, 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.05), weight_decay=1e-4)
    plan = digits(model, optimizer, seed, 1000, dumps=False)
    plan.schedule = scheduled(optimizer, lambda step: 3000.0 if 200 <= step < 203 else 1.0)
    plan.also = frozenset({"grad_norm"})
    at_chance(fit(plan, Csv(run, "lightning")), 10, 2)


class _Scaled(nn.Module):
    """Dense tanh layers and a tanh at the end, as for targets in [-1, 1]."""

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.body = models.mlp((inputs, *[width] * depth, 1), "tanh")
        self.tanh_out = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        return self.tanh_out(self.body(x))


def _signs(seed: int) -> data.Split:
    """A regression whose targets lie within [-1, 1]."""
    of = data.regression(seed)
    return data.Split(of.x, torch.tanh(of.y), of.x_val, torch.tanh(of.y_val))


def saturated_tanh_regression(run: Path, seed: int) -> None:
    """Weights with a standard deviation of 8: every tanh is at -1 or 1, that of the output too, and nothing moves."""
    torch.manual_seed(seed)
    model = initialised(_Scaled(8, 32, 3), 8.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    plan = Plan(model, _signs(seed), optimizer, 600, loss=mse, metrics={}, seed=seed, dump_every=30)
    found = fit(plan, TensorBoard(run, "slash"), Hdf5Dump(run))
    require(found["train_loss"] > 0.6, f"it learned: {found}")


def saturated_sigmoid_autoencoder(run: Path, seed: int) -> None:
    """A sigmoid code whose biases begin at 40, and a sigmoid output at 40: everything is 1, and the error does not move."""
    torch.manual_seed(seed)
    of = data.bundled("digits", seed, scaled=False)
    pictures = data.Split(of.x / 16, of.x / 16, of.x_val / 16, of.x_val / 16)
    model = nn.Sequential()
    for number, (before, after) in enumerate(((64, 16), (16, 16), (16, 64)), start=1):
        model.add_module(f"fc{number}", nn.Linear(before, after))
        model.add_module(f"sigmoid{number}", nn.Sigmoid())
        nn.init.constant_(model[-2].bias, 40.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1e-3))
    plan = Plan(model, pictures, optimizer, 500, loss=mse, metrics={}, seed=seed, dump_every=25)
    found = fit(plan, JsonLines(run, "plain"), ParquetDump(run))
    require(found["train_loss"] > 0.9 * found["first_val_loss"], f"it learned: {found}")


def saturated_tanh_adam(run: Path, seed: int) -> None:
    """The same with two layers, Adam, and no dumps: what the plain log shows is a loss that stands."""
    torch.manual_seed(seed)
    model = initialised(_Scaled(8, 32, 2), 8.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1e-3))
    plan = Plan(model, _signs(seed), optimizer, 600, loss=mse, metrics={}, seed=seed)
    found = fit(plan, Console(run))
    require(found["train_loss"] > 0.6, f"it learned: {found}")


def frozen_trunk_digits(run: Path, seed: int) -> None:
    """A trunk from 64 inputs to 4 features, random and frozen by a line copied from a fine-tuning: the head makes do with 4 numbers."""
    torch.manual_seed(seed)
    model = models.mlp((64, 32, 4, 10))
    for layer in (model.fc1, model.fc2):
        layer.requires_grad_(False)
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=varied(seed, 5e-3))
    found = fit(digits(model, optimizer, seed, 900), TensorBoard(run, "slash"), Hdf5Dump(run))
    require(found["val_accuracy"] < 0.7, f"it learned all the same: {found}")


def frozen_trunk_parity(run: Path, seed: int) -> None:
    """A GRU frozen at random, and a head that learns from its last state: parity of 8 bits stays at chance."""
    torch.manual_seed(seed)
    model = models.Recurrent("gru", 1, 16, 2)
    model.rnn.requires_grad_(False)
    optimizer = torch.optim.Adam(model.head.parameters(), lr=varied(seed, 5e-3))
    found = fit(Plan(model, data.parity(seed), optimizer, 900, batch=64, seed=seed), TensorBoard(run, "huggingface"))
    at_chance(found, 2, 1.25)


def _rebuilt(outputs: Tensor, targets: Tensor) -> Tensor:
    """What `torch.tensor(loss.item(), requires_grad=True)` makes of a loss: backward() runs and reaches nothing."""
    return torch.tensor(float(cross_entropy(outputs.detach(), targets)), requires_grad=True)


def detached_loss_digits(run: Path, seed: int) -> None:
    """The loss is rebuilt from its number before backward(), which silences an error and trains nothing."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 2e-3))
    plan = digits(model, optimizer, seed, 800, dumps=False)
    plan.loss, plan.also = _rebuilt, frozenset({"lr"})
    at_chance(fit(plan, TensorBoard(run, "slash")), 10, 2.2)


class _Detached(nn.Module):
    """A trunk and a head, with detach() between them."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = models.mlp((64, 32, 4))
        self.head = models.mlp((4, 16, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x).detach())


def detached_trunk_digits(run: Path, seed: int) -> None:
    """A detach() that was meant for a plot stands between trunk and head: the trunk gets no gradient."""
    torch.manual_seed(seed)
    model = _Detached()
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 5e-3))
    found = fit(digits(model, optimizer, seed, 900), Csv(run, "plain"), Hdf5Dump(run))
    require(found["val_accuracy"] < 0.75, f"it learned all the same: {found}")


def other_parameters_digits(run: Path, seed: int) -> None:
    """The optimizer got the parameters of a model that was then built anew: gradients are there, and no weight moves."""
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(models.mlp((64, 48, 10)).parameters(), lr=varied(seed, 2e-3))
    model = models.mlp((64, 48, 10))
    plan = digits(model, optimizer, seed, 700)
    plan.metrics = {}
    found = fit(plan, TensorBoard(run, "lower"), Hdf5Dump(run))
    require(abs(found["val_loss"] - found["first_val_loss"]) < 1e-9, f"something moved: {found}")


def other_parameters_spirals(run: Path, seed: int) -> None:
    """The same without dumps, on spirals."""
    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(models.mlp((2, 32, 32, 3)).parameters(), lr=varied(seed, 0.1))
    model = models.mlp((2, 32, 32, 3))
    plan = Plan(model, data.spirals(seed), optimizer, 600, seed=seed, also=frozenset({"lr"}))
    at_chance(fit(plan, JsonLines(run, "plain")), 3, 1.5)


def double_softmax_deep(run: Path, seed: int) -> None:
    """softmax in the model and again in the loss: its gradients are so small that six layers do not get off ln 10."""
    torch.manual_seed(seed)
    model = models.mlp((64, *[32] * 5, 10))
    model.add_module("softmax", nn.Softmax(-1))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02))
    found = fit(digits(model, optimizer, seed, 900, dumps=False), TensorBoard(run, "huggingface"))
    at_chance(found, 10, 2.5)


def double_softmax_characters(run: Path, seed: int) -> None:
    """The same in a recurrent model of characters: it stays within a few per cent of the loss that it starts with."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=500)
    model = models.Recurrent("gru", 16, 32, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.5))
    settings(run, vocab_size=vocabulary)
    plan = Plan(model, of, optimizer, 400, seed=seed, loss=lambda outputs, y: cross_entropy(outputs.softmax(-1), y))
    found = fit(plan, TrainerState(run, data.steps_per_epoch(of, 32), 400))
    require(found["val_loss"] > 0.9 * found["first_val_loss"], f"it learned: {found}")


_EXPLODE = ("exploding-gradient", "loss-divergence", "learning-rate-too-high", "exploding-tensor")
_VANISH = ("vanishing-gradient", *NOT_LEARNING)
_DEAD = ("dead-relu", "gradient-all-zero", "all-zero", *NOT_LEARNING)
_SATURATED = ("saturated-tanh", "saturated-sigmoid", "poor-initialization", *NOT_LEARNING)
_FROZEN = ("unchanged-tensor", "updates-too-small", "gradient-all-zero", *NOT_LEARNING)
_SOFTMAX = ("loss-plateau", "vanishing-gradient", *NOT_LEARNING)

RECIPES = (
    planted("exploding-rnn-adding", "exploding-rnn", DEVELOPMENT, exploding_rnn_adding, _EXPLODE, "tensorboard"),
    planted("exploding-rnn-counting", "exploding-rnn", SEEN, exploding_rnn_counting, _EXPLODE, "csv, hdf5", dumps=True),
    planted(
        "vanishing-sigmoid-digits",
        "vanishing-depth",
        DEVELOPMENT,
        vanishing_sigmoid_digits,
        _VANISH,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted(
        "vanishing-sigmoid-cancer", "vanishing-depth", SEEN, vanishing_sigmoid_cancer, _VANISH, "trainer_state.json"
    ),
    planted(
        "dead-relu-negative-bias",
        "dead-relu",
        DEVELOPMENT,
        dead_relu_negative_bias,
        _DEAD,
        "tensorboard, hdf5",
        dumps=True,
        layer="relu2",
    ),
    planted("dead-relu-huge-step", "dead-relu", SEEN, dead_relu_huge_step, (*_DEAD, *TOO_FAST), "csv", since=200),
    planted(
        "saturated-tanh-regression",
        "saturation",
        DEVELOPMENT,
        saturated_tanh_regression,
        _SATURATED,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted("saturated-tanh-adam", "saturation", DEVELOPMENT, saturated_tanh_adam, _SATURATED, "console"),
    planted(
        "saturated-sigmoid-autoencoder",
        "saturation",
        SEEN,
        saturated_sigmoid_autoencoder,
        _SATURATED,
        "jsonl, parquet",
        dumps=True,
    ),
    planted(
        "frozen-trunk-digits",
        "frozen-by-mistake",
        DEVELOPMENT,
        frozen_trunk_digits,
        _FROZEN,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted("frozen-trunk-parity", "frozen-by-mistake", SEEN, frozen_trunk_parity, _FROZEN, "tensorboard"),
    planted("detached-loss-digits", "detached-graph", DEVELOPMENT, detached_loss_digits, _FROZEN, "tensorboard"),
    planted(
        "detached-trunk-digits",
        "detached-graph",
        SEEN,
        detached_trunk_digits,
        _FROZEN,
        "csv, hdf5",
        dumps=True,
        layer="trunk",
    ),
    planted(
        "other-parameters-digits",
        "optimizer-without-parameters",
        DEVELOPMENT,
        other_parameters_digits,
        _FROZEN,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted(
        "other-parameters-spirals", "optimizer-without-parameters", SEEN, other_parameters_spirals, _FROZEN, "jsonl"
    ),
    planted("double-softmax-deep", "double-softmax", DEVELOPMENT, double_softmax_deep, _SOFTMAX, "tensorboard"),
    planted(
        "double-softmax-characters",
        "double-softmax",
        SEEN,
        double_softmax_characters,
        _SOFTMAX,
        "trainer_state.json",
    ),
)
