"""Suppressions, against issue 6 item 3."""

import datetime

import pytest

from mlcheck.engine.suppress import suppress
from mlcheck.report import Report
from mlcheck.settings import Suppression
from tests.engine.test_baseline import report, run, texts
from tests.engine.test_rank import finding

TODAY = datetime.date(2026, 11, 21)
ONE = report(
    finding("LOS002", name="loss-spike", series=("train/loss",), first_step=10, onset=10, run="exp/gan_1"),
    runs=(run("exp/gan_1", "exp/gan"),),
)


def status(one: Report) -> str:
    return one.findings[0].status


def notes(one: Report) -> list[str]:
    return [note.text for note in one.notes if note.kind == "suppression"]


@pytest.mark.parametrize(
    "given",
    [
        {"rule": "LOS002"},
        {"rule": "los002"},
        {"rule": "loss-spike"},
        {"rule": "LOS*"},
        {"run": "exp/*"},
        {"run": "exp/gan"},
        {"series": "train/*"},
        {"steps": (10, 100)},
        {"rule": "LOS002", "run": "*gan*", "series": "train/loss", "steps": (0, 1000)},
        {"rule": "LOS002", "expires": TODAY},
    ],
)
def test_what_is_meant_is_suppressed(given: dict[str, object]) -> None:
    after = suppress(ONE, [Suppression("why", **given)], TODAY)  # type: ignore[arg-type]
    assert (status(after), notes(after)) == ("suppressed", [])


@pytest.mark.parametrize(
    "given",
    [
        {"rule": "LOS001"},
        {"run": "other"},
        {"series": "val/*"},
        {"steps": (11, 100)},
        {"steps": (0, 99)},
        {"rule": "LOS002", "run": "other"},
    ],
)
def test_what_is_not_meant_stays_and_the_entry_is_named(given: dict[str, object]) -> None:
    after = suppress(ONE, [Suppression("why", **given)], TODAY)  # type: ignore[arg-type]
    assert status(after) == "active"
    (note,) = notes(after)
    assert "matches no finding" in note
    assert "why" in note


def test_an_expired_one_brings_the_finding_back_with_a_note() -> None:
    old = Suppression("see #12", rule="LOS002", expires=datetime.date(2026, 11, 20))
    after = suppress(ONE, [old], TODAY)
    assert status(after) == "active"
    (note,) = notes(after)
    assert "expired on 2026-11-20" in note
    assert "1 finding is back" in note
    both = suppress(ONE, [old, Suppression("still", rule="LOS002")], TODAY)
    assert status(both) == "suppressed", "another entry still holds"


def test_suppressed_findings_do_not_count_for_the_exit_code() -> None:
    from mlcheck.report import exit_code

    assert exit_code(ONE) == 1
    after = suppress(ONE, [Suppression("why", rule="LOS002")], TODAY)
    assert exit_code(after) == 0
    assert (after.summary.suppressed, after.summary.errors) == (1, 0)
    assert texts(after) == []
