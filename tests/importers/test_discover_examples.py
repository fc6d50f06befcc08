"""What a model said of examples is no run: `mlcheck compare` judges it, and a scan says so."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from mlcheck.importers.discover import discover
from mlcheck.store.examples import said_by_model
from tests.importers.test_discover import write
from tests.test_cli import run

PREDICTIONS = {"example_id": ["a", "b"], "label": [0, 1], "prediction": [0, 1]}
EMBEDDINGS = {"example_id": ["a", "b"], "label": [0, 1], "embedding": [[0.1, 0.2], [0.3, 0.4]]}


def dump(path: Path, columns: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
    else:
        rows = zip(*columns.values(), strict=True)
        path.write_text("\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows) + "\n")
    return path


@pytest.mark.parametrize(("columns", "kind"), [(PREDICTIONS, "predictions"), (EMBEDDINGS, "embeddings")])
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_a_directory_of_dumps_is_no_run(tmp_path: Path, columns: dict[str, Any], kind: str, suffix: str) -> None:
    for name in ("old", "new"):
        dump(tmp_path / f"{name}{suffix}", columns)
    found = discover([str(tmp_path)])
    assert not found.runs
    says = f"new{suffix} and old{suffix} hold {kind}: `mlcheck compare OLD NEW` judges them"
    assert any(says in note.text for note in found.notes)
    assert {one.path for one in found.ignored} == {f"old{suffix}", f"new{suffix}"}


def test_a_scan_of_dumps_is_exit_3_and_says_what_judges_them(tmp_path: Path) -> None:
    path = dump(tmp_path / "preds" / "new.parquet", PREDICTIONS)
    for given in (path.parent, path):
        result = run("scan", given, cwd=tmp_path)
        assert result.returncode == 3, result.stderr
        assert "`mlcheck compare OLD NEW` judges them" in " ".join(result.stdout.split())


def test_a_run_elsewhere_is_judged_and_the_dump_is_named(tmp_path: Path) -> None:
    write(tmp_path / "exp1")
    dump(tmp_path / "exp1" / "predictions" / "test.parquet", PREDICTIONS)
    found = discover([str(tmp_path)])
    assert [one.name for one in found.runs] == ["exp1"]
    assert any("exp1/predictions/test.parquet holds predictions" in note.text for note in found.notes)


def test_predictions_of_steps_are_of_a_run(tmp_path: Path) -> None:
    path = dump(tmp_path / "steps.parquet", {"step": [1, 2], **PREDICTIONS})
    assert [one.name for one in discover([str(path)]).runs] == ["steps.parquet"]


def test_predictions_beside_an_event_file_stay_with_its_run(tmp_path: Path) -> None:
    write(tmp_path / "exp1")
    dump(tmp_path / "exp1" / "test.parquet", PREDICTIONS)
    (only,) = discover([str(tmp_path)]).runs
    assert {file.format for file in only.files} == {"tensorboard", "parquet"}


@pytest.mark.parametrize(
    "names",
    [
        ["id", "label", "age", "income"],
        ["id", "text", "label"],
        ["prompt", "response"],
        ["id", "score"],
        ["step", "id", "prediction"],
        ["epoch", "pred", "label"],
        ["prob_rain", "prob_snow"],
        [],
    ],
)
def test_data_sets_and_logs_are_no_dumps(names: list[str]) -> None:
    assert said_by_model(names) is None


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["id", "y_pred"], "predictions"),
        (["target", "prob_cat", "prob_dog"], "predictions"),
        (["Id", "Label", "Score"], "predictions"),
        (["doc_id", "filtered_resps"], "texts"),
        (["id", "label", "emb_0", "emb_1"], "embeddings"),
    ],
)
def test_what_tells_a_dump(names: list[str], kind: str) -> None:
    assert said_by_model(names) == kind
