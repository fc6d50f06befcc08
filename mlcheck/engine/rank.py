"""The order of findings: root causes first, what they explain under them, then severity, excess and onset."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlcheck.errors import RuleError, did_you_mean
from mlcheck.records import dataclass, replace
from mlcheck.report import Finding, Severity


class Causes:
    """The graph of which rule's findings may explain which others', closed under reachability."""

    def __init__(self, edges: Mapping[str, Iterable[str]], spreading: Iterable[str] = ()) -> None:
        self.spreading = frozenset(spreading)
        """Rules whose findings in one run are one event that spreads: the first one explains the others."""
        self.reach: dict[str, frozenset[str]] = {}
        for rule in edges:
            self._close(rule, edges, ())
        self.depth = dict.fromkeys(edges, 0)
        """How many rules are upstream of a rule: 0 for a root."""
        for reached in self.reach.values():
            for rule in reached & edges.keys():
                self.depth[rule] += 1

    def _close(self, rule: str, edges: Mapping[str, Iterable[str]], trail: tuple[str, ...]) -> frozenset[str]:
        if rule in trail:
            circle = " -> ".join((*trail[trail.index(rule) :], rule))
            raise RuleError(f"may_cause goes round in a circle: {circle}", suggestion="take one of these away")
        if rule not in self.reach:
            found: set[str] = set()
            for effect in edges.get(rule, ()):
                found |= {effect} | self._close(effect, edges, (*trail, rule))
            self.reach[rule] = frozenset(found)
        return self.reach[rule]

    def may(self, cause: str, effect: str) -> bool:
        """Whether findings of one rule may explain findings of the other."""
        return effect in self.reach.get(cause, ())


def cause_edges(rules: Sequence[Any]) -> tuple[dict[str, list[str]], list[str]]:
    """The `may_cause` edges by rule id, and warnings for names that no known rule has. `rules` are `registry.AnyRule`s."""
    known = {word: rule.id for rule in rules for word in (rule.id, rule.name)}
    edges: dict[str, list[str]] = {}
    warnings = []
    for rule in rules:
        edges[rule.id] = []
        for word in rule.may_cause:
            if word in known:
                edges[rule.id].append(known[word])
            else:
                hint = did_you_mean(word, known)
                text = f"{rule.id}: may_cause names {word!r}, which no rule is called"
                warnings.append(text + (f"; {hint}" if hint else ""))
    return edges, warnings


Place = tuple[int, int]
"""Of a judged series: rank of its role in the order of a training step, and of its layer in the model."""

_ROLE_ORDER = ("input", "token_ids", "activation", "prediction", "gradient", "weight", "loss", "grad_norm")
"""The order of a training step, for dumps that show several roles at one step: forward, backward, update. What is computed from many
tensors comes last: it names no layer.
"""
_BACKWARD = "gradient"
_UNKNOWN = 1 << 30


def place_of(role: str, order: int | None, *, backward: bool = True) -> Place:
    """Where a series stands in the order in which a fault spreads; `backward`: through gradients from the last layer to the first."""
    rank = _ROLE_ORDER.index(role) if role in _ROLE_ORDER else len(_ROLE_ORDER)
    if order is None:
        return rank, _UNKNOWN
    return rank, -order if backward and role == _BACKWARD else order


Slack = Mapping[str, float]
"""By fingerprint: steps by which an onset may come late, for sparse series and patience (language.md fix 20)."""


def file_causes(
    findings: Sequence[Finding],
    causes: Causes,
    spacing: Slack,
    patience: Slack,
    places: Mapping[str, Place] | None = None,
    sizes: Mapping[int, int] | None = None,
) -> list[Finding]:
    """Give each active finding of one run its cause, if another one explains it; one parent each (language.md fixes 19 to 22).

    `spacing` is the median spacing of a finding's series, `patience` the steps that its rule waits before it speaks, `places` where
    its series stands in the order in which faults spread, `sizes` how many series there are of each rank of role.
    """
    active = [f for f in findings if f.status == "active"]
    by_rule: dict[str, list[Finding]] = {}
    for f in active:
        by_rule.setdefault(f.rule, []).append(f)
    parent: dict[str, Finding] = {}
    for effect in active:
        upstream = [f for rule, members in by_rule.items() if causes.may(rule, effect.rule) for f in members]
        possible = [c for c in upstream if _explains(c, effect, spacing, patience)]
        if possible:
            parent[effect.fingerprint] = min(possible, key=lambda c: _parent_key(c, effect, causes))
    for rule in sorted(causes.spreading & by_rule.keys()):
        for effect_print, origin in _spread(by_rule[rule], places or {}, sizes or {}):
            parent.setdefault(effect_print, origin)
    children: dict[str, list[str]] = {}
    for effect_print, cause in parent.items():
        children.setdefault(cause.fingerprint, []).append(effect_print)
    return [
        replace(
            f,
            caused_by=parent[f.fingerprint].fingerprint if f.fingerprint in parent else None,
            explains=tuple(sorted(children.get(f.fingerprint, ()))),
        )
        for f in findings
    ]


def _spread(
    members: Sequence[Finding], places: Mapping[str, Place], sizes: Mapping[int, int]
) -> Iterator[tuple[str, Finding]]:
    """The findings of a rule that spreads, each with the one that came first. What began before that is something else.

    Of those at the worst severity it is the earliest. At equal steps it is of the role of which the smallest share is hit, since a fault
    begins in one tensor and is everywhere a step later; then the first in the order of roles and layers.
    """
    worst = max(f.severity.rank for f in members)
    begin = min(f.first_step for f in members if f.severity.rank == worst)
    first = [f for f in members if f.severity.rank == worst and f.first_step == begin]
    unknown = (len(_ROLE_ORDER), _UNKNOWN)
    hit: dict[int, int] = {}
    for f in first:
        rank = places.get(f.fingerprint, unknown)[0]
        hit[rank] = hit.get(rank, 0) + 1

    def key(f: Finding) -> tuple[float, Place, tuple[str, ...], str]:
        place = places.get(f.fingerprint, unknown)
        share = hit[place[0]] / sizes.get(place[0], 1)
        # Where no order is known, the names give one that a reader can follow.
        return min(1.0, share), place, f.series, f.fingerprint

    origin = min(first, key=key)
    for f in members:
        if f is not origin and f.axis == origin.axis and f.first_step >= origin.first_step:
            yield f.fingerprint, origin


def _explains(cause: Finding, effect: Finding, spacing: Slack, patience: Slack) -> bool:
    if cause.run != effect.run:
        return False
    if cause.severity is Severity.INFO and effect.severity is not Severity.INFO:
        # What fails a build must not stand below a remark.
        return False
    if effect.onset is None:
        return cause.first_step <= effect.last_step or cause.axis != effect.axis
    if cause.axis != effect.axis:
        return cause.cost is not None and effect.cost is not None and cause.cost.share >= effect.cost.share - 0.05
    slack = spacing.get(cause.fingerprint, 0.0) + patience.get(effect.fingerprint, 0.0)
    return cause.first_step <= effect.onset + slack


def _parent_key(cause: Finding, effect: Finding, causes: Causes) -> tuple[object, ...]:
    shared = cause.labels.get("layer") == effect.labels.get("layer") and "layer" in cause.labels
    return (
        not shared,
        cause.first_step,
        causes.depth.get(cause.rule, 0),
        -cause.severity.rank,
        cause.rule,
        cause.fingerprint,
    )


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Roots in rank order, each followed by what it explains; a total order, so that reports are equal byte for byte."""
    by_print = {(f.run, f.fingerprint): f for f in findings}
    children: dict[tuple[str, str], list[Finding]] = {}
    roots = []
    for f in findings:
        if f.caused_by and (f.run, f.caused_by) in by_print:
            children.setdefault((f.run, f.caused_by), []).append(f)
        else:
            roots.append(f)
    return list(_Families(children).in_order(roots))


@dataclass(frozen=True, eq=False)
class _Families:
    """Findings and what each of them explains. No functions inside `ranked`: those that call themselves hold on to all of a run until
    Python looks for garbage.
    """

    children: Mapping[tuple[str, str], Sequence[Finding]]
    """By run and fingerprint of the finding that explains them."""

    def in_order(self, group: Sequence[Finding]) -> Iterator[Finding]:
        for f in sorted(group, key=self._rank):
            yield f
            yield from self.in_order(self._of(f))

    def _of(self, f: Finding) -> Sequence[Finding]:
        return self.children.get((f.run, f.fingerprint), ())

    def _worst(self, f: Finding) -> int:
        return max([f.severity.rank, *(self._worst(child) for child in self._of(f))])

    def _rank(self, f: Finding) -> tuple[object, ...]:
        onset = f.first_step if f.onset is None else f.onset
        # What explains others is nearer to the root of it than what stands alone.
        alone = not self._of(f)
        labels = sorted(f.labels.items())
        return (-self._worst(f), -f.severity.rank, alone, -f.excess, onset, f.rule, f.run, labels, f.series)
