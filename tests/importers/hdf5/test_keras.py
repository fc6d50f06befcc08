"""Keras' weights files: names without repetition, names where Keras 3 gives none."""

import h5py
import numpy as np
import pytest

from mlcheck.importers.hdf5.keras import names_of_vars
from mlcheck.importers.hdf5.keras import without_repetition as plain
from mlcheck.store.roles import assign
from tests.importers.hdf5.recorder import claims, read, why_not

pytestmark = pytest.mark.usefixtures("recorded")


def keras2(path, value=1.0, model=False):
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if model else file
        root.attrs["layer_names"] = [b"dense", b"embedding"]
        root.attrs["keras_version"] = b"2.15.0"
        for layer, name, shape in (
            ("dense", "kernel", (3, 4)),
            ("dense", "bias", (4,)),
            ("embedding", "embeddings", (9, 3)),
        ):
            root[f"{layer}/{layer}/{name}:0"] = np.full(shape, value, np.float32)
        root["dense"].attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        if model:
            file["optimizer_weights/Adam/iter:0"] = np.int64(7)
            file["optimizer_weights/Adam/dense/kernel/m:0"] = np.zeros((3, 4), np.float32)


def keras3(path, value=1.0):
    with h5py.File(path, "w") as file:
        for place, shape in {
            "layers/dense/vars/0": (3, 4),
            "layers/dense/vars/1": (4,),
            "layers/batch_normalization/vars/0": (4,),
            "layers/batch_normalization/vars/1": (4,),
            "layers/batch_normalization/vars/2": (4,),
            "layers/batch_normalization/vars/3": (4,),
            "layers/embedding/vars/0": (9, 3),
            "layers/lstm/cell/vars/0": (3, 8),
            "layers/lstm/cell/vars/1": (2, 8),
            "layers/lstm/cell/vars/2": (8,),
            "layers/layer_normalization/vars/0": (4,),
            "layers/layer_normalization/vars/1": (4,),
            "layers/functional/layers/conv2d/vars/0": (3, 3, 1, 8),
            "layers/odd/vars/0": (2,),
            "optimizer/vars/1": (3, 4),
        }.items():
            file[place] = np.full(shape, value, np.float32)
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
        file["optimizer/vars/0"] = np.int64(3)


def test_keras_2_files_are_a_history(tmp_path):
    paths = [tmp_path / f"weights.{epoch:02d}-{1 / epoch:.2f}.hdf5" for epoch in (1, 2, 10)]
    for epoch, path in enumerate(paths):
        keras2(path, value=epoch)
    assert all(claims(path) for path in paths)
    found = read(*reversed(paths))
    assert found.groups == 1
    track = found.tensors["dense/kernel"]
    assert track.steps == [1, 2, 10]
    assert [array[0, 0] for _, _, array in track.rows] == [0, 1, 2]
    assert set(found.tensors) >= {"dense/kernel", "dense/bias", "embedding/embeddings"}
    assert all(status.status == "read" and status.records == 3 and status.reason is None for status in found.statuses)


def test_names_of_keras_3(tmp_path):
    paths = [tmp_path / f"ckpt-{step}.weights.h5" for step in (500, 1000)]
    for path in paths:
        keras3(path)
    found = read(*paths)
    tags = {tag for tag in found.tensors if "@" not in tag}
    assert tags == {
        "layers/dense/kernel",
        "layers/dense/bias",
        "layers/batch_normalization/gamma",
        "layers/batch_normalization/beta",
        "layers/batch_normalization/moving_mean",
        "layers/batch_normalization/moving_variance",
        "layers/embedding/embeddings",
        "layers/lstm/cell/kernel",
        "layers/lstm/cell/recurrent_kernel",
        "layers/lstm/cell/bias",
        "layers/layer_normalization/gamma",
        "layers/layer_normalization/beta",
        "layers/functional/layers/conv2d/kernel",
        "layers/odd/vars/0",
        "layers/dropout/seed_generator/vars/0",
        "optimizer/vars/1",
    }
    assert found.tensors["layers/dense/kernel"].steps == [500, 1000]
    roles = {tag: assign(tag, "", "tensor", found.tensors[tag].hints) for tag in tags}
    assert roles["layers/dense/kernel"].role == "weight"
    assert roles["layers/dense/kernel"].labels["param"] == "weight"
    assert roles["layers/dense/bias"].labels["param"] == "bias"
    assert roles["layers/batch_normalization/moving_mean"].labels["param"] == "stat"
    assert roles["layers/embedding/embeddings"].role == "weight"
    assert roles["layers/odd/vars/0"].role == "weight"
    assert roles["layers/dropout/seed_generator/vars/0"].role == "other"
    assert roles["optimizer/vars/1"].role == "optimizer_state"
    assert found.scalars["optimizer/vars/0"].steps.tolist() == [500, 1000]


def test_full_models(tmp_path):
    for epoch in (1, 2):
        keras2(tmp_path / f"model_epoch{epoch}.h5", model=True)
    found = read(tmp_path / "model_epoch1.h5", tmp_path / "model_epoch2.h5")
    assert found.tensors["weights/dense/kernel"].steps == [1, 2]
    assert found.tensors["weights/dense/kernel"].hints.axis == "epoch"
    assert found.tensors["optimizer/Adam/dense/kernel/m"].hints.collection == "optimizer"
    assert found.scalars["optimizer/Adam/iter"].columns["value"].tolist() == [7, 7]


@pytest.mark.parametrize("make", [keras2, keras3, lambda path: keras2(path, model=True)])
def test_a_single_one_is_an_export(tmp_path, make):
    path = tmp_path / "model-12.h5"
    make(path)
    assert not claims(path)
    assert "a data set or an export, not judged" in why_not(path)
    found = read(path)
    assert found.reason == "no steps in it: one snapshot, at step 12, from its name"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("dense/dense/kernel:0", "dense/kernel"),
        ("dense/kernel:0", "dense/kernel"),
        ("model_weights/dense/dense/bias:0", "model_weights/dense/bias"),
        ("lstm/sequential/lstm/lstm_cell/kernel", "sequential/lstm/lstm_cell/kernel"),
        ("dense_1/dense_1_W", "dense_1/W"),
        ("dense_1/dense_1_b:0", "dense_1/b"),
        ("block/conv/kernel:0", "block/conv/kernel"),
    ],
)
def test_repetitions(place, name):
    assert "/".join(plain(tuple(place.split("/")))) == name


@pytest.mark.parametrize(
    ("layer", "shapes", "names"),
    [
        ("dense", [(3, 4), (4,)], ["kernel", "bias"]),
        ("conv2d", [(3, 3, 1, 8), (8,)], ["kernel", "bias"]),
        ("query_dense", [(8, 2, 4), (2, 4)], ["kernel", "bias"]),
        ("bn1", [(4,)] * 4, ["gamma", "beta", "moving_mean", "moving_variance"]),
        ("batch_normalization", [(4,)] * 3, ["beta", "moving_mean", "moving_variance"]),
        ("layer_norm", [(4,)] * 2, ["gamma", "beta"]),
        ("rms_normalization", [(4,)], ["gamma"]),
        ("gru_cell", [(3, 6), (2, 6), (2, 6)], ["kernel", "recurrent_kernel", "bias"]),
        ("separable_conv2d", [(3, 3, 1, 1), (1, 1, 1, 8), (8,)], ["depthwise_kernel", "pointwise_kernel", "bias"]),
        ("token_embedding", [(50, 8)], ["embeddings"]),
        ("dense", [(3, 4), (4,), (2, 2)], ["kernel", "bias", None]),
        ("p_re_lu", [(4,)], [None]),
        ("nothing", [], []),
    ],
)
def test_names_of_variables(layer, shapes, names):
    assert names_of_vars(layer, shapes) == names
