"""Trees as arrays, and the facts that rules ask of them: depth and size by round, importance of features."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mlcheck.records import dataclass
from mlcheck.store.series import Floats, Hints, Ints, RawSeries
from mlcheck.store.tensors.importances import importance

LEAF = -1


class Malformed(ValueError):
    """Nodes that are no tree."""


class Size(NamedTuple):
    """Of one tree, or of the deepest of a round."""

    depth: int
    """Levels of questions: 0 for a single leaf."""
    nodes: int
    """Questions and leaves."""


@dataclass(frozen=True, slots=True)
class Split:
    """One question of a tree."""

    feature: str
    gain: float = float("nan")
    """Loss that it saved; NaN where the dump does not say."""
    cover: float = float("nan")
    """Sum of the second derivatives of the examples that it was asked of (XGBoost's cover); NaN where the dump does not say."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree."""

    size: Size
    splits: Sequence[Split]


def reached(left: Sequence[int], right: Sequence[int]) -> tuple[Size, list[int]]:
    """Depth and size of the tree whose root is node 0, and the nodes that ask a question.

    `left` and `right` give the children of each node, LEAF (or any negative number) on both sides for a leaf. Nodes that no question
    leads to (XGBoost keeps those that it pruned) do not count. Raises Malformed where a child is no node or has two parents.
    """
    count = len(left)
    if not count or len(right) != count:
        raise Malformed("a tree without nodes" if not count else "a tree whose lists of children differ in length")
    seen = bytearray(count)
    seen[0] = 1
    level, depth, nodes = [0], 0, 0
    questions: list[int] = []
    while level:
        below = []
        nodes += len(level)
        for node in level:
            children = (left[node], right[node])
            if max(children) < 0:
                continue
            questions.append(node)
            for child in children:
                if not 0 <= child < count or seen[child]:
                    raise Malformed(f"node {node} of a tree has the impossible child {child}")
                seen[child] = 1
                below.append(child)
        depth += bool(below)
        level = below
    return Size(depth, nodes), questions


def deepest(sizes: Sequence[Size]) -> Size:
    """The deepest tree of a round; of several the largest."""
    return max(sizes)


def size_series(steps: Ints, wall_times: Floats, sizes: Sequence[Size], hints: Hints) -> RawSeries:
    """The fact `tree`: depth and number of nodes of the deepest tree of each round.

    steps int64 and wall_times float64, both of shape (rounds,); columns `value` and `depth` (levels), `nodes`.
    """
    depths = np.array([one.depth for one in sizes], dtype=np.float64)
    nodes = np.array([one.nodes for one in sizes], dtype=np.float64)
    return RawSeries("tree", "fact", steps, wall_times, {"value": depths, "depth": depths, "nodes": nodes}, hints)


def importance_series(
    step: int, trees: Sequence[Tree], features: Sequence[str], groups: Mapping[str, str]
) -> list[RawSeries]:
    """The facts `feature_importance` of a whole model, after its last round: one for each feature and each of the groups.

    `groups` maps the name of a group to what it is: `weight` (number of questions), `gain` and `cover` (mean over the questions),
    `total_gain`, `total_cover`. Features that are listed and never asked have 0. Groups of which a question does not say enough are
    left out.
    """
    totals: dict[str, list[float]] = {name: [0.0, 0.0, 0.0] for name in features}
    for tree in trees:
        for split in tree.splits:
            total = totals.setdefault(split.feature, [0.0, 0.0, 0.0])
            total[0] += 1
            total[1] += split.gain
            total[2] += split.cover
    series = []
    for group, kind in groups.items():
        values = {name: _importance(kind, *total) for name, total in totals.items()}
        if any(np.isnan(value) for value in values.values()):
            continue
        series += [importance(group, name, [step], [value]) for name, value in values.items()]
    return series


def _importance(kind: str, weight: float, gain: float, cover: float) -> float:
    if kind == "weight":
        return weight
    total = gain if kind.endswith("gain") else cover
    return total if kind.startswith("total_") or not weight else total / weight
