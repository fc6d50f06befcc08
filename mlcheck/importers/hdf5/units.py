"""Which files of a run are one history: files that differ in a step in their names and hold the same tensors."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mlcheck.importers.hdf5.names import numbered_sets, step_of_name
from mlcheck.importers.hdf5.source import Layout, SourceKey
from mlcheck.importers.hdf5.words import COLLECTIONS, HISTORY_STEPS, WRAPPERS
from mlcheck.records import dataclass

ALIKE = 0.8
"""Share of the tensors of the smaller of two files that the other one holds as well, when they are steps of one history."""


@dataclass(frozen=True)
class Member:
    """A file in a unit."""

    path: Path
    layout: Layout
    step: int | None = None
    """The step of what names none inside the file; None where the file's name tells none either."""
    axis: str | None = None


@dataclass(frozen=True)
class Unit:
    """A file, or the files of one history in order of their steps."""

    members: tuple[Member, ...]

    @property
    def keys(self) -> frozenset[SourceKey]:
        """All tensors and scalars in it."""
        return frozenset(source.key for member in self.members for source in member.layout.sources)

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last step; None where none is known."""
        steps = [step for member in self.members for step in _span(member)]
        return (min(steps), max(steps)) if steps else None


def _span(member: Member) -> Iterable[int]:
    for source in member.layout.sources:
        if source.alike is not None:
            yield int(source.alike.steps.min())
            yield int(source.alike.steps.max())
        for piece in source.listed:
            if piece.steps is not None:
                if len(piece.steps):
                    yield int(piece.steps.min())
                    yield int(piece.steps.max())
            elif not piece.is_snapshot:
                yield piece.step
            elif member.step is not None:
                yield member.step


def units_of(layouts: Mapping[Path, Layout]) -> list[Unit]:
    """The units of files, in order of their first path. Files of one history stand in one directory."""
    taken: dict[Path, Unit] = {}
    directories: dict[Path, list[Path]] = {}
    for path, layout in layouts.items():
        if layout.is_snapshot:
            directories.setdefault(path.parent, []).append(path)
    for paths in directories.values():
        by_name = {path.name: path for path in paths}
        for steps in numbered_sets(sorted(by_name)):
            members = [
                Member(by_name[name], layouts[by_name[name]], found.step, found.axis) for name, found in steps.items()
            ]
            history = _history(members)
            taken |= {member.path: history for member in history.members}
    _by_attribute(layouts, taken)
    units: dict[int, Unit] = {}
    for path, layout in layouts.items():
        unit = taken.get(path)
        if unit is None:
            found = step_of_name(path.name) if layout.snapshots else None
            unit = Unit((Member(path, layout, found.step if found else None, found.axis if found else None),))
        units.setdefault(id(unit), unit)
    return list(units.values())


def _history(members: Sequence[Member]) -> Unit:
    """Those members that hold the same tensors as the largest of them, by step."""
    largest = max(members, key=lambda member: len(member.layout.sources))
    own = {source.key for source in largest.layout.sources}
    alike = [member for member in members if _share({source.key for source in member.layout.sources}, own) >= ALIKE]
    return Unit(tuple(sorted(alike, key=lambda member: (member.step or 0, member.path.name))))


def _share(one: set[SourceKey], other: set[SourceKey]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))


def _by_attribute(layouts: Mapping[Path, Layout], taken: dict[Path, Unit]) -> None:
    """Files of one step each, which they state themselves, and the same tensors are a history too, whatever their names."""
    alike: dict[tuple[Path, frozenset[SourceKey]], list[Member]] = {}
    for path, layout in layouts.items():
        steps = {piece.step if piece.steps is None else None for one in layout.sources for piece in one.listed}
        steps |= {None for one in layout.sources if one.alike is not None}
        if path not in taken and len(steps) == 1 and None not in steps and layout.has_steps:
            keys = frozenset(source.key for source in layout.sources)
            alike.setdefault((path.parent, keys), []).append(Member(path, layout, steps.pop()))
    for members in alike.values():
        if len(members) > 1 and len({member.step for member in members}) > 1:
            unit = Unit(tuple(sorted(members, key=lambda member: (member.step or 0, member.path.name))))
            taken |= {member.path: unit for member in members}


def runs_of(units: Sequence[Unit]) -> dict[str, list[Unit]]:
    """The runs that the units of one run directory are of, by a name for each; one entry for a single run.

    Two units of one directory that hold the same tensors at the same steps are of two runs; those that complete one another are of
    one, and one that goes on where another ends is too.
    """
    if not any(_conflict(one, other) for at, one in enumerate(units) for other in units[at + 1 :]):
        return {"": list(units)}
    groups: dict[str, list[Unit]] = {}
    for unit in units:
        groups.setdefault(_run_name(unit), []).append(unit)
    runs: dict[str, list[Unit]] = {}
    for name, members in groups.items():
        is_one = not any(_conflict(one, other) for at, one in enumerate(members) for other in members[at + 1 :])
        for unit in members:
            key = name if is_one and name else _stem(unit.members[0].path)
            while not is_one and key in runs:
                key += "'"
            runs.setdefault(key, []).append(unit)
    return runs


def _conflict(one: Unit, other: Unit) -> bool:
    if one.members[0].path.parent != other.members[0].path.parent:
        return False
    shared = one.keys & other.keys
    if 2 * len(shared) < min(len(one.keys), len(other.keys)) or not shared:
        return False
    spans = one.span, other.span
    if spans[0] is None or spans[1] is None:
        return False
    return max(spans[0][0], spans[1][0]) <= min(spans[0][1], spans[1][1])


_EDGES = re.compile(r"[ _.=-]+")
_KINDS = (
    frozenset(COLLECTIONS) | frozenset(WRAPPERS) | frozenset(HISTORY_STEPS) | {"history", "tensors", "dump", "ckpt"}
)


def _run_name(unit: Unit) -> str:
    """A file name without the words for what is in the file: `seed0_gradients` and `seed0_weights` are both `seed0`."""
    words = [word for word in _EDGES.split(_stem(unit.members[0].path)) if word]
    return "_".join(word for word in words if word.lower() not in _KINDS)


def _stem(path: Path) -> str:
    return path.name[: -len(path.suffix)] if path.suffix else path.name
