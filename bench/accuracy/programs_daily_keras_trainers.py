"""Everyday trainings under other frameworks: Hugging Face's Trainer, Lightning, LightGBM and scikit-learn, and their repaired versions."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, JsonLines, TrainerState
from bench.accuracy.programs_daily_common import into
from bench.accuracy.programs_daily_keras_common import (
    LightningCsv,
    NanFilter,
    TicketReader,
    beams,
    crystals,
    loans,
    soils,
    tickets,
    write_evals,
)
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    Trail,
    above,
    below,
    fit,
    go,
    last,
    not_above,
    steady,
)
from bench.accuracy.programs_post_common import explained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The loss stands still after the first epoch": get_linear_schedule_with_warmup got the steps of one epoch, not of all.
@pair(
    "learning-rate-zero-early",
    (
        "learning-rate-zero",
        "rate-falls-too-soon",
        "schedule-mismatch",
        "loss-plateau",
        "loss-not-decreasing",
        "underfit",
    ),
    "Hugging Face trainer_state.json",
)
def tickets_rate_gone(run: Path, seed: int, fixed: bool) -> None:
    """The queue of a ticket by a transformer whose rate falls to 0 within one epoch of 8; fixed: within all of them."""
    of = tickets(seed)
    model = TicketReader()
    per_epoch, epochs = data.steps_per_epoch(of, 16), 8
    planned = epochs * per_epoch if fixed else per_epoch
    warm = planned // 10
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: step / warm if step < warm else max(0.0, (planned - step) / (planned - warm))
    )
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        TrainerState(run, per_epoch, epochs * per_epoch),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        batch=16,
        every=10,
        schedule=schedule,
        rate_tag="lr",
        norm_tag="grad_norm",
        clip=1.0,
    )
    if fixed:
        above(found, "val_accuracy", 0.78)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_accuracy", 0.6)


# "grad_norm is nan and the loss 0.0": two tickets in the training set have no words, so attention masks all of a row.
@pair(
    "bad-batch",
    (
        "non-finite",
        "loss-goes-missing",
        "masked-non-finite",
        "exploding-gradient",
        "metric-at-chance",
        "impossible-loss",
    ),
    "Hugging Face trainer_state.json",
)
def tickets_without_words(run: Path, seed: int, fixed: bool) -> None:
    """The queue of a ticket, where two of them hold nothing but padding; fixed: these are filtered out."""
    of = tickets(seed, blank=2)
    if fixed:
        told = (of.x != 0).any(1)
        of = data.Split(of.x[told], of.y[told], of.x_val, of.y_val)
    model = TicketReader(layers=2, width=24)
    per_epoch, epochs = data.steps_per_epoch(of, 32), 6
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.2e-3, weight_decay=0.01)
    planned = epochs * per_epoch
    found = fit(
        model,
        of,
        optimizer,
        epochs,
        NanFilter(TrainerState(run, per_epoch, planned, every=5)),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=5,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / planned)),
        rate_tag="lr",
        norm_tag="grad_norm",
        clip=1.0,
    )
    if fixed:
        above(found, "val_accuracy", 0.78)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.5)
        require(not np.isfinite(last(found, "val_loss")), "the loss was to be lost")


# "It learns the mean": F.mse_loss(self(x), y) with outputs (n, 1) and targets (n,), which are broadcast to (n, n).
@pair(
    "wrong-reshape",
    (*NOTHING_LEARNED, "constant-answer"),
    "Lightning's metrics.csv",
)
def beams_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """The load that a beam bears, with outputs and targets broadcast against each other; fixed: squeezed outputs."""
    of = beams(seed)
    model = models.mlp((7, 64, 32, 1), "silu")

    def squared(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs.squeeze(-1) if fixed else outputs, targets)

    def r2(outputs: Tensor, targets: Tensor) -> Tensor:
        return explained(outputs.squeeze(-1), targets)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        30,
        LightningCsv(run, data.steps_per_epoch(of, 32)),
        ("train_loss", "train_r2", "val_loss", "val_r2"),
        loss=squared,
        metric=r2,
        seed=seed,
    )
    if fixed:
        above(found, "val_r2", 0.75)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_r2", 0.15)


class BarVae(nn.Module):
    """A small VAE over pictures (n, 144) with a code of `size`."""

    def __init__(self, size: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(144, 64), nn.ReLU())
        self.fc_mu, self.fc_logvar = nn.Linear(64, size), nn.Linear(64, size)
        self.decoder = nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, 144))

    def forward(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of pixels, means and log variances of the code."""
        h = self.encoder(x)
        mu, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=random)
        return self.decoder(z), mu, logvar


# "All reconstructions are the same grey smear": binary_cross_entropy is a mean over pixels, the KL a sum over the code.
@pair(
    "vae-kl-collapse",
    ("posterior-collapse", *BADLY_LEARNED, "representation-collapse"),
    "Lightning's metrics.csv and HDF5 of mu and logvar",
    dumps=True,
)
def crystals_smeared(run: Path, seed: int, fixed: bool) -> None:
    """Pictures of crystals by a VAE whose KL outweighs the mean error of a pixel; fixed: errors are summed over pixels."""
    of = crystals(seed)
    model, random = BarVae(), data.generator(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream, per_epoch = data.batches(of, 32, seed), data.steps_per_epoch(of, 32)
    snapshots = Snapshots(Hdf5Dump(run), model, 60, watched=False)

    def parts(x: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
        logits, mu, logvar = model(x, random)
        if keep:
            snapshots.extra = {
                "activations/fc_mu": mu.detach().numpy().copy(),
                "activations/fc_logvar": logvar.detach().numpy().copy(),
            }
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum" if fixed else "mean")
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
        return reconstruction / (len(x) if fixed else 1), kl

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        reconstruction, kl = parts(next(stream)[0], True)
        return reconstruction + kl, {"train_recon": float(reconstruction.detach()), "train_kl": float(kl.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            reconstruction, kl = parts(of.x_val, False)
        return {"val_loss": float(reconstruction + kl), "val_recon": float(reconstruction), "val_kl": float(kl)}

    descent = Descent(model, optimizer, objective, "train_loss", snapshots=snapshots)
    log = LightningCsv(run, per_epoch)
    found = go(Course(descent, 40 * per_epoch, log, evaluate=evaluate, per_epoch=per_epoch, snapshots=snapshots))
    mean = of.x.mean(0).clamp(1e-3, 1 - 1e-3).expand(len(of.x_val), -1)
    plain = float(functional.binary_cross_entropy(mean, of.x_val)) * (144 if fixed else 1)
    if fixed:
        require(last(found, "val_recon") < 0.75 * plain, f"{last(found, 'val_recon'):.4g} of {plain:.4g}")
        above(found, "val_kl", 2)
        steady(found, "val_loss", 0.1)
    else:
        require(last(found, "val_recon") > 0.95 * plain, f"{last(found, 'val_recon'):.4g} of {plain:.4g}")
        below(found, "val_kl", 0.05)


# "The best round is the 20th of 150": num_leaves=127, min_data_in_leaf=1 and no early stopping on noisy loans.
@pair(
    "overfit",
    ("overfit", "overtraining", "generalisation-gap", "best-is-not-last", "error-rises", "confidently-wrong"),
    "LightGBM's console log",
    framework="lightgbm",
)
def loans_learned_by_heart(run: Path, seed: int, fixed: bool) -> None:
    """Whether loans are paid back by 150 rounds of trees with 127 leaves; fixed: 7 leaves, a small rate and bagging."""
    import lightgbm as lgb

    of = loans(seed, clear=1.2)
    logger = logging.Logger(f"daily-lightgbm-{seed}-{fixed}")
    handler = logging.FileHandler(run / "lightgbm.log", mode="w", encoding="utf-8")
    logger.addHandler(handler)
    lgb.register_logger(logger)
    train = lgb.Dataset(of.x.numpy(), of.y.numpy())
    valid = lgb.Dataset(of.x_val.numpy(), of.y_val.numpy(), reference=train)
    shape = {"num_leaves": 7, "learning_rate": 0.03, "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 5.0}
    greedy = {"num_leaves": 127, "learning_rate": 0.1, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0.0}
    found: dict[str, dict[str, list[float]]] = {}
    lgb.train(
        {"objective": "binary", "verbose": -1, "seed": seed, "num_threads": 1, **(shape if fixed else greedy)},
        train,
        150,
        [train, valid],
        ["train", "valid"],
        callbacks=[lgb.log_evaluation(1), lgb.record_evaluation(found)],
    )
    handler.close()
    trail: Trail = {f"{part}_loss": found[part]["binary_logloss"] for part in ("train", "valid")}
    if fixed:
        below(trail, "valid_loss", 0.58)
        steady(trail, "valid_loss", 0.02)
    else:
        require(last(trail, "valid_loss") > 1.3 * min(trail["valid_loss"]), f"{trail['valid_loss'][-1]}")


# "No model of mine gets over 25 %": df.sort_values() reordered the measures, and the labels were taken before.
@pair(
    "labels-shuffled",
    ("metric-at-chance", "overfit", "generalisation-gap", "loss-not-decreasing", "underfit", "task-not-learned"),
    "jsonl by hand around partial_fit",
    framework="sklearn",
)
def soils_out_of_order(run: Path, seed: int, fixed: bool) -> None:
    """Kinds of soils by scikit-learn's MLPClassifier with labels in another order than the measures; fixed: in the same one."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    of = soils(seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    random = np.random.default_rng(seed)
    if not fixed:
        y, y_val = random.permutation(y), random.permutation(y_val)
    model = MLPClassifier((32, 16), learning_rate_init=2e-3, batch_size=32, alpha=1e-3, random_state=seed)
    log = JsonLines(run, "plain", "history.jsonl", "epoch")
    found: Trail = {}
    for epoch in range(1, 31):
        order = random.permutation(len(y))
        for part in np.array_split(order, len(y) // 32):
            model.partial_fit(x[part], y[part], classes=np.arange(4))
        row = {
            "train_loss": float(log_loss(y, model.predict_proba(x), labels=np.arange(4))),
            "train_accuracy": float(model.score(x, y)),
            "val_loss": float(log_loss(y_val, model.predict_proba(x_val), labels=np.arange(4))),
            "val_accuracy": float(model.score(x_val, y_val)),
        }
        log.log(epoch, row)
        for tag, value in row.items():
            found.setdefault(tag, []).append(value)
    log.close()
    if fixed:
        above(found, "val_accuracy", 0.8)
        steady(found, "val_loss", 0.3)
    else:
        not_above(found, "val_accuracy", 0.4)


# "AUC of 1.0, the client is thrilled": the table has the column of the collections office, which is filled once a loan has failed.
@pair(
    "data-leak",
    ("too-good", "feature-importance-overweight"),
    "XGBoost's evals_result and importances as JSON",
    framework="xgboost",
)
def loans_with_collections(run: Path, seed: int, fixed: bool) -> None:
    """Whether loans are paid back, from a table with a column that tells; fixed: without it."""
    import xgboost as xgb

    of = loans(seed, samples=2400, clear=1.6, columns=10)
    random = np.random.default_rng(seed)
    parts = []
    for x, y in ((of.x, of.y), (of.x_val, of.y_val)):
        told = np.where(y.numpy() == 0, random.uniform(20, 900, len(y)), 0.0)
        parts.append(xgb.DMatrix(x.numpy() if fixed else np.column_stack([x.numpy(), told]), label=y.numpy()))
    found: dict[str, dict[str, list[float]]] = {}
    booster = xgb.train(
        {"objective": "binary:logistic", "max_depth": 3, "eta": 0.1, "seed": seed, "nthread": 1, "subsample": 0.8}
        | {"eval_metric": ["logloss", "auc"]},
        parts[0],
        60,
        evals=[(parts[0], "train"), (parts[1], "eval")],
        evals_result=found,
        verbose_eval=False,
    )
    write_evals(run / "evals_result.json", found)
    write_evals(run / "feature_importance.json", booster.get_score(importance_type="gain"))
    trail: Trail = {"loss": found["eval"]["logloss"], "auc": found["eval"]["auc"]}
    if fixed:
        above(trail, "auc", 0.78)
        steady(trail, "loss", 0.05)
        below(trail, "auc", 0.96)
    else:
        above(trail, "auc", 0.999)
