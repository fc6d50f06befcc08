"""Each planted fault is found by its rule, whatever the seed and the writer."""

import pytest

from mlcheck.report import Severity
from tests.curves.curve import SEEDS, errored, judged, rule_ids, shown
from tests.curves.faulty import FAULTY
from tests.curves.healthy import HEALTHY

KNOWN: dict[str, str] = {}
"""Faults that a rule misses today, with the reason; strict, so that a repair must take the entry away."""


def cases() -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=KNOWN[name])) if name in KNOWN else name
        for name in FAULTY
    ]


@pytest.mark.parametrize("name", cases())
def test_a_fault_is_found_by_its_rule(name: str) -> None:
    missed = []
    for seed in SEEDS:
        curve = FAULTY.draw(name, seed)
        part = judged(curve)
        missed += [f"seed {seed}: {rule}" for rule in errored(part)]
        least = Severity(curve.severity).rank
        if not any(one.rule in curve.rules and one.severity.rank >= least for one in part.findings):
            skipped = [f"{o.rule} {o.outcome}: {o.reason}" for o in part.outcomes if o.rule in curve.rules]
            missed.append(f"seed {seed}: {[shown(one) for one in part.findings]} {skipped}")
    assert missed == []


def test_each_fault_names_its_rules() -> None:
    assert set(KNOWN) <= set(FAULTY)
    assert len(FAULTY) >= len(HEALTHY)
    for name in FAULTY:
        curve = FAULTY.draw(name, 0)
        assert curve.note
        assert curve.rules
        assert set(curve.rules) <= rule_ids(), f"{name}: a rule that is not there"
