"""Logs of labelled runs written anew: other words for the same things, fewer rows, other columns, another format.

What is wrong with a run does not change with the words that it is logged under, so the verdict should not either.
"""

import csv
import io
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

_TEXTS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".log", ".txt", ".out"})
_AXES = frozenset(
    (
        *(
            "epoch",
            "step",
            "iteration",
            "iter",
            "round",
            "global_step",
            "update",
            "batch",
            "time",
            "wall_time",
            "timestamp",
        ),
        *("tag", "name", "value", "split", "metric", "seconds", "elapsed", "phase", "stage", "set", "dataset", "key"),
    )
)
"""Columns that say where a row belongs: without them it is another log, not a poorer one."""

Change = Callable[[str, random.Random], str]
"""From the text of a log to another; the same text where it cannot be changed."""


def _word(words: str, other: str) -> Change:
    pattern = re.compile(rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])", re.IGNORECASE)
    return lambda text, _: pattern.sub(other, text)


def _rows(keep: Callable[[list[str]], list[str]]) -> Change:
    def change(text: str, _: random.Random) -> str:
        head, *rows = text.splitlines()
        if head.startswith("{"):
            return "\n".join(keep([head, *rows])) + "\n"
        return "\n".join([head, *keep([row for row in rows if row])]) + "\n"

    return change


def _dropped(text: str, rng: random.Random) -> str:
    """A third of the columns, at least one, is not there."""
    if text.startswith("{"):
        rows = [json.loads(line) for line in text.splitlines() if line]
        names = {key for row in rows for key, value in row.items() if isinstance(value, int | float)}
        gone = _some(names, rng)
        return "".join(json.dumps({key: value for key, value in row.items() if key not in gone}) + "\n" for row in rows)
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    table = list(csv.reader(io.StringIO(text), delimiter=separator))
    if len(table[0]) < 4 or any(len(row) != len(table[0]) for row in table):
        return text
    gone = _some(set(table[0][1:]), rng)
    kept = [at for at, name in enumerate(table[0]) if name not in gone]
    into = io.StringIO()
    csv.writer(into, delimiter=separator, lineterminator="\n").writerows([row[at] for at in kept] for row in table)
    return into.getvalue()


def _some(names: set[str], rng: random.Random) -> set[str]:
    free = sorted(name for name in names if name.strip().lower() not in _AXES)
    return set(rng.sample(free, max(1, len(free) // 3))) if len(free) > 1 else set()


CHANGES: dict[str, tuple[str, frozenset[str], Change]] = {
    "test": ("validation called test", _TEXTS, _word("validation|valid|val|eval|dev", "test")),
    "holdout": ("validation called holdout", _TEXTS, _word("validation|valid|val|eval|dev|test", "holdout")),
    "validation": ("validation spelled out", _TEXTS, _word("valid|val|eval|dev|test", "validation")),
    "acc": ("accuracy called acc", _TEXTS, _word("accuracy", "acc")),
    "top1": ("accuracy called top1", _TEXTS, _word("accuracy|acc", "top1")),
    "objective": ("the loss called objective", _TEXTS, _word("loss", "objective")),
    "half": (
        "the first half of the rows",
        frozenset({".csv", ".tsv", ".jsonl", ".ndjson"}),
        _rows(lambda x: x[: max(1, len(x) // 2)]),
    ),
    "second": ("every second row", frozenset({".csv", ".tsv"}), _rows(lambda rows: rows[::2])),
    "third": ("every third row", frozenset({".csv", ".tsv"}), _rows(lambda rows: rows[::3])),
    "columns": ("two thirds of the columns", frozenset({".csv", ".tsv", ".jsonl", ".ndjson"}), _dropped),
}
"""By name: what it does, the files that it is for, and how."""

EVENTS = "events"
"""The change of format: all scalars as TensorBoard events."""


def rewritten(run: Path, change: str, into: Path) -> Path | None:
    """The run, written anew below `into`; None where there is nothing to change.

    Raises `OSError` where a file cannot be read or written.
    """
    shutil.rmtree(into, ignore_errors=True)
    if change == EVENTS:
        return _as_events(run, into / run.name)
    _, suffixes, how = CHANGES[change]
    shutil.copytree(run, into / run.name)
    changed = False
    for file in _files(into / run.name):
        if file.suffix in suffixes:
            text = file.read_text(errors="surrogateescape")
            other = how(text, random.Random(f"{run}{change}")) if text.strip() else text
            if other != text:
                file.write_text(other, errors="surrogateescape")
                changed = True
    return into / run.name if changed else None


def _as_events(run: Path, into: Path) -> Path | None:
    """Texts of one directory alone: others have a layout that would be lost."""
    files = list(_files(run))
    if not files or any(file.suffix not in _TEXTS for file in files):
        return None
    import numpy as np
    from torch.utils.tensorboard import SummaryWriter

    from mlcheck import api

    runs = list(api.load(run))
    scalars = [one for one in runs[0].series if one.kind == "scalar"] if len(runs) == 1 else []
    if not scalars or len({one.part for one in scalars}) != 1:
        return None
    writer = SummaryWriter(str(into))
    for one in scalars:
        for step, value, time in zip(one.steps, one.columns["value"], one.wall_times, strict=True):
            writer.add_scalar(
                one.tag, value, int(step), walltime=1.7e9 + float(step) if np.isnan(time) else float(time)
            )
    writer.close()
    return into


def _files(directory: Path) -> Iterator[Path]:
    return (file for file in sorted(directory.rglob("*")) if file.is_file())
