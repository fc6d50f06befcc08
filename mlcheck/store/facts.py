"""Run facts: the closed list of what a run says of itself, drawn from what its files state.

Which keys state which fact is data (data/facts.toml). A fact is never guessed: where sources disagree, or say nothing, it is absent.
"""

import math
import re
from collections.abc import Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from mlcheck.store.series import Fact, Series
from mlcheck.store.tables import table

Value = str | float | bool

FACTS_IN_FILE = 2000
"""Settings that are read of one file: a larger file is data."""
FILE_BYTES = 1_000_000
"""Bytes of a settings file that is read at all."""
DEPTH = 12
"""Levels of nesting that are looked into."""

_ELSEWHERE = frozenset(
    [
        *("eval", "evaluation", "val", "valid", "validation", "test", "predict", "inference", "generation_config"),
        *("env", "environment", "env_config", "env_kwargs", "_wandb"),
    ]
)
"""Settings nested under these are not those of training: `env/max_steps` is the length of an episode."""

_FEWEST_VALUES = 3
"""Points from which a series that never changes is a setting that is logged."""

_NONE = frozenset({"", "none", "null", "no", "false", "off", "~"})
_NORMAL = re.compile(r"[-\s]+")


class _Entry(NamedTuple):
    name: str
    keys: frozenset[str]
    take: str
    beside: str | None
    unless: str | None
    under: frozenset[str]


@cache
def _entries() -> tuple[_Entry, ...]:
    data = table("facts")
    return tuple(
        _Entry(
            entry["name"],
            frozenset(entry["keys"]),
            entry["take"],
            entry.get("beside"),
            entry.get("unless"),
            frozenset(entry.get("under", ())),
        )
        for entry in data["fact"]
    )


def run_facts(raw: Sequence[Fact], series: Sequence[Series] = ()) -> dict[str, Value]:
    """The facts of the closed list that are known, by name.

    `raw` is what files state, with keys nested by `/`. Where they say nothing of the norm to which gradients are clipped, a series that
    is called so and never changes does: a `train/clip_norm` of 0.001 at each step.
    """
    stated: dict[str, set[Value]] = {}
    by_source: dict[str, set[str]] = {}
    named = [(fact, components) for fact in raw if (components := _components(fact.key))]
    for fact, components in named:
        by_source.setdefault(fact.source, set()).add(components[-1])
    for entry in _entries():
        for fact, components in named:
            if components[-1] not in entry.keys or not _fits(entry, components, by_source[fact.source]):
                continue
            value = _taken(fact.value, entry.take)
            if value is not None:
                stated.setdefault(entry.name, set()).add(value)
    known: dict[str, Value] = {}
    for name, values in stated.items():
        if name == "warmup":
            # `warmup_steps: 0` beside `warmup_ratio: 0.1` does not contradict it.
            values = {value for value in values if not str(value).startswith("0 ")} or {"none"}
        if len(values) == 1:
            known[name] = next(iter(values))
    if "max_grad_norm" not in stated and (clip := _logged_clip(series)) is not None:
        known["max_grad_norm"] = clip
    return known


def _logged_clip(series: Sequence[Series]) -> float | None:
    """The norm to which gradients are clipped, where a series of one and the same number says it. `clip` alone may be how often it acts."""
    keys = {key for entry in _entries() if entry.name == "max_grad_norm" for key in entry.keys if "norm" in key}
    for one in series:
        if one.role == "other" and one.kind == "scalar" and len(one) >= _FEWEST_VALUES:
            values, components = one.columns["value"], _components(one.tag)
            if components and components[-1] in keys and values[0] > 0 and (values == values[0]).all():
                return float(values[0])
    return None


def _fits(entry: _Entry, components: Sequence[str], beside: Set[str]) -> bool:
    """Whether the company of a setting is the one that its entry asks for."""
    if (entry.beside and entry.beside not in beside) or (entry.unless and entry.unless in beside):
        return False
    return not entry.under or bool(entry.under.intersection(components[:-1]))


def _components(key: str) -> list[str]:
    """The components of a nested key in normal form; none where it is nested under settings of an evaluation.

    `--lr` of a command line is `lr`, and so is `lr/value`, since W&B wraps each setting.
    """
    parts = [_NORMAL.sub("_", part.strip().lstrip("-").lower()) for part in re.split(r"[/.]", key)]
    if len(parts) > 1 and parts[-1] == "value":
        parts.pop()
    return parts if parts[-1] and not _ELSEWHERE.intersection(parts[:-1]) else []


def number(value: Value) -> float | None:
    """A finite number, also from text (`"3e-4"`); None for anything else and for true and false."""
    if isinstance(value, bool):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def _flag(value: Value) -> bool | None:
    if isinstance(value, bool):
        return value
    amount = number(value)
    if amount is not None:
        return amount > 0
    return str(value).strip().lower() not in _NONE


def _taken(value: Value, take: str) -> Value | None:
    """What an entry makes of a value, or None where the value says nothing."""
    if take == "flag":
        return _flag(value)
    if take == "text":
        if isinstance(value, bool):
            return None
        text = f"{value:g}" if isinstance(value, float) else str(value).strip().lower()
        return text if text and text not in ("none", "null") else None
    if take.endswith(" if true"):
        return take.removesuffix(" if true") if value is True or str(value).strip().lower() == "true" else None
    amount = number(value)
    if amount is None:
        return None
    if take == "count":
        return amount if amount >= 1 and amount.is_integer() else None
    if take == "steps unit" and 0 < amount < 1:
        return f"{amount:g} of the run"
    if take.endswith(" unit"):
        return f"{amount:g} {take.removesuffix(' unit')}" if amount >= 0 else None
    return amount if take == "number" or amount > 0 else None


def facts_from_yaml(path: Path) -> list[Fact]:
    """The settings in a YAML file that lies in a run (hparams.yaml, args.yaml, .hydra/config.yaml, W&B's config.yaml).

    Plain data only: tags that would build objects make the file unreadable. Of files that are too large, no mapping, or no YAML, and
    of more than `FACTS_IN_FILE` settings, nothing is made or the rest is left out. Raises OSError when it cannot be opened.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with path.open("rb") as file:
        content = file.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        return []
    try:
        data = YAML(typ="safe", pure=True).load(content.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        return []
    return _leaves(data, path.name)


def facts_from_settings(data: Any, source: str) -> list[Fact]:
    """The plain values in settings that were read already (a mapping, nested or not), at most `FACTS_IN_FILE` of them."""
    return _leaves(data, source)


def _leaves(data: Any, source: str) -> list[Fact]:
    facts: list[Fact] = []
    waiting: list[tuple[str, Any, int]] = [("", data, 0)]
    # Anchors may name one mapping many times over, so that what is walked is bounded, not only what is kept.
    for _ in range(10 * FACTS_IN_FILE):
        if not waiting or len(facts) == FACTS_IN_FILE:
            break
        name, value, depth = waiting.pop()
        if isinstance(value, dict) and depth < DEPTH:
            if "value" in value and set(value) <= {"desc", "value"}:
                # W&B wraps each setting: {desc: …, value: …}.
                waiting.append((name, value["value"], depth + 1))
                continue
            inner = list(value.items())[:FACTS_IN_FILE]
            waiting += [(f"{name}/{key}" if name else str(key), one, depth + 1) for key, one in reversed(inner)]
        elif name and isinstance(value, bool | float | str):
            facts.append(Fact(name, value, source))
        elif name and isinstance(value, int):
            facts.append(Fact(name, float(value) if abs(value) < 2**53 else str(value), source))
    return facts
