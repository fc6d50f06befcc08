"""Gathers the columns of a table, whatever it is read from, and makes series of them: which column is the step, which the time."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.importers.tables.cells import Numbers
from mlcheck.importers.tables.counting import counts, rises
from mlcheck.importers.tables.writers import Writer, normal
from mlcheck.records import dataclass, field, replace
from mlcheck.store.series import Floats, Hints, Ints, RawSeries

MOST_COLUMNS = 50_000
"""Columns of one table; what writes more has made names of data."""
MOST_MODES = 16
"""Different words in the column that names the split."""
OF_EXPORTS = ("__MIN", "__MAX")
"""W&B writes the least and the greatest of each point of a curve beside it: `loss`, `loss__MIN`, `loss__MAX`."""
MOST_NAMES = 20_000
"""Different words in the column that names what a row measures."""
MOSTLY = 0.9
"""Share of the rows that state a step in the column that is taken for it."""
WHOLE = 0.99
"""Share of a step column's numbers that are whole."""
_FAR = 2.0**62

_MODES = {
    "train": "train",
    "training": "train",
    "learn": "train",
    "fit": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "validate": "val",
    "eval": "val",
    "evaluation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(slots=True)
class _Column:
    name: str
    rows: list[Ints] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    numbers: int = 0
    texts: int = 0
    text_bytes: int = 0
    first_text: tuple[int, str] | None = None
    """Line and text of the first cell that is no number."""

    def joined(self) -> tuple[Ints, Floats]:
        if len(self.rows) != 1:
            self.rows = [np.concatenate(self.rows) if self.rows else np.empty(0, dtype=np.int64)]
            self.values = [np.concatenate(self.values) if self.values else np.empty(0)]
        return self.rows[0], self.values[0]

    @property
    def is_text(self) -> bool:
        return self.texts > self.numbers


@dataclass(slots=True)
class _Words:
    """A column of words that come again and again."""

    codes: dict[str, int] = field(default_factory=dict)
    """Each word, without blanks around it, and its number in order of appearance."""
    blocks: list[tuple[int, Ints]] = field(default_factory=list)
    """The row at which each block begins, and the numbers of its words."""

    def add(self, start: int, texts: Sequence[str]) -> None:
        """Add the texts of rows; of a column with too many different ones no more are taken."""
        if len(self.codes) <= MOST_NAMES:
            found = [self.codes.setdefault(text.strip(), len(self.codes)) for text in texts]
            self.blocks.append((start, np.array(found, dtype=np.int64)))

    def of_rows(self, rows: int) -> Ints:
        """The number of the word in each of so many rows; -1 where there is none."""
        found = np.full(rows, -1, dtype=np.int64)
        for start, codes in self.blocks:
            found[start : start + len(codes)] = codes
        return found


@dataclass(frozen=True, eq=False)
class Table:
    """The series of a table."""

    series: tuple[RawSeries, ...]
    notes: tuple[str, ...]
    """What was left out or decided, for the reason in the file's status."""
    first_wall_time: float
    step: str | None
    """The column that counts the steps; None: the rows do."""
    lost_bytes: int = 0
    """Cells that are no numbers, in columns of numbers."""
    texts: int = 0
    """Columns of texts."""


@dataclass(slots=True)
class Gather:
    """The columns of one table, row by row block by block."""

    writer: Writer
    rows: int = 0
    dropped: int = 0
    """Columns beyond `MOST_COLUMNS`."""
    columns: dict[str, _Column] = field(default_factory=dict)
    words: dict[str, _Words] = field(default_factory=dict)
    """Columns that may name the split, or what is measured."""
    start: float | None = None
    """Wall time from which `elapsed` counts, where the file states it."""

    def add(self, name: str, found: Numbers, line_of: Sequence[int] | range, whole: Ints | None = None) -> None:
        """Add a column of the rows that come next; `end_block` moves on. `line_of` holds the line of each row.

        `whole` is what `found.rows` stands for where that is None: the numbers of all rows of the block, made once.
        """
        column = self.columns.get(name)
        if column is None:
            if len(self.columns) >= MOST_COLUMNS:
                self.dropped += 1
                return
            column = self.columns[name] = _Column(name)
        if found.first_text is not None and column.first_text is None:
            at, text = found.first_text
            column.first_text = (line_of[at], text)
        column.texts += found.texts
        column.text_bytes += found.text_bytes
        if not len(found.values):
            return
        column.numbers += len(found.values)
        if found.rows is None:
            rows = np.arange(self.rows, self.rows + len(found.values)) if whole is None else whole
        else:
            rows = found.rows + self.rows
        column.rows.append(rows)
        column.values.append(found.values)

    def add_words(self, name: str, texts: Sequence[str]) -> None:
        """Add the texts of a column that may name the split of each row of the block, or what it measures."""
        self.words.setdefault(name, _Words()).add(self.rows, texts)

    def end_block(self, rows: int) -> None:
        """Count the rows of a block once all of its columns are added."""
        self.rows += rows

    def table(self) -> Table:
        """All series, in order of appearance. Steps are int64, wall times float64 seconds."""
        notes: list[str] = []
        step, steps = self._steps(notes)
        walls, is_absolute, times = self._walls()
        modes, measures = self._modes(), self._measures()
        series: list[RawSeries] = []
        stepless = np.zeros(self.rows, dtype=bool)
        for column in list(self.columns.values()):
            if column.name == step or column.name in times or not column.numbers or self._is_extreme(column.name):
                continue
            if column.is_text:
                notes.append(f"column {column.name!r} is left out: text, and {column.numbers:,} numbers")
                continue
            rows, values = column.joined()
            known = np.isfinite(steps[rows])
            if not known.all():
                stepless[rows[~known]] = True
                rows, values = rows[known], values[known]
            one = _Source(column.name, rows, values, steps, walls)
            for part in self._by_measure(one, measures):
                series += self._by_mode(part, modes) if modes is not None else [self._series(part, None)]
        mixed = self._mixed()
        notes += self._notes(stepless, mixed)
        first = walls[np.isfinite(walls)][:1] if is_absolute else np.empty(0)
        axis = self.axis(step)
        kept = [one for one in series if len(one.steps)]
        return Table(
            series=tuple(_hinted(one, order, axis) for order, one in enumerate(kept)),
            notes=tuple(notes),
            first_wall_time=float(first[0]) if len(first) else float("nan"),
            step=step,
            lost_bytes=sum(one.text_bytes for one in mixed),
            texts=sum(one.is_text for one in self.columns.values()),
        )

    def _is_extreme(self, name: str) -> bool:
        return name.endswith(OF_EXPORTS) and name[: -len(OF_EXPORTS[0])] in self.columns

    # Steps

    def _steps(self, notes: list[str]) -> tuple[str | None, Floats]:
        """The column that counts the steps, and the step of each row (NaN where none is stated)."""
        writer = self.writer
        if writer.cumulative is not None:
            lengths = self._spread(writer.cumulative)
            return None, np.cumsum(np.nan_to_num(lengths, posinf=0.0, neginf=0.0))
        by_name = {normal(name): column for name, column in reversed(self.columns.items())}
        usable = self._counting(by_name, (*writer.steps, *writer.epochs))
        if not any(moves for moves, *_ in usable):
            usable = self._unlisted(by_name) or usable
        if not usable:
            if not writer.rows and self.columns:
                notes.append("no column counts whole steps: the rows are counted")
            return None, np.arange(self.rows, dtype=np.float64)
        usable.sort(key=lambda one: (not (one[0] and one[1]), not one[0], not one[1]))
        _, _, column, rows, values = usable[0]
        repeats = len(values) >= 2 * len(np.unique(values)) and bool((np.diff(values) >= 0).all())
        if normal(column.name) in writer.epochs and repeats:
            # Several rows an epoch, of which one alone would be left: `chunk` counts them all.
            _, _, column, rows, values = next((one for one in self._unlisted(by_name) if one[1]), usable[0])
        steps = np.full(self.rows, np.nan)
        steps[rows] = values
        return column.name, steps

    def _unlisted(self, by_name: Mapping[str, _Column]) -> list[tuple[bool, bool, _Column, NDArray[np.intp], Floats]]:
        # `batches_done`, `outer_iter`: nobody can list them all. Such a name counts where its numbers only rise; a row of an
        # evaluation may stand at the step of the row before. `total_steps` may be the number of all that there will be.
        return [one for one in self._counting(by_name, filter(counts, by_name)) if one[0] and rises(one[-1])]

    def _counting(
        self, by_name: Mapping[str, _Column], names: Iterable[str]
    ) -> list[tuple[bool, bool, _Column, NDArray[np.intp], Floats]]:
        """Of the columns of these names those of whole numbers: whether they move, whether most rows have one, rows, and numbers there."""
        usable = []
        for name in names:
            column = by_name.get(name)
            if column is None or not column.numbers or column.is_text:
                continue
            rows, values = column.joined()
            whole = np.isfinite(values) & (np.abs(values) < _FAR) & (values == np.floor(values))
            if whole.mean() < WHOLE:
                continue
            moves = float(values[whole].max() > values[whole].min()) or float(self.rows <= 2)
            usable.append((bool(moves), len(rows) >= MOSTLY * self._stated(), column, rows[whole], values[whole]))
        return usable

    def _stated(self) -> int:
        """Rows that state anything at all."""
        return max((column.numbers for column in self.columns.values()), default=0)

    def _spread(self, name: str) -> Floats:
        """A column over all rows, NaN where it is blank."""
        column = next((one for one in self.columns.values() if normal(one.name) == name), None)
        spread = np.full(self.rows, np.nan)
        if column is not None:
            rows, values = column.joined()
            spread[rows] = values
        return spread

    def axis(self, step: str | None) -> str | None:
        """What the steps count, where the step column tells."""
        if step is None:
            return "epoch" if self.writer.rows else None
        name = normal(step)
        is_epoch = name in self.writer.epochs or (not self.writer.is_step(name) and "epoch" in name)
        return "epoch" if is_epoch and "episode" not in name else None

    # Wall times

    def _walls(self) -> tuple[Floats, bool, set[str]]:
        """The wall time of each row, whether it is counted from the epoch, and the columns that are times and no quantities."""
        times: set[str] = set()
        by_name = {normal(name): name for name in self.columns}
        walls, is_absolute = np.full(self.rows, np.nan), False
        for name in (*self.writer.stamps, *self.writer.perhaps_stamps, *self.writer.elapsed):
            given = by_name.get(name)
            if given is None or self.columns[given].is_text:
                continue
            is_stamp = name not in self.writer.elapsed
            seconds, absolute = _seconds(self._spread(name), is_stamp)
            if name in self.writer.perhaps_stamps and seconds is None:
                continue
            times.add(given)
            if not np.isfinite(walls).any() and seconds is not None:
                walls, is_absolute = seconds, absolute
        if not is_absolute and self.start is not None and np.isfinite(walls).any():
            return walls + self.start, True, times
        return walls, is_absolute, times

    # Series

    def _modes(self) -> tuple[Ints, Sequence[str]] | None:
        """For each row a place in a list of words that name splits, empty for none; None where no column names splits."""
        for name, words in self.words.items():
            modes = list(dict.fromkeys(word.lower()[:16] for word in words.codes))
            if normal(name) in self.writer.modes and len(modes) <= MOST_MODES and not _MODES.keys().isdisjoint(modes):
                place = np.array([modes.index(word.lower()[:16]) for word in words.codes], dtype=np.int64)
                codes = words.of_rows(self.rows)
                return np.where(codes < 0, len(modes), place[codes]), [*modes, ""]
        return None

    def _measures(self) -> tuple[Ints, Sequence[str]] | None:
        """The same for what each row of a long table measures (`step, metric, value`); None for any other table."""
        amounts = [one for one in self.columns.values() if one.numbers and normal(one.name) in self.writer.amounts]
        for name, words in self.words.items() if len(amounts) == 1 else ():
            if normal(name) in self.writer.names and 1 <= len(words.codes) <= MOST_NAMES:
                codes = words.of_rows(self.rows)
                return np.where(codes < 0, len(words.codes), codes), [*words.codes, ""]
        return None

    def _by_measure(self, one: "_Source", measures: tuple[Ints, Sequence[str]] | None) -> Iterator["_Source"]:
        if measures is None or normal(one.name) not in self.writer.amounts:
            yield one
            return
        for word, part in _parts(one, *measures):
            yield replace(part, name=word or one.name)

    def _by_mode(self, one: "_Source", modes: tuple[Ints, Sequence[str]]) -> Iterator[RawSeries]:
        for word, part in _parts(one, *modes):
            yield self._series(part, word or None)

    def _series(self, one: "_Source", mode: str | None) -> RawSeries:
        tag = self.writer.rename.get(normal(one.name), one.name)
        tag = f"{mode}/{tag}" if mode else tag
        split = _MODES.get(mode) if mode else None
        steps = one.steps[one.rows].astype(np.int64)
        return RawSeries(tag, "scalar", steps, one.walls[one.rows], {"value": one.values}, Hints(mode=split))

    def _mixed(self) -> list[_Column]:
        """Columns of numbers in which some cells are none."""
        found = [one for one in self.columns.values() if one.texts and one.numbers and not one.is_text]
        return [one for one in found if one.name not in self.words]

    def _notes(self, stepless: NDArray[np.bool_], mixed: Sequence[_Column]) -> Iterator[str]:
        if stepless.any():
            yield f"{_rows(int(stepless.sum()))} without a step left out"
        if mixed:
            first = min(mixed, key=lambda one: one.first_text or (0, ""))
            line, text = first.first_text or (0, "")
            many = sum(one.texts for one in mixed)
            cells = "1 cell is" if many == 1 else f"{many:,} cells are"
            yield f"{cells} no number, first at line {line:,}, column {first.name!r}: {text.strip()[:40]!r}"
        if self.dropped:
            yield f"columns beyond {MOST_COLUMNS:,} are left out"


def _parts(one: "_Source", codes: Ints, words: Sequence[str]) -> Iterator[tuple[str, "_Source"]]:
    """The rows of each word, in order of appearance."""
    mine = codes[one.rows]
    order = np.argsort(mine, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(mine[order])) + 1) if len(order) else []
    for chosen in sorted(groups, key=lambda rows: int(rows[0])):
        yield words[mine[chosen[0]]], _Source(one.name, one.rows[chosen], one.values[chosen], one.steps, one.walls)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


@dataclass(frozen=True, eq=False, slots=True)
class _Source:
    name: str
    rows: Ints
    values: Floats
    steps: Floats
    walls: Floats


def _hinted(one: RawSeries, order: int, axis: str | None) -> RawSeries:
    hints = Hints(mode=one.hints.mode, order=order, axis=axis)
    return RawSeries(one.tag, one.kind, one.steps, one.wall_times, one.columns, hints)


def _seconds(column: Floats, is_stamp: bool) -> tuple[Floats | None, bool]:
    """Seconds of a time column, and whether they count from the epoch; None where they can be no times."""
    known = column[np.isfinite(column)]
    if not len(known):
        return None, False
    middle = float(np.median(known))
    if is_stamp:
        for unit in (1.0, 1e3, 1e6, 1e9):
            if 1e8 <= middle / unit < 1e10:
                return column / unit, True
        return None, False
    return (column, False) if middle >= 0 and known[-1] >= known[0] else (None, False)


def unique_names(names: Sequence[str]) -> list[str]:
    """The names of columns without padding; equal ones get `#2`, those without a name `column 3`."""
    counts: dict[str, int] = {}
    result = []
    for place, given in enumerate(names, start=1):
        name = re.sub(r"[\x00-\x1f\ud800-\udfff]", "\ufffd", given.strip()) or f"column {place}"
        counts[name] = counts.get(name, 0) + 1
        result.append(name if counts[name] == 1 else f"{name}#{counts[name]}")
    return result
