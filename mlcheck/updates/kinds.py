"""What the columns of a dump must hold, checked before anything is computed of them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mlcheck.updates.aliases import is_list, is_number, is_text
from mlcheck.updates.base import ComparisonError

if TYPE_CHECKING:
    import pyarrow as pa


def _decoded(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow.types as types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_whole_or_text(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    return is_text(kind) or bool(types.is_integer(kind))


def _is_simple(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    return is_text(kind) or is_number(kind) or bool(types.is_boolean(kind))


def _of(inner: "Callable[[pa.DataType], bool]") -> "Callable[[pa.DataType], bool]":
    return lambda kind: is_list(kind) and inner(kind.value_type)


def _is_class(kind: "pa.DataType") -> bool:
    return _is_simple(kind) or _of(_is_simple)(kind)


KINDS: "Mapping[str, tuple[str, Callable[[pa.DataType], bool]]]" = {
    "example_id": ("text or whole numbers", lambda kind: is_text(kind) or is_number(kind)),
    "step": ("whole numbers", is_number),
    "split": ("text", _is_simple),
    "group_id": ("text or numbers", _is_simple),
    "label": ("classes, numbers or lists of classes", _is_class),
    "prediction": ("classes, numbers or lists of classes", _is_class),
    "scores": ("lists of numbers, one for each class (one number each is `score`)", _of(is_number)),
    "logits": ("lists of numbers, one for each class", _of(is_number)),
    "topk_index": ("lists of classes", _of(_is_whole_or_text)),
    "topk_score": ("lists of numbers", _of(is_number)),
    "score": ("numbers", is_number),
    "label_score": ("numbers", is_number),
    "weight": ("numbers", is_number),
}
"""Canonical column to what it must hold."""


def with_known_kinds(table: "pa.Table", shown: str, aliases: Mapping[str, str]) -> "pa.Table":
    """The table without columns that hold nothing at all, dictionaries of canonical columns as their values.

    Raises ComparisonError for a canonical column of another type than it must have.
    """
    import pyarrow.types as types

    for name, (expected, fits) in KINDS.items():
        if name not in table.column_names:
            continue
        index = table.column_names.index(name)
        kind = table.schema.field(index).type
        if types.is_null(kind) and name != "example_id":
            table = table.remove_column(index)
            continue
        plain = _decoded(kind)
        if not (fits(plain) or types.is_null(kind)):
            raise ComparisonError(f"{shown}: column {aliases.get(name, name)!r} must hold {expected}; it holds {kind}")
        if plain is not kind:
            table = table.set_column(index, name, table.column(index).cast(plain))
    return table
