"""No rule may give an error on a healthy run, whatever the seed and the writer."""

import pytest

from mlcheck.report import Severity
from tests.curves.curve import SEEDS, errored, judged, shown
from tests.curves.healthy import HEALTHY

KNOWN: dict[str, str] = {}
"""Curves on which a rule is wrong today, with the reason; strict, so that a repair must take the entry away."""


def cases() -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=KNOWN[name])) if name in KNOWN else name
        for name in HEALTHY
    ]


@pytest.mark.parametrize("name", cases())
def test_a_healthy_run_gets_no_error(name: str) -> None:
    wrong = []
    for seed in SEEDS:
        part = judged(HEALTHY.draw(name, seed))
        assert part.outcomes
        wrong += [f"seed {seed}: {rule}" for rule in errored(part)]
        wrong += [f"seed {seed}: {shown(one)}" for one in part.findings if one.severity is Severity.ERROR]
    assert wrong == []


def test_the_list_is_all_there() -> None:
    assert set(KNOWN) <= set(HEALTHY)
    assert len(HEALTHY) >= 19 + 12
    for name in HEALTHY:
        curve = HEALTHY.draw(name, 0)
        assert curve.note
        assert curve.rules == ()


def test_a_seed_gives_the_same_curve_again_and_another_one_another() -> None:
    for name in HEALTHY:
        one, again, other = (HEALTHY.draw(name, seed) for seed in (3, 3, 4))
        assert list(one.series) == list(again.series)
        assert all((one.series[tag].wall == again.series[tag].wall).all() for tag in one.series)
        assert list(one.series) != list(other.series) or any(
            one.series[tag].values.tolist() != other.series[tag].values.tolist() for tag in one.series
        )
