"""Programs in scikit-learn, XGBoost and LightGBM, GANs and policies, with what is wrong in them, and their fixed versions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, JsonLines, Log, TensorBoard
from bench.accuracy.programs_qa_common import (
    NOT_LEARNING,
    STANDS,
    TOO_FAST,
    VALIDATION_LOST,
    Curves,
    into,
    learned,
    no_better,
    stuck,
)
from bench.accuracy.programs_qa_data import circles

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def arrays(of: data.Split) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and flat targets for training, then for validation."""
    return of.x.numpy(), of.y.numpy().ravel(), of.x_val.numpy(), of.y_val.numpy().ravel()


def rounds(log: Log, columns: Mapping[str, Sequence[float]]) -> None:
    """Columns of one length, row by row."""
    for number, row in enumerate(zip(*columns.values(), strict=True)):
        log.log(number, dict(zip(columns, row, strict=True)))
    log.close()


@pair("missing-normalisation", ("data-not-normalized", *NOT_LEARNING), "csv by epochs", framework="sklearn")
def sklearn_raw_wine(run: Path, seed: int, fixed: bool) -> None:
    """MLPClassifier(solver="sgd") on measures from 0.1 to 1,700, which stays at the classes' shares; fixed: StandardScaler before it."""
    from sklearn.neural_network import MLPClassifier

    x, y, x_val, y_val = arrays(data.bundled("wine", seed, 0.3, scaled=fixed))
    model = MLPClassifier((16,), solver="sgd", learning_rate_init=0.02, batch_size=16, random_state=seed)
    found = Curves()
    for _ in range(40):
        model.partial_fit(x, y, classes=np.arange(3))
        found.loss.append(float(model.loss_))
        found.metric.append(float(model.score(x, y)))
        found.val_metric.append(float(model.score(x_val, y_val)))
    log = Csv(run, "plain", "wine_mlp.csv", axis="epoch")
    rounds(log, {"loss_curve": found.loss, "train_score": found.metric, "validation_score": found.val_metric})
    if fixed:
        learned(found, 0.9)
    else:
        no_better(found, 0.6)


@pair(
    "learning-rate-too-high", (*TOO_FAST, "unstable-loss", "metric-at-chance"), "jsonl by epochs", framework="sklearn"
)
def sklearn_perceptron_rate(run: Path, seed: int, fixed: bool) -> None:
    """SGDRegressor at eta0=0.1 on features of several powers, whose error grows without end; fixed: 0.0005."""
    from sklearn.linear_model import SGDRegressor
    from sklearn.preprocessing import PolynomialFeatures

    x, y, x_val, y_val = arrays(data.regression(seed))
    powers = PolynomialFeatures(2, include_bias=False)
    x, x_val = powers.fit_transform(x), powers.transform(x_val)
    model = SGDRegressor(learning_rate="constant", eta0=0.0005 if fixed else 0.1, random_state=seed)
    found = Curves()
    with np.errstate(all="ignore"):
        for _ in range(25):
            model.partial_fit(x, y)
            found.loss.append(float(np.mean((x @ model.coef_ + model.intercept_ - y) ** 2)))
            found.val_loss.append(float(np.mean((x_val @ model.coef_ + model.intercept_ - y_val) ** 2)))
    rounds(JsonLines(run, axis="epoch"), {"train_mse": found.loss, "test_mse": found.val_loss})
    if fixed:
        learned(found, share_left=0.9)
        require(found.val_loss[-1] < 0.7 * y_val.var(), f"too little explained: {found}")
    else:
        require(not found.loss[-1] < 100 * y.var(), f"not driven up: {found}")


@pair("validation-encoded-otherwise", VALIDATION_LOST, "csv by rounds", framework="xgboost")
def xgboost_two_encoders(run: Path, seed: int, fixed: bool) -> None:
    """A LabelEncoder fitted again on the validation data, where the classes come in another order; fixed: the one of the training."""
    import xgboost

    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    y_val = y_val if fixed else (y_val + 3) % 10
    train, val = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings = {"objective": "multi:softprob", "num_class": 10, "eta": 0.15, "max_depth": 3, "subsample": 0.8}
    settings |= {"eval_metric": ["mlogloss", "merror"], "nthread": 1, "seed": seed}
    told: dict[str, dict[str, list[float]]] = {}
    xgboost.train(settings, train, 50, [(train, "train"), (val, "valid")], evals_result=told, verbose_eval=False)
    columns = {f"{part}-{name}": values for part, of in told.items() for name, values in of.items()}
    rounds(Csv(run, "plain", "evals_result.csv", axis="round"), columns)
    found = Curves(told["train"]["mlogloss"], told["valid"]["mlogloss"])
    found.val_metric = [1 - one for one in told["valid"]["merror"]]
    if fixed:
        learned(found, 0.9)
    else:
        no_better(found, 0.12)


@pair("learning-rate-too-low", NOT_LEARNING, "tensorboardX by rounds", framework="lightgbm")
def lightgbm_tiny_rate(run: Path, seed: int, fixed: bool) -> None:
    """LightGBM at learning_rate=1e-6, a slip: 60 rounds that change nothing; fixed: 0.1."""
    import lightgbm

    x, y, x_val, y_val = arrays(data.bundled("breast_cancer", seed))
    settings = {"objective": "binary", "metric": ["binary_logloss", "binary_error"], "num_leaves": 7, "num_threads": 1}
    settings |= {"learning_rate": 0.1 if fixed else 1e-6, "verbosity": -1, "seed": seed, "feature_fraction": 0.5}
    train = lightgbm.Dataset(x, y)
    told: dict[str, dict[str, list[float]]] = {}
    sets = [train, lightgbm.Dataset(x_val, y_val, reference=train)]
    lightgbm.train(settings, train, 45, sets, ["training", "valid_1"], callbacks=[lightgbm.record_evaluation(told)])
    columns = {f"{part}/{name}": values for part, of in told.items() for name, values in of.items()}
    rounds(TensorBoard(run, "plain", x=True), columns)
    found = Curves(told["training"]["binary_logloss"], told["valid_1"]["binary_logloss"])
    found.val_metric = [1 - one for one in told["valid_1"]["binary_error"]]
    if fixed:
        learned(found, 0.92)
    else:
        stuck(found, 0.99)


@pair("overfit", ("overfit", "overtraining", "best-is-not-last"), "console by rounds", framework="xgboost")
def xgboost_deep(run: Path, seed: int, fixed: bool) -> None:
    """150 trees of depth 10 at 0.3 on 300 noisy rows, learned by heart; fixed: depth 2 at 0.05, half of the rows each, 60 trees."""
    import xgboost

    x, y, x_val, y_val = arrays(data.with_label_noise(circles(seed, 400), 0.4, seed))
    train, val = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    settings = (
        {"max_depth": 2, "eta": 0.05, "subsample": 0.5}
        if fixed
        else {"max_depth": 10, "eta": 0.3, "min_child_weight": 0}
    )
    told: dict[str, dict[str, list[float]]] = {}
    xgboost.train(
        {**settings, "objective": "binary:logistic", "nthread": 1, "seed": seed},
        train,
        60 if fixed else 150,
        [(train, "train"), (val, "eval")],
        evals_result=told,
        verbose_eval=False,
    )
    rounds(
        Console(run, axis="iteration"),
        {"train-logloss": told["train"]["logloss"], "eval-logloss": told["eval"]["logloss"]},
    )
    found = Curves(told["train"]["logloss"], told["eval"]["logloss"])
    if fixed:
        learned(found, share_left=0.9)
        require(found.val_loss[-1] < 0.6, f"too little learned: {found}")
    else:
        require(found.val_loss[-1] > 1.08 * min(found.val_loss), f"no overfit: {found}")


@pair("hidden-layers-too-small", STANDS, "csv: loss_curve_", framework="sklearn")
def sklearn_two_units(run: Path, seed: int, fixed: bool) -> None:
    """MLPClassifier with one hidden unit for ten digits; fixed: with 50."""
    from sklearn.neural_network import MLPClassifier

    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    units = 50 if fixed else 1
    model = MLPClassifier(
        (units,), max_iter=60 if fixed else 120, alpha=0.1, learning_rate_init=3e-3, random_state=seed
    )
    model.fit(x, y)
    rounds(Csv(run, "plain", "loss_curve.csv", axis="iteration"), {"loss": [float(one) for one in model.loss_curve_]})
    score = float(model.score(x_val, y_val))
    if fixed:
        require(score > 0.93, f"accuracy {score:.3f}")
    else:
        require(score < 0.5, f"accuracy {score:.3f}")


@pair("discriminator-wins", ("loss-divergence", "loss-not-decreasing", "vanishing-gradient"), "tensorboard by steps")
def gan_discriminator_wins(run: Path, seed: int, fixed: bool) -> None:
    """A normal distribution by a GAN whose discriminator learns hundreds of times as fast as its generator; fixed: both at 5e-4."""
    random, centre = data.generator(seed), torch.tensor([3.0, -2.0])
    generator, discriminator = models.gan_pair(2)
    of_generator = torch.optim.Adam(generator.parameters(), lr=5e-4 if fixed else 5e-6, betas=(0.5, 0.99))
    of_discriminator = torch.optim.Adam(discriminator.parameters(), lr=5e-4 if fixed else 4e-3, betas=(0.5, 0.99))
    log, told = TensorBoard(run, "plain"), []
    binary = functional.binary_cross_entropy_with_logits
    for step in range(1, 1601):
        real = centre + torch.randn(64, 2, generator=random)
        made = generator(torch.randn(64, 8, generator=random))
        of_discriminator.zero_grad()
        said, guessed = discriminator(real), discriminator(made.detach())
        loss_d = (binary(said, torch.ones_like(said)) + binary(guessed, torch.zeros_like(guessed))) / 2
        loss_d.backward()
        of_discriminator.step()
        of_generator.zero_grad()
        guessed = discriminator(made)
        loss_g = binary(guessed, torch.ones_like(guessed))
        loss_g.backward()
        of_generator.step()
        told.append(float(loss_g.detach()))
        if step % 10 == 0:
            log.log(step, {"GAN/loss_D": float(loss_d.detach()), "GAN/loss_G": told[-1]})
    log.close()
    with torch.no_grad():
        made = generator(torch.randn(800, 8, generator=random))
    off, spread = float((made.mean(0) - centre).norm()), float(made.std(0).mean())
    if fixed:
        require(off < 1.2 and 0.4 < spread < 2, f"{off:.2f} off, deviation {spread:.2f}")
    else:
        end = float(np.mean(told[-100:]))
        require(off > 1.5 and end > 2.5, f"{off:.2f} off, generator's loss {end:.3g}")


class Steering(nn.Module):
    """A policy that steers a point in the plane: the mean of its action by its place."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = models.mlp((2, 16, 2), "tanh")
        self.log_std = nn.Parameter(torch.full((2,), -0.5))

    def forward(self, x: Tensor) -> torch.distributions.Normal:
        return torch.distributions.Normal(self.mean(x), self.log_std.exp())


def steer(
    policy: Steering, optimizer: torch.optim.Optimizer, updates: int, seed: int, log: Log, sign: float, growth: float
) -> list[float]:
    """REINFORCE with the batch's mean as baseline over one step: the nearer to the centre after it, the better; rewards by updates."""
    random, rewards = data.generator(seed), list[float]()
    for update in range(updates):
        place = 2 * torch.rand(64, 2, generator=random) - 1
        told = policy(place)
        action = (told.mean + told.stddev * torch.randn(64, 2, generator=random)).detach()
        reward = -(place + action).square().sum(1)
        advantage = (reward - reward.mean()) / (reward.std() + 1e-8)
        loss = -sign * (told.log_prob(action).sum(1) * advantage).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rewards.append(float(reward.mean()))
        values = {"rollout/ep_rew_mean": rewards[-1], "train/policy_loss": float(loss.detach())}
        values["train/learning_rate"] = optimizer.param_groups[0]["lr"]
        log.log((update + 1) * 64, {**values, "train/entropy": float(told.entropy().mean().detach())})
        optimizer.param_groups[0]["lr"] *= growth
    log.close()
    return rewards


@pair(
    "rate-grows",
    ("reward-collapse", "schedule-mismatch", "learning-rate-too-high"),
    "tensorboard, as Stable-Baselines3 names it",
)
def policy_collapse(run: Path, seed: int, fixed: bool) -> None:
    """A policy whose rate grows by 1.5 % an update (gamma=1.015), so that it is lost once it was good; fixed: gamma=0.995."""
    policy = Steering()
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    rewards = steer(policy, optimizer, 500, seed, TensorBoard(run, "plain"), 1.0, 0.995 if fixed else 1.015)
    start, best, end = (float(np.mean(part)) for part in (rewards[:20], sorted(rewards)[-50:], rewards[-50:]))
    if fixed:
        require(end > 0.5 * start and end > best - 0.2, f"rewards {start:.3g}, best {best:.3g}, end {end:.3g}")
    else:
        require(best > 0.6 * start and end < start, f"rewards {start:.3g}, best {best:.3g}, end {end:.3g}")


@pair("wrong-reward-sign", ("reward-flat", "reward-collapse"), "csv, progress of each update")
def policy_wrong_sign(run: Path, seed: int, fixed: bool) -> None:
    """A policy that descends on its reward, the minus forgotten: it gets worse with each update; fixed: with the minus."""
    policy = Steering()
    optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
    log = Csv(run, "plain", "progress.csv", axis="time/total_timesteps")
    rewards = steer(policy, optimizer, 300, seed, log, 1.0 if fixed else -1.0, 1.0)
    start, end = float(np.mean(rewards[:20])), float(np.mean(rewards[-20:]))
    if fixed:
        require(end > 0.6 * start, f"rewards {start:.3g}, end {end:.3g}")
    else:
        require(end < start, f"rewards {start:.3g}, end {end:.3g}")
