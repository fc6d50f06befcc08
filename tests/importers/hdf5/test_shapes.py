"""Every shape of formats.md §2, as h5py writes it."""

import h5py
import numpy as np
import pytest

from tests.importers.hdf5.recorder import read

pytestmark = pytest.mark.usefixtures("recorded")
STEPS = [0, 100, 250]


def tensor(step, shape=(3, 4), seed=0):
    return np.random.default_rng([step, seed]).standard_normal(shape).astype(np.float32)


def assert_history(track, steps=STEPS, shape=(3, 4), seed=0):
    assert track.steps == steps
    for step in steps:
        np.testing.assert_array_equal(track.at(step), tensor(step, shape, seed))


@pytest.mark.parametrize(
    "group",
    [
        "step_{:06d}",
        "step={}",
        "step-{}",
        "Step {}",
        "iter_{}",
        "iteration_{}",
        "global_step_{}",
        "batch_{}",
        "{}",
        "{:06d}",
    ],
)
def test_step_first(tmp_path, group):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            file[f"{group.format(step)}/gradients/fc1.weight"] = tensor(step)
            file[f"{group.format(step)}/weights/fc1.weight"] = tensor(step, seed=1)
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["gradients/fc1.weight"])
    assert_history(found.tensors["weights/fc1.weight"], seed=1)
    assert found.tensors["gradients/fc1.weight"].hints.collection == "gradients"
    assert found.tensors["weights/fc1.weight"].hints.collection == "weights"
    assert found.status.status == "read"
    assert found.status.records == 6
    assert found.status.reason is None


@pytest.mark.parametrize(
    ("container", "axis"),
    [("step", "step"), ("steps", "step"), ("iterations", "step"), ("epoch", "epoch"), ("Epochs", "epoch")],
)
def test_a_group_of_all_steps_is_no_part_of_the_name(tmp_path, container, axis):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            file[f"{container}/{step}/gradients/fc1.weight"] = tensor(step)
            file[f"{container}/{step}/inputs"] = tensor(step, seed=1)
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["gradients/fc1.weight"])
    assert_history(found.tensors["inputs"], seed=1)
    assert found.tensors["gradients/fc1.weight"].hints.axis == axis


def test_epochs_are_another_axis(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for epoch in (1, 2, 3):
            file[f"epoch_{epoch}/weights/fc1.weight"] = tensor(epoch)
    found = read(tmp_path / "a.h5")
    assert found.tensors["weights/fc1.weight"].hints.axis == "epoch"
    assert found.tensors["weights/fc1.weight"].steps == [1, 2, 3]


def test_step_first_below_other_groups(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            file[f"dump/tensors/{step}/gradients/fc1.weight"] = tensor(step)
            file[f"gradients/step_{step}/fc2.weight"] = tensor(step, seed=1)
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["gradients/dump/tensors/fc1.weight"])
    assert_history(found.tensors["gradients/fc2.weight"], seed=1)


def test_several_groups_of_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            file[f"train/{step}/gradients/fc1.weight"] = tensor(step)
        for step in STEPS[:2]:
            file[f"validation/{step}/activations/relu1"] = tensor(step, seed=1)
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["gradients/fc1.weight"])
    assert found.tensors["gradients/fc1.weight"].hints.mode == "train"
    assert_history(found.tensors["activations/relu1"], STEPS[:2], seed=1)
    assert found.tensors["activations/relu1"].hints.mode == "val"


def test_one_tensor_in_two_modes_is_two(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            file[f"train/step_{step}/activations/relu"] = tensor(step)
            file[f"val/step_{step}/activations/relu"] = tensor(step, seed=1)
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["activations/relu@train"])
    assert_history(found.tensors["activations/relu@val"], seed=1)


def test_name_first(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            file[f"gradients/fc1.weight/{step}"] = tensor(step)
            file[f"gradients/fc2/weight/step_{step}"] = tensor(step, seed=1)
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["gradients/fc1.weight"])
    assert_history(found.tensors["gradients/fc2/weight"], seed=1)


def test_numbers_are_sorted_by_size_not_by_name(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in (1000, 200, 30, 4):
            file[f"gradients/fc1.weight/{step}"] = tensor(step)
    assert_history(read(tmp_path / "a.h5").tensors["gradients/fc1.weight"], [4, 30, 200, 1000])


def test_a_list_of_layers_is_no_history(tmp_path):
    # 0, 1, 2 without a gap and of different shapes, below a step: the layers of a network.
    shapes = [(4, 3), (3,), (2, 3)]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            for index, shape in enumerate(shapes):
                file[f"step_{step}/gradients/{index}"] = tensor(step, shape, index)
    found = read(tmp_path / "a.h5")
    for index, shape in enumerate(shapes):
        assert_history(found.tensors[f"gradients/{index}"], shape=shape, seed=index)


def test_a_list_of_layers_with_steps_below(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            for index in range(3):
                file[f"gradients/{index}/{step}"] = tensor(step, (3, 4), index)
    found = read(tmp_path / "a.h5")
    for index in range(3):
        assert_history(found.tensors[f"gradients/{index}"], seed=index)


def test_layers_are_indices_under_a_word_for_a_list(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            for index in (0, 1):
                file[f"{step}/weights/layers/{index}/kernel"] = tensor(step, (3, 4), index)
    found = read(tmp_path / "a.h5")
    for index in (0, 1):
        assert_history(found.tensors[f"weights/layers/{index}/kernel"], seed=index)


def test_last_batch_may_be_smaller(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step, size in ((0, 8), (1, 8), (2, 3)):
            file[f"activations/relu1/{step}"] = tensor(step, (size, 4))
    track = read(tmp_path / "a.h5").tensors["activations/relu1"]
    assert track.steps == [0, 1, 2]
    assert track.at(2).shape == (3, 4)


def test_two_shapes_under_one_name_are_handed_on(tmp_path):
    # The collector reports them; the importer must not drop either.
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["gradients/fc1/10"] = tensor(10, (3, 4))
        file["gradients/fc1/20"] = tensor(20, (4, 4))
    track = read(tmp_path / "a.h5").tensors["gradients/fc1"]
    assert [array.shape for _, _, array in track.rows] == [(3, 4), (4, 4)]


@pytest.mark.parametrize("name", ["values", "value", "data"])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_stacked_beside_steps(tmp_path, name, compression):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("gradients/fc1.weight")
        group["steps"] = STEPS
        group.create_dataset(name, data=np.stack([tensor(step) for step in STEPS]), compression=compression)
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["gradients/fc1.weight"])
    assert set(found.tensors) == {"gradients/fc1.weight", "gradients/fc1.weight@None"}


def test_stacked_with_wall_times(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("gradients/fc1.weight")
        group["steps"], group["wall_times"] = STEPS, [1.7e9, 1.7e9 + 1, 1.7e9 + 2]
        group["values"] = np.stack([tensor(step) for step in STEPS])
    assert read(tmp_path / "a.h5").tensors["gradients/fc1.weight"].wall_times == [1.7e9, 1.7e9 + 1, 1.7e9 + 2]


def test_layers_of_stacks_with_numbers(tmp_path):
    # The numbers are layers: the stacks have steps of their own.
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for index in range(3):
            file[f"gradients/{index}/steps"] = STEPS
            file[f"gradients/{index}/values"] = np.stack([tensor(step, seed=index) for step in STEPS])
    found = read(tmp_path / "a.h5")
    for index in range(3):
        assert_history(found.tensors[f"gradients/{index}"], seed=index)


@pytest.mark.parametrize("scale", ["step", "steps", "global_step", "iteration"])
def test_dimension_scale(tmp_path, scale):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["axis"] = STEPS
        file["axis"].make_scale(scale)
        for seed, name in enumerate(("gradients/fc1.weight", "weights/fc1.weight")):
            file[name] = np.stack([tensor(step, seed=seed) for step in STEPS])
            file[name].dims[0].attach_scale(file["axis"])
    found = read(tmp_path / "a.h5")
    assert_history(found.tensors["gradients/fc1.weight"])
    assert_history(found.tensors["weights/fc1.weight"], seed=1)
    assert "axis" not in found.tensors


def test_dimension_scale_called_by_its_data_set_and_epochs(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["epoch"] = [0, 1, 2]
        file["epoch"].make_scale()
        file["weights/fc1.weight"] = np.zeros((3, 2, 2))
        file["weights/fc1.weight"].dims[0].attach_scale(file["epoch"])
    track = read(tmp_path / "a.h5").tensors["weights/fc1.weight"]
    assert (track.hints.axis, track.steps) == ("epoch", [0, 1, 2])


def test_scale_on_another_axis_says_nothing_of_steps(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["step"] = [0, 1]
        file["step"].make_scale("step")
        file["weights/fc1.weight"] = np.zeros((3, 2))
        file["weights/fc1.weight"].dims[1].attach_scale(file["step"])
    found = read(tmp_path / "a.h5")
    assert found.tensors["weights/fc1.weight"].steps == [0]
    assert "no steps in it" in found.reason


def test_steps_as_an_attribute(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["gradients/fc1.weight"] = np.stack([tensor(step) for step in STEPS])
        file["gradients/fc1.weight"].attrs["steps"] = STEPS
    assert_history(read(tmp_path / "a.h5").tensors["gradients/fc1.weight"])


def test_length_alone_makes_no_steps(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["gradients/fc1.weight"] = np.zeros((3, 2))
        file["gradients/fc2.weight"] = np.zeros((3, 2))
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/fc1.weight"].at(0).shape == (3, 2)
    assert found.reason == "no steps in it: one snapshot, at step 0"


def test_steps_of_another_length_cannot_be_told(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["gradients/fc1/steps"] = [0, 1, 2]
        file["gradients/fc1/values"] = np.zeros((4, 2))
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/fc1/values"].at(0).shape == (4, 2)
    assert "/gradients/fc1/values: 3 steps for 4 entries: its steps cannot be told, it is one snapshot" in found.reason


def test_steps_that_are_no_whole_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["gradients/fc1/steps"] = [0.5, np.nan, 2]
        file["gradients/fc1/values"] = np.zeros((3, 2))
    assert "its steps are no whole numbers" in read(tmp_path / "a.h5").reason


def test_history_of_epochs(tmp_path):
    with h5py.File(tmp_path / "history.h5", "w") as file:
        for name, first in (("loss", 2.0), ("accuracy", 0.5), ("val_loss", 2.5), ("val_accuracy", 0.4)):
            file[name] = first + np.arange(5) / 10
    found = read(tmp_path / "history.h5")
    assert not found.tensors
    assert set(found.scalars) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert found.scalars["val_loss"].hints.axis == "epoch"
    assert found.scalars["val_loss"].kind == "scalar"
    np.testing.assert_array_equal(found.scalars["val_loss"].steps, np.arange(5))
    np.testing.assert_array_equal(found.scalars["val_loss"].columns["value"], 2.5 + np.arange(5) / 10)


def test_history_with_its_epochs(tmp_path):
    with h5py.File(tmp_path / "history.h5", "w") as file:
        file["epoch"], file["loss"], file["val_loss"] = [1, 2, 3], [3.0, 2.0, 1.0], [3.5, 2.5, 2.0]
    found = read(tmp_path / "history.h5")
    assert found.scalars["loss"].steps.tolist() == [1, 2, 3]
    assert found.scalars["loss"].hints.axis == "epoch"
    assert "epoch" not in found.scalars


def test_columns_of_a_data_set_are_no_history(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["score"], file["label"], file["x"] = np.zeros(100), np.zeros(100), np.zeros((100, 4))
    found = read(tmp_path / "data.h5")
    assert not found.scalars
    assert all(track.steps == [0] for track in found.tensors.values())


def test_scalars_over_steps(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in STEPS:
            file[f"step_{step}/metrics/train_loss"] = np.float32(step / 2)
            file[f"step_{step}/losses/aux"] = [float(step)]
            file[f"step_{step}/weights/out.bias"] = [float(step)]
            file[f"lr/{step}"] = step * 1e-3
    found = read(tmp_path / "a.h5")
    assert set(found.scalars) == {"metrics/train_loss", "losses/aux", "lr"}
    for tag, factor in (("metrics/train_loss", 0.5), ("losses/aux", 1.0), ("lr", 1e-3)):
        assert found.scalars[tag].steps.tolist() == STEPS
        np.testing.assert_array_equal(found.scalars[tag].columns["value"], [step * factor for step in STEPS])
    assert found.tensors["weights/out.bias"].at(100).shape == (1,), "a bias of one unit is a tensor"


def test_stacked_scalars(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["metrics/val_loss/steps"], file["metrics/val_loss/values"] = STEPS, [3.0, np.nan, 1.0]
    one = read(tmp_path / "a.h5").scalars["metrics/val_loss"]
    assert one.steps.tolist() == STEPS
    np.testing.assert_array_equal(one.columns["value"], [3.0, np.nan, 1.0])


def test_batches_that_begin_anew_in_each_epoch(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for epoch in (0, 1):
            for batch in (0, 5):
                file[f"epoch_{epoch}/batch_{batch}/gradients/fc1.weight"] = tensor(10 * epoch + batch)
    found = read(tmp_path / "a.h5")
    track = found.tensors["gradients/fc1.weight"]
    assert track.steps == [0, 5, 6, 11]
    np.testing.assert_array_equal(track.at(6), tensor(10))
    assert "steps begin anew in each epoch: step = epoch × 6 + step" in found.reason


def test_steps_that_count_on_over_epochs_stay(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for epoch, step in ((0, 10), (0, 20), (1, 30), (1, 40)):
            file[f"epoch_{epoch}/step_{step}/gradients/fc1.weight"] = tensor(step)
    assert_history(read(tmp_path / "a.h5").tensors["gradients/fc1.weight"], [10, 20, 30, 40])


def test_creation_order_is_the_order_of_layers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", track_order=True) as file:
        for step in STEPS[:2]:
            group = file.create_group(f"step_{step}", track_order=True).create_group("gradients", track_order=True)
            for name in ("stem", "block", "head"):
                group[name] = tensor(step)
    found = read(tmp_path / "a.h5")
    order = {name: found.tensors[f"gradients/{name}"].hints.order for name in ("stem", "block", "head")}
    assert order["stem"] < order["block"] < order["head"]


def test_names_alone_give_no_order(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("layer10", "layer2"):
            file[f"step_1/gradients/{name}"] = tensor(1)
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/layer2"].hints.order is None
    assert next(iter(found.tensors)) == "gradients/layer2", "numbers are sorted by size"
