"""Attributes of groups and data sets, and what the words of a path say beside the step."""

import h5py
import numpy as np
import pytest

from tests.importers.hdf5.recorder import read

pytestmark = pytest.mark.usefixtures("recorded")


def test_step_of_a_group(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, step in (("first", 10), ("second", 20)):
            group = file.create_group(name)
            group.attrs["step"] = step
            group["gradients/fc1.weight"] = np.full((2, 2), step)
    track = read(tmp_path / "a.h5").tensors["gradients/fc1.weight"]
    assert track.steps == [10, 20]
    assert track.at(20).tolist() == [[20, 20], [20, 20]]


def test_step_of_the_file_and_of_a_collection_keep_names(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["global_step"] = 500
        file["gradients/fc1.weight"] = np.zeros((2, 2))
        file["weights/fc1.weight"] = np.zeros((2, 2))
        file["weights"].attrs["step"] = 600
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/fc1.weight"].steps == [500]
    assert found.tensors["weights/fc1.weight"].steps == [600]
    assert found.status.reason is None


def test_attribute_wins_over_the_number_of_a_group(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for epoch in (1, 2):
            group = file.create_group(f"epoch_{epoch}")
            group.attrs["step"] = 100 * epoch
            group["weights/fc1.weight"] = np.zeros((2, 2))
    assert read(tmp_path / "a.h5").tensors["weights/fc1.weight"].steps == [100, 200]


def test_step_as_a_number_in_a_group(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["step"] = 4000
        file["weights/fc1.weight"] = np.zeros((2, 2))
    assert read(tmp_path / "a.h5").tensors["weights/fc1.weight"].steps == [4000]


@pytest.mark.parametrize(
    ("key", "value", "mode"), [("mode", "train", "train"), ("split", "Validation", "val"), ("mode", b"TEST", "test")]
)
def test_mode(tmp_path, key, value, mode):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["step_1/activations/relu1"] = np.zeros((2, 2))
        file["step_1"].attrs[key] = value
    assert read(tmp_path / "a.h5").tensors["activations/relu1"].hints.mode == mode


@pytest.mark.parametrize("value", [3, "3", np.int8(3)])
def test_worker(tmp_path, value):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["step_1/gradients/fc1"] = np.zeros((2, 2))
        file.attrs["rank"] = value
        file["step_1/rank_7/gradients/fc2"] = np.zeros((2, 2))
        file["step_1/rank_7"].attrs["worker"] = "7"
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/fc1"].hints.worker == "3"
    assert found.tensors["gradients/fc2"].hints.worker == "7"


def test_workers_in_the_path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for worker in (0, 1):
            file[f"worker_{worker}/step_5/gradients/fc1"] = np.full((2, 2), worker)
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/fc1@0"].at(5)[0, 0] == 0
    assert found.tensors["gradients/fc1@1"].at(5)[0, 0] == 1


def test_data_format_and_activation(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, function in (("block1", "ReLU"), ("block2", None)):
            file[f"step_1/activations/{name}"] = np.zeros((2, 4, 4, 3))
            if function:
                file[f"step_1/activations/{name}"].attrs["activation"] = function
        file["step_1/activations"].attrs["data_format"] = "channels_last"
    found = read(tmp_path / "a.h5")
    assert found.tensors["activations/block1"].hints.data_format == "channels_last"
    assert found.tensors["activations/block1"].hints.function == "relu"
    assert found.tensors["activations/block2"].hints.function is None


def test_wall_times(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in (1, 2):
            file[f"step_{step}/gradients/fc1"] = np.zeros((2, 2))
            file[f"step_{step}/metrics/loss"] = 0.5
            file[f"step_{step}"].attrs["wall_time"] = 1.7e9 + step
        file["step_2/gradients/fc1"].attrs["timestamp"] = 1.7e12
    found = read(tmp_path / "a.h5")
    assert found.tensors["gradients/fc1"].wall_times == [1.7e9 + 1, 1.7e9], "milliseconds are told by their size"
    assert found.scalars["metrics/loss"].wall_times.tolist() == [1.7e9 + 1, 1.7e9 + 2]


@pytest.mark.parametrize(
    ("place", "tag", "collection"),
    [
        ("gradient/fc1.weight", "gradient/fc1.weight", "gradients"),
        ("grads/fc1.weight", "grads/fc1.weight", "gradients"),
        ("fc1.weight.grad", "fc1.weight.grad", "gradients"),
        ("grad_fc1.weight", "grad_fc1.weight", "gradients"),
        ("fc1/gradients", "fc1/gradients", "gradients"),
        ("params/fc1.weight", "params/fc1.weight", "weights"),
        ("parameters/fc1/weight", "parameters/fc1/weight", "weights"),
        ("fc1/weight", "fc1/weight", None),
        ("state_dict/fc1.weight", "weights/fc1.weight", "weights"),
        ("encoder/activations/relu1", "activations/encoder/relu1", "activations"),
        ("biases/fc1", "biases/fc1", "biases"),
        ("outputs/conv1", "outputs/conv1", "outputs"),
        ("output/kernel", "output/kernel", None),
        ("embedding/weight", "embedding/weight", None),
        ("gradients/output/weight", "gradients/output/weight", "gradients"),
        ("inputs/image", "inputs/image", "inputs"),
        ("labels", "labels", "labels"),
        ("targets/y", "targets/y", "targets"),
        ("predictions/logits", "predictions/logits", "predictions"),
        ("optimizer/exp_avg/fc1.weight", "optimizer/exp_avg/fc1.weight", "optimizer"),
    ],
)
def test_collections(tmp_path, place, tag, collection):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for step in (10, 20):
            file[f"step_{step}/{place}"] = np.zeros((2, 3))
    found = read(tmp_path / "a.h5")
    assert found.tensors[tag].hints.collection == collection
    assert found.tensors[tag].steps == [10, 20]


def test_roles_know_the_tags(tmp_path):
    # Gradients and weights must join by layer and parameter.
    from mlcheck.store.roles import assign

    with h5py.File(tmp_path / "a.h5", "w") as file:
        for place in ("gradients/fc1.weight", "weights/fc1.weight", "state_dict/fc2.bias", "gradients/fc2.bias"):
            file[f"step_1/{place}"] = np.zeros((2, 2))
    found = read(tmp_path / "a.h5")
    labels = {tag: assign(tag, "", "tensor", track.hints) for tag, track in found.tensors.items() if "@" not in tag}
    assert labels["gradients/fc1.weight"].role == "gradient"
    assert labels["weights/fc1.weight"].role == "weight"
    for layer, param in (("fc1", "weight"), ("fc2", "bias")):
        for kind in ("gradients", "weights"):
            one = labels[f"{kind}/{layer}.{param}"].labels
            assert (one["layer"], one["param"]) == (layer, param)
