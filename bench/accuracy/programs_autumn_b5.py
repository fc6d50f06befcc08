"""Autumn programs of boosting, of reinforcement learning in a table, and a VAE in Keras; and their repaired
versions.
"""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Csv, JsonLines, Log, TensorBoard
from bench.accuracy.programs_autumn_b_common import concrete, glyphs, learn, loans, start
from bench.accuracy.programs_autumn_common import into
from bench.accuracy.programs_field_common import Trail, above, below, not_below, steady

RECIPES: list[Recipe] = []
pair = into(RECIPES)


def columns(result: dict[str, dict[str, list[float]]], log: Log) -> Trail:
    """What the evaluation of a boosting has recorded, as `train-rmse` …, one row a round."""
    trail = {
        f"{part}-{name}": [float(one) for one in of] for part, found in result.items() for name, of in found.items()
    }
    for at in range(len(next(iter(trail.values())))):
        log.log(at, {name: values[at] for name, values in trail.items()})
    log.close()
    return trail


# "LightGBM hardly gets better than the mean": learning_rate=0.001 was copied from a network, with 100 rounds.
@pair(
    "boosting-too-slow",
    ("boosting-too-slow", "underfit", "still-improving", "loss-plateau"),
    "csv of evals_result, model.txt",
    framework="lightgbm",
)
def concrete_lightgbm_slow(run: Path, seed: int, fixed: bool) -> None:
    """The strength of concrete by 100 trees at 0.001; fixed: at 0.08."""
    import lightgbm as lgb

    of, result = concrete(seed), {}  # type: ignore[var-annotated]
    train = lgb.Dataset(of.x, of.y)
    given: dict[str, Any] = {
        "objective": "regression",
        "metric": "rmse",
        "verbosity": -1,
        "seed": seed,
        "num_threads": 1,
    }
    given |= {"learning_rate": 0.08 if fixed else 0.001, "num_leaves": 15}
    model = lgb.train(
        given,
        train,
        100,
        valid_sets=[train, lgb.Dataset(of.xv, of.yv, reference=train)],
        valid_names=["training", "valid"],
        callbacks=[lgb.record_evaluation(result)],
    )
    model.save_model(str(run / "model.txt"))
    found = columns(result, Csv(run, "plain", "evals.csv", "iteration"))
    if fixed:
        below(found, "valid-rmse", 0.6 * float(of.yv.std()))
        steady(found, "valid-rmse", 0.1)
    else:
        not_below(found, "valid-rmse", 0.85 * float(of.yv.std()))


# "AUC of 1.0 at the first try": a column of days in arrears, written after the default, is among the features.
@pair(
    "data-leak",
    ("answer-among-the-features", "too-good", "feature-importance-overweight"),
    "jsonl of evals_result, model.json",
    framework="xgboost",
)
def loans_leak_of_arrears(run: Path, seed: int, fixed: bool) -> None:
    """Who will not pay a loan by XGBoost, with a column that was filled in afterwards; fixed: the column holds what
    was known before.
    """
    import xgboost as xgb

    of, random = loans(seed, steep=2.0), np.random.default_rng(seed + 50)

    def arrears(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        days = random.gamma(2.0, 8.0, len(x)) + (0 if fixed else 60 * y + 5 * random.normal(size=len(x)))
        return np.column_stack([x, days])

    names = [*(f"measure_{at}" for at in range(10)), "days_in_arrears"]
    train = xgb.DMatrix(arrears(of.x, of.y), of.y, feature_names=names)
    valid = xgb.DMatrix(arrears(of.xv, of.yv), of.yv, feature_names=names)
    result: dict[str, Any] = {}
    given = {
        "objective": "binary:logistic",
        "eval_metric": ["logloss", "auc"],
        "max_depth": 3,
        "eta": 0.1,
        "seed": seed,
    }
    given |= {"min_child_weight": 5, "subsample": 0.7, "nthread": 1}
    sets = [(train, "train"), (valid, "validation")]
    model = xgb.train(given, train, 60, evals=sets, evals_result=result, verbose_eval=False)
    model.save_model(str(run / "model.json"))
    found = columns(result, JsonLines(run, "plain", "evals.jsonl", "round"))
    if fixed:
        above(found, "validation-auc", 0.78)
        below(found, "validation-auc", 0.97)
        steady(found, "validation-logloss", 0.15)
    else:
        above(found, "validation-auc", 0.99)


# "Train error zero, validation gets worse from the 20th round on": num_leaves=255, min_data_in_leaf=1 and 250 rows.
@pair(
    "overfit",
    (
        "overfit",
        "overtraining",
        "best-is-not-last",
        "generalisation-gap",
        "error-rises",
        "confidently-wrong",
        "tree-depth",
    ),
    "SummaryWriter with a scalar a round",
    framework="lightgbm",
)
def loans_lightgbm_leaves(run: Path, seed: int, fixed: bool) -> None:
    """Who will not pay a loan, from 250 rows, by 120 trees of up to 255 leaves; fixed: of 6 leaves, at least 20 rows
    and a slower rate.
    """
    import lightgbm as lgb

    of, result = loans(seed, steep=1.2), {}  # type: ignore[var-annotated]
    train = lgb.Dataset(of.x[:250], of.y[:250])
    given: dict[str, Any] = {"objective": "binary", "metric": "binary_logloss", "verbosity": -1, "num_threads": 1}
    least: dict[str, Any] = {
        "num_leaves": 255,
        "min_data_in_leaf": 1,
        "learning_rate": 0.1,
        "min_sum_hessian_in_leaf": 0.0,
    }
    given |= (
        {"num_leaves": 4, "min_data_in_leaf": 20, "learning_rate": 0.025, "feature_fraction": 0.6} if fixed else least
    )
    lgb.train(
        given | {"seed": seed},
        train,
        120,
        valid_sets=[train, lgb.Dataset(of.xv, of.yv, reference=train)],
        valid_names=["train", "valid"],
        callbacks=[lgb.record_evaluation(result)],
    )
    found = columns(result, TensorBoard(run, "plain"))
    if fixed:
        below(found, "valid-binary_logloss", 0.65)
        steady(found, "valid-binary_logloss", 0.1)
    else:
        not_below(found, "valid-binary_logloss", 1.3 * min(found["valid-binary_logloss"]))


# "The agent walks into the wall for ever": epsilon = 0 from the start, and a table of zeros.
@pair(
    "no-exploration",
    ("reward-flat", "reward-collapse", "entropy-collapse", "task-not-learned", "metric-at-chance"),
    "SummaryWriter with a scalar each ten episodes",
    framework="numpy",
)
def lake_without_exploring(run: Path, seed: int, fixed: bool) -> None:
    """Q-learning on a frozen lake of 4 x 4 with epsilon = 0 and argmax, which takes the first of equals; fixed:
    epsilon from 1 to 0.05.
    """
    random = np.random.default_rng(seed)
    holes, end = {(1, 1), (1, 3), (2, 3), (3, 0)}, (3, 3)
    table, log, trail = np.zeros((4, 4, 4)), TensorBoard(run, "plain"), Trail()
    returns: list[float] = []
    lengths: list[int] = []
    for episode in range(1, 1001):
        epsilon = max(0.05, 1 - episode / 600) if fixed else 0.0
        at, ended, steps, total = (0, 0), False, 0, 0.0
        while not ended and steps < 60:
            greedy = random.random() >= epsilon
            action = int(table[at].argmax()) if greedy else int(random.integers(4))
            move = int(random.integers(4)) if random.random() < 0.1 else action
            down, right = ((0, -1), (1, 0), (0, 1), (-1, 0))[move]
            to = (min(3, max(0, at[0] + down)), min(3, max(0, at[1] + right)))
            reward = 1.0 if to == end else 0.0
            ended = to == end or to in holes
            aim = reward + (0.0 if ended else 0.95 * float(table[to].max()))
            table[at][action] += 0.4 * (aim - table[at][action])
            at, steps, total = to, steps + 1, total + reward
        returns.append(total)
        lengths.append(steps)
        if episode % 10 == 0:
            row = {
                "rollout/ep_rew_mean": float(np.mean(returns[-10:])),
                "rollout/ep_len_mean": float(np.mean(lengths[-10:])),
            }
            row |= {"rollout/exploration_rate": epsilon}
            log.log(episode, row)
            for name, value in row.items():
                trail.setdefault(name, []).append(value)
    log.close()
    mean = {"reward": [float(np.mean(trail["rollout/ep_rew_mean"][-12:]))] * 3}
    if fixed:
        above(mean, "reward", 0.45)
    else:
        below(mean, "reward", 0.1)


# "Each sample of my VAE is the same grey picture": the KL is summed over the code, and the reconstruction is a mean
# over pixels.
@pair(
    "kl-collapse",
    ("posterior-collapse", "loss-plateau", "representation-collapse", "underfit"),
    "keras CSVLogger",
    framework="keras",
)
def glyphs_vae_mean(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of glyphs whose KL outweighs a mean of squared errors; fixed: the squared errors are summed too."""
    keras, of = start(seed), glyphs(seed, noise=15)
    ops, layers = keras.ops, keras.layers
    x, xv = (one.reshape(len(one), -1) / 255 for one in (of.x, of.xv))
    of = of._replace(x=x, y=x, xv=xv, yv=xv)

    class Vae(keras.Model):  # type: ignore[misc, name-defined]
        """Encoder, sampling, decoder."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(12)])
            self.decoder = keras.Sequential([layers.Dense(48, activation="relu"), layers.Dense(100)])
            self.kl = keras.metrics.Mean(name="kl_loss")
            self.rec = keras.metrics.Mean(name="reconstruction_loss")
            self.noise = keras.random.SeedGenerator(seed)

        def call(self, inputs: Any, training: bool = False) -> Any:
            """Reconstruct; mean and log variance come along."""
            code = self.encoder(inputs)
            mean, log_variance = code[:, :6], code[:, 6:]
            z = mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.noise)
            return ops.concatenate([self.decoder(z), mean, log_variance], axis=1)

        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
            """Squared errors and the KL."""
            errors = ops.square(y_pred[:, :100] - x)
            mean, log_variance = y_pred[:, 100:106], y_pred[:, 106:]
            kl = ops.mean(-0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=1))
            rec = 10 * ops.mean(ops.sum(errors, axis=1)) if fixed else ops.mean(errors)
            self.kl.update_state(kl)
            self.rec.update_state(ops.mean(errors))
            return rec + kl

    model = Vae()
    model.compile(keras.optimizers.Adam(4e-3))
    found = learn(model, of, 30, callbacks=[keras.callbacks.CSVLogger(str(run / "vae.csv"))])
    if fixed:
        above(found, "val_kl_loss", 1.5)
        below(found, "val_reconstruction_loss", 0.75 * float(xv.var(0).mean()))
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_kl_loss", 0.1)
        not_below(found, "val_reconstruction_loss", 0.9 * float(xv.var(0).mean()))
