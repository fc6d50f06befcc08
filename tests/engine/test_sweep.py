"""What many runs say together, against Fisher's exact test and against runs that are made equal."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from mlcheck.engine.across import IdenticalRunsRule
from mlcheck.engine.sweep import identical, splits
from mlcheck.report import Outcome, RunInfo


def run(name: str, curve: str | None = None, **facts: str | float | bool) -> RunInfo:
    return RunInfo(name, name, name, 1, 10, 0, 9, "step", None, (), "supervised", "", facts, curve=curve)


def outcomes(failed: dict[str, bool]) -> list[Outcome]:
    return [Outcome("R", name, "failed" if bad else "passed") for name, bad in failed.items()]


def test_the_setting_that_separates_is_named_with_its_threshold() -> None:
    runs = [run(f"r{n}", learning_rate=n / 10, batch_size=n % 3) for n in range(20)]
    (split,) = splits(runs, outcomes({f"r{n}": n >= 13 for n in range(20)}))
    assert (split.setting, split.relation, split.value) == ("learning_rate", "≥", 1.3)
    assert (split.failed_with, split.runs_with, split.failed_without, split.runs_without) == (7, 7, 0, 13)
    # 19 thresholds of one setting and 2 of the other were tried
    assert np.isclose(split.p_value, fisher_exact([[7, 0], [0, 13]]).pvalue * 21)


def test_words_and_the_lower_side() -> None:
    runs = [run(f"r{n}", optimizer="sgd" if n % 2 else "adam") for n in range(20)]
    (split,) = splits(runs, outcomes({f"r{n}": n % 2 == 1 for n in range(20)}))
    assert (split.setting, split.relation, split.value) == ("optimizer", "=", "sgd")
    (split,) = splits([run(f"r{n}", warmup_steps=n) for n in range(20)], outcomes({f"r{n}": n < 8 for n in range(20)}))
    assert (split.relation, split.value, split.runs_with) == ("<", 8.0, 8)


def test_chance_is_no_setting() -> None:
    runs = [run(f"r{n}", seed=n) for n in range(20)]
    assert splits(runs, outcomes({f"r{n}": n in (3, 9, 15) for n in range(20)})) == ()
    assert splits(runs[:3], outcomes({"r0": False, "r1": False, "r2": True})) == ()
    assert splits([run(f"r{n}") for n in range(20)], outcomes({f"r{n}": n > 9 for n in range(20)})) == ()


def test_skipped_runs_say_nothing() -> None:
    runs = [run(f"r{n}", learning_rate=n / 10) for n in range(20)]
    judged = [o for o in outcomes({f"r{n}": n >= 13 for n in range(20)}) if o.run not in ("r0", "r19")]
    (split,) = splits(runs, [*judged, Outcome("R", "r0", "skipped"), Outcome("R", "r19", "skipped")])
    assert split.runs_with + split.runs_without == 18


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=4, max_size=40))
def test_the_best_threshold_is_as_good_as_the_best_of_all(rows: list[tuple[int, bool]]) -> None:
    runs = [run(f"r{n}", setting=float(value)) for n, (value, _) in enumerate(rows)]
    found = splits(runs, outcomes({f"r{n}": bad for n, (_, bad) in enumerate(rows)}))
    values, bad = np.array([v for v, _ in rows]), np.array([b for _, b in rows])
    tables = []
    for threshold in np.unique(values)[1:]:
        above = values >= threshold
        tables.append([[(above & bad).sum(), (above & ~bad).sum()], [(~above & bad).sum(), (~above & ~bad).sum()]])
    p_values = [fisher_exact(table).pvalue * len(tables) for table in tables]
    if found:
        assert min(p_values) < 0.05
        assert any(np.isclose(found[0].p_value, p) for p in p_values)


def test_identical_runs_with_other_settings_fail_and_copies_do_not() -> None:
    runs = [
        run("a", "x", learning_rate=0.1),
        run("b", "x", learning_rate=0.2),
        run("c", "y", learning_rate=0.1),
        run("d", "y", learning_rate=0.1),
        run("e", "z"),
        run("f", None),
    ]
    groups = identical(runs)
    assert [(g.runs, g.settings) for g in groups] == [(("a", "b"), ("learning_rate",)), (("c", "d"), ())]
    findings, judged = IdenticalRunsRule().judge(runs, groups, None)
    assert [(f.rule, f.run, f.severity.value) for f in findings] == [("CMP003", "a", "warning")]
    assert "b" in findings[0].message
    assert "learning_rate" in findings[0].message
    assert {o.run: o.outcome for o in judged} == {
        "a": "failed",
        "b": "passed",
        "c": "passed",
        "d": "passed",
        "e": "passed",
    }
