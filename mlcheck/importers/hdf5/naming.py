"""Places of data sets to tags and hints: what the path and the attributes say of a tensor, without its step."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mlcheck.importers.hdf5.attributes import NONE, Attributes
from mlcheck.importers.hdf5.failures import printable
from mlcheck.importers.hdf5.tree import Place
from mlcheck.importers.hdf5.words import (
    MODES,
    PARAMETER_WORDS,
    WRAPPERS,
    affix_collection,
    collection_word,
    worker_word,
)
from mlcheck.records import dataclass
from mlcheck.store.parameters import split_parameter
from mlcheck.store.series import Hints

_LAYER_WORDS = frozenset(
    {"embedding", "embeddings", "output", "outputs", "input", "inputs", "act", "activation", "label", "loss", "pred"}
)
"""Names of collections that are names of layers as well."""
_FORMATS = {"nhwc": "channels_last", "nchw": "channels_first", "nwc": "channels_last", "ncw": "channels_first"}


@dataclass(frozen=True, slots=True)
class Named:
    """A tensor's name."""

    tag: str
    hints: Hints
    is_group: bool
    """Its collection is a group of the file, not a data set of that name or a part of a name."""


def name_of(
    place: Place,
    around: Sequence[Attributes],
    *,
    is_keras: bool = False,
    axis: str | None = None,
    dtype: str | None = None,
) -> Named:
    """Tag and hints of the data set at a place from which the step was taken; `around` are its own attributes, then those of the
    groups above it, the nearest first. `axis` and `dtype` go into the hints as they are.
    """
    names = list(place)
    worker = _take(names, worker_word)
    at = _collection_at(names, is_keras)
    collection = collection_word(names[at]) if at is not None else None
    mode = None
    for index in {0, 1} if at == 0 else {0}:
        if index < len(names) - 1 and names[index].lower() in MODES and (at is None or index < at or index == at + 1):
            mode = MODES[names.pop(index).lower()]
            at = at - 1 if at is not None and index < at else at
            break
    is_group = at is not None and at < len(names) - 1
    if at is not None and is_group:
        own = names.pop(at)
        names.insert(0, collection if own.lower() in WRAPPERS and collection else own)
    if collection is None and names:
        collection = "weights" if is_keras else affix_collection(names[-1])
    tag = printable("/".join(names)) or printable("/".join(place)) or "value"
    hints = Hints(
        collection=collection,
        mode=_mode(around) or mode,
        worker=_stated(around, "worker", "rank") or worker,
        axis=axis,
        dtype=dtype,
        data_format=_data_format(around),
        function=_function(around),
    )
    return Named(tag, hints, is_group)


def _take(names: list[str], meaning: Any) -> str | None:
    """Take the first component with a meaning out of the names, never the last one; gives the meaning."""
    for index, name in enumerate(names[:-1]):
        found: str | None = meaning(name)
        if found is not None:
            del names[index]
            return found
    return None


def _collection_at(names: Sequence[str], is_keras: bool) -> int | None:
    """The component that names the collection. Keras calls layers like collections: there only whole-file words count."""
    is_parameter = bool(names) and _is_parameter(names[-1])
    for index, name in enumerate(names):
        lower = name.lower()
        if collection_word(lower) is None:
            continue
        if is_keras and lower not in WRAPPERS and lower != "optimizer":
            continue
        is_last = index == len(names) - 1
        if is_last and lower in PARAMETER_WORDS and len(names) > 1:
            continue
        if not is_last and is_parameter and lower in _LAYER_WORDS:
            continue
        return index
    return None


@lru_cache(maxsize=1 << 14)
def _is_parameter(name: str) -> bool:
    return split_parameter(f"x/{name}").param is not None


def _stated(around: Sequence[Attributes], *keys: str) -> str | None:
    for attributes in around:
        for key in keys:
            value = attributes.get(key)
            if isinstance(value, str | int | float) and str(value):
                return str(value)
    return None


def _mode(around: Sequence[Attributes]) -> str | None:
    value = _stated(around, "mode", "split")
    return MODES.get(value.lower(), value.lower()) if value else None


def _data_format(around: Sequence[Attributes]) -> str | None:
    value = _stated(around, "data_format")
    return _FORMATS.get(value.lower(), value.lower()) if value else None


def _function(around: Sequence[Attributes]) -> str | None:
    # An activation holds for the tensor or its own group, not for everything below the file.
    value = _stated(around[:2], "activation", "activation_function", "function")
    return value.lower().rsplit(".", 1)[-1] if value else None


def attributes_around(place: Place, own: Attributes, groups: Mapping[Place, Attributes]) -> list[Attributes]:
    """The attributes of a data set, then of each group above it."""
    if not groups:
        return [own] if own else []
    return [own, *(groups.get(place[:depth], NONE) for depth in range(len(place) - 1, -1, -1))]
