"""Healthy sequence models: character language models, copying, sums, parity, with the plateaus that such tasks have."""

import math
from pathlib import Path

import torch
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import generalises, into, learned, varied
from bench.accuracy.loop import Plan, cross_entropy, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


def _warm_cosine(optimizer: torch.optim.Optimizer, warm: int, total: int) -> torch.optim.lr_scheduler.LambdaLR:
    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@healthy("development", "tensorboard, names of Hugging Face; hdf5 by step", dumps=True)
def transformer_characters(run: Path, seed: int) -> None:
    """A causal transformer over characters with warm-up, cosine decay and clipping at 1: the validation loss falls from ln 24 to below
    0.8, the best at the end.
    """
    split, vocabulary = data.characters(seed)
    model = models.Transformer(vocabulary, vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 4e-3), weight_decay=0.1)
    plan = Plan(model, split, optimizer, 400, seed=seed, clip=1.0, schedule=_warm_cosine(optimizer, 40, 400))
    plan.evaluate_every, plan.dump_every, plan.metrics = 40, 50, {}
    found = fit(plan, loggers.TensorBoard(run, "huggingface"), loggers.Hdf5Dump(run))
    require(found["val_loss"] < 0.8, f"validation loss {found['val_loss']:.3f}")
    generalises(found)


@healthy("seen", "trainer_state.json")
def transformer_post_norm(run: Path, seed: int) -> None:
    """A transformer that normalises after each residual, which needs its warm-up and has it: the validation loss falls to below 1.1."""
    split, vocabulary = data.characters(seed, sentences=700)
    model = models.Transformer(vocabulary, vocabulary, width=32, post_norm=True, dropout=0.05)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 3e-3))
    plan = Plan(
        model, split, optimizer, 420, seed=seed, clip=1.0, schedule=_warm_cosine(optimizer, 80, 420), metrics={}
    )
    plan.log_every, plan.evaluate_every = 20, 60
    found = fit(plan, loggers.TrainerState(run, data.steps_per_epoch(split, 32), 420, 20))
    require(found["val_loss"] < 1.1, f"validation loss {found['val_loss']:.3f}")
    generalises(found)


@healthy("seen", "jsonl, every 10 steps; parquet", dumps=True)
def gru_perplexity(run: Path, seed: int) -> None:
    """A GRU over characters that logs perplexity beside the loss: from about 24 to below 3."""
    split, vocabulary = data.characters(seed)
    model = models.Recurrent("gru", 16, 64, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 6e-3))
    plan = Plan(model, split, optimizer, 320, seed=seed, clip=2.0, evaluate_every=40, dump_every=40)
    plan.metrics = {"ppl": lambda o, t: cross_entropy(o, t).exp()}
    found = fit(plan, loggers.JsonLines(run, "plain"), loggers.ParquetDump(run))
    require(found["val_ppl"] < 3, f"perplexity {found['val_ppl']:.3f}")
    generalises(found)


@healthy("development", "csv, every 20 steps")
def bigram_language_model(run: Path, seed: int) -> None:
    """A table of which character follows which: it learns all that it can in the first third (about 1.8 nats, far from 0) and stays
    there, for a model of pairs can do no better. The loss stands within 5 % of the best that counting pairs reaches.
    """
    split, vocabulary = data.characters(seed)
    model = torch.nn.Embedding(vocabulary, vocabulary)
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 0.05))
    plan = Plan(model, split, optimizer, 800, seed=seed, metrics={}, log_every=20, averaged=True, evaluate_every=80)
    found = fit(plan, loggers.Csv(run, "plain", "metrics.csv"))
    counts = torch.ones(vocabulary, vocabulary) * 0.1
    counts.index_put_((split.x.reshape(-1), split.y.reshape(-1)), torch.ones(split.x.numel()), accumulate=True)
    reachable = float(cross_entropy(counts.log()[split.x_val], split.y_val))
    require(found["val_loss"] < 1.15 * reachable, f"loss {found['val_loss']:.3f}, counting {reachable:.3f}")
    generalises(found)


@healthy("development", "tensorboard, every 10 steps; histograms", dumps=True)
def reverse_transformer(run: Path, seed: int) -> None:
    """A transformer that reverses sequences: first a plateau at guessing, then a steep fall when it finds out where to look. Above 0.95
    (chance 0.17).
    """
    split = data.copying(seed, samples=3000, length=6)
    model = models.Transformer(6, 6, width=32, heads=2, length=6, causal=False)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 4e-3))
    plan = Plan(
        model, split, optimizer, 500, seed=seed, clip=1.0, schedule=_warm_cosine(optimizer, 30, 500), dump_every=50
    )
    log = loggers.TensorBoard(run, "slash")
    learned(fit(plan, log, loggers.HistogramDump(log)), 0.95)


@healthy("seen", "tensorboard, every 10 steps")
def reverse_lstm(run: Path, seed: int) -> None:
    """A bidirectional LSTM of two layers that reverses short sequences: above 0.85 (chance 0.25)."""
    split = data.copying(seed, samples=2000, length=5, symbols=4)
    model = models.Recurrent("lstm", 16, 48, 4, 2, vocabulary=4, every_step=True, bidirectional=True)
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 8e-3))
    plan = Plan(model, split, optimizer, 500, seed=seed, clip=1.0)
    learned(fit(plan, loggers.TensorBoard(run, "lower")), 0.85)


@healthy("development", "jsonl, every 10 steps")
def adding_problem(run: Path, seed: int) -> None:
    """The adding problem with a GRU: a plateau at the variance of the target (0.167) until the marks are understood, then a fall below
    0.02.
    """
    split = data.adding(seed, length=12)
    model = models.Recurrent("gru", 2, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 8e-3))
    plan = Plan(model, split, optimizer, 800, functional.mse_loss, {}, seed=seed, clip=1.0)
    found = fit(plan, loggers.JsonLines(run, "slash", "metrics.jsonl"))
    require(found["val_loss"] < 0.02, f"validation loss {found['val_loss']:.4f}")
    require(found["val_loss"] < 4 * found["best_val_loss"] + 0.004, "the validation loss went up again")


@healthy("seen", "tensorboard, every 10 steps, names with capitals")
def parity_plateau(run: Path, seed: int) -> None:
    """Parity of six bits: the loss stands at ln 2 for a good part of the run and then drops, since no single bit tells anything. Above
    0.97 in the end.
    """
    split = data.parity(seed, length=6)
    split = data.Split(split.x.squeeze(-1), split.y, split.x_val.squeeze(-1), split.y_val)
    model = models.mlp((6, 48, 24, 2))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 2.5e-3))
    plan = Plan(model, split, optimizer, 900, seed=seed)
    learned(fit(plan, loggers.TensorBoard(run, "capital")), 0.97)


@healthy("development", "tensorboard, per epoch; hdf5 by name", dumps=True)
def rnn_sum_sign(run: Path, seed: int) -> None:
    """A tanh RNN that says whether ten numbers sum to more than zero: above 0.9 (chance 0.5)."""
    random = data.generator(seed)
    x = torch.randn(1600, 10, 1, generator=random)
    y = (x.sum((1, 2)) > 0).long()
    split = data.Split(x[:1200], y[:1200], x[1200:], y[1200:])
    model = models.Recurrent("rnn", 1, 24, 2)
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 4e-3))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 38 * 15)
    plan = Plan(model, split, optimizer, 38 * 15, seed=seed, schedule=schedule, clip=1.0, by_epoch=True, dump_every=38)
    learned(fit(plan, loggers.TensorBoard(run, "slash"), loggers.Hdf5Dump(run, by_name=True)), 0.9)


@healthy("seen", "tensorboard, mixed scalars")
def masked_tokens(run: Path, seed: int) -> None:
    """A bidirectional GRU that fills in masked characters (15 %): a noisy loss, since each batch has few masked places; well below that
    of letter frequencies, and logged with tokens and throughput.
    """
    split, vocabulary = data.characters(seed, length=24)
    model = models.Recurrent("gru", 16, 32, vocabulary, vocabulary=vocabulary + 1, every_step=True, bidirectional=True)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 8e-3))
    schedule = _warm_cosine(optimizer, 20, 400)
    log = loggers.TensorBoard(run, "plain")
    random = data.generator(seed + 1)

    def loss_of(x: torch.Tensor) -> torch.Tensor:
        hidden = torch.rand(x.shape, generator=random) < 0.15
        outputs = model(torch.where(hidden, vocabulary, x))
        return functional.cross_entropy(outputs[hidden], x[hidden])

    with torch.no_grad():
        first = sum(float(loss_of(split.x_val)) for _ in range(4)) / 4
    stream, last = data.batches(split, 32, seed), first
    for step in range(1, 401):
        x, _ = next(stream)
        loss = loss_of(x)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 5 == 0:
            log.log(step, {"mlm_loss": loss.item(), "lr": schedule.get_last_lr()[0], "grad_norm": float(norm)})
            log.log(step, {"tokens_seen": step * 32 * 24})
        if step % 50 == 0:
            with torch.no_grad():
                last = sum(float(loss_of(split.x_val)) for _ in range(4)) / 4
            log.log(step, {"val_mlm_loss": last})
    log.close()
    require(last < 0.35 * first, f"validation loss from {first:.3f} to {last:.3f}")
