"""A scan of what was scanned before: the same report, without the work; and nothing kept where something may have changed."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mlcheck import api, reading, work
from mlcheck.engine import registry
from mlcheck.engine.plugin import PluginRule
from mlcheck.engine.rule import Rule
from mlcheck.errors import ConfigError
from mlcheck.records import replace
from mlcheck.report import Report
from mlcheck.reporters.json import dumps
from mlcheck.settings import Limit, RoleSetting, RuleSettings, RunSettings, Settings, Suppression
from mlcheck.store.cache import stamps
from mlcheck.work import ScanOptions

FIXTURES = Path(__file__).parent.parent / "fixtures"
KEPT = ScanOptions(cache=True)


@cache
def built_in() -> list[Rule]:
    """The rule files take a second to read."""
    return registry._built_in(None)


class Judging:
    """Counts the runs that are imported and judged."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def since(self) -> list[str]:
        """Names of the runs judged since this was asked last."""
        runs, self.runs = self.runs, []
        return runs


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Judging:
    """The rule files are read once for all tests here. The program is the same throughout a test, whoever works on it."""
    rules, empty = built_in(), tmp_path_factory.mktemp("rules")
    monkeypatch.setattr(registry, "_built_in", lambda kept: list(rules))
    monkeypatch.setattr("mlcheck.engine.built_in.built_in_directory", lambda: empty)
    monkeypatch.setattr(stamps, "of_program", lambda: "this program")
    counted, real = Judging(), work._one

    def one(found: Any, *rest: Any) -> Any:
        counted.runs.append(found.name)
        return real(found, *rest)

    monkeypatch.setattr(work, "_one", one)
    return counted


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs below one directory."""
    top = tmp_path / "runs"
    for name in ("overfit", "stalled", "diverging"):
        shutil.copytree(FIXTURES / name, top / name)
    return top


def same(one: Report, other: Report) -> None:
    assert dumps(one) == dumps(other)
    assert repr(one) == repr(other), "all digits, where the JSON report rounds"


@pytest.mark.parametrize("name", ["diverging", "cut-tail", "keras-healthy", "writers-mlflow", "dump-dead-relu"])
def test_the_second_scan_says_the_same_and_judges_nothing(name: str, judging: Judging) -> None:
    plain = api.scan([FIXTURES / name])
    judging.since()
    same(api.scan([FIXTURES / name], KEPT), plain)
    assert judging.since()
    same(api.scan([FIXTURES / name], KEPT), plain)
    assert judging.since() == []


def test_runs_that_are_new_or_changed_are_judged_and_the_others_are_not(runs: Path, judging: Judging) -> None:
    api.scan([runs], KEPT)
    assert sorted(judging.since()) == ["diverging", "overfit", "stalled"]
    shutil.copytree(FIXTURES / "healthy-classifier", runs / "another")
    events = next((runs / "stalled").iterdir())
    events.write_bytes(events.read_bytes()[:-100])
    found = api.scan([runs], KEPT)
    assert sorted(judging.since()) == ["another", "stalled"]
    same(found, api.scan([runs]))


def test_runs_that_are_kept_start_no_processes(runs: Path, judging: Judging, monkeypatch: pytest.MonkeyPatch) -> None:
    api.scan([runs], KEPT)
    shutil.rmtree(runs / "overfit")
    judging.since()
    monkeypatch.setattr(work, "POOL_BYTES", 0)
    monkeypatch.setattr(work, "_pool", lambda *_: pytest.fail("a pool was started"))
    found = api.scan([runs], replace(KEPT, jobs=2))
    assert [run.name for run in found.runs] == ["diverging", "stalled"]
    assert judging.since() == []


SETTINGS: dict[str, Settings] = {
    "a parameter": Settings(rules={"LOS003": RuleSettings(params={"sigmas": 99.0})}),
    "a severity": Settings(rules={"LOS003": RuleSettings(severity="info")}),
    "a role": Settings(roles=[RoleSetting("train/loss", "metric")]),
    "a regime": Settings(regime="gan"),
    "a limit": Settings(limits=[Limit("*", "train/loss", "best", 1.0, None, 0.5, 0.1, 3)]),
    "some runs": Settings(runs=[RunSettings(["div*"], regime="gan")]),
    "a selection": Settings(select=["LOS"]),
    "an exception": Settings(ignore=["LOS003"]),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_what_runs_are_judged_by_makes_another_question(settings: Settings, judging: Judging) -> None:
    path = FIXTURES / "diverging"
    before = api.scan([path], KEPT)
    judging.since()
    found = api.scan([path], replace(KEPT, settings=settings))
    assert judging.since() == ["diverging"]
    same(found, api.scan([path], ScanOptions(settings=settings)))
    judging.since()
    same(api.scan([path], KEPT), before)
    assert judging.since() == [], "both answers are kept"


def test_what_is_applied_afterwards_is_applied_to_what_is_kept(judging: Judging, tmp_path: Path) -> None:
    path = FIXTURES / "diverging"
    api.scan([path], KEPT)
    judging.since()
    settings = Settings(suppress=[Suppression("known", rule="LOS003")])
    asked = [
        ScanOptions(settings=settings),
        ScanOptions(fail_on="never", fail_when="all", strict=True, allow_empty=True),
        ScanOptions(expect=["runs=2", "metric=loss"]),
        ScanOptions(require=["LOS003", "GRD001"]),
    ]
    for options in asked:
        found = api.scan([path], replace(options, cache=True))
        assert judging.since() == []
        same(found, api.scan([path], options))
        judging.since()
    with pytest.raises(ConfigError, match="no such baseline"):
        api.scan([path], replace(KEPT, baseline=tmp_path / "baseline.json"))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file that grew": lambda run: (run / "events").write_bytes((run / "events").read_bytes() + b"torn"),
    "a file beside it": lambda run: (run / "hparams.yaml").write_text("lr: 0.5\n"),
    "a file that cannot be read": lambda run: (run / "hparams.yaml").symlink_to("nowhere"),
    "a file of another time": lambda run: os.utime(run / "events", ns=(1, 1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_changes_below_the_path_is_seen(
    change: Callable[[Path], object], judging: Judging, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(next((FIXTURES / "overfit").iterdir()), run / "events.out.tfevents.1")
    (run / "events").symlink_to("events.out.tfevents.1")
    api.scan([run], KEPT)
    change(run)
    same(api.scan([run], KEPT), api.scan([run]))


def test_another_program_and_other_built_in_rules_judge_anew(
    judging: Judging, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for change in (
        lambda: monkeypatch.setattr("mlcheck.engine.built_in.built_in_directory", lambda: tmp_path),
        lambda: (tmp_path / "NEW001-new.yaml").write_text("id: NEW001\n"),
        lambda: monkeypatch.setattr(stamps, "of_program", lambda: "another"),
    ):
        api.scan([FIXTURES / "overfit"], KEPT)
        judging.since()
        api.scan([FIXTURES / "overfit"], KEPT)
        assert judging.since() == []
        change()
        api.scan([FIXTURES / "overfit"], KEPT)
        assert judging.since() == ["overfit"]


def test_a_rule_file_that_changed_judges_anew(judging: Judging, tmp_path: Path, rule_text: str) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "own.yaml").write_text(rule_text)
    options = replace(KEPT, rules_dirs=[rules], select=["TST001"])
    before = api.scan([FIXTURES / "diverging"], options)
    assert [one.rule for one in before.findings] == ["TST001"]
    judging.since()
    api.scan([FIXTURES / "diverging"], options)
    assert judging.since() == []
    (rules / "own.yaml").write_text(rule_text.replace("{series} is", "{series} stands at"))
    (found,) = api.scan([FIXTURES / "diverging"], options).findings
    assert "stands at" in found.message
    assert judging.since() == ["diverging"]


def test_files_that_change_while_they_are_read_are_not_kept(
    judging: Judging, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(FIXTURES / "overfit", run)
    counted = work._one

    def one(*arguments: Any) -> Any:
        done = counted(*arguments)
        shutil.rmtree(run)
        return done

    monkeypatch.setattr(work, "_one", one)
    assert api.scan([run], KEPT).runs
    assert not list(own_cache.rglob("*.verdict"))


class Opinion:
    """A Python rule that may look at anything."""

    id, name, category, severity = "PLG001", "opinion", "test", "error"

    def judge(self, run: object, params: object) -> list[object]:
        """Nothing."""
        return []


def test_nothing_is_kept_beside_python_rules(
    judging: Judging, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    monkeypatch.setattr("mlcheck.engine.plugin.installed", lambda: [PluginRule(Opinion(), "here")])
    for _ in range(2):
        api.scan([FIXTURES / "diverging"], KEPT)
        assert judging.since() == ["diverging"]
    assert not list(own_cache.rglob("*.verdict"))


@pytest.mark.parametrize(
    "options",
    [
        ScanOptions(),
        replace(KEPT, verify=True),
        replace(KEPT, baseline_runs=[str(FIXTURES / "healthy-classifier")], comparing="also"),
    ],
    ids=["no cache", "verify", "a baseline run"],
)
def test_scans_that_keep_nothing_and_use_nothing(options: ScanOptions, judging: Judging, own_cache: Path) -> None:
    path = FIXTURES / "diverging"
    for _ in range(2):
        api.scan([path], options)
        assert judging.since() == ["diverging"]
    assert not list(own_cache.rglob("*.verdict"))
    api.scan([path], KEPT)
    judging.since()
    api.scan([path], options)
    assert judging.since() == ["diverging"]


def test_what_may_go_better_the_next_time_is_not_kept(
    judging: Judging, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mlcheck.importers.tensorboard import TensorBoardImporter

    run = tmp_path / "run"
    shutil.copytree(FIXTURES / "overfit", run)
    with monkeypatch.context() as little:
        little.setattr(TensorBoardImporter, "read", lambda *_: (_ for _ in ()).throw(MemoryError))
        lost = api.scan([run], KEPT)
    assert [one.status for one in lost.sources] == ["unreadable"]
    same(api.scan([run], KEPT), api.scan([run]))


def test_a_rule_that_raised_is_asked_again(judging: Judging, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlcheck.engine import run as engine_run

    with monkeypatch.context() as broken:
        broken.setattr(engine_run, "judge", lambda *_: (_ for _ in ()).throw(MemoryError("too little")))
        found = api.scan([FIXTURES / "overfit"], KEPT)
        assert {one.outcome for one in found.outcomes} >= {"errored"}
    same(api.scan([FIXTURES / "overfit"], KEPT), api.scan([FIXTURES / "overfit"]))


def test_a_parameter_of_an_mlflow_run_is_no_file_of_the_run_and_counts(judging: Judging, tmp_path: Path) -> None:
    top = tmp_path / "mlruns"
    shutil.copytree(FIXTURES / "writers-mlflow" / "mlruns", top)
    (parameter,) = top.rglob("params/learning_rate")
    api.scan([top], KEPT)
    api.scan([top, FIXTURES / "overfit"], KEPT)
    assert len(judging.since()) == 2, "the run was kept"
    parameter.write_text("0.125")
    found = api.scan([top, FIXTURES / "overfit"], KEPT)
    assert len(judging.since()) == 1
    assert found.runs[0].facts["learning_rate"] == 0.125
    (meta,) = top.rglob("params/../meta.yaml")
    for value in ("0.25", "0.5"):
        parameter.write_text(value)
        assert api.scan([meta], KEPT).runs == api.scan([meta]).runs


def test_rows_in_the_log_of_a_database_count(judging: Judging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WORTH_KEEPING", 0.0)
    path = tmp_path / "mlflow.db"
    shutil.copy(FIXTURES / "writers-mlflow-sqlite" / "mlflow.db", path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.commit()
        for place in (tmp_path, path):
            api.scan([place], KEPT)
        for step in (10**6, 10**6 + 1):
            database.execute(
                "INSERT INTO metrics SELECT key, value, timestamp, run_uuid, ?, is_nan FROM metrics WHERE step = 384",
                (step,),
            )
            database.commit()
            for place in (tmp_path, path):
                found = api.scan([place], KEPT)
                assert found.runs[0].last_step == step
                same(found, api.scan([place]))
    database.close()


def test_a_hit_loads_neither_numpy_nor_rules_nor_importers(own_cache: Path) -> None:
    code = (
        "import sys; from mlcheck.cli import run; code = run(sys.argv[1:]);"
        "heavy = ('numpy', 'pyarrow', 'typer', 'mlcheck.engine.rule', 'mlcheck.importers.registry', 'mlcheck.lang');"
        "print(code, [name for name in heavy if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "scan", str(FIXTURES / "diverging"), "--no-progress"]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert second.stdout.splitlines()[-1] == "1 []"
    assert second.stdout.splitlines()[:-1] == first.stdout.splitlines()[:-1]
