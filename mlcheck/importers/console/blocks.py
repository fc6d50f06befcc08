"""What a log prints over several lines: tables with a head (fastai, skorch, scikit-learn, spaCy, rich) and boxes of keys and values
(Stable-Baselines3, Spinning Up), made to plans and numbers as of a single line."""

import re
from collections.abc import Sequence

from mlcheck.importers.console.lines import EPOCHS, NUMBER, STEPS, Plan, Value, words_of
from mlcheck.importers.console.patterns import pattern_of, table
from mlcheck.records import dataclass, field

FEWEST_COLUMNS = 3
MOST_COLUMNS = 200
MOST_KEYS = 500
"""Of one box."""

Row = tuple[Plan, list[str]]
"""What to take, and the numbers to take it from."""

_GAPS = re.compile(r"\s{2,}|\t")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d\d)(?:\.\d+)?")
_LASTS = re.compile(r"(\d+(?:\.\d*)?)(ms|s|m|h)")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_COUNTERS_OF_BOXES = (
    "total_timesteps", "timesteps_total", "totalenvinteracts", "total_env_steps", "total_steps", "timesteps", "num_timesteps",
    "nupdates", "steps", "step", "iterations", "iteration", "epoch", "episodes",
)  # fmt: skip
_ENTRY = re.compile(r"\|\s*(\S(?:[^|]*[^|\s])?)\s*\|\s*([^|\s]*)\s*\|\s*")


_DRAWN = str.maketrans("│┃║", "|||")
"""Lines between columns as rich and others draw them."""
_PATTERN = pattern_of({"writer": "generic"})


def head_of(line: str) -> tuple[str, ...]:
    """The columns that a line without numbers names, the first of which counts; empty for any other line."""
    cells = _cells(line)
    if not FEWEST_COLUMNS <= len(cells) <= MOST_COLUMNS or cells[0].lower() not in EPOCHS | STEPS:
        return ()
    if not any(word in table().known for cell in cells[1:] for word in (cell.lower(), *words_of(cell))):
        return ()
    return tuple(cells)


def _cells(line: str) -> list[str]:
    text = line.translate(_DRAWN).strip()
    if "|" in text:
        return [cell.strip() for cell in text.strip("|").split("|")]
    cells = _GAPS.split(text)
    return cells if len(cells) >= FEWEST_COLUMNS else text.split()


@dataclass(slots=True)
class Columns:
    """The table whose rows are being read."""

    head: tuple[str, ...]
    _plans: dict[int, Plan] = field(default_factory=dict)

    def row(self, line: str) -> Row | None:
        """What a line says, if it is a row of the table."""
        # skorch marks what is better than before with a plus, in a column that is blank else.
        cells = [cell for cell in _cells(line) if cell != "+"]
        if not cells or len(cells) not in (len(self.head), len(self.head) - ("cp" in self.head)):
            return None
        # `3/10`: the third of ten epochs.
        cells[0] = cells[0].partition("/")[0]
        numbers = [_as_number(cell) for cell in cells]
        if not cells[0].isdecimal() or any(one is None for one in numbers):
            return None
        plan = self._plans.get(len(cells))
        if plan is None:
            names = self.head if len(cells) == len(self.head) else [name for name in self.head if name != "cp"]
            plan = self._plans[len(cells)] = _plan_of(names, *_counters(names))
        return plan, [one for one in numbers if one is not None]


@dataclass(slots=True)
class Box:
    """The box of keys and values that is being read."""

    _section: str = ""
    _found: dict[str, str] = field(default_factory=dict)

    def takes(self, line: str) -> bool:
        """Take a line that belongs to a box."""
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            return False
        key, value = entry[1], entry[2]
        if not value:
            self._section = key if key.endswith("/") else ""
            return True
        amount = _as_number(value)
        if amount is None or len(self._found) >= MOST_KEYS:
            return False
        # Keys of a section are indented.
        self._found[self._section + key if line.startswith("|  ") else key] = amount
        return True

    def end(self) -> Row | None:
        """What the box said, at a line of dashes or the end."""
        found, self._found, self._section = self._found, {}, ""
        if len(found) < FEWEST_COLUMNS:
            return None
        names = list(found)
        last = [name.rpartition("/")[2].lower().replace(" ", "_") for name in names]
        at = next((last.index(one) for one in _COUNTERS_OF_BOXES if one in last), -1)
        is_epoch = at >= 0 and last[at] in EPOCHS
        return _plan_of(names, at if is_epoch else -1, -1 if is_epoch else at), list(found.values())


def _counters(names: Sequence[str]) -> tuple[int, int]:
    """Which of the first columns counts the epochs, and which the steps; -1: none."""
    first = [name.lower() for name in names[:2]]
    epoch = 0 if first[0] in EPOCHS else -1
    step = next((place for place, name in enumerate(first) if name in STEPS), -1)
    return epoch, step


def _plan_of(names: Sequence[str], epoch: int, step: int) -> Plan:
    values = tuple(Value(name, place) for place, name in enumerate(names) if place not in (epoch, step))
    return Plan(_PATTERN, values, epoch=epoch, step=step)


def _as_number(cell: str) -> str | None:
    plain = cell.removesuffix("%")
    if NUMBER.fullmatch(plain):
        return plain
    clock = _CLOCK.fullmatch(cell)
    if clock is not None:
        return str(int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3]))
    lasts = _LASTS.fullmatch(cell)
    return None if lasts is None else str(float(lasts[1]) * _SECONDS[lasts[2]])
