"""Columns of texts that tell series apart, as numbers: which series each row of a batch is of."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlcheck.records import dataclass, field
from mlcheck.store.series import Ints

MOST = 100_000
"""Series of one file; what names more has made names of data."""
LONGEST = 1000
"""Characters of a name."""


@dataclass(slots=True)
class _Vocabulary:
    numbers: dict[Any, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def codes(self, column: Any) -> Ints:
        """int64, shape (n,): the number of each row's text, -1 for null."""
        import pyarrow.types as types

        encoded = column if types.is_dictionary(column.type) else column.dictionary_encode()
        table = np.empty(len(encoded.dictionary) + 1, dtype=np.int64)
        table[-1] = -1
        for at, value in enumerate(encoded.dictionary.to_pylist()):
            number = self.numbers.get(value)
            if number is None:
                number = self.numbers[value] = -1 if value is None else len(self.texts)
                if value is not None:
                    self.texts.append(plain(value))
            table[at] = number
        places = encoded.indices
        if places.null_count:
            places = places.fill_null(len(encoded.dictionary))
        codes: Ints = table[places.to_numpy(zero_copy_only=False)]
        return codes


def plain(value: object) -> str:
    """A name as text: whole numbers without a fraction, no control characters, of bounded length."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()[:LONGEST]
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


@dataclass(slots=True)
class Keys:
    """The series of a file by the values of its key columns, numbered in order of appearance."""

    columns: Sequence[str]
    found: list[Mapping[str, str]] = field(default_factory=list)
    """For each series, its key by column; a null is absent."""
    dropped: int = 0
    """Rows of series beyond `MOST`."""
    _numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    _vocabularies: dict[str, _Vocabulary] = field(default_factory=dict)

    def of(self, batch: Any) -> Ints:
        """int64, shape (n,): the series of each row; -1 for rows of series beyond `MOST`."""
        if not self.columns:
            if not self.found:
                self.found.append({})
            return np.zeros(batch.num_rows, dtype=np.int64)
        parts, total = [], np.zeros(batch.num_rows, dtype=np.int64)
        for name in self.columns:
            codes = self._vocabularies.setdefault(name, _Vocabulary()).codes(batch.column(name))
            distinct, places = np.unique(codes, return_inverse=True)
            parts.append((distinct, len(distinct)))
            total = total * len(distinct) + places.reshape(-1)
            if len(parts) > 1:
                # The product of the sizes stays below the square of the rows, far from overflow.
                pairs, total = np.unique(total, return_inverse=True)
                total = total.reshape(-1)
                parts = [(_unfold(parts, pairs), len(pairs))]
        table = parts[0][0].reshape(len(parts[0][0]), -1)
        first = _first_rows(total, len(table))
        numbers = np.empty(len(table), dtype=np.int64)
        for at in np.argsort(first, kind="stable").tolist():
            numbers[at] = self._number(tuple(table[at].tolist()))
        result: Ints = numbers[total]
        self.dropped += int((result < 0).sum())
        return result

    def _number(self, key: tuple[int, ...]) -> int:
        number = self._numbers.get(key)
        if number is None:
            if len(self.found) >= MOST:
                return -1
            number = self._numbers[key] = len(self.found)
            texts = zip(self.columns, key, strict=True)
            self.found.append({name: self._vocabularies[name].texts[code] for name, code in texts if code >= 0})
        return number


def _unfold(parts: Sequence[tuple[Ints, int]], pairs: Ints) -> Ints:
    """The rows of codes that combined numbers stand for, shape (pairs, columns so far)."""
    (before, _), (last, size) = parts
    before = before.reshape(len(before), -1)
    return np.concatenate([before[pairs // size], last[pairs % size, None]], axis=1)


def _first_rows(places: Ints, size: int) -> Ints:
    first = np.zeros(size, dtype=np.int64)
    # Of equal indices numpy keeps the last assignment.
    first[places[::-1]] = np.arange(len(places))[::-1]
    return first
