"""Which files are one run: partitioned directories, several runs in a file, tables beside other formats."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlcheck.importers.discover import discover
from mlcheck.importers.found import Found
from mlcheck.importers.parquet import members
from mlcheck.reading import import_run
from mlcheck.store.series import Run
from mlcheck.store.tensors.request import Request
from tests.importers.parquet.helpers import IMPORTER, read, write

FIXTURES = Path(__file__).parents[3] / "fixtures"


def _long(steps: list[int], **more: Any) -> dict[str, Any]:
    return {"step": steps, "name": ["train/loss"] * len(steps), "value": [float(one) for one in steps], **more}


def _runs(top: Path) -> list[Found]:
    return discover([str(top)]).runs


def _imported(found: Found) -> Run:
    return import_run(found, None, Request.base())


def _scalars(run: Run) -> dict[str, list[int]]:
    return {one.name: one.steps.tolist() for one in run.series if one.kind == "scalar"}


def test_steps_in_directories(tmp_path: Path) -> None:
    for step in (100, 20, 3):
        table = {"name": ["weights/w"], "value": pa.array([[float(step)]], pa.list_(pa.float32()))}
        write(tmp_path / "exp" / f"step={step}" / "part.00000000.parquet", table)
    (found,) = _runs(tmp_path)
    assert found.name == "exp"
    run = _imported(found)
    (weights,) = (one for one in run.series if one.kind == "tensor")
    assert weights.steps.tolist() == [3, 20, 100]
    assert weights.columns["mean"].tolist() == [3.0, 20.0, 100.0]
    assert weights.segments.tolist() == [0]


def test_keys_of_directories_are_columns(tmp_path: Path) -> None:
    for split, rank in (("train", 0), ("val", 1)):
        write(
            tmp_path / f"split={split}" / f"rank={rank}" / "epoch=2" / "p.parquet", {"name": ["loss"], "value": [1.0]}
        )
    (found,) = _runs(tmp_path)
    series = [one for one in _imported(found).series if one.kind == "scalar"]
    assert {(one.labels["split"], one.labels["worker"], one.steps[0], one.axis) for one in series} == {
        ("train", "0", 2, "epoch"),
        ("val", "1", 2, "epoch"),
    }


def test_runs_in_directories(tmp_path: Path) -> None:
    for run in ("a", "b"):
        for step in (0, 5):
            write(tmp_path / f"run={run}" / f"step={step}" / "p.parquet", {"name": ["loss"], "value": [float(step)]})
    assert [one.name for one in _runs(tmp_path)] == ["run=a", "run=b"]
    assert [list(_scalars(_imported(one)).values()) for one in _runs(tmp_path)] == [[[0, 5]], [[0, 5]]]


def test_a_table_in_parts_lies_in_its_run(tmp_path: Path) -> None:
    for at in range(3):
        write(tmp_path / "exp" / "metrics.parquet" / f"part.{at:08}.parquet", _long([at]))
    write(tmp_path / "exp" / "other.parquet", {"step": [0, 1], "accuracy": [0.5, 0.6]})
    (found,) = _runs(tmp_path)
    assert found.name == "exp"
    assert _scalars(_imported(found)) == {"train/loss": [0, 1, 2], "accuracy": [0, 1]}


def test_dumps_join_the_run_above(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "metrics.parquet", _long([0, 1, 2]))
    for step in (0, 1):
        table = {"name": ["gradients/w"], "value": pa.array([[1.0]], pa.list_(pa.float32()))}
        write(tmp_path / "exp" / "tensors" / f"step={step}" / "part.0.parquet", table)
    (found,) = _runs(tmp_path)
    assert {one.role for one in _imported(found).series} >= {"loss", "gradient"}


@pytest.mark.parametrize("column", ["run", "run_id"])
@pytest.mark.parametrize("names", [["b", "a"], [7, 3]])
def test_several_runs_in_one_file(tmp_path: Path, column: str, names: list[Any]) -> None:
    table = _long([0, 0, 1, 1, 2, 2]) | {column: names * 3, "value": np.arange(6.0)}
    write(tmp_path / "all.parquet", table, row_group_size=2)
    first, second = _runs(tmp_path)
    assert [first.name, second.name] == [str(one) for one in names]
    (loss,) = (one for one in _imported(first).series if one.kind == "scalar")
    assert loss.columns["value"].tolist() == [0.0, 2.0, 4.0]
    (loss,) = (one for one in _imported(second).series if one.kind == "scalar")
    assert loss.columns["value"].tolist() == [1.0, 3.0, 5.0]
    assert _imported(second).sources[0].records == 3


def test_a_file_named_by_the_user_shows_its_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", _long([0, 0, 1, 1], run=["a", "b"] * 2))
    assert [one.name for one in _runs(path)] == ["a", "b"]


def test_row_groups_of_other_runs_are_not_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "all.parquet",
        _long([0, 1] * 50, run=np.repeat([f"r{at:02}" for at in range(50)], 2)),
        row_group_size=2,
    )
    data = bytearray(path.read_bytes())
    # The first page of the file is no page any more: whoever reads it says so.
    data[4:40] = b"\xff" * 36
    path.write_bytes(data)
    assert len(IMPORTER.members(path).runs) == 50
    assert read(path, "r30").status.status == "read"
    assert read(path, "r00").status.status == "unreadable"


def test_runs_of_several_files_of_a_directory_are_the_same_runs(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "scalars.parquet", _long([0, 1, 0, 1], run=["a", "a", "b", "b"]))
    tensors = {"step": [0], "name": ["weights/w"], "run": ["b"], "value": pa.array([[1.0]], pa.list_(pa.float32()))}
    write(tmp_path / "exp" / "tensors.parquet", tensors)
    first, second = _runs(tmp_path)
    assert (first.name, second.name) == ("exp/a", "exp/b")
    assert len(first.files) == 1
    assert {one.kind for one in _imported(second).series} >= {"scalar", "tensor"}


def test_a_table_of_one_run_belongs_to_its_directory(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "metrics.parquet", _long([0, 1], run=["x", "x"]))
    write(
        tmp_path / "exp" / "tensors.parquet",
        {"step": [0], "name": ["w"], "value": pa.array([[1.0]], pa.list_(pa.float32()))},
    )
    (found,) = _runs(tmp_path)
    assert found.name == "exp"
    assert len(found.files) == 2


def test_too_many_runs_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MOST", 3)
    write(tmp_path / "all.parquet", _long([0] * 10, run=[f"r{at}" for at in range(10)]))
    found = discover([str(tmp_path)])
    assert len(found.runs) == 3
    assert any("more than 3 runs" in (one.reason or "") for one in found.ignored)


def test_a_table_that_repeats_the_event_file_is_not_counted_twice(tmp_path: Path) -> None:
    """A W&B history export lies beside the event file of the same run."""
    shutil.copytree(FIXTURES / "overfit", tmp_path / "exp")
    (before,) = _runs(tmp_path)
    loss = _imported(before).by_name("train/loss")
    write(tmp_path / "exp" / "history.parquet", {"_step": loss.steps, "train/loss": loss.columns["value"]})
    (found,) = _runs(tmp_path)
    run = _imported(found)
    assert sum(one.role == "loss" and one.labels["split"] == "train" for one in run.series) == 1
    (told,) = (one.reason for one in run.sources if one.format == "parquet")
    assert told == "1 series is that of the event file: train/loss"


def test_data_sets_below_a_run_are_named(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "metrics.parquet", _long([0, 1]))
    write(tmp_path / "exp" / "data.parquet", {"lat": [1.0], "lon": [2.0]})
    found = discover([str(tmp_path)])
    assert [len(one.files) for one in found.runs] == [1]
    assert [(one.path, one.reason) for one in found.ignored] == [
        ("exp/data.parquet", "Parquet without a step, collection or prediction columns: a data set, not judged")
    ]
