"""Which step the place of a data set names: in a component of its path, in an attribute, in a number among numbers."""

from collections.abc import Mapping, Sequence

from mlcheck.importers.hdf5.attributes import NONE, Attributes, whole_number
from mlcheck.importers.hdf5.tree import Leaf, Place
from mlcheck.importers.hdf5.words import (
    HISTORY_STEPS,
    INDEX_PARENTS,
    STEP_CONTAINERS,
    StepWord,
    collection_word,
    step_word,
)
from mlcheck.records import dataclass, field

_SCORE = {3: 100, 2: 50}
"""A word for a step beats one for an epoch, which beats bare numbers."""
_VARYING = frozenset({"activations", "outputs", "inputs", "labels", "targets", "predictions", "embeddings"})
"""Collections whose axis 0 is a batch, of which the last one may be smaller."""


@dataclass(frozen=True, slots=True)
class StepFound:
    """What a place says of the step."""

    step: int
    axis: str
    """step or epoch."""
    removed: tuple[int, ...]
    """Components that are no part of the tensor's name."""
    is_sure: bool
    """A word or an attribute says so, not a bare number."""
    outer: int | None = None
    """The epoch around a step."""


@dataclass
class Places:
    """Steps in the places of all data sets of a file."""

    groups: Mapping[Place, Attributes]
    strengths: Mapping[Place, int]
    """By the parent of numbered siblings: how likely their numbers are steps; 0 for those of a list."""
    dropped: frozenset[Place]
    """Groups and data sets with a step as attribute that stand beside others of their kind: their names are no names of tensors."""
    _of_groups: dict[Place, StepFound | None] = field(default_factory=dict)

    @classmethod
    def of(cls, leaves: Sequence[Leaf], groups: Mapping[Place, Attributes]) -> "Places":
        """Look at all places together: whether a number is a step shows in its siblings."""
        return cls(groups, _strengths(leaves), _dropped(leaves, groups))

    def find(self, leaf: Leaf) -> StepFound | None:
        """The step of a data set; None where neither its place nor an attribute names one."""
        if not self.groups and not leaf.attributes:
            # Members of one group say the same but for their own names.
            group, name = leaf.path[:-1], leaf.path[-1]
            if step_word(name) is None:
                if group not in self._of_groups:
                    self._of_groups[group] = self._find(leaf)
                return self._of_groups[group]
        return self._find(leaf)

    def _find(self, leaf: Leaf) -> StepFound | None:
        best: tuple[int, int, StepWord] | None = None
        words: list[tuple[int, StepWord]] = []
        for index, name in enumerate(leaf.path):
            word = step_word(name)
            if word is None:
                continue
            score = _SCORE.get(word.rank) or self.strengths.get(leaf.path[:index], 0)
            if word.rank > 1:
                words.append((index, word))
            if score and (best is None or score > best[0]):
                best = (score, index, word)
        stated = self._stated(leaf)
        removed = {index for index, _ in words}
        if stated is not None and (best is None or stated[0] > best[1]):
            depth, step, axis = stated
            if best is not None:
                removed.add(best[1])
            if leaf.path[:depth] in self.dropped:
                removed.add(depth - 1)
            return StepFound(step, axis, tuple(sorted(removed)), True)
        if best is None:
            return None
        _, index, word = best
        removed.add(index)
        above = leaf.path[index - 1].lower() if index and word.rank == 1 else ""
        if above in STEP_CONTAINERS:
            # `step/100/fc1.weight`: the group of all steps is no part of the tensor's name.
            removed.add(index - 1)
            word = StepWord(word.number, STEP_CONTAINERS[above], 2)
        outer = next((one.number for at, one in words if at != index and one.axis == "epoch"), None)
        return StepFound(
            word.number, word.axis, tuple(sorted(removed)), word.rank > 1, outer if word.axis == "step" else None
        )

    def _stated(self, leaf: Leaf) -> tuple[int, int, str] | None:
        """(depth, step, axis) of the nearest attribute that names a step, on the data set itself or a group above it."""
        found = stated_step(leaf.attributes)
        if found is not None:
            return len(leaf.path), *found
        if not self.groups:
            return None
        for depth in range(len(leaf.path) - 1, -1, -1):
            found = stated_step(self.groups.get(leaf.path[:depth], NONE))
            if found is not None:
                return depth, *found
        return None


def without_step(place: Place, found: StepFound | None) -> Place:
    """A place without the components that are no part of the tensor's name."""
    if found is None or not found.removed:
        return place
    if len(found.removed) == 1:
        (at,) = found.removed
        kept = place[:at] + place[at + 1 :]
    else:
        kept = tuple(name for index, name in enumerate(place) if index not in found.removed)
    return kept or place


def stated_step(attributes: Attributes) -> tuple[int, str] | None:
    """The step that attributes state, and what it counts; a step wins over an epoch."""
    if not attributes:
        return None
    for name in sorted(HISTORY_STEPS.keys() & attributes.keys(), key=lambda name: HISTORY_STEPS[name] == "epoch"):
        number = whole_number(attributes[name])
        if number is not None:
            return number, HISTORY_STEPS[name]
    return None


Shapes = dict[Place, tuple[int, ...]]


def _strengths(leaves: Sequence[Leaf]) -> dict[Place, int]:
    families: dict[Place, dict[int, Shapes]] = {}
    for leaf in leaves:
        for index, name in enumerate(leaf.path):
            word = step_word(name)
            if word is None or word.rank > 1 or (index and leaf.path[index - 1].lower() in INDEX_PARENTS):
                continue
            below = families.setdefault(leaf.path[:index], {}).setdefault(word.number, {})
            below[leaf.path[index + 1 :]] = _comparable(leaf)
    return {parent: _strength(members) for parent, members in families.items()}


def _comparable(leaf: Leaf) -> tuple[int, ...]:
    if any(collection_word(name) in _VARYING for name in leaf.path):
        return (-1, *leaf.shape[1:])
    return leaf.shape


def _strength(members: Mapping[int, Shapes]) -> int:
    """How likely numbered siblings are steps: 3 for sure, 1 perhaps, 0 a list.

    The members of a list count from 0 or 1 without a gap and differ; the steps of a history hold the same tensors.
    """
    numbers = sorted(members)
    counts_up = numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))
    alike = _are_alike([members[number] for number in numbers])
    if alike:
        return 1 if counts_up else 3
    return 0 if counts_up else 2


def _are_alike(members: Sequence[Shapes]) -> bool:
    """Whether most of what any member holds stands in most of the others, in the same shapes."""
    counts: dict[tuple[Place, tuple[int, ...]], int] = {}
    for member in members:
        for item in member.items():
            counts[item] = counts.get(item, 0) + 1
    common = sum(1 for count in counts.values() if 2 * count > len(members))
    return 2 * common >= len(counts)


def _dropped(leaves: Sequence[Leaf], groups: Mapping[Place, Attributes]) -> frozenset[Place]:
    siblings: dict[Place, dict[Place, int]] = {}
    for place, attributes in groups.items():
        found = stated_step(attributes)
        if place and found is not None:
            siblings.setdefault(place[:-1], {})[place] = found[0]
    shapes: dict[Place, set[tuple[int, ...]]] = {}
    for leaf in leaves:
        found = stated_step(leaf.attributes)
        parent = leaf.path[:-1]
        if found is not None and parent and not collection_word(parent[-1]):
            siblings.setdefault(parent, {})[leaf.path] = found[0]
            shapes.setdefault(parent, set()).add(leaf.shape)
    dropped: set[Place] = set()
    for parent, steps in siblings.items():
        if len(set(steps.values())) == len(steps) > 1 and len(shapes.get(parent, ())) <= 1:
            dropped |= {place for place in steps if not collection_word(place[-1])}
    return frozenset(dropped)
