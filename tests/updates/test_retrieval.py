"""Embeddings of two models from dumps to facts."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.retrieval import RetrievalSettings, applies, measure_retrieval
from mlcheck.updates.table import PredictionTable, read_table
from mlcheck.updates.trial import hashed
from tests.updates.dumps import named, table
from tests.updates.embedding_dumps import blobs, dump, ranked, recall, similarity, vectors

SETTINGS = RetrievalSettings(draws=100, also=("recall@5",), false_accept_rate=0.01, drift_examples=100)
OLD, NEW, LABEL = blobs(7, count=150)
MAIN = "retrieval/recall@1"


def measured(**settings: Any) -> list[Measure]:
    return measure_retrieval(
        dump("old.parquet", OLD, LABEL), dump("new.parquet", NEW, LABEL), replace(SETTINGS, **settings)
    )


def recall_of(queries: np.ndarray, gallery: np.ndarray, k: int = 1) -> float:
    """recall@k of all rows in all other rows."""
    scores = similarity(queries, gallery, "cosine")
    found = []
    for row in range(len(queries)):
        relevant = set(np.flatnonzero(LABEL[row] == LABEL).tolist()) - {row}
        if relevant:
            found.append(recall(ranked(scores[row], row), relevant, k))
    return float(np.mean(found))


def test_cross_tests_are_those_of_the_full_matrices() -> None:
    found = named(measured(), MAIN)
    assert found.role == "retrieval_compatibility"
    assert found.labels == {"metric": "recall@1"}
    assert found.columns["old_self_test"] == pytest.approx(recall_of(OLD, OLD))
    assert found.columns["cross_test"] == pytest.approx(recall_of(NEW, OLD))
    assert found.columns["new_self_test"] == pytest.approx(recall_of(NEW, NEW))
    assert found.columns["gallery"] == 150
    assert "paragon" in found.undefined["paragon_self_test"]
    assert named(measured(), "retrieval/recall@5").columns["cross_test"] == pytest.approx(recall_of(NEW, OLD, 5))


def test_a_backfilled_gallery_is_searched_as_a_mixed_one() -> None:
    steps = [one for one in measured() if one.role == "retrieval_backfill"]
    main = named(measured(), MAIN).columns
    assert [one.columns["fraction"] for one in steps] == [0.25, 0.5, 0.75, 1]
    assert steps[0].columns["value_before"] == main["cross_test"]
    assert steps[-1].columns["value"] == main["new_self_test"]
    for before, after in pairwise(steps):
        assert before.columns["value"] == after.columns["value_before"]
    ids = pa.array([f"q{row:05d}" for row in range(150)])
    mixed = np.where(hashed(ids, "backfill")[:, None] < 0.5, NEW, OLD)
    assert steps[1].columns["value"] == pytest.approx(recall_of(NEW, mixed))


def test_the_order_of_rows_and_row_groups_changes_nothing(tmp_path: Path) -> None:
    facts = []
    for name, order, group in (("a", np.arange(150), 150), ("b", np.random.default_rng(3).permutation(150), 17)):
        tables = []
        for model, values in (("old", OLD), ("new", NEW)):
            path = tmp_path / f"{name}-{model}.parquet"
            given = dump("", values, LABEL, group_id=pa.array([f"g{row // 3}" for row in range(150)])).table
            pq.write_table(given.take(order), path, row_group_size=group)
            tables.append(read_table(path, f"{model}.parquet"))
        facts.append(
            measure_retrieval(tables[0], tables[1], replace(SETTINGS, metrics=("recall@1", "mAP", "TAR@FAR=0.1")))
        )
    assert facts[0] == facts[1]
    assert len(facts[0]) > 12


def test_other_order_in_one_of_both_dumps() -> None:
    order = np.random.default_rng(4).permutation(150)
    new = dump("new.parquet", NEW, LABEL)
    assert measure_retrieval(dump("old.parquet", OLD, LABEL), new.taken(order), SETTINGS) == measured()


def test_a_query_is_not_its_own_answer_by_id() -> None:
    """Four examples, each nearest to itself: its only other answer lies far off."""
    values = np.array([[1, 0.0], [-1, 0.1], [0.9, 0.1], [-1, -0.1]], dtype=np.float32)
    old = dump("old", values, ["a", "a", "b", "b"])
    assert named(measure_retrieval(old, old, SETTINGS), MAIN).columns["old_self_test"] == 0
    # The same vectors under other ids are other items.
    both = table(
        "old",
        example_id=[f"q{row}" for row in range(4)] + [f"g{row}" for row in range(4)],
        embedding=vectors(np.vstack([values, values])),
        label=["a", "a", "b", "b"] * 2,
        role=["query"] * 4 + ["gallery"] * 4,
    )
    assert named(measure_retrieval(both, both, SETTINGS), MAIN).columns["old_self_test"] == 1


def test_relevant_ids_stand_above_labels_and_queries_without_one_are_counted() -> None:
    values = np.array([[1, 0], [0.9, 0.1], [0, 1]], dtype=np.float32)
    relevant = pa.array([["q00001"], ["q00002", "elsewhere"], None], pa.list_(pa.string()))
    one = dump("old", values, ["a", "b", "a"], relevant_ids=relevant)
    found = named(measure_retrieval(one, one, SETTINGS), MAIN).columns
    assert found["queries"] == 2
    assert found["skipped_queries"] == 1
    assert found["relevant_not_in_gallery"] == 1
    assert found["old_self_test"] == 0.5


def test_a_label_that_is_missing_distracts_and_asks_nothing() -> None:
    values = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.99, 0.01]], dtype=np.float32)
    one = table("old", embedding=vectors(values), label=["a", "a", "a", None])
    found = named(measure_retrieval(one, one, SETTINGS), MAIN).columns
    assert (found["queries"], found["skipped_queries"]) == (3, 1)
    # Nearest of the first two is the item without a label.
    assert found["old_self_test"] == pytest.approx(1 / 3)


# Undefined


def test_other_dimensions_are_not_comparable_and_nothing_across_is_measured() -> None:
    new = dump("new.parquet", NEW[:, :4].copy(), LABEL)
    found = measure_retrieval(dump("old.parquet", OLD, LABEL), new, SETTINGS)
    reason = "the spaces have 8 and 4 dimensions and no map is given: not comparable"
    main = named(found, MAIN)
    assert main.columns["old_self_test"] == pytest.approx(recall_of(OLD, OLD))
    assert main.columns["new_self_test"] == pytest.approx(recall_of(NEW[:, :4], NEW[:, :4]))
    for statistic in ("cross_test", "difference", "difference_high", "update_gain"):
        assert main.undefined[statistic] == reason
    assert named(found, "query flips/recall@1").undefined["negative_flip_rate"] == reason
    assert named(found, "threshold/new queries in the old gallery").undefined["false_accept_ratio"] == reason
    spaces = named(found, "retrieval/spaces").columns
    assert (spaces["dimension_old"], spaces["dimension_new"]) == (8, 4)
    assert not [one for one in found if one.role == "retrieval_backfill"]
    assert "procrustes_residual" in named(found, "drift").undefined


def test_a_map_of_the_old_gallery_is_searched_instead() -> None:
    """FCT: the map here is the new model itself, so that the cross test is the new self-test."""
    old, new = dump("old.parquet", OLD[:, :4].copy(), LABEL), dump("new.parquet", NEW, LABEL)
    found = named(measure_retrieval(old, new, SETTINGS, mapped=new), MAIN).columns
    assert found["cross_test"] == found["new_self_test"]
    assert found["old_self_test"] == pytest.approx(recall_of(OLD[:, :4], OLD[:, :4]))


def test_a_map_into_another_dimension_is_not_comparable() -> None:
    old, new = dump("old.parquet", OLD, LABEL), dump("new.parquet", NEW, LABEL)
    found = named(measure_retrieval(old, new, SETTINGS, mapped=dump("map", NEW[:, :3].copy(), LABEL)), MAIN)
    assert found.undefined["difference"] == "the mapped and the new space have 3 and 8 dimensions: not comparable"


def test_no_metric_judges_nothing() -> None:
    with pytest.raises(ComparisonError, match="no metric to judge"):
        measured(metrics=())


def test_no_query_with_a_relevant_item_is_refused() -> None:
    one = dump("old", OLD[:5], ["a", "b", "c", "d", "e"])
    with pytest.raises(ComparisonError, match="none of the 5 shared queries has a relevant item among the 5 items"):
        measure_retrieval(one, one, SETTINGS)


def test_a_split_without_any_query_that_counts_is_undefined_and_not_zero() -> None:
    one = dump("old", OLD[:6], ["a", "b", "c", "d", "e", "e"], split=["val"] * 4 + ["test"] * 2)
    found = measure_retrieval(one, one, SETTINGS)
    assert named(found, f"{MAIN} (test)").columns["old_self_test"] == 1
    main = named(found, f"{MAIN} (val)")
    assert main.columns["queries"] == 0
    for statistic in ("old_self_test", "cross_test", "difference", "difference_low", "update_gain"):
        assert statistic not in main.columns
        assert "no query has a relevant item" in main.undefined[statistic]


def test_no_value_is_nan_and_none_is_defined_and_undefined() -> None:
    old, new = dump("old", OLD, LABEL), dump("new", NEW, LABEL)
    given: list[list[Measure]] = [
        measure_retrieval(old, new, replace(SETTINGS, metrics=("recall@1", "mAP", "TAR@FAR=0.01", "TAR@FAR=1e-6"))),
        measure_retrieval(old, new, SETTINGS, paragon=new, versions=(old, new, old)),
        measure_retrieval(old, new, replace(SETTINGS, heterogeneous=True, similarity="l2")),
        measure_retrieval(dump("old", OLD[:3], [1, 1, 2]), dump("new", NEW[:3], [1, 1, 2]), SETTINGS),
    ]
    for found in given:
        assert len({one.name for one in found}) == len(found)
        for one in found:
            assert not np.isnan(list(one.columns.values())).any(), one.name
            assert not set(one.columns) & set(one.undefined), one.name


def test_a_metric_of_too_few_pairs_is_undefined() -> None:
    main = named(measured(metrics=("TAR@FAR=1e-6",)), "retrieval/TAR@FAR=1e-06")
    assert "10,000,000 impostor pairs" in main.undefined["difference"]


def test_a_full_ranking_of_too_many_pairs_is_refused_and_says_so() -> None:
    found = measured(metrics=("mAP",), also=("mAP@100",), ranked_pairs=1000)
    assert "mAP@100" in named(found, "retrieval/mAP").undefined["difference"]
    assert "more than the 1,000 pairs" in named(found, "retrieval/mAP@100").undefined["cross_test"]


# Several models


def test_new_queries_alone_are_enough_for_the_criterion() -> None:
    role = np.where(np.arange(150) < 50, "query", "gallery")
    old, new = (dump(path, values, LABEL, role=pa.array(role)) for path, values in (("old", OLD), ("new", NEW)))
    queries = new.taken(np.arange(50))
    both, alone = measure_retrieval(old, new, SETTINGS), measure_retrieval(old, queries, SETTINGS)
    for statistic in ("old_self_test", "cross_test", "difference", "difference_low", "difference_high"):
        assert named(alone, MAIN).columns[statistic] == named(both, MAIN).columns[statistic]
    assert "holds no gallery" in named(alone, MAIN).undefined["new_self_test"]
    assert "new_self_test" in named(both, MAIN).columns
    assert named(both, "overlap of the gallery").columns["joined"] == 100
    assert not [one for one in alone if one.name == "overlap of the gallery"]


def test_a_paragon_gives_gain_and_tax() -> None:
    old, new = dump("old", OLD, LABEL), dump("new", NEW, LABEL)
    best = dump("paragon", NEW * 3 + 0.5 * np.eye(12, 8, dtype=np.float32)[LABEL], LABEL)
    found = named(measure_retrieval(old, new, SETTINGS, paragon=best), MAIN).columns
    gain = (found["cross_test"] - found["old_self_test"]) / (found["paragon_self_test"] - found["old_self_test"])
    assert found["with_paragon"] == 1
    assert found["update_gain"] == pytest.approx(gain)
    assert found["compatibility_tax"] == pytest.approx(found["paragon_self_test"] - found["new_self_test"])


def test_versions_are_measured_pair_by_pair() -> None:
    versions = [OLD, (OLD + NEW) / 2, NEW]
    given = [dump(f"v{number}", values, LABEL) for number, values in enumerate(versions)]
    found = named(measure_retrieval(given[0], given[2], SETTINGS, versions=given), "versions/recall@1").columns
    wanted = {(i, j): recall_of(versions[i], versions[j]) for i in range(3) for j in range(i + 1)}
    for (i, j), value in wanted.items():
        assert found[f"queries_{i + 1}_gallery_{j + 1}"] == pytest.approx(value)
    passed = [wanted[i, j] >= wanted[j, j] for i in range(3) for j in range(i)]
    assert found["average_compatibility"] == pytest.approx(np.mean(passed))
    assert found["average_accuracy"] == pytest.approx(np.mean(list(wanted.values())))
    assert found["incompatible_pairs"] == passed.count(False)


def test_versions_of_several_dimensions_have_no_average() -> None:
    given = [dump("v1", OLD, LABEL), dump("v2", NEW[:, :4].copy(), LABEL), dump("v3", NEW, LABEL)]
    found = named(measure_retrieval(given[0], given[2], SETTINGS, versions=given), "versions/recall@1")
    assert "4 and 8 dimensions" in found.undefined["average_compatibility"]
    assert "incompatible_pairs" in found.undefined
    assert found.columns["queries_3_gallery_1"] == pytest.approx(recall_of(NEW, OLD))


def test_heterogeneous_search_is_held_against_the_small_model() -> None:
    found = named(measured(heterogeneous=True), MAIN)
    assert found.columns["heterogeneous_difference"] == pytest.approx(recall_of(NEW, OLD) - recall_of(NEW, NEW))
    assert found.columns["heterogeneous_gap"] == pytest.approx(recall_of(OLD, OLD) - recall_of(NEW, OLD))
    assert "difference" in found.undefined
    assert "heterogeneous_gap" in named(measured(), MAIN).undefined
    assert not [one for one in measured(heterogeneous=True) if one.role == "retrieval_backfill"]


def test_a_threshold_that_is_kept_for_a_model_whose_similarities_are_all_higher() -> None:
    """A common component added to all vectors lifts every cosine."""
    lifted = np.hstack([NEW, np.full((150, 1), 6, dtype=np.float32)])
    flat = np.hstack([OLD, np.zeros((150, 1), dtype=np.float32)])
    impostor = LABEL[:, None] != LABEL[None, :]
    threshold = np.quantile(similarity(flat, flat, "cosine")[impostor], 0.99, method="higher")
    accepted = (similarity(lifted, lifted, "cosine")[impostor] > threshold).mean()
    assert accepted > 0.5
    found = measure_retrieval(dump("old", flat, LABEL), dump("new", lifted, LABEL), SETTINGS)
    kept = named(found, "threshold/new queries in the new gallery").columns
    assert kept["target_false_accept_rate"] == 0.01
    assert kept["false_accept_rate"] == pytest.approx(accepted, abs=2 / impostor.sum())
    assert kept["false_accept_ratio_low"] > 10
    assert kept["false_accept_ratio"] == pytest.approx(kept["false_accept_rate"] / 0.01)


def test_pairs_of_the_very_same_model_are_as_near() -> None:
    old = dump("old", OLD, LABEL)
    shares = named(measure_retrieval(old, old, SETTINGS), "pairs").columns
    assert (shares["same_no_farther"], shares["others_no_nearer"]) == (1, 1)


def test_each_split_has_its_own_gallery() -> None:
    split = pa.array(np.where(np.arange(150) % 2, "test", "val"))
    old, new = dump("old", OLD, LABEL, split=split), dump("new", NEW, LABEL, split=split)
    found = measure_retrieval(old, new, SETTINGS)
    for name, half in (("val", slice(0, None, 2)), ("test", slice(1, None, 2))):
        alone = measure_retrieval(dump("old", OLD[half], LABEL[half]), dump("new", NEW[half], LABEL[half]), SETTINGS)
        one = named(found, f"{MAIN} ({name})")
        assert one.labels["split"] == name
        assert one.columns["cross_test"] == named(alone, MAIN).columns["cross_test"]


# Dumps that cannot be compared


def broken(values: np.ndarray) -> PredictionTable:
    return dump("new.parquet", values, LABEL)


def with_value(value: float) -> np.ndarray:
    values = NEW.copy()
    values[[3, 77], 2] = value
    return values


def lists(lengths: Mapping[int, int]) -> PredictionTable:
    rows = [NEW[row, : lengths.get(row, 8)].tolist() for row in range(150)]
    return table("new.parquet", embedding=pa.array(rows, pa.list_(pa.float32())), label=LABEL)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (broken(with_value(np.nan)), r"new.parquet: 'embedding' is not finite in 2 of 150 rows: q00003, q00077"),
        (broken(with_value(np.inf)), "not finite in 2 of 150"),
        (broken(with_value(1e20)), "beyond 1e\\+15 in 2 of 150"),
        (
            broken(np.where(np.arange(150)[:, None] == 5, 0, NEW)),
            "all zeros, which has no cosine, in 1 of 150 rows: q00005",
        ),
        (broken(np.where(np.arange(150)[:, None] == 5, 1e-35, NEW)), "has no cosine, in 1 of 150 rows: q00005"),
        (lists({9: 7, 4: 3}), "in 2 of 150 rows: q00004, q00009"),
        (table("new.parquet", label=LABEL), "no column of embeddings"),
        (dump("new.parquet", NEW, (LABEL + 1) % 12), "'label' differs in 150 of 150 shared examples: q00000"),
        (dump("new.parquet", NEW, LABEL, example_id=pa.array([f"x{row}" for row in range(150)])), "share no example"),
        (dump("new.parquet", NEW, LABEL, role=pa.array(["index"] * 150)), "'role' is 'index' in 150 of 150"),
        (dump("new.parquet", NEW, LABEL, role=pa.array(["gallery"] * 150)), "none of its 150 rows is a query"),
    ],
    ids=["nan", "inf", "huge", "zeros", "short", "ragged", "none", "labels", "disjoint", "role", "no queries"],
)
def test_dumps_that_cannot_be_compared(new: PredictionTable, message: str) -> None:
    with pytest.raises(ComparisonError, match=message):
        measure_retrieval(dump("old.parquet", OLD, LABEL), new, SETTINGS)


def test_lists_of_constant_length_and_half_precision_are_vectors() -> None:
    old = dump("old.parquet", OLD, LABEL)
    assert measure_retrieval(old, lists({}), SETTINGS) == measured()
    half = dump("new.parquet", NEW.astype(np.float16), LABEL)
    exact = dump("new.parquet", NEW.astype(np.float16).astype(np.float32), LABEL)
    assert measure_retrieval(old, half, SETTINGS) == measure_retrieval(old, exact, SETTINGS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (None, "'embedding' is missing in 1 of 150 rows: q00008"),
        ([None, *[1.0] * 7], "component .* 1 of 150 rows: q00008"),
    ],
)
def test_missing_vectors_and_components(row: list[float | None] | None, message: str) -> None:
    rows = [one.tolist() for one in NEW]
    rows[8] = row
    column = pa.array(rows, pa.list_(pa.float32(), 8))
    with pytest.raises(ComparisonError, match=message):
        measure_retrieval(dump("old", OLD, LABEL), table("new", embedding=column, label=LABEL), SETTINGS)


def test_queries_and_gallery_in_splits_of_their_own_are_told_to_use_roles() -> None:
    role = np.where(np.arange(150) < 50, "query", "gallery")
    old = dump("old", OLD, LABEL, role=pa.array(role), split=pa.array(role))
    with pytest.raises(ComparisonError, match="50 queries and no gallery"):
        measure_retrieval(old, old, SETTINGS)


def test_a_cluster_column_that_is_not_there() -> None:
    with pytest.raises(ComparisonError, match="no column 'user'"):
        measured(cluster="user")


def test_labels_of_other_types_are_the_same_labels() -> None:
    new = dump("new.parquet", NEW, LABEL.astype(np.float64))
    assert measure_retrieval(dump("old.parquet", OLD, LABEL), new, SETTINGS) == measured()


def test_it_applies_to_what_says_what_answers_a_query() -> None:
    assert applies(dump("old", OLD, LABEL))
    assert not applies(dump("old", OLD))
    assert not applies(table("old", label=LABEL))
    with pytest.raises(ComparisonError, match="neither label nor relevant_ids"):
        measure_retrieval(dump("old", OLD), dump("new", NEW), SETTINGS)


def test_the_dump_in_the_text_is_read_as_it_says(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "embeddings.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)
    given = [f"q{row:05d}" for row in range(150)], LABEL, ["both"] * 150
    for model, values in (("old", OLD), ("new", NEW)):
        names["dump_embeddings"](tmp_path / f"{model}.parquet", given[0], values, given[1], given[2], model)
    old, new = (read_table(tmp_path / f"{model}.parquet", f"{model}.parquet") for model in ("old", "new"))
    assert old.metadata["model_id"] == "old"
    assert measure_retrieval(old, new, SETTINGS) == measured()
