"""Blocked search against a sort of all similarities."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.updates import neighbours
from mlcheck.updates.neighbours import Gallery, nearest, search
from mlcheck.updates.retrieval_settings import Similarity
from mlcheck.updates.spaces import make_space
from tests.updates.embedding_dumps import Floats, ranked, similarity


def found(
    queries: Floats, items: Floats, kind: Similarity, k: int, parts: int = 1, own: list[int] | None = None
) -> tuple[list[list[int]], Floats]:
    """Places and similarities of the k nearest, through parts of the gallery that are joined again."""
    places = np.arange(len(items))
    gallery = Gallery(make_space(items, kind), places, tuple(places[places % parts == part] for part in range(parts)))
    excluded = np.full(len(queries), -1) if own is None else np.array(own)
    lists = search(make_space(queries, kind), np.arange(len(queries)), gallery, excluded, k)
    joined = nearest(lists, k)
    return [[place for place in row if place >= 0] for row in joined.places.tolist()], joined.scores


@st.composite
def spaces(draw: st.DrawFn) -> tuple[Floats, Floats, int, int, int, bool]:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    queries, items = draw(st.integers(1, 9)), draw(st.integers(1, 60))
    # Few whole numbers: many vectors are equal and many distances are tied.
    high = draw(st.sampled_from([2, 9]))
    of_queries = random.integers(-high, high, (queries, 3)).astype(np.float32)
    of_items = random.integers(-high, high, (items, 3)).astype(np.float32)
    return (
        of_queries,
        of_items,
        draw(st.integers(1, 12)),
        draw(st.integers(1, 4)),
        draw(st.integers(2, 40)),
        draw(st.booleans()),
    )


@given(spaces())
@settings(deadline=None, max_examples=80)
def test_it_is_a_sort_of_all_distances(case: tuple[Floats, Floats, int, int, int, bool]) -> None:
    queries, items, k, parts, block, leaves_out = case
    own = [row % len(items) if leaves_out else -1 for row in range(len(queries))]
    with mock.patch.multiple(neighbours, ITEMS_AT_ONCE=block):
        places, scores = found(queries, items, "l2", k, parts, own)
    all_scores = similarity(queries, items, "l2")
    for row, order in enumerate(places):
        assert order == ranked(all_scores[row], own[row])[:k]
        assert scores[row, : len(order)].tolist() == all_scores[row, order].tolist()
        assert np.isneginf(scores[row, len(order) :]).all()


@pytest.mark.parametrize("kind", ["cosine", "l2"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_random_vectors(kind: Similarity, dtype: type) -> None:
    random = np.random.default_rng(5)
    queries, items = (random.standard_normal((n, 16)).astype(dtype) for n in (30, 5000))
    places, scores = found(queries, items, kind, 10, parts=3)
    wanted = similarity(queries, items, kind)
    order = np.argsort(-wanted, axis=1, kind="stable")[:, :10]
    assert places == order.tolist()
    np.testing.assert_allclose(scores, np.take_along_axis(wanted, order, axis=1), rtol=1e-12, atol=1e-12)


def test_a_far_common_offset_costs_no_order() -> None:
    """Squared distances of 1 beside squared lengths of a million: float32 products alone would confuse them."""
    random = np.random.default_rng(6)
    queries, items = (random.standard_normal((n, 16)).astype(np.float32) + 1_000 for n in (20, 3000))
    places, _ = found(queries, items, "l2", 10)
    assert places == np.argsort(-similarity(queries, items, "l2"), axis=1, kind="stable")[:, :10].tolist()


def test_equal_vectors_are_ranked_by_place_over_blocks_and_parts() -> None:
    items = np.tile(np.array([[0.3, 0.7, 0.1]], dtype=np.float32), (50, 1))
    with mock.patch.multiple(neighbours, ITEMS_AT_ONCE=8):
        places, scores = found(items[:3], items, "cosine", 5, parts=4, own=[0, 2, -1])
    assert places == [[1, 2, 3, 4, 5], [0, 1, 3, 4, 5], [0, 1, 2, 3, 4]]
    assert len(set(scores.reshape(-1).tolist())) == 1


def test_a_gallery_of_the_query_alone_has_no_neighbour() -> None:
    one = np.ones((1, 3), dtype=np.float32)
    assert found(one, one, "cosine", 4, own=[0])[0] == [[]]


def test_an_empty_part() -> None:
    items = np.arange(6, dtype=np.float32).reshape(2, 3) + 1
    places, _ = found(items, items, "cosine", 2, parts=4)
    assert places == [[0, 1], [1, 0]]
