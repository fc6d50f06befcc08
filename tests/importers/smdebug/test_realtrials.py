"""Trials that smdebug itself wrote: ../shared/smdebug."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mlcheck.importers.smdebug.importer import SmdebugImporter
from mlcheck.importers.smdebug.trial import read_tensors
from mlcheck.store.build import build_run
from tests.importers.smdebug.writer import event, read, series, witness

SHARED = Path(__file__).parents[4] / "shared/smdebug"

pytestmark = [
    pytest.mark.realruns,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no SageMaker Debugger trials here"),
]

# What smdebug's writer was given, one tensor a step: the same three numbers in each type, and odd cases. The names are the types.
GIVEN = {
    **{
        name: np.array([-1, 2, 3], name)
        for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64")
    },
    **{name: np.array([1, 2, 3], name) for name in ("uint8", "uint16", "uint32", "uint64")},
    "bool": np.array([True, False, True]),
    "complex64": np.array([1 + 2j], np.complex64),
    "complex128": np.array([1 + 2j]),
    "scalar0d": np.array([3.5], np.float32),
    "empty": np.zeros((0, 4), np.float32),
    "str": np.array(["a", "bé"]),
    "pyfloat": np.array([2.5]),
    "nan": np.array([np.nan, np.inf, -np.inf], np.float32),
}


def test_every_type_comes_out_as_it_was_given():
    saved = {tag: values for tag, *_, values in read_tensors(SHARED / "dt")}
    assert list(saved) == list(GIVEN)
    for name, values in GIVEN.items():
        assert saved[name].dtype == values.dtype, name
        assert saved[name].shape == values.shape, name
        np.testing.assert_array_equal(saved[name], values, err_msg=name)


def test_statistics_of_every_type():
    whole, damaged = read(SHARED / "dt")
    assert not damaged
    assert whole.status.records == len(GIVEN)
    for name, values in GIVEN.items():
        if name in ("scalar0d", "pyfloat"):
            assert series(whole, name).columns["value"].tolist() == values.tolist()
        elif values.dtype.kind in "fiub" and values.size:
            finite = values[np.isfinite(values)].astype(np.float64)
            columns = series(whole, name).columns
            assert columns["count"].tolist() == [values.size]
            assert columns["nonfinite"].tolist() == [values.size - finite.size]
            if finite.size:
                assert columns["abs_mean"].tolist() == pytest.approx([np.abs(finite).mean()])
                assert columns["max"].tolist() == [finite.max()]
    assert whole.status.status == "read"
    assert "complex64" in (whole.status.reason or "")
    assert "complex128" in (whole.status.reason or "")
    assert [(fact.key, fact.value) for fact in whole.facts] == [("str", "a, bé")]


MODES = {1: "train", 2: "val", 3: "test", 4: None}


@pytest.mark.parametrize("name", ["pt", "pt_mod", "xgb", "multi", "dt"])
def test_every_tensor_is_bit_for_bit_what_a_naive_reader_finds(name):
    def key(one):
        return one[0], one[1], one[2] or "", one[3]

    expected = sorted(
        ((tag, step, MODES[mode], worker, values) for tag, step, mode, worker, values in witness(SHARED / name)),
        key=key,
    )
    ours = sorted(
        ((tag, step, mode, worker, values) for tag, step, mode, _, worker, values in read_tensors(SHARED / name)),
        key=key,
    )
    assert len(ours) == len(expected) > 0
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine[:4] == theirs[:4]
        assert mine[4].dtype == theirs[4].dtype
        assert mine[4].shape == theirs[4].shape
        assert mine[4].tobytes() == theirs[4].tobytes()


@pytest.mark.parametrize("name", ["pt", "pt_mod", "xgb"])
def test_the_modes_own_step_is_that_of_the_index(name):
    stated = {}
    for path in (SHARED / name / "index").rglob("*.json"):
        stated[int(path.name[:12])] = json.loads(path.read_text())["meta"]
    names = {"TRAIN": "train", "EVAL": "val", "PREDICT": "test", "GLOBAL": None}
    seen = {(step, mode, mode_step) for _, step, mode, mode_step, _, _ in read_tensors(SHARED / name)}
    assert seen == {(step, names[meta["mode"]], meta["mode_step"]) for step, meta in stated.items()}


@pytest.mark.parametrize("name", ["pt", "pt_mod", "xgb", "dt"])
def test_the_index_changes_nothing(name, tmp_path):
    for kind in ("events", "collections"):
        shutil.copytree(SHARED / name / kind, tmp_path / kind)
    with_index, _ = read(SHARED / name)
    without, damaged = read(tmp_path)
    assert not damaged
    assert len(with_index.series) == len(without.series)
    for one, other in zip(with_index.series, without.series, strict=True):
        assert (one.tag, one.kind, one.hints) == (other.tag, other.kind, other.hints)
        np.testing.assert_array_equal(one.steps, other.steps)
        assert one.columns.keys() == other.columns.keys()
        for column in one.columns:
            np.testing.assert_array_equal(one.columns[column], other.columns[column])


def test_statistics_are_those_of_the_tensors():
    whole, _ = read(SHARED / "pt_mod")
    for tag, step, *_, values in read_tensors(SHARED / "pt_mod"):
        columns = series(whole, tag).columns
        row = int(np.flatnonzero(series(whole, tag).steps == step)[0])
        if "value" in columns:
            assert columns["value"][row] == float(values.reshape(-1)[0])
            continue
        exact = values.astype(np.float64)
        assert columns["mean"][row] == pytest.approx(exact.mean(), rel=1e-6, abs=1e-9)
        assert columns["l2"][row] == pytest.approx(np.sqrt((exact**2).sum()), rel=1e-6)
        assert columns["std"][row] == pytest.approx(exact.std(), rel=1e-6)
        assert columns["zeros"][row] == (exact == 0).sum()


def test_roles_of_a_pytorch_trial():
    whole, _ = read(SHARED / "pt_mod")
    run = build_run("trial", ".", [("", whole)])
    roles = {one.name: (one.role, one.labels.get("layer"), one.labels.get("param")) for one in run.series}
    assert roles["Net_fc.weight"] == ("weight", "Net_fc", "weight")
    assert roles["gradient/Net_fc.weight"] == ("gradient", "Net_fc", "weight")
    assert roles["Net_conv1.bias"] == ("weight", "Net_conv1", "bias")
    assert roles["relu_output_0"][:2] == ("activation", "relu")
    assert run.by_name("relu_output_0").labels["act"] == "relu"
    assert roles["CrossEntropyLoss_input_0"][0] == "prediction"
    assert roles["CrossEntropyLoss_input_1"][0] == "label"
    loss = run.by_name("CrossEntropyLoss_output_0")
    assert (loss.role, loss.kind, loss.labels["split"]) == ("loss", "scalar", "train")
    # The first layer is the one whose weight the hook met first, for gradients too, which come backwards.
    assert (
        run.by_name("gradient/Net_conv1.weight").labels["order"] < run.by_name("gradient/Net_fc.weight").labels["order"]
    )


def test_modes_share_the_axis_of_global_steps():
    whole, damaged = read(SHARED / "pt")
    assert not damaged
    train = series(whole, "CrossEntropyLoss_output_0", mode="train").steps
    val = series(whole, "CrossEntropyLoss_output_0", mode="val").steps
    assert train.tolist() == [*range(8), *range(10, 18)]
    assert val.tolist() == [8, 9, 18, 19]
    run = build_run("trial", ".", [("", whole)])
    splits = {one.labels["split"] for one in run.series if one.role == "loss"}
    assert splits == {"train", "val"}


def test_gradients_of_which_only_reductions_were_saved():
    whole, _ = read(SHARED / "pt")
    expected = {}
    for tag, step, _, _, values in witness(SHARED / "pt"):
        if tag.startswith("smdebug/reductions/"):
            name, _, tensor = tag.removeprefix("smdebug/reductions/").partition("/")
            expected.setdefault(tensor, {}).setdefault(name, {})[step] = float(values)
    assert len(expected) == 6
    for tensor, by_name in expected.items():
        one = series(whole, tensor)
        assert (one.kind, one.hints.collection) == ("tensor", "gradients")
        for name, by_step in by_name.items():
            assert dict(zip(one.steps.tolist(), one.columns[name].tolist(), strict=True)) == by_step
        assert (one.columns["nonfinite"] == 0).all()
    # A gradient has the shape of its weight.
    assert series(whole, "gradient/Sequential_0.weight").hints.shape == (32, 20)
    assert (series(whole, "gradient/Sequential_0.weight").columns["count"] == 640).all()


def test_the_damaged_trial_is_read_as_far_as_it_is_whole():
    whole, damaged = read(SHARED / "multi")
    assert whole.status.records == 10
    values = {
        one.hints.worker: dict(zip(one.steps.tolist(), one.columns["value"].tolist(), strict=True))
        for one in whole.series
    }
    # The writer was given worker * 10 + step.
    assert values == {
        "0": {0: 0.0, 1: 1.0, 2: 2.0},
        "1": {0: 10.0, 1: 11.0, 3: 13.0},
        "2": {0: 20.0, 1: 21.0, 2: 22.0, 3: 23.0},
    }
    assert {one.path: one.status for one in damaged} == {
        "events/000000000003/000000000003_worker_0.tfevents": "unreadable",
        "events/000000000002/000000000002_worker_1.tfevents": "unreadable",
    }
    reasons = {one.path[-17:]: one.reason or "" for one in damaged}
    assert "index" in reasons["worker_0.tfevents"]
    assert "loss" in reasons["worker_0.tfevents"]
    assert "worker_1 saved nothing at step 2" in reasons["worker_1.tfevents"]


def test_trees_of_an_xgboost_trial():
    whole, damaged = read(SHARED / "xgb")
    assert not damaged
    tables = {}
    for tag, step, *_, values in witness(SHARED / "xgb"):
        if tag.startswith("trees/"):
            tables.setdefault(step, {})[tag.removeprefix("trees/")] = values.tolist()

    def depth(table, node):
        row = table["ID"].index(node)
        if table["Yes"][row] == "nan":
            return 0
        return 1 + max(depth(table, table["Yes"][row]), depth(table, table["No"][row]))

    tree = series(whole, "tree")
    assert (tree.kind, tree.hints.collection) == ("fact", "tree")
    assert tree.steps.tolist() == list(range(20))
    assert tree.columns["depth"].tolist() == [depth(tables[step], f"{step}-0") for step in range(20)]
    assert tree.columns["nodes"].tolist() == [len(tables[step]["ID"]) for step in range(20)]
    assert max(tree.columns["depth"]) <= 4, "hyperparameters/max_depth is 4"


def test_importance_of_features_of_an_xgboost_trial():
    whole, _ = read(SHARED / "xgb")
    expected = Counter()
    for tag, step, *_, values in witness(SHARED / "xgb"):
        if tag.startswith("feature_importance/"):
            _, group, feature = tag.split("/")
            one = series(whole, tag)
            assert one.hints.labels == (("feature", feature), ("group", group))
            assert one.columns["value"][np.flatnonzero(one.steps == step)[0]] == float(values[0])
            expected[group] += 1
    assert set(expected) == {"weight", "gain", "cover", "total_gain", "total_cover"}
    # average_shap names five features, of which no tree asks for two.
    for group in expected:
        unused = [
            f
            for f in ("f0", "f1", "f2", "f3", "f4")
            if not series(whole, f"feature_importance/{group}/{f}").columns["value"].any()
        ]
        assert unused == ["f2", "f4"]
    run = build_run("trial", ".", [("", whole)])
    assert run.regime.name == "tree"
    assert not [one.name for one in run.series if one.role == "metric" and "shap" in one.name]
    assert {fact.key: fact.value for fact in whole.facts} == {
        "max_depth": 4.0,
        "objective": "binary:logistic",
        "eval_metric": "logloss, error",
    }


def test_a_trial_is_found_by_its_directories():
    importer = SmdebugImporter()
    for name in ("pt", "pt_mod", "xgb", "multi", "dt"):
        own = importer.directory(SHARED / name, ["training_job_end.ts"])
        assert own is not None
        assert (own.name, own.below) == (name, ())
        assert len(own.files) == sum(1 for path in (SHARED / name).rglob("*worker_*") if path.is_file())
    assert importer.directory(SHARED, []) is None
    assert importer.directory(SHARED / "pt/events", []) is None


def test_our_writer_writes_what_smdebug_writes():
    for step, (name, values) in enumerate(GIVEN.items()):
        (path,) = (SHARED / "dt/events" / f"{step:012d}").iterdir()
        real = path.read_bytes()
        (wall_time,) = np.frombuffer(real, "<f8", 1, 13)
        given = values.tolist() if name == "str" else values
        assert event(step, name, given, "GLOBAL", step, float(wall_time)) == real, name
