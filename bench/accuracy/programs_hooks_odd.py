"""Programs whose tensors look odd, at which a plain rule would cry, and which are healthy."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import Course, above, below, fit, go, steady, told
from bench.accuracy.programs_hooks_common import Hooks, beats, energy, odd_into, pumps, stamps, tunes
from bench.accuracy.programs_post_common import board, explained
from bench.accuracy.programs_qa_keras_common import arrays, dumping, seeded
from bench.accuracy.programs_qa_keras_common import fit as keras_fit
from bench.accuracy.programs_thesis_common import WandbHistory

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


class Ratings(nn.Module):
    """Factors and biases of 120 users and 200 items, with sparse gradients; pairs (n, 2) to ratings (n, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.user_factors = nn.Embedding(120, 8, sparse=True)
        self.item_factors = nn.Embedding(200, 8, sparse=True)
        self.item_bias = nn.Embedding(200, 1, sparse=True)
        for one, deviation in ((self.user_factors, 0.3), (self.item_factors, 0.3), (self.item_bias, 0.0)):
            nn.init.normal_(one.weight, std=deviation)

    def forward(self, pairs: Tensor) -> Tensor:
        users, items = self.user_factors(pairs[:, 0]), self.item_factors(pairs[:, 1])
        return (users * items).sum(1, keepdim=True) + self.item_bias(pairs[:, 1])


# Sparse embeddings in a recommender: a batch of 64 touches a few rows, so that most of each gradient is zero, and biases begin at zero.
@odd("jsonl; weights and sparse gradients, made dense, in parquet", dumps=True)
def sparse_rows(run: Path, seed: int) -> None:
    """Ratings by factors under SparseAdam: three quarters of each gradient are zero, and the error falls."""
    random = np.random.default_rng(seed)
    pairs = np.stack([random.integers(0, 120, 6000), random.integers(0, 200, 6000)], 1)
    users, items = random.normal(size=(120, 3)), random.normal(size=(200, 3))
    liked = (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1) + random.normal(size=200)[pairs[:, 1]]
    y = torch.tensor((liked / 2 + 0.2 * random.normal(size=6000))[:, None], dtype=torch.float32)
    x = torch.tensor(pairs)
    of = data.Split(x[:4800], y[:4800], x[4800:], y[4800:])
    model = Ratings()
    hooks = Hooks(model, 120, ParquetDump(run, "tables.parquet"), "torch")
    stream = data.batches(of, 64, seed)
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.02)

    def step(number: int) -> dict[str, float]:
        pairs_of, targets = next(stream)
        optimizer.zero_grad()
        loss = functional.mse_loss(model(pairs_of), targets)
        loss.backward()
        hooks.take(number)
        optimizer.step()
        return {"train/mse": float(loss.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        return {
            "val/mse": float(functional.mse_loss(outputs, of.y_val)),
            "val/r2": float(explained(outputs, of.y_val)),
        }

    log = JsonLines(run, "plain", "metrics.jsonl", "step")
    found = go(Course(step, 960, log, 15, averaged=True, evaluate=evaluate, evaluate_every=75, snapshots=hooks))
    above(found, "val/r2", 0.7)
    steady(found, "val/mse", 0.15)


# A net that is to be sparse: thresholds and a small penalty on outputs, so that 60 to 85 % of them are zero, each unit for some input.
@odd("SummaryWriter with fraction_zero/<layer>; histograms of activations", dumps=True)
def sparse_outputs(run: Path, seed: int) -> None:
    """Shapes on stamps by a net of wide ReLU layers most outputs of which are zero, as its penalty wants it: it learns well."""
    of = stamps(seed, 900, noise=0.2)
    of = data.Split(of.x.reshape(len(of.x), -1), of.y, of.x_val.reshape(len(of.x_val), -1), of.y_val)
    model = models.mlp((100, 96, 64, 5))
    nn.init.constant_(model.fc1.bias, -0.3)
    writer = TensorBoard(run, "plain")
    hooks = Hooks(model, 44, HistogramDump(writer), "capital", writer, ("fraction_zero",), only="weight", per_epoch=22)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        found = functional.cross_entropy(outputs, targets)
        return found + 0.3 * model.relu1(model.fc1(of.x[:64])).mean() if model.training else found

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1.5e-3, weight_decay=1e-3),
        16,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/val", "Accuracy/val"),
        loss=loss,
        seed=seed,
        snapshots=hooks,
    )
    above(found, "Accuracy/val", 0.8)
    steady(found, "Loss/val", 0.2)
    shares = [hooks.kept[f"fraction_zero/{name}"][-1] for name in hooks.outputs]
    require(max(shares) > 0.6 and max(shares) < 0.92, f"{shares} are zero")


# Fine-tuning with a frozen backbone, as it should be: its parameters have no gradients and stay as they are.
@odd("parameters/<layer> and gradients/<layer> as histograms, jsonl", dumps=True)
def backbone_on_purpose(run: Path, seed: int) -> None:
    """Which of two groups a stamp is of, by a new head on convolutions that know the shapes and are frozen: 0.9 after few epochs."""
    of = stamps(seed, 900)
    backbone = models.cnn(5, (8, 8))
    backbone.add_module("fc", nn.Linear(200, 5))
    optimizer = torch.optim.Adam(backbone.parameters(), lr=4e-3)
    for (x, y), _ in zip(data.batches(of, 32, seed + 50), range(330), strict=False):
        optimizer.zero_grad()
        functional.cross_entropy(backbone(x), y).backward()
        optimizer.step()
    backbone.requires_grad_(False)
    backbone.fc = nn.Linear(200, 3)
    of = data.Split(of.x, of.y % 3, of.x_val, of.y_val % 3)
    log = JsonLines(run, "plain", "finetune.jsonl", "step")
    found = fit(
        backbone,
        of,
        torch.optim.Adam(backbone.fc.parameters(), lr=2e-3),
        14,
        log,
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        every=7,
        snapshots=Hooks(backbone, 22, HistogramDump(run), "wandb", kinds=()),
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.2)


class Adapter(nn.Module):
    """A dense layer that is frozen, with a LoRA of rank 4 whose B begins at zero."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(4, base.in_features) / base.in_features**0.5)
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + 2 * (x @ self.lora_a.T) @ self.lora_b.T


# LoRA: B is all zero at first, so that A has no gradient at all at the first step; the base never changes.
@odd("wandb-history.jsonl with grad_norm/<parameter>; weights and gradients in hdf5", dumps=True)
def lora_from_zero(run: Path, seed: int) -> None:
    """Heating of buildings elsewhere by adapters on a net that knows the first ones: B from zero, and a good fit in the end."""
    of = energy(seed, 900)
    base = models.mlp((9, 48, 32, 1))
    optimizer = torch.optim.Adam(base.parameters(), lr=4e-3)
    for (x, y), _ in zip(data.batches(of, 32, seed + 50), range(500), strict=False):
        optimizer.zero_grad()
        functional.mse_loss(base(x), y).backward()
        optimizer.step()
    turned = [one.roll(2, 1) * 0.6 + one * 0.8 for one in (of.x, of.x_val)]
    of = data.Split(turned[0], of.y, turned[1], of.y_val)
    for name in ("fc1", "fc2", "fc3"):
        setattr(base, name, Adapter(getattr(base, name)))
    log = WandbHistory(run)
    chosen = [one for one in base.parameters() if one.requires_grad]
    found = fit(
        base,
        of,
        torch.optim.AdamW(chosen, lr=5e-3),
        20,
        log,
        ("train/loss", "", "eval/loss", "eval/r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=11,
        snapshots=Hooks(base, 22, Hdf5Dump(run, name="lora.h5"), "torch", log, ("grad_norm",), kinds=()),
    )
    above(found, "eval/r2", 0.6)
    require(found["eval/loss"][-1] < 0.8 * found["eval/loss"][0], told(found))
    steady(found, "eval/loss", 0.2)


# Gradual pruning by torch.nn.utils.prune: after four rounds 80 % of the weights are zero.
@odd("csv by hand; histograms of weights", dumps=True)
def pruned_by_rounds(run: Path, seed: int) -> None:
    """States of pumps by a net that is pruned four times, to a fifth of its weights: small steps up, and a good end."""
    of = pumps(seed)
    model = models.mlp((12, 64, 48, 4))
    hooks = Hooks(model, 114, HistogramDump(run / "histograms"), "wandb", kinds=())
    layers = [model.fc1, model.fc2]

    def alter(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step in (230, 345, 460, 575):
            for layer in layers:
                prune.l1_unstructured(layer, "weight", amount=0.33)
        hooks.extra = {f"pruned/{place}.weight": one.weight.detach().numpy().copy() for place, one in enumerate(layers)}
        return x, y

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2.5e-3),
        16,
        Csv(run, "plain", "pruning.csv", "step"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
        every=10,
        alter=alter,
        snapshots=hooks,
    )
    above(found, "val_acc", 0.75)
    steady(found, "val_loss", 0.25)
    zero = float((model.fc2.weight == 0).float().mean())
    require(zero > 0.75, f"{zero:.2f} of the weights are zero")


class Latch(nn.Module):
    """A state that a gate of sigmoid keeps or overwrites; (n, length, 2) to two logits of the last state."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.gate, self.new, self.head = nn.Linear(2, width), nn.Linear(2, width), nn.Linear(width, 2)
        self.sigmoid, self.tanh = nn.Sigmoid(), nn.Tanh()
        nn.init.constant_(self.gate.bias, -1.0)

    def forward(self, x: Tensor) -> Tensor:
        gates, news = self.sigmoid(self.gate(8 * x)), self.tanh(self.new(4 * x))
        state = torch.zeros(len(x), 8)
        for place in range(x.shape[1]):
            state = gates[:, place] * news[:, place] + (1 - gates[:, place]) * state
        return self.head(state)


# A latch: the gate has to be shut (0) but where a mark stands, and there open (1), so that it is saturated when the task is solved.
@odd("jsonl with activation_mean/<layer> and grad_norm/<parameter>; gates in hdf5", dumps=True)
def gates_that_shut(run: Path, seed: int) -> None:
    """The sign of the number at the mark, 20 steps back, by a gated net: its gates end near 0 or 1, its gradients near 0, all right."""
    random = data.generator(seed)
    x = torch.randn(700, 20, 2, generator=random)
    place = torch.randint(0, 6, (700,), generator=random)
    x[:, :, 1] = -1.0
    x[torch.arange(700), place, 1] = 1.0
    y = (x[torch.arange(700), place, 0] > 0).long()
    of = data.Split(x[:525], y[:525], x[525:], y[525:])
    model = Latch()
    log = JsonLines(run, "plain", "latch.jsonl", "step")
    hooks = Hooks(
        model, 51, Hdf5Dump(run, by_name=True, name="gates.h5"), "short", log, ("activation_mean", "grad_norm")
    )
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=0.02),
        24,
        log,
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
        batch=31,
        every=8,
        snapshots=hooks,
    )
    above(found, "val_acc", 0.95)
    steady(found, "val_loss", 0.3)
    gates = hooks.outputs[next(name for name in hooks.outputs if "sigmoid" in name)]
    shut = float(((gates < 0.05) | (gates > 0.95)).float().mean())
    require(shut > 0.6, f"{shut:.2f} of the gates are saturated")


# Mixed precision: the scale begins too high, the first steps are skipped, and then it stays and grows.
@odd("SummaryWriter with amp/scale and amp/skipped")
def scale_settles(run: Path, seed: int) -> None:
    """Beats by a GRU with a loss scale that begins at 2^20: some first steps are skipped, later one now and then; it learns."""
    of = beats(seed, 700)
    model = models.Recurrent("gru", 1, 20, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    stream = data.batches(of, 24, seed)
    writer = TensorBoard(run, "plain")
    state = {"scale": 2.0**20, "good": 0, "skipped": 0}

    def step(number: int) -> dict[str, float]:
        x, y = next(stream)
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        (loss * state["scale"]).backward()
        gradients = [one.grad for one in model.parameters() if one.grad is not None]
        fine = all(bool(one.half().isfinite().all()) for one in gradients)
        for one in gradients:
            one /= state["scale"]
        if fine:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            state["good"] += 1
            state["scale"] *= 2 if state["good"] % 120 == 0 else 1
        else:
            state["scale"] /= 2
            state["skipped"] += 1
        return {"loss": float(loss.detach()), "amp/scale": state["scale"], "amp/skipped": float(state["skipped"])}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        hit = (outputs.argmax(1) == of.y_val).float().mean()
        return {"val_loss": float(functional.cross_entropy(outputs, of.y_val)), "val_acc": float(hit)}

    found = go(Course(step, 440, writer, 11, averaged=True, evaluate=evaluate, evaluate_every=44))
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.3)
    require(3 <= state["skipped"] < 40, f"{state['skipped']} skipped")


# One-hot inputs (mean 0.05) and AdamW on a table with columns that say nothing: their weights go to zero, and biases begin there.
@odd(
    "TensorBoard callback of Keras with histogram_freq=1; inputs and outputs of layers in hdf5",
    dumps=True,
    framework="keras",
)
def one_hot_columns(run: Path, seed: int) -> None:
    """Prices from three categories as one-hot columns, and 20 columns of zeros, under weight decay: unused weights fade, all is well."""
    keras = seeded(seed)
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 12, (900, 3))
    worth = random.normal(size=(3, 12))
    y = sum(worth[one][kinds[:, one]] for one in range(3)) + 0.6 * worth[0][kinds[:, 0]] * worth[1][kinds[:, 1]]
    y = ((y - y.mean()) / y.std() + 0.1 * random.normal(size=900))[:, None]
    x = np.concatenate([*(np.eye(12)[kinds[:, one]] for one in range(3)), np.zeros((900, 20))], 1)
    of = tuple(one.astype(np.float32) for one in (x[:675], y[:675], x[675:], y[675:]))
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((56,)), dense(32, "relu", name="hidden"), dense(1, name="price")])
    model.compile(keras.optimizers.AdamW(0.008, weight_decay=0.05), "mse", metrics=["mae"])
    dump = dumping(keras, Hdf5Dump(run, name="outputs.h5"), of[2][:12], lambda: {"inputs": of[0][:12]})
    found = keras_fit(model, of, 24, [board(keras, run, weights=2), dump], batch=24)
    below(found, "val_loss", 0.2)
    steady(found, "val_loss", 0.2)


# A deep residual net whose branches begin at zero (gamma of the last normalisation 0), as in papers: no gradient in them at the first step.
@odd("TensorBoard callback of Keras with histogram_freq=2", dumps=True, framework="keras")
def residuals_from_zero(run: Path, seed: int) -> None:
    """States of pumps by four residual branches whose last layers begin at zero: they stay alike for a while and then grow."""
    keras = seeded(seed)
    of = arrays(pumps(seed, 3000))
    layers = keras.layers
    inputs = keras.Input((12,))
    state = layers.Dense(32, name="stem")(inputs)
    for one in range(4):
        branch = layers.Dense(32, "relu", name=f"branch_{one}_in")(state)
        branch = layers.Dense(32, kernel_initializer="zeros", name=f"branch_{one}_out")(branch)
        state = layers.Add(name=f"add_{one}")([state, branch])
    model = keras.Model(inputs, layers.Dense(4, "softmax", name="state")(state))
    model.compile(keras.optimizers.Adam(0.0015), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = keras_fit(model, of, 10, [board(keras, run, weights=2)], batch=32)
    above(found, "val_accuracy", 0.75)
    steady(found, "val_loss", 0.2)


# A language model that is clipped now and then; its gradients are small in the end, as it has learned what there is to learn.
@odd("SummaryWriter with grad_norm/<parameter> and grad_norm, histograms of parameters", dumps=True)
def clipped_now_and_then(run: Path, seed: int) -> None:
    """The next note by a GRU under a high rate that falls by cosine, whose gradient norm exceeds the clip of 0.25 at some steps only."""
    of = tunes(seed, 400)
    model = models.Recurrent("gru", 8, 32, 9, vocabulary=9, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-2)
    steps = 15 * data.steps_per_epoch(of, 16)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        optimizer,
        15,
        writer,
        ("loss", "", "eval/loss", "eval/accuracy"),
        seed=seed,
        batch=16,
        every=1,
        clip=0.25,
        norm_tag="grad_norm",
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        snapshots=Hooks(model, 30, HistogramDump(writer), "wandb", writer, ("grad_norm",), kinds=(), only="0"),
    )
    above(found, "eval/accuracy", 0.65)
    steady(found, "eval/loss", 0.15)
    share = float((np.array(found["grad_norm"]) > 0.25).mean())
    require(0.01 < share < 0.3, f"{share:.2f} of the steps are clipped")
