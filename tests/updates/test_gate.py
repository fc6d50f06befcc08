"""Copy gates, coverage and attention: from numbers counted by hand, and from pointer-generator's own file."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcheck.updates.attention import coverage_losses, is_attention_file, longest_run, read_attention
from mlcheck.updates.base import ComparisonError, facts
from mlcheck.updates.gate import applies_gate, measure_gate
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.table import PredictionTable
from tests.updates.text_dumps import by_name, dump

SETTINGS = RewriteSettings(draws=200)


def measured(one: PredictionTable, settings: RewriteSettings = SETTINGS, **others: PredictionTable) -> dict[str, Any]:
    return by_name(measure_gate(one, settings, **others))


# The gate


def test_shares_and_means_are_over_tokens_and_not_over_examples() -> None:
    found = measured(dump(p_gen=[[0.0], [1.0, 0.96, 0.5], None, []]))["gate"].columns
    assert (found["examples"], found["tokens"]) == (2, 4)
    assert found["p_gen_mean"] == pytest.approx(2.46 / 4)
    assert (found["gate_closed"], found["gate_open"]) == (0.25, 0.5)
    bits = -(0.96 * math.log2(0.96) + 0.04 * math.log2(0.04))
    assert found["gate_entropy"] == pytest.approx((0 + 0 + bits + 1) / 4)
    assert found["gate_open_low"] < 0.5 < found["gate_open_high"]


def test_tokens_of_one_example_are_no_independent_witnesses() -> None:
    rows = [[0.0] * 50] * 10 + [[1.0] * 50] * 10
    found = measured(dump(p_gen=rows))["gate"].columns
    # Twenty examples, as Clopper and Pearson have ten of twenty.
    assert found["gate_closed_low"] < 0.28
    assert found["gate_closed_high"] > 0.72


def test_copied_tokens() -> None:
    assert measured(dump(p_gen=[[0.1, 0.9]], copied=[[True, False]]))["gate"].columns["copied_tokens"] == 0.5
    assert measured(dump(p_gen=[[0.1, 0.9]]))["gate"].undefined["copied_tokens"] == "no column `copied`"


def test_need_is_what_stands_in_the_source_and_not_in_the_vocabulary() -> None:
    one = dump(
        p_gen=[[0.4, 0.6], [0.1]],
        source=[["where is Coupa", "2 miles"], ["drive home"]],
        reference=["drive to Coupa 2 miles", "drive home"],
    )
    known = RewriteSettings(draws=200, vocabulary=frozenset({"drive", "to", "miles"}))
    found = measured(one, known)["gate"].columns
    # Of 7 reference tokens coupa, 2, miles, drive and home stand in their source; coupa, 2 and home in no vocabulary.
    assert found["copy_possible"] == pytest.approx(5 / 7)
    assert found["copy_need"] == pytest.approx(3 / 7)
    assert found["copy_observed"] == pytest.approx(1 - 1.1 / 3)
    assert found["copy_gap"] == pytest.approx(1 - 1.1 / 3 - 3 / 7)
    without = measured(one)["gate"]
    assert "copy_need" not in without.columns
    assert without.columns["copy_possible"] == pytest.approx(5 / 7)
    assert "vocabulary" in without.undefined["copy_gap_low"]
    assert "no columns `source` and `reference`" in measured(dump(p_gen=[[0.1]]), known)["gate"].undefined["copy_gap"]


def test_exposure_gap_from_a_column_or_a_second_dump() -> None:
    rows, forced = [[0.1, 0.3], [0.2]], [[0.5], [0.6, 0.7]]
    ids = ["b", "a"]
    expected = 0.6 - 0.2
    one = measured(dump(p_gen=rows, p_gen_forced=forced, example_id=ids))["gate"].columns
    second = dump(p_gen=forced[::-1], example_id=ids[::-1])
    two = measured(dump(p_gen=rows, example_id=ids), forced=second)["gate"].columns
    assert one == two
    assert one["exposure_gap"] == pytest.approx(expected)
    assert "teacher forcing" in measured(dump(p_gen=rows))["gate"].undefined["exposure_gap"]


def test_the_old_model_stands_beside_the_new_one() -> None:
    found = measured(dump(p_gen=[[0.2], [0.4]]), old=dump(p_gen=[[0.6], [0.8]]))["gate"].columns
    assert (found["p_gen_mean"], found["p_gen_mean_old"]) == (pytest.approx(0.3), pytest.approx(0.7))


# Coverage


def test_coverage_loss_by_its_definition() -> None:
    attention = np.array([[0.7, 0.3, 0.0], [0.5, 0.0, 0.5], [0.1, 0.9, 0.0]])
    expected = []
    for step, row in enumerate(attention):
        before = [sum(attention[t, i] for t in range(step)) for i in range(3)]
        expected.append(sum(min(row[i], before[i]) for i in range(3)))
    assert coverage_losses(attention) == pytest.approx(expected)
    assert expected[0] == 0


def test_coverage_is_a_mean_of_examples_and_a_ratio_to_the_references() -> None:
    found = measured(dump(cov_loss=[[0.2, 0.4], [0.9]], cov_loss_forced=[[0.2], [0.2, 0.2]]))["coverage"].columns
    assert found["coverage_loss"] == pytest.approx((0.3 + 0.9) / 2)
    assert found["coverage_ratio"] == pytest.approx(0.6 / 0.2)
    assert found["coverage_ratio_low"] <= 3 <= found["coverage_ratio_high"]
    alone = measured(dump(cov_loss=[[0.2], [0.4]]))["coverage"]
    assert "cov_loss_forced" in alone.undefined["coverage_ratio"]
    nothing = measured(dump(cov_loss=[[0.2], [0.4]], cov_loss_forced=[[0.0], [0.0]]))["coverage"]
    assert nothing.undefined["coverage_ratio"] == "the coverage loss under teacher forcing is 0"


# Attention


@pytest.mark.parametrize(
    ("values", "run"), [([1], 1), ([1, 1, 2], 2), ([1, 2, 2, 2, 1], 3), ([3, 3, 3], 3), ([1, 2, 3], 1)]
)
def test_longest_run(values: list[int], run: int) -> None:
    assert longest_run(np.array(values, dtype=float)) == run


def test_collapsed_diffuse_and_stuck_attention() -> None:
    most = math.log(10)
    found = measured(
        dump(
            attn_entropy=[[0.01, 0.02, 5e-3], [most, most, most], [1.0, 1.2, 0.9], [0.01, 1.0, 1.0]],
            attn_argmax=[[0, 1, 0], [9, 9, 9], [2, 3, 4], [5, 5, 5]],
            src_len=[10, 10, 10, 10],
        ),
        RewriteSettings(draws=200, stuck_tokens=3),
    )["attention"].columns
    assert [found[name] for name in ("collapsed", "diffuse", "stuck", "degenerate")] == [0.25, 0.25, 0.5, 0.75]
    assert (found["peak_at_first_position"], found["peak_at_last_position"]) == (2 / 12, 3 / 12)
    assert found["degenerate_low"] < 0.75 < found["degenerate_high"]


def test_entropy_alone_and_peaks_alone() -> None:
    entropy = measured(dump(attn_entropy=[[0.0]], src_len=[5]))["attention"]
    assert entropy.columns["degenerate"] == 1
    assert "attn_argmax" in entropy.undefined["stuck"]
    peaks = measured(dump(attn_argmax=[[1, 1, 1, 1]]))["attention"]
    assert (peaks.columns["stuck"], peaks.columns["degenerate"]) == (1, 1)
    assert "attn_entropy" in peaks.undefined["collapsed"]


def test_one_source_position_has_no_normalised_entropy() -> None:
    found = measured(dump(attn_entropy=[[0.0], [0.0]], src_len=[1, 10]))["attention"].columns
    assert (found["examples"], found["collapsed"]) == (1, 1)
    only = measured(dump(attn_entropy=[[0.0]], src_len=[1]))["attention"]
    assert "src_len above 1" in only.undefined["collapsed"]
    assert "degenerate" not in only.columns


def test_entropy_that_is_normalised_already() -> None:
    one = dump(attn_entropy=[[0.5, 0.99, 0.97]], metadata={"attn_entropy_unit": "normalised"})
    assert measured(one)["attention"].columns["diffuse"] == 1


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            {"p_gen": [[0.5], [1.5], [-0.1]]},
            r"'p_gen' is missing, not finite or not within 0 to 1 in 2 of 3 rows: 1, 2",
        ),
        ({"p_gen": [[0.5], [math.nan], [0.5]]}, r"'p_gen' is missing, not finite .* in 1 of 3 rows: 1"),
        ({"p_gen": [[0.5], [None], [0.5]]}, r"in 1 of 3 rows: 1"),
        ({"p_gen": [0.5, 0.5, 0.5]}, r"'p_gen' must hold a list"),
        ({"p_gen": [["a"], ["b"], ["c"]]}, r"'p_gen' must hold numbers"),
        (
            {"p_gen": [[0.5], [0.5], [0.5]], "cov_loss": [[0.1], [0.1, 0.2], None]},
            r"have not as many tokens in 1 of 3 rows: 1",
        ),
        (
            {"attn_entropy": [[0.1]] * 3, "src_len": ["ten"] * 3},
            "column 'src_len' must hold numbers; it holds string",
        ),
        (
            {"attn_entropy": [[3.0], [0.1], [0.1]], "src_len": [10] * 3},
            r"is above ln\(src_len\), its greatest value, in 1 of 3 rows: 0",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(columns: dict[str, Any], told: str) -> None:
    with pytest.raises(ComparisonError, match=told):
        measured(dump(**columns))


def test_a_unit_of_entropy_that_is_not_known() -> None:
    with pytest.raises(ComparisonError, match="attn_entropy_unit must be nats or normalised; it is 'bits'"):
        measured(dump(attn_entropy=[[0.5]], src_len=[5], metadata={"attn_entropy_unit": "bits"}))


# Over steps


def test_one_row_for_each_training_step_and_the_slope_on_the_last() -> None:
    steps = [1000, 1000, 2000, 2000, 3000, 3000]
    gates = [[0.5], [0.5], [0.4], [0.4], [0.3], [0.3]]
    measures = measure_gate(dump(p_gen=gates, step=steps, example_id=["a", "b"] * 3), SETTINGS)
    rows = [one for one in measures if one.name == "gate over steps"]
    assert [(one.step, one.columns["p_gen_mean"]) for one in rows] == [(1000, 0.5), (2000, 0.4), (3000, 0.3)]
    assert rows[-1].columns["p_gen_slope"] == pytest.approx(-0.1)
    assert measures[0].columns["tokens"] == 2
    series = {one.name: one for one in facts(measures)}["gate over steps"]
    assert series.steps.tolist() == [1000, 2000, 3000]


def test_a_dump_without_steps_has_no_trend() -> None:
    assert set(measured(dump(p_gen=[[0.5]]))) == {"gate"}


def test_rows_in_another_order_give_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.random(rng.integers(1, 9)).tolist() for _ in range(40)]
    one = dump(
        p_gen=rows, cov_loss=rows, example_id=[f"e{n}" for n in range(40)], group_id=[f"g{n // 3}" for n in range(40)]
    )
    assert measure_gate(one, SETTINGS) == measure_gate(one.taken(rng.permutation(40)), SETTINGS)


def test_each_split_is_measured_on_its_own() -> None:
    found = measured(dump(p_gen=[[0.1], [0.9]], split=["dev", "test"]))
    assert [found[f"gate/split={name}"].columns["p_gen_mean"] for name in ("dev", "test")] == [0.1, 0.9]


def test_dumps_without_any_of_it() -> None:
    assert not applies_gate(dump(hypothesis=["a"]))
    assert measure_gate(dump(hypothesis=["a"], p_gen=[None]), SETTINGS) == []


# attn_vis_data.json

ATTENTION = [[0.7, 0.3, 0.0], [0.5, 0.0, 0.5], [0.2, 0.2, 0.6]]


def written(tmp_path: Path, **changes: Any) -> Path:
    data = {
        "article_lst": ["drive", "to", "__coupa__"],
        "decoded_lst": ["to", "coupa"],
        "abstract_str": "to !!__coupa__!! .",
        "attn_dists": ATTENTION,
        "p_gens": [[0.25], [0.5], [0.9]],
    }
    path = tmp_path / "attn_vis_data.json"
    path.write_text(
        json.dumps({key: value for key, value in {**data, **changes}.items() if value is not None}), "utf-8"
    )
    return path


def test_the_file_of_pointer_generator_is_read_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert is_attention_file(path)
    found = read_attention([(path, "attn_vis_data.json")])
    row = found.table.to_pylist()[0]
    assert (row["source"], row["hypothesis"], row["reference"]) == ("drive to coupa", "to coupa", "to coupa .")
    # The third step wrote the end of the text.
    assert row["p_gen"] == [0.25, 0.5]
    assert row["attn_argmax"] == [0, 0]
    assert row["attn_entropy"] == pytest.approx([-(0.7 * math.log(0.7) + 0.3 * math.log(0.3)), math.log(2)])
    assert row["cov_loss"] == pytest.approx([0.0, 0.5])
    measures = measured(found, RewriteSettings(draws=100, vocabulary=frozenset({"to"})))
    assert set(measures) == {"gate", "coverage", "attention"}
    assert measures["gate"].columns["copy_need"] == pytest.approx(1 / 2)


def test_without_a_gate_or_attention(tmp_path: Path) -> None:
    found = read_attention([(written(tmp_path, p_gens=None, attn_dists=None), "a"), (written(tmp_path), "b")])
    assert "p_gen" in found.table.column_names
    assert found.table.column("hypothesis").to_pylist() == ["to coupa"] * 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"article_lst": None}, "article_lst must be a list of words"),
        ({"decoded_lst": ["to", 3]}, "decoded_lst must be a list of words"),
        ({"attn_dists": [[0.5, 0.5]]}, r"attn_dists has the shape \(1, 2\)"),
        ({"attn_dists": [[0.5, 0.5, 0], [1]]}, "attn_dists must hold numbers, as many in each row"),
        ({"attn_dists": [[0.5, -0.5, 1.0]] * 2}, "attn_dists holds 2 values that are no weights"),
        ({"p_gens": [0.1]}, r"p_gens has the shape \(1,\)"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ComparisonError, match=told):
        read_attention([(written(tmp_path, **changes), "attn_vis_data.json")])


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "attn_vis_data.json"
    path.write_text("[1", "utf-8")
    with pytest.raises(ComparisonError, match=r"attn_vis_data\.json: cannot be read"):
        read_attention([(path, "attn_vis_data.json")])
    path.write_text("[1]", "utf-8")
    with pytest.raises(ComparisonError, match="must be an object"):
        read_attention([(path, "attn_vis_data.json")])
