from dataclasses import replace

import pytest

from mlcheck.report import Best, Coverage, Gap, Outcome, Report, RunInfo, SeriesInfo, Severity, SourceStatus
from mlcheck.reporters.verdict import coverage, verdict
from mlcheck.reporters.view import views
from tests.reporters.example import RULES, failing, finding, healthy, run


def sentence(report: Report) -> str:
    return verdict(views(report)[0])


def one(info: RunInfo | None = None, *findings: object, **changes: object) -> Report:
    base = Report("0", (info or run("r", best=None),), (), tuple(findings), (), RULES)  # type: ignore[arg-type]
    return replace(base, **changes)  # type: ignore[arg-type]


def test_the_root_cause_leads_with_onset_cost_and_best() -> None:
    assert sentence(failing()) == (
        "exp1: gradients vanish from step 1,200 of 10,000; 88 % of the run, 5.4 h, came after it. "
        "Best val loss 0.412 at step 1,150."
    )


def test_a_healthy_run() -> None:
    assert sentence(healthy()) == "good: healthy. Best val loss 0.2035 at step 9,800."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cost": None}, "the loss diverges from step 1,200 of 10,000"),
        ({"onset": None}, "the loss diverges"),
        ({"onset": 0}, "the loss diverges from the first step on"),
        ({"healed": True, "last_step": 1_300}, "the loss diverges from step 1,200 of 10,000; healed after step 1,300"),
        ({"healed": True, "last_step": 1_200}, "the loss diverges at step 1,200 of 10,000"),
        ({"axis": "epoch", "onset": 12, "cost": None}, "the loss diverges from epoch 12"),
        ({"headline": ""}, "loss divergence from step 1,200 of 10,000; 88 % of the run, 5.4 h, came after it"),
    ],
)
def test_statements(changes: dict[str, object], said: str) -> None:
    found = finding("LOS003", "loss-divergence", "r", **({"headline": "the loss diverges"} | changes))
    assert sentence(one(None, found)) == f"r: {said}."


def test_epochs_of_a_run_by_epoch() -> None:
    info = run("r", axis="epoch", last_step=20, best=Best("val/acc", "metric", "val", 7, 0.5, "epoch"))
    found = finding("GEN001", "overfit", "r", axis="epoch", onset=12, last_step=20, headline="it overfits", cost=None)
    assert sentence(one(info, found)) == "r: it overfits from epoch 12 of 20. Best val/acc 0.5 at epoch 7."


def test_only_infos() -> None:
    assert sentence(one(None, finding("A", "a", "r", severity=Severity.INFO))) == "r: no errors or warnings."


def test_an_info_that_explains_an_error_leads() -> None:
    root = finding("A", "a", "r", severity=Severity.INFO, onset=None, headline="the run restarts")
    effect = finding("B", "b", "r", caused_by="A-r", headline="the loss jumps")
    assert sentence(one(None, root, effect)) == "r: the run restarts."


def test_unmeasured_is_never_called_healthy() -> None:
    gap = Gap("training loss", ("LOS001",), "")
    nothing = run("r", best=None, coverage=Coverage(8, 0, (gap,)))
    assert sentence(one(nothing)) == "r: nothing could be judged: no training loss logged."
    for_none = run("r", best=None, regime="rl", coverage=Coverage(0, 0))
    assert sentence(one(for_none)) == "r: nothing could be judged: no rule is for rl runs."
    hollow = run("r", best=None, series=0, coverage=Coverage(8, 0))
    assert sentence(one(hollow)) == "r: nothing could be judged: it holds no series."
    skipped = (Outcome("LOS001", "r", "skipped", "loss: 3 of 20 points", kind="short"),)
    short = run("r", best=None, coverage=Coverage(8, 0))
    assert sentence(one(short, outcomes=skipped)) == "r: nothing could be judged: loss: 3 of 20 points."


def test_without_a_curve_the_scalars_of_unknown_role_are_named() -> None:
    info = run("r", best=None, coverage=Coverage(8, 6, curve_judged=False))
    names = ("optimise.verdict[fit]", "judge.verdict", "judge.share")
    unknown = tuple(SeriesInfo("r", name, "other", {}, "nothing known matches", 9, 0, 8, 1, 0) for name in names)
    known = SeriesInfo("r", "weights/fc1", "weight", {}, "'weights'", 9, 0, 8, 1, 0, "tensor")
    start = "r: no problem found, but no loss, validation or reward curve could be judged"
    assert sentence(one(info, series=(known,))) == f"{start}."
    said = "no role is known for optimise.verdict[fit], judge.verdict and 1 more: give them one under [roles] of mlcheck.toml"
    assert sentence(one(info, series=(known, *unknown))) == f"{start}; {said}."
    losses = tuple(SeriesInfo("r", name, "loss", {}, "'nll'", 9, 0, 8, 1, 0) for name in ("a.nll", "b.nll"))
    said = "of the losses a.nll, b.nll none is told to be the total: give their split or role under [roles] of mlcheck.toml"
    assert sentence(one(info, series=(known, *losses))) == f"{start}; {said}."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runs": (run("r", best=None, coverage=Coverage(8, 3)),)}, "no problem found, but only 3 of 8 rules could be"),
        ({"runs": (run("r", best=None, coverage=Coverage(8, 4)),)}, "healthy"),
        ({"outcomes": (Outcome("X1", "r", "errored", "ZeroDivisionError"),)}, "no problem found, but 1 rule failed to"),
        ({"findings": (finding("A", "a", "r", status="baselined"),)}, "no new errors or warnings (1 known finding set"),
        (
            {"sources": (SourceStatus("f", "tensorboard", "partial", run="r"),)},
            "no problem found in what could be read",
        ),
        ({"sources": (SourceStatus("f", "tensorboard", "partial", run="r", tail_only=True),)}, "healthy"),
        ({"sources": (SourceStatus("f", "tensorboard", "unreadable", run="other"),)}, "healthy"),
    ],
)
def test_healthy_only_without_doubt(changes: dict[str, object], said: str) -> None:
    assert sentence(one(**changes)).startswith(f"r: {said}")


def test_coverage_names_gaps_and_how_to_close_them() -> None:
    gaps = tuple(Gap(what, (), how) for what, how in (("val loss", "log one."), ("a", ""), ("b", ""), ("c", "")))
    view = views(one(run("r", coverage=Coverage(8, 4, gaps))))[0]
    assert coverage(view) == (
        "Checked 4 of 8 rules that apply (supervised). "
        "Not checked: val loss (none logged: log one), a (none logged), b (none logged) and 1 more."
    )
    assert coverage(views(one(run("r", coverage=Coverage(8, 8))))[0]) == "Checked all 8 rules that apply (supervised)."
    unknown = run("r", regime="unknown", coverage=Coverage(0, 0))
    assert coverage(views(one(unknown))[0]) == "No rule applies (unknown regime)."


def test_what_one_line_would_log_is_said_together_and_long_lines_only_where_there_is_room() -> None:
    line = "writer.add_scalar('val/accuracy', accuracy, step)"
    gaps = tuple(Gap(what, (), how) for what, how in (("accuracy", line), ("lr", "l" * 90), ("val accuracy", line)))
    view = views(one(run("r", coverage=Coverage(8, 4, gaps))))[0]
    assert coverage(view).endswith(f"Not checked: accuracy, val accuracy (none logged: {line}), lr (none logged).")
    assert coverage(view, 100).endswith(f"lr (none logged: {'l' * 90}).")
    long_first = views(one(run("r", coverage=Coverage(8, 4, gaps[1:2]))))[0]
    assert coverage(long_first).endswith(f"Not checked: lr (none logged: {'l' * 90}).")


def test_too_short_is_not_said_to_be_missing() -> None:
    gaps = (Gap("loss", ("LOS001",), ""), Gap("learning rate", ("OPT001",), "log it"))
    outcomes = (
        Outcome("LOS001", "r", "skipped", "loss: 7 of 20 points", kind="short"),
        Outcome("OPT001", "r", "skipped", "no learning rate", kind="input", missing=("learning rate",)),
    )
    info = run("r", best=None, coverage=Coverage(3, 1, gaps))
    assert coverage(views(one(info, outcomes=outcomes))[0]) == (
        "Checked 1 of 3 rules that apply (supervised). "
        "Not checked: learning rate (none logged: log it), LOS001 (loss: 7 of 20 points)."
    )
    nothing = run("r", best=None, coverage=Coverage(1, 0, gaps[:1]))
    assert sentence(one(nothing, outcomes=outcomes[:1])) == "r: nothing could be judged: loss: 7 of 20 points."


def test_coverage_says_why_a_rule_was_not_judged() -> None:
    outcomes = (
        Outcome("LOS001", "r", "skipped", "loss: 7 of 20 points", kind="short"),
        Outcome("LOS003", "r", "skipped", "not for rl", kind="regime"),
        Outcome("GEN001", "r", "skipped", "val: 2 of 5 points", kind="short"),
        Outcome("GEN001", "r", "passed"),
        Outcome("OPT001", "r", "errored", "ZeroDivisionError: division by zero"),
    )
    view = views(one(run("r", coverage=Coverage(3, 1)), outcomes=outcomes))[0]
    assert coverage(view) == (
        "Checked 1 of 3 rules that apply (supervised). Not checked: LOS001 (loss: 7 of 20 points), "
        "OPT001 (failed to run: ZeroDivisionError: division by zero)."
    )
