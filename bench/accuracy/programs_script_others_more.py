"""More changed examples: rewards in a table, pairs and tags in Keras, and a regression of scikit-learn; with a mistake, and repaired."""

from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import data
from bench.accuracy.harness import Recipe
from bench.accuracy.loggers import Console, Csv, TensorBoard
from bench.accuracy.programs_desk_common import flats
from bench.accuracy.programs_field_common import BADLY_LEARNED, NOTHING_LEARNED, Trail, above, below, not_above, steady
from bench.accuracy.programs_script_common import into
from bench.accuracy.programs_script_keras_common import Lake, arrays, keep, keras_at, library, tagged, trained

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "It never reaches the goal": `epsilon *= decay` stands within the loop over steps, so that it is gone after ten episodes.
@pair(
    "exploration-ends-too-soon",
    ("reward-flat", "entropy-collapse", "reward-collapse", "metric-at-chance", "underfit", "loss-plateau"),
    "SummaryWriter with a value for each 50 episodes",
    framework="numpy",
)
def lake_epsilon_per_step(run: Path, seed: int, fixed: bool) -> None:
    """Q-learning on a frozen lake whose epsilon decays with each step; fixed: with each episode."""
    lake, random = Lake(), np.random.default_rng(seed)
    q, epsilon = np.zeros((36, 4)), 1.0
    log, found = TensorBoard(run, "plain"), Trail()
    rows = []
    for episode in range(1, 3001):
        state, total, errors, ended = 0, 0.0, [], False
        for _ in range(100):
            greedy = random.random() >= epsilon
            action = int(q[state].argmax()) if greedy else int(random.integers(4))
            after, reward, ended = lake.step(state, action)
            error = reward + 0.97 * (0 if ended else q[after].max()) - q[state, action]
            q[state, action] += 0.2 * error
            errors.append(abs(error))
            total += reward
            state = after
            if not fixed:
                epsilon *= 0.999
            if ended:
                break
        if fixed:
            epsilon *= 0.999
        rows.append([total, len(errors), float(np.mean(errors)), epsilon])
        if episode % 50 == 0:
            means = np.mean(rows, axis=0).tolist()
            names = ("rollout/ep_rew_mean", "rollout/ep_len_mean", "train/td_error", "rollout/exploration_rate")
            keep(found, log, episode, dict(zip(names, means, strict=True)))
            rows = []
    log.close()
    if fixed:
        above(found, "rollout/ep_rew_mean", 0.9)
    else:
        below(found, "rollout/ep_rew_mean", 0.1)


# "The loss stands at 0.25": in the example 1 says that two pictures differ, in my pairs 1 says that they are of the same person.
@pair(
    "pair-labels-swapped",
    ("loss-at-margin", "representation-collapse", *NOTHING_LEARNED, "overfit", "generalisation-gap"),
    "keras CSVLogger",
    framework="keras",
)
def signatures_pairs_swapped(run: Path, seed: int, fixed: bool) -> None:
    """Whether two digits are the same by a Siamese network whose pairs are labelled the wrong way round; fixed: as the loss wants it."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    random = np.random.default_rng(seed)

    def pairs(inputs: np.ndarray, classes: np.ndarray, count: int) -> tuple[list[np.ndarray], np.ndarray]:
        first = random.integers(0, len(classes), count)
        same = random.random(count) < 0.5
        second = np.array(
            [random.choice(np.flatnonzero((classes == classes[a]) == b)) for a, b in zip(first, same, strict=True)]
        )
        return [inputs[first], inputs[second]], (same != fixed).astype(np.float32)[:, None]

    layers, ops = keras.layers, keras.ops
    tower = keras.Sequential(
        [keras.Input((64,)), layers.Dense(48, activation="tanh"), layers.Dense(10, activation="tanh")]
    )
    left, right = keras.Input((64,)), keras.Input((64,))
    apart = layers.Lambda(lambda both: ops.sqrt(ops.sum(ops.square(both[0] - both[1]), axis=1, keepdims=True) + 1e-7))
    model = keras.Model([left, right], apart([tower(left), tower(right)]))

    def contrastive(truth: Any, distance: Any) -> Any:
        return ops.mean((1 - truth) * ops.square(distance) + truth * ops.square(ops.maximum(1.0 - distance, 0)))

    model.compile(keras.optimizers.RMSprop(2e-3), contrastive, metrics=["accuracy"])
    log = keras.callbacks.CSVLogger(str(run / "siamese.csv"))
    training, validation = pairs(x, y, 1600), pairs(x_val, y_val, 500)
    found = trained(model, *training, validation, 15, [log], batch_size=64)
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_accuracy", 0.65)


# "No tag ever reaches 0.5": three of eight tags hold at once, and the last layer is a softmax with categorical_crossentropy.
@pair(
    "softmax-for-several-labels",
    (*BADLY_LEARNED, "nothing-found", "metric-left-behind", "impossible-loss", "loss-divergence", "task-not-learned"),
    "csv by hand",
    framework="keras",
)
def tags_of_songs(run: Path, seed: int, fixed: bool) -> None:
    """Tags of a song, several at once, by softmax and categorical cross-entropy; fixed: sigmoid and binary cross-entropy."""
    keras = keras_at(seed)
    x, y, x_val, y_val = arrays(tagged(seed))
    layers = keras.layers
    model = keras.Sequential([keras.Input((20,)), layers.Dense(48, activation="relu")])
    model.add(layers.Dense(8, activation="sigmoid" if fixed else "softmax"))
    loss = "binary_crossentropy" if fixed else "categorical_crossentropy"
    recall, precision = keras.metrics.Recall(name="recall"), keras.metrics.Precision(name="precision")
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=[recall, precision])
    found = trained(model, x, y, (x_val, y_val), 20, batch_size=32)
    log = Csv(run, "plain", "tags.csv", "epoch")
    for epoch in range(20):
        log.log(epoch, {name: values[epoch] for name, values in found.items()})
    log.close()
    if fixed:
        above(found, "val_recall", 0.75)
        above(found, "val_precision", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_recall", 0.35)


# "A loss of half a million": MLPRegressor on rents in euros, with the rate and the epochs of the example on scaled targets.
@pair(
    "unnormalised-target",
    (*BADLY_LEARNED, "still-improving", "initial-loss", "data-not-normalized", "metric-at-chance", "updates-too-small"),
    "console log",
    framework="sklearn",
)
def lettings_in_euros(run: Path, seed: int, fixed: bool) -> None:
    """Rents in euros by MLPRegressor; fixed: standardised, and errors told in euros all the same."""
    x, y, x_val, y_val = (one.squeeze() for one in arrays(flats(seed)))
    mean, spread = (y.mean(), y.std()) if fixed else (0.0, 1.0)
    network = library("sklearn.neural_network")
    model = network.MLPRegressor(hidden_layer_sizes=(24, 12), learning_rate_init=2e-3, batch_size=64, random_state=seed)
    log, found = Console(run, "plain", "rents.log", "epoch"), Trail()
    for epoch in range(1, 31):
        model.partial_fit(x, (y - mean) / spread)
        errors = [model.predict(inputs) * spread + mean - targets for inputs, targets in ((x, y), (x_val, y_val))]
        row = {"loss": float(model.loss_), "rmse": float(np.sqrt((errors[0] ** 2).mean()))}
        row["val_rmse"] = float(np.sqrt((errors[1] ** 2).mean()))
        keep(found, log, epoch, row | {"val_r2": float(1 - (errors[1] ** 2).mean() / y_val.var())})
    log.close()
    if fixed:
        above(found, "val_r2", 0.8)
        steady(found, "val_rmse", 0.1)
    else:
        not_above(found, "val_r2", 0.0)
