"""One dump of rewrites alone and against another: decisions, joins, errors, renamed entities, and the rules that judge them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from mlcheck.engine.loader import load_file
from mlcheck.engine.rank import Causes
from mlcheck.engine.run import RunPart, judge_run
from mlcheck.engine.select import Selected
from mlcheck.store.series import Run
from mlcheck.updates.base import ComparisonError, Measure, facts
from mlcheck.updates.rewrite_settings import RewriteSettings, read_vocabulary
from mlcheck.updates.rewrites import applies, measure_rewrites, measure_swap, training_values
from mlcheck.updates.swap import renamed
from mlcheck.updates.table import PredictionTable, read_table
from mlcheck.updates.text import tokens
from tests.updates.text_dumps import by_name, dump

RULES = Path(__file__).parents[2] / "rules" / "rewriting"
SETTINGS = RewriteSettings(draws=200)
TURNS = ["where is a cafe", "Coupa is 2 miles away", "go there"]


def rewrites(hypotheses: list[str], references: list[Any] | None = None, **changes: Any) -> PredictionTable:
    """Rows of one dialogue; by default the first half needs no rewrite."""
    rows = len(hypotheses)
    columns: dict[str, Any] = {
        "example_id": [f"e{n}" for n in range(rows)],
        "group_id": [f"d{n // 2}" for n in range(rows)],
        "source": [TURNS] * rows,
        "base_index": [2] * rows,
        "reference": references or [None if n < rows // 2 else "go to the cafe Coupa" for n in range(rows)],
        "hypothesis": hypotheses,
        "entities": [[{"value": "Coupa", "gold": True}, {"value": "2 miles", "gold": False}]] * rows,
    }
    return dump(**{**columns, **changes})


def judged(measures: list[Measure]) -> RunPart:
    run = Run(name="x", path="x", lane="x", series=facts(measures), sources=())
    rules = [load_file(path) for path in sorted(RULES.glob("*.yaml"))]
    with np.errstate(all="ignore"):
        return judge_run(run, [Selected(rule, rule.defaults(), None) for rule in rules], Causes({}))


# Decisions


def test_over_and_under_rewriting_and_copies() -> None:
    found = by_name(
        measure_rewrites(rewrites(["Go there!", "go to Coupa", "go there", "go to the cafe Coupa"]), SETTINGS)
    )
    columns = found["decisions"].columns
    assert (columns["needed"], columns["not_needed"], columns["no_rewrite_share"]) == (2, 2, 0.5)
    assert (columns["over_rewriting"], columns["under_rewriting"], columns["unchanged"]) == (0.5, 0.5, 0.5)
    confusion = ("kept_not_needed", "rewritten_not_needed", "kept_needed", "rewritten_needed")
    assert [columns[name] for name in confusion] == [1, 1, 1, 1]
    assert (columns["copied"], columns["copied_per_no_rewrite"]) == (0.5, 1.0)


def test_a_piece_of_a_turn_is_a_copy_and_an_empty_output_is_none() -> None:
    found = by_name(measure_rewrites(rewrites(["2 miles", "", "is a cafe", "a cafe Coupa"]), SETTINGS))
    assert found["decisions"].columns["copied"] == 0.5


def test_what_nothing_needs_is_undefined() -> None:
    found = by_name(measure_rewrites(rewrites(["go"] * 2, ["go to Coupa"] * 2), SETTINGS))["decisions"]
    assert not {"over_rewriting", "over_rewriting_high", "copied_per_no_rewrite"} & set(found.columns)
    assert "no reference is null" in found.undefined["over_rewriting"]
    only_null = by_name(measure_rewrites(rewrites(["go"] * 2, [None, None]), SETTINGS))
    assert "under_rewriting" not in only_null["decisions"].columns
    assert not {"bleu", "repetition", "length", "entities"} & set(only_null)


def test_decisions_of_the_old_model() -> None:
    old = rewrites(["go there"] * 4)
    found = by_name(measure_rewrites(rewrites(["go to Coupa", "go there", "go to Coupa", "to Coupa"]), SETTINGS, old))
    columns = found["decisions"].columns
    assert (columns["over_rewriting_old"], columns["over_rewriting_rise"]) == (0, 0.5)
    assert (columns["under_rewriting_old"], columns["under_rewriting_rise"]) == (1, -1)


# Joins


def test_only_joined_examples_are_compared_and_all_of_the_new_ones_are_judged_alone() -> None:
    new = rewrites(["go there", "go there", "to Coupa", "to Coupa"])
    old = rewrites(["to Coupa", "there"], ["go to the cafe Coupa"] * 2, example_id=["e3", "e2"])
    found = by_name(measure_rewrites(new, SETTINGS, old))
    assert found["entities"].columns["gold"] == 2
    assert (found["entities"].columns["recall"], found["entities"].columns["recall_old"]) == (1, 0.5)
    assert found["tokens"].columns["examples"] == 4


def test_each_split_is_measured_on_its_own() -> None:
    new = rewrites(["to Coupa"] * 4, ["go to Coupa"] * 4, split=["dev", "dev", "test", "test"])
    old = rewrites(
        ["go"] * 4, ["go to Coupa"] * 4, split=["test", "test", "dev", "dev"], example_id=["e2", "e3", "e0", "e1"]
    )
    found = by_name(measure_rewrites(new, SETTINGS, old))
    assert {name for name in found if name.startswith("decisions")} == {"decisions/split=dev", "decisions/split=test"}
    assert found["entities/split=dev"].labels["split"] == "dev"
    assert found["entities/split=test"].columns["recall_drop"] == -1


def test_the_same_ids_in_two_splits() -> None:
    new = rewrites(
        ["to Coupa", "to Coupa", "go", "go"], ["go to Coupa"] * 4, example_id=["a", "b"] * 2, split=["x", "x", "y", "y"]
    )
    found = by_name(measure_rewrites(new, SETTINGS, new))
    assert [found[f"entities/split={name}"].columns["recall"] for name in "xy"] == [1, 0]
    assert [found[f"entities/split={name}"].columns["recall_drop"] for name in "xy"] == [0, 0]


def test_an_old_dump_without_splits_is_joined_by_id() -> None:
    new = rewrites(["to Coupa"] * 2, ["go to Coupa"] * 2, split=["test"] * 2)
    old = rewrites(["go"] * 2, ["go to Coupa"] * 2)
    for ours, theirs, drop in ((new, old, -1), (old, new, 1)):
        assert by_name(measure_rewrites(ours, SETTINGS, theirs))["entities"].columns["recall_drop"] == drop


def test_the_final_step_is_judged() -> None:
    new = rewrites(["go", "to Coupa"], ["go to Coupa"] * 2, example_id=["a", "a"], step=[10, 20])
    assert by_name(measure_rewrites(new, SETTINGS))["entities"].columns["recall"] == 1


def test_the_order_of_rows_and_row_groups_changes_nothing(tmp_path: Path) -> None:
    hypotheses = [
        "go there",
        "go to Coupa",
        "there",
        "to the the cafe Coupa",
        "Coupa 2 miles",
        "go",
        "cafe Coupa",
        "go there",
    ]
    new = rewrites(hypotheses, finish_reason=["stop"] * 7 + ["length"])
    old = rewrites(hypotheses[::-1])
    expected = measure_rewrites(new, SETTINGS, old)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(hypotheses))
        parquet.write_table(new.table.take(order), tmp_path / "new.parquet", row_group_size=3)
        read = read_table(tmp_path / "new.parquet", "new.parquet")
        assert measure_rewrites(read, SETTINGS, old.taken(order[::-1])) == expected


# Errors


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hypothesis": ["go", None, "go", None]}, r"new\.parquet: 'hypothesis' is missing in 2 of 4 rows: e1, e3"),
        ({"base_index": [2, 3, 0, -1]}, r"'base_index' is no turn of 'source' in 2 of 4 rows: e1, e3"),
        ({"speaker": [["u", "s", "u"]] * 3 + [["u"]]}, r"'speaker' has not one entry for each turn in 1 of 4 rows: e3"),
        ({"entities": [["a"], None, ["b"], ["c"]], "cluster_told": "dialog"}, r"no column 'dialog' of clusters"),
        ({"entities": [[{"value": "x"}]] * 4}, r"'entities' must hold texts, or objects .* in 4 of 4 rows: e0, e1"),
        ({"entities": ["no list"] * 4}, r"'entities' must hold"),
        ({"hypothesis": [1, 2, 3, 4]}, r"column 'hypothesis' must hold texts; it holds int64"),
        ({"source": [[{"role": "user"}]] * 4}, r"column 'source' must hold texts or lists of texts; it holds list<"),
        ({"base_index": [2.0, 2.5, 2.0, 2.0]}, r"column 'base_index' must hold whole numbers; it holds double"),
    ],
)
def test_rows_that_make_no_sense_are_refused(changes: dict[str, Any], told: str) -> None:
    cluster = changes.pop("cluster_told", None)
    with pytest.raises(ComparisonError, match=told):
        measure_rewrites(rewrites(["go"] * 4, **changes), RewriteSettings(draws=100, cluster=cluster))


def test_other_references_or_gold_entities_are_refused() -> None:
    new, hypotheses = rewrites(["go"] * 4), ["go"] * 4
    references = [None, None, "go to Coupa", "go to the cafe Coupa"]
    with pytest.raises(ComparisonError, match=r"'reference' differs in 1 of 4 joined rows: e2; score both models"):
        measure_rewrites(new, SETTINGS, rewrites(hypotheses, references))
    with pytest.raises(ComparisonError, match=r"'entities' differs in 4 of 4 joined rows: e0, e1, e2, e3"):
        measure_rewrites(new, SETTINGS, rewrites(hypotheses, entities=[["Shell"]] * 4))


def test_an_old_dump_may_hold_outputs_only() -> None:
    old = dump("old.parquet", example_id=["e0", "e1", "e2", "e3"], hypothesis=["to Coupa"] * 4)
    found = by_name(measure_rewrites(rewrites(["go there"] * 4), SETTINGS, old))
    assert found["entities"].columns["recall_drop"] == 1
    assert found["decisions"].columns["over_rewriting_old"] == 1


def test_a_turn_that_is_null_keeps_its_place_and_a_whole_float_is_an_index() -> None:
    turns = [None, "Coupa is 2 miles away", "go there"]
    found = by_name(measure_rewrites(rewrites(["go there"] * 4, source=[turns] * 4, base_index=[2.0] * 4), SETTINGS))
    assert found["decisions"].columns["under_rewriting"] == 1
    assert found["entities/distance=1"].columns["gold"] == 2


def test_the_overlap_of_two_dumps_comes_first() -> None:
    new = rewrites(["go there"] * 4)
    found = measure_rewrites(new, SETTINGS, new.taken([0, 1, 2]))[0]
    assert (found.role, found.columns["joined"], found.columns["overlap"]) == ("prediction_overlap", 3, 0.75)


def test_a_dump_of_plain_generation_has_no_decisions_and_no_entities() -> None:
    plain = dump(source=["a long article"] * 3, reference=["short"] * 3, hypothesis=["short", "long", "shorter"])
    assert applies(plain)
    assert set(by_name(measure_rewrites(plain, SETTINGS))) == {"repetition", "length", "truncation", "tokens", "bleu"}
    assert not applies(dump(label=["a"], prediction=["b"]))


def test_several_references_and_gold_slots_as_texts() -> None:
    new = rewrites(
        ["to Coupa"] * 2, [["go to Coupa", None, "drive to Coupa"], None], entities=[["Coupa", " Coupa "], ["Coupa"]]
    )
    found = by_name(measure_rewrites(new, SETTINGS))
    assert found["entities"].columns["gold"] == 1
    assert found["decisions"].columns["not_needed"] == 1


# Renamed entities


def test_values_are_replaced_at_once_and_the_longest_first() -> None:
    names = {tokens(old): tokens(new) for old, new in {"Palo Alto": "Ulm", "Ulm": "Palo Alto", "Palo": "Wien"}.items()}
    assert renamed(tokens("from Ulm to Palo Alto by Palo"), names) == tokens("from Palo Alto to Ulm by Wien")


def test_share_of_outputs_that_follow_their_entities() -> None:
    one = rewrites(["go to the cafe Coupa", "to Coupa!", "go there", "to Coupa"], entities=[["Coupa"]] * 4)
    names = [["Philz Coffee"]] * 3 + [["Coupa"]]
    other = rewrites(["go to the cafe Philz Coffee", "to Coupa", "go there", "to Shell"], entities=names)
    found = measure_swap(one, other, SETTINGS)[0]
    # In the fourth row nothing is renamed.
    assert (found.columns["examples"], found.columns["same"], found.columns["invariance"]) == (
        3,
        2,
        pytest.approx(2 / 3),
    )
    assert found.columns["invariance_low"] < 2 / 3 < found.columns["invariance_high"]
    nothing = measure_swap(one, one, SETTINGS)[0]
    assert nothing.undefined["invariance"] == "no entity is renamed in the second dump"


def test_entities_that_are_not_as_many_are_refused() -> None:
    with pytest.raises(ComparisonError, match=r"in 4 of 4 joined rows the entities are not as many"):
        measure_swap(rewrites(["go"] * 4), rewrites(["go"] * 4, entities=[["Shell"]] * 4), SETTINGS)
    with pytest.raises(ComparisonError, match="no column of entities"):
        measure_swap(rewrites(["go"] * 4), dump(hypothesis=["go"] * 4), SETTINGS)


# What training knows


def test_values_of_training_data_need_no_outputs() -> None:
    values = [("Coupa Cafe!", True), ("Shell", True), ("2 miles", False)]
    train = dump(entities=[[{"value": value, "gold": gold}] for value, gold in values])
    assert training_values(train) == {"coupa cafe", "shell"}
    with pytest.raises(ComparisonError, match="no column of entities"):
        training_values(dump(hypothesis=["go"]))


def test_a_vocabulary_has_one_word_a_line(tmp_path: Path) -> None:
    path = tmp_path / "vocab"
    path.write_text("the 123\nCafe\t7\n\nto\n", "utf-8")
    assert read_vocabulary(path, "vocab") == {"the", "cafe", "to"}
    path.write_text("\n", "utf-8")
    with pytest.raises(ComparisonError, match="vocab: holds no words"):
        read_vocabulary(path, "vocab")
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ComparisonError, match="vocab: cannot be read"):
        read_vocabulary(path, "vocab")


# Judged by the rules


def test_a_rewriter_that_lost_its_entities_fails_and_the_other_way_round_passes() -> None:
    good, bad = ["go there"] * 100 + ["go to the cafe Coupa"] * 100, ["go there"] * 200
    worse = judged(measure_rewrites(rewrites(bad), SETTINGS, rewrites(good)))
    failed = {(one.rule, one.severity.value) for one in worse.findings}
    assert {("RWR001", "error"), ("RWR003", "warning"), ("RWR009", "warning")} <= failed
    assert not {"RWR002", "RWR007"} & {rule for rule, _ in failed}
    message = next(one.message for one in worse.findings if one.rule == "RWR001")
    assert "from 1.000 to 0.000 (0 of 100 gold entities found, 0 others put in)" in message
    better = judged(measure_rewrites(rewrites(good), SETTINGS, rewrites(bad)))
    assert better.findings == ()
    passed = {one.rule for one in better.outcomes if one.outcome == "passed"}
    assert {"RWR001", "RWR002", "RWR003", "RWR006", "RWR012"} <= passed


def test_what_cannot_be_measured_is_skipped_with_its_reason_and_never_passed() -> None:
    part = judged(measure_rewrites(rewrites(["go there"] * 200), SETTINGS))
    reasons = {one.rule: one.reason for one in part.outcomes if one.outcome == "skipped"}
    assert "old model's dump" in str(reasons["RWR001"])
    assert "old model's dump" in str(reasons["RWR006"])
    assert "finish_reason" in str(reasons["RWR010"])
    assert "dump of the training data" in str(reasons["RWR008"])
    assert {"RWR011", "RWR012", "PTR001"} <= set(reasons)


def test_few_examples_are_inconclusive() -> None:
    part = judged(measure_rewrites(rewrites(["go there"] * 20), SETTINGS, rewrites(["go there"] * 20)))
    found = {one.rule: one for one in part.findings}
    assert found["RWR001"].severity.value == "info"
    assert found["RWR001"].message.startswith("inconclusive: 10 gold entities")
    assert found["RWR002"].message.startswith("inconclusive: ")


def test_columns_have_the_types_of_the_schema() -> None:
    # What a CSV or JSON file of the dump becomes: entities as texts of JSON.
    texts = pa.array(['[{"value": "Coupa", "gold": true}]', '["Coupa"]'])
    found = by_name(measure_rewrites(rewrites(["to Coupa"] * 2, ["go to Coupa"] * 2, entities=texts), SETTINGS))
    assert found["entities"].columns["gold"] == 2


def test_the_dump_in_the_text_is_measured_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (RULES.parents[1] / "docs" / "rewriters.md").read_text("utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    values = [
        {"value": "gas station", "type": "poi_type", "turn": 0, "gold": True},
        {"value": "Chevron", "type": "poi", "turn": 1, "gold": True},
        {"value": "2 miles", "type": "distance", "turn": 1, "gold": False},
    ]
    turns = ["where is a gas station", "Chevron is 2 miles away", "take me there", "setting the GPS for Chevron"]
    speakers = ["driver", "assistant"] * 2
    outputs = ["take me to the gas station Chevron", turns[3]]
    exec(snippet, {"turns": turns, "speakers": speakers, "outputs": outputs, "entities": values})
    read = read_table(tmp_path / "new.parquet", "new.parquet")
    assert applies(read)
    found = by_name(measure_rewrites(read, SETTINGS))
    assert set(found) >= {"entities", "decisions", "repetition", "length", "truncation", "tokens", "bleu"}
    assert (found["entities"].columns["gold"], found["entities"].columns["f1"]) == (2, 1)
    assert found["decisions"].columns["over_rewriting"] == 0
    assert found["truncation"].columns["stated"] == 2
