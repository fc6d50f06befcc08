"""What kind of training a run is, and why it is taken for that.

The table is data (data/regimes.toml): which roles, tags and stated settings make a regime, in order. What fits nothing is `unknown`,
on which no rule about the shape of a loss gives an error.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from mlcheck.records import dataclass
from mlcheck.store import labels as words
from mlcheck.store.series import Fact, Regime, Series
from mlcheck.store.tables import Pattern, table

REGIMES = (
    "supervised",
    "finetune",
    "pretrain",
    "rl",
    "rlhf",
    "gan",
    "diffusion",
    "contrastive",
    "tree",
    "unknown",
    "smoke",
)
"""The closed list."""

_JUDGED = frozenset(
    [
        "loss",
        "loss_component",
        "value_loss",
        "policy_loss",
        "elbo",
        "log_likelihood",
        "metric",
        "error_metric",
        "episode_reward",
    ]
)
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    why: str
    roles: frozenset[str] = frozenset()
    tags: Pattern | None = None
    raw: Pattern | None = None
    also: Pattern | None = None
    facts: Pattern | None = None
    unless_facts: Pattern | None = None
    splits: bool = False
    needs_any: frozenset[str] = frozenset()
    unless_roles: frozenset[str] = frozenset()
    rounds: bool = False


@dataclass(frozen=True, slots=True)
class _Smoke:
    points: int
    steps: int
    epochs: int
    seconds: float


@cache
def _table() -> tuple[_Smoke, tuple[_Entry, ...]]:
    data = table("regimes")
    return _Smoke(**data["smoke"]), tuple(_entry(one) for one in data["regime"])


def _entry(one: Mapping[str, Any]) -> _Entry:
    def pattern(key: str) -> Pattern | None:
        return Pattern(one[key]) if key in one else None

    return _Entry(
        name=one["name"],
        why=one.get("why", "{what}"),
        roles=frozenset(one.get("roles", ())),
        tags=pattern("tags"),
        raw=pattern("raw"),
        also=pattern("also"),
        facts=pattern("facts"),
        unless_facts=pattern("unless_facts"),
        splits=bool(one.get("splits", False)),
        needs_any=frozenset(one.get("needs_any", ())),
        unless_roles=frozenset(one.get("unless_roles", ())),
        rounds=bool(one.get("rounds", False)),
    )


def regime(series: Sequence[Series], facts: Mapping[str, str | float | bool], raw_facts: Sequence[Fact]) -> Regime:
    """The regime of a run.

    `series` are the logged ones with their roles, `facts` the closed list, `raw_facts` what files state. The reason is one readable
    phrase, such as `logs rollout/ep_rew_mean`.
    """
    logged = [one for one in series if one.kind != "fact" and len(one)]
    smoke, entries = _table()
    short = _smoke(logged, smoke)
    if short:
        return Regime("smoke", short)
    names = [words.normalise(one.name) for one in logged]
    roles = {one.role for one in logged}
    stated = [f"{fact.key.lower()}={str(fact.value).lower()}" for fact in raw_facts]
    stated += [f"{key}={str(value).lower()}" for key, value in facts.items()]
    for entry in entries:
        if entry.unless_roles & roles or (entry.needs_any and not entry.needs_any & roles):
            continue
        what = next(_evidence(entry, logged, names, stated), None)
        if what is not None:
            return Regime(entry.name, entry.why.replace("{what}", what))
    if "loss" in roles:
        lone = next(one for one in logged if one.role == "loss")
        return Regime("unknown", f"logs {lone.name[:_LONGEST_NAME]} and nothing that says what it is the loss of")
    return Regime("unknown", "logs nothing that says what kind of training it is")


def _evidence(entry: _Entry, logged: Sequence[Series], names: Sequence[str], stated: Sequence[str]) -> Iterator[str]:
    """What speaks for an entry: names of series, then settings."""
    if entry.also and not any(entry.also.search(name) for name in names):
        return
    for one, name in zip(logged, names, strict=True):
        by_tag = one.kind == "scalar" and _by_tag(entry, one, name)
        by_split = entry.splits and one.role in ("loss", "loss_component") and _named_split(one)
        if one.role in entry.roles or by_tag or by_split:
            yield f"logs {one.name[:_LONGEST_NAME]}"
    if entry.facts and not (entry.unless_facts and any(entry.unless_facts.search(text) for text in stated)):
        yield from (f"states {text[:_LONGEST_NAME]}" for text in stated if entry.facts.search(text))


def _by_tag(entry: _Entry, one: Series, name: str) -> bool:
    found = (entry.tags and entry.tags.search(name)) or (entry.raw and entry.raw.search(one.tag))
    return bool(found) and (not entry.rounds or _counts_rounds(one))


def _counts_rounds(one: Series) -> bool:
    """Whether its steps are 0, 1, 2 … or 1, 2, 3 …: the rounds of boosting."""
    return int(one.steps[0]) in (0, 1) and bool(np.all(np.diff(one.steps) == 1))


def _named_split(one: Series) -> bool:
    """Whether the split is said somewhere, and not assumed."""
    tag = words.take_split(words.normalise(one.tag)).split
    return bool(tag or one.hints.mode or (one.part and words.split_of_part(one.part)))


def _smoke(logged: Sequence[Series], limits: _Smoke) -> str | None:
    """The reason for taking a run as a smoke test, or None; the limits are those of the table."""
    judged = [one for one in logged if one.kind == "scalar" and one.role in _JUDGED]
    if not judged:
        return None
    points = max(len(one) for one in judged)
    last = {
        axis: max((int(one.steps.max()) for one in logged if one.axis == axis), default=0) for axis in ("step", "epoch")
    }
    other_axes = any(one.axis not in last for one in judged)
    if points >= limits.points or last["step"] >= limits.steps or last["epoch"] >= limits.epochs or other_axes:
        return None
    walls = [one.wall_times[np.isfinite(one.wall_times)] for one in logged]
    walls = [wall for wall in walls if len(wall)]
    seconds = max(float(w.max()) for w in walls) - min(float(w.min()) for w in walls) if walls else 0.0
    if seconds >= limits.seconds:
        return None
    return f"very short: {points} logged point{'s' if points > 1 else ''}, last step {max(last.values())}"
