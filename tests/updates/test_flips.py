"""Flip metrics against their definitions, their identities, and the published table."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.updates.flips import CELLS, FlipCounts, rates, rates_of_sums

PUBLISHED = Path(__file__).parents[3] / "shared" / "pct_fixture.json"

counts = st.builds(FlipCounts, *[st.one_of(st.just(0), st.integers(0, 10_000)) for _ in CELLS])


def test_the_published_rows() -> None:
    if not PUBLISHED.is_file():
        pytest.skip(f"{PUBLISHED} is not there")
    rows = json.loads(PUBLISHED.read_text())
    assert len(rows) == 38
    agreeing = 0
    for row in rows:
        found, _ = rates(FlipCounts(row["n11"], row["n10"], row["n01"], row["n00"]))
        published = row["published"]
        for key, name in (("er_old", "error_rate_old"), ("er_new", "error_rate_new"), ("nfr", "negative_flip_rate")):
            assert 100 * found[name] == pytest.approx(published[key], abs=0.0100001), (row["approach"], name)
        relative = 100 * found["relative_negative_flip_rate"]
        assert round(relative, 2) == row["rel_nfr_eq11"]
        agreeing += abs(relative - published["rel_nfr"]) <= _rounding(published) + 0.005
    assert agreeing == 35


def _rounding(published: dict[str, float]) -> float:
    """How far Eq. 11 may lie from the printed value because its printed inputs are rounded to 0.005."""
    nfr, old, new = (published[key] / 100 for key in ("nfr", "er_old", "er_new"))
    step = 0.00005
    exact = nfr / ((1 - old) * new)
    return 100 * max(
        abs((nfr + a * step) / ((1 - old - b * step) * (new + c * step)) - exact)
        for a in (-1, 1)
        for b in (-1, 1)
        for c in (-1, 1)
    )


@pytest.mark.parametrize(
    ("approach", "expected"), [(("T5a", "NoTreat"), 23.56), (("T5a", "FD-KD"), 16.03), (("T5b", "NoTreat"), 42.19)]
)
def test_the_three_rows_that_do_not_follow_their_own_equation(approach: tuple[str, str], expected: float) -> None:
    if not PUBLISHED.is_file():
        pytest.skip(f"{PUBLISHED} is not there")
    row = next(one for one in json.loads(PUBLISHED.read_text()) if (one["table"], one["approach"]) == approach)
    found, _ = rates(FlipCounts(row["n11"], row["n10"], row["n01"], row["n00"]))
    assert 100 * found["relative_negative_flip_rate"] == pytest.approx(expected, abs=0.005)
    assert not row["rel_matches_published"]
    printed = {key: row["published"][key] / 100 for key in ("er_old", "er_new", "nfr")}
    from_print = 100 * printed["nfr"] / ((1 - printed["er_old"]) * printed["er_new"])
    assert from_print == pytest.approx(expected, abs=0.0151), "42.18 from the printed figures, 42.19 from whole counts"


def test_two_resnets() -> None:
    """Table 2a without treatment: values derived from its counts by hand."""
    found, undefined = rates(FlipCounts(31_660, 3_220, 3_195, 11_925))
    assert not undefined
    assert 100 * found["backward_trust_compatibility"] == pytest.approx(90.77, abs=0.005)
    assert 100 * found["backward_error_compatibility"] == pytest.approx(78.74, abs=0.005)
    assert found["win_loss_ratio"] == pytest.approx(0.99, abs=0.005)


def test_both_error_compatibilities_are_told_apart() -> None:
    found, _ = rates(FlipCounts(50, 10, 30, 20))
    assert found["backward_error_compatibility"] == 20 / 30, "of the new errors"
    assert found["old_error_retention"] == 20 / 50, "of the old errors"
    assert found["negative_flip_impact"] == 10 / 30
    assert found["positive_flip_impact"] == 30 / 80


@given(counts)
@settings(max_examples=300, deadline=None)
def test_identities_and_bounds(counted: FlipCounts) -> None:
    found, undefined = rates(counted)
    if counted.examples == 0:
        assert not found
        assert undefined
        return
    old, new, nfr, pfr = (
        found[name] for name in ("error_rate_old", "error_rate_new", "negative_flip_rate", "positive_flip_rate")
    )
    assert nfr - pfr == pytest.approx(new - old, abs=1e-12)
    assert found["accuracy_change"] == pytest.approx(old - new, abs=1e-12)
    assert max(0, new - old) - 1e-12 <= nfr <= min(new, 1 - old) + 1e-12
    assert found["avoidable_negative_flip_rate"] == pytest.approx(nfr - max(0, new - old), abs=1e-12)
    if "backward_trust_compatibility" in found:
        assert found["backward_trust_compatibility"] == pytest.approx(1 - nfr / (1 - old))
    if "backward_error_compatibility" in found:
        assert found["backward_error_compatibility"] == pytest.approx(1 - found["negative_flip_impact"])
    if "relative_negative_flip_rate" in found:
        assert found["relative_negative_flip_rate"] == pytest.approx(nfr / ((1 - old) * new))
    assert not set(found) & set(undefined)


@given(counts)
@settings(max_examples=200, deadline=None)
def test_an_empty_denominator_is_undefined_with_a_reason_and_never_zero(counted: FlipCounts) -> None:
    found, undefined = rates(counted)
    n11, n10, n01, n00 = counted.both_right, counted.negative_flips, counted.positive_flips, counted.both_wrong
    denominators = {
        "relative_negative_flip_rate": (n11 + n10) * (n10 + n00),
        "negative_flip_impact": n10 + n00,
        "positive_flip_impact": n11 + n01,
        "backward_trust_compatibility": n11 + n10,
        "backward_error_compatibility": n10 + n00,
        "old_error_retention": n01 + n00,
        "win_loss_ratio": n01 + n10,
    }
    for name, denominator in denominators.items():
        assert (name in found) == (denominator > 0), name
        assert (name in undefined) == (denominator == 0), name
    assert all(reason for reason in undefined.values())
    assert not any(math.isnan(value) for value in found.values())


def test_no_loss_is_an_infinite_ratio() -> None:
    assert rates(FlipCounts(5, 0, 3, 2))[0]["win_loss_ratio"] == math.inf


def test_many_tables_at_once() -> None:
    sums = np.array([[31_660, 3_220, 3_195, 11_925], [0, 0, 0, 5]], dtype=float)
    found = rates_of_sums(sums)
    assert found["negative_flip_rate"].tolist() == [3_220 / 50_000, 0.0]
    assert np.isnan(found["backward_trust_compatibility"][1])
