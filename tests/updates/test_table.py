"""Reading dumps: the aliases of the schema, formats, metadata, steps, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from mlcheck.updates.base import ComparisonError
from mlcheck.updates.classes import class_names, score_matrix
from mlcheck.updates.peek import is_dump
from mlcheck.updates.table import PredictionTable, ReadSettings, final_rows, read_table


def _parquet(path: Path, columns: dict[str, Any], metadata: dict[str, str] | None = None, **options: Any) -> Path:
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path, **options)
    return path


def _read(path: Path, **settings: Any) -> PredictionTable:
    return read_table(path, path.name, ReadSettings(**settings))


@pytest.mark.parametrize(
    ("canonical", "alias"),
    [
        *(("example_id", name) for name in ("id", "doc_id", "row_id")),
        ("step", "global_step"),
        ("split", "partition"),
        *(("label", name) for name in ("target", "targets", "labels", "references", "y_true", "gt")),
        *(("prediction", name) for name in ("pred", "predictions", "outputs", "prediction_labels", "y_pred")),
    ],
)
def test_aliases(tmp_path: Path, canonical: str, alias: str) -> None:
    values = {"example_id": ["a", "b"], "step": [1, 1], "split": ["x", "x"], "label": [0, 1], "prediction": [0, 1]}
    renamed = {alias if name == canonical else name: value for name, value in values.items()}
    found = _read(_parquet(tmp_path / "p.parquet", renamed))
    assert sorted(found.table.column_names) == sorted(values)
    assert found.table.column(canonical).to_pylist() == values[canonical]
    assert found.aliases[canonical] == alias


@pytest.mark.parametrize("alias", ["prediction_probas", "y_proba"])
def test_probabilities_are_scores_where_they_are_lists_and_a_score_where_they_are_not(
    tmp_path: Path, alias: str
) -> None:
    lists = _read(_parquet(tmp_path / "a.parquet", {"id": ["a"], alias: [[0.1, 0.9]]}))
    assert lists.table.column("scores").to_pylist() == [[0.1, 0.9]]
    numbers = _read(_parquet(tmp_path / "b.parquet", {"id": ["a"], alias: [0.9]}))
    assert numbers.table.column("score").to_pylist() == [0.9]


def test_outputs_are_logits_where_they_are_lists(tmp_path: Path) -> None:
    """AWS: {pred, gt, outputs, features}."""
    found = _read(
        _parquet(
            tmp_path / "p.parquet",
            {"id": [1], "pred": [1], "gt": [0], "outputs": [[0.0, 2.0]], "features": [[1.0, 2.0]]},
        )
    )
    assert {"prediction", "label", "logits", "embedding"} <= set(found.table.column_names)
    assert score_matrix(found)[0] == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))])


def test_two_columns_that_could_be_meant_are_an_error_that_names_both(tmp_path: Path) -> None:
    path = _parquet(tmp_path / "p.parquet", {"id": [1], "target": [1], "y_true": [1]})
    with pytest.raises(ComparisonError, match=r"both 'target' and 'y_true' could be 'label'.*label=target"):
        _read(path)
    assert _read(path, columns={"label": "y_true"}).aliases["label"] == "y_true"


def test_a_canonical_name_is_never_ambiguous(tmp_path: Path) -> None:
    found = _read(_parquet(tmp_path / "p.parquet", {"example_id": [1], "label": [1], "target": [5]}))
    assert found.table.column("label").to_pylist() == [1]
    assert found.table.column("target").to_pylist() == [5], "kept as an unknown column"


def test_what_the_user_tells_stands_above_names(tmp_path: Path) -> None:
    path = _parquet(tmp_path / "p.parquet", {"example_id": [1, 2], "uid": ["a", "b"], "epoch": [3, 3]})
    found = _read(path, columns={"example_id": "uid", "step": "epoch"})
    assert found.table.column("example_id").to_pylist() == ["a", "b"]
    assert found.table.column("step").to_pylist() == [3, 3]
    with pytest.raises(ComparisonError, match=r"no column 'uidd'.*did you mean uid"):
        _read(path, columns={"example_id": "uidd"})


def test_epoch_is_a_step_only_if_told(tmp_path: Path) -> None:
    assert not _read(_parquet(tmp_path / "p.parquet", {"id": [1], "epoch": [3]})).has("step")


def test_sentences_are_references_in_a_dump_of_texts_and_labels_elsewhere(tmp_path: Path) -> None:
    texts = {"id": [1], "input": [["u", "s"]], "target": ["go home"], "prediction": ["go"], "base_utt_idx": [0]}
    found = _read(_parquet(tmp_path / "t.parquet", texts))
    assert {"source", "reference", "hypothesis", "base_index"} <= set(found.table.column_names)
    labels = _read(
        _parquet(tmp_path / "l.parquet", {"id": [1], "target": ["cat"], "prediction": ["dog"], "text": ["a cat"]})
    )
    assert {"label", "prediction", "text"} <= set(labels.table.column_names)


def test_the_first_response_of_lm_eval(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({"doc_id": 0, "target": "4", "filtered_resps": ["four", "4"], "doc": {"q": 1}}) + "\n")
    assert _read(path).table.column("hypothesis").to_pylist() == ["four"]


# Wide columns


@pytest.mark.parametrize("prefix", ["score_", "probas_", "proba_", "probs_", "prob_"])
def test_wide_columns_of_classes_are_their_scores(tmp_path: Path, prefix: str) -> None:
    columns = {"id": [1, 2], f"{prefix}cat": [0.2, 0.9], f"{prefix}black dog": [0.8, 0.1], f"{prefix}": [1.0, 1.0]}
    for path in (_parquet(tmp_path / "p.parquet", columns), tmp_path / "p.csv"):
        if path.suffix == ".csv":
            pyarrow.csv.write_csv(pa.table(columns), path)
        found = _read(path)
        assert class_names(found) == ["cat", "black dog"]
        assert score_matrix(found) == pytest.approx(np.array([[0.2, 0.8], [0.9, 0.1]]))
        assert is_dump(path)


def test_wide_columns_of_two_kinds_are_refused_unless_class_names_tell(tmp_path: Path) -> None:
    columns = {"id": [1], "prob_cat": [0.2], "prob_dog": [0.8], "score_bleu": [3.0], "score_rouge": [4.0]}
    with pytest.raises(ComparisonError, match="both 'prob_cat' and 'score_bleu' could be the scores of a class"):
        _read(_parquet(tmp_path / "p.parquet", columns))
    found = _read(_parquet(tmp_path / "q.parquet", columns, {"class_names": '["dog", "cat"]'}))
    assert class_names(found) == ["dog", "cat"]
    assert score_matrix(found) == pytest.approx(np.array([[0.8, 0.2]]))


def test_one_wide_column_is_no_score_of_a_class(tmp_path: Path) -> None:
    found = _read(_parquet(tmp_path / "p.parquet", {"id": [1], "prediction": ["cat"], "prob_top": [0.9]}))
    assert not found.has("scores")
    assert "prob_top" in found.table.column_names


def test_score_columns_of_classes(tmp_path: Path) -> None:
    found = _read(
        _parquet(
            tmp_path / "p.parquet",
            {"id": [1, 2], "score_cat": [0.2, 0.9], "score_dog": [0.8, 0.1], "score": [1.0, 1.0]},
        )
    )
    assert class_names(found) == ["cat", "dog"]
    assert score_matrix(found) == pytest.approx(np.array([[0.2, 0.8], [0.9, 0.1]]))


def test_columns_named_by_classes(tmp_path: Path) -> None:
    columns = {
        "id": [1, 2],
        "label": ["cat", "dog"],
        "prediction": ["dog", "dog"],
        "cat": [0.2, 0.1],
        "dog": [0.8, 0.9],
    }
    assert class_names(_read(_parquet(tmp_path / "p.parquet", columns))) == ["cat", "dog"]
    columns["dog"] = [7.5, 1.25]
    assert not _read(_parquet(tmp_path / "q.parquet", columns)).has("scores"), "they are no probabilities"


def test_columns_of_an_embedding(tmp_path: Path) -> None:
    columns = {"id": [1], **{f"emb_{i}": [float(i)] for i in reversed(range(11))}}
    found = _read(_parquet(tmp_path / "p.parquet", columns))
    assert found.table.column("embedding").to_pylist() == [[float(i) for i in range(11)]]


# Formats


def _same(one: PredictionTable, other: PredictionTable) -> bool:
    rows = [
        sorted(
            ({**row, "example_id": str(row["example_id"])} for row in table.table.to_pylist()),
            key=lambda row: row["example_id"],
        )
        for table in (one, other)
    ]
    return rows[0] == rows[1]


def test_every_format_says_the_same(tmp_path: Path) -> None:
    columns = {
        "id": [3, 1, 2],
        "label": ["a", "b", "a"],
        "pred": ["a", "a", "b"],
        "score": [0.5, 0.25, 1.0],
        "slice_x": [True, False, True],
    }
    whole = _read(_parquet(tmp_path / "p.parquet", columns))
    pyarrow.csv.write_csv(pa.table(columns), tmp_path / "p.csv")
    rows = pa.table(columns).to_pylist()
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "p.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "p.tsv").write_text((tmp_path / "p.csv").read_text().replace(",", "\t"))
    for name in ("p.csv", "p.jsonl", "p.json", "p.tsv"):
        assert _same(whole, _read(tmp_path / name)), name


def test_a_directory_of_files_and_row_groups(tmp_path: Path) -> None:
    for split in ("val", "test"):
        (tmp_path / "d" / f"split={split}").mkdir(parents=True)
        for part in range(2):
            ids = np.arange(part * 10, part * 10 + 10)
            _parquet(tmp_path / "d" / f"split={split}" / f"{part}.parquet", {"id": ids, "label": ids}, row_group_size=3)
    (tmp_path / "d" / "_SUCCESS").touch()
    found = _read(tmp_path / "d")
    assert len(found.table) == 40
    assert sorted(set(found.table.column("split").to_pylist())) == ["test", "val"]


def test_ids_of_a_csv_file_stay_text(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,label\n007,1\n7,0\n")
    assert _read(tmp_path / "p.csv").table.column("example_id").to_pylist() == ["007", "7"]


def test_lists_in_a_csv_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text('id,scores\n1,"[0.25, 0.75]"\n2,[0.5  0.5]\n')
    assert _read(tmp_path / "p.csv").table.column("scores").to_pylist() == [[0.25, 0.75], [0.5, 0.5]]


# Metadata


def test_metadata_of_the_file_and_of_its_sidecar(tmp_path: Path) -> None:
    columns = {"id": [1], "scores": [[0.5, 0.5]]}
    own = _parquet(
        tmp_path / "p.parquet",
        columns,
        {"mlcheck.schema": "predictions/1", "model_id": "v1", "class_names": '["a","b"]'},
    )
    assert _read(own).metadata["model_id"] == "v1"
    assert class_names(_read(own)) == ["a", "b"]
    bare = _parquet(tmp_path / "q.parquet", columns, store_schema=False)
    (tmp_path / "q.parquet.meta.json").write_text(json.dumps({"class_names": ["a", "b"], "model_id": "v2"}))
    assert class_names(_read(bare)) == ["a", "b"]
    assert _read(bare).metadata["model_id"] == "v2"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"mlcheck.schema": "predictions/9"}, "predictions/9"),
        ({"class_names": "a,b"}, "class_names must be a JSON list"),
    ],
)
def test_metadata_that_cannot_be_used(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    with pytest.raises(ComparisonError, match=message):
        _read(_parquet(tmp_path / "p.parquet", {"id": [1], "label": [1]}, metadata))


# What is refused


@pytest.mark.parametrize("name", ["scores", "logits", "score", "label_score", "topk_score", "weight"])
def test_scores_that_are_not_finite(tmp_path: Path, name: str) -> None:
    bad = [0.5, float("nan"), float("inf"), 0.25]
    values = [[value, 0.5] for value in bad] if name in ("scores", "logits", "topk_score") else bad
    path = _parquet(tmp_path / "p.parquet", {"example_id": ["a", "b", "c", "d"], "label": [0, 1, 0, 1], name: values})
    with pytest.raises(ComparisonError, match=rf"p.parquet: '{name}' is missing or not finite in 2 of 4 rows: b, c"):
        _read(path)


def test_nan_in_text_formats(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,score\na,0.5\nb,nan\nc,\n")
    (tmp_path / "p.jsonl").write_text(
        '{"id": "a", "score": 0.5}\n{"id": "b", "score": NaN}\n{"id": "c", "score": null}\n'
    )
    for name in ("p.csv", "p.jsonl"):
        with pytest.raises(ComparisonError, match="in 2 of 3 rows: b, c"):
            _read(tmp_path / name)


def test_a_key_that_is_there_twice(tmp_path: Path) -> None:
    path = _parquet(tmp_path / "p.parquet", {"id": ["a", "b", "a", "a"], "split": ["t", "t", "t", "v"]})
    with pytest.raises(
        ComparisonError,
        match=r"1 keys of \(split, id\) are there more than once, in 2 of 4 rows: a, split t \(2 times\)",
    ):
        _read(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": [1]}, r"no column of ids \(example_id, id, doc_id"),
        ({"id": [None, "a"], "label": [1, 2]}, "1 of 2 rows have no id"),
        ({"id": pa.array([], pa.string())}, "holds no rows"),
        ({"id": [1.5]}, "must hold text or whole numbers"),
        ({"id": [1], "label": [{"x": 1}]}, "'label' must hold classes, numbers or lists of classes; it holds struct"),
        ({"id": [1], "topk_index": [3]}, "'topk_index' must hold lists of classes; it holds int64"),
        ({"id": [1], "scores": [0.5]}, r"'scores' must hold lists of numbers.*one number each is `score`"),
        ({"id": [1, 2], "label": [1.0, float("inf")]}, "'label' is infinite in 1 of 2 rows"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ComparisonError, match=message):
        _read(_parquet(tmp_path / "p.parquet", columns))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.parquet", b"PAR1 no", "cannot be read"),
        ("p.csv", b"", "is empty"),
        ("p.csv", b"id,label\n1,2\n3\n", "cannot be read"),
        ("p.jsonl", b'{"id": 1}\n{"id": \n', "line 2: no JSON"),
        ("p.jsonl", b"[1, 2]\n", "row 1: '1' is no object"),
        ("p.jsonl", b"", "holds no rows"),
        ("p.jsonl", b"\xff\xfe\x00", "cannot be read"),
        ("p.pickle", b"x", "the name must end in one of"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ComparisonError, match=message):
        _read(tmp_path / name)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match=r"gone.parquet: no such file"):
        _read(tmp_path / "gone.parquet")
    with pytest.raises(ComparisonError, match="no Parquet files"):
        _read(tmp_path)


def test_a_column_twice(tmp_path: Path) -> None:
    pq.write_table(
        pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["id", "x", "x"]),
        tmp_path / "p.parquet",
    )
    with pytest.raises(ComparisonError, match="'x' is there 2 times"):
        _read(tmp_path / "p.parquet")


def test_a_column_that_holds_nothing_is_not_there(tmp_path: Path) -> None:
    found = _read(_parquet(tmp_path / "p.parquet", {"id": [1, 2], "label": [1, 2], "group_id": pa.nulls(2)}))
    assert not found.has("group_id")


def test_text_that_is_no_utf8(tmp_path: Path) -> None:
    broken = pa.array([b"a", b"\xff"]).view(pa.string())
    with pytest.raises(ComparisonError, match="cannot be read"):
        _read(_parquet(tmp_path / "p.parquet", {"id": [1, 2], "label": broken}))


# Steps


def test_the_final_step_of_each_split() -> None:
    table = pa.table(
        {
            "example_id": ["a", "a", "b", "b", "c"],
            "split": ["t", "t", "v", "v", "v"],
            "step": [1, 2, 5, None, 5],
            "label": [1, 2, 3, 4, 5],
        }
    )
    assert final_rows(PredictionTable("p", table)).table.column("label").to_pylist() == [2, 4]
