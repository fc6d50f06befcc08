"""MLflow's file store and database, written here by the layout and the schema that MLflow documents."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from math import inf, isnan, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcheck.importers.discover import Discovery, discover
from mlcheck.importers.found import Found
from mlcheck.importers.mlflow import MLflowImporter
from mlcheck.store.series import Imported, RawSeries

RUN = "0123456789abcdef0123456789abcdef"
META = """artifact_uri: file:///home/me/mlruns/0/{run}/artifacts
end_time: 1700000100000
entry_point_name: ''
experiment_id: '0'
lifecycle_stage: {stage}
run_id: {run}
run_name: {name}
run_uuid: {run}
source_name: ''
source_type: 4
start_time: 1700000000000
status: {status}
tags: []
user_id: me
"""


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def file_run(
    top: Path,
    run: str = RUN,
    *,
    stage: str = "active",
    name: str = "calm-owl-1",
    status: int = 3,
    metrics: Mapping[str, str],
) -> Path:
    directory = top / "0" / run
    put(top / "0" / "meta.yaml", "artifact_location: x\nexperiment_id: '0'\nlifecycle_stage: active\nname: Default\n")
    put(directory / "meta.yaml", META.format(run=run, stage=stage, name=name, status=status))
    for key, text in metrics.items():
        put(directory / "metrics" / key, text)
    return directory


def read(run: Found) -> list[Imported]:
    importer = MLflowImporter()
    return [
        importer.read(one.path, one.shown)
        if one.member is None
        else importer.read_member(one.path, one.shown, one.member)
        for one in run.files
        if one.format == "mlflow"
    ]


def series(run: Found) -> dict[str, RawSeries]:
    return {one.tag: one for imported in read(run) for one in imported.series}


def facts(run: Found) -> dict[tuple[str, str], object]:
    return {(one.key, one.source): one.value for imported in read(run) for one in imported.facts}


LOSS = "1700000000000 2.5 0\n1700000001500 nan 10\n1700000003000 -inf 20\n"


# The file store


def test_a_run_directory_is_one_run(tmp_path: Path) -> None:
    directory = file_run(tmp_path / "mlruns", metrics={"train/loss": LOSS, "val_acc": "1700000000000 0.5 0\n"})
    put(directory / "params" / "lr", "0.001")
    put(directory / "params" / "opt" / "name", "adam")
    put(directory / "params" / "nesterov", "False")
    put(directory / "params" / "weights", "None")
    put(directory / "tags" / "mlflow.runName", "my run")
    put(directory / "tags" / "mlflow.user", "me")
    put(directory / "tags" / "dataset", "cifar")
    (run,) = discover([str(tmp_path)]).runs
    assert run.name == "my run"
    found = series(run)
    assert set(found) == {"train/loss", "val_acc"}
    assert found["train/loss"].steps.tolist() == [0, 10, 20]
    assert found["train/loss"].steps.dtype == np.int64
    assert found["train/loss"].wall_times.tolist() == [1700000000.0, 1700000001.5, 1700000003.0]
    np.testing.assert_array_equal(found["train/loss"].columns["value"], [2.5, nan, -inf])
    assert {key: value for (key, source), value in facts(run).items() if source in ("params", "tags")} == {
        "lr": 0.001,
        "opt/name": "adam",
        "nesterov": False,
        "dataset": "cifar",
    }


@pytest.mark.parametrize(("number", "word"), [(1, "RUNNING"), (3, "FINISHED"), (4, "FAILED"), (5, "KILLED")])
def test_the_status_of_a_run(tmp_path: Path, number: int, word: str) -> None:
    file_run(tmp_path, metrics={"loss": LOSS}, status=number)
    (run,) = discover([str(tmp_path)]).runs
    assert [value for (key, _), value in facts(run).items() if key == "mlflow/status"] == [word]


def test_the_names_of_runs(tmp_path: Path) -> None:
    file_run(tmp_path, "a" * 32, name="plain", metrics={"loss": LOSS})
    file_run(tmp_path, "b" * 32, name="'it''s: quoted'", metrics={"loss": LOSS})
    file_run(tmp_path, "c" * 32, name="folded over\n  two lines", metrics={"loss": LOSS})
    file_run(tmp_path, "d" * 32, name="''", metrics={"loss": LOSS})
    names = {run.name for run in discover([str(tmp_path)]).runs}
    assert names == {"plain", "it's: quoted", "folded over two lines", "d" * 32}


def test_a_run_that_is_named_by_the_user(tmp_path: Path) -> None:
    directory = file_run(tmp_path, metrics={"loss": LOSS})
    assert [run.name for run in discover([str(directory)]).runs] == ["calm-owl-1"]
    assert [run.name for run in discover([f"best={directory}"]).runs] == ["best"]


def test_a_run_whose_meta_names_no_experiment(tmp_path: Path) -> None:
    """Written by hand, or by a tool that knows the layout: an id and metrics are enough."""
    directory = file_run(tmp_path, metrics={"train_loss": "1 0.5 0\n2 0.4 1\n", "val_loss": "1 0.6 0\n2 0.5 1\n"})
    meta = directory / "meta.yaml"
    meta.write_text("".join(line for line in meta.read_text().splitlines(True) if "experiment_id" not in line))
    (tmp_path / "0" / "meta.yaml").unlink()
    (run,) = discover([str(directory)]).runs
    assert set(series(run)) == {"train_loss", "val_loss"}


def test_a_metric_alone(tmp_path: Path) -> None:
    directory = file_run(tmp_path, metrics={"metrics/loss": LOSS})
    (run,) = discover([str(directory / "metrics" / "metrics" / "loss")]).runs
    assert list(series(run)) == ["metrics/loss"]


@pytest.mark.parametrize("below", ["", "metrics"])
def test_metrics_that_were_copied_without_their_meta(tmp_path: Path, below: str) -> None:
    directory = file_run(tmp_path, metrics={"train/loss": LOSS, "val_acc": "1700000000000 0.5 0\n"})
    (directory / "meta.yaml").unlink()
    (run,) = discover([str(directory / below)]).runs
    assert run.name == directory.name
    assert {tag: one.steps.tolist() for tag, one in series(run).items()} == {"train/loss": [0, 10, 20], "val_acc": [0]}


@pytest.mark.parametrize(
    "text", ["12 0.5 3\n", "loss 0.5 3\n", "1700000000000 0.5\n", "1700000000000 high 3\n", "", "{}\n"]
)
def test_other_metrics_are_no_run_of_mlflow(tmp_path: Path, text: str) -> None:
    put(tmp_path / "metrics" / "loss", LOSS)
    put(tmp_path / "metrics" / "other", text)
    (run,) = discover([str(tmp_path)]).runs
    assert [one.path.name for one in run.files if one.format == "mlflow"] == ["loss"]


def test_deleted_runs_are_left_out_and_counted(tmp_path: Path) -> None:
    file_run(tmp_path, "a" * 32, metrics={"loss": LOSS})
    for letter in "bc":
        file_run(tmp_path, letter * 32, stage="deleted", metrics={"loss": LOSS})
    found = discover([str(tmp_path)])
    assert len(found.runs) == 1
    assert [one.reason for one in found.ignored if one.format == "directory"] == [
        "2 runs are left out: deleted in MLflow"
    ]


def test_models_and_experiments_are_no_runs(tmp_path: Path) -> None:
    file_run(tmp_path, metrics={"loss": LOSS})
    put(
        tmp_path / "0" / "models" / "m-1" / "meta.yaml",
        "model_id: m-1\nexperiment_id: 0\nsource_run_id: x\nname: model\n",
    )
    assert len(discover([str(tmp_path)]).runs) == 1


def test_event_files_among_the_artifacts_belong_to_the_run(tmp_path: Path) -> None:
    from tests.importers.test_discover import write

    directory = file_run(tmp_path, metrics={"loss": LOSS})
    write(directory / "artifacts" / "tensorboard_logs" / "train")
    (run,) = discover([str(tmp_path)]).runs
    assert {one.part for one in run.files} == {"", "artifacts/tensorboard_logs/train"}


@pytest.mark.parametrize(
    ("text", "points", "status", "reason"),
    [
        ("1 0.5\n2 0.4\n", [(0, 0.5), (0, 0.4)], "read", None),
        ("1 0.5 3 data abc123\n", [(3, 0.5)], "read", None),
        ("1 0.5 1\noops\n3 0.3 3\n", [(1, 0.5), (3, 0.3)], "partial", "1 line is no point, first line 2"),
        ("1 0.5 1\n2 0.4 x\n3 y 3\nz 1 1\n", [(1, 0.5)], "partial", "3 lines are no point, first line 2"),
        ("1 0.5 1\r\n2 0.4 2", [(1, 0.5), (2, 0.4)], "read", None),
        ("1 0.5 1\n17000", [(1, 0.5)], "partial", "1 line is no point, first line 2"),
        ("1 0.5 99999999999999999999\n", [], "unreadable", "1 line is no point, first line 1"),
        ("", [], "read", "no points"),
    ],
)
def test_lines(tmp_path: Path, text: str, points: list[tuple[int, float]], status: str, reason: str | None) -> None:
    path = file_run(tmp_path, metrics={"loss": text}) / "metrics" / "loss"
    imported = MLflowImporter().read(path, "loss")
    found = [
        pair for one in imported.series for pair in zip(one.steps.tolist(), one.columns["value"].tolist(), strict=True)
    ]
    assert found == points
    assert imported.status.status == status
    assert (imported.status.reason or "").startswith(reason or "")
    assert imported.status.records == len(points)


def test_a_cut_last_line_is_told_from_a_damaged_middle(tmp_path: Path) -> None:
    path = file_run(tmp_path, metrics={"loss": "1 0.5 1\n17000"}) / "metrics" / "loss"
    status = MLflowImporter().read(path, "loss").status
    assert (status.tail_only, status.offset, status.lost_bytes) == (True, 8, 5)
    put(path, "1 0.5 1\nxx\n3 0.5 3\n")
    status = MLflowImporter().read(path, "loss").status
    assert (status.tail_only, status.offset, status.lost_bytes) == (False, 8, 3)


def test_a_line_without_end(tmp_path: Path) -> None:
    path = file_run(tmp_path, metrics={"loss": "1 0.5 1\n" + "9" * 100_000 + "\n3 0.3 3\n"}) / "metrics" / "loss"
    imported = MLflowImporter().read(path, "loss")
    assert imported.series[0].steps.tolist() == [1, 3]
    assert (imported.status.reason or "").startswith("1 line is no point, first line 2")
    assert imported.status.lost_bytes == 100_001


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=200))
def test_no_bytes_raise(tmp_path: Path, data: bytes) -> None:
    directory = file_run(tmp_path, metrics={"loss": LOSS})
    for path in (directory / "metrics" / "loss", directory / "params" / "lr", directory / "meta.yaml"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        for run in discover([str(tmp_path)]).runs:
            read(run)


# The database

SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL UNIQUE,
    artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT);
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20), source_name VARCHAR(500),
    entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(9), start_time BIGINT, end_time BIGINT,
    deleted_time BIGINT, source_version VARCHAR(50), lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE metrics (key VARCHAR(250) NOT NULL, value DOUBLE NOT NULL, timestamp BIGINT NOT NULL, run_uuid VARCHAR(32) NOT NULL,
    step BIGINT DEFAULT 0 NOT NULL, is_nan BOOLEAN DEFAULT 0 NOT NULL,
    CONSTRAINT metric_pk PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE TABLE latest_metrics (key VARCHAR(250) NOT NULL, value DOUBLE NOT NULL, timestamp BIGINT, step BIGINT NOT NULL,
    is_nan BOOLEAN NOT NULL, run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (key, run_uuid));
CREATE TABLE params (key VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (key, run_uuid));
CREATE TABLE tags (key VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (key, run_uuid));
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
"""
INDEX = "CREATE INDEX index_metrics_run_uuid_key_timestamp_step ON metrics (run_uuid, key, timestamp, step);"
OLD = """
CREATE TABLE experiments (experiment_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(256) NOT NULL);
CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250), status VARCHAR(20), experiment_id INTEGER);
CREATE TABLE metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL, run_uuid VARCHAR(32) NOT NULL);
"""
Point = tuple[str, float, int, int]
"""Key, value, milliseconds, step."""


def database(
    path: Path,
    runs: Mapping[str, Sequence[Point]],
    *,
    index: bool = True,
    deleted: Sequence[str] = (),
    name: str = "job",
) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA + (INDEX if index else ""))
    connection.execute("INSERT INTO experiments VALUES (1, 'exp', 'x', 'active', 0, 0)")
    for place, (run, points) in enumerate(runs.items()):
        stage = "deleted" if run in deleted else "active"
        connection.execute(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id) VALUES (?, ?, ?, ?, ?, 1)",
            (run, name, "KILLED" if place else "FINISHED", 1_700_000_000_000 + place, stage),
        )
        for key, value, time, step in points:
            # As mlflow.store.tracking.sqlalchemy_store does.
            stored = 0.0 if isnan(value) else 1.7976931348623157e308 * np.sign(value) if value in (inf, -inf) else value
            connection.execute(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", (key, stored, time, run, step, isnan(value))
            )
    connection.commit()
    return connection


POINTS: list[Point] = [
    ("loss", 2.5, 1_700_000_000_000, 0),
    ("val/loss", 2.6, 1_700_000_000_500, 0),
    ("loss", nan, 1_700_000_001_000, 10),
    ("loss", inf, 1_700_000_002_000, 20),
    ("loss", -inf, 1_700_000_003_000, 15),
]
A, B, C = "a" * 32, "b" * 32, "c" * 32


@pytest.mark.parametrize("index", [True, False])
def test_runs_of_a_database(tmp_path: Path, index: bool) -> None:
    connection = database(tmp_path / "mlflow.db", {A: POINTS, B: [("loss", 1.0, 1, 1)]}, index=index)
    connection.execute("INSERT INTO params VALUES ('lr', '0.01', ?)", (A,))
    connection.execute("INSERT INTO tags VALUES ('mlflow.runName', 'first', ?)", (A,))
    connection.execute("INSERT INTO tags VALUES ('dataset', 'cifar', ?)", (A,))
    connection.commit()
    connection.close()
    one, other = discover([str(tmp_path)]).runs
    assert (one.name, one.path) == ("first", f"mlflow.db/exp/{A}")
    found = series(one)
    assert list(found) == ["loss", "val/loss"]
    # In the order of writing.
    assert found["loss"].steps.tolist() == [0, 10, 20, 15]
    assert found["loss"].wall_times.tolist() == [1.7e9, 1.7e9 + 1, 1.7e9 + 2, 1.7e9 + 3]
    np.testing.assert_array_equal(found["loss"].columns["value"], [2.5, nan, inf, -inf])
    assert facts(one) == {
        ("mlflow/status", "mlflow.db"): "FINISHED",
        ("lr", "params"): 0.01,
        ("dataset", "tags"): "cifar",
    }
    assert other.name == "job"
    assert series(other)["loss"].columns["value"].tolist() == [1.0]
    assert facts(other) == {("mlflow/status", "mlflow.db"): "KILLED"}


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    database(tmp_path / "mlflow.db", {A: POINTS, B: POINTS}).close()
    assert [run.name for run in discover([str(tmp_path / "mlflow.db")]).runs] == ["job aaaaaaaa", "job bbbbbbbb"]
    assert [run.name for run in discover([f"x={tmp_path / 'mlflow.db'}"]).runs] == ["x/job aaaaaaaa", "x/job bbbbbbbb"]


def test_deleted_runs_of_a_database(tmp_path: Path) -> None:
    connection = database(tmp_path / "mlflow.db", {A: POINTS, B: POINTS, C: POINTS}, deleted=[B])
    connection.execute("INSERT INTO experiments VALUES (2, 'gone', 'x', 'deleted', 0, 0)")
    connection.execute("UPDATE runs SET experiment_id = 2 WHERE run_uuid = ?", (C,))
    connection.commit()
    connection.close()
    found = discover([str(tmp_path)])
    assert len(found.runs) == 1
    assert [one.reason for one in found.ignored] == ["2 of 3 runs are left out: deleted in MLflow"]


def test_a_run_without_metrics(tmp_path: Path) -> None:
    database(tmp_path / "mlflow.db", {A: []}).close()
    (run,) = discover([str(tmp_path)]).runs
    (imported,) = read(run)
    assert (imported.series, imported.status.status, imported.status.reason) == ((), "read", "no metrics")


def test_a_schema_of_old(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "tracking.sqlite")
    connection.executescript(OLD)
    connection.execute("INSERT INTO runs VALUES (?, 'old', 'FINISHED', 0)", (A,))
    connection.executemany("INSERT INTO metrics VALUES ('loss', ?, ?, ?)", [(0.5, 1000, A), (0.4, 2000, A)])
    connection.commit()
    connection.close()
    (run,) = discover([str(tmp_path)]).runs
    loss = series(run)["loss"]
    assert (loss.steps.tolist(), loss.wall_times.tolist()) == ([0, 0], [1.0, 2.0])


def told(found: Discovery) -> str | None:
    (run,) = found.runs
    (imported,) = read(run)
    assert imported.series == ()
    assert imported.status.status == "unreadable"
    return imported.status.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (bytes(range(256)) * 16, "no SQLite database, or an encrypted one"),
        (b"SQLite format 3\0" + b"\xff" * 4096, "SQLite: "),
    ],
)
def test_what_is_no_database(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    assert (told(discover([str(tmp_path)])) or "").startswith(reason)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("CREATE TABLE other (x)", "not MLflow's: no table runs and no table metrics"),
        ("CREATE TABLE runs (run_uuid)", "not MLflow's: no table metrics"),
        (
            "CREATE TABLE runs (run_uuid); CREATE TABLE metrics (key, run_uuid)",
            "a schema that is not MLflow's: metrics has no column value",
        ),
        ("CREATE VIEW runs AS SELECT 1 AS run_uuid; CREATE TABLE metrics (key)", "not MLflow's: no table runs"),
        (SCHEMA, "no runs"),
    ],
)
def test_databases_without_runs(tmp_path: Path, schema: str, reason: str) -> None:
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    connection.executescript(schema)
    connection.close()
    assert told(discover([str(tmp_path)])) == reason


def test_a_database_of_others_is_no_run(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "optuna.db")
    connection.executescript("CREATE TABLE trials (x); CREATE TABLE studies (x)")
    connection.close()
    found = discover([str(tmp_path)])
    assert (found.runs, [one.status for one in found.ignored]) == ([], ["ignored"])


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    database(tmp_path / "mlflow.db", {A: POINTS}).close()
    connection = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    yield connection
    connection.close()


def test_a_locked_database(tmp_path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlcheck.importers.mlflow_database.WAIT_SECONDS", 0.05)
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "tracking.db")
    other = sqlite3.connect(tmp_path / "tracking.db", isolation_level=None)
    for one in (writer, other):
        one.execute("BEGIN EXCLUSIVE")
    # Whatever its name, it is known for what it is.
    for name in ("mlflow.db", "tracking.db"):
        assert told(discover([str(tmp_path / name)])) == "locked: another process is writing (waited 0.05 s)"
    other.close()


def test_a_database_is_read_beside_an_open_transaction_and_nothing_is_written(
    tmp_path: Path, writer: sqlite3.Connection
) -> None:
    writer.execute("BEGIN IMMEDIATE")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (run,) = discover([str(tmp_path)]).runs
    assert len(series(run)["loss"].steps) == 4
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_database_in_write_ahead_mode_gets_no_files_beside_it(tmp_path: Path, writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO metrics VALUES ('loss', 9.0, 5, ?, 30, 0)", (A,))
    (run,) = discover([str(tmp_path)]).runs
    # A job at work: its log is read.
    assert series(run)["loss"].columns["value"].tolist()[-1] == 9.0
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]
    assert series(run)["loss"].columns["value"].tolist()[-1] == 9.0
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_write_ahead_log_that_was_left_behind_is_said(tmp_path: Path, writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("INSERT INTO metrics VALUES ('loss', 9.0, 5, ?, 30, 0)", (A,))
    (tmp_path / "copy").mkdir()
    for name in ("mlflow.db", "mlflow.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / "copy" / name)
    (run,) = discover([str(tmp_path / "copy")]).runs
    (imported,) = read(run)
    assert (imported.status.status, imported.status.reason) == (
        "partial",
        "mlflow.db-wal is not read: its last rows may be missing",
    )
    assert len(imported.series[0].steps) == 4
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"mlflow.db", "mlflow.db-wal"}


def test_rows_of_the_wrong_kind_are_counted(tmp_path: Path, writer: sqlite3.Connection) -> None:
    for value, step in (("text", 1), (b"blob", 1), (0.5, "x"), (0.5, 1.5)):
        writer.execute("INSERT INTO metrics VALUES ('loss', ?, 1, ?, ?, 0)", (value, A, step))
    (run,) = discover([str(tmp_path)]).runs
    (imported,) = read(run)
    assert len(imported.series[0].steps) == 4
    assert imported.status.status == "partial"
    assert imported.status.reason == "4 rows are no point, first row 6 of table metrics"


def test_a_view_that_never_ends_is_not_asked(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS run_uuid, x AS key, x AS value FROM n"
    connection.executescript(f"CREATE VIEW runs AS {endless}; CREATE VIEW metrics AS {endless};")
    connection.close()
    assert told(discover([str(tmp_path)])) == "not MLflow's: no table runs and no table metrics"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    edits=st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=8)), min_size=1, max_size=20),
    cut=st.booleans(),
)
def test_damage_never_raises(tmp_path: Path, edits: list[tuple[int, bytes]], cut: bool) -> None:
    path, whole = tmp_path / "mlflow.db", tmp_path / "whole.db"
    if not whole.exists():
        database(whole, {A: POINTS, B: POINTS}).close()
    data = bytearray(whole.read_bytes())
    for place, new in edits:
        start = place % len(data)
        data[start : start + len(new)] = new
    path.write_bytes(data[: edits[0][0] % len(data)] if cut else data)
    for run in discover([str(path)]).runs:
        for imported in read(run):
            assert imported.status.status in ("read", "partial", "unreadable")


def test_damage_in_the_middle_leaves_what_is_before_it(tmp_path: Path) -> None:
    many: list[Point] = [("loss", 1.0 + n, 1000 + n, n) for n in range(50_000)]
    path = tmp_path / "mlflow.db"
    database(path, {A: many}, index=False).close()
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 8192] = b"\xff" * 8192
    path.write_bytes(data)
    (run,) = discover([str(path)]).runs
    (imported,) = read(run)
    assert imported.status.status == "partial"
    assert "malformed" in (imported.status.reason or "")
    steps = imported.series[0].steps
    assert 0 < len(steps) < 50_000
    assert steps.tolist() == list(range(len(steps)))
