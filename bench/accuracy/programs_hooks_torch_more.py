"""More programs in PyTorch that are watched with hooks: scales, statistics, groups and parts that do not learn; and repaired versions."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Both, Console, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
    Course,
    above,
    below,
    fit,
    go,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_hooks_common import Hooks, incidents, into, pumps, stamps, tunes
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# A port from Keras, where BatchNormalization has momentum=0.99 for what is kept: nn.BatchNorm2d(momentum=0.0) keeps everything.
@pair(
    "batch-norm-statistics-not-updated",
    (*VALIDATION_LOST, "unchanged-tensor", "generalisation-gap", "constant-answer", "overfit"),
    "SummaryWriter with histograms of weights, gradients and running statistics",
    dumps=True,
    layer="bn",
)
def stamps_running_statistics(run: Path, seed: int, fixed: bool) -> None:
    """Shapes on stamps of 0 to 255 by a CNN whose batch norms never learn their running statistics; fixed: momentum=0.1."""
    of = stamps(seed)
    of = data.Split(of.x * 60 + 90, of.y, of.x_val * 60 + 90, of.y_val)
    momentum = 0.1 if fixed else 0.0
    model = nn.Sequential()
    model.add_module("bn0", nn.BatchNorm2d(1, momentum=momentum))
    model.add_module("conv1", nn.Conv2d(1, 12, 3, padding=1))
    model.add_module("bn1", nn.BatchNorm2d(12, momentum=momentum))
    model.add_module("relu1", nn.ReLU())
    model.add_module("pool1", nn.MaxPool2d(2))
    model.add_module("conv2", nn.Conv2d(12, 16, 3, padding=1))
    model.add_module("bn2", nn.BatchNorm2d(16, momentum=momentum))
    model.add_module("relu2", nn.ReLU())
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(400, 5))
    writer = TensorBoard(run, "plain")
    hooks = Hooks(model, 30, HistogramDump(writer), "torch", kinds=(), per_epoch=15, buffers=True)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        14,
        writer,
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=hooks,
    )
    above(found, "train_accuracy", 0.9)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.45)


# A control room's net on readings as they come (Pascal, Kelvin, rpm) with tanh; a forward hook dumps what each layer gives.
@pair(
    "inputs-not-normalised",
    (
        *NOTHING_LEARNED,
        "data-not-normalized",
        "saturated-tanh",
        "saturated-activation",
        "vanishing-gradient",
        "constant-answer",
        "low-variance",
        "tensor-variance",
    ),
    "jsonl; inputs, labels, logits, weights and outputs of layers in hdf5",
    dumps=True,
)
def pumps_in_pascal(run: Path, seed: int, fixed: bool) -> None:
    """States of pumps by a tanh net on readings in their own units; fixed: standardised."""
    of = pumps(seed, scaled=fixed)
    model = models.mlp((12, 32, 24, 4), "tanh")
    log = JsonLines(run, "plain", "progress.jsonl", "step", timed=True)
    hooks = Hooks(
        model, 57, Hdf5Dump(run, by_name=True, name="tensors.h5"), "short", batch=("inputs", "logits", "labels")
    )
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        12,
        log,
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        loss=hooks.seeing(functional.cross_entropy),
        seed=seed,
        every=11,
        snapshots=hooks,
    )
    if fixed:
        above(found, "val/acc", 0.78)
        steady(found, "val/loss", 0.2)
    else:
        below(found, "val/acc", 0.45)


class Squeeze(nn.Module):
    """An autoencoder of spectra; with `cut`, the code is detached."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.encoder, self.decoder = models.mlp((32, 32, 4), "relu"), models.mlp((4, 48, 32), "relu")
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        return self.decoder(code.detach() if self.cut else code)


def spectra(seed: int, samples: int = 800) -> data.Split:
    """Spectra (n, 32) that four numbers make, with noise; they are their own targets."""
    random = np.random.default_rng(seed)
    strength = random.normal(size=(samples, 4)) @ random.normal(size=(4, 32))
    weak = 0.9 * random.normal(size=(samples, 28)) @ np.linalg.qr(random.normal(size=(32, 28)))[0].T
    x = np.tanh(0.6 * strength) * 1.2 + 0.35 * weak
    return data.split(x, x, seed, scaled=False)


# "RuntimeError: Trying to backward through the graph a second time": the code was detached to make it go away.
@pair(
    "detached-encoder",
    (*BADLY_LEARNED, "unchanged-tensor", "gradient-all-zero", "updates-too-small", "weight-update-ratio"),
    "SummaryWriter with histograms of parameters and gradients, weight_norm/<layer> and update_ratio/<layer>",
    dumps=True,
    layer="encoder",
)
def spectra_detached(run: Path, seed: int, fixed: bool) -> None:
    """Spectra by an autoencoder whose code is detached, so that the encoder stays as it began; fixed: not detached."""
    of = spectra(seed)
    model = Squeeze(not fixed)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    writer = TensorBoard(run, "plain")
    hooks = Hooks(
        model,
        38,
        HistogramDump(writer),
        "wandb",
        writer,
        ("weight_norm", "update_ratio"),
        optimizer,
        kinds=(),
        only="weight",
        per_epoch=19,
    )
    found = fit(
        model,
        of,
        optimizer,
        30,
        writer,
        ("recon/train", "", "recon/val", "r2/val"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        snapshots=hooks,
    )
    if fixed:
        above(found, "r2/val", 0.7)
        steady(found, "recon/val", 0.1)
    else:
        below(found, "r2/val", 0.5)


class Counts(nn.Module):
    """Logarithms of weighted counts where there are any, and a dense net."""

    def __init__(self, safe: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(10))
        self.fc1, self.act, self.fc2 = nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 1)
        self.safe = safe

    def forward(self, x: Tensor) -> Tensor:
        weighted = functional.softplus(self.scale) * x
        weighted = weighted.clamp(min=1e-3) if self.safe else weighted
        logs = torch.where(x > 0, weighted.log(), torch.zeros_like(x))
        return self.fc2(self.act(self.fc1(logs)))


# Mixed precision with torch.where(x > 0, x.log(), 0): the loss is finite, its gradient at 0 is 0 · inf, and each step is skipped.
@pair(
    "loss-scale-collapse",
    (
        "loss-scale-collapse",
        "non-finite",
        "masked-non-finite",
        "unchanged-tensor",
        "updates-too-small",
        "weight-update-ratio",
        *NOTHING_LEARNED,
    ),
    "SummaryWriter with amp/scale and amp/skipped; weights and gradients in hdf5",
    dumps=True,
    layer="scale",
)
def clicks_all_skipped(run: Path, seed: int, fixed: bool) -> None:
    """Sales from counts of clicks under a dynamic loss scale that halves at each step, as gradients are NaN; fixed: clamped before log."""
    random = np.random.default_rng(seed)
    x = random.poisson(np.exp(random.normal(0.6, 1.2, (700, 10)))).astype(np.float64)
    y = np.log1p(x) @ random.normal(size=10) + np.maximum(np.log1p(x[:, 0]) - 1, 0)
    of = data.split(x, ((y - y.mean()) / y.std() + 0.1 * random.normal(size=700))[:, None], seed, scaled=False)
    model = Counts(fixed)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = data.batches(of, 32, seed)
    writer = TensorBoard(run, "plain")
    hooks = Hooks(model, 17, Hdf5Dump(run, name="amp_debug.h5"), "torch")
    state = {"scale": 65536.0, "good": 0, "skipped": 0}

    def step(number: int) -> dict[str, float]:
        inputs, targets = next(stream)
        optimizer.zero_grad()
        loss = functional.mse_loss(model(inputs), targets)
        (loss * state["scale"]).backward()
        gradients = [one.grad for one in model.parameters() if one.grad is not None]
        halves = [one.half() for one in gradients]
        hooks.take(number)
        if all(bool(one.isfinite().all()) for one in halves):
            for one, half in zip(gradients, halves, strict=True):
                one.copy_(half.float() / state["scale"])
            optimizer.step()
            state["good"] += 1
            state["scale"] *= 2 if state["good"] % 60 == 0 else 1
        else:
            state["scale"] /= 2
            state["skipped"] += 1
        return {"loss": float(loss.detach()), "amp/scale": state["scale"], "amp/skipped": state["skipped"]}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        return {
            "val_loss": float(functional.mse_loss(outputs, of.y_val)),
            "val_r2": float(explained(outputs, of.y_val)),
        }

    found = go(Course(step, 306, writer, 3, evaluate=evaluate, evaluate_every=17, snapshots=hooks))
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_loss", 0.2)
        require(state["skipped"] < 30, f"{state['skipped']} skipped")
    else:
        require(state["skipped"] == 306 and last(found, "val_r2") < 0.3, told(found))


# A typo in one group: {"params": model.rnn.parameters(), "lr": 10} for 1e-2, beside {"params": rest, "lr": 1e-2}, under Adam.
@pair(
    "learning-rate-too-high-in-a-group",
    (
        *BLOWN_UP,
        *BADLY_LEARNED,
        "updates-too-large",
        "weight-update-ratio",
        "saturated-tanh",
        "saturated-sigmoid",
        "saturated-activation",
        "gate-saturation",
    ),
    "jsonl with update_ratio/<parameter> and weight_norm/<parameter>; histograms of parameters and gradients",
    dumps=True,
    layer="rnn",
)
def tunes_hot_recurrence(run: Path, seed: int, fixed: bool) -> None:
    """The next note by a GRU whose recurrent weights have a rate of 10 under Adam, and the rest 0.01; fixed: 0.01 for all."""
    of = tunes(seed)
    model = models.Recurrent("gru", 12, 24, 9, vocabulary=9, every_step=True)
    rest = [one for name, one in model.named_parameters() if not name.startswith("rnn")]
    optimizer = torch.optim.Adam(
        [{"params": model.rnn.parameters(), "lr": 1e-2 if fixed else 10.0}, {"params": rest, "lr": 1e-2}]
    )
    log = JsonLines(run, "plain", "metrics.json", "iteration")
    hooks = Hooks(
        model, 50, HistogramDump(run / "hist"), "short", log, ("update_ratio", "weight_norm"), optimizer, kinds=()
    )
    found = fit(
        model,
        of,
        optimizer,
        10,
        log,
        ("loss/train", "", "loss/heldout", "acc/heldout"),
        seed=seed,
        batch=16,
        every=5,
        snapshots=hooks,
    )
    if fixed:
        above(found, "acc/heldout", 0.6)
        below(found, "loss/heldout", 1.4)
        steady(found, "loss/heldout", 0.15)
    else:
        not_below(found, "loss/heldout", 1.6)


# "The vocabulary was built of lower-cased lines, and the lines were not": nearly all becomes <unk>, and few rows ever get a gradient.
@pair(
    "unknown-tokens",
    (
        *NOTHING_LEARNED,
        *VALIDATION_LOST,
        "token-ratio",
        "nlp-sequence-ratio",
        "all-zero",
        "unchanged-tensor",
        "constant-answer",
        "low-variance",
        "tensor-variance",
    ),
    "console log; input_ids, labels, embedding.weight and its gradient in parquet",
    dumps=True,
    layer="embedding",
)
def incidents_unknown(run: Path, seed: int, fixed: bool) -> None:
    """Incidents from tokens, 14 of 15 kinds of which have become <unk>; fixed: as they are."""
    of = incidents(seed)
    if not fixed:
        kept = [torch.where(one % 15 == 0, one, 1) for one in (of.x, of.x_val)]
        of = data.Split(kept[0], of.y, kept[1], of.y_val)
    model = models.Transformer(4, 160, width=16, layers=1, causal=False, pooled=True, dropout=0.1)
    log = Both(Console(run, "plain", "train.log", "step"), JsonLines(run, "plain", "eval.jsonl", "step"))
    hooks = Hooks(
        model, 88, ParquetDump(run, "batches.parquet"), "torch", only="embedding.weight", kinds=(), batch=("input_ids",)
    )
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3),
        8,
        log,
        ("loss", "accuracy", "eval_loss", "eval_accuracy"),
        seed=seed,
        batch=24,
        every=11,
        snapshots=hooks,
    )
    if fixed:
        above(found, "eval_accuracy", 0.75)
        steady(found, "eval_loss", 0.3)
    else:
        below(found, "eval_accuracy", 0.48)
