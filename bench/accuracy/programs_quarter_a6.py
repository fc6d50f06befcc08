"""Quarter programs, part a: healthy ones that look odd."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_desk_common import mails, spectra
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, above, below, fit, go, last, steady, told
from bench.accuracy.programs_post_common import explained, over, pictures
from bench.accuracy.programs_quarter_a_common import Lightning, convnet, sensors, standard_targets, yields
from bench.accuracy.programs_quarter_common import odd_into

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "Why is validation better than training?": dropout of a half in each layer.
@odd("SummaryWriter, Loss/train and Loss/val, histograms", dumps=True)
def a_half_dropped(run: Path, seed: int) -> None:
    """Digits by an MLP with dropout of 0.5 after each layer."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 96, 64, 10), "relu", 0.5)
    writer = TensorBoard(run, "plain")
    tags = ("Loss/train", "Acc/train", "Loss/val", "Acc/val")
    shots = Snapshots(HistogramDump(writer), model, 86, "torch", watched=False)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    found = fit(model, of, adam, 25, writer, tags, seed=seed, snapshots=shots)
    above(found, "Acc/val", 0.94)
    steady(found, "Loss/val", 0.2)
    require(last(found, "Loss/train") > last(found, "Loss/val"), told(found))


# "The loss does not fall under 0.9, the accuracy is fine": label smoothing of 0.2.
@odd("Lightning's metrics.csv")
def a_smoothed_labels(run: Path, seed: int) -> None:
    """Plastics by an MLP under a cross-entropy with label smoothing."""
    of = spectra(seed)
    model = models.mlp((60, 48, 5), "relu", 0.2)
    log = Lightning(run, data.steps_per_epoch(of, 32))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=2e-3),
        25,
        log,
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        loss=lambda outputs, y: functional.cross_entropy(outputs, y, label_smoothing=0.2),
        seed=seed,
        every=7,
    )
    above(found, "val_acc", 0.85)
    steady(found, "val_loss", 0.1)


# "The loss saws": CyclicLR, triangular, between 0.002 and 0.06.
@odd("SummaryWriter, lr per ten batches")
def a_triangles(run: Path, seed: int) -> None:
    """Shapes by a CNN under a triangular rate of three cycles that ends low."""
    of = over(pictures(seed), 255.0)
    model = convnet(12, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.9, weight_decay=1e-3)
    cycle = 8 * data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        24,
        TensorBoard(run, "plain"),
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        seed=seed,
        every=10,
        schedule=torch.optim.lr_scheduler.CyclicLR(optimizer, 0.002, 0.06, cycle // 2, cycle_momentum=False),
        rate_tag="train/lr",
    )
    above(found, "val/acc", 0.85)
    steady(found, "val/loss", 0.4)


# "The rate jumps up twice": CosineAnnealingWarmRestarts.
@odd("csv by hand with the rate")
def a_restarts_of_cosine(run: Path, seed: int) -> None:
    """Harvests by an MLP under a cosine with three restarts."""
    of = standard_targets(yields(seed))
    model = models.mlp((7, 32, 32, 1), "silu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.02)
    per_epoch = data.steps_per_epoch(of, 32)
    found = fit(
        model,
        of,
        optimizer,
        32,
        Csv(run, "plain", "progress.csv", "epoch"),
        ("train_loss", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        schedule=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 8 * per_epoch, eta_min=1e-5),
        rate_tag="lr",
    )
    above(found, "val_r2", 0.8)
    steady(found, "val_loss", 0.4)


# "Most tensors never change, that is what I want": only the last layers of a trained network are trained on.
@odd("SummaryWriter, weights and gradients in HDF5", dumps=True)
def a_trunk_kept_frozen(run: Path, seed: int) -> None:
    """A CNN taught the digits 0 to 4 before, its convolutions frozen, learns 5 to 9 with a new head."""
    whole = data.bundled("digits", seed).as_images()
    low, high = whole.y < 5, whole.y_val < 5
    before = data.Split(whole.x[low], whole.y[low], whole.x_val[high], whole.y_val[high])
    after = data.Split(whole.x[~low], whole.y[~low] - 5, whole.x_val[~high], whole.y_val[~high] - 5)
    model = models.cnn(5, (8, 16))
    optimizer, stream = torch.optim.Adam(model.parameters(), lr=3e-3), data.batches(before, 32, seed)
    for _ in range(150):
        x, y = next(stream)
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(model(x), y))
        optimizer.step()
    optimizer.zero_grad()
    model.fc = nn.Linear(256, 5)
    for name, one in model.named_parameters():
        one.requires_grad_(name.startswith("fc"))
    found = fit(
        model,
        after,
        torch.optim.Adam(model.fc.parameters(), lr=1e-3),
        20,
        TensorBoard(run, "plain"),
        ("loss", "accuracy", "val_loss", "val_accuracy"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 63, "collections"),
    )
    above(found, "val_accuracy", 0.9)
    steady(found, "val_loss", 0.2)


# "A loss below zero?": the negative log-likelihood of a Gaussian with small variance.
@odd("SummaryWriter, nll")
def a_density_above_one(run: Path, seed: int) -> None:
    """A smooth function by a network that tells mean and log-variance."""
    of = data.regression(seed, 1200, 3, noise=0.05)
    model = models.mlp((3, 48, 48, 2), "tanh")

    def likelihood(outputs: Tensor, y: Tensor) -> Tensor:
        return functional.gaussian_nll_loss(outputs[:, :1], y, outputs[:, 1:].exp() + 1e-3)

    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    steps = 40 * data.steps_per_epoch(of, 64)
    found = fit(
        model,
        of,
        optimizer,
        40,
        TensorBoard(run, "plain"),
        ("nll/train", "", "nll/val", "r2/val"),
        loss=likelihood,
        metric=lambda outputs, y: explained(outputs[:, :1], y),
        batch=64,
        seed=seed,
        clip=5.0,
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-5),
    )
    above(found, "r2/val", 0.7)
    below(found, "nll/val", -0.3)
    steady(found, "nll/val", 0.2)


# "Most gradients of the embedding are zero": a large vocabulary of which each batch has a few words.
@odd("JSON lines, weights and gradients in Parquet", dumps=True)
def a_words_seldom_seen(run: Path, seed: int) -> None:
    """The department of a mail by the mean of embeddings out of a table of 1,500, under small batches."""
    of = mails(seed)
    model = nn.Sequential()
    model.add_module("embedding", nn.EmbeddingBag(1500, 16))
    model.add_module("fc", nn.Linear(16, 4))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        12,
        JsonLines(run, "plain", "log.jsonl", "step"),
        ("train_loss", "train_acc", "eval_loss", "eval_acc"),
        seed=seed,
        batch=8,
        every=15,
        snapshots=Snapshots(ParquetDump(run), model, 150, "torch", watched=False),
    )
    above(found, "eval_acc", 0.85)
    steady(found, "eval_loss", 0.2)


# "It ends at epoch 9 of 100": early stopping with patience on a small table.
@odd("SummaryWriter, stopped early")
def a_stopped_with_patience(run: Path, seed: int) -> None:
    """Wines by an MLP on 178 samples, stopped when validation has not improved by 0.01 for three epochs."""
    of = data.bundled("wine", seed, share=0.35)
    model = models.mlp((13, 24, 3), "relu", 0.2)

    def tired(trail: dict[str, list[float]]) -> bool:
        losses = trail["val_loss"]
        return len(losses) > 3 and min(losses[-3:]) > min(losses[:-3]) - 0.01

    adam = torch.optim.Adam(model.parameters(), lr=5e-3)
    tags = ("train_loss", "train_acc", "val_loss", "val_acc")
    found = fit(model, of, adam, 100, TensorBoard(run, "plain"), tags, seed=seed, batch=16, stop=tired)
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.3)
    require(len(found["val_loss"]) < 60, told(found))


# "A second file begins at step 200": a run of a Trainer that was resumed with model, optimizer and scheduler.
@odd("trainer_state.json, resumed")
def a_resumed_in_order(run: Path, seed: int) -> None:
    """The next character by a GRU, saved and loaded in the middle with all its state; the log goes on."""
    of, words = data.characters(seed, 24, 250)
    per_epoch = data.steps_per_epoch(of, 32)
    log = TrainerState(run, per_epoch, 12 * per_epoch, 10)
    stream, halves = data.batches(of, 32, seed), []
    saved: dict[str, Mapping[str, object]] = {}
    for half in range(2):
        model = models.Recurrent("gru", 16, 48, words, vocabulary=words, every_step=True)
        optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
        linear = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (12 * per_epoch))
        if saved:
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(dict(saved["optimizer"]))
            linear.load_state_dict(dict(saved["schedule"]))

        def objective(step: int, model: nn.Module = model) -> tuple[Tensor, Mapping[str, float]]:
            x, y = next(stream)
            return functional.cross_entropy(model(x).flatten(0, 1), y.flatten()), {}

        def evaluate(model: nn.Module = model) -> Mapping[str, float]:
            with torch.no_grad():
                outputs = model(of.x_val)
            loss = functional.cross_entropy(outputs.flatten(0, 1), of.y_val.flatten())
            hit = (outputs.argmax(-1) == of.y_val).float().mean()
            return {"val_loss": float(loss), "val_accuracy": float(hit)}

        step = Descent(model, optimizer, objective, "train_loss", "lr", "grad_norm", schedule=linear)
        course = Course(step, 6 * per_epoch, log, 10, True, evaluate, per_epoch, first=half * 6 * per_epoch)
        halves.append(go(course))
        saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": linear.state_dict()}
    both = {tag: halves[0][tag] + halves[1][tag] for tag in halves[0]}
    above(both, "val_accuracy", 0.6)
    steady(both, "val_loss", 0.2)


# "Only 55 % after all those epochs": classes that overlap by nature, five of them; chance is 20 %.
@odd("SummaryWriter, gradients accumulated over four batches")
def a_hard_but_honest(run: Path, seed: int) -> None:
    """States of a machine that overlap, a fifth of the labels random, by SGD on four small batches at a time."""
    of = sensors(seed, 1200, spread=1.6)
    of = data.with_label_noise(of, 0.2, seed)
    of = replace(of, y_val=data.with_label_noise(replace(of, y=of.y_val), 0.2, seed + 1).y)
    model = models.mlp((16, 32, 5), "relu", 0.2)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3)
    stream = data.batches(of, 8, seed)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        parts = [functional.cross_entropy(model(x), y) / 4 for x, y in (next(stream) for _ in range(4))]
        return torch.stack(parts).sum(), {}

    def evaluate() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(of.x_val)
        model.train()
        hit = (outputs.argmax(-1) == of.y_val).float().mean()
        return {"Loss/test": float(functional.cross_entropy(outputs, of.y_val)), "Accuracy/test": float(hit)}

    per_epoch = data.steps_per_epoch(of, 32)
    step = Descent(model, optimizer, objective, "Loss/train")
    found = go(Course(step, 18 * per_epoch, TensorBoard(run, "plain"), evaluate=evaluate, per_epoch=per_epoch))
    above(found, "Accuracy/test", 0.4)
    steady(found, "Loss/test", 0.1)
