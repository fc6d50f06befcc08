"""Which column of a dump means what: the names that other tools write (`store.examples`), as one canonical name each."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from mlcheck.errors import did_you_mean
from mlcheck.store.examples import LABEL_ALIASES, TEXT_ALIASES, TEXT_TELLS
from mlcheck.updates.base import ComparisonError

if TYPE_CHECKING:
    import pyarrow as pa

Task = Literal["auto", "labels", "text"]


CANONICAL = (
    *("example_id", "step", "split", "label", "prediction", "scores", "logits", "score", "topk_index", "topk_score"),
    *("label_score", "weight", "group_id", "embedding", "role", "relevant_ids", "source", "speaker", "base_index"),
    *("reference", "hypothesis", "entities", "p_gen", "attn_entropy", "cov_loss", "copied", "src_len", "tgt_len"),
    "finish_reason",
)
"""Columns of the schema; all others are candidate slices."""


def task_of(schema: "pa.Schema") -> Task:
    """Whether a table with these columns is of texts or of labels."""
    if any(name in schema.names for name in TEXT_TELLS):
        return "text"
    # lm-eval: of tasks by likelihood it holds pairs of numbers.
    responses = "filtered_resps"
    spoken = schema.names.count(responses) == 1 and _is_strings(schema.field(responses).type)
    return "text" if spoken else "labels"


def resolve(schema: "pa.Schema", shown: str, told: Mapping[str, str], task: Task) -> dict[str, str]:
    """Canonical name to the name in the file, for what is there.

    A canonical name stands for itself; what the user told goes first. Raises ComparisonError for a told column that is not there, and where
    two columns could be meant.
    """
    names = list(schema.names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ComparisonError(
            f"{shown}: the column {twice[0]!r} is there {names.count(twice[0])} times; rename one of them"
        )
    found: dict[str, str] = {}
    for canonical, name in told.items():
        if canonical not in CANONICAL:
            hint = did_you_mean(canonical, CANONICAL) or "known: " + ", ".join(CANONICAL)
            raise ComparisonError(f"{canonical!r} is no column of the schema; {hint}")
        if name not in names:
            hint = did_you_mean(name, names) or "it has " + _listed(names)
            raise ComparisonError(f"{shown}: no column {name!r} (told for {canonical}); {hint}")
        found[canonical] = name
    taken = set(found.values())
    for canonical in CANONICAL:
        if canonical in names and canonical not in found and canonical not in taken:
            found[canonical] = canonical
    taken = set(found.values())
    aliases = TEXT_ALIASES if task == "text" else LABEL_ALIASES
    for canonical, candidates in aliases.items():
        if task == "text" and canonical == "hypothesis" and found.get("prediction") == "prediction":
            # `prediction` is the canonical name of a class; in a dump of texts it is the sentence.
            if "hypothesis" not in found and _FITS["strings"](schema.field("prediction").type):
                found["hypothesis"] = found.pop("prediction")
            continue
        if canonical in found:
            continue
        there = [
            one.name
            for one in candidates
            if one.name in names and one.name not in taken and _FITS[one.kind](schema.field(one.name).type)
        ]
        if len(there) > 1:
            raise ComparisonError(
                f"{shown}: both {there[0]!r} and {there[1]!r} could be {canonical!r}; say which, such as {canonical}={there[0]}, "
                "or rename one"
            )
        if there:
            found[canonical] = there[0]
    return found


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"


def is_list(kind: "pa.DataType") -> bool:
    """Whether a column of this type holds a list in each row."""
    import pyarrow.types as types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_text(kind: "pa.DataType") -> bool:
    """Whether a column of this type holds text."""
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind))


def is_number(kind: "pa.DataType") -> bool:
    """Whether a column of this type holds whole or floating-point numbers."""
    import pyarrow.types as types

    return bool(types.is_floating(kind) or types.is_integer(kind))


def _is_floats(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    return is_list(kind) and bool(types.is_floating(kind.value_type))


def _is_strings(kind: "pa.DataType") -> bool:
    return is_text(kind.value_type if is_list(kind) else kind)


_FITS: "Mapping[str, Callable[[pa.DataType], bool]]" = {
    "any": lambda kind: True,
    "list": is_list,
    "flat": lambda kind: not is_list(kind),
    "floats": _is_floats,
    "number": is_number,
    "strings": _is_strings,
}
