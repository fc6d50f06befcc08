"""Planted numeric faults: NaN out of logarithms, overflow and single layers, NaN that is hidden, a loss scale that collapses."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.accuracy import data, models
from bench.accuracy.faults_common import DEVELOPMENT, SEEN, digits, mse, not_finite, planted, varied
from bench.accuracy.harness import require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, Log, ParquetDump, TensorBoard, TrainerState
from bench.accuracy.loop import Plan, cross_entropy, fit


def _handmade_bce(outputs: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy as textbooks have it: 0 · log 0 is NaN as soon as one probability is exactly 1."""
    p = torch.sigmoid(outputs[:, 1] - outputs[:, 0])
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def nan_log_zero_cancer(run: Path, seed: int) -> None:
    """A handmade cross-entropy trains well until a probability rounds to 1."""
    torch.manual_seed(seed)
    model = models.mlp((30, 64, 64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.01))
    plan = Plan(model, data.bundled("breast_cancer", seed), optimizer, 800, loss=_handmade_bce, seed=seed, log_every=5)
    not_finite(fit(plan, TensorBoard(run, "pytorch")))


def _with_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy with an entropy bonus over probabilities in half precision, which round to 0."""
    p = outputs.softmax(-1).half().float()
    return cross_entropy(outputs, targets) + 0.01 * (p * p.log()).sum(-1).mean()


def nan_log_zero_entropy(run: Path, seed: int) -> None:
    """The entropy of probabilities in half precision is NaN as soon as one of them rounds to 0."""
    torch.manual_seed(seed)
    model = models.cnn()
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 3e-3))
    plan = Plan(model, data.bundled("digits", seed).as_images(), optimizer, 500, loss=_with_entropy, seed=seed)
    plan.dump_every = 20
    not_finite(fit(plan, TensorBoard(run, "slash"), Hdf5Dump(run)))


def _half_softmax(outputs: Tensor, targets: Tensor) -> Tensor:
    """Softmax by hand in half precision, without taking the largest logit off: exp(11.1) is infinite."""
    raised = outputs.half().float().exp()
    raised = torch.where(raised > 65504.0, torch.inf, raised)
    return -(raised / raised.sum(-1, keepdim=True)).gather(1, targets[:, None]).clamp(min=1e-7).log().mean()


def nan_overflow_digits(run: Path, seed: int) -> None:
    """Logits grow with training until exp() of one overflows half precision: infinity over infinity."""
    torch.manual_seed(seed)
    model = models.mlp((64, 64, 64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 3e-3))
    plan = digits(model, optimizer, seed, 600)
    plan.loss, plan.log_every = _half_softmax, 5
    not_finite(fit(plan, TensorBoard(run, "lower"), Hdf5Dump(run)))


class _Squares(nn.Module):
    """Dense layers, the last of whose features are squared in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.body = models.mlp((8, 32, 32), "gelu")
        self.head = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        squares = (200 * self.body(x)).half() ** 2
        return self.head(squares.float() / 40000)


def nan_overflow_squares(run: Path, seed: int) -> None:
    """Squares in half precision overflow where a feature passes 1.28, which takes some training."""
    torch.manual_seed(seed)
    model = _Squares()
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 3e-3))
    plan = Plan(model, data.regression(seed), optimizer, 700, loss=mse, metrics={}, seed=seed, log_every=5)
    not_finite(fit(plan, TrainerState(run, 19, 700)))


def _struck(layer: nn.Module, at: int, strike: Callable[[nn.Module], None]) -> None:
    """At one training step, before the layer is used, do something to it."""
    step = 0

    def hook(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        nonlocal step
        step += module.training
        if step == at and module.training:
            with torch.no_grad():
                strike(module)

    layer.register_forward_pre_hook(hook)


def _one_nan(module: nn.Module) -> None:
    module.weight[0, 0] = torch.nan


def nan_one_layer_mlp(run: Path, seed: int) -> None:
    """One weight of fc2 becomes NaN at step 301 (a flipped bit): from there all is NaN."""
    torch.manual_seed(seed)
    model = models.mlp((64, 32, 32, 32, 10), "tanh")
    _struck(model.fc2, 301, _one_nan)
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 1e-3))
    not_finite(fit(digits(model, optimizer, seed, 600), TensorBoard(run, "slash"), Hdf5Dump(run)))


def nan_one_layer_cnn(run: Path, seed: int) -> None:
    """A handmade gradient of conv2 divides by zero at step 200: its weights are NaN from the next step on."""
    torch.manual_seed(seed)
    model = models.cnn(channels=(8, 8, 8))
    seen = 0

    def divided(gradient: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        return gradient / 0.0 * 0.0 if seen == 200 else gradient

    model.conv2.weight.register_hook(divided)
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.02), momentum=0.9)
    plan = Plan(model, data.bundled("digits", seed).as_images(), optimizer, 400, seed=seed, dump_every=13)
    not_finite(fit(plan, Csv(run, "lightning"), ParquetDump(run)))


def _hidden(outputs: Tensor, targets: Tensor) -> Tensor:
    """The handmade loss, with NaN turned into 0 so that `training goes on`."""
    return torch.nan_to_num(_handmade_bce(outputs, targets), nan=0.0)


def hidden_nan_cancer(run: Path, seed: int) -> None:
    """nan_to_num() over a loss that is NaN: its gradients are NaN, the weights too, and the log says 0."""
    torch.manual_seed(seed)
    model = models.mlp((30, 64, 64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=varied(seed, 0.01))
    plan = Plan(model, data.bundled("breast_cancer", seed), optimizer, 800, loss=_hidden, seed=seed, log_every=5)
    found = fit(plan, TensorBoard(run, "huggingface"))
    broken = any(bool(one.isnan().any()) for one in model.parameters())
    require(broken and found["train_loss"] == 0, f"no NaN came, or it shows: {found}")


def _scaled(plan: Plan, log: Log, trouble: Callable[[nn.Module, int], Tensor]) -> float:
    """Training with torch's GradScaler and a term beside the loss; logs `loss_scale`, and returns the last one."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14, growth_interval=40)
    stream = data.batches(plan.data, plan.batch, plan.seed)
    for step in range(1, plan.steps + 1):
        x, y = next(stream)
        plan.optimizer.zero_grad()
        loss = plan.loss(plan.model(x), y)
        scaler.scale(loss + trouble(plan.model, step)).backward()
        scaler.step(plan.optimizer)
        scaler.update()
        if step % plan.log_every == 0:
            rate = plan.optimizer.param_groups[0]["lr"]
            log.log(step, {"train_loss": float(loss.detach()), "lr": rate, "loss_scale": scaler.get_scale()})
    log.close()
    return float(scaler.get_scale())


def _penalty(start: int) -> Callable[[nn.Module, int], Tensor]:
    """A norm of what is exactly zero from a step on: 0 itself, with a gradient that is not a number."""

    def penalty(model: nn.Module, step: int) -> Tensor:
        first = next(model.parameters())
        return torch.sqrt(((first - first.detach()) ** 2).sum()) if step >= start else first.sum() * 0

    return penalty


def scale_collapses_digits(run: Path, seed: int) -> None:
    """From step 250 on a penalty has no finite gradient: every step is skipped, and the scale halves to nothing. The loss stands still."""
    torch.manual_seed(seed)
    model = models.mlp((64, 48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=varied(seed, 0.01))
    plan = Plan(model, data.bundled("digits", seed), optimizer, 700, seed=seed, log_every=5)
    scale = _scaled(plan, TensorBoard(run, "slash"), _penalty(250))
    require(scale < 1, f"the scale is {scale} at the end")


def scale_collapses_characters(run: Path, seed: int) -> None:
    """The same in a recurrent model of characters, from step 150 of 400 on."""
    torch.manual_seed(seed)
    of, vocabulary = data.characters(seed, sentences=500)
    model = models.Recurrent("gru", 16, 32, vocabulary, vocabulary=vocabulary, every_step=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=varied(seed, 3e-3))
    scale = _scaled(Plan(model, of, optimizer, 400, seed=seed, log_every=2), JsonLines(run, "bare"), _penalty(150))
    require(scale < 1, f"the scale is {scale} at the end")


_NAN = ("non-finite",)
_OVERFLOW = ("non-finite", "exploding-tensor")
_MASKED = ("masked-non-finite", "non-finite")
_SCALE = ("loss-scale-collapse",)

RECIPES = (
    planted("nan-log-zero-cancer", "nan-from-log-zero", DEVELOPMENT, nan_log_zero_cancer, _NAN, "tensorboard"),
    planted(
        "nan-log-zero-entropy",
        "nan-from-log-zero",
        SEEN,
        nan_log_zero_entropy,
        _NAN,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted(
        "nan-overflow-digits",
        "nan-from-overflow",
        DEVELOPMENT,
        nan_overflow_digits,
        _OVERFLOW,
        "tensorboard, hdf5",
        dumps=True,
    ),
    planted("nan-overflow-squares", "nan-from-overflow", SEEN, nan_overflow_squares, _OVERFLOW, "trainer_state.json"),
    planted(
        "nan-one-layer-mlp",
        "nan-in-one-layer",
        DEVELOPMENT,
        nan_one_layer_mlp,
        _NAN,
        "tensorboard, hdf5",
        dumps=True,
        since=301,
        layer="fc2",
    ),
    planted(
        "nan-one-layer-cnn",
        "nan-in-one-layer",
        SEEN,
        nan_one_layer_cnn,
        _NAN,
        "csv, parquet",
        dumps=True,
        since=200,
        layer="conv2",
    ),
    planted("hidden-nan-cancer", "hidden-nan", DEVELOPMENT, hidden_nan_cancer, _MASKED, "tensorboard"),
    planted(
        "scale-collapses-digits",
        "loss-scale-collapse",
        DEVELOPMENT,
        scale_collapses_digits,
        _SCALE,
        "tensorboard",
        since=250,
    ),
    planted(
        "scale-collapses-characters",
        "loss-scale-collapse",
        SEEN,
        scale_collapses_characters,
        _SCALE,
        "jsonl",
        since=150,
    ),
)
