"""Basic programs with boosting, scikit-learn and numpy that look odd and are healthy."""

from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.linear_model import SGDRegressor

from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, TensorBoard
from bench.accuracy.programs_basic_common import odd_into
from bench.accuracy.programs_basic_sk import halves, tell
from bench.accuracy.programs_field_common import above, below, steady

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "300 rounds, and each brings next to nothing." A small rate, and it still helps.
@odd("csv of record_evaluation", framework="lightgbm")
def houses_slow_boosting_d(run: Path, seed: int) -> None:
    """Friedman's function by LightGBM with a rate of 0.03."""
    import lightgbm

    x, y = datasets.make_friedman1(900, noise=1.0, random_state=seed)
    x, xv, y, yv = halves(x, y, seed)
    train = lightgbm.Dataset(x, y)
    kept: dict[str, dict[str, list[float]]] = {}
    options = {"objective": "regression", "metric": "rmse", "learning_rate": 0.03, "num_leaves": 7, "verbose": -1}
    options |= {"num_threads": 1, "seed": seed, "bagging_fraction": 0.8, "bagging_freq": 1}
    both = [train, lightgbm.Dataset(xv, yv, reference=train)]
    lightgbm.train(options, train, 300, both, ["training", "valid_0"], callbacks=[lightgbm.record_evaluation(kept)])
    log, found = Csv(run, "plain", "lgb_eval.csv", "iteration"), dict[str, list[float]]()
    for number in range(300):
        row = {"training rmse": kept["training"]["rmse"][number], "valid_0 rmse": kept["valid_0"]["rmse"][number]}
        tell(log, found, number + 1, row)
    log.close()
    below(found, "valid_0 rmse", 0.5 * float(np.std(yv)))
    steady(found, "valid_0 rmse", 0.05)


# "R² of 0.4, is that bad?" Nobody gets more out of these patients.
@odd("console log with a line an epoch", framework="sklearn")
def diabetes_hard_d(run: Path, seed: int) -> None:
    """The course of diabetes by SGDRegressor.partial_fit; the best known is about 0.45."""
    x, y = datasets.load_diabetes(return_X_y=True)
    x, xv, y, yv = halves(x, y, seed)
    y, yv = (y - y.mean()) / y.std(), (yv - y.mean()) / y.std()
    model = SGDRegressor(learning_rate="constant", eta0=0.0005, random_state=seed)
    log, found = Console(run, "plain", "diabetes.log", "epoch"), dict[str, list[float]]()
    random = np.random.default_rng(seed)
    for epoch in range(30):
        order = random.permutation(len(x))
        model.partial_fit(x[order], y[order])
        told = {"train_loss": float(((model.predict(x) - y) ** 2).mean())}
        told |= {"val_loss": float(((model.predict(xv) - yv) ** 2).mean()), "val_r2": float(model.score(xv, yv))}
        tell(log, found, epoch + 1, told)
    log.close()
    above(found, "val_r2", 0.28)
    steady(found, "val_loss", 0.1)


# "The return jumps between 0 and 30." The slot machines pay at random; the mean gets better all the same.
@odd("SummaryWriter: rollout/return, rollout/regret, policy/entropy", framework="numpy")
def bandit_noisy_returns_d(run: Path, seed: int) -> None:
    """A policy gradient by hand on eight arms with much noise and a baseline."""
    random = np.random.default_rng(seed)
    arms = np.random.default_rng(3).permutation(np.linspace(0, 2, 8))
    scores, baseline = np.zeros(8), 0.0
    log, found = TensorBoard(run, "plain"), dict[str, list[float]]()
    for update in range(1, 151):
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        chosen = random.choice(8, 20, p=shares)
        rewards = arms[chosen] + 3 * random.normal(size=20)
        baseline += 0.1 * (rewards.mean() - baseline)
        scores += 0.1 * ((rewards - baseline)[:, None] * (np.eye(8)[chosen] - shares)).mean(0)
        told = {"rollout/return": float(rewards.mean()), "rollout/regret": float(2 - arms @ shares)}
        tell(log, found, update, {**told, "policy/entropy": float(-(shares * np.log(shares + 1e-12)).sum())})
    log.close()
    below(found, "rollout/regret", 0.5)
