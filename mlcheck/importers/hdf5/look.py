"""A look into a file: its layout, or in one line why there is none."""

from pathlib import Path

from mlcheck.importers.hdf5.data import Reader
from mlcheck.importers.hdf5.failures import DAMAGE, why_not_open
from mlcheck.importers.hdf5.heaps import Heaps
from mlcheck.importers.hdf5.kinds import signature_at, why_no_hdf5
from mlcheck.importers.hdf5.layout import lay_out
from mlcheck.importers.hdf5.source import Layout, Source
from mlcheck.importers.hdf5.walk import MOST_OBJECTS, walk
from mlcheck.records import dataclass
from mlcheck.store.parameters import split_parameter
from mlcheck.store.roles import assign

PEEK_OBJECTS = 1000
"""Objects of a file that are looked at to find out whether it is a run's."""
PEEK_MEMBERS = 100
"""Members of one group that are looked at for that: of many steps the first ones."""
PEEK_BYTES = 1 << 24
"""Larger files are not searched for heaps only to find that out."""

_TRAINING = frozenset(
    {
        "gradient",
        "weight",
        "activation",
        "optimizer_state",
        "loss",
        "loss_component",
        "metric",
        "error_metric",
        "lr",
        "grad_norm",
    }
)
"""Roles that show that numbered groups are steps of a training, not samples of a data set."""
_COMPARED = frozenset({"predictions", "labels", "targets"})
_SHOWN = 200
"""Sources of which the role is asked for."""


@dataclass(frozen=True)
class Look:
    """What came of opening a file."""

    layout: Layout | None
    reason: str | None
    """Why there is no layout."""
    bytes: int


def look(path: Path, head: bytes | None = None, *, peek: bool = False) -> Look:
    """Open a file and find out what it holds, without its values. Never raises for what is in it; `peek`: a bounded part of it.

    Raises OSError when the file cannot be opened.
    """
    if head is None:
        with path.open("rb") as file:
            head = file.read(64)
    size = path.stat().st_size
    if signature_at(path, head) is None:
        return Look(None, why_no_hdf5(head, size), size)
    with Reader(path) as reader:
        try:
            heaps = Heaps(reader.descriptor, reader.size, PEEK_BYTES if peek else None)
            most, widest = (PEEK_OBJECTS, PEEK_MEMBERS) if peek else (MOST_OBJECTS, MOST_OBJECTS)
            tree = walk(reader.file, heaps, reader.size, most, widest)
        except DAMAGE as error:
            return Look(None, why_not_open(error), size)
        if not peek and heaps.were_asked and not heaps.are_sound():
            tree.notes.append(("/", "attributes of variable length are not read: a global heap is damaged"))
        return Look(lay_out(tree, reader.values), None, size)


def is_of_training(layout: Layout) -> bool:
    """Whether a layout shows by itself that it is a run's: steps, a history, collections of tensors with names of parameters.

    A data set has numbered groups, inputs, labels and parameters (of a simulation) as well; those alone show nothing.
    """
    if layout.has_steps:
        return True
    if layout.has_numbers and any(_is_of_training(one) for one in layout.sources[:_SHOWN]):
        return True
    if layout.is_keras:
        return False
    collections = layout.collections
    if {"gradients", "activations"} & collections or {"predictions"} < collections & _COMPARED:
        return True
    return bool({"weights", "biases", "optimizer"} & collections) and any(
        one.hints.collection == "weights"
        and split_parameter(one.tag).param == "weight"
        and any(len(piece.shape) >= 2 for piece in one.pieces)
        for one in layout.sources[:_SHOWN]
    )


def _is_of_training(source: Source) -> bool:
    found = assign(source.tag, "", "scalar" if source.is_scalar else "tensor", source.hints)
    return found.role in _TRAINING and found.labels.get("certainty") != "guess"


def holds_weights(layout: Layout) -> bool:
    """Whether parameters of a model are in it."""
    return layout.is_keras or any(
        not one.is_scalar and assign(one.tag, "", "tensor", one.hints).role == "weight"
        for one in layout.sources[:_SHOWN]
    )
