"""The importer of tables: one for all writers."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlcheck.importers.base import unreadable
from mlcheck.importers.tables import documents, places
from mlcheck.importers.tables.columns import OF_EXPORTS, Gather, Table
from mlcheck.importers.tables.lines import Damage, Lines, encoding_of
from mlcheck.importers.tables.sniff import Contents, Look, is_worth_a_look, look, read_document, read_lines
from mlcheck.importers.tables.writers import Writer
from mlcheck.records import replace
from mlcheck.report import SourceStatus
from mlcheck.store import labels as words
from mlcheck.store.facts import facts_from_settings
from mlcheck.store.series import Fact, Imported, RawSeries

_PROGRESS = (
    "epoch",
    "global_step",
    "total_flos",
    "log_history",
    "is_local_process_zero",
    "is_world_process_zero",
    "t_start",
)
"""What a file states beside its settings."""


class TableImporter:
    """Reads CSV, TSV, JSON lines, trainer_state.json and histories; see sniff.py for which files are claimed."""

    format = "table"

    def claims(self, path: Path, head: bytes) -> bool:
        """By what the file's beginning is: more than its first 64 bytes are read where they and its name allow a table."""
        if not is_worth_a_look(path, head):
            return False
        try:
            return look(path).refused is None
        except OSError:
            return False

    def home(self, path: Path) -> Path:
        """The directory of the run that a table belongs to; see `places.home`."""
        return places.home(path)

    def superseded(self, paths: Sequence[Path]) -> Mapping[Path, str]:
        """Old copies among the tables of a run; see `places.superseded`."""
        return places.superseded(paths)

    def groups(self, paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
        """Tables of one directory by run; see `places.groups`."""
        return places.groups(paths)

    def read(self, path: Path, shown: str) -> Imported:
        """Every column of numbers; see `base.Importer.read`. Records are rows, the reason gives lines."""
        size = path.stat().st_size
        found = look(path)
        if found.refused is not None or found.form is None:
            return unreadable(shown, found.format, found.refused or "no table", size)
        contents = Contents(Gather(found.writer))
        if found.form in ("records", "history"):
            is_tail = _document(path, contents)
        else:
            with path.open("rb", buffering=0) as file:
                read_lines(found, Lines(file), contents)
            is_tail = contents.damage.tail
        table = contents.gather.table()
        status = _status(shown, found, contents, table, size, is_tail)
        series = tuple(_placed(one, found, path, len(table.series) == 1) for one in table.series)
        if any(name.endswith(OF_EXPORTS) for name in found.names):
            series = _of_one_run(series)
        if not found.writer.name and found.format != "trainer_state":
            series = _with_split(series, places.split_of_file(path))
        if found.form == "history" and "evals_result" in path.stem.lower():
            # So XGBoost and LightGBM call what they tell of the sets that they are evaluated on.
            contents.stated["evals_result"] = "true"
        facts = _facts(contents.stated, path.name)
        return Imported(status, series, facts, table.first_wall_time)


def _document(path: Path, into: Contents) -> bool:
    """Read a JSON document; whether only its end is missing."""
    with path.open("rb") as file:
        content = file.read(documents.LARGEST)
        rest = path.stat().st_size - len(content)
    encoding, mark = encoding_of(content)
    text = content[mark:].decode("utf-8" if encoding == "utf-8-sig" else encoding, "replace")
    parsed = documents.parse(text)
    read_document(parsed.value, into)
    if parsed.fault is not None:
        at, reason = parsed.fault
        before = text[:at]
        offset = mark + len(before.encode("utf-8", "replace"))
        lost = max(len(content) - offset, 1) + max(rest, 0)
        into.damage.lose(before.count("\n") + 1, offset, lost, reason, tail=parsed.is_cut)
    return parsed.is_cut and rest <= 0


def _status(shown: str, found: Look, contents: Contents, table: Table, size: int, is_tail: bool) -> SourceStatus:
    damage, rows = contents.damage, contents.gather.rows
    reasons = [_damage_text(found, damage)] if damage.rows else []
    reasons += [*contents.notes, *table.notes]
    lost = damage.bytes + table.lost_bytes
    state = "partial" if lost else "read"
    if not table.series:
        reasons.append("header only: no rows" if not rows else "no column of numbers beside the step")
        state = "unreadable" if damage.rows else "read"
    return SourceStatus(
        path=shown,
        format=found.format,
        status=state,  # type: ignore[arg-type]
        records=rows,
        reason="; ".join(reasons) or None,
        offset=damage.offset,
        bytes=size,
        lost_bytes=lost,
        tail_only=bool(damage.rows) and is_tail and not table.lost_bytes,
    )


def _damage_text(found: Look, damage: Damage) -> str:
    if found.form in ("records", "history"):
        return f"line {damage.line:,}: {damage.reason}; what stands before it is read"
    return damage.text("line" if found.form == "lines" else "row")


# Tags


def _placed(one: RawSeries, found: Look, path: Path, is_alone: bool) -> RawSeries:
    """The series under its tag: as the writer's event files call it, or as the file's name says."""
    writer = found.writer
    tag = writer.tag_of(one.tag, path.stem, is_alone)
    if found.format == "trainer_state":
        tag = _tag_of_trainer(tag)
    elif writer.tag == "path":
        tag = _tag_of_path(tag, path, writer)
    elif writer.tag == "name":
        tag = _tag_of_name(path, writer)
    hints = one.hints
    if writer.worker:
        worker = re.match(writer.worker, path.name)
        hints = replace(hints, worker=worker[1] if worker else None)
    return replace(one, tag=tag, hints=hints)


def _of_one_run(series: tuple[RawSeries, ...]) -> tuple[RawSeries, ...]:
    """W&B exports curves as `run - tag`; where there is one run only, its name says nothing."""
    parts = [one.tag.partition(" - ") for one in series]
    if len({run for run, _, _ in parts}) != 1:
        return series
    return tuple(replace(one, tag=tag) for one, (_, _, tag) in zip(series, parts, strict=True))


def _with_split(series: tuple[RawSeries, ...], split: str | None) -> tuple[RawSeries, ...]:
    """Under `val/` in a table whose file stands for a split and whose columns name none."""
    if split is None or any(one.hints.mode or words.take_split(words.normalise(one.tag)).split for one in series):
        return series
    return tuple(replace(one, tag=f"{split}/{one.tag}") for one in series)


def _tag_of_trainer(key: str) -> str:
    """As Hugging Face's own TensorBoard callback names the keys of a log: `eval_loss` is `eval/loss`, `loss` is `train/loss`."""
    for split in ("eval", "test"):
        if key.startswith(f"{split}_"):
            return f"{split}/{key[len(split) + 1 :]}"
    return f"train/{key}"


def _tag_of_path(column: str, path: Path, writer: Writer) -> str:
    parents = "/" + path.absolute().parent.as_posix().strip("/") + "/"
    for below in writer.below:
        _, marker, rest = parents.rpartition(f"/{below}/")
        if marker:
            tag = f"{rest}{path.stem}"
            return tag if column == path.stem else f"{tag}/{column}"
    return column


def _tag_of_name(path: Path, writer: Writer) -> str:
    found = re.fullmatch(writer.pattern, path.name, re.IGNORECASE)
    if found is None:
        return path.stem
    run = found.groupdict().get("run")
    return f"{run}/{found['tag']}" if run and run != "." else found["tag"]


def _facts(stated: Mapping[str, Any], source: str) -> tuple[Fact, ...]:
    plain = {key: value for key, value in stated.items() if key not in _PROGRESS}
    return tuple(facts_from_settings(plain, source)) if plain else ()
