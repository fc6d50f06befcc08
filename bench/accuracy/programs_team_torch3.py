"""PyTorch programs of teams in imaging, farming, games, banking, medicine, speech and reading; and their repaired versions."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Hdf5Dump, ParquetDump, TrainerState
from bench.accuracy.loop import accuracy, cross_entropy
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    not_above,
    not_below,
    steady,
)
from bench.accuracy.programs_team_common import into
from bench.accuracy.programs_team_torch_common import Written, cohort, matches, questions, seasons, speakers

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Vae(nn.Module):
    """Digits to a code of eight numbers and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ELU(), nn.Linear(48, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 48), nn.ELU(), nn.Linear(48, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + torch.randn_like(mean) * (0.5 * log_variance).exp()), mean, log_variance


# "All reconstructions are the same grey blob": reconstruction is a mean over pixels, KL a sum over the code; so KL wins.
@pair(
    "kl-collapse",
    ("posterior-collapse", "loss-plateau", "representation-collapse", "underfit", "loss-not-decreasing"),
    "jsonl like wandb-history",
)
def scanned_digits_vae(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE, reconstruction averaged over pixels against a summed KL; fixed: summed over pixels too."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    model = Vae()
    stream = data.batches(data.Split(x, of.y, x_val, of.y_val), 48, seed)
    per_epoch = data.steps_per_epoch(of, 48)

    def terms(batch: Tensor) -> tuple[Tensor, Tensor]:
        logits, mean, log_variance = model(batch)
        error = functional.binary_cross_entropy_with_logits(logits, batch, reduction="none").sum(1).mean()
        return error, -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        error, kl = terms(next(stream)[0])
        error = error if fixed else error / 64
        return error + 0.25 * kl, {"train/recon": float(error.detach()), "train/kld": float(kl.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            error, kl = terms(x_val)
        error = error if fixed else error / 64
        return {"val/recon": float(error), "val/kld": float(kl), "val/total": float(error + 0.25 * kl)}

    def form(epoch: int, told: Mapping[str, float]) -> str:
        return json.dumps({**told, "_step": epoch, "_timestamp": time.time(), "trainer/epoch": epoch}) + "\n"

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=3e-3), objective, "train/total")
    log = Written(run / "wandb-history.jsonl", form)
    found = go(Course(step, 25 * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch))
    if fixed:
        above(found, "val/kld", 3.0)
        steady(found, "val/total", 0.05)
    else:
        below(found, "val/kld", 0.05)


class Mlflow:
    """Files mlruns/0/RUN/metrics/NAME with lines of time, value and step."""

    def __init__(self, run: Path, name: str) -> None:
        self.folder = run / "mlruns" / "0" / name / "metrics"
        self.folder.mkdir(parents=True)
        (self.folder.parent / "meta.yaml").write_text(
            f"artifact_uri: ''\nexperiment_id: '0'\nlifecycle_stage: active\nrun_id: {name}\nrun_name: crops\nstatus: 3\n"
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line to each file."""
        for name, value in values.items():
            with (self.folder / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {value} {step}\n")

    def close(self) -> None:
        """Nothing is open."""


# "A loss of thirteen digits in the first epoch, sometimes nan": an RNN with ReLU from the identity, and no clip_grad_norm_.
@pair(
    "exploding-rnn",
    (
        "exploding-gradient",
        "loss-spike",
        "loss-divergence",
        "unstable-loss",
        "non-finite",
        "loss-goes-missing",
        "learning-rate-too-high",
    ),
    "MLflow's files of metrics",
)
def crop_calendar(run: Path, seed: int, fixed: bool) -> None:
    """Crops from a season of satellite passes by a ReLU RNN without clipping; fixed: a GRU, clipped at a norm of 0.5."""
    of = seasons(seed, noise=0.2)
    model = models.Recurrent("gru", 2, 24, 4)
    if not fixed:
        model.rnn = nn.RNN(2, 24, nonlinearity="relu", batch_first=True)
        nn.init.eye_(model.rnn.weight_hh_l0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    found = fit(
        model,
        of,
        optimizer,
        28,
        Mlflow(run, "3f0c8a6d52b94f7e9a1b"),
        ("nll_train", "", "nll_valid", "crop_acc_valid"),
        seed=seed,
        every=6,
        clip=0.5 if fixed else None,
        norm_tag="grad_l2",
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 28 * data.steps_per_epoch(of, 32)),
    )
    if fixed:
        above(found, "crop_acc_valid", 0.85)
        steady(found, "nll_valid", 0.3)
    else:
        not_above(found, "crop_acc_valid", 0.6)


# "Deeper must be better, but it learns nothing": ten layers with sigmoid, as in the figure of the old report.
@pair(
    "vanishing-gradient",
    ("vanishing-gradient", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "underfit", "updates-too-small"),
    "tsv and a Parquet file of tensors",
    dumps=True,
)
def player_styles(run: Path, seed: int, fixed: bool) -> None:
    """The style of a player by an MLP with nine sigmoid layers; fixed: three layers with ReLU."""
    of = matches(seed)
    hidden = (24,) * (3 if fixed else 9)
    model = models.mlp((12, *hidden, 4), "relu" if fixed else "sigmoid")

    def form(epoch: int, told: Mapping[str, float]) -> str:
        return "\t".join([f"{epoch:d}", *(f"{told[name]:.4f}" for name in names)]) + "\n"

    names = ("fit_logloss", "fit_hit_rate", "test_logloss", "test_hit_rate")
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-3),
        12,
        Written(run / "styles.tsv", form, "\t".join(["epoch", *names]) + "\n"),
        names,
        seed=seed,
        snapshots=Snapshots(ParquetDump(run, "layers.parquet"), model, 22, "collections"),
    )
    if fixed:
        above(found, "test_hit_rate", 0.85)
        steady(found, "test_logloss", 0.1)
    else:
        below(found, "test_hit_rate", 0.4)


# "After the first epoch nothing moves any more": scheduler.step() slipped by one indentation and runs after each batch.
@pair(
    "scheduler-per-batch",
    (
        "rate-falls-too-soon",
        "learning-rate-zero",
        "schedule-mismatch",
        "loss-plateau",
        "underfit",
        "updates-too-small",
        "stalled-training",
    ),
    "trainer_state.json",
)
def bank_intents(run: Path, seed: int, fixed: bool) -> None:
    """Intents of questions by a small transformer, StepLR(4, 0.5) stepped per batch; fixed: per epoch."""
    of = questions(seed)
    model = models.Transformer(5, 160, width=24, layers=1, length=16, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)
    per_epoch = data.steps_per_epoch(of, 32)
    stream = data.batches(of, 32, seed)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        x, y = next(stream)
        if step > 1 and (not fixed or step % per_epoch == 1):
            schedule.step()
        return cross_entropy(model(x), y), {}

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(of.x_val)
        model.train()
        return {
            "val_loss": float(cross_entropy(outputs, of.y_val)),
            "val_intent_accuracy": float(accuracy(outputs, of.y_val)),
        }

    step = Descent(model, optimizer, objective, "train_loss", "lr", "grad_norm")
    log = TrainerState(run, per_epoch, 14 * per_epoch, 11)
    found = go(Course(step, 14 * per_epoch, log, every=11, evaluate=evaluate, evaluate_every=per_epoch))
    if fixed:
        above(found, "val_intent_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_intent_accuracy", 0.5)


class Grouped:
    """SummaryWriter.add_scalars: one chart with a line, and a directory, for each part."""

    def __init__(self, run: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(run / "tb"))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Names are CHART.PART."""
        for chart in dict.fromkeys(name.split(".")[0] for name in values):
            parts = {name.split(".")[1]: one for name, one in values.items() if name.startswith(f"{chart}.")}
            self.writer.add_scalars(chart, parts, step)

    def close(self) -> None:
        """Close all of them."""
        self.writer.close()


# "AUC of 1.0 on our patients, and useless in the other hospital": 40 markers, 140 patients, 256 units, no regularisation.
@pair(
    "overfitting",
    ("overfit", "overtraining", "best-is-not-last", "generalisation-gap", "confidently-wrong"),
    "SummaryWriter.add_scalars",
)
def responders(run: Path, seed: int, fixed: bool) -> None:
    """Who responds to a drug by two layers of 256 units for 60 epochs; fixed: one of 8, dropout and weight decay."""
    of = cohort(seed)
    model = models.mlp((40, 8, 2), "relu", dropout=0.3) if fixed else models.mlp((40, 256, 256, 2))
    rate, decay = (1e-3, 0.3) if fixed else (2e-3, 0.0)
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay),
        60,
        Grouped(run),
        ("cross_entropy.own_hospital", "hit.own_hospital", "cross_entropy.other_hospital", "hit.other_hospital"),
        batch=16,
        seed=seed,
    )
    if fixed:
        above(found, "hit.other_hospital", 0.72)
        steady(found, "cross_entropy.other_hospital", 0.1)
    else:
        above(found, "hit.own_hospital", 0.99)
        not_below(found, "cross_entropy.other_hospital", 1.3 * min(found["cross_entropy.other_hospital"]))


# "The triplet loss is 0.5 and stays 0.5": exactly the margin; positive and negative were passed in each other's place.
@pair(
    "triplet-arguments-swapped",
    (
        "loss-at-margin",
        "representation-collapse",
        "loss-plateau",
        "loss-not-decreasing",
        "underfit",
        "task-not-learned",
    ),
    "results.csv with padded columns",
)
def voice_prints(run: Path, seed: int, fixed: bool) -> None:
    """Embeddings of voices by a triplet loss (anchor, negative, positive); fixed: (anchor, positive, negative)."""
    of = speakers(seed)
    model = models.mlp((20, 48, 48, 48, 8), "relu")
    random = data.generator(seed)

    def triplets(x: Tensor, y: Tensor) -> Tensor:
        codes = model(x)
        same = (y[:, None] == y[None]) & ~torch.eye(len(y), dtype=torch.bool)
        chosen = same.any(1)
        friend = torch.multinomial(same[chosen].float(), 1, generator=random)[:, 0]
        other = torch.multinomial((y[:, None] != y[None])[chosen].float(), 1, generator=random)[:, 0]
        near, far = (friend, other) if fixed else (other, friend)
        return functional.triplet_margin_loss(codes[chosen], codes[near], codes[far], margin=0.5)

    stream, per_epoch = data.batches(of, 48, seed), data.steps_per_epoch(of, 48)

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            gaps = torch.cdist(model(of.x_val), model(of.x_val)) + 1e9 * torch.eye(len(of.x_val))
            loss = sum(float(triplets(of.x_val, of.y_val)) for _ in range(20)) / 20
        return {
            "val/triplet": loss,
            "metrics/nearest_is_same": float((of.y_val[gaps.argmin(1)] == of.y_val).float().mean()),
        }

    names = ("train/triplet", "val/triplet", "metrics/nearest_is_same")

    def form(epoch: int, told: Mapping[str, float]) -> str:
        return ",".join([f"{epoch:>23d}", *(f"{told[name]:>23.5g}" for name in names)]) + "\n"

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    step = Descent(model, optimizer, lambda _: (triplets(*next(stream)), {}), "train/triplet")
    header = ",".join(f"{name:>23s}" for name in ("epoch", *names)) + "\n"
    log = Written(run / "results.csv", form, header)
    found = go(Course(step, 40 * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch))
    if fixed:
        above(found, "metrics/nearest_is_same", 0.5)
        steady(found, "val/triplet", 0.3)
    else:
        below(found, "metrics/nearest_is_same", 0.3)
        not_below(found, "val/triplet", 0.45)


class Reader(nn.Module):
    """A backbone down to a narrow code, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = models.mlp((64, 48, 32, 16, 6), "tanh")
        self.head = nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(torch.tanh(self.backbone(x)))
        return answer


# "Transfer learning does not work for our forms": the backbone was frozen by requires_grad_(False), and no weights had been loaded.
@pair(
    "model-frozen",
    ("unchanged-tensor", "underfit", "loss-plateau", "loss-not-decreasing", "updates-too-small", "gradient-all-zero"),
    "summary.csv and an HDF5 file of tensors by name",
    dumps=True,
)
def form_reader(run: Path, seed: int, fixed: bool) -> None:
    """Digits on forms by a frozen backbone of random weights and a head; fixed: all is trained."""
    of = data.bundled("digits", seed)
    model = Reader()
    model.backbone.requires_grad_(fixed)
    trained = [one for one in model.parameters() if one.requires_grad]
    names = ("train_loss", "eval_loss", "eval_top1")

    def form(epoch: int, told: Mapping[str, float]) -> str:
        return ",".join([str(epoch), *(repr(told[name]) for name in names), "0.003"]) + "\n"

    found = fit(
        model,
        of,
        torch.optim.Adam(trained, lr=3e-3),
        13,
        Written(run / "summary.csv", form, f"epoch,{','.join(names)},lr\n"),
        ("train_loss", "", "eval_loss", "eval_top1"),
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run, True, "parameters.h5"), model, 43, "collections"),
    )
    if fixed:
        above(found, "eval_top1", 0.92)
        steady(found, "eval_loss", 0.1)
    else:
        below(found, "eval_top1", 0.72)
