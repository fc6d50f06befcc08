"""Healthy fine-tuning: frozen parts, adapters that start at zero, models that start good."""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import into, learned, varied
from bench.accuracy.loop import Plan, evaluate, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


def _halves(seed: int) -> tuple[data.Split, data.Split]:
    """Digits 0 to 4, to train first on; and 5 to 9 as classes 0 to 4, to fine-tune on."""
    of = data.bundled("digits", seed)

    def part(low: int) -> data.Split:
        chosen = (of.y >= low) & (of.y < low + 5)
        chosen_val = (of.y_val >= low) & (of.y_val < low + 5)
        return data.Split(of.x[chosen], of.y[chosen] - low, of.x_val[chosen_val], of.y_val[chosen_val] - low)

    return part(0), part(5)


def _trained(split: data.Split, model: nn.Module, steps: int, seed: int) -> None:
    """Train a model to start from; nothing is logged."""
    fit(Plan(model, split, torch.optim.Adam(model.parameters(), 2e-3), steps, seed=seed), loggers.Both())


@healthy("development", "tensorboard; hdf5 by step", dumps=True)
def frozen_trunk(run: Path, seed: int) -> None:
    """The trunk was trained on other digits and is frozen on purpose, and settings say so; only the new head learns: above 0.7 (chance
    0.2).
    """
    first, second = _halves(seed)
    model = models.mlp((64, 160, 96, 5))
    _trained(first, model, 150, seed)
    nn.init.zeros_(model.fc3.bias)
    nn.init.normal_(model.fc3.weight, std=0.05)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith("fc3")
    (run / "config.json").write_text('{"freeze_backbone": true, "learning_rate": 0.003, "batch_size": 32}')
    optimizer = torch.optim.Adam(model.fc3.parameters(), varied(seed, 3e-3))
    plan = Plan(model, second, optimizer, 500, seed=seed, dump_every=25)
    learned(fit(plan, loggers.TensorBoard(run, "slash"), loggers.Hdf5Dump(run)), 0.7)


class Adapter(nn.Module):
    """A frozen dense layer and a low-rank change to it, `b @ a`, with b at zero: in the beginning it changes nothing."""

    def __init__(self, layer: nn.Linear, rank: int = 4) -> None:
        super().__init__()
        self.base = layer
        for parameter in layer.parameters():
            parameter.requires_grad = False
        self.lora_a = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.lora_b = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.lora_a.T @ self.lora_b.T * 2


@healthy("seen", "tensorboard, names of Hugging Face; hdf5 by name", dumps=True)
def low_rank_adapters(run: Path, seed: int) -> None:
    """Low-rank adapters on a frozen model: the second factors start at zero, so that the first have no gradient in the first step; the
    base never changes. Above 0.85 (chance 0.2).
    """
    first, second = _halves(seed)
    model = models.mlp((64, 64, 64, 5))
    _trained(first, model, 300, seed)
    model.fc1, model.fc2, model.fc3 = (Adapter(layer) for layer in (model.fc1, model.fc2, model.fc3))
    (run / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4, "lora_alpha": 8}')
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, varied(seed, 6e-3))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 501)
    plan = Plan(model, second, optimizer, 500, seed=seed, schedule=schedule, dump_every=50)
    learned(fit(plan, loggers.TensorBoard(run, "huggingface"), loggers.Hdf5Dump(run, by_name=True)), 0.85)


@healthy("development", "trainer_state.json, every 5 steps")
def gentle_fine_tuning(run: Path, seed: int) -> None:
    """A model trained on three quarters of the digits goes on with the rest, at a low rate: it is good from the start (above 0.9) and
    gains a little; its curves are nearly flat.
    """
    split = data.bundled("digits", seed)
    cut = len(split.x) * 3 // 4
    model = models.mlp((64, 64, 10), dropout=0.2)
    _trained(data.Split(split.x[:cut], split.y[:cut], split.x_val, split.y_val), model, 250, seed)
    before = evaluate(Plan(model, split, torch.optim.SGD(model.parameters(), 0), 0))
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 2e-4))
    (run / "config.json").write_text('{"_name_or_path": "digits-mlp-base", "hidden_size": 64}')
    rest = data.Split(split.x[cut:], split.y[cut:], split.x_val, split.y_val)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 121)
    plan = Plan(model, rest, optimizer, 120, batch=16, seed=seed, schedule=schedule, log_every=5, evaluate_every=20)
    found = fit(plan, loggers.TrainerState(run, data.steps_per_epoch(rest, 16), 120, 5))
    require(found["val_accuracy"] > 0.9, f"validation accuracy {found['val_accuracy']:.3f}")
    require(found["val_loss"] <= before["val_loss"] + 0.02, f"from {before['val_loss']:.3f} to {found['val_loss']:.3f}")


@healthy("seen", "csv of Lightning, per epoch")
def gradual_unfreezing(run: Path, seed: int) -> None:
    """First the head alone, then everything at a lower rate: two stages in one log, the second starts where the first ended. Above 0.9."""
    first, second = _halves(seed)
    model = models.mlp((64, 64, 5))
    _trained(first, model, 300, seed)
    nn.init.normal_(model.fc2.weight, std=0.05)
    log = loggers.Csv(run)
    start = evaluate(Plan(model, second, torch.optim.SGD(model.parameters(), 0), 0))["val_loss"]
    found: dict[str, float] = {}
    for stage, (parameters, rate) in enumerate(((model.fc2.parameters(), 3e-3), (model.parameters(), 5e-4))):
        optimizer = torch.optim.Adam(parameters, varied(seed, rate))
        plan = Plan(model, second, optimizer, 168, seed=seed + stage, log_every=21, averaged=True, evaluate_every=21)
        plan.first_step, plan.also = 168 * stage, frozenset({"lr"})
        found = fit(plan, log if stage else _Open(log))
    learned({**found, "first_val_loss": start}, 0.9)


class _Open:
    """A writer that the end of a stage does not close."""

    def __init__(self, log: loggers.Log) -> None:
        self.log = log.log

    def close(self) -> None:
        """Stay open."""


@healthy("seen", "tensorboard, every 10 steps; histograms", dumps=True)
def moving_average_teacher(run: Path, seed: int) -> None:
    """Student and averaged teacher: with 80 labels, the student also follows the teacher on unlabelled digits (a consistency loss that
    first rises from zero and then falls). The teacher reaches more than 0.8 (chance 0.1).
    """
    split = data.bundled("digits", seed)
    student = models.mlp((64, 64, 10))
    teacher = copy.deepcopy(student)
    optimizer = torch.optim.Adam(student.parameters(), varied(seed, 2e-3))
    log = loggers.TensorBoard(run, "plain")
    dump = loggers.HistogramDump(log)
    random = data.generator(seed)
    labelled = data.batches(data.Split(split.x[:80], split.y[:80], split.x_val, split.y_val), 20, seed)
    unlabelled = data.batches(split, 64, seed)
    reached = 0.0
    for step in range(1, 501):
        (x, y), (other, _) = next(labelled), next(unlabelled)
        noisy = x + 0.3 * torch.randn(x.shape, generator=random)
        supervised = nn.functional.cross_entropy(student(noisy), y)
        with torch.no_grad():
            aim = teacher(other).softmax(1)
        follow = nn.functional.mse_loss(
            student(other + 0.3 * torch.randn(other.shape, generator=random)).softmax(1), aim
        )
        loss = supervised + 5 * min(1.0, step / 100) * follow
        optimizer.zero_grad()
        loss.backward()
        if step % 50 == 1:
            dump.dump(step, loggers.tensors_of(student))
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
                slow.lerp_(fast, 0.05)
        if step % 10 == 0:
            told = {"train/loss": loss.item(), "train/supervised_loss": supervised.item()}
            log.log(step, {**told, "train/consistency_loss": follow.item()})
        if step % 50 == 0:
            reached = evaluate(Plan(teacher, split, optimizer, 0))["val_accuracy"]
            log.log(step, {"val/accuracy": reached})
    log.close()
    require(reached > 0.8, f"the teacher reached {reached:.3f}")
