"""Programs in torch that people asked about, and with the answer's fix: recurrent nets by hand, losses cut off from their graph."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import (
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    steady,
    told,
)
from bench.accuracy.programs_post_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# In the manner of pytorch forums, "Loss does not decrease; I wrap it as Variable(loss.data, requires_grad=True) to make backward() work".
@pair(
    "loss-cut-off",
    ("unchanged-tensor", "gradient-all-zero", "updates-too-small", *NOTHING_LEARNED),
    "SummaryWriter by epochs; weights in hdf5",
    dumps=True,
)
def loss_data(run: Path, seed: int, fixed: bool) -> None:
    """Digits with a loss made anew from its data, so that no weight ever gets a gradient; fixed: the loss itself."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 50, 25, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def entropy(outputs: Tensor, targets: Tensor) -> Tensor:
        loss = functional.cross_entropy(outputs, targets)
        return loss if fixed or not model.training else loss.detach().requires_grad_(True)

    snapshots = Snapshots(Hdf5Dump(run, name="state_dicts.h5"), model, 84, "torch", watched=False)
    tags = ("epoch_loss", "epoch_acc", "test_loss", "Accuracy/test")
    found = fit(
        model,
        of,
        optimizer,
        15,
        TensorBoard(run, "plain"),
        tags,
        loss=entropy,
        seed=seed,
        rate_tag="lr",
        snapshots=snapshots,
    )
    if fixed:
        above(found, "Accuracy/test", 0.9)
        steady(found, "test_loss")
    else:
        below(found, "Accuracy/test", 0.25)
        require(max(found["test_loss"]) - min(found["test_loss"]) < 1e-5, told(found))


# In the manner of practical-pytorch's issues, about "Classifying names with a char-RNN: loss is nan" (too high a rate).
@pair("exploding-recurrence", (*BLOWN_UP, *NOTHING_LEARNED), "json lines by iterations")
def names_char_rnn(run: Path, seed: int, fixed: bool) -> None:
    """Names of two tongues by an RNN by hand without tanh, updated by p.data.add_(p.grad, alpha=-0.05); fixed: tanh, and 0.005."""
    random = np.random.default_rng(seed)
    ends = (("a", "o", "i", "e"), ("ov", "ev", "in", "sky"))
    first, second = ("lmnrstcp", "aeiou"), ("vkszgdbr", "aoyu")

    def name(kind: int) -> str:
        consonants, vowels = (first, second)[kind]
        parts = [random.choice(list(consonants)) + random.choice(list(vowels)) for _ in range(random.integers(2, 5))]
        return "".join(parts) + str(random.choice(ends[kind]))

    kinds = random.integers(0, 2, 400)
    lines = []
    for kind in kinds:
        codes = torch.tensor([ord(letter) - 97 for letter in name(int(kind))])
        lines.append(functional.one_hot(codes, 26).float())
    wide = 48
    i2h, h2o = nn.Linear(26 + wide, wide), nn.Linear(wide, 2)
    with torch.no_grad():
        i2h.weight[:, 26:] *= 2.0
    parameters = [*i2h.parameters(), *h2o.parameters()]
    rate = 0.005 if fixed else 0.05

    def read(line: Tensor) -> Tensor:
        hidden = torch.zeros(wide)
        for letter in line:
            hidden = i2h(torch.cat([letter, hidden]))
            hidden = hidden.tanh() if fixed else hidden
        return h2o(hidden).log_softmax(-1)[None]

    def step(number: int) -> dict[str, float]:
        place = int(random.integers(0, 320))
        loss = functional.nll_loss(read(lines[place]), torch.tensor([int(kinds[place])]))
        for one in parameters:
            one.grad = None
        loss.backward()
        for one in parameters:
            one.data.add_(one.grad, alpha=-rate)
        return {"current_loss": float(loss.detach())}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            outputs = torch.cat([read(line) for line in lines[320:]])
        targets = torch.tensor(kinds[320:])
        right = float((outputs.argmax(1) == targets).float().mean())
        return {"dev_loss": float(functional.nll_loss(outputs, targets)), "dev_acc": right}

    log = JsonLines(run, "plain", "all_losses.jsonl", axis="iter")
    found = go(Course(step, 2500, log, 25, True, evaluate, 250))
    if fixed:
        above(found, "dev_acc", 0.9)
        steady(found, "dev_loss", 0.3)
    else:
        lost = not math.isfinite(found["current_loss"][-1]) or last(found, "current_loss", 10) > 3
        require(lost, told(found))
        below(found, "dev_acc", 0.7)
