"""A trial read from its first step to its last, worker by worker: what came of it, and of each file that is damaged or missing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.base import unreadable
from mlcheck.importers.found import FoundFile
from mlcheck.importers.smdebug.events import NOTHING, Reading, read_events
from mlcheck.importers.smdebug.index import Index, contradictions, missing, read_index
from mlcheck.importers.smdebug.layout import EVENTS, Place, Trial, files_of
from mlcheck.importers.smdebug.membership import DEFAULT, Broken, Collections, Lookup, collections_in, joined, read_json
from mlcheck.importers.smdebug.records import TrialRecords
from mlcheck.importers.smdebug.saved import MODES, saved_in
from mlcheck.importers.smdebug.sorting import Sorter, merged
from mlcheck.importers.smdebug.wire import Malformed
from mlcheck.records import dataclass, field
from mlcheck.report import SourceStatus
from mlcheck.store.series import Fact, Imported, RawSeries
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request

FORMAT = "smdebug"
NAMED = 5
"""Things of one kind that a reason names."""


def read_trial(files: Sequence[FoundFile], request: Request, part: str = "") -> list[Imported]:
    """Read the files of one trial: what came of the good part, then a status for each file that is damaged or missing.

    Only the statistics of the request are computed. Steps are smdebug's global ones, which all modes share: those at which a mode saved are
    the steps of its series. Never raises for what is in the files.
    """
    return _Reader(Trial.of(files), request, part).read()


def read_tensors(path: Path) -> Iterator[tuple[str, int, str | None, int | None, str, NDArray[np.generic]]]:
    """Every tensor of the trial in a directory: tag, global step, mode, the mode's own step, worker, values.

    Modes are train, val, test, and None for smdebug's GLOBAL. In order of worker and step; values in their own shape and type
    (bfloat16 as float32, texts as numpy's strings). What is damaged is passed over. Raises OSError where a file cannot be opened.
    """
    found = [FoundFile(one, one.relative_to(path).as_posix(), "", FORMAT, 0) for one in files_of(path)]
    trial = Trial.of(found)
    for worker, step in sorted(trial.events, key=lambda place: (trial.workers.index(place[0]), place[1])):
        with open(trial.events[worker, step].path, "rb") as stream:
            for _, payload, is_sound in TrialRecords(stream):
                try:
                    for one in saved_in(payload) if is_sound else ():
                        values = one.array() if one.has_values else np.array(one.strings())
                        yield one.tag, one.step, MODES.get(one.mode), one.mode_step, worker, values
                except Malformed:
                    continue


@dataclass
class _Reader:
    """One trial while it is read."""

    trial: Trial
    request: Request
    part: str
    damaged: list[Imported] = field(default_factory=list)
    records: int = 0
    bytes: int = 0
    first_wall_time: float = float("nan")
    notes: list[str] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    """Last step of each worker."""

    def read(self) -> list[Imported]:
        trial = self.trial
        collections = self._collections()
        lookup = Lookup(collections)
        collector = TensorCollector(self.request, self.part)
        workers = trial.workers
        sorters = []
        steps: dict[str, list[int]] = {}
        for worker, step in trial.events.keys() | trial.index.keys():
            steps.setdefault(worker, []).append(step)
        self.last = {worker: max(of_worker) for worker, of_worker in steps.items()}
        for worker in workers:
            # A lone worker's number tells nothing.
            name = worker.removeprefix("worker_") if len(workers) > 1 else None
            sorter = Sorter(collector, self.request, lookup, self.part, name)
            for step in sorted(steps[worker]):
                self._step((worker, step), sorter)
            sorter.finish()
            sorters.append(sorter)
        self._look_for_gaps()
        reduced = [one for sorter in sorters for one in sorter.reduced()]
        tensors = collector.series()
        series = [one for sorter in sorters for one in sorter.series()]
        series += self._without_idle_weights(merged([one for one in tensors if one.kind == "tensor"], reduced))
        series += [one for one in tensors if one.kind != "tensor"]
        self._note(sorters, lookup, collector)
        facts = dict.fromkeys(fact for sorter in sorters for fact in sorter.facts())
        return [self._whole(collections, series, list(facts)), *self.damaged]

    def _collections(self) -> Collections:
        found = []
        for file in self.trial.collections:
            try:
                found.append(collections_in(read_json(file)))
                self.bytes += file.bytes
            except Broken as error:
                self._lose(file, f"{error}: the tensors are read without their collections")
            except OSError as error:
                self._lose(file, error.strerror or str(error))
        return joined(found) if found else DEFAULT

    def _lose(self, file: FoundFile, reason: str) -> None:
        self.damaged.append(unreadable(file.shown, FORMAT, reason, file.bytes))

    def _step(self, place: Place, sorter: Sorter) -> None:
        index = self._index(place)
        file = self.trial.events.get(place)
        if file is None:
            if index is not None:
                self._miss(place, index)
            return
        sorter.expect(index)
        try:
            reading = read_events(file.path, sorter)
        except OSError as error:
            self._lose(file, error.strerror or str(error))
            return
        if np.isnan(self.first_wall_time) or reading.first_wall_time < self.first_wall_time:
            self.first_wall_time = reading.first_wall_time
        reason = reading.fault
        if reason is None and index is not None and index.ranges and not reading.records:
            reason = NOTHING
        if reason is not None:
            self._damage(place, file, reading, index, reason)
            return
        self.records += reading.records
        self.bytes += file.bytes
        faults = contradictions(index, reading.found, reading.size) if index is not None else []
        if faults:
            status = self.trial.index[place]
            told = f"it does not fit its event file, which is read without it: {_some(faults)}"
            self.damaged.append(
                Imported(SourceStatus(status.shown, FORMAT, "partial", reason=told, bytes=status.bytes))
            )
        elif index is not None:
            self.bytes += self.trial.index[place].bytes

    def _index(self, place: Place) -> Index | None:
        file = self.trial.index.get(place)
        if file is None:
            return None
        try:
            return read_index(file)
        except Broken as error:
            without = (
                "the events are read without it" if place in self.trial.events else "and its event file is missing"
            )
            self._lose(file, f"{error}: {without}")
        except OSError as error:
            self._lose(file, error.strerror or str(error))
        return None

    def _miss(self, place: Place, index: Index) -> None:
        """An index whose event file is not there."""
        path = self.trial.event_path(place)
        lost = f"missing, and with it {_some(list(index.ranges))}: its index is there"
        self.damaged.append(
            Imported(SourceStatus(path, FORMAT, "unreadable", reason=lost, bytes=0, lost_bytes=index.bytes))
        )

    def _damage(self, place: Place, file: FoundFile, reading: Reading, index: Index | None, reason: str) -> None:
        lost = missing(index, reading.names()) if index is not None else []
        if lost:
            reason += f"; lost: {_some(lost)}"
        is_last = place[1] == self.last[place[0]]
        status = SourceStatus(
            file.shown,
            FORMAT,
            "partial" if reading.records else "unreadable",
            records=reading.records,
            reason=reason,
            offset=reading.offset,
            bytes=file.bytes,
            lost_bytes=reading.lost_bytes,
            tail_only=reading.is_cut and is_last,
        )
        self.damaged.append(Imported(status))

    def _look_for_gaps(self) -> None:
        """Steps that other workers saved and one did not: a status for each such worker, with the first of them as its path.

        What it lost there is taken for as much as the largest of the others saved.
        """
        places = self.trial.events.keys() | self.trial.index.keys()
        steps = {step for _, step in places}
        sizes: dict[int, int] = {}
        for (_, step), file in self.trial.events.items():
            sizes[step] = max(sizes.get(step, 0), file.bytes)
        for worker in self.trial.workers:
            gaps = sorted(step for step in steps if (worker, step) not in places)
            if not gaps:
                continue
            others = [one for one in self.trial.workers if (one, gaps[0]) in places]
            what = f"step {gaps[0]:,}" if len(gaps) == 1 else f"{len(gaps):,} steps, first {gaps[0]:,}"
            reason = f"missing: {worker} saved nothing at {what}, where {_some(others)} did"
            status = SourceStatus(
                self.trial.event_path((worker, gaps[0])),
                FORMAT,
                "unreadable",
                reason=reason,
                lost_bytes=sum(sizes.get(step, 0) for step in gaps),
                tail_only=gaps == [max(steps)],
            )
            self.damaged.append(Imported(status))

    def _without_idle_weights(self, tensors: Sequence[RawSeries]) -> list[RawSeries]:
        """Without the weights of evaluation where those of training are there: they stand still there, which is no fault."""
        trained = {(one.tag, one.hints.worker) for one in tensors if one.hints.mode == "train"}
        idle = [
            one
            for one in tensors
            if one.hints.mode in ("val", "test")
            and (one.tag, one.hints.worker) in trained
            and self.request.plan(one.tag, self.part, one.hints).role == "weight"
        ]
        if idle:
            self.notes.append(f"weights are read where training saved them, not in {', '.join(_modes(idle))} mode")
        left_out = {id(one) for one in idle}
        return [one for one in tensors if id(one) not in left_out]

    def _note(self, sorters: Sequence[Sorter], lookup: Lookup, collector: TensorCollector) -> None:
        """What whole files held and nothing came of."""
        self.notes += collector.problems()
        refused = {tag: reason for sorter in sorters for tag, reason in sorter.refused.items()}
        if refused:
            self.notes.append("not read: " + _some([f"{tag} ({reason})" for tag, reason in refused.items()]))
        unused = sorted(set().union(*(sorter.unused for sorter in sorters)))
        if unused:
            self.notes.append(f"reductions that tell no statistic of ours: {_some(unused)}")
        if lookup.unusable:
            self.notes.append(f"patterns that are not applied: {_some(lookup.unusable)}")
        self.notes += [problem for sorter in sorters for problem in sorter.problems()]

    def _whole(self, collections: Collections, series: Sequence[RawSeries], facts: Sequence[Fact]) -> Imported:
        workers = len(self.trial.workers)
        path = f"{self.trial.shown}{EVENTS}"
        absent = collections.workers > workers > 0
        if absent:
            self.notes.insert(0, f"{workers:,} of {collections.workers:,} workers left events")
        if not self.trial.events and not self.trial.index:
            self.notes.insert(0, "no tensors were saved")
        elif not series and not facts and self.damaged:
            self.notes.insert(0, "nothing could be read")
        status = SourceStatus(
            path,
            FORMAT,
            "unreadable" if self.damaged and not series and not facts else "partial" if absent else "read",
            records=self.records,
            reason="; ".join(self.notes) or None,
            bytes=self.bytes,
        )
        ordered = sorted(series, key=_place)
        return Imported(status, tuple(ordered), tuple(facts), self.first_wall_time)


def _place(one: RawSeries) -> tuple[bool, bool, int]:
    """Forward before backward: the order of layers is that in which series first name them."""
    return (
        one.kind == "fact",
        one.hints.collection == "gradients",
        one.hints.order if one.hints.order is not None else 0,
    )


def _modes(series: Sequence[RawSeries]) -> list[str]:
    names = {"val": "EVAL", "test": "PREDICT"}
    return sorted({names[one.hints.mode] for one in series if one.hints.mode in names})


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED:,} more"
