"""The tables of an export: every row of the store, documented columns, and nothing of anybody else's touched."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlcheck.errors import UsageError
from mlcheck.store import export
from mlcheck.store.build import build_run
from mlcheck.store.export import Exporter, check
from mlcheck.store.export_columns import COLUMNS, TABLES
from mlcheck.store.series import Fact, Run
from tests.store.builders import START, imported, raw

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


def _run(name: str = "exp", *series: Any, **more: Any) -> Run:
    return build_run(name, name, [("", imported(*series, **more))])


def _exported(directory: Path, *runs: Run) -> dict[str, Any]:
    with Exporter(directory) as exporter:
        for run in runs:
            exporter.add(run)
    return {name: pq.read_table(directory / f"{name}.parquet") for name in TABLES}


def _tensor(tag: str, steps: list[int], **columns: list[float]) -> Any:
    one = raw(tag, steps, kind="tensor", shape=(2, 3), dtype="float32")
    return type(one)(
        one.tag, one.kind, one.steps, one.wall_times, {k: np.array(v) for k, v in columns.items()}, one.hints
    )


def test_scalars_come_out_bit_for_bit(tmp_path: Path) -> None:
    values = [1.0, float("nan"), float("inf"), -0.0, 1e-310]
    tables = _exported(tmp_path, _run("exp", raw("train/loss", [0, 1, 2, 5, 6], values), raw("val/loss", [6], [2.0])))
    found = tables["scalars"].to_pydict()
    assert found["run"] == ["exp"] * 6
    assert found["series"] == ["train/loss"] * 5 + ["val/loss"]
    assert found["step"] == [0, 1, 2, 5, 6, 6]
    np.testing.assert_array_equal(np.array(found["value"]).view(np.uint64), np.array([*values, 2.0]).view(np.uint64))
    assert found["wall_time"][:2] == [START, START + 1]
    assert found["split"] == ["train"] * 5 + ["val"]


def test_an_unknown_time_is_null_and_a_nan_value_is_nan(tmp_path: Path) -> None:
    one = raw("loss", [0, 1], [1.0, float("nan")])
    one.wall_times[:] = [np.nan, START]
    table = _exported(tmp_path, _run("exp", one))["scalars"]
    assert table["wall_time"].to_pylist() == [None, START]
    assert table["value"].null_count == 0


def test_statistics_that_a_tensor_has_not_are_null(tmp_path: Path) -> None:
    """A column that comes with the second run only is there for all."""
    first = _run("a", _tensor("gradients/fc1.weight", [0, 1], l2=[1.0, float("nan")]))
    second = _run("b", _tensor("gradients/fc1.weight", [0], **{"l2": [3.0], "quantile(0.95)": [4.0]}))
    table = _exported(tmp_path, first, second)["tensors"]
    assert table["quantile(0.95)"].to_pylist() == [None, None, 4.0]
    assert table["l2"].null_count == 0
    assert table["abs_mean"].to_pylist() == [None] * 3
    assert table["run"].to_pylist() == ["a", "a", "b"]
    assert table["series"].to_pylist() == ["gradients/fc1.weight"] * 3


def test_restarts_are_segments(tmp_path: Path) -> None:
    table = _exported(tmp_path, _run("exp", raw("loss", [0, 1, 2, 1, 2, 3], [3.0, 2.0, 1.0, 2.0, 1.0, 0.5])))["scalars"]
    assert table["segment"].to_pylist() == [0, 0, 0, 1, 1, 1]


def test_series_and_runs(tmp_path: Path) -> None:
    run = _run(
        "exp",
        raw("train/loss", [0, 10], [1.0, 0.5]),
        _tensor("gradients/fc1.weight", [0, 10], l2=[1.0, 2.0]),
        facts=[Fact("max_steps", 10.0, "args"), Fact("name", "ü", "args")],
    )
    tables = _exported(tmp_path, run)
    loss, gradient = tables["series"].to_pylist()
    assert (loss["role"], loss["split"], loss["kind"], loss["points"], loss["first_step"], loss["last_step"]) == (
        "loss", "train", "scalar", 2, 0, 10,
    )  # fmt: skip
    assert json.loads(loss["labels"])["primary"] == "true"
    assert (gradient["layer"], gradient["param"], gradient["shape"], gradient["dtype"]) == (
        "fc1",
        "weight",
        [2, 3],
        "float32",
    )
    (one,) = tables["runs"].to_pylist()
    assert (one["run"], one["lane"], one["regime"]) == ("exp", run.lane, run.regime.name)
    assert json.loads(one["facts"])["planned_steps"] == 10
    assert json.loads(one["stated"])[1] == {"key": "name", "value": "ü", "source": "args"}


def test_rows_are_written_in_row_groups_whatever_the_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROW_GROUP", 100)
    many = [raw(f"metric_{at}", list(range(37)), np.arange(37.0).tolist()) for at in range(20)]
    long = raw("loss", list(range(1000)), np.arange(1000.0).tolist())
    table = _exported(tmp_path, _run("a", *many, long), _run("b", long))["scalars"]
    metadata = pq.ParquetFile(tmp_path / "scalars.parquet").metadata
    assert max(metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)) <= 100
    assert metadata.num_row_groups < 40
    of_b = [row for row in table.to_pylist() if row["run"] == "b"]
    assert [row["value"] for row in of_b] == list(range(1000))
    of_7 = [row["value"] for row in table.to_pylist() if row["series"] == "metric_7"]
    assert of_7 == list(range(37))


def test_every_column_is_documented_in_the_file_and_in_the_docs(tmp_path: Path) -> None:
    tables = _exported(tmp_path, _run("exp", raw("loss", [0], [1.0])))
    text = DOCS.read_text(encoding="utf-8")
    for name, table in tables.items():
        assert f"## {name}.parquet" in text
        section = text.split(f"## {name}.parquet")[1].split("\n## ")[0]
        for field in table.schema:
            assert field.metadata[b"doc"]
        for column, about in COLUMNS[name].items():
            assert f"| `{column}` |" in section, (name, column)
            assert about.doc in section, (name, column)


def test_a_run_without_tensors_has_an_empty_table(tmp_path: Path) -> None:
    assert _exported(tmp_path, _run("exp", raw("loss", [0], [1.0])))["tensors"].num_rows == 0


# The directory


def test_the_directory_may_be_missing_empty_or_an_earlier_export(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep"
    check(target, force=False)
    _exported(target, _run("exp", raw("loss", [0], [1.0])))
    (target / ".mlcheck.123.scalars.0.tmp").write_bytes(b"left by an export that was killed")
    check(target, force=False)
    assert _exported(target, _run("other", raw("loss", [0], [1.0])))["runs"]["run"].to_pylist() == ["other"]


def test_other_files_are_neither_replaced_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt; --force"):
        check(tmp_path, force=False)
    check(tmp_path, force=True)
    _exported(tmp_path, _run("exp", raw("loss", [0], [1.0])))
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("force", [True, False])
def test_a_foreign_table_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "scalars.parquet").write_bytes(b"not of mlcheck")
    with pytest.raises(UsageError, match="not written by mlcheck export"):
        check(tmp_path, force=force)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no directory"):
        check(tmp_path / "file", force=True)


def _add_and_fail(exporter: Exporter, run: Run) -> None:
    exporter.add(run)
    raise RuntimeError


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out"
    before = _exported(target, _run("exp", raw("loss", [0], [1.0])))
    exporter = Exporter(target)
    with pytest.raises(RuntimeError), exporter:
        _add_and_fail(exporter, _run("second", raw("loss", list(range(1000)), [1.0] * 1000)))
    assert sorted(one.name for one in target.iterdir()) == sorted(f"{name}.parquet" for name in TABLES)
    assert pq.read_table(target / "runs.parquet").equals(before["runs"])


def test_a_directory_that_was_made_for_nothing_is_gone(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Exporter(tmp_path / "out"):
        raise RuntimeError
    assert not (tmp_path / "out").exists()


# Other tools


def test_pandas_opens_it(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    _exported(tmp_path, _run("exp", raw("loss", [0, 1], [1.0, float("nan")]), _tensor("gradients/w", [0], l2=[2.0])))
    frame = pandas.read_parquet(tmp_path / "scalars.parquet")
    assert frame.groupby(["run", "series"], observed=True)["value"].mean().to_dict() == {("exp", "loss"): 1.0}
    assert pandas.read_parquet(tmp_path / "tensors.parquet")["l2"].tolist() == [2.0]


def test_polars_opens_it(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    _exported(tmp_path, _run("exp", raw("loss", [0, 1], [1.0, 3.0])))
    assert polars.read_parquet(tmp_path / "scalars.parquet")["value"].mean() == 2.0


def test_duckdb_opens_it(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    _exported(tmp_path, _run("exp", raw("loss", [0, 1], [1.0, 3.0])))
    assert duckdb.sql(f"select avg(value) from '{tmp_path}/scalars.parquet' where series = 'loss'").fetchone() == (2.0,)
