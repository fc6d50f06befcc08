"""The snippet of docs/updates.md writes a dump that is read as the page says."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from mlcheck.updates.classes import class_names
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.predictions import measure_predictions
from mlcheck.updates.table import read_table
from tests.updates.dumps import named

PAGE = Path(__file__).parents[2] / "docs" / "updates.md"


def test_the_snippet_writes_what_is_read(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(code, names)
    path = tmp_path / "preds.parquet"
    scores = np.array([[0.9, 0.1], [0.3, 0.7]])
    names["dump_predictions"](path, ["a", "b"], ["cat", "dog"], ["cat", "dog"], scores, ["cat", "dog"], "v1")
    found = read_table(path, "preds.parquet")
    assert class_names(found) == ["cat", "dog"]
    assert found.metadata["model_id"] == "v1"
    measures = measure_predictions(found, found, PredictionSettings(draws=10))
    assert named(measures, "flips").columns["both_right"] == 2
    assert named(measures, "overlap").columns["argmax_disagreements"] == 0


def test_every_statistic_of_the_page_is_measured(tmp_path: Path) -> None:
    from tests.updates.dumps import table

    text = PAGE.read_text(encoding="utf-8").partition("## What is measured")[2].partition("\n\nMicrosoft")[0]
    stated = {
        name for row in re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE) for name in re.findall(r"`([a-z_]+)`", row)
    }
    assert len(stated) >= 18
    old = table(label=[0, 0, 1, 1], scores=[[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    new = table(label=[0, 0, 1, 1], scores=[[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    measures = measure_predictions(old, new, PredictionSettings(draws=10))
    assert stated <= set(named(measures, "flips").columns)
