"""Healthy programs of repositories whose logs look odd."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, last, steady, told
from bench.accuracy.programs_repo_common import loads, objects, odd_into

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# As in repositories of image classifiers: mixup and smoothed labels, so that the loss has a floor and training looks worse than validation.
@odd("SummaryWriter by epochs")
def mixup_and_smoothing(run: Path, seed: int) -> None:
    """Digits with mixup and label smoothing: a training loss that stays over 1, a training accuracy far below that of validation."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 96, 64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    stream = data.batches(of, 32, seed)
    random = np.random.default_rng(seed)
    entropy = nn.CrossEntropyLoss(label_smoothing=0.1)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        other, share = torch.tensor(random.permutation(len(x))), float(random.beta(1, 1))
        outputs = model(share * x + (1 - share) * x[other])
        right = float((outputs.argmax(1) == y).float().mean())
        return share * entropy(outputs, y) + (1 - share) * entropy(outputs, y[other]), {"train/top1": right}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = model(of.x_val)
        right = float((outputs.argmax(1) == of.y_val).float().mean())
        return {"valid/loss": float(functional.cross_entropy(outputs, of.y_val)), "valid/top1": right}

    step = Descent(model, optimizer, objective, "train/loss")
    found = go(Course(step, 25 * 43, TensorBoard(run, "plain"), evaluate=evaluate, per_epoch=43))
    above(found, "valid/top1", 0.95)
    steady(found, "valid/loss", 0.25)
    require(last(found, "train/loss") > 1, told(found))
    below(found, "train/top1", 0.85)


# As in repositories of VAEs with KL annealing: the loss that is logged rises for many epochs while the weight does.
@odd("csv by epochs")
def kl_annealing(run: Path, seed: int) -> None:
    """Digits by a VAE whose KL weight rises from 0 to 1 over 20 of 40 epochs: the total loss falls, rises, and falls again."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    of = data.Split(x, x, x_val, x_val)
    encoder, decoder = models.mlp((64, 64, 12)), models.mlp((6, 64, 64))
    model = nn.ModuleList([encoder, decoder])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    stream = data.batches(of, 32, seed)
    random = data.generator(seed)

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = encoder(x).chunk(2, 1)
        code = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=random)
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        return (decoder(code) - x).square().sum(1).mean() / (2 * 0.15**2), kl

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        recon, kl = parts(next(stream)[0])
        beta = min(1.0, 4 * step / (20 * 43))
        told = {"recon_loss": float(recon.detach()), "kld": float(kl.detach()), "kl_weight": beta}
        return recon + beta * kl, told

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            recon, kl = parts(x_val)
        return {"val_recon_loss": float(recon), "val_kld": float(kl), "val_elbo": -float(recon + kl)}

    step = Descent(model, optimizer, objective, "loss")
    log = Csv(run, "plain", "vae_history.csv", "epoch")
    found = go(Course(step, 40 * 43, log, evaluate=evaluate, per_epoch=43))
    require(found["val_elbo"][-1] > found["val_elbo"][5] + 2, told(found))
    require(found["val_elbo"][-1] > max(found["val_elbo"]) - 2, told(found))
    above(found, "val_kld", 3)


# As in repositories of contrastive learning: with many negatives and strong noise the loss stays near its start, yet the features are good.
@odd("SummaryWriter by steps, with add_histogram", dumps=True)
def contrastive_high_floor(run: Path, seed: int) -> None:
    """Digits in two noisy views by InfoNCE at a temperature of 0.5: from 4.8 to about 4, and neighbours of the same class."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 64, 24))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    stream = data.batches(of, 128, seed)
    random = data.generator(seed)

    def view(x: Tensor) -> Tensor:
        kept = torch.rand(x.shape, generator=random) > 0.3
        return functional.normalize(model(x * kept + 0.3 * torch.randn(x.shape, generator=random)))

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, _ = next(stream)
        alike = view(x) @ view(x).T / 0.5
        right = float((alike.argmax(1) == torch.arange(len(x))).float().mean())
        return functional.cross_entropy(alike, torch.arange(len(x))), {"contrast_acc": right}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            near = (functional.normalize(model(of.x_val)) @ functional.normalize(model(of.x)).T).topk(5).indices
        return {"knn_top1": float((of.y[near].mode(1).values == of.y_val).float().mean())}

    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 40, "torch")
    step = Descent(model, optimizer, objective, "nt_xent_loss", snapshots=snapshots)
    found = go(Course(step, 440, writer, 4, evaluate=evaluate, evaluate_every=40, snapshots=snapshots))
    above(found, "knn_top1", 0.9)
    require(2.8 < last(found, "nt_xent_loss", 10) < found["nt_xent_loss"][0] - 0.3, told(found))


# As in fine-tuning repositories: the head first, the rest after some epochs, so that the loss stands and then falls in a step.
@odd("csv by epochs; weights in hdf5", dumps=True)
def unfrozen_later(run: Path, seed: int) -> None:
    """Kinds of objects by a CNN whose convolutions are frozen for 8 of 24 epochs, as planned: a level, and then a fall."""
    of = objects(seed)
    of = data.Split(of.x, of.y[:, 0].long(), of.x_val, of.y_val[:, 0].long())
    model = nn.Sequential()
    for number, (before, after) in enumerate(((1, 8), (8, 16)), 1):
        model.add_module(f"conv{number}", nn.Conv2d(before, after, 3, padding=1))
        model.add_module(f"relu{number}", nn.ReLU())
        model.add_module(f"pool{number}", nn.MaxPool2d(2))
    model.add_module("gap", nn.AdaptiveAvgPool2d(2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(64, 3))
    base = [one for name, one in model.named_parameters() if name.startswith("conv")]
    for one in base:
        one.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    epochs = [0]

    def also() -> dict[str, float]:
        epochs[0] += 1
        for one in base:
            one.requires_grad_(epochs[0] >= 8)
        return {"trainable_params": float(sum(one.numel() for one in model.parameters() if one.requires_grad))}

    snapshots = Snapshots(Hdf5Dump(run, name="weights.h5"), model, 24, watched=False)
    tags = ("train_loss", "train_acc", "valid_loss", "valid_acc")
    log = Csv(run, "plain", "finetune.csv", "epoch")
    found = fit(model, of, optimizer, 24, log, tags, seed=seed, batch=16, also=also, snapshots=snapshots)
    above(found, "valid_acc", 0.85)
    steady(found, "valid_loss", 0.2)
    require(found["valid_loss"][7] > 1.5 * found["valid_loss"][-1], told(found))


# As in repositories that train by OneCycleLR: the validation loss rises while the rate is at its highest.
@odd("json lines by epochs")
def one_cycle(run: Path, seed: int) -> None:
    """The load of the next hour by a GRU under OneCycleLR: unsteady at the highest rate in the middle, and best at the end."""
    of = loads(seed)
    model = models.Recurrent("gru", 1, 24, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    steps = 24 * data.steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.03, total_steps=steps + 1, pct_start=0.4)
    tags = ("train_mse", "", "valid_mse", "")
    log = JsonLines(run, "plain", "history.jsonl", "epoch")
    found = fit(
        model,
        of,
        optimizer,
        24,
        log,
        tags,
        loss=functional.mse_loss,
        seed=seed,
        rate_tag="lr",
        schedule=schedule,
        clip=1.0,
    )
    require(found["valid_mse"][-1] < 0.12 * float(of.y_val.var()), told(found))
    steady(found, "valid_mse", 0.2)


# As in repositories that go on from a checkpoint: two event files in one directory, the second from where the first ended.
@odd("SummaryWriter by steps, two event files")
def resumed(run: Path, seed: int) -> None:
    """Characters by a GRU, stopped after 240 steps and gone on with from its checkpoint, optimizer and all, in a new event file."""
    of, symbols = data.characters(seed)
    model = models.Recurrent("gru", 16, 64, symbols, vocabulary=symbols, every_step=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    stream = data.batches(of, 16, seed)

    def nll(x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(model(x).flatten(0, 1), y.flatten())

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss = nll(of.x_val, of.y_val)
        return {"valid/nll": float(loss), "valid/ppl": float(loss.exp())}

    def part(first: int, steps: int, suffix: str) -> dict[str, list[float]]:
        step = Descent(model, optimizer, lambda _: (nll(*next(stream)), {}), "train/nll", clip=1.0)
        log = TensorBoard(run, "plain", suffix=suffix)
        return go(Course(step, steps, log, 5, evaluate=evaluate, evaluate_every=40, first=first))

    part(0, 240, ".first")
    found = part(240, 240, ".resumed")
    below(found, "valid/nll", 1.0)
    steady(found, "valid/nll", 0.15)
