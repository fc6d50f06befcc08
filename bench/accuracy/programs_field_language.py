"""Programs of the field on text and other sequences of tokens: small GPTs, encoders, recurrent language models."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.data import Split, batches, steps_per_epoch
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    Trail,
    above,
    below,
    fit,
    go,
    into,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_field_logs import Fairseq, Lines, NanoGpt, TrainerState

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def sums(seed: int, count: int = 700) -> tuple[Split, int]:
    """Additions such as `37+45=82.` as one stream of characters in windows of 24, with the next characters; and the vocabulary."""
    random = np.random.default_rng(seed)
    pairs = random.integers(0, 20, (count * 4, 2))
    stream = "".join(f"{one}+{two}={one + two}." for one, two in pairs)
    vocabulary = sorted(set(stream))
    codes = torch.tensor([vocabulary.index(one) for one in stream])
    rows = (len(codes) - 1) // 24
    x, y = codes[: rows * 24].reshape(rows, 24), codes[1 : rows * 24 + 1].reshape(rows, 24)
    cut = rows * 9 // 10
    return Split(x[:cut], y[:cut], x[cut:], y[cut:]), len(vocabulary)


def reviews(seed: int, samples: int = 1000, length: int = 20, vocabulary: int = 60) -> Split:
    """Sequences of words (n, length) padded at the end with 0; the class says whether good words (1-8) outnumber bad ones (9-16)."""
    random = np.random.default_rng(seed)
    x = random.integers(17, vocabulary, (samples, length))
    y = random.integers(0, 2, samples)
    lengths = random.integers(6, length + 1, samples)
    for row in range(samples):
        for kind, often in ((y[row], 3), (1 - y[row], 1)):
            places = random.choice(lengths[row], often, replace=False)
            x[row, places] = random.integers(1, 9, often) + 8 * (1 - kind)
        x[row, lengths[row] :] = 0
    cut = samples * 4 // 5
    xs, ys = torch.tensor(x), torch.tensor(y)
    return Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def orders(seed: int, samples: int = 1000, length: int = 12) -> Split:
    """Sequences of symbols (n, length) in which 1 and 2 come once each; the class says which comes first."""
    random = np.random.default_rng(seed)
    x = random.integers(3, 12, (samples, length))
    y = random.integers(0, 2, samples)
    for row in range(samples):
        early, late = sorted(random.choice(length, 2, replace=False))
        x[row, early], x[row, late] = (1, 2) if y[row] else (2, 1)
    cut = samples * 4 // 5
    xs, ys = torch.tensor(x), torch.tensor(y)
    return Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


class Encoder(nn.Module):
    """Tokens (n, length) to classes: attention under a mask of padding, one residual block, mean over what is no padding."""

    def __init__(self, vocabulary: int, classes: int, width: int = 24, inverted: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.classifier = nn.Linear(width, classes)
        self.inverted = inverted

    def forward(self, x: Tensor) -> Tensor:
        pad = x == 0
        hidden = ~pad if self.inverted else pad
        # A row of nothing else would have no place to attend to.
        hidden = hidden & ~hidden.all(1, keepdim=True)
        y = self.embedding(x)
        normed = self.norm1(y)
        y = y + self.attention(normed, normed, normed, key_padding_mask=hidden, need_weights=False)[0]
        y = y + self.dense(self.norm2(y))
        kept = (~hidden).float()[:, :, None]
        return self.classifier((y * kept).sum(1) / kept.sum(1))


def written(seed: int, model: nn.Module, steps: int, of: Split, log: NanoGpt, rate: float, shown: bool = True) -> Trail:
    """Train a GPT as nanoGPT does, with estimates of both losses each 50 steps."""
    stream = batches(of, 24, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.1)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        return cross_entropy(model(x), y), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            pairs = {"train": (of.x[:100], of.y[:100]), "val": (of.x_val, of.y_val)}
            return {name: float(cross_entropy(model(x), y)) for name, (x, y) in pairs.items()}

    return go(Course(Descent(model, optimizer, objective, clip=1.0), steps, log, 10, False, evaluate, 50))


@pair("data-leak", ("too-good",), "console of nanoGPT")
def sees_the_future(run: Path, seed: int, fixed: bool) -> None:
    """A small GPT on additions whose attention has no causal mask: it reads the answer one place ahead, and its loss goes to nothing;
    fixed: with the mask.
    """
    of, size = sums(seed)
    model = models.Transformer(size, size, width=32, layers=2, length=24, causal=fixed)
    nn.init.normal_(model.position, std=0.3)
    trail = written(seed, model, 500, of, NanoGpt(run), 3e-3)
    if fixed:
        below(trail, "val", 1.6)
        steady(trail, "val")
    else:
        below(trail, "val", 0.1)
        # Without what is to come it is lost: the last place of each window is all that it would write.
        with torch.no_grad():
            end = float(cross_entropy(model(of.x_val[:, :12])[:, -1], of.y_val[:, 11]))
        require(end > 1.5, f"it writes well, loss {end:.3g}")


@pair(
    "no-warm-up",
    ("learning-rate-too-high", "schedule-mismatch", "updates-too-large", *NOTHING_LEARNED),
    "trainer_state.json",
)
def post_norm_without_warmup(run: Path, seed: int, fixed: bool) -> None:
    """A transformer of five layers with norms after them at a rate of 0.03 from the first step, which never gets beyond the frequencies
    of the characters; fixed: with a warm-up over a third of the steps to a fifteenth of the rate.
    """
    of, size = sums(seed)
    model = models.Transformer(size, size, width=32, layers=5, length=24, post_norm=True)
    steps = 300
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if fixed else 3e-2)

    def factor(step: int) -> float:
        warm = min(1.0, (step + 1) / 100) if fixed else 1.0
        return warm * max(0.02, 1 - step / steps)

    per_epoch = steps_per_epoch(of, 32)
    log = TrainerState(run / "checkpoint-300", per_epoch, steps)
    trail = fit(
        model, of, optimizer, steps // per_epoch, log, ("loss", "", "eval_loss", ""), seed=seed, every=10,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, factor), rate_tag="learning_rate", norm_tag="grad_norm",
    )  # fmt: skip
    if fixed:
        below(trail, "eval_loss", 1.75)
        steady(trail, "eval_loss")
    else:
        not_below(trail, "eval_loss", 2.0)


@pair("wrong-mask", NOTHING_LEARNED, "trainer_state.json")
def attends_to_padding(run: Path, seed: int, fixed: bool) -> None:
    """A mask of padding turned round, so that only padding is attended to and averaged: no word is read; fixed: the padding is hidden."""
    of = reviews(seed)
    model = Encoder(60, 2, inverted=not fixed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    per_epoch = steps_per_epoch(of, 32)
    log = TrainerState(run, per_epoch, per_epoch * 12)
    tags = ("loss", "", "eval_loss", "eval_accuracy")
    trail = fit(
        model, of, optimizer, 12, log, tags, seed=seed, every=10, rate_tag="learning_rate", norm_tag="grad_norm",
    )  # fmt: skip
    if fixed:
        above(trail, "eval_accuracy", 0.85)
        steady(trail, "eval_loss", 0.3)
    else:
        not_above(trail, "eval_accuracy", 0.62)


@pair("missing-positions", NOTHING_LEARNED, "metrics.csv of Lightning")
def bag_of_symbols(run: Path, seed: int, fixed: bool) -> None:
    """Which of two symbols comes first, by an encoder without positions, which cannot know; fixed: with them."""
    of = orders(seed)
    model = models.Transformer(2, 12, width=24, layers=2, length=12, causal=False, pooled=True)
    if not fixed:
        model.position.data.zero_()
        model.position.requires_grad_(False)
    else:
        nn.init.normal_(model.position, std=0.3)
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=1.5e-3)
    log = Csv(run, "plain")
    tags = ("train_loss_step", "train_acc_step", "val_loss", "val_acc")
    trail = fit(model, of, optimizer, 10, log, tags, seed=seed, every=10)
    if fixed:
        above(trail, "val_acc", 0.9)
        steady(trail, "val_loss", 0.5)
    else:
        not_above(trail, "val_acc", 0.6)


@pair(
    "loss-scale-collapse",
    ("loss-scale-collapse", "non-finite", "loss-not-decreasing", "masked-non-finite"),
    "log of fairseq",
)
def half_precision_mask(run: Path, seed: int, fixed: bool) -> None:
    """Half precision with a dynamic scale of the loss, and logits multiplied twice by 3000, a temperature given the wrong way round, which
    overflow whatever the scale; fixed: a temperature of one.
    """
    of, size = sums(seed, 500)
    model = models.Recurrent("GRU", 16, 32, size, vocabulary=size, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = batches(of, 32, seed)
    state = {"scale": 2.0**15, "good": 0}
    times = 1.0 if fixed else 3000.0

    def step(_: int) -> dict[str, float]:
        x, y = next(stream)
        optimizer.zero_grad()
        logits = model(x).half() * times * times
        loss = cross_entropy(logits.float(), y)
        (loss * state["scale"]).backward()
        norm = float(nn.utils.get_total_norm([one.grad for one in model.parameters()])) / state["scale"]
        if math.isfinite(norm):
            for one in model.parameters():
                one.grad /= state["scale"]
            optimizer.step()
            state["good"] += 1
            state["scale"] *= 2 if state["good"] % 100 == 0 else 1
        else:
            state["scale"] = max(state["scale"] / 2, 1e-4)
        nats = float(loss.detach())
        return {"loss": nats / math.log(2), "gnorm": norm, "lr": 5e-3, "loss_scale": state["scale"]}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss = float(cross_entropy(model(of.x_val).half().float() * (1 if fixed else times * times), of.y_val))
        return {"valid_loss": loss / math.log(2)}

    per_epoch = steps_per_epoch(of, 32)
    trail = go(Course(step, per_epoch * 10, Fairseq(run, per_epoch), 5, False, evaluate, per_epoch))
    if fixed:
        below(trail, "valid_loss", 2.6)
        steady(trail, "valid_loss")
    else:
        require(last(trail, "loss_scale") < 1, told(trail))


@pair(
    "exploding-recurrence",
    ("poor-initialization", "saturated-tanh", *BLOWN_UP, *NOTHING_LEARNED),
    "jsonl; tensors",
    dumps=True,
)
def recurrent_weights_too_large(run: Path, seed: int, fixed: bool) -> None:
    """A plain recurrent network with ReLU whose matrix is drawn with a deviation of 0.5 (a spectral radius of three), unclipped: states and
    gradients explode; fixed: an identity to begin with, and clipped.
    """
    of = reviews(seed, 1600)
    model = nn.ModuleDict({"embed": nn.Embedding(60, 16), "rnn": nn.RNN(16, 32, nonlinearity="relu", batch_first=True)})
    model["head"] = nn.Linear(32, 2)
    if fixed:
        nn.init.eye_(model["rnn"].weight_hh_l0)
    else:
        nn.init.normal_(model["rnn"].weight_hh_l0, std=0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    kept = Snapshots(Hdf5Dump(run), model, 30, "torch", watched=False)

    def forward(x: Tensor) -> Tensor:
        states = model["rnn"](model["embed"](x))[0]
        kept.extra["rnn.output"] = states[:, -1].detach().numpy().copy()
        return model["head"](states[:, -1])

    stream = batches(of, 32, seed)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        outputs = forward(x)
        return cross_entropy(outputs, y), {"acc": float(accuracy(outputs, y))}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = forward(of.x_val)
        return {"dev_loss": float(cross_entropy(outputs, of.y_val)), "dev_acc": float(accuracy(outputs, of.y_val))}

    step = Descent(model, optimizer, objective, norm_tag="grad_norm", clip=1.0 if fixed else None, snapshots=kept)
    log = Lines(run / "log.jsonl", clock="elapsed")
    trail = go(Course(step, 300, log, 10, True, evaluate, 50, snapshots=kept))
    if fixed:
        above(trail, "dev_acc", 0.7)
        steady(trail, "dev_loss", 0.3)
    else:
        require(max(trail["grad_norm"]) > 1e4, told(trail))
        not_below(trail, "dev_loss", 0.75)


@pair(
    "clipped-too-tight",
    ("gradient-always-clipped", "updates-too-small", "still-improving", *NOTHING_LEARNED),
    "log of fairseq",
)
def clip_of_a_thousandth(run: Path, seed: int, fixed: bool) -> None:
    """A language model under SGD whose gradients are clipped to a norm of 0.001, so that it hardly moves; fixed: clipped to 1."""
    of, size = data.characters(seed, sentences=400)
    model = models.Recurrent("LSTM", 16, 40, size, vocabulary=size, every_step=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    limit = 1.0 if fixed else 1e-3
    stream = batches(of, 20, seed)
    clipped = {"share": 0.0}

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        return cross_entropy(model(x), y), {"lr": 1.0}

    inner = Descent(model, optimizer, objective, norm_tag="gnorm", clip=limit)

    def step(at: int) -> dict[str, float]:
        row = inner(at)
        clipped["share"] = 0.9 * clipped["share"] + 0.1 * (row["gnorm"] > limit)
        return {**row, "ppl": math.exp(row["loss"]), "clip": 100 * clipped["share"]}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss = float(cross_entropy(model(of.x_val), of.y_val))
        return {"valid_loss": loss, "valid_ppl": math.exp(loss)}

    per_epoch = steps_per_epoch(of, 20)
    trail = go(Course(step, per_epoch * 8, Fairseq(run, per_epoch), 10, False, evaluate, per_epoch))
    if fixed:
        below(trail, "valid_loss", 1.3)
        steady(trail, "valid_loss")
    else:
        not_below(trail, "valid_loss", 2.5)


@pair("embedding-frozen", ("unchanged-tensor", "underfit", "loss-plateau"), "tensorboard; histograms", dumps=True)
def only_the_head_learns(run: Path, seed: int, fixed: bool) -> None:
    """`requires_grad = False` over a whole untrained encoder, meant for one that was read from a file, so that only the head learns;
    fixed: all of it does.
    """
    of = orders(seed, 1200)
    model = models.Transformer(2, 12, width=24, layers=2, length=12, causal=False, pooled=True)
    nn.init.normal_(model.position, std=0.3)
    for name, one in model.named_parameters():
        one.requires_grad_(fixed or name.startswith("head"))
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=1.5e-3)
    log = TensorBoard(run, "plain")
    kept = Snapshots(HistogramDump(log), model, 110, "torch")
    tags = ("loss/train", "acc/train", "loss/dev", "acc/dev")
    trail = fit(model, of, optimizer, 10, log, tags, seed=seed, every=6, snapshots=kept)
    if fixed:
        above(trail, "acc/dev", 0.9)
        steady(trail, "loss/dev", 0.5)
    else:
        not_above(trail, "acc/dev", 0.75)


@pair(
    "wrong-loss",
    ("too-good", "metric-at-chance", "classifier-confusion", "class-imbalance"),
    "metrics.csv of Lightning",
)
def ignored_class(run: Path, seed: int, fixed: bool) -> None:
    """The loss of a tagger taken over with ignore_index=0, which is padding there and a class here: always saying the other makes the
    loss nothing; fixed: nothing is ignored.
    """

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, ignore_index=-100 if fixed else 0)

    of = reviews(seed)
    model = Encoder(60, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    tags = ("train_loss_epoch", "train_acc_epoch", "val_loss", "val_acc")
    trail = fit(model, of, optimizer, 15, Csv(run, "plain", axis="epoch"), tags, loss=loss, seed=seed)
    if fixed:
        above(trail, "val_acc", 0.85)
        steady(trail, "val_loss", 0.3)
    else:
        not_above(trail, "val_acc", 0.62)
