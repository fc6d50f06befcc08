"""LightGBM: the model as text (`save_model("model.txt")`) and as JSON (`dump_model()`).

Its importances are two: `weight`, how often a feature is asked (LightGBM calls it split), and `gain`, the sum of the gains; the sum is
given as `total_gain` too, which is what XGBoost calls it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlcheck.importers.stated import printed_value
from mlcheck.importers.trees.dump import Dump, by_round
from mlcheck.importers.trees.forest import LEAF, Malformed, Split, Tree, reached

GROUPS = {"gain": "total_gain", "weight": "weight", "total_gain": "total_gain"}
WRITER = "LightGBM"

# Of the two hundred settings that a model lists with all their defaults, those whose default is a setting too.
_SETTINGS = frozenset(
    {
        "boosting",
        "bagging_fraction",
        "feature_fraction",
        "lambda_l1",
        "lambda_l2",
        "learning_rate",
        "min_data_in_leaf",
        "num_iterations",
        "num_leaves",
    }
)


def of_json(data: Mapping[str, Any]) -> Dump:
    """`dump_model()` as JSON. Raises what `dump.DAMAGE` lists where it is damaged."""
    features = [str(name) for name in data.get("feature_names") or ()]
    trees = [_of_nested(one["tree_structure"], features) for one in data["tree_info"]]
    return _dump(trees, features, int(data.get("num_tree_per_iteration", 1)), data, {})


def _dump(
    trees: Sequence[Tree], features: Sequence[str], per_round: int, head: Mapping[str, Any], settings: Mapping[str, Any]
) -> Dump:
    rounds = by_round(trees, per_round)
    facts: dict[str, str | float | bool] = {"boosting_type": "gbdt", **settings}
    objective = head.get("objective")
    if isinstance(objective, str) and objective:
        facts["objective"] = objective.split()[0]
    classes = int(head.get("num_class", 1))
    if classes > 1:
        facts["num_class"] = float(classes)
    return Dump(rounds, features, GROUPS, facts, WRITER)


def _of_nested(root: Any, features: Sequence[str]) -> Tree:
    left, right, splits = [LEAF], [LEAF], {}
    waiting = [(0, root)]
    while waiting:
        place, node = waiting.pop()
        if "split_feature" not in node:
            if "leaf_value" not in node:
                raise Malformed("a node that is neither a question nor a leaf")
            continue
        splits[place] = Split(_name(features, int(node["split_feature"])), float(node["split_gain"]))
        for name, side in (("left_child", left), ("right_child", right)):
            side[place] = len(left)
            waiting.append((len(left), node[name]))
            left.append(LEAF)
            right.append(LEAF)
    size, questions = reached(left, right)
    return Tree(size, [splits[one] for one in questions])


def _name(features: Sequence[str], index: int) -> str:
    return features[index] if 0 <= index < len(features) else f"Column_{index}"


_PARAMETER = re.compile(r"\[([\w ]+): (.*)\]")


def of_text(lines: Iterable[str]) -> Dump:
    """A model as text: `key=value` lines, a block for each tree, the settings at its end."""
    head: dict[str, str] = {}
    trees: list[Tree] = []
    settings: dict[str, str | float | bool] = {}
    block = head
    features: list[str] = []
    is_whole = False

    def close() -> None:
        if block is not head:
            trees.append(_of_block(block, features))

    for line in lines:
        text = line.rstrip("\n")
        if text.startswith("Tree="):
            close()
            features = features or head.get("feature_names", "").split()
            block = {"": text}
        elif text == "end of trees":
            close()
            block, is_whole = {}, True
        elif is_whole:
            parameter = _PARAMETER.fullmatch(text)
            value = printed_value(parameter[2]) if parameter and parameter[1] in _SETTINGS else None
            if parameter and value is not None:
                settings["boosting_type" if parameter[1] == "boosting" else parameter[1]] = value
        elif "=" in text:
            key, _, value_text = text.partition("=")
            block.setdefault(key, value_text)
    if not is_whole:
        raise Malformed("it ends before its trees do")
    return _dump(
        trees,
        features or head.get("feature_names", "").split(),
        int(head.get("num_tree_per_iteration", 1)),
        head,
        settings,
    )


def _of_block(block: Mapping[str, str], features: Sequence[str]) -> Tree:
    leaves = int(block["num_leaves"])
    if leaves <= 1:
        return Tree(reached([LEAF], [LEAF])[0], ())
    asked = [int(one) for one in block["split_feature"].split()]
    gains = [float(one) for one in block["split_gain"].split()]
    left = [int(one) for one in block["left_child"].split()]
    right = [int(one) for one in block["right_child"].split()]
    if not len(asked) == len(gains) == len(left) == len(right) == leaves - 1:
        raise Malformed(f"{block['']}: {leaves:,} leaves do not fit its lists")
    # Leaf number n is written as -n - 1; here they follow the questions.
    children = [[one if one >= 0 else leaves - 2 - one for one in side] + [LEAF] * leaves for side in (left, right)]
    size, questions = reached(children[0], children[1])
    return Tree(size, [Split(_name(features, asked[one]), gains[one]) for one in questions])
