"""Words in the paths of a dump: those that name a collection, a step, a split, a worker."""

import re
from functools import lru_cache
from typing import NamedTuple

COLLECTIONS = {
    "weight": "weights",
    "weights": "weights",
    "parameter": "weights",
    "parameters": "weights",
    "param": "weights",
    "params": "weights",
    "kernels": "weights",
    "bias": "biases",
    "biases": "biases",
    "gradient": "gradients",
    "gradients": "gradients",
    "grad": "gradients",
    "grads": "gradients",
    "activation": "activations",
    "activations": "activations",
    "act": "activations",
    "acts": "activations",
    "output": "outputs",
    "outputs": "outputs",
    "input": "inputs",
    "inputs": "inputs",
    "label": "labels",
    "labels": "labels",
    "target": "targets",
    "targets": "targets",
    "prediction": "predictions",
    "predictions": "predictions",
    "pred": "predictions",
    "preds": "predictions",
    "loss": "losses",
    "losses": "losses",
    "metric": "metrics",
    "metrics": "metrics",
    "scalar": "metrics",
    "scalars": "metrics",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "optimizer": "optimizer",
    "optimizers": "optimizer",
    "optimizer_state": "optimizer",
    "optim": "optimizer",
}
"""A component of a path to the plural that hints carry."""

WRAPPERS = {
    "model_weights": "weights",
    "state_dict": "weights",
    "model_state_dict": "weights",
    "optimizer_weights": "optimizer",
    "optimizer_state_dict": "optimizer",
}
"""Groups of checkpoints: tags get the collection's plain name instead, so that layers of several collections are called the same."""

PARAMETER_WORDS = frozenset({"weight", "bias", "weights", "biases", "embedding", "embeddings"})
"""Words that name a parameter where they stand last: `/fc1/weight` is no collection of its own."""

SCALAR_COLLECTIONS = frozenset({"losses", "metrics"})
"""Their tensors of one element are scalars."""

DECISIVE = frozenset(
    {"weights", "biases", "gradients", "activations", "outputs", "predictions", "losses", "metrics", "optimizer"}
)
"""Collections that a data set has no groups of. (Inputs, labels and targets, features and embeddings are what it consists of.)"""

MODES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
    "evaluation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "predict": "test",
}
"""A split, as a component of a path or an attribute has it."""

HISTORY_STEPS = {
    "step": "step",
    "steps": "step",
    "global_step": "step",
    "global_steps": "step",
    "iteration": "step",
    "iterations": "step",
    "iter": "step",
    "iters": "step",
    "epoch": "epoch",
    "epochs": "epoch",
}
"""Names of a data set, a dimension scale or an attribute that counts steps, with what it counts."""

HISTORY_VALUES = frozenset({"values", "value", "data", "tensor", "tensors", "array"})
"""Names of the data set beside `steps` that has no name of its own."""

HISTORY_TIMES = frozenset({"wall_time", "wall_times", "timestamp", "timestamps"})

STEP_CONTAINERS = {
    **dict.fromkeys(
        ("step", "steps", "global_step", "global_steps", "iter", "iters", "iteration", "iterations"), "step"
    ),
    **dict.fromkeys(("epoch", "epochs"), "epoch"),
}
"""Groups that hold one group for each step, under its bare number, and what those numbers count."""

INDEX_PARENTS = frozenset(
    {
        "vars",
        "layers",
        "layer",
        "blocks",
        "block",
        "stages",
        "stage",
        "experts",
        "heads",
        "modules",
        "samples",
        "examples",
        "episodes",
        "trials",
        "runs",
        "seeds",
        "folds",
        "params_list",
    }
)
"""Groups whose numbered children are a list, not steps."""

_STEP = re.compile(
    r"(?P<word>(?:global|train(?:ing)?|opt(?:im)?|update)?[ _-]?steps?|iter(?:ation)?s?|batch|epochs?|ckpt|checkpoint)"
    r"[ _=-]*(?P<number>\d{1,18})",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+]?\d{1,18}")
_WORKER = re.compile(r"(?:rank|worker|proc|process|gpu|device)[ _:=-]?(\d+)", re.IGNORECASE)
_PREFIX = re.compile(r"(gradients?|grads?|activations?)[_.:](?=.)", re.IGNORECASE)
_SUFFIX = re.compile(r".[._:](gradients?|grads?|activations?|outputs?)(?:_\d+)?$", re.IGNORECASE)


class StepWord(NamedTuple):
    """A component that names a step."""

    number: int
    axis: str
    """step or epoch."""
    rank: int
    """How surely: 3 a step, 2 an epoch, 1 a bare number."""


@lru_cache(maxsize=1 << 16)
def step_word(name: str) -> StepWord | None:
    """The step that a component names (`step_000100`, `epoch=3`, `100`); None for any other."""
    if _NUMBER.fullmatch(name):
        return StepWord(int(name), "step", 1)
    found = _STEP.fullmatch(name)
    if found is None:
        return None
    is_epoch = found["word"].lower().startswith("epoch")
    return StepWord(int(found["number"]), "epoch" if is_epoch else "step", 2 if is_epoch else 3)


def worker_word(name: str) -> str | None:
    """The worker that a component names (`rank_3`), or None."""
    found = _WORKER.fullmatch(name)
    return found[1] if found else None


def collection_word(name: str) -> str | None:
    """The collection that a whole component names, as hints carry it, or None."""
    lower = name.lower()
    return WRAPPERS.get(lower) or COLLECTIONS.get(lower)


def affix_collection(name: str) -> str | None:
    """The collection that a name says before or after its own words: `grad_fc1`, `fc1.weight.grad`; None for none."""
    found = _SUFFIX.search(name) or _PREFIX.match(name)
    return COLLECTIONS[found[1].lower()] if found else None
