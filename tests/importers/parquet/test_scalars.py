"""Long and wide tables of scalars: every value under its series, step and time."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlcheck.store.roles import assign
from tests.importers.parquet.helpers import by_tag, claimed, read, together, why_not, write


@pytest.mark.parametrize("step", ["step", "_step", "global_step", "iteration", "Step"])
@pytest.mark.parametrize("name", ["name", "tag", "series", "metric"])
def test_long_tables_by_the_names_that_people_give(tmp_path: Path, step: str, name: str) -> None:
    path = write(tmp_path / "m.parquet", {step: [0, 0, 1, 1], name: ["loss", "acc"] * 2, "value": [3.0, 0.1, 2.0, 0.2]})
    assert claimed(path)
    found = by_tag(read(path))
    assert found["loss"].steps.tolist() == [0, 1]
    assert found["loss"].columns["value"].tolist() == [3.0, 2.0]
    assert found["acc"].columns["value"].tolist() == [0.1, 0.2]
    assert found["acc"].kind == "scalar"


def test_nan_and_infinities_are_values_and_null_is_none(tmp_path: Path) -> None:
    values = pa.array([1.0, float("nan"), None, float("inf")])
    found = read(write(tmp_path / "m.parquet", {"step": [0, 1, 2, 3], "name": ["loss"] * 4, "value": values}))
    loss = by_tag(found)["loss"]
    assert loss.steps.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(loss.columns["value"], [1.0, np.nan, np.inf])
    assert found.status.status == "read"
    assert "1 row without a value (null) left out" in (found.status.reason or "")


@pytest.mark.parametrize("kind", ["int8", "int64", "uint64", "float16", "float32", "float64", "bool"])
def test_every_type_of_number(tmp_path: Path, kind: str) -> None:
    values = pa.array(np.array([0, 1, 1], dtype=kind))
    found = by_tag(read(write(tmp_path / "m.parquet", {"step": [0, 1, 2], "name": ["x"] * 3, "value": values})))
    assert found["x"].columns["value"].tolist() == [0.0, 1.0, 1.0]
    assert found["x"].columns["value"].dtype == np.float64


def test_decimals_are_numbers(tmp_path: Path) -> None:
    values = pa.array([decimal.Decimal("1.25"), decimal.Decimal("2.50")], pa.decimal128(10, 2))
    found = by_tag(
        read(write(tmp_path / "m.parquet", {"step": [0, 1], "loss": values, "name": ["a", "a"], "value": values}))
    )
    assert found["a"].columns["value"].tolist() == [1.25, 2.5]


def test_a_split_column_parts_series_and_names_them(tmp_path: Path) -> None:
    table = {"step": [0, 0, 1, 1], "name": ["loss"] * 4, "split": ["train", "val"] * 2, "value": [1.0, 2.0, 3.0, 4.0]}
    found = by_tag(read(write(tmp_path / "m.parquet", table)))
    assert found["train/loss"].columns["value"].tolist() == [1.0, 3.0]
    assert found["val/loss"].hints.mode == "val"
    assert assign("val/loss", "", "scalar", found["val/loss"].hints).labels["split"] == "val"


def test_workers_are_series_of_their_own(tmp_path: Path) -> None:
    table = {"step": [0, 0, 1, 1], "name": ["loss"] * 4, "rank": [0, 1, 0, 1], "value": [1.0, 2.0, 3.0, 4.0]}
    found = read(write(tmp_path / "m.parquet", table)).series
    assert {one.hints.worker: one.columns["value"].tolist() for one in found} == {"0": [1.0, 3.0], "1": [2.0, 4.0]}


def test_collections_say_what_a_name_is_of(tmp_path: Path) -> None:
    table = {
        "step": [0, 0, 0],
        "collection": ["gradients", "losses", "weights"],
        "name": ["fc.weight", "train_loss", "weights/fc.weight"],
        "value": [1.0, 2.0, 3.0],
    }
    assert set(by_tag(read(write(tmp_path / "m.parquet", table)))) == {
        "gradients/fc.weight",
        "train_loss",
        "weights/fc.weight",
    }


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (pa.array([1_700_000_000, 1_700_000_060], pa.timestamp("s")), [1.7e9, 1.7e9 + 60]),
        (pa.array([1_700_000_000_500, 1_700_000_001_000], pa.timestamp("ms", tz="UTC")), [1.7e9 + 0.5, 1.7e9 + 1]),
        (pa.array([1_700_000_000_500, 1_700_000_001_000]), [1.7e9 + 0.5, 1.7e9 + 1]),
        (pa.array([1.7e9 + 0.25, 1.7e9 + 0.5]), [1.7e9 + 0.25, 1.7e9 + 0.5]),
        (pa.array([1_700_000_000 * 10**9, None], pa.timestamp("ns")), [1.7e9, np.nan]),
        (pa.array(["2023-11-14T22:13:20", "2023-11-14T22:14:20"]), [1.7e9, 1.7e9 + 60]),
    ],
)
@pytest.mark.parametrize("form", ["long", "wide"])
def test_times_in_every_unit(tmp_path: Path, times: Any, expected: list[float], form: str) -> None:
    table = {"step": [0, 1], "timestamp": times}
    table |= {"name": ["loss", "loss"], "value": [1.0, 2.0]} if form == "long" else {"loss": [1.0, 2.0]}
    found = read(write(tmp_path / "m.parquet", table))
    np.testing.assert_allclose(by_tag(found)["loss"].wall_times, expected)
    assert found.first_wall_time == expected[0]


def test_seconds_since_the_beginning_are_no_dates(tmp_path: Path) -> None:
    found = read(
        write(tmp_path / "m.parquet", {"step": [0, 1], "_runtime": [0.5, 1.5], "name": ["l"] * 2, "value": [1.0, 2.0]})
    )
    assert found.series[0].wall_times.tolist() == [0.5, 1.5]
    assert np.isnan(found.first_wall_time)


def test_wandb_history(tmp_path: Path) -> None:
    """Double steps, a fifth of nulls, `_timestamp` and `_runtime`."""
    random = np.random.default_rng(0)
    loss, missing = random.normal(size=1000), random.random(1000) < 0.2
    table = {
        "_step": np.arange(1000, dtype=np.float64),
        "_timestamp": 1.7e9 + np.arange(1000),
        "_runtime": np.arange(1000, dtype=np.float64),
        "train/loss": pa.array(loss, mask=missing),
        "val/acc": pa.array(np.arange(1000.0), mask=np.arange(1000) % 100 != 99),
        "note": pa.array(["x"] * 1000),
    }
    path = write(tmp_path / "history.parquet", table, row_group_size=300)
    assert claimed(path)
    found = read(path)
    series = by_tag(found)
    assert set(series) == {"train/loss", "val/acc"}
    np.testing.assert_array_equal(series["train/loss"].steps, np.flatnonzero(~missing))
    np.testing.assert_array_equal(series["train/loss"].columns["value"], loss[~missing])
    np.testing.assert_array_equal(series["val/acc"].wall_times, 1.7e9 + np.arange(99, 1000, 100))
    assert found.status.reason == "1 column is text: note"
    assert found.status.records == 1000


def test_the_step_is_the_column_that_counts_and_the_others_are_series(tmp_path: Path) -> None:
    table = {"_step": [0, 1, 2], "train/global_step": [0, 50, 100], "epoch": [0.0, 0.5, 1.0], "loss": [3.0, 2.0, 1.0]}
    assert by_tag(read(write(tmp_path / "h.parquet", table)))["loss"].steps.tolist() == [0, 50, 100]


@pytest.mark.parametrize("form", ["long", "wide"])
def test_epochs_are_said_to_be_epochs(tmp_path: Path, form: str) -> None:
    table: dict[str, Any] = {"epoch": [1, 2]}
    table |= {"name": ["loss"] * 2, "value": [1.0, 2.0]} if form == "long" else {"loss": [1.0, 2.0]}
    assert read(write(tmp_path / "h.parquet", table)).series[0].hints.axis == "epoch"


def test_a_history_without_steps_counts_epochs(tmp_path: Path) -> None:
    path = write(tmp_path / "history.parquet", {"loss": [3.0, 2.0], "val_loss": [3.5, 2.5]})
    assert claimed(path)
    loss = by_tag(read(path))["loss"]
    assert loss.steps.tolist() == [0, 1]
    assert loss.hints.axis == "epoch"


def test_rows_out_of_order_are_sorted_by_step_and_keep_repeats(tmp_path: Path) -> None:
    table = {"step": [3, 1, 2, 1], "name": ["l"] * 4, "value": [30.0, 10.0, 20.0, 11.0]}
    one = read(write(tmp_path / "m.parquet", table)).series[0]
    assert one.steps.tolist() == [1, 1, 2, 3]
    assert one.columns["value"].tolist() == [10.0, 11.0, 20.0, 30.0]


def test_rows_whose_times_go_on_while_steps_go_back_are_a_restart(tmp_path: Path) -> None:
    table = {"step": [0, 1, 2, 1, 2], "name": ["l"] * 5, "value": [1.0] * 5, "wall_time": 1.7e9 + np.arange(5)}
    assert read(write(tmp_path / "m.parquet", table)).series[0].steps.tolist() == [0, 1, 2, 1, 2]


def test_several_files_of_one_table_are_one_history(tmp_path: Path) -> None:
    parts = [
        write(
            tmp_path / f"part.{at}.parquet",
            {"step": [9 - at, 19 - at], "name": ["l"] * 2, "value": [9.0 - at, 19.0 - at]},
        )
        for at in range(3)
    ]
    first, *rest = together(parts)
    assert first.series[0].steps.tolist() == [7, 8, 9, 17, 18, 19]
    np.testing.assert_array_equal(first.series[0].columns["value"], first.series[0].steps)
    assert [one.series for one in rest] == [(), ()]
    assert [one.status.records for one in (first, *rest)] == [2, 2, 2]


def test_null_and_broken_steps_are_left_out_and_counted(tmp_path: Path) -> None:
    table = {"step": pa.array([0.0, None, 1.5, float("nan"), 2.0]), "name": ["l"] * 5, "value": [1.0] * 5}
    found = read(write(tmp_path / "m.parquet", table))
    assert found.series[0].steps.tolist() == [0, 2]
    assert "3 rows without a whole step left out" in (found.status.reason or "")


def test_rows_without_a_name_are_left_out_and_counted(tmp_path: Path) -> None:
    table = {"step": [0, 1], "name": ["l", None], "value": [1.0, 2.0]}
    found = read(write(tmp_path / "m.parquet", table))
    assert [len(one.steps) for one in found.series] == [1]
    assert "1 row without a name left out" in (found.status.reason or "")


def test_numbers_of_layers_are_a_series_each(tmp_path: Path) -> None:
    table = {"step": [0, 0, 1, 1], "layer": ["fc1", "fc2"] * 2, "grad_norm": [1.0, 2.0, 3.0, 4.0]}
    found = by_tag(read(write(tmp_path / "m.parquet", table)))
    assert found["grad_norm/fc1"].columns["value"].tolist() == [1.0, 3.0]


def test_columns_that_hold_no_numbers_are_named_once(tmp_path: Path) -> None:
    table = {
        "step": [0, 1],
        "loss": [1.0, 2.0],
        "a": ["x", "y"],
        "b": ["x", "y"],
        "day": pa.array([datetime.date(2024, 1, 1)] * 2),
        "raw": pa.array([b"1", b"2"]),
        "of": pa.array([{"x": 1}, {"x": 2}]),
    }
    found = read(write(tmp_path / "m.parquet", table))
    assert set(by_tag(found)) == {"loss"}
    assert found.status.reason == (
        "2 columns are text: a, b; 1 column is dates or durations: day; 2 columns are of types that hold no numbers: raw, of"
    )


def test_columns_of_one_name_are_left_out(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([0, 1]), pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array([5.0, 6.0])],
                                 names=["step", "loss", "x", "x"])  # fmt: skip
    found = read(write(tmp_path / "m.parquet", table))
    assert set(by_tag(found)) == {"loss"}
    assert "several columns have one name: x" in (found.status.reason or "")


def test_one_column_that_begins_another_ones_name_is_not_taken_for_it(tmp_path: Path) -> None:
    found = by_tag(
        read(write(tmp_path / "m.parquet", {"step": [0], "fc1": [1.0], "fc1.weight": [2.0], "fc1.weight.grad": [3.0]}))
    )
    assert {tag: one.columns["value"].tolist() for tag, one in found.items()} == {
        "fc1": [1.0], "fc1.weight": [2.0], "fc1.weight.grad": [3.0],
    }  # fmt: skip


# What is taken for a run


def test_a_data_set_is_left_alone_until_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "d.parquet", {"lat": [1.0, 2.0], "lon": [3.0, 4.0], "label": [0, 1]})
    assert not claimed(path)
    assert why_not(path) == "Parquet without a step, collection or prediction columns: a data set, not judged"
    from tests.importers.parquet.helpers import IMPORTER

    assert IMPORTER.would_read(path, path.read_bytes()[:64])
    assert "the rows are counted" in (read(path).status.reason or "")


def test_a_step_column_without_values_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "d.parquet", {"step": pa.array([None, None], pa.int64()), "x": [1.0, 2.0]})
    assert not claimed(path)


def test_recorded_episodes_are_a_data_set(tmp_path: Path) -> None:
    assert not claimed(
        write(tmp_path / "d.parquet", {"episode_index": [0, 0], "step": [0, 1], "action": [[0.1], [0.2]]})
    )


def test_texts_alone_are_no_run(tmp_path: Path) -> None:
    path = write(tmp_path / "d.parquet", {"step": [0, 1], "text": ["a", "b"]})
    assert not claimed(path)
    from tests.importers.parquet.helpers import IMPORTER

    assert not IMPORTER.would_read(path, path.read_bytes()[:64])
