"""The rows of a dump of texts as examples: turns, base utterance, references, hypothesis and annotated entities."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlcheck.errors import did_you_mean
from mlcheck.records import dataclass
from mlcheck.updates.aliases import is_list, is_text
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.table import FIRST_OFFENDERS, PredictionTable


@dataclass(frozen=True)
class Entity:
    """One annotated value."""

    value: str
    """As it is annotated, outer spaces stripped."""
    gold: bool
    """Whether the rewrite must hold it; else it is another value of the dialogue."""
    seen: bool | None = None
    """Whether training data held it, where the dump says so."""


@dataclass(frozen=True)
class Example:
    """One row."""

    example_id: str
    split: str
    cluster: str
    """What is drawn together by the bootstrap."""
    turns: tuple[str, ...]
    """The source in turns; a single text is one turn; empty where the dump has no source."""
    speakers: tuple[str, ...]
    """Of each turn; empty where the dump does not say."""
    base_index: int | None
    """Turn that is rewritten; None where the dump has no `base_index`."""
    references: tuple[str, ...]
    """Empty: nothing to rewrite, or no references at all (`has_references` tells)."""
    hypothesis: str
    entities: tuple[Entity, ...] | None
    """Distinct values; None: not annotated."""

    @property
    def base(self) -> str:
        """The utterance that is rewritten. Only where there is a base_index."""
        assert self.base_index is not None
        return self.turns[self.base_index]

    @property
    def gold(self) -> tuple[Entity, ...]:
        """The values that a rewrite must hold."""
        return tuple(one for one in self.entities or () if one.gold)


def read_examples(dump: PredictionTable, cluster: str | None = None) -> list[Example]:
    """The examples of a dump, sorted by split and id, one row each (`table.final_rows` picks them).

    cluster: the column of clusters; None: `group_id`, and without it each example is its own. Raises ComparisonError for a hypothesis that
    is missing, a base_index outside of the turns, speakers that are not as many as turns, entities that are no entities.
    """
    if not dump.has("hypothesis"):
        raise ComparisonError(f"{dump.path}: no column of outputs (hypothesis, response); dump what the model wrote")
    for name in _TEXTS:
        _check_texts(dump, name)
    column = cluster_column(dump, cluster)
    columns = {name: _values(dump, name) for name in (*_COLUMNS, *([column] if column else []))}
    columns["base_index"] = _whole(dump, "base_index", columns["base_index"])
    ids = [str(one) for one in columns["example_id"]]
    splits = ["eval" if one is None else str(one) for one in columns["split"]]
    sources, speakers = ([_turns(one) for one in columns[name]] for name in ("source", "speaker"))
    entities = [_entities(one) for one in columns["entities"]]
    _check_rows(dump, ids, columns, sources, speakers)
    _check(dump, ids, [one == () and given for one, given in entities], _NO_ENTITIES.format(dump.named("entities")))
    clusters = columns[column] if column else [None] * len(ids)
    found = [
        Example(
            example_id=ids[row],
            split=splits[row],
            # An example without a cluster is alone, and no cluster may be called as an example is.
            cluster=f"example {splits[row]} {ids[row]}" if clusters[row] is None else f"cluster {clusters[row]}",
            turns=sources[row],
            speakers=speakers[row],
            base_index=columns["base_index"][row],
            references=tuple(one for one in _texts(columns["reference"][row]) if one is not None),
            hypothesis=str(columns["hypothesis"][row]),
            entities=None if columns["entities"][row] is None else entities[row][0],
        )
        for row in range(len(ids))
    ]
    return sorted(found, key=lambda one: (one.split, one.example_id))


def _check_rows(
    dump: PredictionTable,
    ids: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    sources: Sequence[tuple[str, ...]],
    speakers: Sequence[tuple[str, ...]],
) -> None:
    _check(dump, ids, [one is None for one in columns["hypothesis"]], f"{dump.named('hypothesis')!r} is missing")
    if dump.has("base_index"):
        bases = columns["base_index"]
        outside = [b is None or not 0 <= b < len(s) for b, s in zip(bases, sources, strict=True)]
        _check(dump, ids, outside, f"{dump.named('base_index')!r} is no turn of {dump.named('source')!r}")
    if dump.has("speaker"):
        uneven = [len(who) != len(turns) for who, turns in zip(speakers, sources, strict=True)]
        _check(dump, ids, uneven, f"{dump.named('speaker')!r} has not one entry for each turn")


_TEXTS = ("source", "speaker", "reference", "hypothesis")
_COLUMNS = ("example_id", "split", "source", "speaker", "base_index", "reference", "hypothesis", "entities")
_NO_ENTITIES = "{!r} must hold texts, or objects with `value` (text) and `gold` (true or false); some do not"


def cluster_column(dump: PredictionTable, cluster: str | None) -> str | None:
    """The column of clusters: the told one, else `group_id`; None: each example is its own. Raises ComparisonError."""
    if cluster is None:
        return "group_id" if dump.has("group_id") else None
    if not dump.has(cluster):
        hint = did_you_mean(cluster, dump.table.column_names) or "it has " + ", ".join(dump.table.column_names[:12])
        raise ComparisonError(f"{dump.path}: no column {cluster!r} of clusters; {hint}")
    return cluster


def _values(dump: PredictionTable, name: str) -> list[Any]:
    """A column as Python values; all None where the dump does not have it."""
    if not dump.has(name):
        return [None] * len(dump.table)
    return list(dump.table.column(name).to_pylist())


def _check_texts(dump: PredictionTable, name: str) -> None:
    """Refuse a column that holds neither texts nor lists of them; one of nulls alone may be either."""
    import pyarrow.types as types

    if not dump.has(name):
        return
    stated = dump.table.schema.field(name).type
    kind = stated.value_type if is_list(stated) else stated
    if not (is_text(kind) or types.is_null(kind)) or (name == "hypothesis" and is_list(stated)):
        what = "texts" if name == "hypothesis" else "texts or lists of texts"
        raise ComparisonError(f"{dump.path}: column {dump.named(name)!r} must hold {what}; it holds {stated}")


def _whole(dump: PredictionTable, name: str, values: list[Any]) -> list[int | None]:
    """Whole numbers, also where a missing one made all of them floating-point."""
    import pyarrow as pa

    if not dump.has(name):
        return values
    try:
        return list(dump.table.column(name).cast(pa.int64()).to_pylist())
    except pa.ArrowException:
        stated = dump.table.schema.field(name).type
        raise ComparisonError(
            f"{dump.path}: column {dump.named(name)!r} must hold whole numbers; it holds {stated}"
        ) from None


def _texts(value: Any) -> list[str | None]:
    """A text, or several; none of them."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _turns(value: Any) -> tuple[str, ...]:
    """The same with nothing for what is null, so that each turn stays in its place."""
    return tuple(one or "" for one in _texts(value))


def _entities(value: Any) -> tuple[tuple[Entity, ...], bool]:
    """The entities of a row, distinct as they are annotated; and whether something was given that is none: then they are empty."""
    if value is None:
        return (), False
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return (), True
    if not isinstance(value, list):
        return (), True
    found: dict[str, Entity] = {}
    for one in value:
        entity = _entity(one)
        if entity is None:
            return (), True
        # A value that is annotated as needed and as another one of the dialogue is needed.
        if entity.value and (entity.value not in found or (entity.gold and not found[entity.value].gold)):
            found[entity.value] = entity
    return tuple(found.values()), False


def _entity(value: Any) -> Entity | None:
    if isinstance(value, str):
        return Entity(value.strip(), gold=True)
    if not isinstance(value, Mapping) or not isinstance(value.get("value"), str):
        return None
    gold, seen = value.get("gold"), value.get("seen")
    if not isinstance(gold, bool) or not isinstance(seen, bool | None):
        return None
    return Entity(value["value"].strip(), gold=gold, seen=seen)


def _check(dump: PredictionTable, ids: Sequence[str], bad: Sequence[bool], what: str) -> None:
    """Raise ComparisonError with the count and the first ids of the rows that are bad."""
    offenders = sorted(one for one, is_bad in zip(ids, bad, strict=True) if is_bad)
    if offenders:
        raise ComparisonError(f"{dump.path}: {what} in {len(offenders):,} of {len(ids):,} rows: {first_of(offenders)}")


def first_of(ids: Sequence[str]) -> str:
    """The first ids, for messages."""
    return ", ".join(ids[:FIRST_OFFENDERS]) + (" …" if len(ids) > FIRST_OFFENDERS else "")


def check_same_questions(old: PredictionTable, new: PredictionTable, pairs: Iterable[tuple[Example, Example]]) -> None:
    """Refuse two dumps whose joined examples have other references or other gold entities: their scores would not be comparable.

    What only one of them states is taken for both. Raises ComparisonError with the count and the first ids.
    """
    both = list(pairs)
    asked: list[tuple[str, Callable[[Example], object]]] = [
        ("reference", lambda one: one.references),
        ("entities", lambda one: None if one.entities is None else frozenset(one.gold)),
    ]
    for name, asked_of in asked:
        if not (old.has(name) and new.has(name)):
            continue
        differ = sorted(mine.example_id for theirs, mine in both if asked_of(theirs) != asked_of(mine))
        if differ:
            raise ComparisonError(
                f"{old.path} and {new.path}: {new.named(name)!r} differs in {len(differ):,} of {len(both):,} joined rows: "
                f"{first_of(differ)}; score both models on the same references"
            )
