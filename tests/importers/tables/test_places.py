"""Which tables and settings are one run."""

import json
from pathlib import Path

from mlcheck.importers.discover import discover
from tests.importers.tables.test_writers import state
from tests.importers.test_discover import write as write_events

TABLE = "epoch,loss,val_loss\n0,1.5,1.75\n1,1.25,1.5\n2,1.0,1.25\n"
METRICS = "epoch,step,train_loss\n0,1,1.5\n0,2,1.25\n"


def put(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def found(top: Path) -> dict[str, list[tuple[str, str]]]:
    """Run to its files, each with its part."""
    return {run.name: sorted((one.shown, one.part) for one in run.files) for run in discover([str(top)]).runs}


def test_a_directory_with_only_a_table_is_a_run(tmp_path: Path) -> None:
    put(tmp_path / "a" / "version_0" / "metrics.csv", METRICS)
    put(tmp_path / "a" / "version_1" / "metrics.csv", METRICS)
    assert set(found(tmp_path)) == {"a/version_0", "a/version_1"}


def test_a_data_set_is_no_run_and_says_why(tmp_path: Path) -> None:
    put(tmp_path / "train.csv", "id,price\n1,2\n2,3\n3,4\n")
    put(tmp_path / "package.json", '{"name": "x"}')
    result = discover([str(tmp_path)])
    assert result.runs == []
    assert {one.path: one.reason for one in result.ignored} == {
        "train.csv": "a table without a step-like column: call the one that counts `step`, `epoch` or `iteration`",
        "package.json": "no run data",
    }
    named = discover([str(tmp_path / "train.csv")])
    assert "without a step-like column" in named.missing[0]


def test_tables_beside_event_files_are_of_their_run(tmp_path: Path) -> None:
    write_events(tmp_path / "ppo")
    put(tmp_path / "ppo" / "progress.csv", "rollout/ep_rew_mean,time/total_timesteps\n1,10\n2,20\n")
    put(tmp_path / "ppo" / "monitor.csv", '#{"t_start": 1.0, "env_id": "x"}\nr,l,t\n1,2,3\n2,2,4\n')
    assert [len(files) for files in found(tmp_path).values()] == [3]


def test_the_newest_checkpoint_speaks_for_the_directory_above(tmp_path: Path) -> None:
    for step in (10, 100, 90):
        put(tmp_path / "out" / f"checkpoint-{step}" / "trainer_state.json", json.dumps(state(step), indent=2))
    result = discover([str(tmp_path)])
    assert [(run.name, [one.shown for one in run.files]) for run in result.runs] == [
        ("out", ["out/checkpoint-100/trainer_state.json"])
    ]
    assert result.runs[0].files[0].part == ""
    old = [one.path for one in result.ignored if "older copy" in (one.reason or "")]
    assert sorted(old) == ["out/checkpoint-10/trainer_state.json", "out/checkpoint-90/trainer_state.json"]


def test_the_output_directory_wins_over_an_equal_checkpoint(tmp_path: Path) -> None:
    put(tmp_path / "checkpoint-30" / "trainer_state.json", json.dumps(state(30)))
    put(tmp_path / "trainer_state.json", json.dumps(state(30)))
    assert list(found(tmp_path).values()) == [[("trainer_state.json", "")]]


def test_a_checkpoint_given_alone_is_a_run(tmp_path: Path) -> None:
    put(tmp_path / "out" / "checkpoint-30" / "trainer_state.json", json.dumps(state(30)))
    assert found(tmp_path / "out" / "checkpoint-30") == {"checkpoint-30": [("trainer_state.json", "")]}


def test_the_events_of_a_trainer_are_those_of_its_history(tmp_path: Path) -> None:
    write_events(tmp_path / "out" / "runs" / "Nov14_22-13-20_host", "train/loss")
    put(tmp_path / "out" / "checkpoint-30" / "trainer_state.json", json.dumps(state(30)))
    assert {name: [part for _, part in files] for name, files in found(tmp_path).items()} == {"out": ["", ""]}


def test_of_several_starts_of_a_trainer_the_last_is_the_history(tmp_path: Path) -> None:
    old = write_events(tmp_path / "out" / "runs" / "Nov14_host", "train/loss")
    new = write_events(tmp_path / "out" / "runs" / "Nov02_host", "train/loss")
    old.rename(old.with_name("events.out.tfevents.1600000000.host.1.0"))
    put(tmp_path / "out" / "trainer_state.json", json.dumps(state(30)))
    runs = found(tmp_path)
    assert set(runs) == {"out", "out/runs/Nov14_host"}
    assert (new.relative_to(tmp_path).as_posix(), "") in runs["out"]


def test_dvclive_is_one_run(tmp_path: Path) -> None:
    for name in ("train/loss", "val/loss", "lr"):
        put(tmp_path / "exp" / "dvclive" / "plots" / "metrics" / f"{name}.tsv", f"step\t{name[-4:]}\n0\t1\n1\t0.5\n")
    assert [(name, len(files)) for name, files in found(tmp_path).items()] == [("exp/dvclive", 3)]


def test_catboosts_tables_lie_with_its_events(tmp_path: Path) -> None:
    write_events(tmp_path / "catboost_info" / "learn", "RMSE")
    put(tmp_path / "catboost_info" / "learn_error.tsv", "iter\tRMSE\n0\t2\n1\t1\n")
    put(tmp_path / "catboost_info" / "test_error.tsv", "iter\tRMSE\n0\t2\n1\t1\n")
    (files,) = found(tmp_path).values()
    assert sorted(part for _, part in files) == ["learn", "learn", "test"]


def test_tables_of_the_same_columns_are_runs_of_their_own(tmp_path: Path) -> None:
    for name in ("resnet", "vgg", "alexnet"):
        put(tmp_path / "logs" / f"{name}.csv", TABLE)
    put(tmp_path / "logs" / "args.yaml", "lr: 0.1\n")
    runs = found(tmp_path)
    assert set(runs) == {"logs/resnet", "logs/vgg", "logs/alexnet"}
    assert all(len(files) == 2 for files in runs.values())


def test_tables_of_different_columns_or_splits_are_one_run(tmp_path: Path) -> None:
    put(tmp_path / "a" / "loss.csv", "epoch,loss\n0,1\n1,0.5\n")
    put(tmp_path / "a" / "accuracy.csv", "epoch,accuracy\n0,0.1\n1,0.5\n")
    put(tmp_path / "b" / "train_log.csv", "epoch,loss\n0,1\n1,0.5\n")
    put(tmp_path / "b" / "val_log.csv", "epoch,loss\n0,1\n1,0.5\n")
    assert {name: len(files) for name, files in found(tmp_path).items()} == {"a": 2, "b": 2}


def test_settings_join_the_run_of_their_directory_and_are_none_alone(tmp_path: Path) -> None:
    put(tmp_path / "run" / "metrics.csv", METRICS)
    put(tmp_path / "run" / "hparams.yaml", "lr: 0.1\n")
    put(tmp_path / "configs" / "config.yaml", "lr: 0.1\n")
    assert found(tmp_path) == {"run": [("run/hparams.yaml", ""), ("run/metrics.csv", "")]}


def test_hydras_settings_reach_the_run_below_their_job(tmp_path: Path) -> None:
    put(tmp_path / "job" / ".hydra" / "config.yaml", "lr: 0.1\n")
    put(tmp_path / "job" / "csv" / "version_0" / "metrics.csv", METRICS)
    assert found(tmp_path)["job/csv/version_0"] == [
        ("job/.hydra/config.yaml", ""),
        ("job/csv/version_0/metrics.csv", ""),
    ]
