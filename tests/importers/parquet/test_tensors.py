"""Columns of lists: the collector is given every value, in the type and the shape of the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlcheck.importers.parquet import pages
from mlcheck.store.tensors.request import Request
from tests.importers.parquet.helpers import Witness, read, together, witness, write  # noqa: F401

SHAPE = (3, 4)


def _arrays(count: int, dtype: Any = np.float32) -> list[np.ndarray]:
    return [(np.arange(12) + 100 * at).reshape(SHAPE).astype(dtype) for at in range(count)]


def _long(value: pa.Array, count: int, **more: Any) -> dict[str, Any]:
    return {"step": list(range(count)), "name": ["gradients/fc1.weight"] * count, "value": value, **more}


def _nested(arrays: list[np.ndarray], kind: pa.DataType) -> pa.Array:
    return pa.array([one.tolist() for one in arrays], kind)


@pytest.mark.parametrize("stores_schema", [True, False])
@pytest.mark.parametrize(
    "kind",
    [
        "list",
        "large_list",
        "fixed_size_list",
        "nested",
        "nested_fixed",
        "tensor",
        "struct",
        "shape_column",
        "shape_text",
    ],
)
def test_every_form_of_a_tensor(tmp_path: Path, witness: Witness, kind: str, stores_schema: bool) -> None:  # noqa: F811
    arrays = _arrays(5)
    flat = [one.ravel() for one in arrays]
    shaped, more = True, {}
    if kind in ("list", "large_list", "fixed_size_list"):
        of = {"list": pa.list_(pa.float32()), "large_list": pa.large_list(pa.float32())}
        value, shaped = pa.array(flat, of.get(kind, pa.list_(pa.float32(), 12))), False
    elif kind == "nested":
        value = _nested(arrays, pa.list_(pa.list_(pa.float32())))
    elif kind == "nested_fixed":
        value = _nested(arrays, pa.list_(pa.list_(pa.float32(), 4), 3))
    elif kind == "tensor":
        value = pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack(arrays))
        # The shape is in the schema, and nowhere else.
        shaped = stores_schema
    elif kind == "struct":
        both = pa.struct([("data", pa.list_(pa.float32())), ("shape", pa.list_(pa.int32()))])
        value = pa.array([{"data": one.tolist(), "shape": SHAPE} for one in flat], both)
    else:
        value = pa.array(flat, pa.list_(pa.float32()))
        more = {"shape": [list(SHAPE)] * 5 if kind == "shape_column" else ["3x4"] * 5}
    path = write(tmp_path / "d.parquet", _long(value, 5, **more), store_schema=stores_schema, row_group_size=2)
    assert read(path).status.status == "read"
    track = witness.by_tag()["gradients/fc1.weight"]
    assert track.steps == [0, 1, 2, 3, 4]
    for found, expected in zip(track.arrays, arrays, strict=True):
        assert found.shape == (SHAPE if shaped else (12,))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.ravel(), expected.ravel())


def test_a_permuted_tensor_has_its_logical_axes(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    stored = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    kind = pa.fixed_shape_tensor(pa.float32(), (3, 4), permutation=[1, 0])
    value = pa.ExtensionArray.from_storage(kind, pa.array(stored.reshape(2, -1).tolist(), pa.list_(pa.float32(), 12)))
    read(write(tmp_path / "d.parquet", _long(value, 2)))
    np.testing.assert_array_equal(np.stack(witness.by_tag()["gradients/fc1.weight"].arrays), stored.transpose(0, 2, 1))


@pytest.mark.parametrize("where", ["field", "file"])
def test_a_shape_in_the_metadata(tmp_path: Path, witness: Witness, where: str) -> None:  # noqa: F811
    values = pa.array([one.ravel() for one in _arrays(2)], pa.list_(pa.float32(), 12))
    field = pa.field("gradients/fc1.weight", values.type, metadata={"shape": "[3, 4]"} if where == "field" else None)
    schema = pa.schema([pa.field("step", pa.int64()), field], metadata={"shape": "(3, 4)"} if where == "file" else None)
    read(write(tmp_path / "d.parquet", pa.table([pa.array([0, 1]), values], schema=schema)))
    np.testing.assert_array_equal(witness.by_tag()["gradients/fc1.weight"].arrays[1], _arrays(2)[1])


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"],
)
def test_every_type_comes_as_it_is(tmp_path: Path, witness: Witness, dtype: str) -> None:  # noqa: F811
    array = np.array([0, 1, 1, 0], dtype=dtype)
    if array.dtype.kind in "iu":
        array[:2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    elif array.dtype.kind == "f":
        array[:] = np.nan, np.inf, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    path = write(tmp_path / "d.parquet", _long(pa.array([array], pa.list_(pa.from_numpy_dtype(array.dtype))), 1))
    read(path)
    track = witness.by_tag()["gradients/fc1.weight"]
    assert track.hints.dtype == dtype
    assert track.arrays[0].dtype == array.dtype
    np.testing.assert_array_equal(track.arrays[0], array)


@pytest.mark.parametrize("where", ["column", "field"])
def test_bfloat16_is_widened(tmp_path: Path, witness: Witness, where: str) -> None:  # noqa: F811
    exact = np.array([1.5, -2.0, np.inf, 3.3895314e38], dtype=np.float32)
    upper = (exact.view(np.uint32) >> 16).astype(np.uint16)
    kind = pa.list_(pa.uint16())
    field = pa.field("value", kind, metadata={"dtype": "bfloat16"} if where == "field" else None)
    columns = [pa.array([0]), pa.array(["w"]), pa.array([upper], kind)]
    fields = [pa.field("step", pa.int64()), pa.field("name", pa.string()), field]
    if where == "column":
        columns.append(pa.array(["bfloat16"]))
        fields.append(pa.field("dtype", pa.string()))
    read(write(tmp_path / "d.parquet", pa.table(columns, schema=pa.schema(fields))))
    track = witness.by_tag()["w"]
    assert track.hints.dtype == "bfloat16"
    np.testing.assert_array_equal(track.arrays[0], exact)


def test_null_within_a_tensor_is_nan_and_a_null_tensor_is_no_row(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    value = pa.array([[1.0, None], None, [3.0, 4.0]], pa.list_(pa.float32()))
    found = read(write(tmp_path / "d.parquet", _long(value, 3)))
    track = witness.by_tag()["gradients/fc1.weight"]
    assert track.steps == [0, 2]
    np.testing.assert_array_equal(np.stack(track.arrays), [[1.0, np.nan], [3.0, 4.0]])
    assert "1 row without a value (null) left out" in (found.status.reason or "")


def test_empty_tensors_and_scalars_without_axes(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    table = {
        "step": [0, 0], "collection": ["weights"] * 2, "name": ["empty", "scale"],
        "shape": [[0, 4], []], "value": pa.array([[], [2.0]], pa.list_(pa.float32())),
    }  # fmt: skip
    read(write(tmp_path / "d.parquet", table))
    assert witness.by_tag()["weights/empty"].arrays[0].shape == (0, 4)
    assert witness.by_tag()["weights/scale"].arrays[0].shape == ()


def test_lists_of_one_under_metrics_are_scalars(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    table = {
        "step": [0, 0, 1, 1], "collection": ["metrics", "weights"] * 2, "name": ["train_loss", "fc.bias"] * 2,
        "value": pa.array([[1.0], [2.0], [3.0], [4.0]], pa.list_(pa.float32())),
    }  # fmt: skip
    found = read(write(tmp_path / "d.parquet", table)).series
    assert [(one.tag, one.kind, one.columns["value"].tolist()) for one in found] == [
        ("train_loss", "scalar", [1.0, 3.0])
    ]
    assert witness.by_tag()["weights/fc.bias"].steps == [0, 1]


def test_shapes_that_do_not_fit_are_named_and_the_rest_is_read(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    table = _long(pa.array([[1.0, 2.0], [1.0, 2.0]], pa.list_(pa.float32())), 2, shape=[[2], [3, 1000000]])
    found = read(write(tmp_path / "d.parquet", table))
    assert witness.by_tag()["gradients/fc1.weight"].steps == [0]
    assert found.status.status == "partial"
    assert "shape is not that of their values, such as (3, 1000000) for 2 values" in (found.status.reason or "")


def test_ragged_lists_are_named(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    value = pa.array([[[1.0, 2.0], [3.0]], [[1.0], [2.0]]], pa.list_(pa.list_(pa.float32())))
    found = read(write(tmp_path / "d.parquet", _long(value, 2)))
    assert [one.shape for one in witness.by_tag()["gradients/fc1.weight"].arrays] == [(2, 1)]
    assert "lists within a list differ in length" in (found.status.reason or "")


def test_two_shapes_under_one_name_both_arrive(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    value = pa.array([[1.0], [1.0, 2.0], [3.0]], pa.list_(pa.float32()))
    read(write(tmp_path / "d.parquet", _long(value, 3)))
    assert [one.shape for one in witness.by_tag()["gradients/fc1.weight"].arrays] == [(1,), (2,), (1,)]


def test_two_shapes_under_one_name_are_said(tmp_path: Path) -> None:
    value = pa.array([[1.0], [1.0, 2.0], [3.0]], pa.list_(pa.float32()))
    assert "gradients/fc1.weight" in (read(write(tmp_path / "d.parquet", _long(value, 3))).status.reason or "")


def test_a_column_for_each_tensor(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    table = {
        "step": [0, 10],
        "train/loss": [1.0, 0.5],
        "gradients/fc1.weight": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        "weights/fc1.weight": pa.array([[5.0], None], pa.list_(pa.float64())),
    }
    found = read(write(tmp_path / "d.parquet", table))
    assert [one.tag for one in found.series] == ["train/loss"]
    assert witness.by_tag()["gradients/fc1.weight"].steps == [0, 10]
    assert witness.by_tag()["weights/fc1.weight"].steps == [0]


def test_what_no_rule_asks_for_is_not_read(tmp_path: Path) -> None:
    table = {"step": [0], "loss": [1.0], "gradients/w": pa.array([[1.0]], pa.list_(pa.float32()))}
    found = together([write(tmp_path / "d.parquet", table)], request=Request())[0]
    assert [one.tag for one in found.series] == ["loss"]
    assert found.status.reason == "1 column of tensors not read: no selected rule asks for them"


def test_a_tensor_that_is_not_needed_is_only_counted(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    witness.needed = False
    read(write(tmp_path / "d.parquet", _long(pa.array([[1.0, 2.0]], pa.list_(pa.float32())), 1)))
    assert witness.by_tag()["gradients/fc1.weight"].unread == [(0, (2,), "float32")]


def test_the_order_of_rows_is_that_of_layers_unless_they_are_sorted_by_name(tmp_path: Path) -> None:
    def orders(names: list[str]) -> list[int | None]:
        table = {"step": [0] * 3, "name": names, "value": pa.array([[1.0]] * 3, pa.list_(pa.float32()))}
        return [one.hints.order for one in read(write(tmp_path / "d.parquet", table)).series if one.kind == "tensor"]

    assert orders(["gradients/stem", "gradients/body", "gradients/head"]) == [0, 1, 2]
    assert orders(["gradients/body", "gradients/head", "gradients/stem"]) == [None, None, None]


def test_a_file_called_after_its_collection(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    table = {"step": [0], "name": ["fc1.weight"], "value": pa.array([[1.0]], pa.list_(pa.float32()))}
    read(write(tmp_path / "gradients.parquet", table))
    assert witness.by_tag()["gradients/fc1.weight"].hints.collection == "gradients"


def test_names_that_say_otherwise_than_the_file(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    """A file of activations in which weights and gradients stand as well, and say so; a layer may be called `output`."""
    names = ["relu1", "weights/fc1.weight", "gradients/fc1.weight", "output/dense"]
    table = {"step": [0] * 4, "name": names, "value": pa.array([[1.0]] * 4, pa.list_(pa.float32()))}
    read(write(tmp_path / "activations.parquet", table))
    assert {tag: track.hints.collection for tag, track in witness.by_tag().items()} == {
        "activations/relu1": "activations",
        "weights/fc1.weight": "weights",
        "gradients/fc1.weight": "gradients",
        "activations/output/dense": "activations",
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_arrays_in_any_order_of_rows(tmp_path: Path, witness: Witness, data: st.DataObject) -> None:  # noqa: F811
    """Whatever the batches, each tensor gets its own values in record order."""
    dtype = data.draw(st.sampled_from([np.float32, np.int16, np.float64, np.bool_]))
    names = data.draw(st.lists(st.sampled_from(["a", "b", "c.weight"]), min_size=1, max_size=12))
    shapes = {name: data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)) for name in set(names)}
    arrays = [data.draw(hnp.arrays(dtype, shapes[name])) for name in names]
    witness.tracks.clear()
    table = {
        "step": list(range(len(names))), "name": names, "shape": pa.array([list(one.shape) for one in arrays], pa.list_(pa.int64())),
        "collection": ["weights"] * len(names), "value": pa.array([one.ravel() for one in arrays], pa.list_(pa.from_numpy_dtype(dtype))),
    }  # fmt: skip
    size = data.draw(st.integers(1, 5))
    path = write(tmp_path / "d.parquet", table, row_group_size=size, data_page_size=64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "BATCH_ROWS", data.draw(st.integers(1, 4)))
        read(path)
    for name in set(names):
        track = witness.by_tag()[f"weights/{name}"]
        assert track.steps == [at for at, one in enumerate(names) if one == name]
        for at, found in zip(track.steps, track.arrays, strict=True):
            assert found.shape == arrays[at].shape
            np.testing.assert_array_equal(found, arrays[at])
