"""Repetition, length, cut-off, leaked tokens, and BLEU: counted by hand, and held against sacrebleu's own corpus score."""

import importlib.util
from typing import Any

import numpy as np
import pytest

from mlcheck.updates.base import ComparisonError
from mlcheck.updates.bleu import bleu_metric, corpus_bleu, measure_bleu, references_by_place, sufficient
from mlcheck.updates.examples import Entity, Example
from mlcheck.updates.generation import measure_length, measure_repetition, measure_truncation
from mlcheck.updates.leaks import measure_leaks
from mlcheck.updates.rewrite_settings import RewriteSettings

SETTINGS = RewriteSettings(draws=200)


def example(number: int, hypothesis: str, *references: str, **changes: Any) -> Example:
    values: dict[str, Any] = {
        "example_id": str(number),
        "split": "eval",
        "cluster": str(number),
        "turns": ("go there",),
        "speakers": (),
        "base_index": 0,
        "references": references,
        "hypothesis": hypothesis,
        "entities": None,
    }
    return Example(**{**values, **changes})


# Repetition and length


def test_repetition_is_told_apart_from_that_of_the_references() -> None:
    rows = [
        example(0, "to the shop and to the shop", "to the shop"),
        example(1, "to the the shop", "to the shop, to the shop"),
        example(2, "go", "go"),
        example(3, "go", "go go"),
        example(4, "to the shop and to the shop"),
    ]
    found = measure_repetition(rows, SETTINGS)[0].columns
    assert found["examples"] == 4
    assert (found["repeated_trigram"], found["repeated_trigram_reference"]) == (1 / 4, 1 / 4)
    assert found["repeated_trigram_excess"] == 0
    assert (found["immediate_repeat"], found["immediate_repeat_reference"]) == (1 / 4, 1 / 4)
    assert found["rep_1"] == pytest.approx(1 - (4 + 3 + 1 + 1) / (7 + 4 + 1 + 1))
    assert found["rep_3"] == pytest.approx(1 - (4 + 2) / (5 + 2))
    assert found["repeated_trigram_excess_low"] <= 0 <= found["repeated_trigram_excess_high"]


def test_texts_without_a_trigram_have_no_rate_of_trigrams() -> None:
    found = measure_repetition([example(0, "go", "go there"), example(1, "to", "to it")], SETTINGS)[0]
    assert found.undefined["rep_3"] == "no text has 3 tokens"
    assert measure_repetition([example(0, "go")], SETTINGS) == []


def test_lengths_are_medians_over_examples_and_not_over_all_tokens() -> None:
    rows = [example(n, "a b c", "a b c d e f") for n in range(20)] + [example(99, " ".join("x" * 500), "a")]
    found = measure_length(rows, SETTINGS)[0].columns
    assert (found["length_ratio"], found["length_ratio_to_base"], found["reference_ratio_to_base"]) == (0.5, 1.5, 3)
    assert found["length_ratio_low"] == found["length_ratio_high"] == 0.5
    assert found["empty"] == 0


def test_three_examples_are_too_few_for_an_interval_of_a_median() -> None:
    found = measure_length([example(n, "a", "a") for n in range(3)], SETTINGS)[0]
    assert found.columns["length_ratio"] == 1
    assert "3 examples are too few" in found.undefined["length_ratio_low"]


def test_share_of_outputs_that_were_cut_off() -> None:
    rows = [example(n, "a") for n in range(5)]
    found = measure_truncation(rows, ["length", "stop", "STOP", " Max_Length ", None], SETTINGS)[0].columns
    assert (found["stated"], found["truncated_count"], found["truncated"]) == (4, 2, 0.5)
    assert found["truncated_low"] < 0.5 < found["truncated_high"]
    for reasons in (None, [None] * 5):
        undefined = measure_truncation(rows, reasons, SETTINGS)[0]
        assert "truncated" not in undefined.columns
        assert "finish_reason" in undefined.undefined["truncated"]


# Leaked tokens


def leaks(*rows: Example, **changes: Any) -> dict[str, float]:
    return dict(measure_leaks(rows, RewriteSettings(**changes))[0].columns)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("drive to <unk>", 1),
        ("drive to [UNK] and [UNK]", 2),
        ("drive to UNK", 1),
        ("drive to the JUNK yard of UNKLE", 0),
        ("drive to ⁇ street", 1),
        ("drive to caf\ufffd", 1),
        ("drive home", 0),
    ],
)
def test_signs_for_unknown_words(text: str, count: int) -> None:
    found = leaks(example(0, text, "drive to a place"))
    assert found["unknown_tokens"] == count
    assert found["leaking_examples"] == found["unknown_examples"] == (count > 0)


def test_a_sign_that_the_source_holds_is_no_leak() -> None:
    assert leaks(example(0, "what does UNK mean", "what does it mean", turns=("UNK",)))["unknown_examples"] == 0


def test_outputs_with_real_names_may_hold_no_placeholder() -> None:
    found = leaks(
        example(0, "go to ENTITYS1", "go to Chevron", turns=("is ENTITYS1 far",)), example(1, "go", "go to IDENTITY1")
    )
    assert (found["anonymised"], found["invalid_placeholders"], found["invalid_examples"]) == (0, 1, 1)


def test_anonymised_outputs_may_hold_those_that_the_dialogue_defines() -> None:
    rows = [
        example(0, "go to ENTITYS1 by ENTITYU1", "go to ENTITYU1 by ENTITYS1", turns=("ENTITYU1", "ENTITYS1")),
        example(1, "go to ENTITYS2", "go to ENTITYS1", turns=("ENTITYS1",)),
        example(2, "go to ENTITYS7", "go to ENTITYS7", entities=(Entity("ENTITYS7", True),)),
        example(3, "ENTITYU1 ENTITYU1", "to ENTITYU1", turns=("ENTITYU1",)),
    ]
    found = leaks(*rows)
    assert (found["anonymised"], found["invalid_placeholders"], found["leaking_examples"]) == (1, 1, 1)
    # Example 1 has one more than its reference too: it is not in it at all.
    assert (found["swapped_examples"], found["duplicate_examples"]) == (1, 2)


def test_another_form_of_placeholders() -> None:
    assert (
        leaks(example(0, "go to [NAME-3]", "go to Ann"), placeholder=r"\[(NAME|PLACE)-\d+\]")["invalid_examples"] == 1
    )
    with pytest.raises(ComparisonError, match="no regular expression"):
        leaks(example(0, "a"), placeholder="(")


# BLEU

TEXTS = [
    ("take me to the gas station", ("take me to the gas station Chevron", "drive to the Chevron gas station")),
    ("what is the weather", ("what is the weather in Palo Alto this weekend",)),
    ("navigate to the nearest Safeway, 2 miles away", ("navigate to Safeway 2 miles away", "go to Safeway", "Safeway")),
    ("yes", ("set the alarm for 7 am please now",)),
]


@pytest.mark.parametrize("most", [1, 3])
def test_summed_counts_give_the_corpus_score_of_sacrebleu(most: int) -> None:
    rows = [example(n, text, *references[:most]) for n, (text, references) in enumerate(TEXTS)]
    hypotheses = [one.hypothesis for one in rows]
    expected = bleu_metric().corpus_score(hypotheses, references_by_place(rows)).score
    found = corpus_bleu(sufficient(hypotheses, rows).sum(axis=0, keepdims=True))
    assert found[0] == pytest.approx(expected, abs=1e-9)
    measure = measure_bleu(rows, SETTINGS)[0]
    assert measure.columns["bleu"] == pytest.approx(expected, abs=1e-9)
    nrefs = "1" if most == 1 else "var"
    assert measure.labels["metric"].startswith(f"nrefs:{nrefs}|case:lc|eff:no|tok:13a|smooth:exp|version:")


def test_bleu_is_judged_as_a_difference_on_the_same_references() -> None:
    rows = [example(n, text, *references) for n, (text, references) in enumerate(TEXTS)]
    gold = {str(n): references[0] for n, (_, references) in enumerate(TEXTS[:3])}
    found = measure_bleu(rows, SETTINGS, old=gold)[0].columns
    assert found["examples"] == 3
    assert found["bleu_old"] == pytest.approx(100)
    assert found["bleu_drop"] == pytest.approx(100 - found["bleu"])
    assert found["bleu_drop_low"] <= found["bleu_drop"] <= found["bleu_drop_high"]
    assert found["chrf_drop"] == pytest.approx(found["chrf_old"] - found["chrf"])
    alone = measure_bleu(rows, SETTINGS)[0]
    assert "bleu_drop" not in alone.columns
    assert "only as a difference" in alone.undefined["bleu_drop_low"]


def test_without_sacrebleu_bleu_is_undefined_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = measure_bleu([example(0, "go", "go")], SETTINGS)[0]
    assert "mlcheck-scan[compare]" in found.undefined["bleu_drop"]
    assert not any(name.startswith(("bleu", "chrf")) for name in found.columns)


def test_bleu_of_no_matching_word_is_zero_and_not_undefined() -> None:
    found = measure_bleu([example(0, "x", "a b c d e"), example(1, "y", "a b c d e")], SETTINGS)[0].columns
    assert found["bleu"] == 0
    assert np.isfinite(found["chrf"])
