"""Schedules that begin anew: by mistake in the middle of their descent, and on purpose at the end of a cycle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcheck.store.schedule import begins_anew


def cosine(length: int, cut: int | None = None, least: float = 0.0) -> list[float]:
    whole = least + (0.1 - least) * (1 + np.cos(np.pi * np.arange(length) / length)) / 2
    return [float(one) for one in whole[:cut]]


def exponential(length: int, factor: float = 0.8) -> list[float]:
    return [0.02 * factor**n for n in range(length)]


def stepped(*lengths: int) -> list[float]:
    return [0.1 * 0.1**n for n, length in enumerate(lengths) for _ in range(length)]


@pytest.mark.parametrize(
    ("rates", "at"),
    [
        (cosine(20, 14) + cosine(20, 6), 14),
        (exponential(18) + exponential(5), 18),
        ([0.03 - 0.0017 * n for n in range(14)] + [0.03 - 0.0017 * n for n in range(6)], 14),
        (stepped(5, 5, 2) + stepped(5), 12),
    ],
    ids=["cosine cut short", "exponential", "line cut short", "three steps"],
)
def test_a_schedule_that_begins_anew(rates: list[float], at: int) -> None:
    assert begins_anew(np.array(rates)) == at


@pytest.mark.parametrize(
    "rates",
    [
        cosine(10) + cosine(10),
        cosine(40, least=0.001) + cosine(40, 12, least=0.001),
        [0.1 - 0.009 * n for n in range(11)] + [0.1 - 0.009 * n for n in range(11)],
        cosine(18, least=0.02) + cosine(18, 7, least=0.02),
        stepped(5, 5) + stepped(5),
        [0.001] * 10 + [0.0001] * 10 + [0.001] * 10 + [0.0001] * 10,
        cosine(10) * 3,
        cosine(20, 14),
        exponential(18) + [0.01] * 8,
        [0.01] * 20,
        [0.001 * n for n in range(1, 10)] + [0.01] * 10,
        exponential(6) + exponential(2),
        [0.0] * 5 + [0.1] * 5,
        [],
    ],
    ids=[
        "warm restart",
        "longer one",
        "saw",
        "high floor",
        "steps",
        "phases",
        "three cycles",
        "once",
        "another rate",
        "constant",
        "warm-up",
        "short",
        "zeros",
        "none",
    ],
)
def test_what_is_meant_or_no_schedule(rates: list[float]) -> None:
    assert begins_anew(np.array(rates, dtype=np.float64)) is None


@given(st.integers(8, 60), st.integers(3, 60))
def test_any_whole_cosine_cycle_is_a_warm_restart(length: int, rest: int) -> None:
    assert begins_anew(np.array(cosine(length) + cosine(length, rest))) is None
