"""The public data of contextual query rewriting (alexa-dataset-contextual-query-rewrite), as dumps, with simple baselines.

Rastogi, Gupta, Chen and Mathias, Scaling Multi-Domain Dialogue State Tracking via Query Reformulation, NAACL 2019. The data themselves
are not part of mlcheck.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from mlcheck.records import dataclass
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.table import PredictionTable

MOST_BYTES = 256 << 20
FLAGS = ("zero", "locative", "nominal", "pronominal", "reorder")
"""Kinds of reference. The field is free text: `zero; zero with reorder`, a stray `z`."""


@dataclass(frozen=True)
class Record:
    """One turn that carries a reformulation."""

    uuid: str
    """Of the dialogue."""
    turn: int
    """Turn that carries the record: what a rewriter may know ends here."""
    base_index: int
    utterances: tuple[str, ...]
    """Of the whole dialogue."""
    speakers: tuple[str, ...]
    intent: str
    reference: str | None
    """None: no rewrite needed."""
    gold_slots: tuple[str, ...]
    slots: tuple[tuple[str, str, int], ...]
    """All annotated values of the dialogue: value, slot, turn."""
    crowd: tuple[str, ...]
    """Rewrites by crowd workers."""
    flags: frozenset[str]
    """Of FLAGS, and `other`."""

    @property
    def example_id(self) -> str:
        """Unique in a file."""
        return f"{self.uuid}:{self.turn}"


def read_records(path: Path, shown: str) -> list[Record]:
    """The records of a file, a single JSON array of dialogues. Raises ComparisonError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ComparisonError(f"{shown}: larger than {MOST_BYTES >> 20} MB; the public files have 1.4 MB")
        dialogues = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ComparisonError(f"{shown}: cannot be read: {error}") from None
    if not isinstance(dialogues, list):
        raise ComparisonError(f"{shown}: must be a JSON array of dialogues")
    found: list[Record] = []
    for number, dialogue in enumerate(dialogues):
        try:
            found += _records(dialogue)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ComparisonError(f"{shown}, dialogue {number}: not as in the public data: {error!r}") from None
    return found


def _records(dialogue: Mapping[str, Any]) -> Iterator[Record]:
    turns = dialogue["dialogue"]
    utterances = tuple(_text(turn["data"]["utterance"]) for turn in turns)
    slots = tuple(
        (value, slot, place)
        for place, turn in enumerate(turns)
        for slot, stated in (turn["data"].get("slots") or {}).items()
        for value in flat(stated)
    )
    for place, turn in enumerate(turns):
        record = turn.get("reformulation")
        if record is None:
            continue
        base_index = int(record["base_utt_idx"])
        if not 0 <= base_index < len(turns):
            raise IndexError(f"base_utt_idx {base_index} of {len(turns)} turns")
        yield Record(
            uuid=str(dialogue["scenario"]["uuid"]),
            turn=place,
            base_index=base_index,
            utterances=utterances,
            speakers=tuple(_text(one["turn"]) for one in turns),
            intent=str(dialogue["scenario"]["task"]["intent"]),
            reference=None if record["reformulated_utt"] is None else _text(record["reformulated_utt"]),
            gold_slots=tuple(flat(record.get("gold_slots"))),
            slots=slots,
            crowd=tuple(_text(one) for one in record.get("mturk_reformulations") or ()),
            flags=normalised_flags(record.get("flag")),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def flat(value: Any) -> Iterator[str]:
    """The texts of a slot: one, a list of them, or lists of lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from flat(one)


def normalised_flags(text: str | None) -> frozenset[str]:
    """Kinds of reference: `z; pronominal with reorder` is zero, pronominal and reorder; what begins as none of them is other."""
    found = set()
    for part in (text or "").lower().split(";"):
        words = part.split()
        if words:
            found.add(next((flag for flag in FLAGS if flag.startswith(words[0])), "other"))
            found |= {word for before, word in pairwise(words) if before == "with" and word in FLAGS}
    return frozenset(found)


# Hypotheses


def copy_base(record: Record) -> str:
    """The base utterance as it is."""
    return record.utterances[record.base_index]


def previous_and_base(record: Record) -> str:
    """The turn before the base utterance, and that."""
    return " ".join(record.utterances[max(0, record.base_index - 1) : record.base_index + 1])


def whole_context(record: Record) -> str:
    """All turns up to the one that carries the record."""
    return " ".join(record.utterances[: record.turn + 1])


def gold(record: Record) -> str:
    """The reference; the base utterance where no rewrite is needed."""
    return copy_base(record) if record.reference is None else record.reference


BASELINES: Mapping[str, Callable[[Record], str]] = {
    "copy": copy_base,
    "previous": previous_and_base,
    "context": whole_context,
    "gold": gold,
}
"""Rewriters without a model, as yardsticks."""


def crowd_draw(records: Sequence[Record], seed: int) -> list[str | None]:
    """One rewrite by a crowd worker for each record, drawn at random; None where there is none."""
    generator = random.Random(seed)
    return [generator.choice(record.crowd) if record.crowd else None for record in records]


# As a dump


def as_dump(
    records: Sequence[Record],
    hypotheses: Sequence[str],
    *,
    path: str = "cqr",
    references: Literal["gold", "gold and crowd"] = "gold",
    crowd: int = 4,
    turns: Literal["record", "dialogue"] = "record",
) -> PredictionTable:
    """Records with a hypothesis each, in the columns of the schema `predictions/1`; the dialogue is the cluster.

    references: also the first `crowd` rewrites by crowd workers. turns: the source is what was said up to the record, or the whole
    dialogue.
    """
    import pyarrow as pa

    if len(records) != len(hypotheses):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(records)} records")
    several = references != "gold"
    ends = [len(one.utterances) if turns == "dialogue" else one.turn + 1 for one in records]
    entity = pa.struct([("value", pa.string()), ("type", pa.string()), ("turn", pa.int32()), ("gold", pa.bool_())])
    table = pa.table(
        {
            "example_id": [one.example_id for one in records],
            "group_id": [one.uuid for one in records],
            "source": [list(one.utterances[:end]) for one, end in zip(records, ends, strict=True)],
            "speaker": [list(one.speakers[:end]) for one, end in zip(records, ends, strict=True)],
            "base_index": pa.array([one.base_index for one in records], pa.int32()),
            "reference": pa.array(
                [
                    None if one.reference is None else [one.reference, *one.crowd[:crowd]] if several else one.reference
                    for one in records
                ],
                pa.list_(pa.string()) if several else pa.string(),
            ),
            "hypothesis": pa.array(hypotheses, pa.string()),
            "entities": pa.array([_entities(one) for one in records], pa.list_(entity)),
            "slice_intent": [one.intent for one in records],
            **{f"slice_{flag}": [flag in one.flags for one in records] for flag in (*FLAGS, "other")},
        }
    )
    return PredictionTable(path, table, {"schema": "predictions/1"})


def _entities(record: Record) -> list[dict[str, Any]]:
    """The gold values, and all other ones that the system's turns of the dialogue are annotated with."""
    wanted = [{"value": value, "type": "", "turn": None, "gold": True} for value in record.gold_slots]
    return wanted + [{"value": v, "type": slot, "turn": turn, "gold": False} for v, slot, turn in record.slots]
