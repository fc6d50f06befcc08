import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from mlcheck.report import Best, Coverage, Gap, Outcome, Report, SeriesInfo, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.inspection import render_inspection
from mlcheck.reporters.registry import get
from tests.reporters.example import RULES, empty, everything, failing, finding, healthy, hostile, run, sweep

SGR = re.compile(r"\x1b\[[0-9;]*m")


def draw(report: Report, **options: object) -> str:
    return get("terminal").render(report, Options(**options))  # type: ignore[arg-type]


def test_a_healthy_run_is_two_lines() -> None:
    assert len(draw(healthy(), width=200).splitlines()) == 2


@pytest.mark.parametrize("width", [60, 80, 130])
@pytest.mark.parametrize("name", tuple(everything()))
def test_no_line_is_longer_than_the_terminal_nor_ends_in_blanks(name: str, width: int) -> None:
    report = everything()[name]
    for text in (
        draw(report, width=width),
        draw(report, width=width, verbose=True),
        render_inspection(report, Options(width=width)),
    ):
        for line in text.splitlines():
            assert cell_len(line) <= width, line
            assert line == line.rstrip()


@pytest.mark.parametrize("color", [False, True])
def test_hostile_names_do_nothing(color: bool) -> None:
    report = hostile()
    for width in range(40, 140, 7):
        options = Options(width=width, color=color, verbose=True, show_suppressed=True)
        for text in (get("terminal").render(report, options), render_inspection(report, options)):
            plain = SGR.sub("", text) if color else text
            text.encode("utf-8")
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain)
            assert not any(line.lstrip().startswith("::") or "##[" in line for line in plain.splitlines())
            assert "[red]bold[/red]" in plain


def test_color_changes_nothing_but_color() -> None:
    for report in everything().values():
        assert SGR.sub("", draw(report, color=True)).split() == draw(report).split()


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = draw(failing())
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "20", "TTY_COMPATIBLE": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    assert draw(failing()) == before


def test_quiet_is_the_verdict_only() -> None:
    assert draw(healthy(), quiet=True) == "good: healthy. Best val loss 0.2035 at step 9,800.\n"
    assert draw(sweep(), quiet=True, width=200).startswith(
        "12 runs: 3 with errors, 2 with warnings, 6 healthy, 1 not judged.\n"
    )


def test_hidden_rows_are_counted() -> None:
    text = draw(failing(), min_severity=Severity.ERROR, width=200)
    assert "overfit" not in text
    assert "step-went-back" not in text
    assert "2 rows below error not shown" in text
    assert "2 errors, 1 warning, 1 info (15 findings)" in text


def test_a_cause_is_shown_for_the_severity_of_what_it_explains() -> None:
    root = finding("AAA001", "the-cause", "r", severity=Severity.INFO)
    effect = finding("BBB001", "the-effect", "r", caused_by="AAA001-r")
    text = draw(Report("0", (run("r"),), (), (root, effect), (), RULES), min_severity=Severity.ERROR)
    assert "the-cause AAA001" in text
    assert "explains   the-effect" in text


def test_nothing_is_a_finding_when_there_is_no_run() -> None:
    text = draw(empty())
    assert text.startswith("No run found.\n")
    assert "14 files unreadable" in text
    assert "4 more" in text
    assert "no findings" not in text


def test_a_missing_path_without_a_note_is_named() -> None:
    report = replace(healthy(), missing_paths=("logs/none",), unmet=("--require GEN001: skipped in good",))
    text = draw(report)
    assert "! No run data at logs/none.\n" in text
    assert "! --require GEN001: skipped in good\n" in text


def test_three_runs_are_drawn_and_four_are_summarised() -> None:
    def runs(count: int) -> Report:
        infos = tuple(run(f"run{i}") for i in range(count))
        return Report("0", infos, (), tuple(finding("A1", "a", info.name) for info in infos), (), RULES)

    three, four = draw(runs(3)), draw(runs(4))
    assert [f"run{i}: a occurs" in three for i in range(3)] == [True] * 3
    assert four.startswith("4 runs: 4 with errors.\n")


def test_a_thousand_runs_stay_short_and_lose_no_count() -> None:
    text = draw(sweep(1_000))
    assert len(text.splitlines()) < 60
    assert "250 with errors, 2 with warnings, 747 healthy, 1 not judged" in text
    assert "250 of 1,000 runs, all with learning_rate ≥ 0.0751" in text
    assert "232 more" in text


def test_the_setting_that_splits_a_rule_is_named() -> None:
    report = sweep()
    (split,) = report.splits
    assert "all with learning_rate ≥ 0.0512, and only those" in draw(report, width=160)
    mixed = replace(split, failed_with=4, runs_with=5, failed_without=1, runs_without=6)
    assert "4 of 5 with learning_rate ≥ 0.0512, 1 of 6 without" in draw(replace(report, splits=(mixed,)), width=160)
    assert "learning_rate ≥" not in draw(replace(report, splits=()), width=160)


@pytest.mark.parametrize(
    ("better", "said"),
    [
        ("higher", "Best val/acc 0.9 at step 2 in run2; worst of 3 runs 0.7 in run0."),
        ("lower", "Best val/acc 0.7 at step 0 in run0; worst of 3 runs 0.9 in run2."),
        ("", None),
    ],
)
def test_best_and_worst_run_by_a_metric_need_its_direction(better: str, said: str | None) -> None:
    infos = [run(f"run{i}", best=Best("val/acc", "metric", "val", i, 0.7 + 0.1 * i)) for i in range(3)]
    labels = {"better": better} if better else {}
    series = tuple(SeriesInfo(info.name, "val/acc", "metric", labels, "", 1, 0, 1, 1, 0) for info in infos)
    report = Report("0", (*infos, run("run3", best=None)), (), (), (), RULES, series)
    text = draw(report, width=200)
    assert ("Best" in text) == (said is not None)
    assert said is None or said in text


def test_what_most_runs_lack_is_said_once() -> None:
    gap = Gap("learning rate", ("OPT001",), "log it with writer.add_scalar('lr', …)")
    infos = tuple(run(f"run{i}", best=None, coverage=Coverage(8, 7, (gap,) if i else ())) for i in range(4))
    text = draw(Report("0", infos, (), (), (), RULES), width=200)
    assert "Not logged: learning rate in 3 runs (log it with writer.add_scalar('lr', …)).\n" in text


def test_a_crashed_rule_is_never_silent() -> None:
    report = healthy()
    crashed = Outcome("OPT001", "good", "errored", "ZeroDivisionError: division by zero")
    text = draw(replace(report, outcomes=(*report.outcomes[:-1], crashed)), width=200)
    assert "healthy" not in text
    assert "1 rule failed to run (OPT001)" in text


def test_inspection_is_bounded_unless_verbose() -> None:
    report = failing()
    many = replace(report, series=tuple(replace(report.series[0], name=f"tag{i}") for i in range(500)))
    assert "300 more series (-v shows all)" in render_inspection(many, Options())
    full = render_inspection(many, Options(verbose=True))
    assert "tag499" in full
    assert "more series" not in full
