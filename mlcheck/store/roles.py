"""Tags to roles: what a series is, and its labels.

The closed list of roles and the ordered table of patterns are data (data/roles.toml, with a note on each); this module only applies
them. The first pattern that matches wins; the split comes from the file's own attribute, then from the tag, then from the part's
directories. What nothing matches has role `other`: no rule that asks for a role judges it.

Labels given here: split, layer, param, metric, group, freq, axis, better, certainty, act, worker, smoothed, sign. `primary` and
`order` need the whole run and are set by store/build.py.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Any, NamedTuple

from mlcheck.records import dataclass, field
from mlcheck.store import labels as words
from mlcheck.store.parameters import activation_function, once, split_parameter
from mlcheck.store.series import Hints
from mlcheck.store.tables import Pattern, table
from mlcheck.store.vocabulary import Vocabulary


class Assignment(NamedTuple):
    """What became of a tag."""

    role: str
    labels: dict[str, str]
    reason: str
    """The pattern, hint or override that decided."""


@dataclass(frozen=True, slots=True)
class RoleOverride:
    """A user's word on tags, from the configuration (`[tool.mlcheck.roles]`)."""

    pattern: str
    """Glob over the tag, or over the series' name with its directory; case matters."""
    role: str
    """One of `known_roles()`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that it sets beside the role, such as split or better."""


class Role(NamedTuple):
    """A role of the closed list."""

    better: str
    """lower, higher or none."""
    split: str
    """train, named, held or none; see roles.toml."""
    note: str


class _Pattern(NamedTuple):
    conditions: tuple[tuple[str, Pattern], ...]
    unless: Pattern | None
    bare: bool
    role: str
    labels: Mapping[str, str]
    certainty: str
    note: str


class _Table(NamedTuple):
    roles: Mapping[str, Role]
    scalars: tuple[_Pattern, ...]
    vocabulary: Vocabulary
    tensors: tuple[_Pattern, ...]


# `tag` stands last so that a group found in it, with its case kept, wins over one found in a normal form.
_SUBJECTS = ("part", "name", "core", "tag")

_MEASURED = frozenset(
    [
        "loss",
        "loss_component",
        "value_loss",
        "policy_loss",
        "elbo",
        "log_likelihood",
        "running_best",
        "metric",
        "error_metric",
        "entropy",
        "explained_variance",
        "episode_reward",
        "alternate_axis",
    ]
)
"""Roles of quantities, which carry `metric`, `freq` and `axis`."""

_COLLECTIONS = {
    "weight": "weight",
    "parameter": "weight",
    "param": "weight",
    "kernel": "weight",
    "bias": "weight",
    "gradient": "gradient",
    "grad": "gradient",
    "activation": "activation",
    "act": "activation",
    "output": "activation",
    "input": "input",
    "label": "label",
    "target": "label",
    "prediction": "prediction",
    "embedding": "embedding",
    "token": "token_ids",
    "optimizer": "optimizer_state",
    "optimizer_state": "optimizer_state",
    "loss": "loss",
    "metric": "metric",
}
"""By the singular of the name of a collection. A metric may have any direction: only its tag tells."""
_MODES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "eval": "val",
    "validation": "val",
    "test": "test",
    "predict": "test",
}
_LONG_NUMBER = re.compile(r"\d{4,}")
"""Numbers that no pattern tells apart (a test holds it): none names one of more than three digits."""
_DEVICE = Pattern(r"\b(?:gpu|cuda)[ :]?(\d+)\b", need=("any", ("gpu", "cuda")))


@cache
def _table() -> _Table:
    data = table("roles")
    roles = {name: Role(**entry) for name, entry in data["role"].items()}
    scalars = tuple(_pattern(entry) for entry in data["pattern"])
    vocabulary = Vocabulary([pattern.conditions[-1][1].pattern for pattern in scalars])
    return _Table(roles, scalars, vocabulary, tuple(_pattern(entry) for entry in data["tensor"]))


def _pattern(entry: Mapping[str, Any]) -> _Pattern:
    conditions = tuple((key, Pattern(entry[key], _flags(key))) for key in _SUBJECTS if key in entry)
    return _Pattern(
        conditions,
        Pattern(entry["unless"]) if "unless" in entry else None,
        bool(entry.get("bare", False)),
        entry["role"],
        entry.get("labels", {}),
        entry.get("certainty", "pattern"),
        entry.get("note", ""),
    )


def _flags(subject: str) -> re.RegexFlag:
    return re.IGNORECASE if subject == "tag" else re.NOFLAG


def known_roles() -> Mapping[str, Role]:
    """The closed list of roles, by name."""
    return _table().roles


def assign(
    tag: str, part: str = "", kind: str = "scalar", hints: Hints | None = None, overrides: Sequence[RoleOverride] = ()
) -> Assignment:
    """Role and labels of a tag.

    `part` is the directory relative to the run's, `kind` scalar or tensor. Hints of the importer (collection, mode, worker) win over
    what names say; an override wins over everything. Never raises: an odd tag has role `other`.
    """
    found = _assign(tag, part, kind)
    role, labels, reason = found.role, dict(found.labels), found.reason
    hints = hints or Hints()
    if hints.collection and kind == "tensor":
        role, labels, reason = _from_collection(tag, hints.collection.lower(), labels, Assignment(role, labels, reason))
    mode = _MODES.get((hints.mode or "").lower())
    if mode and _table().roles[role].split != "none":
        labels["split"] = mode
    if role == "activation" and hints.function:
        labels["act"] = hints.function.lower()
    if hints.axis and hints.axis != "step":
        labels.setdefault("axis", hints.axis)
    worker = hints.worker or words.worker_of_part(part)
    if worker is not None:
        labels["worker"] = worker
    for override in overrides:
        if fnmatchcase(tag, override.pattern) or (part and fnmatchcase(f"{part}/{tag}", override.pattern)):
            return _overridden(override, tag, part, labels)
    return Assignment(role, labels, reason)


_NARROWER = (("input", "token_ids"), ("weight", "gradient"))
"""What a collection says and what a name says beside it, where the name knows better: `params` with `fc1.weight.grad` in it."""


def _from_collection(tag: str, collection: str, labels: dict[str, str], found: Assignment) -> Assignment:
    role = _COLLECTIONS.get(_singular(collection))
    if role in (None, found.role, "loss", "metric") or (role, found.role) in _NARROWER:
        return found
    assert role is not None
    kept = {key: value for key, value in labels.items() if key in ("layer", "param", "worker")}
    if "layer" not in kept:
        kept.update(_parameter_labels(tag))
    if role == "activation":
        kept.setdefault("layer", once(_OUTPUT.sub("", tag)))
        kept.pop("param", None)
        function = activation_function(tag)
        if function:
            kept["act"] = function
    if _singular(collection) == "bias":
        kept["param"] = "bias"
    return Assignment(role, kept | {"certainty": "exact"}, f"collection {collection}")


_OUTPUT = Pattern(r"^(?:activations?|acts?|outputs?)[/._]|[./_](?:output|activation)s?(?:_\d+)?$", re.IGNORECASE)


def _singular(collection: str) -> str:
    if collection == "biases":
        return "bias"
    if collection == "losses":
        return "loss"
    return collection if collection == "bias" else collection.removesuffix("s")


def _overridden(override: RoleOverride, tag: str, part: str, labels: dict[str, str]) -> Assignment:
    core = words.take_split(words.normalise(tag))
    kept = {key: value for key, value in labels.items() if key in ("layer", "param", "group", "worker", "axis", "freq")}
    kept |= _common(override.role, core, part) | {"certainty": "exact"} | dict(override.labels)
    return Assignment(override.role, kept, f"set by the configuration: {override.pattern}")


@lru_cache(maxsize=65536)
def _assign(tag: str, part: str, kind: str) -> Assignment:
    if len(tag) > words.LONGEST:
        return Assignment("other", {"certainty": "guess"}, "name too long")
    core = words.take_split(words.normalise(tag))
    subjects = _subjects(tag, part, core)
    alike = _LONG_NUMBER.sub("0000", tag)
    pattern = _winner(kind, subjects) if alike == tag else _winner_of_alike(alike, part, kind)
    match = _match(pattern, subjects) if pattern else None
    if pattern is None or match is None:
        return Assignment("other", _common("other", core, part) | {"certainty": "guess"}, "nothing known matches")
    text, groups = match
    note = f" ({pattern.note})" if pattern.note else ""
    return Assignment(pattern.role, _labels(pattern, groups, core, part), f"{text!r} in its name{note}")


def _subjects(tag: str, part: str, core: words.Core) -> dict[str, str]:
    normal_part = "/".join(words.normalise(directory) for directory in part.split("/")) if part else ""
    return {"tag": tag, "name": core.name, "core": core.core, "part": normal_part}


@lru_cache(maxsize=4096)
def _winner_of_alike(tag: str, part: str, kind: str) -> _Pattern | None:
    """The pattern for all tags that differ in long numbers only: those of 20,000 experts or layers."""
    return _winner(kind, _subjects(tag, part, words.take_split(words.normalise(tag))))


def _winner(kind: str, subjects: Mapping[str, str]) -> _Pattern | None:
    """The first pattern that matches."""
    for pattern in _candidates(kind, subjects["name"], subjects["tag"]):
        if _match(pattern, subjects) is not None:
            return pattern
    return None


def _candidates(kind: str, name: str, tag: str) -> Iterable[_Pattern]:
    known = _table()
    if kind == "tensor":
        return known.tensors
    # Only capitals make a normal form differ from its tag in letters that stand together.
    text = name if tag.islower() else f"{name}\n{tag.lower()}"
    return [known.scalars[number] for number in known.vocabulary.candidates(text)]


def _match(pattern: _Pattern, subjects: Mapping[str, str]) -> tuple[str, dict[str, str]] | None:
    """The text and the groups that a pattern found, or None where it does not match."""
    groups: dict[str, str] = {}
    text = subjects["tag"]
    for subject, regex in pattern.conditions:
        found = regex.search(subjects[subject])
        if found is None:
            return None
        text = found.group().strip(" /")
        if regex.compiled.groupindex:
            groups |= {name: text for name, text in found.groupdict().items() if text}
    if pattern.bare:
        parameter = split_parameter(subjects["tag"])
        if parameter.param is None:
            return None
        groups["parameter"] = subjects["tag"]
    if pattern.unless is not None and pattern.unless.search(subjects["name"]):
        return None
    return text, groups


def _labels(pattern: _Pattern, groups: dict[str, str], core: words.Core, part: str) -> dict[str, str]:
    labels = _common(pattern.role, core, part)
    parameter = groups.pop("parameter", None)
    if parameter is not None:
        labels |= _parameter_labels(groups.pop("before", "") + parameter)
    owner = groups.pop("owner", None) or groups.pop("device", None)
    if owner is not None:
        groups.setdefault("group", owner)
    labels |= groups
    if "layer" in groups:
        labels["layer"] = once(groups["layer"])
    if pattern.role in ("gpu_util", "gpu_memory", "power") and "group" not in labels:
        device = _DEVICE.search(core.name)
        if device:
            labels["group"] = device.group(1)
    if pattern.role in ("activation", "input"):
        function = activation_function(labels.get("layer", "")) or activation_function(core.name)
        if function:
            labels["act"] = function
    labels |= pattern.labels
    labels["certainty"] = pattern.certainty
    return labels


def _parameter_labels(name: str) -> dict[str, str]:
    parameter = split_parameter(name)
    labels = {"layer": parameter.layer}
    if parameter.param:
        labels["param"] = parameter.param
    return labels


def _common(role_name: str, core: words.Core, part: str) -> dict[str, str]:
    """Split, direction, metric, frequency and axis."""
    role = _table().roles[role_name]
    labels: dict[str, str] = {}
    split = core.split or (words.split_of_part(part) if part else None)
    if role.split == "train":
        split = split or "train"
    elif role.split == "none" or (role.split == "held" and split == "train"):
        split = None
    if split:
        labels["split"] = split
    if role.better != "none" or role_name in ("loss_component", "value_loss", "policy_loss"):
        labels["better"] = role.better
    if role_name in _MEASURED:
        shape = words.shape_of(core.core)
        labels["metric"] = shape.metric
        if shape.freq:
            labels["freq"] = shape.freq
        if shape.axis:
            labels["axis"] = shape.axis
        elif role_name == "alternate_axis" and core.name.endswith("/time"):
            labels["axis"] = "time"
        if shape.smoothed:
            labels["smoothed"] = "true"
        loader = words.loader_of(core.core)
        if loader:
            labels["group"] = loader
    elif role_name in ("lr", "momentum", "weight_decay") and core.name.startswith("epoch "):
        labels |= {"axis": "epoch", "freq": "epoch"}
    return labels
