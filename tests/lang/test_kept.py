"""What is remembered of columns stays within a limit, and whatever was let go of is computed again."""

import numpy as np

from mlcheck.lang.kept import Kept, remembered


def test_the_limit_holds_and_the_last_asked_for_stay():
    kept, memo, made = Kept(most=250), {}, []

    def ask(key):
        def compute():
            made.append(key)
            return np.zeros(100, dtype=np.int8)

        return remembered(memo, key, kept, compute, lambda found: found.nbytes)

    ask("a"), ask("b"), ask("a"), ask("c")
    assert set(memo) == {"a", "c"}
    assert made == ["a", "b", "c"]
    ask("b")
    assert set(memo) == {"b", "c"}
    assert made == ["a", "b", "c", "b"]


def test_what_takes_no_room_stays():
    kept, memo = Kept(most=10), {}
    for number in range(100):
        assert remembered(memo, number, kept, lambda number=number: float(number), lambda found: 0) == number
    assert len(memo) == 100


def test_without_a_limit_all_stays():
    memo = {}
    for number in range(10):
        remembered(memo, number, None, lambda: np.zeros(10**6), lambda found: found.nbytes)
    assert len(memo) == 10
