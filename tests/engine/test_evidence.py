import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcheck.engine.evidence import MAX_REPORT_POINTS, down_sample, trim
from mlcheck.report import Evidence
from tests.engine.test_rank import finding


@settings(deadline=None, max_examples=100)
@given(
    arrays(np.float64, st.integers(0, 2000), elements=st.floats(allow_nan=True, allow_infinity=True, width=32)),
    st.integers(10, 200),
)
def test_no_extreme_is_lost(values: np.ndarray, points: int) -> None:
    rows = down_sample(values, points)
    assert len(rows) <= points or len(values) <= points
    assert (np.diff(rows) > 0).all()
    finite = values[np.isfinite(values)]
    shown = values[rows]
    if len(values) == 0:
        return
    assert rows[0] == 0
    assert rows[-1] == len(values) - 1
    if len(finite):
        assert np.nanmin(shown[np.isfinite(shown)]) == finite.min()
        assert np.nanmax(shown[np.isfinite(shown)]) == finite.max()
    assert np.isfinite(values).all() or not np.isfinite(shown).all()


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.sampled_from([41, 150, 400, 4500])),
        elements=st.floats(allow_nan=True, allow_infinity=True, width=16),
    )
)
def test_columns_that_are_taken_at_once_keep_what_each_by_itself_keeps(table: np.ndarray) -> None:
    steps = tuple(range(table.shape[1]))
    many = tuple(Evidence(str(n), "loss", "value", "step", steps, tuple(row.tolist())) for n, row in enumerate(table))
    # Behind fifty others, where forty points are left to each.
    found = trim([*(finding(f"R{n:04}") for n in range(50)), finding("R9999", evidence=many)])[-1].evidence
    assert [one.steps for one in found] == [tuple(down_sample(row, 40).tolist()) for row in table]


def test_the_report_stays_within_its_budget() -> None:
    steps = tuple(range(200))
    evidence = Evidence("s", "loss", "value", "step", steps, tuple(float(s) for s in steps))
    findings = [finding(f"R{n:04}", evidence=(evidence, evidence, evidence)) for n in range(600)]
    kept = trim(findings)
    sizes = [[len(one.steps) for one in f.evidence] for f in kept]
    assert sizes[0] == [200, 200, 200]
    assert all(30 <= size <= 40 for size in sizes[50])
    total = sum(sum(one) for one in sizes)
    assert MAX_REPORT_POINTS - 200 < total <= MAX_REPORT_POINTS
    assert len(kept) == len(findings)
