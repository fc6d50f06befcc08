"""Files of one run to series: those that complete one another together, a history file by file in order of its steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlcheck.importers.found import FoundFile
from mlcheck.importers.hdf5.data import Reader
from mlcheck.importers.hdf5.failures import DAMAGE, told
from mlcheck.importers.hdf5.feed import Feed, Scalars
from mlcheck.importers.hdf5.look import Look
from mlcheck.importers.hdf5.said import in_words
from mlcheck.importers.hdf5.source import Layout, Source, SourceKey
from mlcheck.importers.hdf5.units import Member, Unit, units_of
from mlcheck.records import dataclass, field, replace
from mlcheck.report import SourceStatus
from mlcheck.store.series import Imported, RawSeries
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request


@dataclass
class _Outcome:
    """What came of one file."""

    records: int = 0
    lost: list[tuple[str, str]] = field(default_factory=list)
    lost_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    series: list[RawSeries] = field(default_factory=list)


@dataclass
class _Group:
    """Units of one part whose tensors are all different: one collector reads them, so that labels meet predictions."""

    part: str
    units: list[Unit]
    keys: set[SourceKey]


def read_units(files: Sequence[FoundFile], looks: Mapping[str, Look], request: Request) -> dict[str, Imported]:
    """Read files whose layouts are known; gives what came of each, by `shown`. Never raises for what is in a file."""
    shown = {file.path: file.shown for file in files}
    outcomes = {file.path: _Outcome() for file in files}
    parts: dict[str, dict[Any, Layout]] = {}
    for file in files:
        layout = looks[file.shown].layout
        if layout is not None:
            parts.setdefault(file.part, {})[file.path] = layout
    for part, layouts in parts.items():
        for group in _grouped(part, units_of(layouts)):
            _read_group(group, request, outcomes)
    return {shown[file.path]: _imported(file, looks[file.shown], outcomes[file.path]) for file in files}


def _grouped(part: str, units: Sequence[Unit]) -> list[_Group]:
    groups: list[_Group] = []
    for unit in units:
        group = next((one for one in groups if not one.keys & unit.keys), None)
        if group is None:
            groups.append(_Group(part, [unit], set(unit.keys)))
        else:
            group.units.append(unit)
            group.keys |= unit.keys
    return groups


def _read_group(group: _Group, request: Request, outcomes: Mapping[Any, _Outcome]) -> None:
    collector = TensorCollector(request, group.part)
    scalars = Scalars()
    for unit in group.units:
        for member in unit.members:
            _read_member(member, len(unit.members) == 1, collector, scalars, outcomes[member.path])
    first = outcomes[group.units[0].members[0].path]
    first.series += [*collector.series(), *scalars.series()]
    first.notes += collector.problems()


def _read_member(
    member: Member, is_alone: bool, collector: TensorCollector, scalars: Scalars, outcome: _Outcome
) -> None:
    step = member.step if member.step is not None else 0
    try:
        with Reader(member.path) as reader:
            feed = Feed(reader, scalars)
            named = [_with_axis(source, member) for source in member.layout.sources]
            tracks = [None if one.is_scalar else collector.track(one.tag, one.hints) for one in named]
            feed.take(list(zip(named, tracks, strict=True)), step, ends=is_alone)
    except DAMAGE as error:
        outcome.lost.append(("/", f"cannot be read on: {told(error)}"))
        return
    outcome.records += feed.records
    outcome.lost += feed.lost
    outcome.lost_bytes += feed.lost_bytes
    outcome.notes += in_words(feed.notes)
    outcome.notes += _about_steps(member, is_alone)


def _with_axis(source: Source, member: Member) -> Source:
    """A snapshot counts what its file's name counts."""
    if source.hints.axis is not None or member.axis is None:
        return source
    return replace(source, hints=replace(source.hints, axis=member.axis))


def _about_steps(member: Member, is_alone: bool) -> list[str]:
    if not member.layout.snapshots or not is_alone:
        return []
    where = f"at step {member.step:,}, from its name" if member.step is not None else "at step 0"
    if member.layout.is_snapshot:
        return [f"no steps in it: one snapshot, {where}"]
    count = member.layout.snapshots
    return [f"{count:,} data set{'s' if count > 1 else ''} without a step: snapshots, {where}"]


def _imported(file: FoundFile, seen: Look, outcome: _Outcome) -> Imported:
    layout = seen.layout
    assert layout is not None
    lost = [*layout.lost, *outcome.lost]
    lost_bytes = min(seen.bytes, layout.lost_bytes + outcome.lost_bytes)
    reasons = [*in_words(lost), *outcome.notes, *in_words(layout.left_out)]
    if not layout.sources and not lost:
        reasons.insert(0, "no numbers in it")
    state = "unreadable" if lost and not outcome.records else "partial" if lost else "read"
    status = SourceStatus(
        path=file.shown,
        format=file.format,
        status=state,  # type: ignore[arg-type]
        records=outcome.records,
        reason="; ".join(reasons) or None,
        bytes=seen.bytes,
        lost_bytes=seen.bytes if state == "unreadable" else lost_bytes,
    )
    times = [float(np.nanmin(one.wall_times)) for one in outcome.series if np.isfinite(one.wall_times).any()]
    return Imported(status, tuple(outcome.series), first_wall_time=min(times, default=float("nan")))
