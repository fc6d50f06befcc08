"""Tensors of a file to the collector, step by step, a few megabytes at a time."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mlcheck.importers.hdf5.data import Array, Reader
from mlcheck.importers.hdf5.failures import DAMAGE, told
from mlcheck.importers.hdf5.source import Piece, Source, SourceKey
from mlcheck.native.threads import allowed, in_threads
from mlcheck.records import dataclass, field
from mlcheck.store.series import Floats, Hints, Ints, RawSeries
from mlcheck.store.tensors.collect import Pending, Track
from mlcheck.store.tensors.stored import THREADED, Stored

BLOCK = 1 << 22
"""Bytes that are read at once where tensors are small."""
SMALL = 1 << 18
"""Bytes of a tensor that is read together with others."""
LARGEST_BLOCK = 1 << 26
"""Bytes of a block that spans whole chunks; chunks of more steps than fit are unpacked several times."""
TOGETHER = 64
"""Sources that are looked at together, so that small tensors are measured on several cores."""


@dataclass
class Scalars:
    """Scalars over steps, of one part of a run."""

    rows: dict[SourceKey, list[tuple[Ints, Floats, Floats]]] = field(default_factory=dict)
    hints: dict[SourceKey, Hints] = field(default_factory=dict)

    def add(self, source: Source, steps: Ints, wall_times: Floats, values: Array) -> None:
        """Add values, of any numeric type, shape (n, …) with one number an entry."""
        self.hints.setdefault(source.key, source.hints)
        with np.errstate(all="ignore"):
            numbers = values.reshape(-1).astype(np.float64)
        self.rows.setdefault(source.key, []).append((steps, wall_times, numbers))

    def series(self) -> list[RawSeries]:
        """One scalar series for each name."""
        return [
            RawSeries(
                key[0],
                "scalar",
                np.concatenate([steps for steps, _, _ in rows]).astype(np.int64),
                np.concatenate([times for _, times, _ in rows]),
                {"value": np.concatenate([values for _, _, values in rows])},
                self.hints[key],
            )
            for key, rows in self.rows.items()
        ]


@dataclass
class Feed:
    """Reads the sources of one file into tracks and scalars, and remembers what could not be read."""

    reader: Reader
    scalars: Scalars
    records: int = 0
    """Tensors and numbers that were read."""
    lost: list[tuple[str, str]] = field(default_factory=list)
    lost_bytes: int = 0
    notes: list[tuple[str, str]] = field(default_factory=list)

    def take(self, sources: Sequence[tuple[Source, Track | None]], step: int = 0, ends: bool = False) -> None:
        """Read sources; the track is None for a scalar. `step` stands in for the steps of snapshots. `ends`: no other file holds more of
        them.
        """
        for start in range(0, len(sources), TOGETHER):
            group = sources[start : start + TOGETHER]
            for source, _ in group:
                for piece in source.listed:
                    if piece.is_snapshot:
                        piece.step = step
            pending = [self._pending(source, track, ends) for source, track in group]
            for (source, track), one, columns in zip(group, pending, _measured_together(pending), strict=True):
                if one is None or columns is None or not self._stored(one, columns):
                    self._batches(source, track)
                if track is not None and ends:
                    track.done()

    def _batches(self, source: Source, track: Track | None) -> None:
        for batch in _batches(source.pieces):
            try:
                self._batch(source, track, batch)
            except DAMAGE as error:
                self._singly(source, track, batch, error)

    def _pending(self, source: Source, track: Track | None, ends: bool) -> Pending | None:
        """Tensors that are to be measured as they lie in the file, if they can be."""
        pieces = source.listed
        first = pieces[0]
        if track is None or not track.needed or not (_is_in_one_piece(first) and _are_alike(source)):
            return None
        if first.steps is None:
            return track.pending(*self._over_data_sets(source), ends)
        return track.pending(*self._over_axis(first, first.steps), ends) if len(pieces) == 1 else None

    def _stored(self, pending: Pending, columns: Mapping[str, Floats]) -> bool:
        try:
            pending.add(columns)
        except DAMAGE:
            # One by one, what is there is read.
            return False
        self.records += len(pending.steps)
        return True

    def _over_data_sets(self, source: Source) -> tuple[Ints, Floats, Stored]:
        pieces, alike = source.listed, source.alike
        leaf = pieces[0].leaf
        assert leaf.raw is not None
        steps = np.array([piece.step for piece in pieces], dtype=np.int64)
        times = np.array([piece.wall_time for piece in pieces], dtype=np.float64)
        offsets = np.array([piece.leaf.offset for piece in pieces], dtype=np.int64)
        if alike is not None:
            steps = np.concatenate([steps, alike.steps])
            order = np.argsort(steps, kind="stable")
            steps = steps[order]
            times = np.concatenate([times, np.full(len(alike.steps), np.nan)])[order]
            offsets = np.concatenate([offsets, alike.offsets])[order]

        in_order: list[Piece] = []

        def read(place: int) -> Array:
            if not in_order:
                in_order.extend(source.pieces)
            return self.reader.whole(in_order[place].leaf, shared=False)

        return steps, times, Stored(self.reader.descriptor, offsets, leaf.shape, leaf.raw, leaf.is_bfloat16, read)

    def _over_axis(self, piece: Piece, steps: Ints) -> tuple[Ints, Floats, Stored]:
        leaf = piece.leaf
        assert leaf.raw is not None
        assert leaf.offset is not None
        times = piece.wall_times if piece.wall_times is not None else np.full(len(steps), np.nan)
        offsets = leaf.offset + np.arange(len(steps), dtype=np.int64) * (leaf.stored // max(len(steps), 1))

        def read(place: int) -> Array:
            entry: Array = self.reader.entries(leaf, place, place + 1, shared=False)[0]
            return entry

        return steps, times, Stored(self.reader.descriptor, offsets, piece.shape, leaf.raw, leaf.is_bfloat16, read)

    def _singly(self, source: Source, track: Track | None, batch: Sequence[Piece], error: BaseException) -> None:
        # One damaged data set must not take the others of its batch with it.
        if len(batch) > 1:
            for piece in batch:
                try:
                    self._batch(source, track, [piece])
                except DAMAGE as own:
                    self._lose(piece, own)
            return
        self._lose(batch[0], error)

    def _lose(self, piece: Piece, error: BaseException) -> None:
        self.lost.append((piece.leaf.name, f"damaged: {told(error)}"))
        self.lost_bytes += piece.leaf.stored

    def _batch(self, source: Source, track: Track | None, batch: Sequence[Piece]) -> None:
        first = batch[0]
        if first.steps is not None:
            self._stack(source, track, first, first.steps)
            return
        steps = np.array([piece.step for piece in batch], dtype=np.int64)
        times = np.array([piece.wall_time for piece in batch], dtype=np.float64)
        if track is not None and not track.needed:
            for piece in batch:
                track.add_unread(piece.step, piece.wall_time, piece.shape, _dtype_name(piece))
        elif len(batch) > 1:
            self._give(source, track, steps, times, self.reader.many([piece.leaf for piece in batch]))
        else:
            array = self.reader.whole(first.leaf)
            if track is None:
                self.scalars.add(source, steps, times, array)
            else:
                track.add(first.step, first.wall_time, array)
        self.records += len(batch)

    def _stack(self, source: Source, track: Track | None, piece: Piece, steps: Ints) -> None:
        times = piece.wall_times if piece.wall_times is not None else np.full(len(steps), np.nan)
        leaf, written = piece.leaf, piece.leaf.written
        if written is not None and not written.all():
            missing = int(len(written) - written.sum())
            self.notes.append((leaf.name, f"{missing:,} of {len(written):,} steps were never written"))
        if track is not None and not track.needed:
            for index in range(len(steps)) if written is None else np.flatnonzero(written).tolist():
                track.add_unread(int(steps[index]), float(times[index]), piece.shape, _dtype_name(piece))
            self.records += len(steps) if written is None else int(written.sum())
            return
        waiting = list(_blocks(piece))[::-1]
        while waiting:
            start, stop = waiting.pop()
            keep = None if written is None else written[start:stop]
            if keep is not None and not keep.any():
                continue
            try:
                rows = self.reader.entries(leaf, start, stop)
            except DAMAGE as error:
                layer = leaf.chunk[0] if leaf.chunk is not None else 1
                if stop - start > layer:
                    # One damaged chunk must not take the others of its block with it.
                    waiting += [(at, min(at + layer, stop)) for at in range(start, stop, layer)][::-1]
                else:
                    self._lose_steps(piece, steps[start:stop], error)
                continue
            own_steps, own_times = steps[start:stop], times[start:stop]
            if keep is not None:
                rows, own_steps, own_times = rows[keep], own_steps[keep], own_times[keep]
            self._give(source, track, own_steps, own_times, rows)
            self.records += len(own_steps)

    def _lose_steps(self, piece: Piece, steps: Ints, error: BaseException) -> None:
        which = f"step {steps[0]}" if len(steps) == 1 else f"steps {steps[0]} to {steps[-1]}"
        self.lost.append((piece.leaf.name, f"damaged at {which}: {told(error)}"))
        self.lost_bytes += piece.leaf.stored * len(steps) // max(1, piece.leaf.shape[0])

    def _give(self, source: Source, track: Track | None, steps: Ints, times: Floats, rows: Array) -> None:
        if track is None:
            self.scalars.add(source, steps, times, rows)
        elif len(steps) == 1:
            track.add(int(steps[0]), float(times[0]), rows[0])
        else:
            track.add_rows(steps, times, rows)


def _measured_together(pending: Sequence[Pending | None]) -> list[Mapping[str, Floats] | None]:
    """The statistics of each: a large tensor takes all cores by itself, small ones share them."""
    small = iter(in_threads(_measured, [one for one in pending if one and one.bytes < THREADED], allowed()))
    return [one if one is None else next(small) if one.bytes < THREADED else _measured(one) for one in pending]


def _measured(pending: Pending) -> Mapping[str, Floats] | None:
    try:
        return pending.measure()
    except DAMAGE:
        # One by one, what is there is read.
        return None


def _dtype_name(piece: Piece) -> str:
    # As its values would arrive.
    return "float32" if piece.leaf.is_bfloat16 else str(piece.leaf.dtype)


def _batches(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Pieces that can be read into one block: small ones in a row that lie in one piece and have one shape and type."""
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        joins = (
            bool(batch)
            and _is_small(piece)
            and _is_small(batch[0])
            and _is_alike(batch[0], piece)
            and size + piece.leaf.stored <= BLOCK
        )
        if batch and not joins:
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += piece.leaf.stored
    if batch:
        yield batch


def _is_in_one_piece(piece: Piece) -> bool:
    return piece.leaf.offset is not None and piece.leaf.raw is not None


def _is_small(piece: Piece) -> bool:
    return piece.steps is None and _is_in_one_piece(piece) and piece.leaf.stored <= SMALL


def _are_alike(source: Source) -> bool:
    """Whether all of its steps lie in one piece as the first one does, of one shape and type."""
    leaves = [piece.leaf for piece in source.listed]
    if source.alike is not None:
        leaves.append(source.alike.leaf)
    shape, raw, is_bfloat16 = leaves[0].shape, leaves[0].raw, leaves[0].is_bfloat16
    for leaf in leaves:
        if leaf.offset is None or leaf.shape != shape or leaf.raw != raw or leaf.is_bfloat16 is not is_bfloat16:
            return False
    return True


def _goes_with(first: Piece, piece: Piece) -> bool:
    return _is_small(first) and _is_alike(first, piece)


def _is_alike(one: Piece, other: Piece) -> bool:
    first, leaf = one.leaf, other.leaf
    return first.shape == leaf.shape and first.raw == leaf.raw and first.is_bfloat16 == leaf.is_bfloat16


def _blocks(piece: Piece) -> Iterator[tuple[int, int]]:
    """Stretches of axis 0 that are read at once; whole chunks where they are not too large."""
    leaf = piece.leaf
    row = max(1, leaf.bytes // max(1, leaf.shape[0]))
    length = max(1, BLOCK // row)
    if leaf.chunk is not None:
        layer = leaf.chunk[0]
        length = max(layer, length // layer * layer)
        length = min(length, max(1, LARGEST_BLOCK // row))
    for start in range(0, leaf.shape[0], length):
        yield start, min(start + length, leaf.shape[0])
