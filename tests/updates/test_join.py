"""Which rows of two dumps are of one example."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.updates.base import ComparisonError
from mlcheck.updates.join import join
from tests.updates.dumps import table

keys = st.lists(st.tuples(st.sampled_from("tv"), st.integers(0, 30)), min_size=1, max_size=40, unique=True)


@given(keys, keys)
@settings(max_examples=100, deadline=None)
def test_the_join_is_that_of_dictionaries(old: list[tuple[str, int]], new: list[tuple[str, int]]) -> None:
    expected = sorted(set(old) & set(new))
    tables = [table(example_id=[f"{i:02d}" for _, i in rows], split=[s for s, _ in rows]) for rows in (old, new)]
    if not expected:
        with pytest.raises(ComparisonError, match="share no example"):
            join(*tables)
        return
    found = join(*tables)
    for side in (found.old, found.new):
        rows = zip(
            side.table.column("split").to_pylist(), map(int, side.table.column("example_id").to_pylist()), strict=True
        )
        assert list(rows) == expected
    assert [old[row] for row in found.old_rows] == expected
    assert found.overlap.columns["old_only"] == len(set(old) - set(new))
    assert found.overlap.columns["new_only"] == len(set(new) - set(old))
    assert found.overlap.columns["overlap"] == len(expected) / max(len(old), len(new))


def test_ids_of_different_types_are_compared_as_text() -> None:
    found = join(table(example_id=[2, 10, 1]), table(example_id=["1", "2", "3"]))
    assert found.old.table.column("example_id").to_pylist() == [1, 2]


def test_disjoint_ids_name_both_files_and_show_ids() -> None:
    with pytest.raises(
        ComparisonError,
        match=r"old.parquet \(2 rows\) and new.parquet \(1 rows\) share no example: ids such as a, b against x",
    ):
        join(table(example_id=["b", "a"]), table("new.parquet", example_id=["x"]))


def test_disjoint_splits_are_named() -> None:
    with pytest.raises(ComparisonError, match="splits eval against test"):
        join(table(example_id=["a"], split=["eval"]), table(example_id=["a"], split=["test"]))


def test_a_split_of_one_dump_only_is_counted() -> None:
    found = join(table(example_id=["a", "b"], split=["t", "v"]), table(example_id=["a", "a"], split=["t", "w"]))
    assert found.overlap.columns["lost_splits"] == 2


def test_a_missing_split_is_the_default_one() -> None:
    assert (
        len(join(table(example_id=["a"], split=pa.array([None], pa.string())), table(example_id=["a"], split=["eval"])))
        == 1
    )


def test_a_dump_without_splits_is_joined_by_id() -> None:
    found = join(table(example_id=["a", "b"]), table(example_id=["b", "a"], split=["t", "t"]))
    assert found.splits.tolist() == ["t", "t"]


def test_an_id_in_two_splits_against_a_dump_without() -> None:
    with pytest.raises(ComparisonError, match="1 ids are there more than once over its splits"):
        join(table(example_id=["a"]), table(example_id=["a", "a"], split=["t", "v"]))


def test_the_order_of_rows_and_chunks_changes_nothing() -> None:
    random = np.random.default_rng(0)
    ids, values = [f"{i}" for i in range(300)], random.integers(0, 5, 300)
    order = random.permutation(300)
    old = table(example_id=ids, label=values)
    shuffled = table(example_id=[ids[i] for i in order], label=values[order])
    chunked = pa.concat_tables([shuffled.table.slice(i, 7) for i in range(0, 300, 7)])
    one, other = join(old, old), join(type(old)("x", chunked), old)
    assert one.old.table.equals(other.old.table.combine_chunks())
