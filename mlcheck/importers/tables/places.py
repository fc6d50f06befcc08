"""Which run a table belongs to: tables that lie below the directory of their run, several tables in one directory, old copies."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mlcheck.importers.tables.sniff import TABULAR, look
from mlcheck.importers.tables.writers import Writer, normal, writer_of
from mlcheck.store import labels as words
from mlcheck.store.examples import said_by_model, why_no_run

CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_GLOBAL_STEP = re.compile(rb'"global_step"\s*:\s*(\d{1,18})')
_HEAD = 1 << 16
_FIRST_LINE = 1 << 20

ALIKE = 0.5
"""Share of the columns of two tables from which they cannot be of one run."""

STATE = "trainer_state.json"


def home(path: Path) -> Path:
    """The directory of the run that a table belongs to: above `checkpoint-500/`, above DVCLive's `plots/metrics/`; CatBoost's
    `learn_error.tsv` is as if it lay in `learn/`.
    """
    if path.name == STATE and CHECKPOINT.fullmatch(path.parent.name):
        return path.parent.parent
    if path.suffix == ".tsv":
        part = writer_of(path.name, ["iter"]).part
        if part is not None:
            return path.parent / part
        writer = writer_of(path.name, ["step"], path.absolute().parent.as_posix())
        for below in writer.below if writer.tag == "path" else ():
            parts = below.split("/")
            for above in (path.parent, *path.parent.parents):
                if list(above.parts[-len(parts) :]) == parts:
                    # `plots/metrics` lies in the run's directory, `dvclive` is it.
                    levels = len(parts) - (parts[0] == "dvclive")
                    return above.parents[levels - 1] if levels else above
    return path.parent


def refusal(path: Path) -> str | None:
    """Why a file that looks like a table is not read; None for other files."""
    try:
        found = look(path) if path.suffix.lower() in TABULAR else None
    except OSError:
        return None
    if found is None or found.refused is None:
        return None
    examples = said_by_model(_keys(path) if found.format == "jsonl" else found.names)
    return why_no_run(examples) if examples else found.refused


def _keys(path: Path) -> list[str]:
    """The keys of the first line of a file of JSON lines, also those of lists; none where it is too long to be looked at."""
    try:
        with path.open("rb") as file:
            row = json.loads(file.readline(_FIRST_LINE))
    except (OSError, ValueError, RecursionError):
        return []
    return list(row) if isinstance(row, dict) else []


def superseded(paths: Iterable[Path]) -> dict[Path, str]:
    """Old copies among the tables of one directory, each with the reason: a trainer writes its history into every checkpoint."""
    states = [path for path in paths if path.name == STATE]
    if len(states) < 2:
        return {}
    newest = max(
        states, key=lambda path: (_global_step(path), len(path.parts) == min(len(p.parts) for p in states), path)
    )
    reason = f"an older copy of the history in {newest.parent.name}/{newest.name}"
    return {path: reason for path in states if path != newest}


def _global_step(path: Path) -> int:
    try:
        with path.open("rb") as file:
            found = _GLOBAL_STEP.search(file.read(_HEAD))
    except OSError:
        return -1
    if found:
        return int(found[1])
    checkpoint = CHECKPOINT.fullmatch(path.parent.name)
    return int(checkpoint[1]) if checkpoint else -1


def event_directories(claimed: Mapping[Path, Sequence[tuple[Path, str]]]) -> dict[Path, Path]:
    """Directories of event files that belong to a Hugging Face trainer's run, each with the directory of that run.

    The trainer writes its events into `<output>/runs/<date>_<host>/`, a new one for each start, and its history into `<output>`. The
    history is that of the last start.
    """
    joined = {}
    for directory, files in claimed.items():
        if not any(path.name == STATE for path, _ in files):
            continue
        starts = [one for one in claimed if one.parent == directory / "runs" and _has_events(claimed[one])]
        if starts:
            joined[max(starts, key=lambda one: _started(claimed[one]))] = directory
    return joined


def _has_events(files: Sequence[tuple[Path, str]]) -> bool:
    return any(sort == "tensorboard" for _, sort in files)


def _started(files: Sequence[tuple[Path, str]]) -> tuple[int, str]:
    # `events.out.tfevents.<seconds>.<host>…`
    names = [path.name for path, sort in files if sort == "tensorboard"]
    times = [int(found[1]) for name in names if (found := re.search(r"tfevents\.(\d{9,11})", name))]
    return max(times, default=0), max(names, default="")


def groups(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Tables of one directory that holds nothing else, by the run that they are of.

    `loss.csv` and `accuracy.csv` are one run, `train_log.csv` and `val_log.csv` too. `resnet.csv` and `vgg.csv` with the same columns
    are two.
    """
    together = {paths[0].parent.name: list(paths)}
    if len({path.parent for path in paths}) > 1:
        return together
    own: list[Path] = []
    by_stem: dict[str, list[tuple[Path, frozenset[str]]]] = {}
    for path in paths:
        found = look(path)
        if found.writer.own or found.format == "trainer_state":
            own.append(path)
            continue
        stem = words.take_split(words.normalise(path.stem))
        key = stem.name
        if split_of_file(path):
            key = "" if stem.core == stem.name else stem.core
        by_stem.setdefault(key, []).append((path, quantities(found.names, found.writer)))
    sets = [frozenset().union(*(columns for _, columns in members)) for members in by_stem.values()]
    if own or not _are_alike(sets):
        return together
    return {members[0][0].stem: [path for path, _ in members] for members in by_stem.values()}


def _are_alike(sets: Sequence[frozenset[str]]) -> bool:
    """Whether any two tables hold the same columns, for the most part."""
    for at, one in enumerate(sets):
        for other in sets[:at]:
            smaller = min(len(one), len(other))
            if smaller and len(one & other) >= ALIKE * smaller:
                return True
    return False


def quantities(names: Iterable[str], writer: Writer) -> frozenset[str]:
    """The columns that are neither steps nor times nor splits, in normal form."""
    others = {*writer.stamps, *writer.elapsed, *writer.modes}
    return frozenset(one for name in names if (one := normal(name)) not in others and not writer.is_step(name))


_SPLIT_FILE = re.compile(
    r"(?:(?:log|logs|metrics?|results?|history|loss|losses|stats|curves?|scores?|epoch|step|csv|[ /_])*)"
)


def split_of_file(path: Path) -> str | None:
    """The split that a table's file name stands for: `val_log.csv`, `train.csv`. `test_run_3.csv` may be a trial of something."""
    found = words.take_split(words.normalise(path.stem))
    if found.split is None:
        return None
    rest = "" if found.core == found.name else found.core
    return found.split if found.split != "test" or _SPLIT_FILE.fullmatch(rest) else None
