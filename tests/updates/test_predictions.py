"""Two dumps compared: outcomes of every kind of task, slices, seeds, confident flips, undefined values and errors."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.flip_measure import Population
from mlcheck.updates.intervals import proportion_interval
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.predictions import applies, measure_predictions
from mlcheck.updates.seeds import Seeds, seed_floor
from mlcheck.updates.table import PredictionTable
from tests.updates.dumps import cells, named, table

QUICK = PredictionSettings(draws=50)


def _flips(old: PredictionTable, new: PredictionTable, **told: Any) -> Measure:
    return named(measure_predictions(old, new, PredictionSettings(draws=50, **told)), "flips")


def _counts(measure: Measure) -> tuple[float, ...]:
    return tuple(measure.columns[cell] for cell in ("both_right", "negative_flips", "positive_flips", "both_wrong"))


# Classes


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_counts_and_identities_of_any_table(rows: list[tuple[int, int, int]]) -> None:
    labels, old, new = (list(column) for column in zip(*rows, strict=True))
    found = _flips(table(label=labels, prediction=old), table(label=labels, prediction=new), by_label=False)
    n = len(rows)
    nf = sum(o == y != w for y, o, w in rows)
    pf = sum(w == y != o for y, o, w in rows)
    wrong_churn = sum(o != y and w != y and o != w for y, o, w in rows)
    columns = found.columns
    assert columns["negative_flips"] == nf
    assert columns["positive_flips"] == pf
    assert columns["churn_rate"] == pytest.approx(sum(o != w for _, o, w in rows) / n)
    assert columns["wrong_churn_rate"] == pytest.approx(wrong_churn / n)
    assert columns["churn_rate"] == pytest.approx(
        columns["negative_flip_rate"] + columns["positive_flip_rate"] + columns["wrong_churn_rate"]
    )
    assert columns["negative_flip_rate_multiclass"] == pytest.approx(columns["negative_flip_rate"] + wrong_churn / n)
    errors = columns["error_rate_old"], columns["error_rate_new"]
    assert abs(errors[0] - errors[1]) - 1e-12 <= columns["churn_rate"] <= min(1, sum(errors)) + 1e-12
    assert not any(math.isnan(value) for value in columns.values())


def test_rates_and_intervals_of_known_counts() -> None:
    found = _flips(*cells(700, 20, 40, 240)).columns
    assert found["examples"] == 1000
    low, high = proportion_interval(20, 1000, 0.95)
    assert (found["negative_flip_rate_low"], found["negative_flip_rate_high"]) == (low, high)
    assert found["relative_negative_flip_rate"] == pytest.approx(0.02 / (0.72 * 0.26))
    assert found["relative_negative_flip_rate_low"] < 0.02 / (0.72 * 0.26) < found["relative_negative_flip_rate_high"]


def test_shuffled_rows_and_chunks_give_the_same() -> None:
    random = np.random.default_rng(0)
    n = 400
    columns = {
        "example_id": [f"e{i}" for i in range(n)],
        "label": random.integers(0, 4, n),
        "prediction": random.integers(0, 4, n),
        "slice_x": random.integers(0, 3, n),
        "group_id": [f"g{i}" for i in random.integers(0, 50, n)],
        "weight": random.random(n),
    }
    new = {**columns, "prediction": random.integers(0, 4, n)}

    def shuffled(columns: dict[str, Any], size: int) -> PredictionTable:
        order = random.permutation(n)
        whole = pa.table(columns).take(order)
        return PredictionTable("p", pa.concat_tables([whole.slice(i, size) for i in range(0, n, size)]))

    expected = measure_predictions(table(**columns), table(**new), QUICK)
    assert measure_predictions(shuffled(columns, 7), shuffled(new, 100), QUICK) == expected


def test_classes_are_compared_by_name() -> None:
    old = table(label=[0, 1, 2], prediction=[0, 1, 1], metadata={"class_names": '["cat", "dog", "cow"]'})
    new = table(label=["cat", "dog", "cow"], prediction=["cat", "cow", "cow"])
    found = _flips(old, new)
    assert _counts(found) == (1, 1, 1, 0)


def test_predictions_come_from_scores_where_none_are_stated() -> None:
    names = {"class_names": '["a", "b"]'}
    old = table(label=["a", "b"], scores=[[0.9, 0.1], [0.2, 0.8]], metadata=names)
    new = table(label=["a", "b"], logits=[[-1.0, 1.0], [1.0, 3.0]], metadata={"class_names": '["b", "a"]'})
    assert _counts(_flips(old, new)) == (1, 1, 0, 0), "the second logit of the new one is of a"


def test_truth_values_and_numbers() -> None:
    found = _flips(table(label=[True, False], prediction=[1, 0]), table(label=[1, 0], prediction=[1.0, 1.0]))
    assert _counts(found) == (1, 1, 0, 0)


def test_top_k() -> None:
    scores = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]
    old = table(label=[1, 2, 2], scores=scores)
    new = table(label=[1, 2, 2], topk_index=[[0, 2], [2, 0], [2, 1]])
    assert _counts(_flips(old, new, top_k=2)) == (1, 1, 1, 0)
    assert _counts(_flips(old, new)) == (1, 0, 1, 1)
    with pytest.raises(ComparisonError, match="topk_index must hold 3 classes"):
        _flips(old, new, top_k=3)


def test_each_model_has_its_own_threshold() -> None:
    labels = [1, 1, 0, 0]
    old = table(label=labels, score=[0.9, 0.4, 0.4, 0.1])
    new = table(label=labels, score=[0.6, 0.8, 0.65, 0.1], metadata={"threshold": "0.7"})
    found = _flips(old, new, task="binary", thresholds=(0.3, None))
    assert _counts(found) == (2, 1, 1, 0)


def test_a_score_alone_needs_to_say_what_it_is_of() -> None:
    labels, score = [1, 0], [0.9, 0.6]
    with pytest.raises(ComparisonError, match="say its threshold"):
        _flips(table(label=labels, score=score), table(label=labels, score=score))
    told = table(label=labels, score=score, metadata={"score_of": "positive"})
    assert _counts(_flips(told, told)) == (1, 0, 0, 1), "the threshold is a half"


def test_the_positive_class_must_be_known() -> None:
    old = table(label=["x", "y"], score=[0.9, 0.1])
    with pytest.raises(ComparisonError, match="which class is positive: x or y"):
        _flips(old, old, task="binary")
    assert _counts(_flips(old, old, task="binary", positive="x")) == (2, 0, 0, 0)


def test_sets_of_classes() -> None:
    labels = [["a", "b"], ["a"], []]
    old = table(label=labels, prediction=[["b", "a"], ["a", "c"], []])
    new = table(label=labels, prediction=[["a"], ["a"], ["c"]])
    measures = measure_predictions(old, new, PredictionSettings(draws=50, min_n=1))
    assert _counts(named(measures, "flips")) == (0, 2, 1, 0), "right is the whole set"
    assert _counts(named(measures, "flips/label=b")) == (2, 1, 0, 0)
    assert _counts(named(measures, "flips/label=c")) == (1, 1, 1, 0)


def test_hot_lists_are_sets() -> None:
    names = {"class_names": '["a", "b", "c"]'}
    old = table(label=[[1, 1, 0], [0, 0, 1]], prediction=[[1, 1, 0], [0, 0, 0]], metadata=names)
    new = table(label=[["b", "a"], ["c"]], prediction=[["a"], ["c"]])
    assert _counts(_flips(old, new)) == (0, 1, 1, 0)


def test_regression_with_a_tolerance() -> None:
    labels = [1.0, 2.5, 3.0]
    old, new = table(label=labels, prediction=[1.05, 2.9, 3.0]), table(label=labels, prediction=[1.2, 2.5, 3.0])
    assert _counts(_flips(old, new, tolerance=0.1)) == (1, 1, 1, 0)
    assert _flips(old, new, tolerance=0.1).columns["churn_rate"] == pytest.approx(2 / 3)
    without = _flips(old, new)
    assert "negative_flip_rate" not in without.columns
    assert "tolerance" in without.undefined["negative_flip_rate"]


# Labels


def test_changed_labels_are_refused_with_count_and_examples() -> None:
    old, new = table(label=[0, 1, 2], prediction=[0, 1, 2]), table("new.parquet", label=[0, 2, 1], prediction=[0, 1, 2])
    with pytest.raises(
        ComparisonError,
        match=r"labels of 2 of 3 joined examples differ: q00001 \(1 against 2\), q00002 \(2 against 1\)",
    ):
        _flips(old, new)
    assert _counts(_flips(old, new, labels_from="new")) == (1, 0, 0, 2)
    assert _counts(_flips(old, new, labels_from="old")) == (3, 0, 0, 0)


def test_labels_of_one_dump_are_enough() -> None:
    assert _counts(_flips(table(prediction=[0, 1]), table(label=[0, 1], prediction=[0, 0]))) == (1, 1, 0, 0)


def test_without_labels_there_is_churn_and_a_reason_for_everything_else() -> None:
    old = table(prediction=[0, 1, 1, 1])
    found = _flips(old, table(prediction=[0, 1, 0, 0]))
    assert found.columns["churn_rate"] == 0.5
    assert found.columns["labelled"] == 0
    for name in ("negative_flip_rate", "relative_negative_flip_rate", "mcnemar_p_worse", "confident_negative_flips"):
        assert found.undefined[name] == "neither dump has labels"
        assert name not in found.columns


def test_examples_without_a_label_are_counted_and_left_out() -> None:
    measures = measure_predictions(table(label=[0, None, 1], prediction=[0, 1, 1]), table(prediction=[0, 0, 0]), QUICK)
    assert _counts(named(measures, "flips")) == (1, 1, 0, 0)
    assert named(measures, "overlap").columns["unlabelled"] == 1


def test_new_classes_are_left_out_unless_kept() -> None:
    old = table(label=["a", "b", "c"], prediction=["a", "a", "a"], metadata={"class_names": '["a", "b"]'})
    new = table(label=["a", "b", "c"], prediction=["a", "b", "c"])
    measures = measure_predictions(old, new, QUICK)
    assert _counts(named(measures, "flips")) == (1, 0, 1, 0)
    assert named(measures, "overlap").columns["new_class_examples"] == 1
    assert _counts(_flips(old, new, new_classes="keep")) == (1, 0, 2, 0)


def test_a_missing_prediction_is_refused() -> None:
    with pytest.raises(ComparisonError, match="1 of 2 joined rows have no 'prediction'"):
        _flips(table(label=[0, 1], prediction=[0, None]), table(label=[0, 1], prediction=[0, 1]))


# Undefined values


def test_an_old_model_that_is_never_right() -> None:
    found = _flips(*cells(0, 0, 30, 70))
    assert found.undefined["backward_trust_compatibility"] == "the old model is never right"
    assert "backward_trust_compatibility" not in found.columns
    assert "relative_negative_flip_rate_low" in found.undefined
    assert found.columns["mcnemar_p_worse"] == 1.0


def test_two_models_that_never_differ() -> None:
    found = _flips(*cells(80, 0, 0, 20)).columns
    assert found["mcnemar_p"] == found["mcnemar_p_worse"] == 1.0
    assert found["negative_flip_rate_high"] == pytest.approx(1 - 0.025 ** (1 / 100))


# Weights and clusters


def test_weights_count_as_copies_do() -> None:
    labels, old, new = [1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0]
    weights = [4, 3, 2, 1]
    weighted = _flips(table(label=labels, prediction=old, weight=weights), table(label=labels, prediction=new))
    copies = [place for place, count in enumerate(weights) for _ in range(count)]
    copied = _flips(
        table(label=[labels[i] for i in copies], prediction=[old[i] for i in copies]),
        table(label=[labels[i] for i in copies], prediction=[new[i] for i in copies]),
    )
    for name in (
        "negative_flip_rate",
        "relative_negative_flip_rate",
        "churn_rate",
        "accuracy_change",
        "old_error_retention",
    ):
        assert weighted.columns[name] == pytest.approx(copied.columns[name]), name
    assert weighted.columns["negative_flips"] == 1, "counts are of examples"
    assert "weights" in weighted.undefined["mcnemar_p_worse"]


def test_a_slice_without_weight_has_a_reason() -> None:
    one = table(label=[1, 1], prediction=[1, 1], weight=[1.0, 0.0], slice_x=["a", "b"])
    found = named(measure_predictions(one, one, PredictionSettings(draws=10, min_n=1)), "flips/slice_x=b")
    assert found.undefined["negative_flip_rate"] == "the examples have no weight"


def test_a_negative_weight_is_refused() -> None:
    one = table(label=[1, 1], prediction=[1, 1], weight=[1.0, -1.0])
    with pytest.raises(ComparisonError, match="1 weights are negative"):
        _flips(one, one)


def test_clusters_widen_intervals_and_never_narrow_them() -> None:
    n = 1000
    label, old = np.ones(n, dtype=int), np.ones(n, dtype=int)
    new = np.where(np.arange(n) // 100 == 0, 0, 1)
    alone = _flips(table(label=label, prediction=old), table(label=label, prediction=new)).columns
    grouped = _flips(
        table(label=label, prediction=old, group_id=[f"g{i // 100}" for i in range(n)]),
        table(label=label, prediction=new),
    ).columns
    assert grouped["clusters"] == 10
    assert grouped["negative_flip_rate_low"] < alone["negative_flip_rate_low"]
    assert grouped["negative_flip_rate_high"] > alone["negative_flip_rate_high"]
    assert grouped["accuracy_change_low"] < alone["accuracy_change_low"]


def test_a_cluster_column_that_is_not_there() -> None:
    one = table(label=[1], prediction=[1], group_id=["a"])
    with pytest.raises(ComparisonError, match="no column 'grp_id'; did you mean group_id"):
        _flips(one, one, cluster="grp_id")


# Slices


def _sliced() -> tuple[PredictionTable, PredictionTable]:
    n = 300
    label, place = np.arange(n) % 3, np.arange(n)
    german = place < 100
    old = label.copy()
    new = np.where(german & (place % 5 == 0), (label + 1) % 3, label)
    extra = {"slice_locale": np.where(german, "de", "en"), "slice_rare": np.where(place < 5, "yes", "no")}
    return table(label=label, prediction=old, **extra), table(label=label, prediction=new)


def test_slices_and_classes_are_the_table_restricted_to_their_rows() -> None:
    measures = measure_predictions(*_sliced(), QUICK)
    german = named(measures, "flips/slice_locale=de")
    assert _counts(german) == (80, 20, 0, 0)
    assert german.labels == {"split": "eval", "group": "slice_locale", "category": "de"}
    assert german.columns["overall_accuracy_change"] == pytest.approx(-20 / 300)
    assert _counts(named(measures, "flips/slice_locale=en")) == (200, 0, 0, 0)
    assert sum(named(measures, f"flips/label={i}").columns["examples"] for i in range(3)) == 300


def test_p_values_are_adjusted_over_all_slices_that_are_tested() -> None:
    measures = measure_predictions(*_sliced(), QUICK)
    slices = [one for one in measures if one.role == "slice_flips"]
    tested = [one for one in slices if "mcnemar_p_worse" in one.columns]
    assert len(tested) == 6, "three classes, two languages, slice_rare=no"
    german = named(measures, "flips/slice_locale=de").columns
    assert german["mcnemar_p_worse"] == pytest.approx(0.5**20)
    assert german["mcnemar_p_worse_adjusted"] >= 5 * 0.5**20
    plain = named(measure_predictions(*_sliced(), PredictionSettings(draws=50, adjust="none")), "flips/slice_locale=de")
    assert plain.columns["mcnemar_p_worse_adjusted"] == pytest.approx(0.5**20)


def test_a_small_slice_is_measured_and_not_tested() -> None:
    measures = measure_predictions(*_sliced(), QUICK)
    rare = named(measures, "flips/slice_rare=yes")
    assert rare.columns["examples"] == 5
    assert rare.undefined["mcnemar_p_worse_adjusted"] == "5 of at least 30 examples"
    assert "negative_flip_rate_high" not in rare.columns
    assert named(measures, "flips").columns["slices_too_small"] == 1


def test_slices_are_chosen_by_name() -> None:
    chosen = measure_predictions(*_sliced(), PredictionSettings(draws=50, slices=("slice_rare",), by_label=False))
    assert {one.labels.get("group") for one in chosen if one.role == "slice_flips"} == {"slice_rare"}
    with pytest.raises(ComparisonError, match="no column 'slice_local'; did you mean slice_locale"):
        measure_predictions(*_sliced(), PredictionSettings(slices=("slice_local",)))


def test_more_slices_than_are_measured() -> None:
    one = table(label=[1] * 50, prediction=[1] * 50, slice_user=[f"u{i:02d}" for i in range(49)] + ["u00"])
    measures = measure_predictions(one, one, PredictionSettings(draws=50, most_slices=10, by_label=False))
    assert sum(m.role == "slice_flips" for m in measures) == 10
    assert named(measures, "flips").columns["slices_left_out"] == 39
    assert named(measures, "flips/slice_user=u00").columns["examples"] == 2, "the largest ones stay"


def test_splits_are_judged_apart() -> None:
    old = table(split=["a", "a", "b"], label=[1, 1, 1], prediction=[1, 1, 1])
    new = table(split=["a", "a", "b"], label=[1, 1, 1], prediction=[0, 1, 1])
    measures = measure_predictions(old, new, QUICK)
    assert _counts(named(measures, "flips/a")) == (1, 1, 0, 0)
    assert _counts(named(measures, "flips/b")) == (1, 0, 0, 0)
    assert named(measures, "flips/a").labels["split"] == "a"


# Confident flips


def test_confident_and_boundary_flips() -> None:
    """AWS: |p_old(y) - p_new(y)| >= 0.5 and <= 0.1, both inclusive."""
    labels = [0] * 4
    old = table(label=labels, scores=np.array([[0.9, 0.1], [0.6, 0.4], [0.55, 0.45], [0.3, 0.7]], np.float32).tolist())
    new = table(label=labels, scores=np.array([[0.4, 0.6], [0.3, 0.7], [0.45, 0.55], [0.9, 0.1]], np.float32).tolist())
    found = _flips(old, new).columns
    assert found["confident_negative_flips"] == 1
    assert found["boundary_negative_flips"] == 1
    assert found["confident_positive_flips"] == 1
    assert found["negative_flip_fraction"] == pytest.approx((0.2 + 0.4 + 0.1) / 4)
    assert found["positive_flip_fraction"] == pytest.approx(0.4 / 4)


def test_label_score_alone_tells_confident_flips() -> None:
    old = table(label=[0, 0], prediction=[0, 0], label_score=[0.9, 0.9])
    new = table(label=[0, 0], prediction=[1, 1], label_score=[0.1, 0.6])
    found = _flips(old, new)
    assert found.columns["confident_negative_flips"] == 1
    assert "negative_flip_fraction" in found.undefined


def test_a_label_outside_the_top_k_is_unknown_and_not_zero() -> None:
    top = {"topk_index": [[0, 1]], "topk_score": [[0.6, 0.3]]}
    found = _flips(table(label=[0], **top), table(label=[0], topk_index=[[2, 1]], topk_score=[[0.6, 0.3]]))
    assert found.undefined["confident_negative_flips"] == "the probability of the label is not known in 1 of 1 flips"


def test_scores_that_are_no_probabilities_tell_no_confident_flips() -> None:
    labels = [0, 0]
    old, new = [[4.0, 1.0], [3.0, -2.0]], [[1.0, 4.0], [3.0, -2.0]]
    found = _flips(table(label=labels, scores=old), table(label=labels, scores=new))
    assert _counts(found) == (1, 1, 0, 0)
    assert "no probabilities: from 3 to 4" in found.undefined["confident_negative_flips"]
    told = {"score_kind": "logit"}
    found = _flips(table(label=labels, scores=old, metadata=told), table(label=labels, scores=new, metadata=told))
    assert found.columns["confident_negative_flips"] == 1, "softmax: 0.95 and 0.05"


def test_logits_that_differ_by_little_are_no_tie() -> None:
    one = table(label=[1], logits=[[0.0, 1e-12]])
    assert _counts(_flips(one, one)) == (1, 0, 0, 0)


def test_scores_that_disagree_with_predictions_are_counted() -> None:
    scores = [[0.9, 0.1], [0.4, 0.6]]
    overlap = named(
        measure_predictions(
            table(label=[0, 1], prediction=[1, 1], scores=scores), table(label=[0, 1], prediction=[0, 1])
        ),
        "overlap",
    )
    assert overlap.columns["argmax_disagreements_old"] == 1
    assert overlap.columns["argmax_disagreements"] == 1
    assert "argmax_disagreements_new" in overlap.undefined


def test_rows_of_scores_of_different_lengths() -> None:
    one = table(label=[0, 1], scores=[[0.5, 0.5], [1.0]])
    with pytest.raises(ComparisonError, match="different lengths: 1, 2"):
        _flips(one, one)


# Seeds


def _seeds(count: int, n: int = 4000) -> tuple[np.ndarray, list[np.ndarray]]:
    """Right or wrong: a hard core that all get wrong, and a fringe that each gets wrong by its own luck."""
    random = np.random.default_rng(5)
    core = random.random(n) < 0.2
    return core, [~(core | (random.random(n) < 0.1)) for _ in range(count)]


def _dump(right: np.ndarray, path: str = "p") -> PredictionTable:
    return table(path, label=np.ones(len(right), dtype=int), prediction=right.astype(int))


def test_the_floor_is_the_mean_over_ordered_pairs() -> None:
    _, right = _seeds(5)
    old, new, *others = right
    measures = measure_predictions(_dump(old), _dump(new), QUICK, [_dump(one) for one in others])
    found = named(measures, "flips").columns

    def relative(one: np.ndarray, other: np.ndarray) -> float:
        return float((one & ~other).mean() / (one.mean() * (1 - other.mean())))

    floor = np.mean([relative(a, b) for i, a in enumerate(others) for j, b in enumerate(others) if i != j])
    assert found["seeds"] == 3
    assert found["seed_pairs"] == 6
    assert found["seed_relative_negative_flip_rate"] == pytest.approx(floor)
    assert found["relative_to_seed_floor"] == pytest.approx(relative(old, new) / floor)


def test_a_retraining_lies_at_the_floor_as_often_as_its_interval_says() -> None:
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        core = random.random(600) < 0.2
        right = [~(core | (random.random(600) < 0.1)) for _ in range(5)]
        seeds = Seeds(np.array(right[2:]), np.ones(600, dtype=bool))
        found, _ = seed_floor(Population(right[0], right[1]), seeds, PredictionSettings(draws=200))
        hits += found["relative_to_seed_floor_low"] <= 1 <= found["relative_to_seed_floor_high"]
    assert hits >= 50, "binomial(60, 0.95) is below 50 once in 1,000"


def test_an_update_that_breaks_more_than_a_retraining() -> None:
    core, right = _seeds(4)
    broken = right[1] & ~(np.random.default_rng(9).random(len(core)) < 0.15)
    found = named(
        measure_predictions(_dump(right[0]), _dump(broken), QUICK, [_dump(one) for one in right[2:]]), "flips"
    ).columns
    assert found["relative_to_seed_floor_low"] > 1.25


def test_one_seed_makes_no_floor() -> None:
    _, right = _seeds(3)
    found = named(measure_predictions(_dump(right[0]), _dump(right[1]), QUICK, [_dump(right[2])]), "flips")
    assert "two seeds or more" in found.undefined["relative_to_seed_floor"]


def test_a_seed_of_other_examples_is_refused() -> None:
    _, right = _seeds(2)
    with pytest.raises(ComparisonError, match=r"seed.parquet: holds 100 of the 4,000 joined examples"):
        measure_predictions(_dump(right[0]), _dump(right[1]), QUICK, [_dump(right[0][:100], "seed.parquet")])


def test_no_seeds_is_a_reason() -> None:
    assert _flips(*cells(5, 1, 1, 5)).undefined["relative_to_seed_floor"] == "no dumps of other seeds are given"


# What applies


def test_what_applies() -> None:
    assert applies(table(label=[1], prediction=[1]))
    assert applies(table(label=[1], scores=[[0.5, 0.5]]))
    assert applies(table(**{"rouge/v1/score": [0.5]}))
    assert not applies(table(embedding=[[0.5, 0.5]], label=[1]))
    assert applies(table(acc=[1.0]), PredictionSettings(graded=("acc",)))


def test_one_dump_without_predictions_measures_the_overlap_alone() -> None:
    measures = measure_predictions(table(label=[1], prediction=[1]), table(label=[1], embedding=[[1.0]]), QUICK)
    assert [one.role for one in measures] == ["prediction_overlap"]
