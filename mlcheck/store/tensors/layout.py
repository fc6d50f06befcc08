"""Where the units of a tensor lie (design.md §3): neurons and channels, over which per-unit statistics are taken."""

import math
import re
from typing import NamedTuple

ACTIVATION_LIKE = frozenset({"activation", "input", "prediction", "embedding"})
"""Roles of tensors whose axis 0 counts samples."""
BATCHED = ACTIVATION_LIKE | {"label"}
"""Roles of tensors whose axis 0 may have another length at each step: the last batch is smaller."""

# Keras keeps kernels with the outputs last: (inputs, units), (height, width, inputs, units).
_KERNEL = re.compile(r"(?:^|[/._])\w*kernel(?:[_:]\d+)*(?:[/._](?:gradients?|grads?))?$", re.IGNORECASE)
# So are the matrices of networks by hand, of scikit-learn (coefs_0) and PaddlePaddle (linear_0.w_0), by which rows are multiplied;
# the filters of PaddlePaddle are not.
_MATRIX = re.compile(r"(?:^|[/._])(?:coefs?|d?w)_?\d+(?:[/._@](?:gradients?|grads?))?$", re.IGNORECASE)


class Layout(NamedTuple):
    """A tensor as (before, units, after): its shape with the axes before and behind that of the units taken together."""

    before: int
    units: int
    after: int
    rows: int
    """Length of axis 0 of tensors with two or more axes, else 0."""
    fan_in: int
    """Inputs of one unit of a weight."""
    samples: int
    """Entries of axis 0; 1 where the tensor is one sample."""


NO_LAYOUT = Layout(1, 1, 1, 0, 1, 1)
"""Stands for the layout where nothing depends on it."""


def layout(role: str, tag: str, shape: tuple[int, ...], data_format: str | None = None) -> Layout:
    """Units lie on axis 0 of weights and gradients, on the last of Keras kernels, on axis 1 of activations, inputs and predictions.

    With `channels_last` they lie on the last axis of activations. An activation with one axis is one sample: each entry is a unit.
    """
    last = data_format == "channels_last"
    named = _KERNEL.search(tag) or (len(shape) == 2 and _MATRIX.search(tag))
    kernel = role not in ACTIVATION_LIKE and (last or bool(named))
    samples = shape[0] if shape else 1
    if not shape:
        axis = 0
    elif role in ACTIVATION_LIKE:
        axis = len(shape) - 1 if last else min(1, len(shape) - 1)
        if len(shape) == 1 and role in ("activation", "input"):
            samples = 1
    else:
        axis = len(shape) - 1 if kernel else 0
    fan_in = math.prod(shape[:-1] if kernel else shape[1:])
    rows = shape[0] if len(shape) > 1 else 0
    units = shape[axis] if shape else 1
    return Layout(math.prod(shape[:axis]), units, math.prod(shape[axis + 1 :]), rows, fan_in, samples)
