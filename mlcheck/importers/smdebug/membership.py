"""Collections: which tensors the user or smdebug put under which name."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mlcheck.importers.found import FoundFile

LARGEST = 64 << 20
"""Bytes of a collections or index file."""

# Those that smdebug makes itself and that say what a tensor is; `all` and `default` say nothing.
_STANDARD = (
    "weights",
    "biases",
    "gradients",
    "losses",
    "metrics",
    "scalars",
    "labels",
    "predictions",
    "feature_importance",
    "average_shap",
    "full_shap",
    "trees",
    "hyperparameters",
    "optimizer_variables",
    "searchable_scalars",
    "inputs",
    "outputs",
    "layers",
)
_EMPTY = frozenset({"all", "default"})

SCALARS = frozenset({"losses", "metrics", "scalars", "searchable_scalars", "sm_metrics"})
"""Collections of single numbers."""


class Broken(ValueError):
    """A file that is not what its name says."""


class Collections(NamedTuple):
    """What the collection files of all workers say."""

    names: Mapping[str, str]
    """Tensor to collection."""
    patterns: Sequence[tuple[str, str]]
    """Collection and pattern, the collections that say most first."""
    workers: int
    """How many workers saved something; 0 where it is not said."""


DEFAULT = Collections(
    {},
    (
        ("gradients", "^gradient/"),
        ("weights", "^(?!gradient).*weight"),
        ("biases", "^(?!gradient).*bias"),
        ("losses", "[Ll]oss_(?!input).*output"),
        ("labels", "^labels$"),
        ("predictions", "^predictions$"),
    ),
    0,
)
"""What smdebug's collections hold by default, for trials whose own are lost."""

LONGEST_NAME = 1000
"""Characters of a tensor's name that patterns are tried on."""

# What smdebug's own collections look for: some have look-arounds, which a matcher in linear time does not know.
_OWN_PATTERNS = {
    one: re.compile(one)
    for one in (
        r"^(?!gradient).*weight",
        r"^(?!gradient).*bias",
        r"[Ll]oss_(?!input).*output",
        r".*loss._(?!input).*output",
        r"^gradient/",
        r"^labels$",
        r"^predictions$",
        r"^[a-zA-z]+-.+(?<!(auc|map))$",
    )
}


class Lookup:
    """The collection of each tensor: by its name, else by the first pattern that matches.

    Patterns come from a file, and Python's own matcher can be made to run for ever: they go to RE2 (through pyarrow), whose time is
    linear. What RE2 does not know is not applied, and said in `unusable`.
    """

    def __init__(self, collections: Collections) -> None:
        self._found: dict[str, str | None] = dict(collections.names)
        self._patterns = list(collections.patterns)
        self.unusable: list[str] = []
        """Patterns that could not be applied, with their collections."""

    def of(self, tag: str) -> str | None:
        """The collection of a tensor; None where it is in none that says something."""
        if tag not in self._found:
            self.learn([tag])
        return self._found[tag]

    def learn(self, tags: Iterable[str]) -> None:
        """Look many tensors up at once, which is faster."""
        new = [tag for tag in dict.fromkeys(tags) if tag not in self._found]
        for name, pattern in list(self._patterns) if new else ():
            new = [tag for tag in new if tag not in self._found]
            if not new:
                return
            try:
                matches = _search(pattern, new)
            except ValueError:
                self._patterns.remove((name, pattern))
                self.unusable.append(f"{pattern!r} of the collection {name}")
                continue
            self._found |= {tag: name for tag, is_one in zip(new, matches, strict=True) if is_one}
        self._found = {**dict.fromkeys(new), **self._found}


def _search(pattern: str, tags: Sequence[str]) -> list[bool]:
    """Whether the pattern is found in each tag. Raises ValueError for a pattern that RE2 does not know."""
    fit = [tag if len(tag) <= LONGEST_NAME else "" for tag in tags]
    own = _OWN_PATTERNS.get(pattern)
    if own is not None:
        return [own.search(tag) is not None for tag in fit]
    import pyarrow as pa
    import pyarrow.compute as pc

    matches: list[bool] = pc.match_substring_regex(pa.array(fit, pa.string()), pattern=pattern).to_pylist()
    return matches


def read_json(file: FoundFile) -> dict[str, Any]:
    """The mapping in a JSON file. Raises Broken, and OSError where the file cannot be opened."""
    with open(file.path, "rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Broken(f"larger than {LARGEST >> 20} MB")
    try:
        data = json.loads(content)
    except json.JSONDecodeError as error:
        raise Broken(f"no JSON at line {error.lineno:,}, column {error.colno:,}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise Broken("no JSON that can be read") from error
    if not isinstance(data, dict):
        raise Broken("no JSON object")
    return data


def collections_in(data: Mapping[str, Any]) -> Collections:
    """What one file says. Raises Broken."""
    stated = data.get("collections")
    if not isinstance(stated, dict):
        raise Broken("it names no collections")
    found = {str(name): one for name, one in stated.items() if isinstance(one, dict) and name not in _EMPTY}
    order = [name for name in _STANDARD if name in found] + [name for name in found if name not in _STANDARD]
    names: dict[str, str] = {}
    patterns: dict[tuple[str, str], None] = {}
    for name in order:
        for tensor in _texts(found[name].get("tensor_names")):
            names.setdefault(tensor, name)
        for pattern in _texts(found[name].get("include_regex")):
            patterns.setdefault((name, pattern))
    meta = data.get("_meta")
    workers = meta.get("num_workers") if isinstance(meta, dict) else 0
    return Collections(names, tuple(patterns), workers if isinstance(workers, int) else 0)


def joined(all_workers: Iterable[Collections]) -> Collections:
    """The collections of all workers."""
    names: dict[str, str] = {}
    patterns: dict[tuple[str, str], None] = {}
    workers = 0
    for one in all_workers:
        names = {**one.names, **names}
        patterns |= dict.fromkeys(one.patterns)
        workers = max(workers, one.workers)
    return Collections(names, tuple(patterns), workers)


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
