"""Programs of the forum on sequences: recurrent networks, transformers, tokens, and a recommender."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, TrainerState
from bench.accuracy.programs_forum_common import (
    NOT_LEARNING,
    STUCK,
    TOO_FAST,
    Job,
    Table,
    ends_well,
    explained,
    into,
    proved,
    steps,
    tested,
    write_json,
)

RECIPES: list[Recipe] = []
program = into(RECIPES)


class Plain(nn.Module):
    """A recurrent layer with ReLU that starts as the identity; its last state is read."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(inputs, hidden, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(hidden, outputs)
        nn.init.eye_(self.rnn.weight_hh_l0)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.rnn(x)[0][:, -1])


@program(
    "exploding-rnn",
    ("exploding-gradient", "loss-divergence", "learning-rate-too-high", "non-finite"),
    "tensorboard by step",
)
def rnn_explodes(run: Path, seed: int, faulty: bool) -> None:
    """Sums over 40 steps by an RNN with ReLU: SGD at 0.01 without clipping blows up at once (faulty); Adam with clipping holds (fixed)."""
    of = data.adding(seed, samples=1500, length=40)
    model = Plain(2, 32, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01) if faulty else torch.optim.Adam(model.parameters(), 0.005)
    job = Job(model, of, optimizer, 26, functional.mse_loss, explained, seed=seed, clip=None if faulty else 1.0)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    told, decay = list[float](), torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.92)
    for now in steps(job):
        told.append(now.loss)
        if now.step % 2 == 1:
            writer.add_scalar("rnn/loss", now.loss, now.step)
            writer.add_scalar("rnn/gradient_norm", now.grad_norm, now.step)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("rnn/val_loss", val_loss, now.step)
            decay.step()
    writer.close()
    if faulty:
        require(not max(told) < 20 * told[0], f"loss {told[0]:.3g} at first, {max(told):.3g} at most")
    proved(faulty, reached, 0.6, 0.2, "R²")
    ends_well(faulty, losses, 0.4)


@program("no-warm-up", ("updates-too-large", *TOO_FAST[:3], *STUCK), "trainer_state.json")
def transformer_no_warmup(run: Path, seed: int, faulty: bool) -> None:
    """A small language model at 0.2 without warm-up stays at the letters' shares (faulty); 0.003 after 40 steps of warm-up (fixed)."""
    of, vocabulary = data.characters(seed, length=24, sentences=400)
    model = models.Transformer(vocabulary, vocabulary, width=32, heads=4, layers=3, length=24, post_norm=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.2 if faulty else 0.003)
    planned, per_epoch = 260, -(-len(of.x) // 32)
    decay = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda at: (1 if faulty else min(1.0, (at + 1) / 40)) * max(0.0, 1 - at / planned)
    )

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs.reshape(-1, vocabulary), targets.reshape(-1))

    epochs = -(-planned // per_epoch)
    job = Job(model, of, optimizer, epochs, criterion, _token_hits, seed=seed, clip=1.0)
    state = TrainerState(run, per_epoch, planned)
    losses, val_loss = list[float](), math.nan
    for now in steps(job):
        rate = optimizer.param_groups[0]["lr"]
        decay.step()
        if now.step % 10 == 0:
            state.log(now.step, {"train_loss": now.loss, "grad_norm": now.grad_norm, "lr": rate})
        if now.step % 40 == 0 or now.step == planned:
            val_loss, hit = tested(job)
            losses.append(val_loss)
            state.log(now.step, {"val_loss": val_loss, "val_accuracy": hit})
        if now.step == planned:
            break
    state.close()
    proved(faulty, -val_loss, -1.2, -2.0, "minus validation loss")
    ends_well(faulty, losses)


def _token_hits(outputs: Tensor, targets: Tensor) -> float:
    return float((outputs.argmax(-1) == targets).float().mean())


class Reviews(nn.Module):
    """Embedding, LSTM and one logit, over tokens of which 0 is padding."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 24, batch_first=True)
        self.classifier = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.lstm(self.embedding(x))[0].mean(1))


def _reviews(seed: int, samples: int = 1200, length: int = 16, words: int = 120) -> data.Split:
    """Sentences of tokens from 1; the class tells which of two thirds of the words are frequent."""
    random = data.generator(seed)
    y = torch.randint(0, 2, (samples,), generator=random)
    x = torch.randint(1, words, (samples, length), generator=random)
    hinted = torch.rand(samples, length, generator=random) < 0.25
    hints = torch.randint(1, 20, (samples, length), generator=random) + 20 * y[:, None]
    x = torch.where(hinted, hints, x)
    cut = samples * 3 // 4
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def _binary(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(outputs.squeeze(1), targets.float())


@program("tokens-all-padding", ("token-ratio", "low-variance", *NOT_LEARNING), "csv, hdf5 dump", dumps=True)
def all_padding(run: Path, seed: int, faulty: bool) -> None:
    """Reviews whose words are looked up in a vocabulary of another case: every index is the padding's 0 (faulty), or right (fixed)."""
    of = _reviews(seed)
    if faulty:
        of = data.Split(0 * of.x, of.y, 0 * of.x_val, of.y_val)
    model = Reviews(120)
    job = Job(model, of, torch.optim.Adam(model.parameters(), 4e-3), 10, _binary, seed=seed)
    dump = Hdf5Dump(run, name="debug_tensors.h5")

    def kept(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if step % 15 == 1:
            dump.dump(step, {"inputs/input_ids": x.numpy(), "labels/sentiment": y.numpy()})
        return x, y

    job.alter = kept
    table = Table(run / "sentiment.csv", ["step", "train_loss", "train_acc", "val_loss", "val_acc"])
    losses, reached = list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            about = {"train_loss": now.mean_loss, "train_acc": now.mean_score}
            table.row(step=now.step, **about, val_loss=val_loss, val_acc=reached)
    table.close()
    dump.close()
    proved(faulty, reached, 0.85, 0.6)
    ends_well(faulty, losses, 0.2)


@program("off-by-one-labels", ("metric-at-chance", "underfit"), "json")
def labels_off_by_one(run: Path, seed: int, faulty: bool) -> None:
    """The targets of a tagger are the tags of the next sentence in the file: read one row late (faulty), or aligned (fixed)."""
    of = _reviews(seed + 9)
    if faulty:
        of = data.Split(of.x, of.y.roll(1), of.x_val, of.y_val.roll(1))
    model = nn.Sequential(nn.EmbeddingBag(120, 2), nn.Linear(2, 1))
    job = Job(model, of, torch.optim.Adam(model.parameters(), 6e-3), 25, _binary, seed=seed)
    history: dict[str, list[float]] = {"loss": [], "binary_accuracy": [], "val_loss": [], "val_binary_accuracy": []}
    for now in steps(job):
        if now.last:
            for name, value in zip(history, (now.mean_loss, now.mean_score, *tested(job)), strict=True):
                history[name].append(value)
    write_json(run / "tagger_history.json", history)
    proved(faulty, history["val_binary_accuracy"][-1], 0.85, 0.6)
    ends_well(faulty, history["val_loss"])


class Factors(nn.Module):
    """Ratings by the product of a user's and an item's vector, with their biases."""

    def __init__(self, users: int, items: int) -> None:
        super().__init__()
        self.user_embedding, self.item_embedding = nn.Embedding(users, 8), nn.Embedding(items, 8)
        self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
        for table in (self.user_embedding, self.item_embedding, self.user_bias, self.item_bias):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        user, item = x[:, 0], x[:, 1]
        both = (self.user_embedding(user) * self.item_embedding(item)).sum(1, keepdim=True)
        return both + self.user_bias(user) + self.item_bias(item)


@program("weight-decay-too-strong", ("all-zero", "low-variance", *STUCK), "tensorboard, hdf5 dump", dumps=True)
def recommender_decay(run: Path, seed: int, faulty: bool) -> None:
    """Ratings by matrix factors; Adam's weight_decay=0.5 presses all factors to nothing (faulty), 2e-5 leaves them (fixed)."""
    random = data.generator(seed)
    users, items = torch.randn(60, 3, generator=random), torch.randn(40, 3, generator=random)
    x = torch.cartesian_prod(torch.arange(60), torch.arange(40))[torch.randperm(2400, generator=random)]
    y = (users[x[:, 0]] * items[x[:, 1]]).sum(1, keepdim=True)
    y = y / y.std() + 0.2 * torch.randn(2400, 1, generator=random)
    of = data.Split(x[:2000], y[:2000], x[2000:], y[2000:])
    model = Factors(60, 40)
    optimizer = torch.optim.Adam(model.parameters(), 0.01, weight_decay=0.5 if faulty else 1e-4)
    job = Job(model, of, optimizer, 25, functional.mse_loss, explained, batch=64, seed=seed)
    dump = Hdf5Dump(run, by_name=True, name="embeddings.h5")
    job.before_step = lambda step: (
        step % 40 == 1
        and dump.dump(step, {f"weights/{name}": one.detach().numpy().copy() for name, one in model.named_parameters()})
    )
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("RMSE/train", math.sqrt(now.mean_loss), now.epoch)
            writer.add_scalar("RMSE/test", math.sqrt(val_loss), now.epoch)
    writer.close()
    dump.close()
    proved(faulty, reached, 0.6, 0.1, "R²")
    ends_well(faulty, losses, 0.15)


@program("half-precision-overflow", ("non-finite", "exploding-tensor", "loss-scale-collapse"), "console by step")
def half_overflow(run: Path, seed: int, faulty: bool) -> None:
    """A hand-written softmax in half precision overflows when a logit passes 11 (faulty); torch's own in float32 does not (fixed)."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    lines, losses, reached, random = [], list[float](), 0.0, data.generator(seed)
    for epoch in range(1, 21):
        for chosen in torch.randperm(len(of.x), generator=random).split(64):
            outputs = model(of.x[chosen])
            if faulty:
                powers = torch.exp(outputs.half())
                chances = (powers / powers.sum(1, keepdim=True)).gather(1, of.y[chosen, None])
                loss = -torch.log(chances.float() + 1e-7).mean()
            else:
                loss = functional.cross_entropy(outputs, of.y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            lines.append(f"[{epoch}] iter {len(lines) + 1} loss {loss.item():.4f}")
        with torch.no_grad():
            outputs = model(of.x_val)
        losses.append(float(functional.cross_entropy(outputs, of.y_val)))
        reached = float((outputs.argmax(-1) == of.y_val).float().mean())
        lines.append(f"[{epoch}] validation: val_loss {losses[-1]:.4f} val_acc {reached:.4f}")
    (run / "train.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if faulty:
        require(losses[-1] != losses[-1], f"validation loss {losses[-1]:.3g} is finite")
    proved(faulty, reached, 0.92, 0.2)
    ends_well(faulty, losses, 0.15)
