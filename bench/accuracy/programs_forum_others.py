"""Programs of the forum in XGBoost, LightGBM and scikit-learn, a GAN, policy gradient, boxes and masks."""

import json
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import ParquetDump
from bench.accuracy.programs_forum_common import (
    STUCK,
    TOO_FAST,
    Job,
    Table,
    arrays,
    ends_well,
    into,
    proved,
    steps,
    tested,
    write_json,
)

RECIPES: list[Recipe] = []
program = into(RECIPES)


@program("data-leak", ("too-good", "feature-importance-overweight"), "evals_result as JSON", framework="xgboost")
def leaking_column(run: Path, seed: int, faulty: bool) -> None:
    """Cancelled bookings by boosted trees; a column written at the cancellation tells the answer (faulty), and is dropped (fixed)."""
    import xgboost

    x, y = datasets.make_classification(1500, 14, n_informative=7, flip_y=0.08, class_sep=0.9, random_state=seed)
    if faulty:
        x = np.column_stack([x, y + np.random.default_rng(seed).normal(0, 0.02, len(y))])
    x, y, x_val, y_val = arrays(data.split(x, y, seed))
    train, val = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.1, "seed": seed, "nthread": 1}
    settings |= {"eval_metric": ["logloss", "auc"], "min_child_weight": 5, "subsample": 0.8}
    told: dict[str, dict[str, list[float]]] = {}
    sets = [(train, "train"), (val, "eval")]
    xgboost.train(settings, train, 80, sets, evals_result=told, verbose_eval=False)
    rows = [
        {
            "round": at,
            **{f"{part}-{name}": values[at] for part, all_of in told.items() for name, values in all_of.items()},
        }
        for at in range(80)
    ]
    write_json(run / "evals_result.json", rows)
    score = told["eval"]["auc"]
    if faulty:
        require(score[0] > 0.99, f"AUC {score[0]:.3f} after one tree")
    else:
        require(0.8 < score[-1] < 0.99, f"AUC {score[-1]:.3f}")
        ends_well(faulty, told["eval"]["logloss"])


@program("overfit", ("overfit",), "csv of the evaluations", framework="lightgbm")
def lightgbm_deep(run: Path, seed: int, faulty: bool) -> None:
    """Demand by 200 rounds of 255 leaves at 0.2 (faulty: the validation error turns up), or 60 of 7 at 0.05, bagged (fixed)."""
    import lightgbm

    of = data.with_label_noise(data.imbalanced(seed + 2, samples=900, share=0.45), 0.3, seed)
    x, y, x_val, y_val = arrays(of)
    settings = {"objective": "binary", "num_threads": 1, "verbose": -1, "seed": seed, "metric": "binary_logloss"}
    if faulty:
        settings |= {"num_leaves": 255, "learning_rate": 0.2, "min_data_in_leaf": 1}
    else:
        settings |= {"num_leaves": 7, "learning_rate": 0.05, "bagging_fraction": 0.7, "bagging_freq": 1}
    train = lightgbm.Dataset(x, y)
    told: dict[str, dict[str, list[float]]] = {}
    sets = [train, lightgbm.Dataset(x_val, y_val, reference=train)]
    record = [lightgbm.record_evaluation(told)]
    lightgbm.train(settings, train, 200 if faulty else 60, sets, ["training", "valid_1"], callbacks=record)
    table = Table(run / "lgb_evals.csv", ["iteration", "training_binary_logloss", "valid_1_binary_logloss"])
    train_losses, losses = told["training"]["binary_logloss"], told["valid_1"]["binary_logloss"]
    for at, (one, other) in enumerate(zip(train_losses, losses, strict=True), start=1):
        table.row(iteration=at, training_binary_logloss=one, valid_1_binary_logloss=other)
    table.close()
    if faulty:
        require(losses[-1] > 1.5 * min(losses), f"validation loss {losses[-1]:.3g}, best {min(losses):.3g}")
    else:
        require(losses[-1] < 0.6, f"validation loss {losses[-1]:.3g}")
        ends_well(faulty, losses)


@program("inputs-not-scaled", ("data-not-normalized", *STUCK), "loss_curve_ as CSV", framework="sklearn")
def mlp_classifier_raw(run: Path, seed: int, faulty: bool) -> None:
    """MLPClassifier by SGD on columns as measured, up to 1,700, ends at guessing (faulty); behind a StandardScaler it fits (fixed)."""
    from sklearn.neural_network import MLPClassifier

    x, y, x_val, y_val = arrays(data.bundled("wine", seed, share=0.35, scaled=not faulty))
    model = MLPClassifier((20,), solver="sgd", learning_rate_init=0.01, max_iter=1, warm_start=True, random_state=seed)
    table = Table(run / "mlp.csv", ["iter", "loss_curve", "train_score", "validation_score"])
    reached = 0.0
    for at in range(1, 61):
        model.max_iter = 1
        model.partial_fit(x, y, classes=[0, 1, 2])
        reached = model.score(x_val, y_val)
        table.row(iter=at, loss_curve=model.loss_, train_score=model.score(x, y), validation_score=reached)
    table.close()
    proved(faulty, reached, 0.9, 0.62)


@program("learning-rate-too-high", TOO_FAST, "json lines", framework="sklearn")
def sgd_regressor_rate(run: Path, seed: int, faulty: bool) -> None:
    """SGDRegressor on polynomial features at a constant 0.1: errors of 1e10 and more (faulty); invscaling from 0.0005 fits (fixed)."""
    from sklearn.linear_model import SGDRegressor
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    x, y, x_val, y_val = arrays(data.bundled("diabetes", seed))
    y, y_val = (y - 152) / 77, (y_val - 152) / 77
    features = PolynomialFeatures(2, include_bias=False).fit(x)
    scaler = StandardScaler().fit(features.transform(x))
    x, x_val = (scaler.transform(features.transform(one)) for one in (x, x_val))
    kind = {"learning_rate": "constant", "eta0": 0.1} if faulty else {"learning_rate": "invscaling", "eta0": 0.0005}
    model = SGDRegressor(alpha=0.001, random_state=seed, **kind)
    rows = []
    for epoch in range(40):
        model.partial_fit(x, y)
        rows.append({"epoch": epoch, "train_mse": float(np.mean((model.predict(x) - y) ** 2))})
        rows[-1]["test_mse"] = float(np.mean((model.predict(x_val) - y_val) ** 2))
    (run / "mse.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    proved(faulty, -rows[-1]["test_mse"], -0.7, -100, "minus test error")
    ends_well(faulty, [row["test_mse"] for row in rows])


def _walks(run: Path, seed: int, sign: float, blind_from: int) -> list[float]:
    """Policy gradient for walks of six steps to the side that is shown, with a slip in ten; the mean return of each batch of episodes.

    `sign` multiplies the advantage; from the episode `blind_from` on the side is not shown any more.
    """
    random = data.generator(seed)
    policy = models.mlp((8, 24, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), 0.005)
    writer, returns = SummaryWriter(str(run)), list[float]()
    for episode in range(300):
        side = torch.randint(0, 2, (16,), generator=random) * 2 - 1
        shown = side[:, None].float() * (episode < blind_from)
        at, logs, entropies = torch.zeros(16, dtype=torch.long), [], []
        for _ in range(6):
            place = functional.one_hot(at.clamp(-3, 3) + 3, 7).float()
            chances = torch.distributions.Categorical(logits=policy(torch.cat([place, shown], 1)))
            action = chances.sample()
            slip = torch.rand(16, generator=random) < 0.1
            at = at + torch.where(slip, 1 - action, action) * 2 - 1
            logs.append(chances.log_prob(action))
            entropies.append(chances.entropy())
        reward = (at * side).float() + torch.randn(16, generator=random)
        entropy = torch.stack(entropies).mean()
        loss = -sign * (torch.stack(logs).sum(0) * (reward - reward.mean())).mean() - 0.02 * entropy
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        returns.append(float(reward.mean()))
        writer.add_scalar("charts/episodic_return", returns[-1], episode)
        writer.add_scalar("losses/policy_loss", loss.item(), episode)
        writer.add_scalar("losses/entropy", entropy.item(), episode)
    writer.close()
    return returns


@program("policy-gradient-sign", ("reward-flat", "reward-collapse"), "tensorboard")
def policy_sign(run: Path, seed: int, faulty: bool) -> None:
    """A walk to one of two ends by policy gradient; the minus before the objective is missing (faulty), or there (fixed)."""
    returns = _walks(run, seed, -1.0 if faulty else 1.0, 300)
    proved(faulty, float(np.mean(returns[-50:])), 3.5, 0.3, "mean return")


@program("reward-collapse", ("reward-collapse",), "tensorboard", since=180)
def wrapper_lost(run: Path, seed: int, faulty: bool) -> None:
    """The same walk; a wrapper of the observations is lost at a restart, and returns fall back for good (faulty), or is kept (fixed)."""
    returns = _walks(run, seed + 30, 1.0, 180 if faulty else 300)
    require(np.mean(returns[140:180]) > 3, f"mean return {np.mean(returns[140:180]):.2f} before")
    proved(faulty, float(np.mean(returns[-50:])), 3.5, 1.0, "mean return")


@program(
    "gradient-vanishes-in-a-gan",
    ("vanishing-gradient", "loss-divergence", "gradient-all-zero"),
    "tensorboard, parquet dump",
    dumps=True,
)
def discriminator_wins(run: Path, seed: int, faulty: bool) -> None:
    """A GAN of points on a ring; log(1 - D(G(z))) and a strong discriminator leave no gradient (faulty); the other loss holds (fixed)."""
    random = data.generator(seed)
    generator, discriminator = models.gan_pair(2, 8, 48)
    slow = torch.optim.Adam(generator.parameters(), 2e-5 if faulty else 1e-3, betas=(0.5, 0.999))
    fast = torch.optim.Adam(discriminator.parameters(), 1e-2 if faulty else 1e-3, betas=(0.5, 0.999))
    writer, dump = SummaryWriter(str(run)), ParquetDump(run, "generator.parquet")
    radius, fooled = 0.0, 0.0
    for step in range(1, 601):
        angle = 6.283 * torch.rand(64, generator=random)
        real = torch.stack([angle.cos() * 2, angle.sin() * 2], 1) + 0.1 * torch.randn(64, 2, generator=random)
        made = generator(torch.randn(64, 8, generator=random))
        on_real, on_made = discriminator(real), discriminator(made.detach())
        loss_d = functional.softplus(-on_real).mean() + functional.softplus(on_made).mean()
        fast.zero_grad()
        loss_d.backward()
        fast.step()
        told = discriminator(made)
        loss_g = -functional.softplus(told).mean() if faulty else functional.softplus(-told).mean()
        slow.zero_grad()
        loss_g.backward()
        if step % 30 == 1:
            gradients = {
                f"gradients/generator.{name}": one.grad.numpy().copy() for name, one in generator.named_parameters()
            }
            dump.dump(
                step,
                {
                    **gradients,
                    **{
                        f"weights/generator.{n}": one.detach().numpy().copy() for n, one in generator.named_parameters()
                    },
                },
            )
        slow.step()
        fooled = float(torch.sigmoid(told).mean())
        radius = float(made.detach().norm(dim=1).mean())
        if step % 5 == 0:
            for name, value in (("loss/D", loss_d), ("loss/G", loss_g), ("D(x)", torch.sigmoid(on_real).mean())):
                writer.add_scalar(name, float(value.detach()), step)
            writer.add_scalar("D(G(z))", fooled, step)
    writer.close()
    dump.close()
    if faulty:
        require(fooled < 0.01, f"D(G(z)) is {fooled:.3f}")
    else:
        require(abs(radius - 2) < 0.5 and 0.2 < fooled < 0.8, f"radius {radius:.2f}, D(G(z)) {fooled:.2f}")


@program("boxes-in-pixels", STUCK, "csv in the way of Lightning")
def boxes_in_pixels(run: Path, seed: int, faulty: bool) -> None:
    """A detector of one bright box; corners in pixels behind a sigmoid that ends at 1 (faulty), or divided by the image's size (fixed)."""
    random = data.generator(seed)
    low = torch.randint(0, 8, (700, 2), generator=random)
    size = torch.randint(4, 9, (700, 2), generator=random)
    grid = torch.arange(16)
    inside = [(grid >= low[:, k : k + 1]) & (grid < (low + size)[:, k : k + 1]) for k in range(2)]
    images = (inside[1][:, :, None] & inside[0][:, None, :]).float() + 0.1 * torch.randn(700, 16, 16, generator=random)
    corners = torch.cat([low, low + size], 1).float() * (14 if faulty else 1 / 16)
    of = data.Split(images[:550, None], corners[:550], images[550:, None], corners[550:])
    layers = [nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 48), nn.ReLU(), nn.Linear(48, 4), nn.Sigmoid())
    scale = 224.0 if faulty else 1.0

    def iou(outputs: Tensor, targets: Tensor) -> float:
        one, other = outputs / scale, targets / scale
        both = (torch.minimum(one[:, 2:], other[:, 2:]) - torch.maximum(one[:, :2], other[:, :2])).clamp(min=0).prod(1)
        areas = (one[:, 2:] - one[:, :2]).clamp(min=0).prod(1) + (other[:, 2:] - other[:, :2]).prod(1)
        return float((both / (areas - both)).mean())

    job = Job(model, of, torch.optim.Adam(model.parameters(), 2e-3), 20, functional.smooth_l1_loss, iou, seed=seed)
    table = Table(
        run / "metrics.csv", ["epoch", "step", "train_box_loss_step", "train_box_loss_epoch", "val_box_loss", "val_iou"]
    )
    losses, reached = list[float](), 0.0
    for now in steps(job):
        if now.step % 6 == 0:
            table.row(epoch=now.epoch - 1, step=now.step - 1, train_box_loss_step=now.loss)
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            table.row(epoch=now.epoch - 1, step=now.step - 1, val_box_loss=val_loss, val_iou=reached)
            table.row(epoch=now.epoch - 1, step=now.step - 1, train_box_loss_epoch=now.mean_loss)
    table.close()
    proved(faulty, reached, 0.6, 0.1, "IoU")
    ends_well(faulty, losses)


@program("sigmoid-twice", ("class-imbalance", "vanishing-gradient", *STUCK), "tensorboard")
def masks_all_background(run: Path, seed: int, faulty: bool) -> None:
    """Masks of small spots; a sigmoid before BCEWithLogitsLoss cannot say no, and Dice is that of noise (faulty), or without it (fixed)."""
    random = data.generator(seed)
    centre = torch.rand(360, 2, 1, 1, generator=random) * 10 + 3
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    masks = (((rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2) < 5).float()[:, None]
    images = masks + 0.35 * torch.randn(360, 1, 16, 16, generator=random)
    of = data.Split(images[:280], masks[:280], images[280:], masks[280:])
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )
    if faulty:
        model.append(nn.Sigmoid())

    def dice(outputs: Tensor, targets: Tensor) -> float:
        told = torch.sigmoid(outputs) > 0.5
        return 2 * float((told & (targets > 0)).sum()) / max(1.0, float(told.sum() + targets.sum()))

    loss = functional.binary_cross_entropy_with_logits
    job = Job(model, of, torch.optim.Adam(model.parameters(), 5e-3), 14, loss, dice, batch=20, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("unet/epoch_loss", now.mean_loss, now.epoch)
            writer.add_scalar("unet/val_loss", val_loss, now.epoch)
            writer.add_scalar("unet/val_dice", reached, now.epoch)
    writer.close()
    proved(faulty, reached, 0.7, 0.3, "Dice")
    ends_well(faulty, losses, 0.15)
