"""Histories: one value an epoch, a data set for each metric (`for key in history: file[key] = history[key]`)."""

from collections.abc import Sequence

from mlcheck.importers.hdf5.naming import name_of
from mlcheck.importers.hdf5.tree import Leaf, Place
from mlcheck.store.roles import assign

_QUANTITIES = frozenset({"loss", "loss_component", "metric", "error_metric", "lr", "grad_norm", "log_likelihood"})


def histories(leaves: Sequence[Leaf]) -> frozenset[Place]:
    """The data sets, of those without a step, whose axis 0 counts epochs.

    A group is a history when all numbers in it are 1-D and of one length, a loss or an accuracy is among them, and at least half are
    named like quantities of a training. A column of a data set is none: it has other columns beside it.
    """
    groups: dict[Place, list[Leaf]] = {}
    for leaf in leaves:
        groups.setdefault(leaf.path[:-1], []).append(leaf)
    found: set[Place] = set()
    for members in groups.values():
        if _is_history(members):
            found |= {leaf.path for leaf in members}
    return frozenset(found)


def _is_history(members: Sequence[Leaf]) -> bool:
    if len({leaf.shape for leaf in members}) != 1 or len(members[0].shape) != 1 or not members[0].shape[0]:
        return False
    if len(members) > 10_000:
        return False
    known = [_quantity(leaf) for leaf in members]
    named = sum(one is not None for one in known)
    return 2 * named >= len(members) and any(one in ("loss", "accuracy") for one in known)


def _quantity(leaf: Leaf) -> str | None:
    if leaf.dtype is None or leaf.dtype.kind not in "fiu" or leaf.is_bfloat16:
        return None
    tag = name_of(leaf.path, ()).tag
    found = assign(tag)
    if found.role not in _QUANTITIES or found.labels.get("certainty") == "guess":
        return None
    return "accuracy" if "acc" in leaf.path[-1].lower() else found.role
