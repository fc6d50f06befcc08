"""Facts as series (language.md): the clock, restarts, sources and hyperparameters of a run, so that rules stay data.

Names begin with `mlcheck/`; a logged series of such a name keeps it, since build.py makes names unique.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlcheck.arrays import distinct, median
from mlcheck.report import SourceStatus
from mlcheck.store.facts import number
from mlcheck.store.primary import steps_with_several_values
from mlcheck.store.schedule import begins_anew
from mlcheck.store.series import Fact, Floats, Ints, Series

Bools = NDArray[np.bool_]

PREFIX = "mlcheck/"

LEVEL_POINTS = 3
"""Points on each side of a restart whose median is the level of the loss there: one point is noise, many hide a jump that heals."""

STUCK_POINTS = 3
"""Rows from which a series that never leaves one step is reported."""

_UNTIMED = frozenset(["placeholder", "hparams", "meta", "final_summary"])
_NO_HISTORY = _UNTIMED | frozenset(["progress", "alternate_axis", "other", "count", "running_best"])


def fact_series(
    series: Sequence[Series],
    sources: Sequence[SourceStatus],
    facts: Mapping[str, str | float | bool],
    raw: Sequence[Fact],
) -> list[Series]:
    """All fact series of a run: clock, restart (both only where there is something to say), source, hparam."""
    logged = [one for one in series if one.kind != "fact" and len(one)]
    main = main_series(logged)
    result = []
    if main is not None:
        result += _clock(logged, main)
        result += _restarts(logged, main)
    result += [_source(one) for one in sources]
    result += _hparams(facts, raw)
    return result


def main_series(logged: Sequence[Series]) -> Series | None:
    """The series that stands for the run's steps: the primary training loss, else the longest training loss, else the
    longest scalar, else the longest tensor; None where nothing has a history.
    """
    timed = [one for one in logged if one.role not in _UNTIMED]
    scalars = [one for one in timed if one.kind == "scalar" and one.role not in _NO_HISTORY] or timed

    def rank(one: Series) -> tuple[bool, bool, int]:
        training = one.labels.get("split", "train") == "train"
        return (training and "primary" in one.labels, training and one.role == "loss", len(one))

    return max(scalars, key=rank, default=None)


def _fact(name: str, role: str, steps: Ints, columns: Mapping[str, Floats], **more: object) -> Series:
    values: dict[str, object] = {
        "labels": {"certainty": "exact"},
        "wall_times": np.full(len(steps), np.nan),
        "segments": np.zeros(1, dtype=np.int64),
        **more,
    }
    return Series(
        name=PREFIX + name,
        tag=PREFIX + name,
        part="",
        kind="fact",
        role=role,
        reason="derived by mlcheck",
        steps=steps,
        columns=columns,
        **values,  # type: ignore[arg-type]
    )


# Clock


def _clock(logged: Sequence[Series], main: Series) -> list[Series]:
    """One row for each distinct step that anything logged on the main axis: value = its first wall time, in seconds.

    The rows are cut into sessions where the main series begins a segment (a restart or a new file). Each session after the first
    begins with a row of value NaN at its first step, so that a difference over the break is NaN: a pause between two processes is no
    stall. Every session is a segment. Column `evaluation` is 1 where a validation or test value was logged after the row before, up
    to this row: the time in between was spent on it. Rows whose wall time goes back within a session (clock changes, copied runs) are
    left out.
    """
    mine = [one for one in logged if one.axis == main.axis and one.role not in _UNTIMED]
    begins = main.wall_times[main.segments[1:]]
    begins = np.unique(begins[np.isfinite(begins)]) if len(begins) else begins
    rows = [_timed(one) for one in mine]
    # Rows of one step are one row in the end: with a single session they may meet before they are sorted.
    pieces = rows if len(begins) else _earliest(rows)
    steps = np.concatenate([piece[0] for piece in pieces])
    walls = np.concatenate([piece[1] for piece in pieces])
    if not len(walls):
        return []
    session = np.searchsorted(begins, walls, side="right")
    pieces_steps, pieces_walls, starts, length = [], [], [], 0
    for number_of_session in range(len(begins) + 1):
        its_steps, its_walls = _first_walls(steps, walls, session == number_of_session)
        if not len(its_steps):
            continue
        if length:
            its_steps, its_walls = np.append(its_steps[:1], its_steps), np.append(np.nan, its_walls)
        starts.append(length)
        length += len(its_steps)
        pieces_steps.append(its_steps)
        pieces_walls.append(its_walls)
    value = np.concatenate(pieces_walls)
    evaluated = _evaluated(logged, value)
    return [
        _fact(
            "clock",
            "clock",
            np.concatenate(pieces_steps),
            {"value": value, "evaluation": evaluated},
            wall_times=value,
            segments=np.array(starts, dtype=np.int64),
            labels={"certainty": "exact", "axis": main.axis},
        )
    ]


def _timed(one: Series) -> tuple[Ints, Floats]:
    """The steps and wall times of the rows whose wall time is known."""
    known = np.isfinite(one.wall_times)
    return (one.steps, one.wall_times) if known.all() else (one.steps[known], one.wall_times[known])


def _earliest(pieces: Sequence[tuple[Ints, Floats]]) -> list[tuple[Ints, Floats]]:
    """Pieces with the same steps as one, row by row the earliest wall time: most tags of a run are logged at the same steps."""
    groups: dict[tuple[int, int, int], list[tuple[Ints, Floats]]] = {}
    for steps, walls in pieces:
        if not len(steps):
            continue
        alike = groups.setdefault((len(steps), int(steps[0]), int(steps[-1])), [])
        for place, (others, earliest) in enumerate(alike):
            if others is steps or np.array_equal(others, steps):
                alike[place] = (others, np.minimum(earliest, walls))
                break
        else:
            alike.append((steps, walls))
    return [piece for alike in groups.values() for piece in alike] or [(np.empty(0, dtype=np.int64), np.empty(0))]


def _first_walls(steps: Ints, walls: Floats, chosen: Bools) -> tuple[Ints, Floats]:
    """Distinct steps of the chosen rows, ascending, each with its first wall time; those at which it goes back are left out."""
    steps, walls = steps[chosen], walls[chosen]
    # Concatenated ascending series: a stable sort of integers merges their runs instead of sorting anew.
    order = np.argsort(steps, kind="stable")
    steps, walls = steps[order], walls[order]
    begins = np.flatnonzero(np.append(True, np.diff(steps) != 0)[: len(steps)])
    if not len(begins):
        return steps, walls
    steps, walls = steps[begins], np.minimum.reduceat(walls, begins)
    forward = walls >= np.maximum.accumulate(walls)
    return steps[forward], walls[forward]


def _evaluated(logged: Sequence[Series], clock: Floats) -> Floats:
    walls = [one.wall_times for one in logged if one.labels.get("split") in ("val", "test")]
    known = np.sort(np.concatenate(walls)) if walls else np.empty(0)
    known = known[np.isfinite(known)]
    until = np.searchsorted(known, clock, side="right")
    before = np.concatenate([[0], until[:-1]])
    return (until > before).astype(np.float64)


# Restarts


def _restarts(logged: Sequence[Series], main: Series) -> list[Series]:
    """The events of the run's steps, one row each, by step; one row of value 0 where there is none.

    Columns: `value` 1 for a restart, repeated steps or steps that never advance, 0 where a new file merely goes on; `overlap`, how
    many distinct steps of the main series were logged before and again; `jump`, the level of a loss after / before at the resumed
    step (NaN where a level is unknown or not positive, and for what is no loss); `gap_s`, seconds without a record; `duplicates`,
    how many steps hold several different values of one series in one segment (the largest over the series); `stuck`, rows of the
    longest series whose steps never advance; `by_schedule`, 1 where nothing but a learning rate that begins anew tells of a restart.
    """
    rows = [_restart(main, int(start)) for start in main.segments[1:]] or _told_by_schedule(logged, main)
    judged = [one for one in logged if one.kind == "scalar" and one.role not in _NO_HISTORY] or [main]
    repeated = [(one, steps) for one in judged if len(steps := _repeated(one))]
    if repeated:
        one, steps = max(repeated, key=lambda pair: len(pair[1]))
        rows.append(_row(int(steps[0]), value=1.0, duplicates=float(len(steps))))
    stuck = [one for one in judged if len(one) >= STUCK_POINTS and one.steps.min() == one.steps.max()]
    if stuck and (main in stuck or len(stuck) == len(judged)):
        one = max(stuck, key=len)
        rows.append(_row(int(one.steps[0]), value=1.0, stuck=float(len(one))))
    if not rows:
        # A row that says so: a run whose steps went forward was checked, and is not one of which nothing is known.
        rows.append(_row(int(main.steps[0])))
    rows.sort(key=lambda row: row["step"])
    names = [name for name in rows[0] if name not in ("step", "wall")]
    return [
        _fact(
            "restart",
            "restart",
            np.array([row["step"] for row in rows], dtype=np.int64),
            {name: np.array([row[name] for row in rows]) for name in names},
            wall_times=np.array([row["wall"] for row in rows]),
            labels={"certainty": "exact", "axis": main.axis},
        )
    ]


def _row(step: int, wall: float = float("nan"), **columns: float) -> dict[str, float]:
    nothing = {
        "value": 0.0,
        "overlap": 0.0,
        "jump": float("nan"),
        "gap_s": float("nan"),
        "duplicates": 0.0,
        "stuck": 0.0,
        "by_schedule": 0.0,
    }
    return {"step": step, "wall": wall, **nothing, **columns}


def _restart(main: Series, start: int) -> dict[str, float]:
    step = int(main.steps[start])
    before = slice(0, start)
    overlap = len(distinct(main.steps[before][main.steps[before] >= step]))
    values = main.columns.get("value", np.empty(0))
    jump = float("nan")
    if len(values) and main.role == "loss":
        resumed = values[before][main.steps[before] <= step]
        level_before = _level(resumed[-4 * LEVEL_POINTS :], last=True)
        level_after = _level(values[start : start + 4 * LEVEL_POINTS], last=False)
        jump = level_after / level_before if level_before > 0 and level_after > 0 else jump
    gap = float(main.wall_times[start] - main.wall_times[start - 1])
    wall = float(main.wall_times[start])
    return _row(step, wall, value=float(overlap > 0), overlap=float(overlap), jump=jump, gap_s=gap)


def _told_by_schedule(logged: Sequence[Series], main: Series) -> list[dict[str, float]]:
    for one in logged:
        if one.role != "lr" or one.axis != main.axis:
            continue
        rates = one.columns["value"]
        known = np.flatnonzero(np.isfinite(rates))
        at = begins_anew(rates[known])
        start = 0 if at is None else int(np.searchsorted(main.steps, one.steps[known[at]]))
        if 0 < start < len(main):
            return [{**_restart(main, start), "gap_s": float("nan"), "by_schedule": 1.0}]
    return []


def _level(values: Floats, last: bool) -> float:
    finite = values[np.isfinite(values)]
    chosen = finite[-LEVEL_POINTS:] if last else finite[:LEVEL_POINTS]
    return median(chosen)


def _repeated(one: Series) -> Ints:
    """Steps with several different values; none for a series that stays at one step, which is told of as stuck."""
    found = steps_with_several_values(one)
    return found if len(found) and one.steps.min() != one.steps.max() else found[:0]


# Sources, hyperparameters


def _source(status: SourceStatus) -> Series:
    """One row: `value` 1 where the file is not whole, `bytes_lost`, `tail_only`, `unreadable`; label `source` is its path."""
    incomplete = status.status in ("partial", "unreadable")
    columns = {
        "value": float(incomplete),
        "bytes_lost": float(status.lost_bytes),
        "tail_only": float(incomplete and status.tail_only),
        "unreadable": float(status.status == "unreadable"),
    }
    return _single(f"source/{status.path}", "source", columns, {"source": status.path})


def _hparams(facts: Mapping[str, str | float | bool], raw: Sequence[Fact]) -> list[Series]:
    """One row for each hyperparameter that is a number: those of the closed list by their names, then others as files state them.

    A raw setting that several files state differently is left out.
    """
    known = {key: value for key, stated in facts.items() if (value := number(stated)) is not None}
    others: dict[str, set[float]] = {}
    for fact in raw:
        value = number(fact.value)
        if value is not None and fact.key not in known:
            others.setdefault(fact.key, set()).add(value)
    known |= {key: next(iter(values)) for key, values in others.items() if len(values) == 1}
    return [_single(f"hparam/{key}", "hparam", {"value": value}, {"metric": key}) for key, value in known.items()]


def _single(name: str, role: str, columns: Mapping[str, float], labels: Mapping[str, str]) -> Series:
    return _fact(
        name,
        role,
        np.zeros(1, dtype=np.int64),
        {key: np.array([value]) for key, value in columns.items()},
        labels={"certainty": "exact", **labels},
    )
