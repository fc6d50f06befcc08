"""Files of one run to series: rows of one tag put together over the files of its part, in order of time."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mlcheck.records import dataclass, field, replace
from mlcheck.store.duplicates import COPYING
from mlcheck.store.roles import Assignment, RoleOverride, assign
from mlcheck.store.series import Floats, Imported, Ints, RawSeries, Series
from mlcheck.store.stretches import stretches

Part = tuple[str, Imported]


def in_order(parts: Sequence[Part]) -> list[Part]:
    """The files of a run in order of their first record; those without a wall time last, then by path (formats.md §1.13)."""

    def key(one: Part) -> tuple[bool, float, str]:
        time = one[1].first_wall_time
        return (math.isnan(time), 0.0 if math.isnan(time) else time, one[1].status.path)

    return sorted(parts, key=key)


@dataclass
class _Rows:
    """The pieces of one tag, one from each file that holds it."""

    part: str
    first: RawSeries
    steps: list[Ints] = field(default_factory=list)
    walls: list[Floats] = field(default_factory=list)
    columns: list[Mapping[str, Floats]] = field(default_factory=list)
    starts: list[Ints] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    length: int = 0
    approximate: bool = False

    def add(self, raw: RawSeries) -> None:
        if not len(raw.steps):
            return
        found = stretches(raw.steps)
        order = slice(None) if found.order is None else found.order
        self.steps.append(found.steps)
        self.walls.append(raw.wall_times[order])
        self.columns.append({name: column[order] for name, column in raw.columns.items()})
        self.starts.append(found.starts + self.length)
        self.length += len(found.steps)
        self.approximate |= raw.approximate
        if found.note:
            self.notes.append(found.note)


def assemble(parts: Sequence[Part], overrides: Sequence[RoleOverride] = ()) -> list[Series]:
    """All series of a run, in order of first appearance, with role and labels.

    One tag in one part is one series, its rows those of the part's files in order of time; a tag in two parts is two series, as is one
    that a table repeats (store/duplicates.py). A file
    that contributes rows begins a segment, as does a step that goes back (store/stretches.py). Names are made unique with `#2`.
    """
    rows: dict[tuple[str, str, str, str | None, str | None, str | None, tuple[tuple[str, str], ...]], _Rows] = {}
    for part, imported in in_order(parts):
        origin = imported.status.path if imported.status.format in COPYING else None
        for raw in imported.series:
            if origin is not None:
                raw = replace(raw, hints=replace(raw.hints, origin=origin))
            key = (part, raw.tag, raw.kind, raw.hints.worker, raw.hints.mode, origin, raw.hints.labels)
            rows.setdefault(key, _Rows(part, raw)).add(raw)
    taken: dict[str, int] = {}
    return [_series(one, taken, overrides) for one in rows.values()]


def _series(rows: _Rows, taken: dict[str, int], overrides: Sequence[RoleOverride]) -> Series:
    raw = rows.first
    found = _stated(raw) if raw.kind == "fact" else assign(raw.tag, rows.part, raw.kind, raw.hints, overrides)
    name = f"{rows.part}/{raw.tag}" if rows.part else raw.tag
    taken[name] = count = taken.get(name, 0) + 1
    return Series(
        name=name if count == 1 else f"{name}#{count}",
        tag=raw.tag,
        part=rows.part,
        kind=raw.kind,
        role=found.role,
        labels=found.labels,
        reason="; ".join([found.reason, *rows.notes]),
        steps=_joined_ints(rows.steps),
        wall_times=_joined_floats(rows.walls),
        columns=_columns(raw, rows.columns),
        segments=_joined_ints(rows.starts) if rows.length else np.zeros(1, dtype=np.int64),
        hints=raw.hints,
        approximate=rows.approximate,
    )


def _stated(raw: RawSeries) -> Assignment:
    """A fact that an importer derived says itself what it is."""
    labels = {**dict(raw.hints.labels), "certainty": "exact"}
    if raw.hints.mode in ("train", "val", "test"):
        labels["split"] = raw.hints.mode
    if raw.hints.worker is not None:
        labels["worker"] = raw.hints.worker
    return Assignment(raw.hints.collection or "other", labels, "derived from the tensors")


def _joined_ints(pieces: Sequence[Ints]) -> Ints:
    if len(pieces) == 1:
        return pieces[0]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


def _joined_floats(pieces: Sequence[Floats]) -> Floats:
    if len(pieces) == 1:
        return pieces[0]
    return np.concatenate(pieces) if pieces else np.empty(0)


def _columns(raw: RawSeries, pieces: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Columns over all files; where a file lacks one, NaN."""
    if not pieces:
        return {name: np.empty(0) for name in raw.columns}
    names: Iterable[str] = dict.fromkeys(name for piece in pieces for name in piece)
    sizes = [len(next(iter(piece.values()), ())) for piece in pieces]
    return {
        name: np.concatenate([p.get(name, np.full(size, np.nan)) for p, size in zip(pieces, sizes, strict=True)])
        if len(pieces) > 1
        else pieces[0][name]
        for name in names
    }
