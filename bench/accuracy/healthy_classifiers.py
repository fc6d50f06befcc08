"""Healthy classifiers in torch: plain ones, and those whose curves look odd."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import into, learned, varied
from bench.accuracy.loop import Plan, accuracy, evaluate, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


@healthy("development", "tensorboard, every 5 steps; hdf5 by step", dumps=True)
def mlp_digits(run: Path, seed: int) -> None:
    """A ReLU MLP with Adam on standardised digits: validation accuracy above 0.93, the validation loss at its best."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 32, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3))
    plan = Plan(model, split, optimizer, 700, seed=seed, log_every=5, evaluate_every=42, dump_every=35)
    learned(fit(plan, loggers.TensorBoard(run), loggers.Hdf5Dump(run)), 0.93)


@healthy("seen", "tensorboard, per epoch; histograms", dumps=True)
def cnn_step_decay(run: Path, seed: int) -> None:
    """A CNN with batch norm, SGD with momentum and two drops of the rate, logged per epoch: above 0.95, best at the end."""
    split = data.bundled("digits", seed).as_images()
    model = models.cnn(norm=True)
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.02), momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [300, 460], 0.1)
    plan = Plan(model, split, optimizer, 43 * 14, seed=seed, schedule=schedule, by_epoch=True, dump_every=43)
    plan.also = frozenset({"lr"})
    log = loggers.TensorBoard(run, "pytorch")
    learned(fit(plan, log, loggers.HistogramDump(log)), 0.95)


@healthy("development", "csv of Lightning, every 50 steps and per epoch")
def strong_dropout(run: Path, seed: int) -> None:
    """Dropout of 0.6: the training loss stays above the validation loss, and the training accuracy below, because dropout is on only in
    training. Validation accuracy above 0.9.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 128, 128, 10), dropout=0.6)
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3))
    plan = Plan(model, split, optimizer, 1260, seed=seed, log_every=50, averaged=True, evaluate_every=42)
    plan.also = frozenset({"epoch"})
    found = fit(plan, loggers.Csv(run))
    require(found["val_loss"] < found["train_loss"], "dropout did not keep the training loss above the validation loss")
    learned(found, 0.9)


@healthy("seen", "jsonl, every 20 steps")
def label_smoothing(run: Path, seed: int) -> None:
    """Smoothed labels (0.1): the training loss cannot fall below 0.5 (the entropy of the targets), while accuracy is above 0.94. The
    validation loss has no smoothing.
    """
    split = data.bundled("digits", seed).as_images()
    model = models.cnn(channels=(8, 16, 16))

    def smoothed(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=0.1 if model.training else 0.0)

    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 2e-3))
    plan = Plan(model, split, optimizer, 640, smoothed, seed=seed, log_every=20, evaluate_every=80)
    learned(fit(plan, loggers.JsonLines(run, "lower")), 0.94)


@healthy("development", "tensorboard, every 10 steps, names with capitals; hdf5 by name", dumps=True)
def imbalance_handled(run: Path, seed: int) -> None:
    """Classes 80:20 with a weighted loss: the recall of both classes is above 0.65, so nothing is ignored. Labels and
    predictions are dumped.
    """
    split = data.imbalanced(seed)
    model = models.mlp((10, 32, 32, 2), "tanh")
    weight = torch.tensor([0.625, 2.5])
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 2e-3))

    def balanced(outputs: Tensor, targets: Tensor) -> Tensor:
        hits = outputs.argmax(-1) == targets
        parts = [hits[targets == one].float().mean() for one in (0, 1) if (targets == one).any()]
        return torch.stack(parts).mean()

    plan = Plan(model, split, optimizer, 480, lambda o, t: functional.cross_entropy(o, t, weight), seed=seed)
    plan.metrics = {"accuracy": accuracy, "balanced_accuracy": balanced}
    plan.train_metrics = False
    dump, step = loggers.Hdf5Dump(run, by_name=True), [0]

    def keep_answers(_: dict[str, float]) -> bool:
        step[0] += plan.evaluate_every
        with torch.no_grad():
            said = model(split.x_val).argmax(1)
        dump.dump(step[0], {"labels/y": split.y_val.numpy(), "predictions/y": said.numpy()})
        return False

    plan.stop = keep_answers
    found = fit(plan, loggers.TensorBoard(run, "capital"), dump)
    with torch.no_grad():
        said = model(split.x_val).argmax(1)
    recalls = [float((said[split.y_val == one] == one).float().mean()) for one in (0, 1)]
    require(min(recalls) > 0.65, f"recalls of the classes: {recalls}")
    learned(found, 0.8)


@healthy("seen", "tensorboard through tensorboardX, per epoch")
def label_noise(run: Path, seed: int) -> None:
    """A tenth of the training labels is wrong, the validation is clean: training accuracy stays near 0.9 and below validation's, which is
    right. A small model with weight decay does not memorise the noise; validation accuracy above 0.9.
    """
    split = data.with_label_noise(data.bundled("digits", seed), 0.1, seed)
    model = models.mlp((64, 24, 10), dropout=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 1.5e-3), weight_decay=0.05)
    plan = Plan(model, split, optimizer, 43 * 18, seed=seed, by_epoch=True, also=frozenset())
    learned(fit(plan, loggers.TensorBoard(run, "lightning", x=True)), 0.9)


@healthy("development", "jsonl, each step")
def full_batch(run: Path, seed: int) -> None:
    """The whole training set in each step: curves without noise, epochs of one step. Validation accuracy above 0.93."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 5e-3))
    plan = Plan(model, split, optimizer, 150, batch=2000, seed=seed, log_every=1, evaluate_every=10)
    learned(fit(plan, loggers.JsonLines(run, "slash")), 0.93)


@healthy("seen", "plain log, per epoch")
def logistic_regression(run: Path, seed: int) -> None:
    """Logistic regression by SGD without momentum: one linear layer, a convex problem; above 0.94 on breast cancer."""
    split = data.bundled("breast_cancer", seed)
    model = models.mlp((30, 2))
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.05), weight_decay=1e-3)
    plan = Plan(model, split, optimizer, 14 * 30, seed=seed, by_epoch=True, also=frozenset())
    learned(fit(plan, loggers.Console(run, "bare", axis="epoch")), 0.94)


@healthy("development", "csv, per epoch")
def tiny_data_early_stop(run: Path, seed: int) -> None:
    """Iris with 112 training samples, stopped after ten epochs without a better validation loss: accuracy above 0.88. The last epochs are
    no better than the best, which is what early stopping is.
    """
    split = data.bundled("iris", seed)
    model = models.mlp((4, 16, 3))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-2))
    best, waited = [float("inf")], [0]

    def patience(found: dict[str, float]) -> bool:
        better = found["val_loss"] < best[0] - 1e-4
        best[0], waited[0] = (found["val_loss"], 0) if better else (best[0], waited[0] + 1)
        return waited[0] >= 10

    plan = Plan(model, split, optimizer, 7 * 60, batch=16, seed=seed, by_epoch=True, also=frozenset(), stop=patience)
    (run / "config.json").write_text('{"max_epochs": 60, "early_stopping_patience": 10, "batch_size": 16}')
    found = fit(plan, loggers.Csv(run, "plain", "history.csv", axis="epoch"))
    learned(found, 0.88)


@healthy("seen", "tensorboard, every 5 steps")
def flat_at_the_optimum(run: Path, seed: int) -> None:
    """A linear model with L2 on wine, trained on long after it has converged: most of the curve is flat because it is at the optimum of a
    convex problem; above 0.93.
    """
    split = data.bundled("wine", seed)
    model = models.mlp((13, 3))
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.1), momentum=0.9, weight_decay=0.02)
    plan = Plan(model, split, optimizer, 1200, batch=200, seed=seed, log_every=5, evaluate_every=25)
    learned(fit(plan, loggers.TensorBoard(run, "lower")), 0.93)


@healthy("development", "tensorboard; parquet", dumps=True)
def spirals_tanh(run: Path, seed: int) -> None:
    """A tanh MLP on three spirals: accuracy above 0.9 (chance 0.33); the loss falls late, after the arms have come apart."""
    split = data.spirals(seed)
    model = models.mlp((2, 32, 32, 3), "tanh")
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 8e-3))
    plan = Plan(model, split, optimizer, 900, seed=seed, log_every=10, evaluate_every=60, dump_every=60)
    learned(fit(plan, loggers.TensorBoard(run, "pytorch"), loggers.ParquetDump(run)), 0.9)


@healthy("seen", "csv of Lightning; hdf5 by step", dumps=True)
def vision_transformer(run: Path, seed: int) -> None:
    """A transformer over the rows of the digits with warm-up and cosine decay: above 0.9, best at the end."""
    split = data.bundled("digits", seed)
    split = data.Split(split.x.reshape(-1, 8, 8), split.y, split.x_val.reshape(-1, 8, 8), split.y_val)
    model = models.Transformer(10, inputs=8, width=32, length=8, causal=False, pooled=True)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 3e-3), weight_decay=0.05)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, total_iters=40)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 460)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], [40])
    plan = Plan(model, split, optimizer, 500, seed=seed, schedule=schedule, clip=1.0, evaluate_every=42, dump_every=50)
    learned(fit(plan, loggers.Csv(run), loggers.Hdf5Dump(run)), 0.9)


@healthy("development", "tensorboard, total and terms")
def multi_task(run: Path, seed: int) -> None:
    """Two heads, the digit and whether it is even, trained on the sum of their losses: both accuracies above 0.9."""
    split = data.bundled("digits", seed)
    trunk, digit, even = models.mlp((64, 64, 32)), nn.Linear(32, 10), nn.Linear(32, 2)
    parameters = [*trunk.parameters(), *digit.parameters(), *even.parameters()]
    optimizer = torch.optim.Adam(parameters, varied(seed, 1.5e-3))
    log = loggers.TensorBoard(run, "plain")

    def losses(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, list[float]]:
        features = functional.relu(trunk(x))
        one, two = digit(features), even(features)
        reached = [float(accuracy(one, y)), float(accuracy(two, y % 2))]
        return functional.cross_entropy(one, y), functional.cross_entropy(two, y % 2), reached

    stream = data.batches(split, 32, seed)
    reached = [0.0, 0.0]
    for step in range(1, 601):
        x, y = next(stream)
        first, second, _ = losses(x, y)
        optimizer.zero_grad()
        (first + 0.5 * second).backward()
        optimizer.step()
        if step % 10 == 0:
            told = {"train/loss_digit": first.item(), "train/loss_even": second.item()}
            log.log(step, {**told, "train/loss_total": (first + 0.5 * second).item()})
        if step % 50 == 0:
            with torch.no_grad():
                one, two, reached = losses(split.x_val, split.y_val)
            log.log(
                step,
                {"val/loss_total": (one + 0.5 * two).item(), "val/acc_digit": reached[0], "val/acc_even": reached[1]},
            )
    log.close()
    require(min(reached) > 0.9, f"accuracies {reached}")


@healthy("seen", "jsonl with time, every 25 steps")
def distillation(run: Path, seed: int) -> None:
    """A small student learns the soft answers of a trained teacher and the labels; its loss keeps the teacher's entropy as a floor.
    Student above 0.9.
    """
    split = data.bundled("digits", seed)
    teacher, student = models.mlp((64, 96, 10)), models.mlp((64, 16, 10))
    plan = Plan(teacher, split, torch.optim.Adam(teacher.parameters(), 2e-3), 350, seed=seed)
    fit(plan, loggers.Both())
    teacher.eval()
    optimizer = torch.optim.Adam(student.parameters(), varied(seed, 3e-3))
    log = loggers.JsonLines(run, "camel", timed=True)
    stream = data.batches(split, 32, seed + 1)
    for step in range(1, 701):
        x, y = next(stream)
        with torch.no_grad():
            soft = functional.softmax(teacher(x) / 3, 1)
        outputs = student(x)
        loss = 0.3 * functional.cross_entropy(outputs, y) + 0.7 * functional.cross_entropy(outputs / 3, soft)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            log.log(step, {"train_loss": loss.item()})
        if step % 100 == 0:
            log.log(step, {"val_accuracy": evaluate(Plan(student, split, optimizer, 0))["val_accuracy"]})
    log.close()
    reached = evaluate(Plan(student, split, optimizer, 0))["val_accuracy"]
    require(reached > 0.9, f"the student reached {reached:.3f}")


@healthy("development", "trainer_state.json, per epoch")
def five_epochs(run: Path, seed: int) -> None:
    """Five epochs and five points a curve, still falling a little at the end: above 0.9. Short runs are ordinary."""
    split = data.bundled("digits", seed).as_images()
    model = models.cnn()
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 3e-3))
    steps = 43 * 5
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    plan = Plan(
        model, split, optimizer, steps, seed=seed, schedule=schedule, log_every=43, averaged=True, evaluate_every=43
    )
    plan.train_metrics = False
    learned(fit(plan, loggers.TrainerState(run, 43, steps, 43)), 0.9)


@healthy("seen", "history.h5, per epoch")
def ten_epochs(run: Path, seed: int) -> None:
    """Ten epochs of an MLP in a history of arrays: above 0.9."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10), "elu")
    optimizer = torch.optim.RMSprop(model.parameters(), varied(seed, 1e-3))
    plan = Plan(model, split, optimizer, 430, seed=seed, by_epoch=True, also=frozenset())
    learned(fit(plan, loggers.Hdf5History(run)), 0.9)


@healthy("development", "tensorboard, in per cent, every 20 steps")
def per_cent(run: Path, seed: int) -> None:
    """Accuracies from 0 to 100 and the error rate beside them, as many scripts have them: above 92 per cent."""
    split = data.bundled("digits", seed).as_images()
    model = models.cnn(norm=True)
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.02), momentum=0.9, nesterov=True)
    plan = Plan(model, split, optimizer, 500, seed=seed, log_every=20, evaluate_every=43)
    plan.metrics = {"top1": lambda o, t: 100 * accuracy(o, t), "error": lambda o, t: 100 - 100 * accuracy(o, t)}
    found = fit(plan, loggers.TensorBoard(run, "slash"))
    learned({**found, "val_accuracy": found["val_top1"] / 100}, 0.92)


@healthy("seen", "csv, metrics only, per epoch")
def metrics_only(run: Path, seed: int) -> None:
    """Only accuracies are logged, no loss: validation accuracy rises to above 0.9 and stays."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 32, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3))
    log = loggers.Csv(run, "plain", "results.csv", axis="epoch")
    plan = Plan(model, split, optimizer, 43 * 20, seed=seed, by_epoch=True, also=frozenset())

    class Metrics:
        """Passes on what is no loss."""

        def log(self, step: int, values: dict[str, float]) -> None:
            """Without losses."""
            log.log(step, {name: value for name, value in values.items() if "loss" not in name})

        def close(self) -> None:
            """Finish."""
            log.close()

    learned(fit(plan, Metrics()), 0.9)  # type: ignore[arg-type]
