"""Data sets are no runs."""

import json
from pathlib import Path

import pytest

from mlcheck.importers.tables.sniff import is_worth_a_look, look

HOUSES = "Id,MSSubClass,LotArea,SalePrice\n" + "".join(f"{n},{n % 7},{n * 90},{200_000 + n}\n" for n in range(50))
IRIS = "sepal_length,sepal_width,petal_length,species\n" + "5.1,3.5,1.4,setosa\n4.9,3.0,1.4,setosa\n" * 20
WEATHER = "timestamp,temperature,humidity,pressure\n" + "".join(
    f"{1_700_000_000 + n},20.5,0.4,1013\n" for n in range(50)
)
PREDICTIONS = "id,label,prediction,score\n" + "".join(f"{n},1,1,0.9\n" for n in range(50))
SWEEP = "trial,lr,batch_size,accuracy\n" + "".join(f"{n},0.1,32,0.{n}\n" for n in range(1, 9))
SIZES = "batch_size,lr,accuracy\n" + "".join(f"{2**n},0.1,0.{n}\n" for n in range(1, 9))
SHUFFLED = "step,loss\n" + "".join(f"{(n * 37) % 101},{n}\n" for n in range(100))
DIALOGUE = "step,speaker,text,mood,loss\n" + "".join(f"{n},a,hello there,good,0.5\n" for n in range(20))


@pytest.mark.parametrize(
    "table",
    [HOUSES, IRIS, WEATHER, PREDICTIONS, SWEEP, SIZES, SHUFFLED, DIALOGUE, "a,b\n", "hello\n", "", "1,2\n3,4\n"],
)
def test_a_data_set_is_refused_with_a_reason(tmp_path: Path, table: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table)
    assert look(path).refused


@pytest.mark.parametrize(
    "document",
    [
        {"images": [{"id": 1}], "annotations": [{"id": 1, "bbox": [1, 2, 3, 4]}]},
        {"lr": 0.1, "milestones": [30, 60, 90]},
        {"learning_rates": [0.1, 0.01, 0.001]},
        [{"question": "?", "answer": "!"}],
        {"accuracy": 0.9, "loss": 0.1},
        {"losses": [[1, 2], [3, 4]]},
        [1, 2, 3],
        {},
    ],
)
def test_other_json_is_refused_with_a_reason(tmp_path: Path, document: object) -> None:
    path = tmp_path / "some.json"
    path.write_text(json.dumps(document))
    assert look(path).refused


def test_a_table_without_steps_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(HOUSES)
    assert "step-like" in (look(path).refused or "")


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("density.csv", "iteration,neg_dens,neg_dens_cv\n" + "".join(f"{n},{9 / n},{9.5 / n}\n" for n in range(1, 9))),
        ("trees.csv", "n_estimators,train_mse,test_mse\n" + "".join(f"{n},{9 / n},{9.5 / n}\n" for n in range(1, 9))),
        (
            "model.txt",
            "time | pass | LL in-sample | LL out-of-time\n"
            + "".join(f"10:13:41 | {n} | {9 / n:.4f} | {9.5 / n:.4f}\n" for n in range(1, 9)),
        ),
    ],
)
def test_the_same_quantity_twice_is_a_run_whatever_it_is_called(tmp_path: Path, name: str, table: str) -> None:
    path = tmp_path / name
    path.write_text(table)
    assert is_worth_a_look(path, table[:64].encode())
    assert look(path).refused is None


def test_prompts_are_no_run(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"prompt": "a", "completion": "b", "id": n}) + "\n" for n in range(9)))
    assert look(path).refused


def test_rows_that_nothing_counts_are_epochs_beside_two_losses(tmp_path: Path) -> None:
    rows = "".join(f"{2 - n / 10},{3 - n / 10}\n" for n in range(8))
    (tmp_path / "curves.csv").write_text("loss,val_loss\n" + rows)
    assert look(tmp_path / "curves.csv").refused is None
    (tmp_path / "other.csv").write_text("price,loss\n" + rows)
    assert "without a step-like column" in (look(tmp_path / "other.csv").refused or "")


def test_a_report_without_a_suffix(tmp_path: Path) -> None:
    # Chainer's LogReport writes `log`.
    records = [{"epoch": n, "main/loss": 2 - n / 10, "validation/main/loss": 3 - n / 10} for n in range(1, 6)]
    (tmp_path / "log").write_text(json.dumps(records, indent=4))
    head = (tmp_path / "log").read_bytes()[:64]
    assert is_worth_a_look(tmp_path / "log", head)
    assert look(tmp_path / "log").refused is None
    assert not is_worth_a_look(tmp_path / "Makefile", b"all:\n\tcc main.c\n")
