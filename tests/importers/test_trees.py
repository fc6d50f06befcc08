"""Dumps that XGBoost and LightGBM wrote (tree_dumps/make_dumps.py), against what the libraries themselves say of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcheck.importers.paths import head
from mlcheck.importers.trees.forest import LEAF, Malformed, reached
from mlcheck.importers.trees.importer import TreeModelImporter
from mlcheck.store.build import build_run

DUMPS = Path(__file__).parent / "tree_dumps"
EXPECTED = json.loads((DUMPS / "expected.json").read_text())
FILES = sorted(EXPECTED)
LISTS_FEATURES = (
    "xgboost-pruned.json",
    "xgboost-classes.json",
    "lightgbm.txt",
    "lightgbm.json",
    "lightgbm-classes.txt",
)


def read(path):
    return TreeModelImporter().read(path, path.name)


def importances(imported):
    found = {}
    for one in imported.series:
        if one.hints.collection == "feature_importance":
            labels = dict(one.hints.labels)
            assert one.tag == f"feature_importance/{labels['group']}/{labels['feature']}"
            assert one.steps.tolist() == [len(imported.series[0].steps) - 1]
            found.setdefault(labels["group"], {})[labels["feature"]] = float(one.columns["value"][0])
    return found


@pytest.mark.parametrize("name", FILES)
def test_depth_and_size_are_those_that_the_library_says(name):
    imported = read(DUMPS / name)
    assert imported.status.status == "read"
    assert imported.status.records == len(EXPECTED[name]["trees"])
    tree = imported.series[0]
    assert (tree.tag, tree.kind, tree.hints.collection) == ("tree", "fact", "tree")
    assert tree.steps.tolist() == list(range(len(EXPECTED[name]["rounds"])))
    assert [*zip(tree.columns["depth"], tree.columns["nodes"], strict=True)] == [
        tuple(one) for one in EXPECTED[name]["rounds"]
    ]
    assert tree.columns["value"].tolist() == tree.columns["depth"].tolist()


@pytest.mark.parametrize("name", FILES)
def test_importances_are_those_that_the_library_says(name):
    found = importances(read(DUMPS / name))
    expected = EXPECTED[name]["importance"]
    assert found.keys() == expected.keys()
    for group, values in expected.items():
        used = {feature: value for feature, value in values.items() if value}
        # XGBoost sums in float32, LightGBM writes six digits into its text.
        assert {f: v for f, v in found[group].items() if v} == pytest.approx(used, rel=2e-5)
        if name in LISTS_FEATURES:
            assert len(found[group]) == 6, "features without a question are listed"


def test_a_boosted_linear_model_has_no_trees():
    imported = read(DUMPS / "xgboost-linear.json")
    assert imported.status.status == "read"
    assert imported.status.reason == "no trees"
    assert not imported.series


@pytest.mark.parametrize("name", [*FILES, "xgboost-linear.json"])
def test_a_dump_accompanies_a_run_and_is_none(name):
    importer, path = TreeModelImporter(), DUMPS / name
    assert importer.accompanies(path, head(path))
    assert importer.would_read(path, head(path))
    assert importer.why_not(path, head(path))
    assert not importer.claims(path, head(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("params.json", '{"learning_rate": 0.1, "version": 3}'),
        ("package.json", '{"version": "1.0.0", "name": "x"}'),
        ("log.txt", "tree of life\nversion=v4\n"),
        ("history.json", '{"loss": [1, 2]}'),
        ("list.json", '[{"step": 1, "loss": 2}]'),
        ("empty.json", ""),
        ("model.bin", "tree\nversion=v4\n"),
    ],
)
def test_other_files_are_left_alone(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    assert not TreeModelImporter().accompanies(path, head(path))
    assert TreeModelImporter().why_not(path, head(path)) is None


def test_indented_and_sorted_json_is_known(tmp_path):
    for name in ("xgboost-pruned.json", "lightgbm.json"):
        path = tmp_path / name
        path.write_text(json.dumps(json.loads((DUMPS / name).read_text()), indent=4, sort_keys=True))
        assert TreeModelImporter().accompanies(path, head(path))
        assert importances(read(path)) == importances(read(DUMPS / name))


@pytest.mark.parametrize("name", FILES)
def test_a_lone_model_is_a_run_of_trees(name):
    run = build_run("model", ".", [("", read(DUMPS / name))])
    assert run.regime.name == "tree"


def test_facts_of_a_model():
    facts = {fact.key: fact.value for fact in read(DUMPS / "xgboost-classes.json").facts}
    assert facts == {"boosting_type": "dart", "objective": "multi:softprob", "num_class": 3.0}
    facts = {fact.key: fact.value for fact in read(DUMPS / "lightgbm-classes.txt").facts}
    assert facts["boosting_type"] == "gbdt"
    assert facts["num_class"] == 3.0
    assert facts["num_leaves"] == 4.0
    facts = {fact.key: fact.value for fact in read(DUMPS / "lightgbm.txt").facts}
    assert "num_class" not in facts, "LightGBM counts one class where there are two, or none"


def damaged(tmp_path, name, change):
    data = json.loads((DUMPS / name).read_text())
    change(data)
    path = tmp_path / name
    path.write_text(json.dumps(data))
    return read(path).status


def trees_of(data):
    return data["learner"]["gradient_booster"]["model"]["trees"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("xgboost-pruned.json", lambda data: trees_of(data)[0]["left_children"].__setitem__(1, 0)),
        ("xgboost-pruned.json", lambda data: trees_of(data)[0]["left_children"].__setitem__(1, 10**9)),
        ("xgboost-pruned.json", lambda data: trees_of(data)[0]["left_children"].pop()),
        ("xgboost-pruned.json", lambda data: trees_of(data)[0].pop("split_indices")),
        ("xgboost-pruned.json", lambda data: trees_of(data)[0].update(left_children="x")),
        ("xgboost-pruned.json", lambda data: trees_of(data).__setitem__(0, None)),
        ("xgboost-pruned.json", lambda data: data["learner"].pop("gradient_booster")),
        (
            "xgboost-pruned.json",
            lambda data: data["learner"]["gradient_booster"]["model"].update(iteration_indptr=[0, 9]),
        ),
        (
            "xgboost-pruned.json",
            lambda data: data["learner"].update(feature_names=[], learner_model_param={"num_feature": 10**12}),
        ),
        ("xgboost-trees.json", lambda data: data[0]["children"].pop()),
        ("xgboost-trees.json", lambda data: data[0].update(split_condition=None, gain="much")),
        ("lightgbm.json", lambda data: data["tree_info"][0]["tree_structure"].pop("right_child")),
        ("lightgbm.json", lambda data: data["tree_info"][0].update(tree_structure=[])),
        ("lightgbm.json", lambda data: data.update(tree_info=7)),
    ],
)
def test_damage_is_told_and_nothing_raised(tmp_path, name, change):
    status = damaged(tmp_path, name, change)
    assert status.status == "unreadable"
    assert status.reason
    assert "damaged tree model" in status.reason


@pytest.mark.parametrize("name", [*FILES, "xgboost-linear.json"])
def test_a_cut_dump_is_told(tmp_path, name):
    content = (DUMPS / name).read_bytes()
    for size in (0, 1, 64, len(content) // 2, len(content) - 40):
        path = tmp_path / name
        path.write_bytes(content[:size])
        status = read(path).status
        # Text without a mark at its end may be whole without its last lines; all else cannot.
        assert status.status == "unreadable" or name == "xgboost-trees.txt" or (size > 4000 and name.endswith(".txt"))
        assert status.status == "read" or status.reason


def test_nesting_without_end_is_told(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text('[{"nodeid": 0, "split": "f0", "children": ' + '[{"children": ' * 100_000)
    status = read(path).status
    assert status.status == "unreadable"
    assert status.reason


def test_a_file_larger_than_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("mlcheck.importers.trees.importer.LARGEST", 1 << 10)
    status = read(DUMPS / "lightgbm.json").status
    assert status.status == "unreadable"
    assert "larger than" in (status.reason or "")


@st.composite
def grown(draw):
    """A random tree: children of each node, its depth and its number of nodes, and nodes that nothing leads to."""
    left, right, depths = [LEAF], [LEAF], [0]
    for _ in range(draw(st.integers(0, 40))):
        leaves = [node for node, child in enumerate(left) if child == LEAF]
        node = draw(st.sampled_from(leaves))
        left[node], right[node] = len(left), len(left) + 1
        left += [LEAF, LEAF]
        right += [LEAF, LEAF]
        depths += [depths[node] + 1] * 2
    count = len(left)
    unused = draw(st.integers(0, 3))
    return left + [LEAF] * unused, right + [LEAF] * unused, max(depths), count


@given(grown())
def test_depth_and_nodes_of_any_tree(tree):
    left, right, depth, count = tree
    size, questions = reached(left, right)
    assert (size.depth, size.nodes) == (depth, count)
    assert sorted(questions) == [node for node in range(count) if left[node] != LEAF]


@given(st.lists(st.tuples(st.integers(-2, 8), st.integers(-2, 8)), max_size=8))
def test_any_lists_are_a_tree_or_refused(children):
    left, right = [one for one, _ in children], [one for _, one in children]
    try:
        size, _ = reached(left, right)
    except Malformed:
        return
    assert 0 <= size.depth < size.nodes <= len(children)


def test_a_chain_of_a_million_nodes_needs_no_recursion():
    count = 500_000
    left = np.full(2 * count + 1, LEAF)
    right = left.copy()
    left[0 : 2 * count : 2] = np.arange(1, 2 * count, 2)
    right[0 : 2 * count : 2] = np.arange(2, 2 * count + 1, 2)
    size, _ = reached(left.tolist(), right.tolist())
    assert size == (count, 2 * count + 1)
