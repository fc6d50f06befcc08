"""Healthy runs of which the log is odd: averages, saw-teeth, single samples, few validation samples, several rates, other signs."""

import math
from pathlib import Path

import torch

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import into, learned, varied
from bench.accuracy.loop import Plan, accuracy, cross_entropy, evaluate, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


class Smoothed:
    """Passes on moving averages, as some training loops log them."""

    def __init__(self, log: loggers.Log, keep: float) -> None:
        self.inner, self.keep, self.levels = log, keep, dict[str, float]()

    def log(self, step: int, values: dict[str, float]) -> None:
        """The moving average of each training value."""
        for name, value in values.items():
            if name.startswith("train_"):
                self.levels[name] = self.keep * self.levels.get(name, value) + (1 - self.keep) * value
        self.inner.log(step, {name: self.levels.get(name, value) for name, value in values.items()})

    def close(self) -> None:
        """Finish."""
        self.inner.close()


@healthy("development", "tensorboard, every 5 steps, moving averages")
def moving_averages(run: Path, seed: int) -> None:
    """The training loss is logged as an exponential moving average: no noise, a lag behind the validation loss, and above it at first.
    Above 0.93 on digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3))
    plan = Plan(model, split, optimizer, 600, seed=seed, log_every=5, evaluate_every=50)
    learned(fit(plan, Smoothed(loggers.TensorBoard(run, "lower"), 0.95)), 0.93)  # type: ignore[arg-type]


@healthy("seen", "tensorboard, each step, running means")
def running_means(run: Path, seed: int) -> None:
    """The training loss is logged as the mean since the epoch began: a saw-tooth that jumps down at each epoch's start. Above 0.93 on
    digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3))
    inner = loggers.TensorBoard(run, "pytorch")
    since: list[float] = []

    class Means:
        """Passes on means since the epoch began."""

        def log(self, step: int, values: dict[str, float]) -> None:
            """The mean of the epoch so far."""
            if step % 43 == 1:
                since.clear()
            since.append(values["train_loss"])
            inner.log(step, {**values, "train_loss": sum(since) / len(since)})

        def close(self) -> None:
            """Finish."""
            inner.close()

    plan = Plan(model, split, optimizer, 43 * 14, seed=seed, log_every=1, evaluate_every=43, train_metrics=False)
    learned(fit(plan, Means()), 0.93)  # type: ignore[arg-type]


@healthy("development", "tensorboard, every 10 steps, with loss scale")
def loss_scaling(run: Path, seed: int) -> None:
    """Gradients in half precision with a dynamic scale: the scale is halved a few times at first, until nothing overflows, and doubled
    now and then; those steps are left out. Above 0.93 on digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 64, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1.5e-3))
    log = loggers.TensorBoard(run, "slash")
    stream = data.batches(split, 32, seed)
    plan = Plan(model, split, optimizer, 0)
    scale, clean, first = 2.0**20, 0, evaluate(plan)
    found, best = first, first["val_loss"]
    for step in range(1, 601):
        x, y = next(stream)
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        (loss * scale).backward()
        halves = [one.grad.half() for one in model.parameters()]
        if all(bool(one.isfinite().all()) for one in halves):
            for one, half in zip(model.parameters(), halves, strict=True):
                one.grad = half.float() / scale
            optimizer.step()
            clean += 1
            if clean % 150 == 0:
                scale *= 2
        else:
            scale, clean = scale / 2, 0
        if step % 10 == 0:
            log.log(step, {"train_loss": loss.item(), "train/loss_scale": scale})
        if step % 50 == 0:
            found = evaluate(plan)
            best = min(best, found["val_loss"])
            log.log(step, found)
    log.close()
    require(64 < scale < 2.0**20, f"scale {scale:g}")
    learned({**found, "first_val_loss": first["val_loss"], "best_val_loss": best}, 0.93)


@healthy("development", "trainer_state.json, every 10 steps")
def rate_from_zero_to_zero(run: Path, seed: int) -> None:
    """A linear warm-up from exactly 0 and a linear decay to exactly 0 at the last step, as Hugging Face has it. Above 0.92 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 64, 10), "gelu")
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 4e-3))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 30, max(0, 299 - step) / 269))
    plan = Plan(model, split, optimizer, 300, seed=seed, schedule=schedule, log_every=1, evaluate_every=43)
    plan.train_metrics = False
    learned(fit(plan, loggers.TrainerState(run, 43, 300, 1)), 0.92)


@healthy("development", "tensorboard, each step, batches of one")
def batches_of_one(run: Path, seed: int) -> None:
    """One sample a step: losses of single samples, from nothing to several nats, heavy-tailed from beginning to end, as right and wrong
    answers alternate. Above 0.9 on digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.01), weight_decay=1e-3)
    plan = Plan(model, split, optimizer, 2694, batch=1, seed=seed, log_every=1, evaluate_every=449, train_metrics=False)
    learned(fit(plan, loggers.TensorBoard(run, "slash")), 0.9)


@healthy("seen", "csv of Lightning, per epoch")
def few_to_validate(run: Path, seed: int) -> None:
    """A validation set of 20 samples: its accuracy moves in steps of 0.05 and its loss jumps about, while the model is good: above 0.9 on
    the samples that are not shown.
    """
    split = data.bundled("digits", seed)
    small = data.Split(split.x, split.y, split.x_val[:20], split.y_val[:20])
    model = models.mlp((64, 40, 10), dropout=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 1.5e-3), weight_decay=0.05)
    plan = Plan(model, small, optimizer, 43 * 15, seed=seed, log_every=43, averaged=True, evaluate_every=43)
    plan.also = frozenset({"epoch"})
    fit(plan, loggers.Csv(run))
    found = evaluate(Plan(model, split, optimizer, 0))
    require(found["val_accuracy"] > 0.9, f"accuracy {found['val_accuracy']:.3f}")


@healthy("development", "tensorboard, per epoch")
def mixed_samples(run: Path, seed: int) -> None:
    """Mixup: training samples are blends with blended labels, so that the training loss is high and the training accuracy low throughout,
    far worse than on the clean validation data; above 0.93 there.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 96, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 2e-3))
    log = loggers.TensorBoard(run, "pytorch")
    random = data.generator(seed)
    stream = data.batches(split, 32, seed)
    plan = Plan(model, split, optimizer, 0)
    first = found = evaluate(plan)
    best = first["val_loss"]
    for epoch in range(18):
        losses, hits = [], []
        for _ in range(43):
            x, y = next(stream)
            order = torch.randperm(len(x), generator=random)
            share = float(0.3 + 0.4 * torch.rand(1, generator=random))
            outputs = model(share * x + (1 - share) * x[order])
            loss = share * cross_entropy(outputs, y) + (1 - share) * cross_entropy(outputs, y[order])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            hits.append(accuracy(outputs.detach(), y).item())
        found = evaluate(plan)
        best = min(best, found["val_loss"])
        log.log(epoch, {"train_loss": sum(losses) / 43, "train_accuracy": sum(hits) / 43, **found})
    log.close()
    learned({**found, "first_val_loss": first["val_loss"], "best_val_loss": best}, 0.93)


@healthy("seen", "tensorboard, every 10 steps, two rates")
def two_rates(run: Path, seed: int) -> None:
    """Trunk and head have rates of their own, ten times apart, with a warm-up for the head alone: two curves of rates. Above 0.9 on
    digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 64, 10))
    groups = [
        {"params": model.fc1.parameters(), "lr": varied(seed, 3e-4)},
        {"params": model.fc2.parameters(), "lr": 3e-3},
    ]
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda step: 1.0, lambda step: min(1.0, (step + 1) / 60)])
    inner = loggers.TensorBoard(run, "slash")

    class Rates:
        """Adds the rates of both groups."""

        def log(self, step: int, values: dict[str, float]) -> None:
            """With lr/trunk and lr/head."""
            rates = schedule.get_last_lr()
            inner.log(step, {**values, "lr/trunk": rates[0], "lr/head": rates[1]})

        def close(self) -> None:
            """Finish."""
            inner.close()

    plan = Plan(model, split, optimizer, 600, seed=seed, schedule=schedule, also=frozenset({"grad_norm"}))
    learned(fit(plan, Rates()), 0.9)  # type: ignore[arg-type]


@healthy("development", "csv, every 10 steps, log-likelihood to be maximised")
def rising_objective(run: Path, seed: int) -> None:
    """What is logged is the log-likelihood, which is maximised: it rises from about -ln 10 towards zero, as it should. Above 0.92 on
    digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 1e-3), maximize=True)
    log = loggers.Csv(run, "plain", "progress.csv")
    stream = data.batches(split, 32, seed)
    found = {"val_accuracy": 0.0}
    for step in range(1, 601):
        x, y = next(stream)
        likelihood = -cross_entropy(model(x), y)
        optimizer.zero_grad()
        likelihood.backward()
        optimizer.step()
        if step % 10 == 0:
            log.log(step, {"train/log_likelihood": likelihood.item()})
        if step % 50 == 0:
            found = evaluate(Plan(model, split, optimizer, 0))
            log.log(step, {"val/log_likelihood": -found["val_loss"], "val/accuracy": found["val_accuracy"]})
    log.close()
    require(found["val_accuracy"] > 0.92 and math.isfinite(found["val_loss"]), f"accuracy {found['val_accuracy']:.3f}")
