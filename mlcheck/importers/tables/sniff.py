"""What a file of text is: a table of a known writer, a table of a training run, or none of our business.

A data set is no run. A table is claimed by its writer's file name and columns, or because it has a column that counts steps, mostly
upwards, beside at least one quantity of training, and is no table of words.
"""

from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mlcheck.importers.tables import delimited, documents, jsonlines
from mlcheck.importers.tables.cells import Numbers
from mlcheck.importers.tables.columns import Gather, Table
from mlcheck.importers.tables.delimited import Dialect, dialect_of
from mlcheck.importers.tables.lines import Damage, Lines, encoding_of
from mlcheck.importers.tables.writers import Writer, generic, writer_of
from mlcheck.records import dataclass, field, replace
from mlcheck.store.labels import any_validated
from mlcheck.store.roles import assign

HEAD = 1 << 16
"""Bytes that are looked at; sixteen times as many where a line is longer."""
SAMPLE_SERIES = 500
"""Series of which the role is asked for."""
UPWARDS = 0.9
"""Share of the rows whose step is not below that of the row before."""

TABULAR = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json"})
TEXTUAL = frozenset({".txt", ".log", ".dat", ".history", ".metrics", ""})
"""Files that are looked into only where their first bytes speak of steps."""
_SPEAKS_OF_STEPS = (b"epoch", b"step", b"iter", b"round", b"pass", b"batch")

QUANTITIES = frozenset(
    {
        "loss",
        "loss_component",
        "value_loss",
        "policy_loss",
        "elbo",
        "log_likelihood",
        "lr",
        "grad_norm",
        "episode_reward",
        "explained_variance",
        "clip_fraction",
        "metric",
        "error_metric",
    }
)
"""Roles that only a training run has (store/roles.py), unless they are a guess."""

Form = Literal["delimited", "lines", "records", "history"]


@dataclass(frozen=True, slots=True)
class Look:
    """What a file is."""

    form: Form | None
    writer: Writer
    format: str = "table"
    """As reports call it: csv, tsv, jsonl, json, trainer_state."""
    dialect: Dialect | None = None
    names: tuple[str, ...] = ()
    """Columns or keys that were seen."""
    refused: str | None = None
    """Why it is no run data; None: it is."""


@dataclass(slots=True)
class Contents:
    """What was read of a table."""

    gather: Gather
    damage: Damage = field(default_factory=Damage)
    notes: list[str] = field(default_factory=list)
    stated: dict[str, Any] = field(default_factory=dict)
    """Settings that stand in the file itself."""


def is_worth_a_look(path: Path, head: bytes) -> bool:
    """Whether a file may be a table, by its name and at most 64 of its first bytes."""
    suffix = path.suffix.lower()
    if suffix in TABULAR:
        return True
    if suffix not in TEXTUAL:
        return False
    text = head.lower()
    return b"".join(text.split())[:2] in (b'{"', b"[{") or any(word in text for word in _SPEAKS_OF_STEPS)


def look(path: Path) -> Look:
    """Find out what a file is. Raises OSError when it cannot be opened."""
    with path.open("rb") as file:
        head = file.read(HEAD)
        if head.count(b"\n") < 3:
            head += file.read(15 * HEAD)
        is_whole = not file.read(1)
    if path.name == "trainer_state.json":
        return Look("records", generic(), "trainer_state")
    if head.startswith(b"version https://git-lfs"):
        refused = "Git LFS pointer: the data was not downloaded; run `git lfs pull`"
        return Look(None, generic(), refused=refused)
    if not head.strip():
        return Look(None, generic(), refused="empty file")
    encoding, mark = encoding_of(head)
    body = head[mark:].decode("utf-8" if encoding == "utf-8-sig" else encoding, "replace").lstrip()
    found = _json(path, head, body) if body[:1] in ("{", "[") else _delimited(path, head, is_whole)
    if found.form is None or found.refused or found.writer.refuse:
        return found if found.refused else _refused(found, found.writer.refuse or "no table")
    sample = Contents(Gather(found.writer))
    _read_head(found, head, body, is_whole, sample)
    return _refused(found, _why_not(found, sample, path.stem))


def _refused(found: Look, reason: str | None) -> Look:
    return Look(found.form, found.writer, found.format, found.dialect, found.names, reason)


# Forms


def _delimited(path: Path, head: bytes, is_whole: bool) -> Look:
    dialect = dialect_of(head, is_whole)
    if dialect is None:
        return Look(None, generic(), refused="no table: no header above rows of numbers")
    parents = path.absolute().parent.as_posix()
    given = [name if not name.startswith("column ") else "" for name in dialect.names]
    writer = writer_of(path.name, given, parents)
    return Look("delimited", writer, "tsv" if dialect.delimiter == "\t" else "csv", dialect, dialect.names)


def _json(path: Path, head: bytes, body: str) -> Look:
    sample = Contents(Gather(generic()))
    first = body.split("\n", 1)[0].strip()
    if first.startswith("{") and (first.endswith("}") or path.suffix.lower() in (".jsonl", ".ndjson")):
        lines = head[: head.rfind(b"\n") + 1] or head
        jsonlines.Reader(sample.gather, sample.damage).read(Lines(BytesIO(lines)))
        if sample.gather.rows > 1 or (sample.gather.rows and path.suffix.lower() != ".json"):
            names = tuple(sample.gather.columns)
            return Look("lines", writer_of(path.name, names), "jsonl", names=names)
        if path.suffix.lower() != ".json":
            return Look(None, generic(), refused="no line is a JSON object")
    parsed = documents.parse(body)
    if isinstance(parsed.value, dict) and isinstance(parsed.value.get("log_history"), list):
        return Look("records", generic(), "trainer_state")
    if documents.records_of(parsed.value) is not None:
        return Look("records", generic(), "json")
    lists = documents.lists_of(parsed.value)
    if lists:
        return Look("history", replace(generic(), rows=True), "json", names=tuple(lists))
    return Look(None, generic(), refused="JSON that is no history: no list of records and no lists of numbers")


# Reading, whole files and heads of files


def read_lines(found: Look, lines: Lines, into: Contents) -> None:
    """Read a file of lines (delimited or JSON)."""
    into.damage = lines.damage
    if found.form == "lines":
        jsonlines.Reader(into.gather, into.damage, into.notes).read(lines)
    elif found.dialect is not None:
        start = found.dialect.stated.get("t_start")
        into.gather.start = float(start) if isinstance(start, int | float) else None
        into.stated = dict(found.dialect.stated)
        delimited.Reader(found.dialect, into.gather, into.damage, into.notes).read(lines)


def read_document(document: Any, into: Contents) -> None:
    """Read a parsed JSON document."""
    records, stated = documents.records_and_settings(document)
    if records is not None:
        into.stated = stated
        into_records = [jsonlines.flat(one) for one in records]
        jsonlines.add_records(into.gather, into_records, range(1, len(records) + 1))
        return
    lists = documents.lists_of(document)
    for name, values in lists.items():
        known = [at for at, value in enumerate(values) if value is not None]
        numbers = np.array([jsonlines.as_float(values[at]) for at in known], dtype=np.float64)
        into.gather.add(name, Numbers(np.array(known, dtype=np.int64), numbers), range(1, len(values) + 1))
    into.gather.end_block(max(map(len, lists.values()), default=0))


def _read_head(found: Look, head: bytes, body: str, is_whole: bool, into: Contents) -> None:
    if found.form in ("records", "history"):
        read_document(documents.parse(body).value, into)
        return
    end = len(head) if is_whole else head.rfind(b"\n") + 1
    read_lines(found, Lines(BytesIO(head[:end] if end else head)), into)


# A run or a data set


def _why_not(found: Look, sample: Contents, stem: str) -> str | None:
    """Why a table is no run data; None where it is."""
    writer, table = found.writer, sample.gather.table()
    if writer.name:
        return None
    is_history = found.form == "history"
    if table.step is None and not is_history and not _is_of_epochs(table):
        return "a table without a step-like column: call the one that counts `step`, `epoch` or `iteration`"
    if not table.series:
        return "a table without a column of numbers beside its step"
    columns = len(sample.gather.columns)
    if table.texts > columns / 2:
        return "a table of words: most columns hold text"
    if not is_history and table.step is not None and not _counts_upwards(table):
        return f"a table whose column {table.step!r} does not count upwards"
    if not _has_quantity(table, is_history, writer, stem):
        return "a table none of whose columns is a known quantity of training (loss, accuracy, lr, …)"
    return None


def _counts_upwards(table: Table) -> bool:
    longest = max(table.series, key=lambda one: len(one.steps))
    gaps = np.diff(longest.steps)
    if not len(gaps):
        return True
    return float((gaps >= 0).mean()) >= UPWARDS and bool((gaps > 0).any())


def _is_of_epochs(table: Table) -> bool:
    """Whether rows that nothing counts are epochs all the same: a loss of training and one of validation stand beside one another."""
    found = [assign(one.tag, "", "scalar", one.hints) for one in table.series[:SAMPLE_SERIES]]
    losses = {one.labels.get("split") for one in found if one.role == "loss" and one.labels.get("certainty") != "guess"}
    return not table.texts and "train" in losses and bool(losses & {"val", "test"})


def _has_quantity(table: Table, is_history: bool, writer: Writer, stem: str) -> bool:
    tags = [(one.tag, one.hints.mode) for one in table.series[:SAMPLE_SERIES]]
    if not is_history and any_validated(tags):
        return True
    for one in table.series[:SAMPLE_SERIES]:
        found = assign(writer.tag_of(one.tag, stem, len(table.series) == 1), "", "scalar", one.hints)
        known = found.role in QUANTITIES and found.labels.get("certainty") != "guess"
        if known and (not is_history or (len(one.steps) > 1 and found.role != "lr")):
            return True
    return False
