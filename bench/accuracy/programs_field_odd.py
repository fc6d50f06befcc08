"""Programs of the field that are healthy and look odd: losses below zero, cycles, humps, plateaus, zeros on purpose."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.data import batches, steps_per_epoch
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, TensorBoard
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    odd_into,
    steady,
    told,
)
from bench.accuracy.programs_field_generative import Coupling, Vae, moons, pixels, ring, vae_parts
from bench.accuracy.programs_field_logs import AddScalars, Fairseq, Lines, Table, TensorSummaries, TrainerState

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


@odd("jsonl as of wandb")
def density_of_thin_data(run: Path, seed: int) -> None:
    """A flow on data that lie within a thousandth: the negative log-likelihood is below zero all the time, and falls; healthy as it nears
    the data's entropy.
    """
    points, held = moons(seed, 2000) / 100, moons(seed + 99, 500) / 100
    model = nn.ModuleList(Coupling(bool(number % 2)) for number in range(6))

    def nll(x: Tensor) -> Tensor:
        whole = torch.full((len(x),), 2 * math.log(100))
        x = x * 100
        for one in model:
            x, part = one(x)
            whole = whole + part
        return (0.5 * x.square().sum(1) + math.log(2 * math.pi) - whole).mean()

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        return nll(points[torch.randint(0, len(points), (128,))]), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"val/nll": float(nll(held))}

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=3e-3), objective, "train/nll")
    trail = go(Course(step, 700, Lines(run / "wandb-history.jsonl", "_step", "_runtime"), 10, False, evaluate, 70))
    below(trail, "val/nll", -7.0)
    steady(trail, "val/nll")


@odd("CLU event files")
def wasserstein_critic(run: Path, seed: int) -> None:
    """A Wasserstein GAN: the loss of the critic is below zero and rises to it, the generator's wanders; healthy as the modes are found."""
    generator, critic = models.gan_pair(2, 8, 64)
    by, against = (torch.optim.RMSprop(one.parameters(), lr=1e-3) for one in (generator, critic))
    real, random = ring(seed, 4000), data.generator(seed)

    def step(_: int) -> dict[str, float]:
        for _ in range(3):
            batch = real[torch.randint(0, len(real), (128,), generator=random)]
            made = generator(torch.randn(128, 8)).detach()
            share = torch.rand(128, 1)
            between = (share * batch + (1 - share) * made).requires_grad_(True)
            slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
            loss_c = critic(made).mean() - critic(batch).mean() + 2 * (slope.norm(dim=1) - 1).square().mean()
            against.zero_grad()
            loss_c.backward()
            against.step()
        by.zero_grad()
        loss_g = -critic(generator(torch.randn(128, 8))).mean()
        loss_g.backward()
        by.step()
        return {"critic_loss": float(loss_c.detach()), "generator_loss": float(loss_g.detach())}

    trail = go(Course(step, 700, TensorSummaries(run), 10))
    with torch.no_grad():
        radius = generator(torch.randn(1000, 8)).norm(dim=1)
    require(float((radius - 1).abs().mean()) < 0.25, f"{float(radius.mean()):.3g}: {told(trail)}")


@odd("CSV of timm")
def warm_restarts(run: Path, seed: int) -> None:
    """A cosine rate with restarts each eight epochs, at which all curves rise for a while; healthy as cycles end alike."""
    of = data.spirals(seed)
    model = models.mlp((2, 48, 48, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.9)
    per_epoch = steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 8 * per_epoch, eta_min=1e-3)
    tags = ("train_loss", "", "eval_loss", "eval_top1")
    trail = fit(model, of, optimizer, 40, Table(run / "summary.csv"), tags, seed=seed, schedule=schedule, rate_tag="lr")
    above(trail, "eval_top1", 0.93)
    steady(trail, "eval_loss")


@odd("tensorboard by add_scalars")
def mixed_up_pictures(run: Path, seed: int) -> None:
    """Pictures mixed in pairs with much dropout: training looks far worse than validation throughout; healthy as validation is good."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 64, 64, 10), dropout=0.4)
    mixed = {"share": torch.zeros(1), "order": torch.zeros(1, dtype=torch.int64)}

    def alter(_: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        mixed["share"], mixed["order"] = torch.rand(1) * 0.6 + 0.2, torch.randperm(len(x))
        return mixed["share"] * x + (1 - mixed["share"]) * x[mixed["order"]], y

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        if not outputs.requires_grad:
            return cross_entropy(outputs, targets)
        share = mixed["share"]
        return (
            share * cross_entropy(outputs, targets) + (1 - share) * cross_entropy(outputs, targets[mixed["order"]])
        )[0]

    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    tags = ("loss|train", "accuracy|train", "loss|val", "accuracy|val")
    trail = fit(model, of, optimizer, 18, AddScalars(run), tags, loss=loss, alter=alter, seed=seed)
    above(trail, "accuracy|val", 0.93)
    steady(trail, "loss|val")
    require(last(trail, "loss|train") > 2 * last(trail, "loss|val"), told(trail))


@odd("trainer_state.json")
def smoothed_labels(run: Path, seed: int) -> None:
    """Labels smoothed by 0.3, so that the loss cannot fall below 1.2; healthy as nearly all are right."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 64, 10), "gelu")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=0.3)

    per_epoch, epochs = steps_per_epoch(of, 32), 12
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / (per_epoch * epochs)))
    log = TrainerState(run / "checkpoint-last", per_epoch, per_epoch * epochs)
    trail = fit(
        model, of, optimizer, epochs, log, ("loss", "", "eval_loss", "eval_accuracy"), loss=loss, seed=seed, every=10,
        schedule=schedule, rate_tag="learning_rate", norm_tag="grad_norm",
    )  # fmt: skip
    above(trail, "eval_accuracy", 0.94)
    steady(trail, "eval_loss")


@odd("csv; tensors in hdf5", dumps=True)
def pruned_network(run: Path, seed: int) -> None:
    """A network three quarters of whose weights are held at 0 by a mask, as after pruning; healthy as it reads digits well."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 80, 80, 10))
    masks = {
        name: (torch.rand_like(one) < 0.25).float() * 2
        for name, one in model.named_parameters()
        if "weight" in name and "fc3" not in name
    }

    def alter(_: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        for name, one in model.named_parameters():
            if name in masks:
                one.data *= (masks[name] > 0).float()
        return x, y

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    kept = Snapshots(Hdf5Dump(run), model, 60, "torch")
    tags = ("loss", "acc", "val_loss", "val_acc")
    trail = fit(model, of, optimizer, 11, Csv(run, "plain", axis="epoch"), tags, alter=alter, seed=seed, snapshots=kept)
    above(trail, "val_acc", 0.93)
    steady(trail, "val_loss", 0.15)


@odd("tensorboard; tensors in hdf5", dumps=True)
def backbone_frozen_on_purpose(run: Path, seed: int) -> None:
    """A trained trunk that is held still on purpose under a new head, which alone learns, for other classes; healthy as it does well."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 96, 48, 10))
    first = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(250):
        first.zero_grad()
        chosen = torch.randint(0, len(of.x), (64,))
        cross_entropy(model(of.x[chosen]), of.y[chosen]).backward()
        first.step()
    first.zero_grad(set_to_none=True)
    model.fc3 = nn.Linear(48, 5)
    for name, one in model.named_parameters():
        one.requires_grad_(name.startswith("fc3"))
    of = data.Split(of.x, of.y // 2, of.x_val, of.y_val // 2)
    optimizer = torch.optim.Adam(model.fc3.parameters(), lr=3e-3)
    log = TensorBoard(run, "plain")
    kept = Snapshots(Hdf5Dump(run), model, 50, "torch")
    tags = ("finetune/loss", "finetune/acc", "finetune/val_loss", "finetune/val_acc")
    trail = fit(model, of, optimizer, 9, log, tags, seed=seed, every=7, snapshots=kept)
    above(trail, "finetune/val_acc", 0.93)
    steady(trail, "finetune/val_loss")


@odd("jsonl with times")
def growing_sentences(run: Path, seed: int) -> None:
    """A curriculum: sequences to be read backwards grow from 3 to 8 symbols, and the loss jumps up each time; healthy as the longest are
    done well at the end.
    """
    of = data.copying(seed, 2500)
    model = models.Recurrent("GRU", 16, 64, 6, vocabulary=6, every_step=True, bidirectional=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = batches(of, 64, seed)
    length = {"now": 3}

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        length["now"] = min(8, 3 + (step - 1) // 70)
        x = next(stream)[0][:, : length["now"]]
        outputs = model(x)
        right = float(accuracy(outputs.detach(), x.flip(1)))
        return cross_entropy(outputs, x.flip(1)), {"curriculum/length": length["now"], "token_acc": right}

    def evaluate() -> dict[str, float]:
        x = of.x_val[:, : length["now"]]
        with torch.no_grad():
            outputs = model(x)
        return {
            "dev/loss": float(cross_entropy(outputs, x.flip(1))),
            "dev/token_acc": float(accuracy(outputs, x.flip(1))),
        }

    step = Descent(model, optimizer, objective, "loss", rate_tag="lr")
    trail = go(Course(step, 800, Lines(run / "train.jsonl", clock="elapsed"), 10, True, evaluate, 50))
    above(trail, "dev/token_acc", 0.75)
    require(length["now"] == 8 and trail["dev/loss"][-1] < 0.7 * max(trail["dev/loss"][2:]), told(trail))


@odd("tensorboard; tensors in hdf5", dumps=True)
def annealed_divergence(run: Path, seed: int) -> None:
    """A VAE whose weight of the divergence grows from 0 to 1 over half the run, so that the whole loss rises after its first fall;
    healthy as the codes tell much and digits come out well.
    """
    x, x_val = pixels(seed)
    model = Vae()
    weight = {"now": 0.0}
    kept = Snapshots(Hdf5Dump(run), model, 90, watched=False)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        weight["now"] = min(1.0, step / 450)
        reconstruction, divergence, _ = vae_parts(model, x[torch.randint(0, len(x), (64,))])
        parts = {
            "vae/recon": float(reconstruction.detach()),
            "vae/kl": float(divergence.detach()),
            "vae/beta": weight["now"],
        }
        return reconstruction + weight["now"] * divergence, parts

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            reconstruction, divergence, _ = vae_parts(model, x_val)
        model.train()
        return {
            "vae/val_recon": float(reconstruction),
            "vae/val_loss": float(reconstruction + weight["now"] * divergence),
        }

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=2e-3), objective, "vae/loss", snapshots=kept)
    trail = go(Course(step, 900, TensorBoard(run, "plain"), 15, True, evaluate, 90, snapshots=kept))
    below(trail, "vae/val_recon", 25)
    require(last(trail, "vae/kl") > 2, told(trail))


@odd("log of fairseq")
def clipped_all_along(run: Path, seed: int) -> None:
    """A language model under SGD with a large rate whose gradients are clipped at 0.25 at every step, which is how such models are trained;
    healthy as its perplexity falls to a few.
    """
    of, size = data.characters(seed, sentences=500)
    model = models.Recurrent("LSTM", 24, 48, size, vocabulary=size, every_step=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=6.0)
    stream = batches(of, 20, seed)

    def objective(_: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        loss = cross_entropy(model(x), y)
        return loss, {"ppl": math.exp(float(loss.detach()))}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            loss = float(cross_entropy(model(of.x_val), of.y_val))
        return {"valid_loss": loss, "valid_ppl": math.exp(loss)}

    per_epoch = steps_per_epoch(of, 20)
    step = Descent(model, optimizer, objective, norm_tag="gnorm", clip=0.25, rate_tag="lr")
    trail = go(Course(step, per_epoch * 9, Fairseq(run, per_epoch), 10, False, evaluate, per_epoch))
    below(trail, "valid_ppl", 3.6)
    steady(trail, "valid_loss")
