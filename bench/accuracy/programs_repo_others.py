"""Programs of Lightning, Hugging Face, scikit-learn and xgboost as they lie in repositories, and after the commit that repaired them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn import metrics
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, HistogramDump, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import explained, houses, reviews
from bench.accuracy.programs_repo_common import into, loads

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# In the manner of forecasting repositories on Lightning, "gradient_clip_val 1e-4 -> 1.0".
@pair(
    "clipped-too-tightly",
    ("gradient-always-clipped", "updates-too-small", "still-improving", *BADLY_LEARNED),
    "Lightning's metrics.csv; weights and gradients in parquet",
    dumps=True,
)
def forecast_clipped(run: Path, seed: int, fixed: bool) -> None:
    """The load of the next hour by an LSTM under SGD whose gradients are clipped to a norm of 0.0001; fixed: 1."""
    of = loads(seed)
    model = models.Recurrent("lstm", 1, 20, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    snapshots = Snapshots(ParquetDump(run), model, 40, watched=False)
    found = fit(
        model,
        of,
        optimizer,
        14,
        Csv(run, "plain", "metrics.csv"),
        ("train_loss_step", "", "val_loss", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        norm_tag="grad_2.0_norm_total",
        clip=1.0 if fixed else 1e-4,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_loss", 0.25)
    else:
        below(found, "val_r2", 0.4)


# In the manner of fine-tuning scripts, "shuffle the DataFrame as a whole: texts and labels had lost each other".
@pair("labels-out-of-order", NOTHING_LEARNED, "trainer_state.json")
def labels_left_behind(run: Path, seed: int, fixed: bool) -> None:
    """Reviews whose texts were shuffled and whose labels were not; fixed: together."""
    of = reviews(seed, 900, share=0.25)
    if not fixed:
        random = data.generator(seed)
        y, y_val = (one[torch.randperm(len(one), generator=random)] for one in (of.y, of.y_val))
        of = data.Split(of.x, y, of.x_val, y_val)
    model = models.Transformer(2, 300, width=24, layers=1, causal=False, pooled=True, dropout=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    per_epoch = data.steps_per_epoch(of, 16)
    planned = 5 * per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 20, 1 - step / planned))
    found = fit(
        model,
        of,
        optimizer,
        5,
        TrainerState(run, per_epoch, planned, 5),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        batch=16,
        every=5,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=schedule,
        clip=1.0,
    )
    if fixed:
        above(found, "val_accuracy", 0.77)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.6)


# In the manner of small DDPM repositories, "loss compared with a fresh randn_like instead of the noise that was added".
@pair("wrong-noise-as-target", ("noise-not-predicted", *BADLY_LEARNED), "Lightning's metrics.csv")
def diffusion_other_noise(run: Path, seed: int, fixed: bool) -> None:
    """Points of a spiral by a diffusion model whose target is a new draw of noise; fixed: the one that was added."""
    points = data.spirals(seed, 1, 600, 0.04).x
    betas = torch.linspace(1e-3, 0.2, 40)
    kept = torch.cumprod(1 - betas, 0)
    model = models.mlp((3, 96, 96, 2), "silu")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    random = data.generator(seed)

    def mse(batch: Tensor) -> Tensor:
        time = torch.randint(0, 40, (len(batch),), generator=random)
        noise = torch.randn(batch.shape, generator=random)
        share = kept[time][:, None]
        noisy = share.sqrt() * batch + (1 - share).sqrt() * noise
        guessed = model(torch.cat([noisy, time[:, None] / 20 - 1], 1))
        target = noise if fixed else torch.randn(batch.shape, generator=random)
        return functional.mse_loss(guessed, target)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        return mse(points[torch.randint(0, 400, (64,), generator=random)]), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"val/simple_loss": float(mse(points[400:].repeat(20, 1)))}

    step = Descent(model, optimizer, objective, "train/simple_loss")
    found = go(Course(step, 1200, Csv(run, "plain", "metrics.csv"), 10, evaluate=evaluate, evaluate_every=100))
    if fixed:
        below(found, "val/simple_loss", 0.6)
        steady(found, "val/simple_loss", 0.2)
    else:
        not_below(found, "val/simple_loss", 0.9)


# In the manner of VAE repositories on Lightning, "recon is averaged over pixels, kld summed: kld_weight = 1/64".
@pair(
    "kl-term-too-heavy",
    ("posterior-collapse", *BADLY_LEARNED, "constant-answer"),
    "Lightning's metrics.csv",
)
def vae_reduction(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE whose error is a mean over pixels and whose KL term is a sum; fixed: that is divided by the pixels."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    of = data.Split(x, x, x_val, x_val)
    encoder, decoder = models.mlp((64, 64, 12)), models.mlp((6, 64, 64))
    model = nn.ModuleList([encoder, decoder])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(of, 32, seed)
    random = data.generator(seed)

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = encoder(x).chunk(2, 1)
        code = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=random)
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        return functional.mse_loss(decoder(code), x), kl

    def total(recon: Tensor, kl: Tensor) -> Tensor:
        return recon + kl * (0.1 / 64 if fixed else 1.0)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        recon, kl = parts(next(stream)[0])
        return total(recon, kl), {"train_recon_loss": float(recon.detach()), "train_kld": float(kl.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            recon, kl = parts(x_val)
        return {"val_loss": float(total(recon, kl)), "val_recon_loss": float(recon), "val_kld": float(kl)}

    step = Descent(model, optimizer, objective, "train_loss")
    log = Csv(run, "plain", "metrics.csv", "epoch")
    found = go(Course(step, 25 * 43, log, evaluate=evaluate, per_epoch=43))
    variance = float(x_val.var(0).mean())
    if fixed:
        below(found, "val_recon_loss", 0.7 * variance)
        steady(found, "val_loss", 0.15)
        above(found, "val_kld", 1)
    else:
        not_below(found, "val_recon_loss", 0.9 * variance)
        below(found, "val_kld", 0.1)


# In the manner of streaming scripts with partial_fit, "shuffle before chunking, files are sorted by label".
@pair(
    "not-shuffled",
    ("batches-of-one-class", "unstable-loss", "loss-spike", "metric-at-chance", "loss-not-decreasing"),
    "csv by chunks, written by hand",
    framework="sklearn",
)
def chunks_by_class(run: Path, seed: int, fixed: bool) -> None:
    """Digits in ten files, each gone over 25 times by MLPClassifier.partial_fit, sorted by class; fixed: shuffled."""
    from sklearn.neural_network import MLPClassifier

    of = data.bundled("digits", seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    random = np.random.default_rng(seed)
    model = MLPClassifier((40,), learning_rate_init=0.005, random_state=seed)
    rows: list[dict[str, float]] = []
    order = random.permutation(len(x)) if fixed else np.argsort(y, kind="stable")
    for chunk in np.array_split(order, 10):
        for _ in range(25):
            model.partial_fit(x[chunk], y[chunk], classes=np.arange(10))
            guessed = np.clip(model.predict_proba(x_val), 1e-7, 1)
            row = {"chunk_loss": float(model.loss_), "holdout_logloss": float(metrics.log_loss(y_val, guessed))}
            rows.append({"iteration": len(rows) + 1, **row, "holdout_acc": float(model.score(x_val, y_val))})
    with (run / "stream.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = {name: [row[name] for row in rows] for name in rows[0]}
    if fixed:
        above(found, "holdout_acc", 0.93)
        steady(found, "holdout_logloss", 0.2)
    else:
        below(found, "holdout_acc", 0.75)


# In the manner of Kaggle's kernels, "eta 0.0005 with 120 rounds -> 0.08".
@pair(
    "learning-rate-too-low",
    ("underfit", "still-improving", "loss-not-decreasing", "loss-plateau"),
    "evals_result of xgboost as json",
    framework="xgboost",
)
def eta_tiny(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by 120 trees at a rate of 0.0005; fixed: 0.08."""
    import xgboost

    of = houses(seed, 900)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y[:, 0], of.x_val, of.y_val[:, 0]))
    train, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings: dict[str, Any] = {"eta": 0.08 if fixed else 0.0005, "max_depth": 3, "nthread": 1, "seed": seed}
    settings |= {"eval_metric": ["rmse", "mae"], "lambda": 2.0, "subsample": 0.8}
    results: dict[str, Any] = {}
    evals = [(train, "train"), (valid, "eval")]
    xgboost.train(settings, train, 120, evals=evals, evals_result=results, verbose_eval=False)
    (run / "evals_result.json").write_text(json.dumps(results), encoding="utf-8")
    seen = results["eval"]
    if fixed:
        require(last(seen, "rmse") < 0.5 * float(y_val.std()), told(seen))
        steady(seen, "rmse")
    else:
        require(last(seen, "rmse") > 0.9 * float(y_val.std()), told(seen))


# In the manner of course repositories on Lightning, "init.normal_(std=0.01) kills a net of ten layers, use xavier".
@pair(
    "weights-too-small",
    ("poor-initialization", "vanishing-gradient", "low-variance", "all-zero", "updates-too-small", *NOTHING_LEARNED),
    "Lightning's TensorBoard logger, with add_histogram",
    dumps=True,
)
def deep_tiny_start(run: Path, seed: int, fixed: bool) -> None:
    """Digits by ten layers of tanh whose weights are drawn with a deviation of 0.01; fixed: xavier_normal_."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, *[32] * 9, 10), "tanh")
    for name, one in model.named_parameters():
        if "bias" in name:
            nn.init.zeros_(one)
        elif fixed:
            nn.init.xavier_normal_(one)
        else:
            nn.init.normal_(one, std=0.01)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 172)
    found = fit(
        model,
        of,
        optimizer,
        12,
        writer,
        ("train_loss_step", "", "val_loss", "val_acc"),
        seed=seed,
        every=10,
        norm_tag="grad_2.0_norm_total",
        snapshots=snapshots,
    )
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_acc", 0.2)
