"""The rewriting of logs under which a verdict should hold."""

import json
from pathlib import Path

import pytest

from bench.accuracy.metamorphic import table
from bench.accuracy.rewrite import rewritten
from bench.accuracy.verdicts import Label

TABLE = "epoch,train_loss,val_loss,val_accuracy\n0,2.0,2.1,0.1\n1,1.5,1.7,0.2\n2,1.0,1.4,0.4\n3,0.8,1.3,0.5\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    (path / "log.csv").write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("change", "head", "rows"),
    [
        ("test", "epoch,train_loss,test_loss,test_accuracy", 4),
        ("top1", "epoch,train_loss,val_loss,val_top1", 4),
        ("objective", "epoch,train_objective,val_objective,val_accuracy", 4),
        ("second", "epoch,train_loss,val_loss,val_accuracy", 2),
        ("half", "epoch,train_loss,val_loss,val_accuracy", 2),
    ],
)
def test_tables(run: Path, tmp_path: Path, change: str, head: str, rows: int) -> None:
    other = rewritten(run, change, tmp_path / "other")
    assert other is not None
    first, *rest = (other / "log.csv").read_text().splitlines()
    assert (first, len(rest)) == (head, rows)
    assert rest == [row for row in TABLE.splitlines()[1:] if row in rest]
    assert (run / "log.csv").read_text() == TABLE


def test_a_third_of_the_columns_goes_with_its_values(run: Path, tmp_path: Path) -> None:
    other = rewritten(run, "columns", tmp_path / "other")
    assert other is not None
    lines = [line.split(",") for line in (other / "log.csv").read_text().splitlines()]
    whole = [line.split(",") for line in TABLE.splitlines()]
    assert lines[0][0] == "epoch"
    assert [len(line) for line in lines] == [3] * 5
    assert list(zip(*lines, strict=True)) == [column for column in zip(*whole, strict=True) if column[0] in lines[0]]


def test_columns_of_json_lines(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    rows = [{"step": step, "loss": 1 / (1 + step), "lr": 0.1, "note": "x"} for step in range(5)]
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    other = rewritten(run, "columns", tmp_path / "other")
    assert other is not None
    kept = [json.loads(line) for line in (other / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in kept] == list(range(5))
    assert {len(row) for row in kept} == {3}


def test_nothing_to_change(run: Path, tmp_path: Path) -> None:
    (run / "log.csv").write_text("epoch,cost\n0,1.0\n")
    assert rewritten(run, "test", tmp_path / "other") is None


def test_the_table_counts_what_changed() -> None:
    def label(faulty: bool) -> Label:
        return Label(
            "a/0",
            Path("a/0"),
            "a",
            "kind" if faulty else "healthy",
            "seen",
            0,
            ("overfit",) if faulty else (),
            True,
            None,
            None,
            "",
            "",
        )

    found = [
        (label(True), "test", "error", "error"),
        (label(True), "test", "error", "nothing"),
        (label(False), "test", "nothing", "warning"),
    ]
    assert table(found).splitlines()[-1] == "| validation called test | 3 | 2 | 1 | 0 | 1 | 0 | 0 | 1 | 0 | 1 |"
