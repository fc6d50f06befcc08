"""Class counts and confusion, against loops over single samples, and numbers that others published (rules.md)."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store.series import Hints
from mlcheck.store.tensors import pairing
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.request import Request

ASKED = Request(facts=frozenset({"class_count", "confusion"}))


def facts_of(*given_rows, request=ASKED):
    """Facts by (role, category) of rows (tag, step, array) in that order."""
    collector = TensorCollector(request)
    for tag, step, array in given_rows:
        collector.track(tag).add(step, 50.0 + step, np.asarray(array))
    found = {
        (one.hints.collection, dict(one.hints.labels)["category"]): one
        for one in collector.series()
        if one.kind == "fact"
    }
    return found, collector.problems()


def looped(steps):
    """By the definitions: `steps` are (labels, predictions), cumulated."""
    pairs = [(t, p) for truth, guess in steps for t, p in zip(truth, guess, strict=True)]
    result = {}
    for c in {one for pair in pairs for one in pair}:
        of = [p for t, p in pairs if t == c]
        to = [t for t, p in pairs if p == c]
        missed, taken = Counter(p for p in of if p != c), Counter(t for t in to if t != c)
        result[c] = {
            "recall": of.count(c) / len(of) if of else math.nan,
            "precision": to.count(c) / len(to) if to else math.nan,
            "worst_row": max(missed.values(), default=0) / len(of) if of else math.nan,
            "worst_column": max(taken.values(), default=0) / len(to) if to else math.nan,
            "n": len(of),
            "overall": sum(t == p for t, p in pairs) / len(pairs),
        }
    return result


batches = st.lists(
    st.lists(st.tuples(st.integers(-2, 5), st.integers(-2, 5)), min_size=1, max_size=30), min_size=1, max_size=5
)


@settings(deadline=None, max_examples=150)
@given(batches, st.booleans(), st.booleans())
def test_counts_and_confusion_like_loops_over_samples(pairs, predictions_first, name_by_name):
    steps = [([t for t, _ in batch], [p for _, p in batch]) for batch in pairs]
    rows = []
    for number, (truth, guess) in enumerate(steps):
        both = [("labels", number, truth), ("predictions", number, guess)]
        rows += both[::-1] if predictions_first else both
    if name_by_name:
        rows.sort(key=lambda row: row[0], reverse=predictions_first)
    found, problems = facts_of(*rows)
    assert problems == ()
    for step in range(len(steps)):
        expected = looped(steps[: step + 1])
        for category, values in expected.items():
            one = found["confusion", str(category)]
            assert one.steps[step] == step
            for key, value in values.items():
                assert one.columns[key][step] == pytest.approx(value, nan_ok=True), (category, key)
            np.testing.assert_array_equal(one.columns["value"], one.columns["recall"])
        truth, guess = steps[step]
        for category in {t for batch, _ in steps for t in batch}:
            one = found["class_count", str(category)]
            assert one.columns["value"][step] == truth.count(category)
            assert one.columns["wrong"][step] == sum(t == category != p for t, p in zip(truth, guess, strict=True))
    assert {c for role, c in found if role == "class_count"} == {str(t) for batch, _ in steps for t in batch}


def test_990_labels_of_one_class_and_10_of_another():
    labels = np.array([0] * 990 + [1] * 10)
    np.random.default_rng(0).shuffle(labels)
    found, _ = facts_of(*(("labels", step, labels[100 * step : 100 * step + 100]) for step in range(10)))
    assert found["class_count", "0"].columns["value"].sum() == 990
    assert found["class_count", "1"].columns["value"].sum() == 10
    assert len(found["class_count", "1"].steps) == 10
    assert np.isnan(found["class_count", "0"].columns["wrong"]).all()
    assert ("confusion", "0") not in found


def test_a_perfect_classifier_of_ten_classes():
    found, _ = facts_of(("labels", 0, np.arange(10)), ("predictions", 0, np.arange(10)))
    for category in range(10):
        one = found["confusion", str(category)]
        assert {key: float(column[0]) for key, column in one.columns.items()} == {
            "value": 1, "recall": 1, "precision": 1, "worst_row": 0, "worst_column": 0, "n": 1, "overall": 1,
        }  # fmt: skip


def test_arange_10_with_one_wrong_prediction():
    predictions = np.arange(10)
    predictions[3] = 4
    found, _ = facts_of(("labels", 0, np.arange(10)), ("predictions", 0, predictions))
    three = {key: float(column[0]) for key, column in found["confusion", "3"].columns.items()}
    assert three["recall"] == 0
    assert three["worst_row"] == 1
    assert math.isnan(three["precision"])
    four = found["confusion", "4"].columns
    assert (four["recall"][0], four["precision"][0], four["worst_column"][0]) == (1, 0.5, 0.5)
    assert four["overall"][0] == 0.9
    assert found["class_count", "3"].columns["wrong"][0] == 1


TRUTH = np.array([0, 2, 1, 2])
RIGHT_BUT_LAST = np.array([[9.0, 1, 0], [0, 1, 2], [0, 3, 1], [5, 0, 1]], dtype=np.float32)


@pytest.mark.parametrize(
    "labels",
    [
        TRUTH,
        TRUTH.astype(np.uint8),
        TRUTH.astype(np.float16),
        TRUTH[:, None],
        np.eye(3)[TRUTH],
        np.eye(3, dtype=bool)[TRUTH],
    ],
)
@pytest.mark.parametrize(
    "predictions", [RIGHT_BUT_LAST, RIGHT_BUT_LAST.argmax(1), RIGHT_BUT_LAST.argmax(1)[:, None].astype(np.float64)]
)
def test_forms_of_labels_and_predictions(labels, predictions):
    found, problems = facts_of(("labels", 7, labels), ("predictions", 7, predictions))
    assert problems == ()
    assert [found["class_count", str(c)].columns["value"][0] for c in range(3)] == [1, 1, 2]
    assert [found["class_count", str(c)].columns["wrong"][0] for c in range(3)] == [0, 0, 1]
    assert found["confusion", "2"].columns["recall"][0] == 0.5


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_probabilities_of_one_class(shape):
    found, _ = facts_of(("labels", 0, [0, 1, 1, 0]), ("predictions", 0, np.array([0.2, 0.9, 0.5, 0.0]).reshape(shape)))
    assert found["confusion", "1"].columns["recall"][0] == 0.5
    assert found["confusion", "0"].columns["recall"][0] == 1


def test_positions_of_samples_are_counted_and_compared_where_shapes_match():
    masks = np.random.default_rng(0).integers(0, 3, size=(2, 5, 6))
    scores = np.eye(3)[masks].astype(np.float32)
    found, _ = facts_of(
        ("labels", 0, masks), ("predictions", 0, scores), ("labels", 1, masks), ("predictions", 1, masks)
    )
    assert found["class_count", "1"].columns["value"].tolist() == [np.sum(masks == 1)] * 2
    assert found["confusion", "1"].columns["overall"].tolist() == [1, 1]
    found, _ = facts_of(("labels", 0, masks), ("predictions", 0, masks[:, :, :5]))
    assert not any(role == "confusion" for role, _ in found)


def test_regression_has_no_classes():
    values = np.random.default_rng(0).normal(size=(20,))
    assert facts_of(("targets", 0, values), ("predictions", 0, values)) == ({}, ())
    # Whole targets beside predictions that are neither classes nor probabilities.
    found, _ = facts_of(("targets", 0, [1, 5, 9]), ("predictions", 0, [1.5, 4.2, 9.9]))
    assert not any(role == "confusion" for role, _ in found)


def test_tokens_are_no_classes():
    found, problems = facts_of(("labels", 0, np.arange(600)), ("labels", 1, np.arange(600) + 500))
    assert found == {}
    assert problems == ("labels: more than 1,000 distinct values: taken for tokens, no class counts",)
    found, problems = facts_of(("labels", 0, np.array([2**40, 1])))
    assert (found, len(problems)) == ({}, 1)


def test_rows_of_several_classes_are_not_counted_as_two():
    found, problems = facts_of(("labels", 0, np.array([[1, 1, 0], [0, 0, 1]])))
    assert (found, len(problems)) == ({}, 1)


def test_one_hot_and_then_not():
    found, problems = facts_of(("labels", 0, np.eye(3)), ("labels", 1, np.array([[0.0, 2, 5]])))
    assert (found, len(problems)) == ({}, 1)


def test_ignored_labels_are_not_counted():
    found, _ = facts_of(("labels", 0, [-100, 1, 0, np.nan]), ("predictions", 0, [1, 1, 1, 1]))
    assert {c for role, c in found if role == "class_count"} == {"0", "1"}
    assert found["confusion", "1"].columns["overall"][0] == 0.5


def test_labels_beyond_the_scores_are_not_compared():
    found, problems = facts_of(("labels", 0, [1, 2, 3]), ("predictions", 0, np.eye(3)[[0, 1, 2]] * 0.9))
    assert problems == ("labels: label 3 is none of the 3 classes of predictions: not compared",)
    assert not any(role == "confusion" for role, _ in found)
    assert np.isnan(found["class_count", "1"].columns["wrong"]).all()


def test_modes_and_workers_do_not_meet():
    collector = TensorCollector(ASKED)
    for mode, worker in (("train", None), ("val", None), ("val", "1")):
        collector.track("labels", Hints(mode=mode, worker=worker)).add(0, 0.0, np.array([0, 1]))
    collector.track("predictions", Hints(mode="val")).add(0, 0.0, np.array([0, 0]))
    confusions = [one for one in collector.series() if one.hints.collection == "confusion"]
    assert {(one.hints.mode, one.hints.worker) for one in confusions} == {("val", None)}
    counts = [one for one in collector.series() if one.hints.collection == "class_count"]
    assert {(one.hints.mode, one.hints.worker) for one in counts} == {("train", None), ("val", None), ("val", "1")}


def test_two_heads_meet_each_their_own():
    collector = TensorCollector(ASKED)
    collector.track("labels/age").add(0, 0.0, np.array([0, 1]))
    collector.track("labels/sex").add(0, 0.0, np.array([1, 1]))
    collector.track("predictions/sex").add(0, 0.0, np.array([1, 1]))
    collector.track("predictions/age").add(0, 0.0, np.array([1, 0]))
    found = {
        (dict(one.hints.labels)["group"], dict(one.hints.labels)["category"]): one.columns["overall"][0]
        for one in collector.series()
        if one.hints.collection == "confusion"
    }
    assert found == {("labels/age", "0"): 0, ("labels/age", "1"): 0, ("labels/sex", "1"): 1}


@pytest.mark.parametrize("first", ["labels/y", "predictions/fc"])
def test_one_tensor_of_labels_meets_predictions_of_another_name(first):
    rows = [
        ("labels/y", 0, [0, 1]),
        ("predictions/fc", 0, [0, 0]),
        ("labels/y", 1, [1, 1]),
        ("predictions/fc", 1, [1, 1]),
    ]
    found, _ = facts_of(*sorted(rows, key=lambda row: row[0] != first))
    assert found["confusion", "0"].columns["overall"].tolist() == [0.5, 0.75]


def test_labels_meet_one_tensor_of_predictions_only():
    """Logits and probabilities of one step are one prediction."""
    rows = []
    for step in range(3):
        rows += [("labels", step, [0, 1]), ("logits", step, np.eye(2) * 3), ("probs", step, np.eye(2))]
    found, _ = facts_of(*rows)
    assert found["confusion", "1"].columns["n"].tolist() == [1, 2, 3]


def test_what_waits_is_bounded(monkeypatch):
    monkeypatch.setattr("mlcheck.store.tensors.classes.Room", lambda: pairing.Room(250))
    rows = [("labels", step, np.arange(100) % 2) for step in range(4)]
    rows += [("predictions", step, np.zeros(100, int)) for step in range(4)]
    found, problems = facts_of(*rows)
    assert len(problems) == 1
    assert problems[0].startswith("labels, step 2: more than")
    assert found["class_count", "0"].columns["value"].tolist() == [50] * 4
    assert found["confusion", "0"].steps.tolist() == [0, 1]
    # In turn there is always room.
    found, problems = facts_of(*sorted(rows, key=lambda row: row[1]))
    assert problems == ()
    assert found["confusion", "0"].steps.tolist() == [0, 1, 2, 3]


def test_only_what_is_asked_for():
    rows = (("labels", 0, [0, 1]), ("predictions", 0, [0, 1]))
    assert facts_of(*rows, request=Request()) == ({}, ())
    assert {role for role, _ in facts_of(*rows, request=Request(facts=frozenset({"class_count"})))[0]} == {
        "class_count"
    }
    assert {role for role, _ in facts_of(*rows, request=Request(facts=frozenset({"confusion"})))[0]} == {"confusion"}
    assert not TensorCollector(Request()).track("labels").needed
    assert TensorCollector(ASKED).track("labels").needed


def test_the_caller_may_use_its_buffer_again():
    collector = TensorCollector(ASKED)
    buffer = np.array([0, 1, 1], dtype=np.int32)
    collector.track("labels").add(0, 0.0, buffer)
    buffer[:] = 0
    collector.track("predictions").add(0, 0.0, buffer)
    found = {
        dict(one.hints.labels)["category"]: one for one in collector.series() if one.hints.collection == "confusion"
    }
    assert found["1"].columns["n"].tolist() == [2]


def test_facts_of_one_label_share_steps_and_times():
    found, _ = facts_of(("labels", 3, [0, 1]), ("labels", 9, [1]))
    assert found["class_count", "0"].steps.tolist() == [3, 9]
    assert found["class_count", "0"].wall_times.tolist() == [53, 59]
    assert found["class_count", "0"].columns["value"].tolist() == [1, 0]
    assert found["class_count", "0"].tag == "class_count/0"
