"""Trees, importances and hyperparameters as smdebug's hook for XGBoost saves them."""

import numpy as np
import pytest

from tests.importers.smdebug.writer import TrialWriter, read, series


def table(*trees, with_children=True):
    """The columns of nodes for trees given as {node: (yes, no) or None}."""
    columns = {name: [] for name in ("Tree", "Node", "ID", "Yes", "No")}
    for number, nodes in enumerate(trees):
        for node, children in nodes.items():
            columns["Tree"].append(number)
            columns["Node"].append(node)
            columns["ID"].append(f"{number}-{node}")
            for name, child in zip(("Yes", "No"), children or (None, None), strict=True):
                columns[name].append("nan" if child is None else f"{number}-{child}")
    saved = {"trees/Tree": np.array(columns["Tree"]), "trees/Node": np.array(columns["Node"])}
    if with_children:
        saved |= {f"trees/{name}": columns[name] for name in ("ID", "Yes", "No")}
    return saved


CHAIN = {0: (1, 2), 1: None, 2: (3, 4), 3: None, 4: (5, 6), 5: None, 6: None}
STUMP = {0: (1, 2), 1: None, 2: None}


def sizes(tmp_path, *rounds):
    writer = TrialWriter(tmp_path)
    for step, tensors in enumerate(rounds):
        writer.step(step, tensors, "GLOBAL")
    whole, damaged = read(tmp_path)
    assert not damaged
    columns = series(whole, "tree").columns
    return whole, list(zip(columns["depth"].tolist(), columns["nodes"].tolist(), strict=True))


def test_depth_follows_the_children(tmp_path):
    _, found = sizes(tmp_path, table(STUMP), table(CHAIN))
    assert found == [(1, 3), (3, 7)]


def test_without_children_a_full_tree_is_taken(tmp_path):
    # Heap ids: the children of node n are 2n + 1 and 2n + 2. 11 is on the fourth level, below 0, 2 and 5.
    _, found = sizes(
        tmp_path, table(STUMP, with_children=False), table(dict.fromkeys((0, 2, 5, 11)), with_children=False)
    )
    assert found == [(1, 3), (3, 4)]


def test_the_deepest_of_several_trees_counts(tmp_path):
    _, found = sizes(tmp_path, table(STUMP, CHAIN, STUMP))
    assert found == [(3, 7)]


def test_a_round_of_a_single_leaf(tmp_path):
    # pandas gives columns without any child as numbers.
    leaf = table({0: None})
    leaf |= {"trees/Yes": np.array([np.nan]), "trees/No": np.array([np.nan])}
    _, found = sizes(tmp_path, leaf)
    assert found == [(0, 1)]


@pytest.mark.parametrize(
    "nodes",
    [
        {0: (1, 0), 1: None},
        {0: (1, 9), 1: None},
        {0: (1, 1), 1: None},
    ],
)
def test_nodes_that_are_no_tree_are_told(tmp_path, nodes):
    writer = TrialWriter(tmp_path)
    writer.step(0, table(STUMP), "GLOBAL")
    writer.step(1, table(nodes), "GLOBAL")
    whole, _ = read(tmp_path)
    assert series(whole, "tree").steps.tolist() == [0]
    assert "step 1" in (whole.status.reason or "")


def test_columns_that_do_not_fit_are_told(tmp_path):
    broken = table(STUMP)
    broken["trees/Tree"] = np.array([0])
    writer = TrialWriter(tmp_path)
    writer.step(0, broken, "GLOBAL")
    writer.step(1, {"trees/Node": np.array([-5, -7])}, "GLOBAL")
    writer.step(2, {"trees/Tree": np.array([1.0])}, "GLOBAL")
    whole, damaged = read(tmp_path)
    assert not damaged
    assert not whole.series
    assert "trees" in (whole.status.reason or "")


def test_importances(tmp_path):
    writer = TrialWriter(tmp_path)
    shap = {f"average_shap/{name}": np.array([0.5], np.float32) for name in ("f0", "f1", "a/b")}
    writer.step(0, {"feature_importance/gain/f0": np.array([1.0]), **shap}, "GLOBAL")
    writer.step(
        1,
        {"feature_importance/gain/f0": np.array([0.75]), "feature_importance/gain/a/b": np.array([0.25]), **shap},
        "GLOBAL",
    )
    whole, _ = read(tmp_path)
    found = {
        one.hints.labels: (one.steps.tolist(), one.columns["value"].tolist(), one.wall_times.tolist())
        for one in whole.series
        if one.hints.collection == "feature_importance"
    }
    assert found == {
        (("feature", "f0"), ("group", "gain")): ([0, 1], [1.0, 0.75], [1000.0, 1001.0]),
        (("feature", "a/b"), ("group", "gain")): ([1], [0.25], [1001.0]),
        (("feature", "f1"), ("group", "gain")): ([0, 1], [0.0, 0.0], [1000.0, 1001.0]),
    }


def test_hyperparameters_are_facts_once(tmp_path):
    writer = TrialWriter(tmp_path)
    for step in range(3):
        writer.step(
            step,
            {
                "hyperparameters/eta": np.array([0.3]),
                "hyperparameters/max_depth": np.array([6]),
                "hyperparameters/objective": ["reg:squarederror"],
                "hyperparameters/eval_metric": ["rmse", "mae"],
                "hyperparameters/odd": np.array([np.nan]),
            },
            "GLOBAL",
        )
    whole, _ = read(tmp_path)
    assert [(fact.key, fact.value, fact.source) for fact in whole.facts] == [
        ("eta", 0.3, "hyperparameters"),
        ("max_depth", 6.0, "hyperparameters"),
        ("objective", "reg:squarederror", "hyperparameters"),
        ("eval_metric", "rmse, mae", "hyperparameters"),
    ]
    assert not whole.series
