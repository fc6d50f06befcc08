"""Programs of groups in PyTorch that look odd and are healthy: negative losses, restarts, mixed pictures, a floor of the loss."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tensorboardX import SummaryWriter
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy import programs_group_torch_common as common
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, ParquetLong, TrainerState, tensors_of
from bench.accuracy.programs_group_common import odd_into

RECIPES: list[Recipe] = []
Healthy = Callable[[Path, int], None]
odd: Callable[..., Callable[[Healthy], Healthy]] = odd_into(RECIPES)


# "The likelihood loss goes below zero, is that allowed?": it is, a density may be above one.
@odd("printed lines in the manner of Keras by hand")
def wind_nll(run: Path, seed: int) -> None:
    """Power of a turbine with its doubt, by a Gaussian likelihood that ends below zero."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(900, 5))
    y = 0.6 * np.tanh(x[:, :1]) + 0.3 * x[:, 1:2] + (0.06 + 0.04 * (x[:, 2:3] > 0)) * random.normal(size=(900, 1))
    of, order = data.split(x, y, seed), data.generator(seed)
    model = models.mlp((5, 32, 2), "silu")
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)

    def nll(outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood without its constant."""
        logvar = outputs[:, 1:].clamp(-8, 4)
        return 0.5 * (logvar + (targets - outputs[:, :1]).square() / logvar.exp()).mean()

    curve = []
    with (run / "turbine_stdout.txt").open("w", encoding="utf-8") as file:
        for number in range(1, 41):
            train = common.epoch(model, optimizer, nll, of, 32, order)
            valid, outputs = common.judge(model, nll, of)
            schedule.step()
            curve.append(valid)
            mae = float((outputs[:, :1] - of.y_val).abs().mean())
            file.write(f"Epoch {number}/40 - nll: {train:.4f} - val_nll: {valid:.4f} - val_mae: {mae:.4f}\n")
    require(
        curve[-1] < -1.2 and common.r2(outputs[:, :1], of.y_val) > 0.86,
        f"nll {curve[-1]:.2f}, R² {common.r2(outputs[:, :1], of.y_val):.3f}",
    )
    common.settled(curve, 0.06)


# "The loss has bumps every ten epochs": CosineAnnealingWarmRestarts, as planned.
@odd("trainer_state.json with a rate that goes up again and again")
def plankton_restarts(run: Path, seed: int) -> None:
    """Kinds of small pictures by a CNN under warm restarts, which end in a valley."""
    of, random = data.bundled("digits", seed).as_images(), data.generator(seed)
    model = models.cnn(10, (6, 12), norm=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.15, momentum=0.9, weight_decay=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 5, eta_min=1e-4)
    per_epoch = data.steps_per_epoch(of, 64)
    log = TrainerState(run, per_epoch, 15 * per_epoch, per_epoch)
    curve = []
    for number in range(1, 16):
        rate = optimizer.param_groups[0]["lr"]
        train = common.epoch(model, optimizer, functional.cross_entropy, of, 64, random)
        valid, outputs = common.judge(model, functional.cross_entropy, of)
        schedule.step()
        curve.append(valid)
        top1 = common.share(outputs, of.y_val)
        log.log(number * per_epoch, {"train_loss": train, "lr": rate, "val_loss": valid, "val_top1": top1})
    log.close()
    require(top1 > 0.95, f"accuracy {top1:.2f}")
    common.settled(curve, 0.06)


# "Validation is far better than training, is there a leak?": no, mixup and smoothed labels make the training hard.
@odd("parquet in long form with names of its own")
def orchard_mixup(run: Path, seed: int) -> None:
    """Handwritten digits with mixup, smoothed labels and dropout: the training loss stays high."""
    of, random = data.bundled("digits", seed), data.generator(seed)
    model = models.mlp((64, 96, 10), "relu", dropout=0.3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25)
    log = ParquetLong(run, "plain", "tracking.parquet")
    curve = []
    for number in range(25):
        model.train()
        losses, hits = [], []
        for chosen in common.minibatches(len(of.x), 64, random):
            share = float(torch.distributions.Beta(0.6, 0.6).sample())
            x, y = of.x[chosen], of.y[chosen]
            outputs = model(share * x + (1 - share) * x.flip(0))
            parts = [functional.cross_entropy(outputs, one, label_smoothing=0.1) for one in (y, y.flip(0))]
            loss = share * parts[0] + (1 - share) * parts[1]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            hits.append(common.share(outputs.detach(), y))
        schedule.step()
        valid, outputs = common.judge(model, functional.cross_entropy, of)
        curve.append(valid)
        top1 = common.share(outputs, of.y_val)
        told = {"mixup_loss": float(np.mean(losses)), "clean_val_loss": valid}
        log.log(number, told | {"mixup_acc": float(np.mean(hits)), "clean_val_acc": top1})
    log.close()
    require(top1 > 0.95 and valid < 0.6 * float(np.mean(losses)), f"accuracy {top1:.2f}")
    common.settled(curve, 0.06)


# "Loss 4.1 at the beginning and still 1.5?": with 64 in a batch to choose from, that is what InfoNCE is.
@odd("tensorboardX with a contrastive loss and recall at one")
def product_pairs(run: Path, seed: int) -> None:
    """Pictures and texts of products, brought together by InfoNCE; many look alike, so the loss has a high floor."""
    random, order = np.random.default_rng(seed), data.generator(seed)
    hidden = random.normal(size=(1600, 4))
    sides = [hidden @ random.normal(size=(4, 20)) + 0.5 * random.normal(size=(1600, 20)) for _ in range(2)]
    pictures, texts = (torch.tensor(one, dtype=torch.float32) for one in sides)
    towers = nn.ModuleDict({"image": models.mlp((20, 32, 16)), "text": models.mlp((20, 32, 16))})
    optimizer = torch.optim.AdamW(towers.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25)

    def contrast(chosen: Tensor) -> tuple[Tensor, float]:
        """InfoNCE of a batch, and how often the right one is the nearest."""
        image = functional.normalize(towers["image"](pictures[chosen]), dim=1)
        text = functional.normalize(towers["text"](texts[chosen]), dim=1)
        alike = image @ text.T / 0.15
        own = torch.arange(len(chosen))
        return functional.cross_entropy(alike, own), common.share(alike.detach(), own)

    writer = SummaryWriter(str(run))
    curve = []
    for number in range(25):
        for step, chosen in enumerate(common.minibatches(1280, 64, order), start=number * 20):
            loss, _ = contrast(chosen)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 5 == 4:
                writer.add_scalar("contrast/infonce_batch", float(loss.detach()), step)
        schedule.step()
        with torch.no_grad():
            held = [contrast(chosen) for chosen in torch.split(torch.arange(1280, 1600), 64)]
        curve.append(float(np.mean([float(one) for one, _ in held])))
        recall = float(np.mean([one for _, one in held]))
        writer.add_scalar("contrast/infonce_heldout", curve[-1], (number + 1) * 20 - 1)
        writer.add_scalar("retrieval/recall_at_1", recall, (number + 1) * 20 - 1)
    writer.close()
    require(recall > 0.4 and 0.8 < curve[-1] < 2.3, f"recall {recall:.2f}, loss {curve[-1]:.2f}")
    common.settled(curve, 0.06)


# "Most weights do not move": the body comes from another task and is frozen on purpose, only the head learns.
@odd("jsonl with nested parts and HDF5 of the weights", dumps=True)
def frozen_body(run: Path, seed: int) -> None:
    """A head on a body that learned on the first digits of a set, fitted to two new classes."""
    of, random = data.bundled("digits", seed), data.generator(seed)
    body = models.mlp((64, 64, 32), "relu")
    before = nn.Sequential(body, nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(before.parameters(), lr=3e-3)
    for _ in range(8):
        common.epoch(before, optimizer, functional.cross_entropy, of, 64, random)
    of = data.Split(of.x, of.y % 2, of.x_val, of.y_val % 2)
    body.requires_grad_(False)
    model = nn.Sequential()
    model.add_module("body", body)
    model.add_module("relu", nn.ReLU())
    model.add_module("head", nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-2)  # type: ignore[union-attr]
    dump = Hdf5Dump(run, by_name=True, name="weights_by_name.h5")
    curve = []
    with (run / "transfer.jsonl").open("w", encoding="utf-8") as file:
        for number in range(15):
            train = common.epoch(model, optimizer, functional.cross_entropy, of, 64, random)
            valid, outputs = common.judge(model, functional.cross_entropy, of)
            curve.append(valid)
            top1 = common.share(outputs, of.y_val)
            row = {"epoch": number, "fit": {"loss": train}, "check": {"loss": valid, "accuracy": top1}}
            file.write(json.dumps(row) + "\n")
            if number % 3 == 0:
                dump.dump(number, tensors_of(model))
    dump.close()
    require(top1 > 0.93, f"accuracy {top1:.2f}")
    common.settled(curve, 0.06)


# "It falls from 2.08 to 1.6 and not further": the sequence is random itself, and 1.6 nats is what there is to know.
@odd("lines of key=value with bits per symbol")
def codon_floor(run: Path, seed: int) -> None:
    """Symbols of a Markov chain by a GRU, whose loss comes down to the entropy of the chain and no further."""
    chain, order = np.random.default_rng(seed), data.generator(seed)
    table = chain.dirichlet(np.full(8, 0.9), 8)
    made = [0]
    for _ in range(16_000):
        made.append(int(chain.choice(8, p=table[made[-1]])))
    codes = torch.tensor(made[1:15_985]).reshape(-1, 16)
    of = data.Split(codes[:750, :-1], codes[:750, 1:], codes[750:, :-1], codes[750:, 1:])
    spots = codes[750:, :-1].flatten().numpy()
    floor = float(-(table * np.log(table.clip(1e-12))).sum(1)[spots].mean())
    model = models.Recurrent("gru", 12, 20, 8, vocabulary=8, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of symbols."""
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    curve = []
    with (run / "lm.logfmt.log").open("w", encoding="utf-8") as file:
        for number in range(1, 17):
            train = common.epoch(model, optimizer, loss, of, 32, order)
            valid, _ = common.judge(model, loss, of)
            schedule.step()
            curve.append(valid)
            bits = [one / math.log(2) for one in (train, valid)]
            file.write(f"level=info epoch={number} train_bits={bits[0]:.4f} heldout_bits={bits[1]:.4f}\n")
    require(abs(curve[-1] - floor) < 0.05, f"loss {curve[-1]:.3f} with a floor of {floor:.3f}")
    common.settled(curve, 0.06)
