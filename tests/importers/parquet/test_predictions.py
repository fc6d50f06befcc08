"""Dumps of predictions: labels and predictions of each step as tensors, classes and confusion from them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mlcheck.importers.parquet import pages
from tests.importers.parquet.helpers import IMPORTER, Witness, claimed, read, witness, write  # noqa: F401


def test_examples_of_a_step_are_its_tensors(tmp_path: Path, witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(pages, "BATCH_ROWS", 7)
    random = np.random.default_rng(0)
    steps = np.repeat([10, 20, 30], 11)
    label, prediction = random.integers(0, 3, 33), random.integers(0, 3, 33)
    table = {"example_id": np.arange(33), "step": steps, "label": label, "prediction": prediction, "slice": ["x"] * 33}
    path = write(tmp_path / "p.parquet", table, row_group_size=20)
    assert claimed(path)
    read(path)
    for tag, values in (("labels", label), ("predictions", prediction)):
        track = witness.by_tag()[tag]
        assert track.hints.collection == tag
        assert track.steps == [10, 20, 30]
        for step, found in zip(track.steps, track.arrays, strict=True):
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, values[steps == step])


def test_splits_are_apart(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    table = {"step": [1] * 4, "split": ["train", "val"] * 2, "y_true": [0, 1, 2, 3], "y_pred": [0, 1, 2, 3]}
    read(write(tmp_path / "p.parquet", table))
    assert witness.tracks["labels", "train", None].arrays[0].tolist() == [0, 2]
    assert witness.tracks["predictions", "val", None].arrays[0].tolist() == [1, 3]


def test_scores_where_no_class_is_predicted(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    scores = pa.array([[0.9, 0.1], [0.2, 0.8]], pa.list_(pa.float32()))
    read(write(tmp_path / "p.parquet", {"label": [0, 1], "scores": scores}))
    assert witness.by_tag()["predictions"].arrays[0].shape == (2, 2)
    assert witness.by_tag()["predictions"].steps == [0]


def test_a_dump_without_steps_is_one_snapshot(tmp_path: Path) -> None:
    found = read(write(tmp_path / "p.parquet", {"label": [0, 1], "prediction": [0, 1]}))
    assert found.status.reason == "no step column: one snapshot, at step 0"


def test_texts_are_numbered_alike_in_labels_and_predictions(tmp_path: Path, witness: Witness) -> None:  # noqa: F811
    table = {"step": [0] * 4, "label": ["cat", "dog", "cat", None], "prediction": ["dog", "dog", "cat", "bird"]}
    found = read(write(tmp_path / "p.parquet", table))
    np.testing.assert_array_equal(witness.by_tag()["labels"].arrays[0], [0, 1, 0, np.nan])
    np.testing.assert_array_equal(witness.by_tag()["predictions"].arrays[0], [1, 1, 0, 2])
    assert "numbered in order of appearance: 0 cat, 1 dog, 2 bird" in (found.status.reason or "")


def test_class_counts_and_confusion_come_out(tmp_path: Path) -> None:
    """Two of three of class 1 are taken for class 0: its recall is 1/3."""
    table = {"example_id": range(6), "step": [5] * 6, "label": [0, 0, 0, 1, 1, 1], "prediction": [0, 0, 0, 0, 0, 1]}
    facts = {
        (one.hints.collection, dict(one.hints.labels)["category"]): one
        for one in read(write(tmp_path / "p.parquet", table)).series
        if one.kind == "fact"
    }
    assert facts["class_count", "1"].columns["value"].tolist() == [3.0]
    assert facts["class_count", "1"].columns["wrong"].tolist() == [2.0]
    assert facts["confusion", "1"].columns["recall"].tolist() == [pytest.approx(1 / 3)]
    assert facts["confusion", "0"].columns["precision"].tolist() == [pytest.approx(3 / 5)]


def test_labels_alone_are_a_data_set(tmp_path: Path) -> None:
    path = write(tmp_path / "d.parquet", {"example_id": [0, 1], "label": [0, 1]})
    assert not claimed(path)
    assert IMPORTER.why_not(path, path.read_bytes()[:64]) is not None
