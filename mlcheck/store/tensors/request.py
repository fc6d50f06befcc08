"""What the selected rules need to know of tensors: only that is computed (language.md fix 14)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mlcheck.records import dataclass, field
from mlcheck.store.roles import RoleOverride, assign
from mlcheck.store.series import Hints

BASE = frozenset(
    {"count", "nan", "inf", "nonfinite", "zeros", "min", "max", "mean", "std", "abs_mean", "abs_max", "l2"}
)
"""The statistics that every tensor gets where nothing else is said (design.md §3)."""

TENSOR_ROLES = frozenset(
    {"gradient", "weight", "activation", "input", "label", "prediction", "optimizer_state", "token_ids", "embedding"}
)
"""Roles whose series may be tensors."""

TENSOR_FACTS = frozenset({"class_count", "confusion", "tree", "feature_importance"})
"""Roles of what is derived from tensors and models."""


class Plan(NamedTuple):
    """What is to be computed of one tensor."""

    role: str
    labels: Mapping[str, str]
    keys: frozenset[str]
    """Statistics with their arguments put in: `quantile(0.95)`."""


@dataclass(frozen=True)
class Request:
    """Statistics by role."""

    by_role: Mapping[str, frozenset[str]] = field(default_factory=dict)
    any_role: frozenset[str] = frozenset()
    """Statistics of every tensor, whatever its role."""
    facts: frozenset[str] = frozenset()
    """Roles of derived facts that are asked for: class_count, confusion."""
    overrides: Sequence[RoleOverride] = ()
    """The user's word on roles."""

    @classmethod
    def base(cls) -> "Request":
        """Every tensor gets the base statistics, and all facts are derived."""
        return cls(any_role=BASE, facts=frozenset({"class_count", "confusion"}))

    def and_base(self) -> "Request":
        """The same, and the base statistics of every tensor: for `inspect` and `export`."""
        return Request(self.by_role, self.any_role | BASE, self.facts, self.overrides)

    def covers(self, other: "Request") -> bool:
        """Whether what was computed for this request answers the other one too."""
        if not (self.any_role >= other.any_role and self.facts >= other.facts):
            return False
        if list(self.overrides) != list(other.overrides):
            return not (self.by_role or other.by_role)
        return all(self.by_role.get(role, frozenset()) | self.any_role >= keys for role, keys in other.by_role.items())

    def union(self, other: "Request") -> "Request":
        """What answers both; the other one's roles count."""
        roles = self.by_role.keys() | other.by_role.keys()
        by_role = {role: self.by_role.get(role, frozenset()) | other.by_role.get(role, frozenset()) for role in roles}
        return Request(by_role, self.any_role | other.any_role, self.facts | other.facts, other.overrides)

    def state(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "by_role": {role: sorted(keys) for role, keys in sorted(self.by_role.items())},
            "any_role": sorted(self.any_role),
            "facts": sorted(self.facts),
            "overrides": [[one.pattern, one.role, dict(one.labels)] for one in self.overrides],
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Request":
        """The reverse of `state`. Raises KeyError or TypeError for other data."""
        return cls(
            {role: frozenset(keys) for role, keys in state["by_role"].items()},
            frozenset(state["any_role"]),
            frozenset(state["facts"]),
            tuple(RoleOverride(*one) for one in state["overrides"]),
        )

    def plan(self, tag: str, part: str = "", hints: Hints | None = None) -> Plan:
        """Role and labels of a tensor, and the statistics that are asked of it."""
        found = assign(tag, part, "tensor", hints or Hints(), self.overrides)
        return Plan(found.role, found.labels, self.by_role.get(found.role, frozenset()) | self.any_role)

    def asks(self, role: str) -> bool:
        """Whether facts of this role are to be derived."""
        return role in self.facts


def merged(requests: Iterable[tuple[Sequence[str] | None, str]]) -> Request:
    """The request for pairs of roles (None: any) and statistics. Roles that tensors do not have are facts."""
    by_role: dict[str, set[str]] = {}
    every: set[str] = set()
    facts: set[str] = set()
    for roles, key in requests:
        if roles is None:
            every.add(key)
            continue
        for role in roles:
            if role in TENSOR_ROLES:
                by_role.setdefault(role, set()).add(key)
            elif role in ("class_count", "confusion"):
                facts.add(role)
    return Request({role: frozenset(keys) for role, keys in by_role.items()}, frozenset(every), frozenset(facts))
