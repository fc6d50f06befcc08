"""The measures of the labelled bench, on verdicts that are written down here; what they must be follows from their definitions."""

import json
import math
from pathlib import Path

import pytest

from bench.accuracy import measures
from bench.accuracy.measures import Counts
from bench.accuracy.report import Judged, page
from bench.accuracy.verdicts import Label, Row, Verdict, labels, mlcheck_rows
from mlcheck.report import Confidence, Coverage, Finding, Report, RunInfo, Severity


def label(recipe: str, *, kind: str = "overfit", seed: int = 0, expects: tuple[str, ...] = ("overfit",)) -> Label:
    planted = () if kind == "healthy" else expects
    return Label(f"{recipe}/{seed}", Path(recipe), recipe, kind, "development", seed, planted, scalars_only=True)


def said(of: Label, *rows: str) -> Verdict:
    """Rows as `level name`."""
    return Verdict(of, tuple(Row(name, level) for level, name in (one.split() for one in rows)))


def healthy(recipe: str, *rows: str, seed: int = 0) -> Verdict:
    return said(label(recipe, kind="healthy", seed=seed), *rows)


def faulty(recipe: str, *rows: str, seed: int = 0, kind: str = "overfit") -> Verdict:
    return said(label(recipe, kind=kind, seed=seed), *rows)


MIXED = [
    faulty("a", "error overfit"),
    faulty("b", "warning loss-spike", "error overfit"),
    faulty("c", "warning loss-spike", "info overfit"),
    faulty("d"),
    healthy("e"),
    healthy("f", "info still-improving"),
    healthy("g", "warning loss-spike"),
    healthy("h", "error overfit"),
]


def test_counts_at_both_levels() -> None:
    assert measures.counts(MIXED, "error") == Counts(hits=2, misses=2, false_alarms=1, quiet=3)
    assert measures.counts(MIXED, "warning") == Counts(hits=3, misses=1, false_alarms=2, quiet=2)
    assert measures.counts(MIXED, "info") == Counts(hits=3, misses=1, false_alarms=3, quiet=1)


def test_rates_and_youden() -> None:
    found = measures.counts(MIXED, "warning")
    assert (found.recall, found.false_alarm_rate, found.youden) == (0.75, 0.5, 0.25)


def test_matthews_is_the_correlation_of_both_indicators() -> None:
    # Pearson's correlation of (planted, said) over the 10 runs of this table, by hand: cov = 4·5 - 1·0 over n².
    found = Counts(hits=4, misses=0, false_alarms=1, quiet=5)
    assert found.matthews == pytest.approx(20 / math.sqrt(5 * 4 * 6 * 5))
    assert Counts(4, 0, 0, 6).matthews == 1
    assert Counts(0, 4, 6, 0).matthews == -1


def test_always_alarming_finds_everything_and_is_worth_nothing() -> None:
    found = measures.counts(measures.always_alarm(MIXED), "error")
    assert (found.recall, found.false_alarm_rate, found.youden, found.matthews) == (1, 1, 0, 0)
    assert measures.top(measures.always_alarm(MIXED), 1) == 0


def test_silence_is_worth_nothing() -> None:
    found = measures.counts([Verdict(one.label, ()) for one in MIXED], "error")
    assert (found.recall, found.youden, found.matthews) == (0, 0, 0)


def test_no_runs_have_no_rates() -> None:
    found = measures.counts([], "error")
    assert math.isnan(found.recall)
    assert math.isnan(found.false_alarm_rate)
    assert math.isnan(measures.top([], 1))
    assert math.isnan(measures.median_rows([]))


def test_top_counts_rows_at_warning_or_above_of_detected_faulty_runs() -> None:
    # a names it first, b second, c only as an info; d is not detected, the others are healthy.
    assert measures.top(MIXED, 1) == pytest.approx(1 / 3)
    assert measures.top(MIXED, 3) == pytest.approx(2 / 3)


def test_infos_before_it_do_not_push_a_row_down() -> None:
    one = faulty("a", "info x", "info y", "info z", "warning overfit")
    assert one.hit(1)


def test_another_tool_s_name_counts_as_ours() -> None:
    one = Verdict(label("a"), (Row("overfitting", "warning", stands_for=("overfit",)),))
    assert one.hit(1)
    assert not Verdict(label("a"), (Row("overfitting", "warning"),)).hit(1)


def test_median_rows() -> None:
    three = faulty("x", "error overfit", "error a", "warning b", "info c")
    assert measures.median_rows([*MIXED, three]) == 1.5  # a: 1, b: 2, c: 1, x: 3
    assert measures.median_rows(MIXED[:3]) == 1


def test_lists() -> None:
    assert [one.label.recipe for one in measures.missed(MIXED)] == ["c", "d"]
    assert [one.label.recipe for one in measures.wrongly_named(MIXED)] == ["b", "c"]
    assert [one.label.recipe for one in measures.false_alarms(MIXED)] == ["g", "h"]


def test_by_kind_is_sorted_and_leaves_healthy_runs_out() -> None:
    found = measures.by_kind([faulty("a", kind="z"), faulty("b", kind="k"), healthy("c"), faulty("d", kind="z")])
    assert {kind: [one.label.recipe for one in runs] for kind, runs in found.items()} == {"k": ["b"], "z": ["a", "d"]}
    assert list(found) == ["k", "z"]


def test_interval_of_a_sure_measure_has_no_width() -> None:
    sure = [*(faulty("a", "error overfit", seed=seed) for seed in range(3)), healthy("b"), healthy("c")]
    found = measures.with_interval(sure, "error", lambda one: one.youden)
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_interval_draws_whole_recipes() -> None:
    # Two recipes of 100 seeds each, one always detected, one never: a draw of two recipes has recall 0, 1/2 or 1, never
    # between, so that the interval is the whole range. Drawn run by run it would be 0.43 to 0.57.
    clustered = [
        *(faulty("a", "error overfit", seed=seed) for seed in range(100)),
        *(faulty("b", seed=seed) for seed in range(100)),
        healthy("c"),
    ]
    found = measures.with_interval(clustered, "error", lambda one: one.recall)
    assert (found.value, found.low, found.high) == (0.5, 0, 1)


def test_interval_holds_the_value_and_is_the_same_again() -> None:
    found = measures.with_interval(MIXED, "error", lambda one: one.matthews)
    assert found.low <= found.value <= found.high
    assert found == measures.with_interval(MIXED, "error", lambda one: one.matthews)


def finding(name: str, severity: Severity, print_: str, cause: str | None = None) -> Finding:
    return Finding(
        rule=name.upper(),
        name=name,
        category="loss",
        severity=severity,
        confidence=Confidence.HIGH,
        reasons=(),
        run="r",
        labels={},
        series=("loss",),
        axis="step",
        first_step=0,
        last_step=9,
        onset=0,
        points=10,
        value=1.0,
        limit=0.5,
        message=name,
        advice="",
        headline="",
        fingerprint=print_,
        caused_by=cause,
    )


def test_rows_of_a_report_are_its_roots_at_the_level_of_what_they_explain() -> None:
    run = RunInfo("r", "r", "r", 1, 10, 0, 9, "step", None, ("csv",), "supervised", "", coverage=Coverage(1, 1))
    findings = (
        finding("cause", Severity.WARNING, "1"),
        finding("effect", Severity.ERROR, "2", cause="1"),
        finding("remark", Severity.INFO, "3"),
    )
    found = mlcheck_rows(Report("", (run,), (), findings, (), ()))
    assert [(row.name, row.level) for row in found] == [("cause", "error"), ("remark", "info")]


def test_labels_are_read_from_beside_the_runs(tmp_path: Path) -> None:
    run = tmp_path / "development" / "mlp" / "2"
    run.mkdir(parents=True)
    written = {
        "recipe": "mlp",
        "kind": "overfit",
        "half": "development",
        "seed": 2,
        "expects": ["overfit"],
        "since": 40,
        "layer": None,
        "scalars_only": False,
        "framework": "torch",
        "logger": "csv",
    }
    run.with_name("2.label.json").write_text(json.dumps(written))
    (found,) = labels(tmp_path, "development")
    assert (found.run, found.path, found.expects, found.since) == ("mlp/2", run, ("overfit", "generalisation-gap"), 40)
    assert found.faulty
    assert not found.scalars_only
    assert labels(tmp_path, "held-out") == []
    run.rmdir()
    with pytest.raises(ValueError, match="train again"):
        labels(tmp_path, "development")


def test_page_shows_figures_and_runs() -> None:
    text = page([Judged("development", {"mlcheck": MIXED, "peer": MIXED[:2] + MIXED[4:]})], "2026-01-31", "1.2.3")
    assert "2026-01-31 with mlcheck 1.2.3" in text
    assert "| mlcheck | error | 0.50 [" in text
    assert "| mlcheck | warning | 0.75 [" in text
    assert "| always alarm |  | 1.00 | 1.00 | 0.00 | 0.00 |" in text
    assert "| overfit | 4 | 2 | 3 | 1 | 2 | 1.0 |" in text
    assert "- `d/0` scalars (overfit; expected overfit): nothing" in text
    assert "- `g/0` scalars: warning loss-spike" in text
