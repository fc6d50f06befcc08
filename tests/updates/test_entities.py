"""Entities by the definitions of updates.md §4.2, on dialogues small enough to count by hand."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.updates.entities import DISTANCES, distance, measure_entities, wanted
from mlcheck.updates.entity_gaps import entity_values, measure_gaps
from mlcheck.updates.examples import Entity, Example, read_examples
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.text import contains, joined, overlaps, tokens
from tests.updates.text_dumps import by_name, dump

SETTINGS = RewriteSettings(draws=200)
TURNS = (
    "find a gas station on the way to Palo Alto",
    "there is a Chevron 5 miles away, with no traffic",
    "that's good! take me there",
    "setting the GPS for Chevron",
)


def example(hypothesis: str, gold: list[str], others: list[str] = [], base: int = 2, **changes: Any) -> Example:  # noqa: B006
    entities = (*(Entity(value, True) for value in gold), *(Entity(value, False) for value in others))
    values: dict[str, Any] = {
        "example_id": "0",
        "split": "eval",
        "cluster": "0",
        "turns": TURNS,
        "speakers": ("driver", "assistant", "driver", "assistant"),
        "base_index": base,
        "references": ("take me to the gas station Chevron",),
        "hypothesis": hypothesis,
        "entities": entities,
    }
    return Example(**{**values, **changes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("That's the  gas-station!", "that's the gas station"),
        ("Chef Chu’s, 5 miles", "chef chu's 5 miles"),
        ("snake_case / 12:30", "snake case 12 30"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("東京 tower", "東 京 tower"),
        ("...", ""),
    ],
)
def test_normalisation_keeps_apostrophes_and_letters_only(text: str, expected: str) -> None:
    assert " ".join(tokens(text)) == expected


def test_a_value_is_a_contiguous_sequence_of_whole_tokens() -> None:
    text = joined(tokens("the gas station Chevron"))
    assert contains(text, tokens("Gas Station"))
    assert not contains(text, tokens("gas Chevron"))
    assert not contains(text, tokens("stat"))
    assert not contains(text, tokens("!"))


@pytest.mark.parametrize(
    ("value", "base", "expected"),
    [
        ("take me there", 2, "0"),
        ("5 miles away", 2, "1"),
        ("Palo Alto", 2, "2"),
        ("Palo Alto", 3, ">=3"),
        ("Chevron", 2, "1"),
        ("Chevron", 0, "future"),
        ("Shell", 2, "unseen"),
    ],
)
def test_referent_distance_counts_turns_back_from_the_base_utterance(value: str, base: int, expected: str) -> None:
    assert distance(tokens(value), [joined(tokens(turn)) for turn in TURNS], base) == expected


def test_precision_recall_and_f1_count_values_and_candidates_apart_from_gold() -> None:
    # `station` is inside a gold value and no candidate; `Palo Alto` is one, and is put in; `no traffic` is one, and is not.
    others = ["station", "Palo Alto", "no traffic"]
    both = [
        example("take me to the gas station Chevron", ["gas station", "Chevron"], others),
        example("take me to Palo Alto", ["gas station", "Chevron"], others, example_id="1", cluster="1"),
    ]
    found = by_name(measure_entities(both, SETTINGS))
    overall = found["entities"].columns
    assert (overall["gold"], overall["found"], overall["spurious"]) == (4, 2, 1)
    assert overall["precision"] == pytest.approx(2 / 3)
    assert overall["recall"] == pytest.approx(1 / 2)
    assert overall["f1"] == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))
    assert overall["f1_low"] <= overall["f1"] <= overall["f1_high"]
    assert overall["f1_ceiling"] == 1.0
    near, far = (found[f"entities/distance={name}"] for name in ("1", "2"))
    assert (near.columns["gold"], near.columns["found"], near.labels["category"]) == (2, 1, "1")
    assert (far.columns["gold"], far.columns["found"], far.columns["spurious"]) == (2, 1, 1)


def test_ceiling_is_what_the_references_get() -> None:
    found = measure_entities([example("take me to Chevron", ["Chevron", "no traffic"])], SETTINGS)[0].columns
    assert found["recall_ceiling"] == 0.5
    assert found["f1_ceiling"] == pytest.approx(2 / 3)
    assert found["f1_of_ceiling"] == pytest.approx(1.0)


def test_no_gold_entity_is_undefined_and_not_zero() -> None:
    found = measure_entities([example("take me there", [], ["Palo Alto"])], SETTINGS)[0]
    assert not {"precision", "recall", "f1", "f1_low", "f1_ceiling"} & set(found.columns)
    assert found.undefined["recall"] == "no gold entities"
    assert found.undefined["precision"] == "no entities in the hypotheses"


def test_one_cluster_has_no_interval() -> None:
    found = measure_entities(
        [example("to Chevron", ["Chevron"]), example("to", ["Chevron"], example_id="1")], SETTINGS
    )[0]
    assert found.columns["recall"] == 0.5
    assert "2 clusters" in found.undefined["recall_low"]


def test_drop_is_old_minus_new_on_the_same_examples() -> None:
    ours = [example("to Chevron", ["Chevron"], example_id=str(n), cluster=str(n)) for n in range(4)]
    old = {"0": "to Chevron", "1": "there", "2": "to Chevron in Palo Alto"}
    found = measure_entities(ours, SETTINGS, old=old)[0].columns
    assert found["gold"] == 3
    assert (found["recall"], found["recall_old"]) == (1.0, pytest.approx(2 / 3))
    assert found["recall_drop"] == pytest.approx(-1 / 3)


def test_without_an_old_dump_the_drop_is_undefined() -> None:
    found = measure_entities([example("to Chevron", ["Chevron"])], SETTINGS)
    assert all("old model's dump" in one.undefined["f1_drop_low"] for one in found[:2])


def test_values_that_training_held_and_others() -> None:
    rows = [example(f"to {name}", ["Chevron", "Shell"], example_id=name, cluster=name) for name in ("Chevron", "Shell")]
    rows += [example("to Chevron and Shell", ["Chevron", "Shell"], example_id="both", cluster="both")] * 2
    known = RewriteSettings(draws=200, training_values=entity_values([example("", ["the Chevron!", "CHEVRON"])]))
    found = by_name(measure_gaps(rows, known))["entities/seen"].columns
    assert (found["seen"], found["unseen"], found["seen_values"], found["unseen_values"]) == (4, 4, 1, 1)
    assert (found["recall_seen"], found["recall_unseen"]) == (0.75, 0.75)
    assert found["seen_gap"] == 0


def test_what_training_held_is_not_known() -> None:
    found = by_name(measure_gaps([example("to Chevron", ["Chevron"])], SETTINGS))["entities/seen"]
    assert "seen_gap" not in found.columns
    assert "dump of the training data" in found.undefined["seen_gap"]


def test_a_field_of_the_entities_says_what_training_held() -> None:
    seen = (Entity("Chevron", True, seen=True), Entity("Shell", True, seen=False))
    rows = [example("to Chevron", [], entities=seen, example_id=str(n), cluster=str(n)) for n in range(3)]
    found = by_name(measure_gaps(rows, SETTINGS))["entities/seen"]
    assert (found.columns["recall_seen"], found.columns["recall_unseen"], found.columns["seen_gap"]) == (1, 0, 1)
    (only_seen,) = measure_gaps([example("", [], entities=seen[:1])], SETTINGS)
    assert only_seen.undefined["seen_gap"] == "training held all of the gold entities"


def test_values_that_the_model_can_generate_and_others() -> None:
    rows = [
        example("to the gas station", ["gas station", "Chevron"], example_id=str(n), cluster=str(n)) for n in range(3)
    ]
    known = RewriteSettings(draws=200, vocabulary=frozenset({"gas", "station"}))
    found = by_name(measure_gaps(rows, known))["entities/vocabulary"].columns
    assert (found["recall_in_vocabulary"], found["recall_out_of_vocabulary"], found["vocabulary_gap"]) == (1, 0, 1)
    assert (found["in_vocabulary"], found["out_of_vocabulary"]) == (3, 3)


def test_first_mention_by_speaker() -> None:
    found = measure_entities([example("", ["Palo Alto", "Chevron", "Shell"])], SETTINGS)[0].columns
    assert (found["first_said_by_user"], found["first_said_by_system"], found["never_said"]) == (1, 1, 1)


def test_rows_in_another_order_give_the_same_numbers() -> None:
    values = ["to Chevron", "there", "Chevron in Palo Alto", "to Shell", "Palo Alto"]
    columns: dict[str, Any] = {
        "example_id": [f"e{n}" for n in range(5)],
        "group_id": ["a", "b", "a", "c", "c"],
        "source": [list(TURNS)] * 5,
        "base_index": [2] * 5,
        "hypothesis": values,
        "entities": [["Chevron"], ["Chevron", "Palo Alto"], ["Palo Alto"], ["Shell"], ["Chevron"]],
    }
    order = [3, 0, 4, 2, 1]
    shuffled = {name: [column[place] for place in order] for name, column in columns.items()}
    one, other = (
        measure_entities(read_examples(dump(**each)), SETTINGS, has_references=False) for each in (columns, shuffled)
    )
    assert one == other


WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=2).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    gold=st.lists(WORDS, max_size=3),
    others=st.lists(WORDS, max_size=3),
    turns=st.lists(st.lists(st.sampled_from("abcd"), max_size=4).map(" ".join), min_size=1, max_size=4),
    text=st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join),
)
def test_counts_are_those_of_the_definition(gold: list[str], others: list[str], turns: list[str], text: str) -> None:
    def stands_in(value: str, words: list[str]) -> bool:
        size = len(value.split())
        return any(words[start : start + size] == value.split() for start in range(len(words)))

    def bucket(value: str) -> str:
        said = [place for place, turn in enumerate(turns) if stands_in(value, turn.split())]
        back = [len(turns) - 1 - place for place in said]
        return "unseen" if not back else ">=3" if min(back) >= 3 else str(min(back))

    columns = {"source": [turns], "base_index": [len(turns) - 1], "hypothesis": [text]}
    entities = [{"value": v, "gold": True} for v in gold] + [{"value": v, "gold": False} for v in others]
    row = read_examples(dump(**columns, entities=[entities]))[0]
    counts = wanted(row).counts(row.hypothesis)
    candidates = {v for v in others if v not in gold and not any(overlaps(v.split(), g.split()) for g in gold)}
    for place, name in enumerate(DISTANCES):
        mine = {value for value in gold if bucket(value) == name}
        spurious = {value for value in candidates if bucket(value) == name and stands_in(value, text.split())}
        found = {value for value in mine if stands_in(value, text.split())}
        assert counts[place].tolist() == [len(mine), len(found), len(spurious)]
