"""What is said of a file: one line that names each object once, with its reason."""

from collections.abc import Sequence

from mlcheck.importers.hdf5.failures import printable

NAMED = 3
"""Objects that are named for one reason."""
REASONS = 12
"""Reasons that are given for one file."""


def in_words(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """(object, reason) pairs as text, objects with one reason together: `/a, /b and 5 more: non-numeric: text`."""
    objects: dict[str, list[str]] = {}
    for name, reason in pairs:
        objects.setdefault(reason, []).append(name)
    told = [f"{_list(names)}: {reason}" for reason, names in objects.items()]
    if len(told) > REASONS:
        rest = sum(len(names) for names in list(objects.values())[REASONS:])
        told = [*told[:REASONS], f"{rest:,} more objects are left out for other reasons"]
    return told


def _list(names: Sequence[str]) -> str:
    shown = [printable(name) for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED:,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
