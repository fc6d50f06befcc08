"""recall@k, mAP@K, mAP, TAR@FAR and chance against their definitions."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.updates.base import ComparisonError
from mlcheck.updates.metrics import Metric, PerQuery, chance_of_recall, parse_metric, score_list, score_ranking
from mlcheck.updates.relevance import ByIds, ByLabel, by_ids
from mlcheck.updates.spaces import make_space
from mlcheck.updates.trial import Side, Trial, score_lists, score_rankings
from mlcheck.updates.verification import take_queries, verify
from tests.updates.embedding_dumps import average_precision, blobs, ranked, recall, similarity

OLD = ("old", "old")


def trial_of(values: np.ndarray, label: np.ndarray, queries: int | None = None, kind: str = "cosine") -> Trial:
    """The first rows are queries and the others the gallery; None: all are both."""
    count = len(values)
    of_queries = np.arange(count if queries is None else queries)
    of_gallery = np.arange(0 if queries is None else queries, count)
    own = of_queries if queries is None else np.full(queries, -1)
    ids = np.array([f"e{row:04d}" for row in range(count)])
    return Trial(
        {"old": Side(make_space(values, kind), of_queries, of_gallery)},  # type: ignore[arg-type]
        ByLabel(label[of_queries], label[of_gallery], own),
        own,
        pa.array(ids[of_queries]),
        pa.array(ids[of_gallery]),
    )


@pytest.mark.parametrize("kind", ["cosine", "l2"])
@pytest.mark.parametrize("queries", [None, 60])
def test_all_metrics_are_their_definitions(kind: str, queries: int | None) -> None:
    values, _, label = blobs(1)
    trial = trial_of(values, label, queries, kind)
    metrics = [Metric("recall", depth=k) for k in (1, 5, 10)] + [Metric("precision", depth=k) for k in (3, 100)]
    listed, _ = score_lists(trial, [OLD], metrics)
    ranking = score_rankings(trial, [OLD])[OLD]
    gallery = np.arange(0 if queries is None else queries, len(values))
    wanted: dict[str, list[float]] = {one.name: [] for one in (*metrics, Metric("ranking"))}
    for row in range(trial.queries):
        scores = similarity(values[[row]], values[gallery], kind)[0]
        own = int(trial.own[row])
        order = ranked(scores, own)
        relevant = {place for place in order if label[gallery[place]] == label[row]}
        if not relevant:
            continue
        for k in (1, 5, 10):
            wanted[f"recall@{k}"].append(recall(order, relevant, k))
        for k in (3, 100):
            wanted[f"mAP@{k}"].append(average_precision(order, relevant, k))
        wanted["mAP"].append(average_precision(order, relevant))
    for metric in metrics:
        assert listed[OLD, metric].value == pytest.approx(np.mean(wanted[metric.name]), rel=1e-9)
    assert ranking.value == pytest.approx(np.mean(wanted["mAP"]), rel=1e-6)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 12), st.integers(0, 5))
def test_average_precision_of_a_list(hits: list[bool], depth: int, further: int) -> None:
    relevant = {place for place, hit in enumerate(hits) if hit}
    counts = len(relevant) + further
    metric = Metric("precision", depth=depth)
    [value] = score_list(metric, np.array([hits]), np.array([counts]))
    if counts:
        beyond = relevant | {len(hits) + extra for extra in range(further)}
        order = list(range(len(hits)))
        padded = order + [-1] * max(0, depth - len(hits))
        assert value == pytest.approx(average_precision(padded, beyond, depth))
    else:
        assert value == 0


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_ties_of_a_full_ranking_go_by_place(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 4, (4, 12)).astype(np.float32)
    relevant = random.random((4, 12)) < 0.3
    own = np.array([-1, 3, 0, 11])
    relevant[np.arange(4)[own >= 0], own[own >= 0]] = False
    values = score_ranking(scores, relevant, own)
    for row in range(4):
        places = set(np.flatnonzero(relevant[row]).tolist())
        wanted = average_precision(ranked(scores[row], int(own[row])), places) if places else 0.0
        assert values[row] == pytest.approx(wanted)


def test_chance_counts_all_choices() -> None:
    """Of 7 items, 2 relevant: the share of all choices of 3 that hold one of them."""
    choices = list(combinations(range(7), 3))
    wanted = sum(bool({0, 1} & set(one)) for one in choices) / len(choices)
    assert chance_of_recall(np.array([2, 0]), np.array([7, 7]), 3) == pytest.approx(wanted)
    assert chance_of_recall(np.array([2]), np.array([2]), 5) == 1.0
    assert np.isnan(chance_of_recall(np.array([0]), np.array([7]), 3))


def test_chance_is_what_random_vectors_reach() -> None:
    random = np.random.default_rng(3)
    trial = trial_of(random.standard_normal((1200, 4)).astype(np.float32), random.integers(0, 6, 1200))
    metric = Metric("recall", depth=1)
    scored, _ = score_lists(trial, [OLD], [metric])
    chance = chance_of_recall(trial.relevance.counts, trial.rivals, 1)
    assert scored[OLD, metric].value == pytest.approx(chance, abs=4 * (chance * (1 - chance) / 1200) ** 0.5)


@pytest.mark.parametrize("rate", [0.1, 0.01])
@pytest.mark.parametrize("queries", [None, 80])
def test_accept_rates_at_the_upper_quantile(rate: float, queries: int | None) -> None:
    values, _, label = blobs(2)
    trial = trial_of(values, label, queries)
    gallery = np.arange(0 if queries is None else queries, len(values))
    scores = similarity(values[: trial.queries], values[gallery], "cosine").astype(np.float32)
    same = label[: trial.queries, None] == label[gallery][None, :]
    pairs = np.arange(trial.queries)[:, None] != gallery[None, :]
    threshold = np.quantile(scores[pairs & ~same], 1 - rate, method="higher")
    verified = verify(trial, [OLD], [rate], None, 10**9)
    found = verified.at_own[OLD, rate]
    assert found.threshold == pytest.approx(threshold, abs=1e-6)
    assert found.genuine.value == pytest.approx((scores[pairs & same] > threshold).mean(), abs=2 / (pairs & same).sum())
    assert found.impostor.value <= rate
    assert found.impostor.value == pytest.approx(rate, abs=2 / (pairs & ~same).sum())
    assert verified.impostors == (pairs & ~same).sum()


def test_too_few_impostors_tell_no_threshold() -> None:
    values, _, label = blobs(2, count=60)
    trial = trial_of(values, label)
    verified = verify(trial, [OLD], [0.01, 1e-5], 1e-5, 10**9)
    assert list(verified.insufficient) == [1e-5]
    assert "1,000,000 impostor pairs" in verified.insufficient[1e-5]
    assert set(verified.at_own) == {(OLD, 0.01)}
    assert not verified.at_old


def test_pairs_are_of_some_queries_where_there_are_too_many() -> None:
    values, _, label = blobs(2)
    trial = trial_of(values, label)
    kept = take_queries(trial, 50 * 240)
    assert len(kept) == 50
    assert kept.tolist() == sorted(kept.tolist())
    verified = verify(trial, [OLD], [0.1], None, 50 * 240)
    assert verified.queries == 50
    assert verified.at_own[OLD, 0.1].genuine.out_of.sum() == trial.relevance.counts[kept].sum()


def test_relevant_ids_that_the_gallery_lacks_are_counted_and_the_query_is_none() -> None:
    own = np.array([0, -1, 2])
    relevance = by_ids(pa.chunked_array([[["a", "b", "z"]], [None, ["c", "b", "b"]]]), pa.array(["a", "b", "c"]), own)
    assert relevance.counts.tolist() == [1, 0, 1]
    assert relevance.unknown == 1
    assert relevance.mask(np.arange(3)).tolist() == [[False, True, False], [False] * 3, [False, True, False]]
    assert relevance.of(np.array([0, 2]), np.array([[1, -1], [0, 1]])).tolist() == [[True, False], [False, True]]


def test_no_relevant_item_at_all() -> None:
    relevance = ByIds(np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int64), 3)
    assert not relevance.of(np.arange(2), np.zeros((2, 2), dtype=np.int64)).any()
    assert np.isnan(PerQuery(np.zeros(2), np.zeros(2)).value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("recall@1", "recall@1"),
        ("CMC@5", "recall@5"),
        ("map@100", "mAP@100"),
        ("mAP", "mAP"),
        ("TAR@FAR=1e-3", "TAR@FAR=0.001"),
        ("tar@far 0.01", "TAR@FAR=0.01"),
    ],
)
def test_metrics_are_named(text: str, name: str) -> None:
    assert parse_metric(text).name == name
    assert parse_metric(parse_metric(text).name) == parse_metric(text)


@pytest.mark.parametrize("text", ["precision", "recall@0", "recall@5000", "TAR@FAR=2", "tar@far=x", "mAP@", ""])
def test_metrics_that_are_none(text: str) -> None:
    with pytest.raises(ComparisonError, match="metric"):
        parse_metric(text)
