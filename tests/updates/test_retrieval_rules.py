"""What rules say of real dumps: nothing that could not be measured reads as passed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcheck.engine.loader import load_file
from mlcheck.engine.rank import Causes
from mlcheck.engine.run import RunPart, judge_run
from mlcheck.engine.select import Selected
from mlcheck.store.series import Run
from mlcheck.updates.base import Measure, facts
from mlcheck.updates.retrieval import RetrievalSettings, measure_retrieval
from tests.updates.embedding_dumps import blobs, dump

ROOT = Path(__file__).parents[2] / "rules" / "embeddings"
SETTINGS = RetrievalSettings(draws=200, also=(), false_accept_rate=0.01, drift_examples=100)
OLD, NEW, LABEL = blobs(11, count=300)


def judged(measures: list[Measure]) -> RunPart:
    rules = [load_file(path) for path in sorted(ROOT.glob("*.yaml"))]
    run = Run("compare", "compare", "compare", list(facts(measures)), ())
    return judge_run(run, [Selected(rule, rule.defaults(), None) for rule in rules], Causes({}))


def outcomes(part: RunPart, rule: str) -> dict[str, str]:
    return {one.outcome: one.reason or "" for one in part.outcomes if one.rule == rule}


def compared(old: np.ndarray, new: np.ndarray, settings: RetrievalSettings = SETTINGS) -> RunPart:
    return judged(measure_retrieval(dump("old", old, LABEL), dump("new", new, LABEL), settings))


def test_a_better_model_in_the_same_space_passes() -> None:
    part = compared(OLD, NEW)
    assert list(outcomes(part, "EMB001")) == ["passed"]
    assert list(outcomes(part, "EMB008")) == ["passed"]
    assert not [one for one in part.findings if one.severity.value == "error"]


def test_a_rotated_space_fails_and_the_advice_knows() -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))
    part = compared(OLD, (OLD @ rotation).astype(np.float32))
    [found] = [one for one in part.findings if one.rule == "EMB001"]
    assert found.severity.value == "error"
    assert "A rotation takes the new space to the old one but for 0.0%" in found.advice
    assert outcomes(part, "EMB002").keys() == {"skipped"}


def test_other_dimensions_are_an_error_and_nothing_across_is_passed() -> None:
    part = compared(OLD, NEW[:, :5].copy())
    assert [one.rule for one in part.findings if one.severity.value == "error"] == ["EMB008"]
    for rule in ("EMB001", "EMB002", "EMB004", "EMB006", "EMB007"):
        assert "passed" not in outcomes(part, rule), rule
    assert "not comparable" in outcomes(part, "EMB001")["skipped"]


def test_one_of_two_metrics_that_is_undefined_is_skipped_beside_the_other() -> None:
    part = compared(OLD, NEW, replace(SETTINGS, metrics=("recall@1", "TAR@FAR=1e-7")))
    found = outcomes(part, "EMB001")
    assert found.keys() == {"passed", "skipped"}
    assert "retrieval/TAR@FAR=1e-07: difference is undefined: insufficient" in found["skipped"]


RANDOM = np.random.default_rng(1).standard_normal(OLD.shape).astype(np.float32)


@pytest.mark.parametrize(
    ("new", "severity"),
    [(RANDOM, "error"), (OLD + RANDOM / 20, "info"), (OLD, "info")],
    ids=["unrelated", "hardly changed", "the same"],
)
def test_the_verdict_is_of_the_interval(new: np.ndarray, severity: str) -> None:
    """A few hundred queries tell that all are lost, and not whether a change of a hair is one to the worse."""
    [found] = [one for one in compared(OLD, new).findings if one.rule == "EMB001"]
    assert found.severity.value == severity
    assert found.message.startswith("inconclusive:") == (severity == "info")
