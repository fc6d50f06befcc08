"""Splits under two unknown words, told by how often they are measured."""

from mlcheck.store.build import build_run
from tests.store.builders import imported, raw

OFTEN = list(range(0, 400, 4))
SELDOM = list(range(40, 401, 40))


def falling(steps: list[int], start: float = 2.3) -> list[float]:
    return [start * 0.99**step for step in steps]


def rising(steps: list[int]) -> list[float]:
    return [1 - 0.9 * 0.99**step for step in steps]


def splits(**curves: tuple[list[int], list[float]]) -> dict[str, tuple[str, str | None]]:
    tags = (raw(name.replace("_", "|"), *curve) for name, curve in curves.items())
    run = build_run("run", "run", [("", imported(*tags))])
    return {one.name: (one.role, one.labels.get("split")) for one in run.series if one.kind == "scalar"}


def test_what_is_measured_often_is_training() -> None:
    found = splits(
        practice_zeta=(OFTEN, falling(OFTEN)),
        match_zeta=(SELDOM, falling(SELDOM)),
        match_accuracy=(SELDOM, rising(SELDOM)),
        practice_accuracy=(SELDOM, rising(SELDOM)),
    )
    assert found == {
        "practice|zeta": ("loss", "train"),
        "match|zeta": ("loss", "val"),
        "match|accuracy": ("metric", "val"),
        "practice|accuracy": ("metric", "train"),
    }


def test_two_tasks_are_measured_equally_often() -> None:
    found = splits(left_loss=(OFTEN, falling(OFTEN)), right_loss=(OFTEN, falling(OFTEN)))
    assert "val" not in {split for _, split in found.values()}


def test_curves_of_their_own_are_no_splits() -> None:
    opposite = splits(left_zeta=(OFTEN, falling(OFTEN)), right_zeta=(SELDOM, rising(SELDOM)))
    elsewhere = splits(left_zeta=(OFTEN, falling(OFTEN)), right_zeta=(SELDOM, falling(SELDOM, 900.0)))
    assert "val" not in {split for found in (opposite, elsewhere) for _, split in found.values()}


def test_known_words_stand() -> None:
    found = splits(train_zeta=(OFTEN, falling(OFTEN)), match_zeta=(SELDOM, falling(SELDOM)))
    assert found["match|zeta"][1] != "val"
    both = splits(
        practice_zeta=(OFTEN, falling(OFTEN)), match_zeta=(SELDOM, falling(SELDOM)), val_zeta=(SELDOM, falling(SELDOM))
    )
    assert both["match|zeta"][1] != "val"


def test_three_words_in_one_place_are_no_splits() -> None:
    found = splits(
        practice_zeta=(OFTEN, falling(OFTEN)),
        match_zeta=(SELDOM, falling(SELDOM)),
        league_zeta=(SELDOM, falling(SELDOM)),
    )
    assert "val" not in {split for _, split in found.values()}
