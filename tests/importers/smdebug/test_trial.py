"""What becomes of the tensors of a trial."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlcheck.importers.found import FoundFile
from mlcheck.importers.smdebug.importer import SmdebugImporter
from mlcheck.importers.smdebug.trial import read_tensors
from mlcheck.store.build import build_run
from mlcheck.store.tensors.request import Request
from tests.importers.smdebug.writer import BFLOAT16, NUMBERS, TrialWriter, event, found, read, series

NUMERIC = [name for name in NUMBERS if not name.startswith("complex")]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_any_tensor_comes_out_bit_for_bit(tmp_path, data):
    dtype = data.draw(st.sampled_from(sorted(NUMBERS)))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    values = data.draw(hnp.arrays(dtype, shape))
    TrialWriter(tmp_path).step(7, {"t": values}, "EVAL", mode_step=3)
    ((tag, step, mode, mode_step, worker, mine),) = read_tensors(tmp_path)
    assert (tag, step, mode, mode_step, worker) == ("t", 7, "val", 3, "worker_0")
    assert mine.dtype == values.dtype
    assert mine.shape == values.shape
    assert mine.tobytes() == values.tobytes()


def test_bfloat16_is_widened(tmp_path):
    bits = np.arange(1 << 16, dtype=np.uint16)
    TrialWriter(tmp_path).raw(0, {"t": event(0, "t", bits, number=BFLOAT16)})
    ((*_, values),) = read_tensors(tmp_path)
    expected = (bits.astype(np.uint32) << 16).view(np.float32)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values.view(np.uint32), expected.view(np.uint32))
    whole, _ = read(tmp_path)
    assert series(whole, "t").hints.dtype == "bfloat16"
    assert series(whole, "t").columns["nan"].tolist() == [np.isnan(expected).sum()]


def test_losses_are_scalars_and_parameters_of_one_value_are_not(tmp_path):
    writer = TrialWriter(tmp_path)
    writer.collections(
        losses=["CE_output_0"], metrics=["accuracy"], weights=["out.weight"], biases=["out.bias"], gradients="^gradient"
    )
    for step in range(3):
        writer.step(
            step,
            {
                "CE_output_0": np.float32(2.5 - step),
                "accuracy": np.array([0.1 * step]),
                "out.weight": np.array([[1.0 + step]], np.float32),
                "out.bias": np.array([step], np.float32),
                "gradient/out.bias": np.array([0.5], np.float32),
                "epoch_time": np.array([1.5], np.float32),
                "labels": np.array([1]),
            },
        )
    whole, _ = read(tmp_path)
    kinds = {one.tag: one.kind for one in whole.series if one.kind != "fact"}
    assert kinds == {
        "CE_output_0": "scalar",
        "accuracy": "scalar",
        "epoch_time": "scalar",
        "out.weight": "tensor",
        "out.bias": "tensor",
        "gradient/out.bias": "tensor",
        "labels": "tensor",
    }
    loss = series(whole, "CE_output_0")
    assert loss.columns["value"].tolist() == [2.5, 1.5, 0.5]
    assert loss.wall_times.tolist() == [1000.0, 1001.0, 1002.0]
    assert loss.steps.dtype == np.int64
    assert series(whole, "out.bias").hints.collection == "biases"
    assert series(whole, "gradient/out.bias").hints.collection == "gradients"
    assert series(whole, "gradient/out.bias").hints.worker is None


def test_a_trial_without_collections_goes_by_smdebugs_names(tmp_path):
    TrialWriter(tmp_path).step(
        0,
        {
            "Net_fc.weight": np.ones((2, 3), np.float32),
            "Net_fc.bias": np.ones(2, np.float32),
            "gradient/Net_fc.weight": np.ones((2, 3), np.float32),
            "CrossEntropyLoss_output_0": np.float32(0.7),
        },
    )
    whole, damaged = read(tmp_path)
    assert not damaged
    collections = {one.tag: (one.kind, one.hints.collection) for one in whole.series}
    assert collections == {
        "Net_fc.weight": ("tensor", "weights"),
        "Net_fc.bias": ("tensor", "biases"),
        "gradient/Net_fc.weight": ("tensor", "gradients"),
        "CrossEntropyLoss_output_0": ("scalar", "losses"),
    }


def test_a_users_collection_takes_what_its_pattern_finds(tmp_path):
    writer = TrialWriter(tmp_path)
    writer.collections(all=".*", my_acts=r"block\d+_(relu|tanh)", weights="^(?!gradient).*weight")
    writer.step(
        0, {name: np.ones((4, 2), np.float32) for name in ("block1_relu_output_0", "block2_output_0", "fc.weight")}
    )
    whole, _ = read(tmp_path)
    assert {one.tag: one.hints.collection for one in whole.series} == {
        "block1_relu_output_0": "my_acts",
        "block2_output_0": None,
        "fc.weight": "weights",
    }


@pytest.mark.parametrize("with_index", [True, False])
def test_patterns_that_would_run_for_ever_do_not(tmp_path, with_index):
    writer = TrialWriter(tmp_path, with_index)
    writer.collections(evil=r"(a*)*c", worse=r"(?=a)(a+)+b", broken="(")
    writer.step(0, {"a" * 60 + "b!": np.ones(3, np.float32)})
    whole, _ = read(tmp_path)
    assert len(whole.series) == 1
    reason = whole.status.reason or ""
    assert "worse" in reason
    assert "broken" in reason


def test_modes_and_workers_are_apart(tmp_path):
    writer = TrialWriter(tmp_path)
    writer.collections(workers=2, losses=["loss"])
    for step in range(6):
        mode = "EVAL" if step % 3 == 2 else "TRAIN"
        for worker in ("worker_0", "worker_1"):
            value = {"loss": np.array([step + 10.0 * int(worker[-1])]), "act": np.full((2, 3), step, np.float32)}
            writer.step(step, value, mode, worker=worker)
    whole, damaged = read(tmp_path)
    assert not damaged
    for worker in ("0", "1"):
        train = series(whole, "loss", mode="train", worker=worker)
        val = series(whole, "loss", mode="val", worker=worker)
        assert train.steps.tolist() == [0, 1, 3, 4]
        assert val.steps.tolist() == [2, 5]
        assert val.columns["value"].tolist() == [2 + 10 * int(worker), 5 + 10 * int(worker)]
        assert series(whole, "act", mode="val", worker=worker).columns["mean"].tolist() == [2.0, 5.0]
    run = build_run("trial", ".", [("", whole)])
    assert {(one.labels.get("split"), one.labels.get("worker")) for one in run.series if one.role == "loss"} == {
        (split, worker) for split in ("train", "val") for worker in ("0", "1")
    }


def test_a_step_compares_with_the_step_before_of_the_same_mode_and_worker(tmp_path):
    writer = TrialWriter(tmp_path)
    values = {0: 1.0, 1: 1.0, 2: 2.0, 3: 4.0}
    for step, value in values.items():
        for worker in ("worker_0", "worker_1"):
            scale = 1.0 if worker == "worker_0" else 10.0
            writer.step(step, {"fc.weight": np.full((2, 2), value * scale, np.float32)}, worker=worker)
    request = Request(any_role=frozenset({"update_l2", "changed(1e-05,1e-08)"}))
    whole, _ = read(tmp_path, request)
    for worker, scale in (("0", 1.0), ("1", 10.0)):
        columns = series(whole, "fc.weight", worker=worker).columns
        assert np.isnan(columns["update_l2"][0])
        assert columns["update_l2"][1:].tolist() == pytest.approx([0.0, 2.0 * scale, 4.0 * scale])
        assert columns["changed(1e-05,1e-08)"][1:].tolist() == [0.0, 1.0, 1.0]


def test_weights_that_stand_still_in_evaluation_are_left_out_and_said(tmp_path):
    writer = TrialWriter(tmp_path)
    for step in range(6):
        mode = "EVAL" if step > 2 else "TRAIN"
        writer.step(
            step, {"fc.weight": np.full((2, 2), min(step, 2), np.float32), "fc_output_0": np.ones((2, 2))}, mode
        )
    whole, _ = read(tmp_path)
    assert [(one.tag, one.hints.mode) for one in whole.series if one.tag == "fc.weight"] == [("fc.weight", "train")]
    assert {one.hints.mode for one in whole.series if one.tag == "fc_output_0"} == {"train", "val"}
    assert "EVAL" in (whole.status.reason or "")


def test_weights_of_which_only_evaluation_tells_are_read(tmp_path):
    writer = TrialWriter(tmp_path)
    for step in range(3):
        writer.step(step, {"fc.weight": np.ones((2, 2), np.float32)}, "EVAL")
    whole, _ = read(tmp_path)
    assert series(whole, "fc.weight").hints.mode == "val"


def test_what_a_loss_compares_is_prediction_and_label(tmp_path):
    TrialWriter(tmp_path).step(
        0,
        {
            "NLLLoss_input_0": np.ones((4, 3), np.float32),
            "NLLLoss_input_1": np.zeros(4, np.int64),
            "fc_input_0": np.ones((4, 2)),
        },
    )
    whole, _ = read(tmp_path)
    run = build_run("trial", ".", [("", whole)])
    assert run.by_name("NLLLoss_input_0").role == "prediction"
    assert run.by_name("NLLLoss_input_1").role == "label"
    assert run.by_name("fc_input_0").role == "input"


def test_layers_stand_in_the_order_of_the_forward_pass(tmp_path):
    names = ["zeta.weight", "alpha.weight", "mid.weight"]
    tensors = {name: np.ones((2, 2), np.float32) for name in names}
    tensors |= {f"gradient/{name}": np.ones((2, 2), np.float32) for name in reversed(names)}
    TrialWriter(tmp_path).step(0, tensors)
    whole, _ = read(tmp_path)
    run = build_run("trial", ".", [("", whole)])
    for role in ("weight", "gradient"):
        order = {one.labels["layer"]: one.labels["order"] for one in run.series if one.role == role}
        assert order == {"zeta": "0", "alpha": "1", "mid": "2"}


def test_gradients_alone_are_not_in_the_order_of_backpropagation(tmp_path):
    names = ["gradient/l3.weight", "gradient/l10.weight", "gradient/l2.weight"]
    TrialWriter(tmp_path).step(0, {name: np.ones((2, 2), np.float32) for name in names})
    whole, _ = read(tmp_path)
    run = build_run("trial", ".", [("", whole)])
    order = {one.labels["layer"]: one.labels["order"] for one in run.series if one.role == "gradient"}
    assert order == {"l2": "0", "l3": "1", "l10": "2"}


def test_texts_and_complex_numbers(tmp_path):
    tensors = {
        "note": ["short"],
        "poem": ["x" * 5000],
        "spectrum": np.array([1j, 2.0], np.complex64),
        "fc.weight": np.ones((2, 2), np.float32),
    }
    TrialWriter(tmp_path).step(0, tensors)
    whole, damaged = read(tmp_path)
    assert not damaged
    assert [one.tag for one in whole.series] == ["fc.weight"]
    assert [(fact.key, fact.value) for fact in whole.facts] == [("note", "short")]
    reason = whole.status.reason or ""
    assert whole.status.status == "read"
    assert "poem (text)" in reason
    assert "spectrum (complex64, complex numbers)" in reason


def test_a_scalar_that_becomes_a_tensor_loses_nothing(tmp_path):
    writer = TrialWriter(tmp_path)
    writer.collections(losses=["loss"])
    writer.step(0, {"loss": np.array([1.0])})
    writer.step(1, {"loss": np.array([1.0, 2.0])})
    writer.step(2, {"loss": np.array([3.0])})
    whole, _ = read(tmp_path)
    by_kind = {one.kind: one for one in whole.series}
    assert by_kind["scalar"].steps.tolist() == [0, 2]
    assert by_kind["tensor"].steps.tolist() == [1]
    assert by_kind["tensor"].columns["count"].tolist() == [2.0]


def test_nothing_is_read_of_a_tensor_of_which_nothing_is_asked(tmp_path):
    TrialWriter(tmp_path).step(0, {"fc.weight": np.ones((2, 3), np.float32)})
    whole, _ = read(tmp_path, Request())
    one = series(whole, "fc.weight")
    assert one.steps.tolist() == [0]
    assert one.hints.shape == (2, 3)


def test_files_that_are_still_being_written_are_left_out(tmp_path):
    writer = TrialWriter(tmp_path)
    path = writer.step(0, {"loss": np.array([1.0])})
    (path.parent / f"{path.name}.tmp").write_bytes(b"half")
    (path.parent / "notes.txt").write_text("x")
    assert all(file.path.suffix in (".tfevents", ".json") for file in found(tmp_path))
    _, damaged = read(tmp_path)
    assert not damaged


@pytest.mark.parametrize("lost", ["collections", "index", "events"])
def test_a_trial_that_lost_a_directory_is_one(tmp_path, lost):
    writer = TrialWriter(tmp_path, with_index=lost != "index")
    if lost != "collections":
        writer.collections(losses=["loss"])
    path = writer.step(0, {"loss": np.array([1.0])})
    if lost == "events":
        path.unlink()
    assert SmdebugImporter().directory(tmp_path, []) is not None


@pytest.mark.parametrize(
    "names", [("collections", "events"), ("events",), ("events/run1",), ("index/2024",), ("collections/000000000",)]
)
def test_other_directories_are_no_trials(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "events.txt").write_text("x")
    assert SmdebugImporter().directory(tmp_path, ["events.txt"]) is None


def test_steps_are_in_order_however_many_there_are(tmp_path):
    writer = TrialWriter(tmp_path)
    for step in (1001, 5, 100000, 999):
        writer.step(step, {"loss": np.array([float(step)]), "fc.weight": np.full((2, 2), step, np.float32)})
    whole, _ = read(tmp_path)
    assert series(whole, "loss").steps.tolist() == [5, 999, 1001, 100000]
    assert series(whole, "fc.weight").columns["mean"].tolist() == [5.0, 999.0, 1001.0, 100000.0]
    assert whole.first_wall_time == 1005.0


def test_several_trials_of_one_run_are_read_each_as_a_whole(tmp_path):
    for name in ("a", "b"):
        TrialWriter(tmp_path / name).step(0, {"loss": np.array([1.0])})
    files = [
        FoundFile(one.path, one.shown, one.shown.rpartition("/")[0], "smdebug", one.bytes)
        for name in ("a", "b")
        for one in found(tmp_path / name, f"{name}/")
    ]
    results = SmdebugImporter().read_together(files, Request.base())
    assert [(part, imported.status.path, len(imported.series)) for part, imported in results] == [
        ("a", "a/events", 1),
        ("b", "b/events", 1),
    ]


def test_one_file_by_itself(tmp_path):
    path = TrialWriter(tmp_path).step(4, {"loss": np.array([1.0])})
    imported = SmdebugImporter().read(path, "x.tfevents")
    assert series(imported, "loss").steps.tolist() == [4]
    with pytest.raises(FileNotFoundError):
        SmdebugImporter().read(tmp_path / "none", "none")


def test_infinite_and_missing_wall_times(tmp_path):
    writer = TrialWriter(tmp_path)
    writer.step(0, {"loss": np.array([1.0])}, wall_time=0.0)
    writer.step(1, {"loss": np.array([math.inf])}, wall_time=5.0)
    whole, _ = read(tmp_path)
    one = series(whole, "loss")
    assert np.isnan(one.wall_times[0])
    assert one.wall_times[1] == 5.0
    assert one.columns["value"].tolist() == [1.0, math.inf]
    assert whole.first_wall_time == 5.0


def test_links_out_of_the_trial_are_not_followed(tmp_path):
    elsewhere = TrialWriter(tmp_path / "elsewhere")
    elsewhere.step(1, {"loss": np.array([1.0])})
    writer = TrialWriter(tmp_path / "trial")
    writer.step(0, {"loss": np.array([0.0])})
    (tmp_path / "trial/events/000000000001").symlink_to(elsewhere.event_path(1).parent)
    assert [one.path.parent.name for one in found(tmp_path / "trial") if one.path.suffix == ".tfevents"] == [
        "000000000000"
    ]
    (tmp_path / "link").mkdir()
    (tmp_path / "link/events").symlink_to(tmp_path / "elsewhere/events")
    assert SmdebugImporter().directory(tmp_path / "link", []) is None
