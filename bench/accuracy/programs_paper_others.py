"""Programs of Lightning's and Hugging Face's manner, policies and boosting, with one fault of the kinds that papers inject, and without."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    VALIDATION_LOST,
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
from bench.accuracy.programs_paper_common import arrows, explained, hits, into, of_two

RECIPES: list[Recipe] = []
pair = into(RECIPES)
LIGHTNING = ("train_loss_epoch", "train_acc_epoch", "val_loss", "val_acc")


@pair("batch-of-everything", (*BADLY_LEARNED, "still-improving"), "Lightning's csv by epochs")
def whole_set_batch(run: Path, seed: int, fixed: bool) -> None:
    """Digits with a batch size that takes the whole training set, so that an epoch is one step of SGD; fixed: 32."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
    batch = 32 if fixed else len(of.x)
    found = fit(model, of, optimizer, 15, Csv(run, "plain", axis="epoch"), LIGHTNING, seed=seed, batch=batch)
    if fixed:
        above(found, "val_acc", 0.9)
        steady(found, "val_loss")
    else:
        below(found, "val_acc", 0.6)
        not_below(found, "train_loss_epoch", 1.5)


@pair(
    "weight-decay-too-strong",
    (*NOTHING_LEARNED, "low-variance", "all-zero", "vanishing-gradient"),
    "Lightning's csv by epochs; weights, gradients and activations in hdf5",
    dumps=True,
)
def decay_one(run: Path, seed: int, fixed: bool) -> None:
    """Digits with weight_decay=1.0 in SGD, which drives all weights to nothing; fixed: 0.0005."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 40, 20, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5, weight_decay=5e-4 if fixed else 1.0)
    snapshots = Snapshots(Hdf5Dump(run), model, 60)
    log = Csv(run, "plain", axis="epoch")
    found = fit(model, of, optimizer, 15, log, LIGHTNING, seed=seed, snapshots=snapshots)
    if fixed:
        above(found, "val_acc", 0.92)
        steady(found, "val_loss")
    else:
        below(found, "val_acc", 0.2)


@pair(
    "classes-missing",
    ("class-imbalance", "classifier-confusion", *VALIDATION_LOST),
    "trainer_state.json; labels and predictions in hdf5",
    dumps=True,
)
def class_missing(run: Path, seed: int, fixed: bool) -> None:
    """Digits whose training part lost the sevens, eights and nines when it was cut from a sorted file; fixed: all ten."""
    of = data.bundled("digits", seed)
    if not fixed:
        kept = of.y < 7
        of = replace(of, x=of.x[kept], y=of.y[kept])
    model = models.mlp((64, 32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    per_epoch = data.steps_per_epoch(of, 32)
    snapshots = Snapshots(Hdf5Dump(run, name="batches.h5"), model, 60, watched=False)

    def keep(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        snapshots.extra["labels/train"] = y.numpy().copy()
        return x, y

    def also() -> dict[str, float]:
        with torch.no_grad():
            guessed = model(of.x_val).argmax(-1)
        snapshots.extra["labels/eval"] = of.y_val.numpy().copy()
        snapshots.extra["predictions/eval"] = guessed.numpy().copy()
        return {}

    found = fit(
        model,
        of,
        optimizer,
        10,
        TrainerState(run, per_epoch, 10 * per_epoch),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        alter=keep,
        also=also,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "val_accuracy", 0.92)
        steady(found, "val_loss")
    else:
        below(found, "val_accuracy", 0.73)
        below(found, "train_loss", 0.3)


@pair(
    "validation-preprocessed-otherwise",
    (*VALIDATION_LOST, "data-not-normalized"),
    "Lightning's csv by steps and epochs",
)
def raw_validation(run: Path, seed: int, fixed: bool) -> None:
    """Benign or malignant, trained on standardised measures and validated on raw ones; fixed: both standardised."""
    of = data.bundled("breast_cancer", seed)
    if not fixed:
        raw = data.bundled("breast_cancer", seed, scaled=False)
        of = replace(of, x_val=raw.x_val)
    model = models.mlp((30, 16, 1), dropout=0.2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tags = ("train_loss_step", "train_acc_step", "val_loss", "val_acc")
    found = fit(model, of, optimizer, 20, Csv(run, "plain"), tags, loss=of_two, metric=hits, seed=seed, every=7)
    if fixed:
        above(found, "val_acc", 0.93)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_acc", 0.75)
        not_below(found, "val_loss", 1.0)


@pair("augmentation-destroys-labels", (*NOTHING_LEARNED, "learning-rate-too-low"), "trainer_state.json")
def rotated_arrows(run: Path, seed: int, fixed: bool) -> None:
    """Directions of arrows, with random rotations by quarters as augmentation; fixed: small shifts of brightness instead."""
    of = arrows(seed)
    model = models.cnn(4, (8, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    random = data.generator(seed)
    per_epoch = data.steps_per_epoch(of, 32)

    def augment(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if fixed:
            return x + 0.1 * torch.randn((len(x), 1, 1, 1), generator=random), y
        turns = torch.randint(0, 4, (len(x),), generator=random)
        turned = [torch.rot90(one, int(turn), (1, 2)) for one, turn in zip(x, turns, strict=True)]
        return torch.stack(turned), y

    log = TrainerState(run, per_epoch, 20 * per_epoch)
    tags = ("train_loss", "", "val_loss", "val_accuracy")
    found = fit(
        model, of, optimizer, 20, log, tags, seed=seed, every=10, alter=augment, rate_tag="lr", norm_tag="grad_norm"
    )
    if fixed:
        above(found, "val_accuracy", 0.85)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_accuracy", 0.42)
        not_below(found, "train_loss", 1.3)


@pair(
    "policy-collapses-early",
    ("entropy-collapse", "reward-flat", "learning-rate-too-high", "policy-update-too-large"),
    "progress.csv by iterations",
)
def bandit(run: Path, seed: int, fixed: bool) -> None:
    """A policy gradient on a bandit with six contexts, at a rate at which it is sure of the first arm that paid; fixed: 0.01."""
    random = data.generator(seed)
    means = torch.stack([torch.randperm(8, generator=random) for _ in range(6)]) / 7.0
    policy = models.mlp((6, 16, 8), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01 if fixed else 2.0)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        context = torch.randint(0, 6, (8,), generator=random)
        chances = torch.distributions.Categorical(logits=policy(functional.one_hot(context, 6).float()))
        arms = torch.multinomial(chances.probs, 1, generator=random)[:, 0]
        reward = means[context, arms] + torch.randn(8, generator=random)
        loss = -(chances.log_prob(arms) * (reward - reward.mean())).mean()
        return loss, {"ep_reward_mean": float(reward.mean()), "entropy": float(chances.entropy().mean().detach())}

    log = Csv(run, "plain", "progress.csv", axis="iteration")
    found = go(Course(Descent(policy, optimizer, objective, "policy_loss"), 1500, log, 25, True))
    if fixed:
        above(found, "ep_reward_mean", 0.85)
        require(last(found, "ep_reward_mean", 5) > found["ep_reward_mean"][0] + 0.25, told(found))
    else:
        require(last(found, "ep_reward_mean", 10) < 0.78, f"it found the best arms: {told(found)}")
        below(found, "entropy", 0.05)


@pair("momentum-too-high", (*BLOWN_UP, *BADLY_LEARNED), "tensorboardX by steps")
def momentum_high(run: Path, seed: int, fixed: bool) -> None:
    """A regression by SGD with momentum 0.995 at a rate meant for none, so that the loss swings wider and wider; fixed: 0.5."""
    of = data.regression(seed, 600)
    model = models.mlp((8, 32, 1), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.5 if fixed else 0.995)
    tags = ("training/mse", "", "validation/mse", "validation/r2")
    found = fit(
        model,
        of,
        optimizer,
        45,
        TensorBoard(run, "plain", x=True),
        tags,
        loss=functional.mse_loss,
        metric=explained,
        seed=seed,
        every=5,
        norm_tag="training/grad_norm",
    )
    if fixed:
        above(found, "validation/r2", 0.8)
        steady(found, "validation/mse", 0.2)
    else:
        below(found, "validation/r2", 0.3)


def rounds(log: Csv | JsonLines, columns: Mapping[str, Sequence[float]]) -> None:
    """Columns of one length, row by row."""
    for number, row in enumerate(zip(*columns.values(), strict=True)):
        log.log(number, dict(zip(columns, row, strict=True)))
    log.close()


@pair("labels-off-by-one-row", VALIDATION_LOST, "csv by rounds", framework="lightgbm")
def lightgbm_shifted(run: Path, seed: int, fixed: bool) -> None:
    """LightGBM on digits whose labels were read from one row further on, in training and validation; fixed: from their own rows."""
    import lightgbm

    of = data.bundled("digits", seed)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    if not fixed:
        y, y_val = np.roll(y, 1), np.roll(y_val, 1)
    settings = {"objective": "multiclass", "num_class": 10, "metric": ["multi_logloss", "multi_error"], "verbosity": -1}
    settings |= {"num_leaves": 7, "learning_rate": 0.15, "num_threads": 1, "seed": seed}
    train = lightgbm.Dataset(x, y)
    evals: dict[str, dict[str, list[float]]] = {}
    sets = [train, lightgbm.Dataset(x_val, y_val, reference=train)]
    lightgbm.train(
        settings, train, 30, sets, valid_names=["training", "valid_1"], callbacks=[lightgbm.record_evaluation(evals)]
    )
    found = {f"{part}-{name}": values for part, of_part in evals.items() for name, values in of_part.items()}
    rounds(Csv(run, "plain", "evals.csv", axis="iteration"), found)
    if fixed:
        below(found, "valid_1-multi_error", 0.1)
        steady(found, "valid_1-multi_logloss")
    else:
        require(last(found, "valid_1-multi_error") > 0.85, f"it learned: {told(found)}")


@pair("noise-as-input", (*VALIDATION_LOST, *NOTHING_LEARNED), "jsonl by epochs", framework="sklearn")
def sklearn_noise(run: Path, seed: int, fixed: bool) -> None:
    """MLPClassifier on wines whose measures a join replaced by random numbers; fixed: the measures."""
    from sklearn.neural_network import MLPClassifier

    of = data.bundled("wine", seed, 0.4)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    if not fixed:
        random = np.random.default_rng(seed)
        x, x_val = random.normal(size=x.shape), random.normal(size=x_val.shape)
    model = MLPClassifier((16,), learning_rate_init=0.005, batch_size=16, alpha=0.01, random_state=seed)
    found: dict[str, list[float]] = {"loss": [], "train_score": [], "val_loss": [], "val_score": []}
    for _ in range(30):
        model.partial_fit(x, y, classes=np.arange(3))
        chances = model.predict_proba(x_val)[np.arange(len(y_val)), y_val]
        found["loss"].append(float(model.loss_))
        found["train_score"].append(float(model.score(x, y)))
        found["val_loss"].append(float(-np.log(chances + 1e-12).mean()))
        found["val_score"].append(float(model.score(x_val, y_val)))
    rounds(JsonLines(run, "plain", "mlp_wine.jsonl", axis="epoch"), found)
    if fixed:
        above(found, "val_score", 0.9)
        steady(found, "val_loss", 0.15)
    else:
        below(found, "val_score", 0.5)
