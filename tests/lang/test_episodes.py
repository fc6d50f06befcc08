import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.lang.episodes import Span, Term, find_episodes, is_healed, parse_term
from mlcheck.lang.values import Axis, Inapplicable
from tests.lang.helpers import NAN, make_axis


def bools(text: str) -> np.ndarray:
    return np.array([character == "#" for character in text], dtype=np.bool_)


def spans(text: str, axis: Axis | None = None, **options: object) -> list[tuple[int, int, int]]:
    found = find_episodes(bools(text), axis or make_axis(range(len(text))), **options)  # type: ignore[arg-type]
    return [(span.start, span.stop, span.points) for span in found]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("3 points", Term(3, "points")),
        ("1 point", Term(1, "points")),
        ("5 %", Term(5, "%")),
        ("5%", Term(5, "%")),
        ("0.5 epochs", Term(0.5, "epochs")),
        ("1 epoch", Term(1, "epochs")),
        ("200 steps", Term(200, "steps")),
        ("0 steps", Term(0, "steps")),
        (" 10  minutes ", Term(10, "minutes")),
        ("1 minute", Term(1, "minutes")),
    ],
)
def test_terms(text: str, term: Term) -> None:
    assert parse_term(text) == term
    assert parse_term(str(term)) == term


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("3", "no unit"),
        ("3 pionts", "did you mean points"),
        ("3 hours", "one of points, steps"),
        ("-3 points", "no length"),
        ("three points", "no length"),
        ("", "no length"),
        ("nan points", "no length"),
        ("9" * 400 + " points", "too long"),
        ("3 % steps", "no length"),
    ],
)
def test_what_is_no_term_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_term(text)


def test_stretches_are_found_with_their_ends() -> None:
    assert spans("") == []
    assert spans("...") == []
    assert spans("#") == [(0, 0, 1)]
    assert spans("##.#..###") == [(0, 1, 2), (3, 3, 1), (6, 8, 3)]
    found = find_episodes(bools("##.#"), make_axis(range(4)))
    assert [span.open for span in found] == [False, True]


def test_after_and_until_say_where_an_episode_may_lie() -> None:
    axis = make_axis([0, 10, 20, 30, 40], run=(0, 100))
    assert spans("#####", axis, after=Term(2, "points")) == [(2, 4, 3)]
    assert spans("#####", axis, until=Term(2, "points")) == [(0, 1, 2)]
    assert spans("#####", axis, after=Term(20, "steps")) == [(2, 4, 3)]
    assert spans("#####", axis, until=Term(20, "steps")) == [(0, 2, 3)]
    assert spans("#####", axis, after=Term(15, "%")) == [(2, 4, 3)]
    assert spans("#####", axis, after=Term(0, "steps")) == [(0, 4, 5)]
    assert spans("#####", axis, after=Term(90, "%")) == []
    assert spans("#####", axis, after=Term(10, "steps"), until=Term(30, "%")) == [(1, 3, 3)]


def test_places_count_from_the_start_of_the_run() -> None:
    resumed = make_axis([1000, 1010, 1020], run=(1000, 1100))
    assert spans("###", resumed, after=Term(10, "steps")) == [(1, 2, 2)]
    assert spans("###", resumed, after=Term(15, "%")) == [(2, 2, 1)]
    late = make_axis([50, 60], run=(0, 100))
    assert spans("##", late, until=Term(55, "%")) == [(0, 0, 1)]
    assert spans("##", make_axis([50, 60], run=(0, 60)), until=Term(100, "%")) == [(0, 1, 2)]


def test_patience_in_each_unit() -> None:
    axis = make_axis([0, 10, 20, 30, 40, 50], wall_times=[0.0, 60.0, 120.0, 180.0, 240.0, 300.0], steps_per_epoch=20.0)
    text = "##.###"
    assert spans(text, axis, patience=[Term(3, "points")]) == [(3, 5, 3)]
    assert spans(text, axis, patience=[Term(4, "points")]) == []
    assert spans(text, axis, patience=[Term(20, "steps")]) == [(3, 5, 3)]
    assert spans(text, axis, patience=[Term(10, "steps")]) == [(0, 1, 2), (3, 5, 3)]
    assert spans(text, axis, patience=[Term(40, "%")]) == [(3, 5, 3)]
    assert spans(text, axis, patience=[Term(41, "%")]) == []
    assert spans(text, axis, patience=[Term(2, "minutes")]) == [(3, 5, 3)]
    assert spans(text, axis, patience=[Term(1, "epochs")]) == [(3, 5, 3)]


def test_all_terms_of_patience_must_hold_for_one_episode() -> None:
    axis = make_axis([0, 1, 2, 3, 50, 100])
    text = "###.##"
    assert spans(text, axis, patience=[Term(3, "points"), Term(40, "%")]) == []
    assert spans(text, axis, patience=[Term(2, "points"), Term(40, "%")]) == [(4, 5, 2)]


def test_a_single_point_has_length_zero() -> None:
    assert spans("..#..", patience=[Term(1, "steps")]) == []
    assert spans("..#..", patience=[Term(0, "steps")]) == [(2, 2, 1)]
    assert spans("..#..", patience=[Term(1, "points")]) == [(2, 2, 1)]


def test_episodes_with_a_short_gap_are_merged() -> None:
    assert spans("##.#..##", merge=Term(2, "points")) == [(0, 3, 3), (6, 7, 2)]
    assert spans("##.#..##", merge=Term(1, "points")) == [(0, 1, 2), (3, 3, 1), (6, 7, 2)]
    assert spans("##.#..##", merge=Term(3, "points")) == [(0, 7, 5)]
    axis = make_axis([0, 10, 20, 30, 31, 40])
    assert spans("#.##.#", axis, merge=Term(20, "steps")) == [(0, 0, 1), (2, 5, 3)]


def test_merging_comes_before_patience() -> None:
    assert spans("##.#", merge=Term(2, "points"), patience=[Term(3, "points")]) == [(0, 3, 3)]


def test_at_end_wants_an_episode_that_is_open() -> None:
    assert spans("##..##", at_end=True) == [(4, 5, 2)]
    assert spans("##..#.", at_end=True) == []


def test_units_that_cannot_be_measured_make_the_rule_inapplicable() -> None:
    unknown = make_axis([0, 1, 2])
    epochs = make_axis([0, 1, 2], kind="epoch")
    for axis, term in (
        (unknown, Term(1, "minutes")),
        (unknown, Term(1, "epochs")),
        (epochs, Term(1, "steps")),
        (make_axis([0, 1, 2], wall_times=[0.0, NAN, 2.0]), Term(1, "minutes")),
    ):
        for options in ({"after": term}, {"until": term}, {"patience": [term]}):
            with pytest.raises(Inapplicable) as caught:
                spans("###", axis, **options)
            assert caught.value.kind == "axis"
        with pytest.raises(Inapplicable):
            spans("#.#", axis, merge=term)
    # A length of nothing needs no measure.
    assert spans("###", epochs, after=Term(0, "steps"), patience=[Term(0, "minutes")]) == [(0, 2, 3)]
    assert spans("###", epochs, after=Term(1, "epochs")) == [(1, 2, 2)]


def test_healed_is_judged_at_the_last_point() -> None:
    span = Span(start=0, stop=1, points=2, open=False)
    assert is_healed(bools("##."), [span])
    assert not is_healed(bools("#.#"), [span])
    assert not is_healed(bools("..."), [])
    assert not is_healed(bools(""), [])


def test_a_condition_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 points on an axis of 2"):
        find_episodes(bools("###"), make_axis([0, 1]))


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1, 1, 3])), max_size=30),
    st.tuples(st.sampled_from(["points", "steps", "%"]), st.integers(0, 30)),
    st.tuples(st.sampled_from(["points", "steps", "%"]), st.integers(0, 120)),
    st.tuples(st.sampled_from(["points", "steps"]), st.integers(0, 5)),
    st.lists(st.tuples(st.sampled_from(["points", "steps", "%"]), st.integers(0, 6)), max_size=2),
    st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_episodes_are_what_a_loop_finds(
    rows: list[tuple[bool, int]],
    after: tuple[str, int],
    until: tuple[str, int],
    merge: tuple[str, int],
    patience: list[tuple[str, int]],
    at_end: bool,
) -> None:
    steps = [7 + sum(gap for _, gap in rows[:i]) for i in range(len(rows))]
    first, last = 5, 60

    def length(term: tuple[str, int]) -> float:
        return term[1] * (last - first) / 100 if term[0] == "%" else term[1]

    def reached(i: int, term: tuple[str, int]) -> float:
        return i if term[0] == "points" else steps[i] - first

    allowed = []
    for i, (condition, _) in enumerate(rows):
        early = reached(i, until) < length(until) if until[0] == "points" else reached(i, until) <= length(until)
        allowed.append(condition and early and reached(i, after) >= length(after))
    found: list[list[int]] = []
    for i, condition in enumerate(allowed):
        if not condition:
            continue
        gap = 0.0
        if found:
            gap = i - found[-1][1] - 1 if merge[0] == "points" else steps[i] - steps[found[-1][1]]
        if found and (i == found[-1][1] + 1 or gap < length(merge)):
            found[-1] = [found[-1][0], i, found[-1][2] + 1]
        else:
            found.append([i, i, 1])
    kept = []
    for start, stop, points in found:
        long_enough = all(
            points >= term[1] if term[0] == "points" else steps[stop] - steps[start] >= length(term)
            for term in patience
        )
        if long_enough and (stop == len(rows) - 1 or not at_end):
            kept.append(Span(start, stop, points, stop == len(rows) - 1))
    result = find_episodes(
        np.array([condition for condition, _ in rows], dtype=np.bool_),
        make_axis(steps, run=(first, last)),
        after=Term(after[1], after[0]),
        until=Term(until[1], until[0]),
        merge=Term(merge[1], merge[0]),
        patience=[Term(amount, unit) for unit, amount in patience],
        at_end=at_end,
    )
    assert result == kept
