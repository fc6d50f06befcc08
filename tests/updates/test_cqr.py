"""The public query-rewrite data, and the values of updates.md §4.1 to §4.4 that were computed from them."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcheck.updates import cqr
from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.bleu import corpus_bleu, sufficient
from mlcheck.updates.examples import read_examples
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.rewrites import measure_rewrites, training_values
from tests.updates.text_dumps import by_name

DATA = Path(__file__).parents[3] / "shared" / "cqr"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/cqr is not there")
FAST = RewriteSettings(draws=100)
SPLITS = ("dev", "test")


@cache
def records(split: str) -> list[cqr.Record]:
    return cqr.read_records(DATA / f"{split}.json", f"{split}.json")


@cache
def measured(split: str, baseline: str) -> dict[str, Measure]:
    hypotheses = [cqr.BASELINES[baseline](one) for one in records(split)]
    return by_name(measure_rewrites(cqr.as_dump(records(split), hypotheses), FAST))


@needs_data
@pytest.mark.parametrize(
    ("split", "intents", "counts", "flags"),
    [
        ("dev", None, (470, 264, 206), None),
        ("test", None, (504, 290, 214), {"zero": 145, "locative": 43, "nominal": 20, "pronominal": 20, "reorder": 7}),
    ],
)
def test_records_are_all_read(split: str, intents: None, counts: tuple[int, ...], flags: dict[str, int] | None) -> None:
    found = records(split)
    null = sum(one.reference is None for one in found)
    assert (len(found), null, len(found) - null) == counts
    assert len({one.example_id for one in found}) == len(found)
    if flags is not None:
        counted = Counter(flag for one in found for flag in one.flags)
        assert {name: counted[name] for name in flags} == flags


@needs_data
@pytest.mark.parametrize(
    ("baseline", "split", "precision", "recall", "f1", "bleu"),
    [
        ("copy", "dev", 0.700, 0.228, 0.344, 32.50),
        ("copy", "test", 0.618, 0.204, 0.307, 32.93),
        ("previous", "dev", 0.823, 0.626, 0.711, 43.07),
        ("previous", "test", 0.802, 0.626, 0.703, 45.91),
        ("context", "dev", 0.743, 0.897, 0.813, 18.54),
        ("context", "test", 0.724, 0.938, 0.818, 19.77),
        ("gold", "dev", 0.909, 0.963, 0.935, 100),
        ("gold", "test", 0.888, 0.967, 0.926, 100),
    ],
)
def test_the_table_of_baselines_comes_out_to_the_digits_given(
    baseline: str, split: str, precision: float, recall: float, f1: float, bleu: float
) -> None:
    found = measured(split, baseline)
    entities = found["entities"].columns
    assert [round(entities[name], 3) for name in ("precision", "recall", "f1")] == [precision, recall, f1]
    assert entities["gold"] == {"dev": 623, "test": 666}[split]
    assert round(found["bleu"].columns["bleu"], 2) == bleu
    assert found["bleu"].labels["metric"].startswith("nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:")


@needs_data
@pytest.mark.parametrize(
    ("split", "bleu", "spread", "precision", "recall", "f1"),
    [("dev", 43.32, 1.34, 0.933, 0.910, 0.921), ("test", 44.09, 1.09, 0.907, 0.945, 0.925)],
)
def test_random_crowd_rewrites(
    split: str, bleu: float, spread: float, precision: float, recall: float, f1: float
) -> None:
    needed = [one for one in records(split) if one.reference is not None and one.crowd]
    scores = []
    for seed in range(20):
        drawn = [one or "" for one in cqr.crowd_draw(needed, seed)]
        examples = read_examples(cqr.as_dump(needed, drawn))
        counts = sufficient([one.hypothesis for one in examples], examples).sum(axis=0, keepdims=True)
        scores.append([float(corpus_bleu(counts)[0]), *_entity_scores(examples)])
    mean = np.mean(scores, axis=0)
    assert abs(mean[0] - bleu) < spread
    assert np.allclose(mean[1:], [precision, recall, f1], atol=0.003)


def _entity_scores(examples: list[Any]) -> list[float]:
    from mlcheck.updates.entities import FOUND, GOLD, SPURIOUS, precision_recall_f1, wanted

    total = sum(wanted(one).counts(one.hypothesis).sum(axis=0) for one in examples).astype(float)
    scores = precision_recall_f1(total[GOLD], total[FOUND], total[SPURIOUS])
    return [float(scores[name]) for name in ("precision", "recall", "f1")]


@needs_data
@pytest.mark.parametrize(
    ("split", "copy", "previous", "crowd"), [("dev", 53.5, 50.4, 70.6), ("test", 51.1, 53.4, 65.8)]
)
def test_multi_reference_bleu_with_four_crowd_rewrites(split: str, copy: float, previous: float, crowd: float) -> None:
    # What was called held out is the fifth rewrite, or the fourth where there are no more.
    enough = [one for one in records(split) if len(one.crowd) >= 4]
    for expected, hypotheses in (
        (copy, [cqr.copy_base(one) for one in enough]),
        (previous, [cqr.previous_and_base(one) for one in enough]),
        (crowd, [one.crowd[min(4, len(one.crowd) - 1)] for one in enough]),
    ):
        examples = read_examples(cqr.as_dump(enough, hypotheses, references="gold and crowd"))
        counts = sufficient([one.hypothesis for one in examples], examples)
        assert round(float(corpus_bleu(counts.sum(axis=0, keepdims=True))[0]), 1) == expected


@needs_data
def test_referent_distances_over_the_whole_dialogue() -> None:
    hypotheses = [cqr.copy_base(one) for one in records("test")]
    dialogue = by_name(measure_rewrites(cqr.as_dump(records("test"), hypotheses, turns="dialogue"), FAST))
    sizes = {name: dialogue[f"entities/distance={name}"] for name in ("0", "1", "2", ">=3", "future", "unseen")}
    assert [one.columns["gold"] for one in sizes.values()] == [136, 281, 51, 89, 69, 40]
    assert [one.columns["recall"] for one in sizes.values()] == [1, 0, 0, 0, 0, 0]


@needs_data
@pytest.mark.parametrize(
    ("split", "mentions", "trigrams", "immediate", "ratio", "share"),
    [("dev", (272, 287, 64), 20.9, 5.8, 1.97, 43.8), ("test", (299, 326, 41), 15.4, 1.9, 1.88, 42.5)],
)
def test_what_the_references_are_like(
    split: str, mentions: tuple[int, ...], trigrams: float, immediate: float, ratio: float, share: float
) -> None:
    found = measured(split, "gold")
    entities, repetition = found["entities"].columns, found["repetition"].columns
    assert tuple(entities[f"first_said_by_{who}"] for who in ("user", "system")) == mentions[:2]
    assert entities["never_said"] == mentions[2]
    assert round(100 * repetition["repeated_trigram_reference"], 1) == trigrams
    assert round(100 * repetition["immediate_repeat_reference"], 1) == immediate
    assert repetition["repeated_trigram_excess"] == 0
    assert abs(found["length"].columns["length_ratio_to_base"] - ratio) <= 0.005
    decisions = found["decisions"].columns
    assert round(100 * (1 - decisions["no_rewrite_share"]), 1) == share
    assert decisions["over_rewriting"] == decisions["under_rewriting"] == 0


@needs_data
def test_over_and_under_rewriting_of_the_baselines() -> None:
    copy, context = (measured("test", name)["decisions"].columns for name in ("copy", "context"))
    assert (copy["over_rewriting"], copy["under_rewriting"]) == (0, 1)
    assert (context["over_rewriting"], context["rewritten_not_needed"]) == (1, 290)


@needs_data
def test_a_fifth_of_the_test_entities_do_not_occur_in_the_other_set() -> None:
    held = training_values(cqr.as_dump(records("dev"), [""] * len(records("dev"))))
    hypotheses = [cqr.gold(one) for one in records("test")]
    known = RewriteSettings(draws=100, training_values=held)
    found = by_name(measure_rewrites(cqr.as_dump(records("test"), hypotheses), known))["entities/seen"].columns
    assert round(100 * found["unseen"] / (found["seen"] + found["unseen"])) == 21
    assert round(100 * found["unseen_values"] / (found["seen_values"] + found["unseen_values"])) == 40


# Without the data

SMALL = [
    {
        "dialogue": [
            {"data": {"utterance": "where is a cafe", "end_dialogue": False}, "turn": "driver"},
            {
                "data": {
                    "utterance": "Coupa is 2 miles away",
                    "slots": {"poi": "Coupa ", "distance": ["2 miles", ["far"]]},
                },
                "turn": "assistant",
                "reformulation": {"base_utt_idx": 0, "reformulated_utt": None, "slots": {}},
            },
            {
                "data": {"utterance": "go there"},
                "turn": "driver",
                "reformulation": {
                    "base_utt_idx": 2,
                    "reformulated_utt": "go to the cafe Coupa",
                    "slots": {"poi": "Coupa"},
                    "flag": "z; pronominal with reorder; another besides",
                    "gold_slots": ["cafe", "Coupa"],
                    "mturk_reformulations": ["drive to Coupa"],
                },
            },
        ],
        "scenario": {"uuid": "u1", "task": {"intent": "navigate"}},
    }
]


def written(tmp_path: Path, data: Any) -> Path:
    path = tmp_path / "dialogues.json"
    path.write_text(json.dumps(data), "utf-8")
    return path


def test_records_on_any_turn_with_nested_slots_and_free_flags(tmp_path: Path) -> None:
    none, some = cqr.read_records(written(tmp_path, SMALL), "dialogues.json")
    assert (none.reference, none.turn, none.example_id) == (None, 1, "u1:1")
    assert some.slots == (("Coupa ", "poi", 1), ("2 miles", "distance", 1), ("far", "distance", 1))
    assert some.flags == {"zero", "pronominal", "reorder", "other"}
    assert [rewriter(some) for rewriter in cqr.BASELINES.values()] == [
        "go there",
        "Coupa is 2 miles away go there",
        "where is a cafe Coupa is 2 miles away go there",
        "go to the cafe Coupa",
    ]
    rows = read_examples(cqr.as_dump([none, some], ["where is a cafe", "go there"]))
    assert [one.value for one in rows[1].gold] == ["cafe", "Coupa"]
    assert (rows[0].references, rows[1].references) == ((), ("go to the cafe Coupa",))
    assert {one.cluster for one in rows} == {"cluster u1"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"dialogue": []}, "must be a JSON array"),
        ([{"dialogue": [{"turn": "driver"}]}], "dialogue 0"),
        (
            [
                {
                    **SMALL[0],
                    "dialogue": [
                        {**SMALL[0]["dialogue"][1], "reformulation": {"base_utt_idx": 7, "reformulated_utt": None}}
                    ],
                }
            ],
            "7 of 1",
        ),  # type: ignore[dict-item,list-item,index]
    ],
)
def test_other_files_are_refused_with_their_place(tmp_path: Path, data: Any, told: str) -> None:
    with pytest.raises(ComparisonError, match=told):
        cqr.read_records(written(tmp_path, data), "dialogues.json")


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dialogues.json"
    path.write_text("{", "utf-8")
    with pytest.raises(ComparisonError, match=r"dialogues\.json: cannot be read"):
        cqr.read_records(path, "dialogues.json")
