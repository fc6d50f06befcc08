"""The order of findings: root causes first, what they explain under them, then severity, excess and onset."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlcheck.errors import RuleError, did_you_mean
from mlcheck.report import Finding


class Causes:
    """The graph of which rule's findings may explain which others', closed under reachability."""

    def __init__(self, edges: Mapping[str, Iterable[str]]) -> None:
        self.reach: dict[str, frozenset[str]] = {}
        for rule in edges:
            self._close(rule, edges, ())
        self.depth = {rule: sum(rule in reached for reached in self.reach.values()) for rule in edges}
        """How many rules are upstream of a rule: 0 for a root."""

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


Slack = Mapping[str, float]
"""By fingerprint: steps by which an onset may come late, for sparse series and patience (language.md fix 20)."""


def file_causes(findings: Sequence[Finding], causes: Causes, spacing: Slack, patience: Slack) -> list[Finding]:
    """Give each active finding of one run its cause, if another one explains it; one parent each (language.md fixes 19 to 22).

    `spacing` is the median spacing of a finding's series, `patience` the steps that its rule waits before it speaks.
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


def _explains(cause: Finding, effect: Finding, spacing: Slack, patience: Slack) -> bool:
    if cause.run != effect.run:
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

    def worst(f: Finding) -> int:
        return max([f.severity.rank, *(worst(child) for child in children.get((f.run, f.fingerprint), ()))])

    def key(f: Finding) -> tuple[object, ...]:
        onset = f.first_step if f.onset is None else f.onset
        # What explains others is nearer to the root of it than what stands alone.
        alone = not children.get((f.run, f.fingerprint))
        return (-worst(f), -f.severity.rank, alone, -f.excess, onset, f.rule, f.run, sorted(f.labels.items()), f.series)

    ordered: list[Finding] = []

    def place(group: Sequence[Finding]) -> None:
        for f in sorted(group, key=key):
            ordered.append(f)
            place(children.get((f.run, f.fingerprint), ()))

    place(roots)
    return ordered
