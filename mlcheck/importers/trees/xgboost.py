"""XGBoost: the JSON model (`save_model("model.json")`), and dumps of its trees as JSON or text (`dump_model`).

Importances are those of `Booster.get_score`, except that features without a question are listed where the dump knows them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from mlcheck.importers.trees.dump import Dump, by_round, numbers, wholes
from mlcheck.importers.trees.forest import LEAF, Malformed, Split, Tree, reached

GROUPS = {name: name for name in ("gain", "weight", "cover", "total_gain", "total_cover")}
WRITER = "XGBoost"


def of_model(data: Mapping[str, Any]) -> Dump:
    """A JSON model. Raises what `dump.DAMAGE` lists where it is damaged."""
    learner = data["learner"]
    booster = learner["gradient_booster"]
    # DART wraps the trees of gbtree together with their weights.
    model = booster.get("gbtree", booster)["model"]
    if booster.get("name") == "gblinear":
        return Dump((), writer=WRITER)
    settings = learner["learner_model_param"]
    features = [str(name) for name in learner.get("feature_names") or ()]
    features = features or [f"f{number}" for number in range(_count(settings.get("num_feature"), len(model["trees"])))]
    trees = [_of_nodes(one, features) for one in model["trees"]]
    classes = int(settings.get("num_class", 0))
    rounds = _rounds(trees, model, classes)
    facts: dict[str, str | float | bool] = {"boosting_type": str(booster.get("name", "gbtree"))[:40]}
    objective = learner.get("objective", {}).get("name")
    if isinstance(objective, str):
        facts["objective"] = objective
    if classes > 1:
        facts["num_class"] = float(classes)
    return Dump(rounds, features, GROUPS, facts, WRITER)


MOST_FEATURES = 1_000_000


def _count(stated: Any, trees: int) -> int:
    """The number of features, where it can be: a model may claim any."""
    count = int(stated or 0)
    if not 0 <= count <= MOST_FEATURES:
        raise Malformed(f"a model of {count:,} features")
    return count if trees else 0


def _of_nodes(nodes: Mapping[str, Any], features: Sequence[str]) -> Tree:
    left, right = wholes(nodes["left_children"]), wholes(nodes["right_children"])
    size, questions = reached(left, right)
    unknown = [float("nan")] * len(left)
    indices = wholes(nodes["split_indices"])
    # Trees with several outputs say neither.
    gains = numbers(nodes["loss_changes"]) if "loss_changes" in nodes else unknown
    covers = numbers(nodes["sum_hessian"]) if "sum_hessian" in nodes else unknown
    if min(len(indices), len(gains), len(covers)) < len(left):
        raise Malformed("a tree with fewer questions than nodes")
    return Tree(size, [Split(_name(features, indices[one]), gains[one], covers[one]) for one in questions])


def _name(features: Sequence[str], index: int) -> str:
    return features[index] if 0 <= index < len(features) else f"f{index}"


def _rounds(trees: Sequence[Tree], model: Mapping[str, Any], classes: int) -> list[Sequence[Tree]]:
    if "iteration_indptr" in model:
        bounds = wholes(model["iteration_indptr"])
        if bounds[:1] == [0] and bounds[-1] == len(trees) and sorted(set(bounds)) == bounds:
            return [trees[start:stop] for start, stop in pairwise(bounds)]
        if trees:
            raise Malformed("the bounds of its rounds do not fit its trees")
    parallel = int(model.get("gbtree_model_param", {}).get("num_parallel_tree", 1))
    return by_round(trees, max(classes, 1) * max(parallel, 1))


def of_trees(data: Sequence[Any]) -> Dump:
    """A dump of trees as JSON: one object of nested nodes for each tree, a round each (it does not tell classes apart)."""
    trees = [_of_nested(one) for one in data]
    return Dump([[tree] for tree in trees], (), GROUPS, {"boosting_type": "gbtree"}, WRITER)


def _of_nested(root: Any) -> Tree:
    left, right, splits = [LEAF], [LEAF], {}
    waiting = [(0, root)]
    while waiting:
        place, node = waiting.pop()
        if "leaf" in node:
            continue
        # The order of the two children does not matter for depth, size and importance.
        first, second = node["children"]
        splits[place] = Split(str(node["split"]), float(node.get("gain", "nan")), float(node.get("cover", "nan")))
        for child, side in ((first, left), (second, right)):
            side[place] = len(left)
            waiting.append((len(left), child))
            left.append(LEAF)
            right.append(LEAF)
    size, questions = reached(left, right)
    return Tree(size, [splits[one] for one in questions])


_BOOSTER = re.compile(r"booster\[\d+\]:?")
_QUESTION = re.compile(r"\s*(\d+):\[(.+)\] yes=(\d+),no=(\d+)(.*)")
_LEAF = re.compile(r"\s*(\d+):leaf=")
_STATISTIC = re.compile(r"(gain|cover)=([^,\s]+)")


def of_text(lines: Iterable[str]) -> Dump:
    """A dump of trees as text: `booster[0]:`, then a node on each line."""
    trees: list[Tree] = []
    nodes: dict[int, tuple[int, int, Split | None]] = {}
    for line in lines:
        if not line.strip():
            continue
        if _BOOSTER.fullmatch(line.strip()):
            if nodes:
                trees.append(_of_numbered(nodes))
                nodes = {}
        elif leaf := _LEAF.match(line):
            nodes[int(leaf[1])] = (LEAF, LEAF, None)
        elif question := _QUESTION.fullmatch(line.rstrip("\r\n")):
            told = {name: float(value) for name, value in _STATISTIC.findall(question[5])}
            split = Split(_asked(question[2]), told.get("gain", float("nan")), told.get("cover", float("nan")))
            nodes[int(question[1])] = (int(question[3]), int(question[4]), split)
        else:
            raise Malformed(f"a line that is no node: {line.strip()[:60]!r}")
    if nodes:
        trees.append(_of_numbered(nodes))
    return Dump([[tree] for tree in trees], (), GROUPS, {"boosting_type": "gbtree"}, WRITER)


def _asked(question: str) -> str:
    # `f0<0.5`, `f1:{0,3}` for categories, `f2` for an indicator; the name of a feature holds no `<`.
    if "<" in question:
        return question.partition("<")[0]
    return question.partition(":{")[0]


def _of_numbered(nodes: Mapping[int, tuple[int, int, Split | None]]) -> Tree:
    if 0 not in nodes:
        raise Malformed("a tree without a root")
    # Numbers may have holes where nodes were pruned.
    place = {number: at for at, number in enumerate(sorted(nodes))}
    order = sorted(nodes)
    left = [place.get(nodes[one][0], len(nodes)) if nodes[one][2] else LEAF for one in order]
    right = [place.get(nodes[one][1], len(nodes)) if nodes[one][2] else LEAF for one in order]
    size, questions = reached(left, right)
    return Tree(size, [split for one in questions if (split := nodes[order[one]][2]) is not None])
