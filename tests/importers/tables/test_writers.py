"""The tables of the writers, by the formats that they document."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mlcheck.importers.tables.columns import MOST_NAMES
from mlcheck.importers.tables.importer import TableImporter
from mlcheck.importers.tables.sniff import look
from tests.importers.tables.helpers import claimed, pairs, points, read


def state(step: int = 30) -> dict[str, object]:
    """A trainer_state.json as transformers' TrainerState.save_to_json writes it."""
    log = [
        {"epoch": s / 10, "grad_norm": 1.5, "learning_rate": 1e-4, "loss": 1 / s, "step": s}
        for s in range(10, step + 1, 10)
    ]
    log.append({"epoch": 3.0, "eval_loss": 0.5, "eval_runtime": 2.5, "step": step})
    log.append({"epoch": 3.0, "step": step, "total_flos": 1e12, "train_loss": 0.25, "train_runtime": 9.5})
    return {
        "best_metric": 0.5,
        "best_model_checkpoint": f"out/checkpoint-{step}",
        "epoch": 3.0,
        "global_step": step,
        "is_local_process_zero": True,
        "log_history": log,
        "max_steps": 30,
        "num_train_epochs": 3,
        "stateful_callbacks": {"EarlyStoppingCallback": {"args": {"early_stopping_patience": 3}}},
        "trial_name": None,
    }


def test_trainer_state(tmp_path: Path) -> None:
    imported = read(tmp_path, "trainer_state.json", json.dumps(state(), indent=2))
    found = points(imported)
    assert found["train/loss"] == [(10, 0.1), (20, 0.05), (30, 1 / 30)]
    assert found["eval/loss"] == [(30, 0.5)]
    assert found["train/train_loss"] == [(30, 0.25)]
    facts = {fact.key: fact.value for fact in imported.facts}
    assert facts["max_steps"] == 30
    assert facts["stateful_callbacks/EarlyStoppingCallback/args/early_stopping_patience"] == 3
    assert not {"epoch", "global_step"} & facts.keys()
    assert (imported.status.format, imported.status.status) == ("trainer_state", "read")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_trainer_state_cut_in_the_middle_gives_what_is_whole(tmp_path: Path, share: float) -> None:
    text = json.dumps(state(1000), indent=2)
    cut = text[: int(share * len(text))]
    imported = read(tmp_path, "trainer_state.json", cut)
    whole = cut.count('"loss": ') - (0 if cut.rstrip().endswith("}") else 1)
    losses = pairs(next(one for one in imported.series if one.tag == "train/loss"))
    assert abs(len(losses) - whole) <= 1
    assert losses == [(step, 1 / step) for step in range(10, 10 * len(losses) + 1, 10)]
    assert (imported.status.status, imported.status.tail_only) == ("partial", True)
    assert f"line {cut.count(chr(10)) + 1:,}" in (imported.status.reason or "")


def test_a_trainer_state_that_is_none_is_reported(tmp_path: Path) -> None:
    for content in ("", "nothing", "[1, 2]", "{}", "version https://git-lfs.github.com/spec/v1\n"):
        imported = read(tmp_path, "trainer_state.json", content)
        assert not imported.series
        assert imported.status.reason
        assert claimed(tmp_path / "trainer_state.json")


def test_nan_in_json_is_a_value(tmp_path: Path) -> None:
    text = '{"log_history": [{"step": 1, "loss": NaN}, {"step": 2, "loss": -Infinity}, {"step": 3, "loss": null}]}'
    values = points(read(tmp_path, "trainer_state.json", text))["train/loss"]
    assert math.isnan(values[0][1])
    assert values[1:] == [(2, -math.inf)]


def test_lightning_metrics_with_sparse_rows(tmp_path: Path) -> None:
    text = "epoch,lr-Adam,step,train_loss,val_loss\n,0.001,0,,\n0,,49,0.5,\n0,,49,,0.75\n1,,99,0.25,\n1,,99,,0.5\n"
    imported = read(tmp_path, "metrics.csv", text)
    assert points(imported)["train_loss"] == [(49, 0.5), (99, 0.25)]
    assert points(imported)["val_loss"] == [(49, 0.75), (99, 0.5)]
    assert points(imported)["lr-Adam"] == [(0, 0.001)]
    assert {one.hints.axis for one in imported.series} == {None}


def test_ultralytics_results_with_padded_names(tmp_path: Path) -> None:
    text = (
        "                  epoch,                   time,         train/box_loss,       metrics/mAP50(B),                 lr/pg0\n"
        "                      1,                 12.5,                   1.25,                    0.5,                   0.01\n"
        "                      2,                 25.0,                      1,                  0.625,                  0.005\n"
    )
    imported = read(tmp_path, "results.csv", text)
    assert points(imported) == {
        "train/box_loss": [(1, 1.25), (2, 1.0)],
        "metrics/mAP50(B)": [(1, 0.5), (2, 0.625)],
        "lr/pg0": [(1, 0.01), (2, 0.005)],
    }
    assert {one.hints.axis for one in imported.series} == {"epoch"}
    assert imported.series[0].wall_times.tolist() == [12.5, 25.0]
    assert math.isnan(imported.first_wall_time)


def test_stable_baselines_progress_and_monitor(tmp_path: Path) -> None:
    text = "rollout/ep_rew_mean,time/fps,time/time_elapsed,time/total_timesteps,train/loss\n1.5,900,2,2048,\n2.5,900,4,4096,0.5\n"
    imported = read(tmp_path, "progress.csv", text)
    assert points(imported)["rollout/ep_rew_mean"] == [(2048, 1.5), (4096, 2.5)]
    assert points(imported)["train/loss"] == [(4096, 0.5)]
    lines = [
        {"rollout/ep_rew_mean": 1.5, "time/total_timesteps": 2048},
        {"rollout/ep_rew_mean": 2.5, "time/total_timesteps": 4096},
    ]
    imported = read(tmp_path, "progress.json", "\n".join(map(json.dumps, lines)) + "\n")
    assert points(imported) == {"rollout/ep_rew_mean": [(2048, 1.5), (4096, 2.5)]}
    monitor = '#{"t_start": 1700000000.5, "env_id": "CartPole-v1"}\nr,l,t\n10.0,10,0.5\n25.0,25,1.5\n'
    imported = read(tmp_path, "0.monitor.csv", monitor)
    assert points(imported)["monitor/episode_reward"] == [(10, 10.0), (35, 25.0)]
    assert imported.series[0].wall_times.tolist() == [1700000001.0, 1700000002.0]
    assert imported.series[0].hints.worker == "0"
    assert [(fact.key, fact.value) for fact in imported.facts] == [("env_id", "CartPole-v1")]


def test_keras_history_in_its_forms(tmp_path: Path) -> None:
    expected = {"loss": [(0, 0.5), (1, 0.25)], "val_loss": [(0, 0.75), (1, 0.5)]}
    history = {"loss": [0.5, 0.25], "val_loss": [0.75, 0.5]}
    for name, content in {
        "history.json": json.dumps(history),
        "indented.json": json.dumps(history, indent=4),
        "nested.json": json.dumps({"params": {"epochs": 2}, "history": history}),
        "pandas.json": json.dumps(
            {key: {str(at): value for at, value in enumerate(one)} for key, one in history.items()}
        ),
        "history.csv": "loss,val_loss\n0.5,0.75\n0.25,0.5\n",
        "model.csv": ",loss,val_loss\n0,0.5,0.75\n1,0.25,0.5\n",
        "training.log": "epoch,loss,val_loss\n0,0.5,0.75\n1,0.25,0.5\n",
    }.items():
        imported = read(tmp_path, name, content)
        found = points(imported)
        found.pop("column 1", None)
        assert found == expected, name
        assert {one.hints.axis for one in imported.series} == {"epoch"}, name
        assert claimed(tmp_path / name), name


def test_dvclive_names_by_the_path(tmp_path: Path) -> None:
    for folder in ("dvclive/plots/metrics", "out/plots/metrics", "dvclive/scalars", "dvclive"):
        imported = read(tmp_path, f"{folder}/train/loss.tsv", "step\tloss\n0\t0.5\n1\t0.25\n")
        assert points(imported) == {"train/loss": [(0, 0.5), (1, 0.25)]}, folder


def test_catboost(tmp_path: Path) -> None:
    imported = read(tmp_path, "learn_error.tsv", "iter\tLogloss\tAUC\n0\t0.5\t0.7\n1\t0.4\t0.8\n")
    assert points(imported) == {"Logloss": [(0, 0.5), (1, 0.4)], "AUC": [(0, 0.7), (1, 0.8)]}
    read(tmp_path, "time_left.tsv", "iter\tPassed\tRemaining\n0\t0\t86\n1\t1\t79\n")
    assert not claimed(tmp_path / "time_left.tsv")


def test_tensorboards_csv_download(tmp_path: Path) -> None:
    imported = read(
        tmp_path, "run-validation-tag-epoch_loss.csv", "Wall time,Step,Value\n1700000000.5,0,0.5\n1700000001.5,1,0.25\n"
    )
    assert points(imported) == {"validation/epoch_loss": [(0, 0.5), (1, 0.25)]}
    assert imported.first_wall_time == 1700000000.5


def test_wandb_lines(tmp_path: Path) -> None:
    rows = [
        {
            "_step": step,
            "_timestamp": 1.7e9 + step,
            "_runtime": step,
            "train": {"loss": 1 / (step + 1)},
            "hist": {"_type": "histogram", "bins": [1]},
        }
        for step in range(3)
    ]
    imported = read(tmp_path, "wandb-history.jsonl", "\n".join(map(json.dumps, rows)))
    assert points(imported) == {"train/loss": [(0, 1.0), (1, 0.5), (2, 1 / 3)]}
    np.testing.assert_array_equal(imported.series[0].wall_times, [1.7e9, 1.7e9 + 1, 1.7e9 + 2])


def test_mmengine_lines_with_a_mode(tmp_path: Path) -> None:
    rows = ['{"env_info": "linux", "seed": 0}'] + [
        json.dumps({"mode": mode, "epoch": epoch, "step": 10 * epoch, "loss": 1 / epoch})
        for epoch in (1, 2)
        for mode in ("train", "val")
    ]
    found = points(read(tmp_path, "scalars.json", "\n".join(rows) + "\n"))
    assert found["train/loss"] == [(10, 1.0), (20, 0.5)]
    assert found["val/loss"] == [(10, 1.0), (20, 0.5)]


def test_lines_that_are_no_json_are_counted(tmp_path: Path) -> None:
    rows = [json.dumps({"step": step, "loss": step / 4}) for step in range(6)]
    rows[2], rows[4] = "{broken", "[1]"
    text = "\n".join(rows) + '\n{"step": 6, "lo'
    imported = read(tmp_path, "log.jsonl", text)
    assert points(imported)["loss"] == [(step, step / 4) for step in (0, 1, 3, 5)]
    status = imported.status
    assert "3 lines are lost, first at line 3" in (status.reason or "")
    assert status.offset == text.index("{broken")
    assert status.lost_bytes == len("{broken\n[1]\n") + len('{"step": 6, "lo') + 1
    assert not status.tail_only


def test_a_list_of_records(tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "train": {"loss": 1 / epoch}, "val": {"loss": 2 / epoch}} for epoch in (1, 2)]
    assert points(read(tmp_path, "log.json", json.dumps(rows, indent=1))) == {
        "train/loss": [(1, 1.0), (2, 0.5)],
        "val/loss": [(1, 2.0), (2, 1.0)],
    }


def test_a_file_named_by_its_split(tmp_path: Path) -> None:
    assert list(points(read(tmp_path, "val_log.csv", "epoch,loss,lr\n1,0.5,0.1\n2,0.25,0.1\n"))) == [
        "val/loss",
        "val/lr",
    ]
    assert list(points(read(tmp_path, "test_7.csv", "epoch,loss\n1,0.5\n2,0.25\n"))) == ["loss"]
    assert TableImporter().format == "table"


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("batches_done", None),
        ("outer_iter", None),
        ("chunk", None),
        ("pass", None),
        ("stage", None),
        ("num_epochs_done", "epoch"),
        ("samples_seen", None),
        ("seen", None),
    ],
)
def test_a_column_that_only_rises_and_says_what_it_counts_is_the_step(
    tmp_path: Path, name: str, axis: str | None
) -> None:
    rows = "".join(json.dumps({name: 4 * n, "loss": 3 - 0.1 * n, "batch_size": 32}) + "\n" for n in range(1, 9))
    (tmp_path / "log.jsonl").write_text(rows)
    assert claimed(tmp_path / "log.jsonl")
    imported = read(tmp_path, "log.jsonl", rows)
    assert points(imported)["loss"] == [(4 * n, pytest.approx(3 - 0.1 * n)) for n in range(1, 9)]
    assert {one.hints.axis for one in imported.series} == {axis}


def test_a_counter_of_rows_is_the_step_where_an_epoch_has_several(tmp_path: Path) -> None:
    rows = [{"chunk": n + 1, "epoch": float(n // 4), "loss": 3 - 0.1 * n, "val_loss": 4 - 0.1 * n} for n in range(12)]
    imported = read(tmp_path, "log.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert points(imported)["loss"] == [(n + 1, pytest.approx(3 - 0.1 * n)) for n in range(12)]
    assert {one.hints.axis for one in imported.series} == {None}


def test_folds_stay_folds(tmp_path: Path) -> None:
    rows = "".join(f"{fold},{n},{100 * (8 * fold + n)},{2 - 0.1 * n:.1f}\n" for fold in range(3) for n in range(8))
    imported = read(tmp_path, "log.csv", "fold,epoch,samples_seen,loss\n" + rows)
    assert {step for step, _ in points(imported)["loss"]} == set(range(8))


def test_one_row_an_epoch_keeps_the_epoch_as_its_step(tmp_path: Path) -> None:
    rows = "".join(f"{10 * n},{n},{2 - 0.1 * n:.1f}\n" for n in range(1, 9))
    imported = read(tmp_path, "log.csv", "chunk,epoch,loss\n" + rows)
    assert [step for step, _ in points(imported)["loss"]] == list(range(1, 9))


def test_what_falls_back_is_no_step_whatever_its_name(tmp_path: Path) -> None:
    rows = "".join(f"{one},{2 - 0.1 * n}\n" for n, one in enumerate([1, 2, 3, 1, 2, 3]))
    (tmp_path / "log.csv").write_text("inner_iter,loss\n" + rows)
    assert "without a step-like column" in (look(tmp_path / "log.csv").refused or "")


def test_a_row_of_an_evaluation_stands_at_the_step_before_it(tmp_path: Path) -> None:
    rows = "".join(f"{n},{2 - 0.1 * n:.1f},\n" + (f"{n},,0.{n}\n" if n == 10 else "") for n in range(1, 21))
    (tmp_path / "log.csv").write_text("n_batch,loss,test_accuracy\n" + rows)
    assert claimed(tmp_path / "log.csv")
    assert points(read(tmp_path, "log.csv", "n_batch,loss,test_accuracy\n" + rows))["test_accuracy"] == [(10, 0.1)]


def test_the_number_of_all_steps_is_no_step(tmp_path: Path) -> None:
    # LLaMA-Factory's trainer_log.jsonl.
    rows = "".join(
        json.dumps(
            {
                "current_steps": 5 * n,
                "total_steps": 300,
                "loss": 2 - n / 10,
                "lr": 1e-4,
                "epoch": n / 20,
                "percentage": n,
            }
        )
        + "\n"
        for n in range(1, 9)
    )
    (tmp_path / "trainer_log.jsonl").write_text(rows)
    assert claimed(tmp_path / "trainer_log.jsonl")
    assert points(read(tmp_path, "trainer_log.jsonl", rows))["loss"] == [(5 * n, 2 - n / 10) for n in range(1, 9)]


@pytest.mark.parametrize("names", ["metric", "name", "tag"])
def test_a_long_table_names_what_each_row_measures(tmp_path: Path, names: str) -> None:
    rows = "".join(f"{n},loss,{2 - n / 10}\n{n},val_loss,{3 - n / 10}\n" for n in range(1, 9))
    assert points(read(tmp_path, "log.csv", f"step,{names},value\n" + rows)) == {
        "loss": [(n, 2 - n / 10) for n in range(1, 9)],
        "val_loss": [(n, 3 - n / 10) for n in range(1, 9)],
    }


def test_a_long_table_of_several_splits(tmp_path: Path) -> None:
    rows = "".join(
        json.dumps({"epoch": n, "split": split, "name": "loss", "value": at + n / 10}) + "\n"
        for n in range(1, 5)
        for at, split in enumerate(("train", "val"))
    )
    assert points(read(tmp_path, "log.jsonl", rows)) == {
        "train/loss": [(n, n / 10) for n in range(1, 5)],
        "val/loss": [(n, 1 + n / 10) for n in range(1, 5)],
    }


def test_rows_whose_type_is_a_split(tmp_path: Path) -> None:
    rows = "".join(
        json.dumps({"type": split, "step": n, "loss": n / 10}) + "\n" for n in range(1, 5) for split in ("train", "val")
    )
    assert set(points(read(tmp_path, "log.jsonl", rows))) == {"train/loss", "val/loss"}


def test_a_column_of_many_names_names_nothing(tmp_path: Path) -> None:
    rows = "".join(f"{n},case {n},{2 - n / 40000},{n / 7}\n" for n in range(MOST_NAMES + 1))
    assert set(points(read(tmp_path, "log.csv", "step,name,loss,value\n" + rows))) == {"loss", "value"}


def test_sacred(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "training.loss": {
                "steps": [0, 10, 20],
                "timestamps": [f"2024-01-01T10:0{n}:00.1" for n in range(3)],
                "values": [3, 2, 1],
            },
            "validation.loss": {
                "steps": [10, 20],
                "timestamps": ["2024-01-01T10:01:00.1", "2024-01-01T10:02:00.1"],
                "values": [2.5, {"dtype": "float64", "py/object": "numpy.float64", "value": 1.5}],
            },
        }
    )
    (tmp_path / "metrics.json").write_text(text)
    assert claimed(tmp_path / "metrics.json")
    imported = read(tmp_path, "metrics.json", text)
    assert points(imported) == {
        "training.loss": [(0, 3.0), (10, 2.0), (20, 1.0)],
        "validation.loss": [(10, 2.5), (20, 1.5)],
    }
    assert np.diff(imported.series[0].wall_times).tolist() == [60.0, 60.0]


def test_an_export_of_weights_and_biases(tmp_path: Path) -> None:
    head = '"Step","swift-fox-3 - train/loss","swift-fox-3 - train/loss__MIN","swift-fox-3 - train/loss__MAX"\n'
    rows = "".join(f'"{n}","{2 - n / 10}","{1 - n / 10}","{3 - n / 10}"\n' for n in range(1, 6))
    found = points(read(tmp_path, "wandb_export_2024.csv", head + rows))
    assert found == {"train/loss": [(n, 2 - n / 10) for n in range(1, 6)]}


def test_an_export_of_several_runs_keeps_their_names(tmp_path: Path) -> None:
    rows = "".join(f"{n},{2 - n / 10},{3 - n / 10}\n" for n in range(1, 6))
    found = points(read(tmp_path, "wandb_export_2024.csv", "Step,fox - train/loss,owl - train/loss\n" + rows))
    assert set(found) == {"fox - train/loss", "owl - train/loss"}


def test_a_table_of_one_curve_is_called_as_its_file(tmp_path: Path) -> None:
    rows = "step,value\n" + "".join(f"{n},{2 - n / 10}\n" for n in range(1, 6))
    (tmp_path / "val_loss.csv").write_text(rows)
    assert claimed(tmp_path / "val_loss.csv")
    assert set(points(read(tmp_path, "val_loss.csv", rows))) == {"val_loss"}
    (tmp_path / "sensor.csv").write_text(rows)
    assert not claimed(tmp_path / "sensor.csv")


LOSSES = {"loss": [(1, 3.5), (2, 2.5), (3, 1.5)], "val/loss": [(1, 4.5), (2, 3.5), (3, 2.5)]}


@pytest.mark.parametrize(
    "document",
    [
        {str(n): {"loss": 4.5 - n, "val": {"loss": 5.5 - n}} for n in (2, 1, 3)},
        {f"epoch_{n}": {"loss": 4.5 - n, "val": {"loss": 5.5 - n}} for n in (1, 2, 3)},
        {
            "config": {"lr": 0.1, "layers": [64, 64]},
            "epochs": [{"epoch": n, "loss": 4.5 - n, "val": {"loss": 5.5 - n}} for n in (1, 2, 3)],
        },
        {"loss": [[n, 4.5 - n] for n in (1, 2, 3)], "val/loss": [[n, 5.5 - n] for n in (1, 2, 3)]},
    ],
    ids=["by number", "by epoch", "held", "pairs"],
)
def test_documents_of_other_shapes(tmp_path: Path, document: object) -> None:
    text = json.dumps(document)
    (tmp_path / "log.json").write_text(text)
    assert claimed(tmp_path / "log.json")
    assert points(read(tmp_path, "log.json", text)) == LOSSES


def test_a_list_of_records_for_each_split(tmp_path: Path) -> None:
    text = json.dumps(
        {split: [{"step": n, "loss": at + n / 10} for n in (1, 2, 3)] for at, split in enumerate(("train", "val"))}
    )
    found = points(read(tmp_path, "log.json", text))
    assert found == {"train/loss": [(1, 0.1), (2, 0.2), (3, 0.3)], "val/loss": [(1, 1.1), (2, 1.2), (3, 1.3)]}


def test_what_stands_beside_the_records_is_stated(tmp_path: Path) -> None:
    text = json.dumps({"batch_size": 32, "epochs": [{"epoch": n, "loss": 4.5 - n} for n in (1, 2, 3)]})
    assert {fact.key: fact.value for fact in read(tmp_path, "log.json", text).facts} == {"batch_size": 32}


@pytest.mark.parametrize(("name", "axis"), [("it", None), ("ep", "epoch"), ("n_iter", None)])
def test_short_names_of_steps(tmp_path: Path, name: str, axis: str | None) -> None:
    rows = f"{name},xent\n" + "".join(f"{n},{2 - n / 10}\n" for n in range(1, 6))
    (tmp_path / "log.csv").write_text(rows)
    assert claimed(tmp_path / "log.csv")
    imported = read(tmp_path, "log.csv", rows)
    assert points(imported) == {"xent": [(n, 2 - n / 10) for n in range(1, 6)]}
    assert {one.hints.axis for one in imported.series} == {axis}


def test_an_unknown_name_beside_its_validation(tmp_path: Path) -> None:
    rows = "epoch,zeta,val_zeta\n" + "".join(f"{n},{2 - n / 10},{3 - n / 10}\n" for n in range(1, 6))
    (tmp_path / "log.csv").write_text(rows)
    assert claimed(tmp_path / "log.csv")
    (tmp_path / "other.csv").write_text(rows.replace("val_zeta", "theta"))
    assert not claimed(tmp_path / "other.csv")


def test_names_with_a_dash_are_no_exports(tmp_path: Path) -> None:
    rows = "epoch,loss - train,loss - val\n" + "".join(f"{n},{2 - n / 10},{3 - n / 10}\n" for n in range(1, 6))
    assert set(points(read(tmp_path, "log.csv", rows))) == {"loss - train", "loss - val"}


def test_thousands_of_names_in_a_long_table(tmp_path: Path) -> None:
    rows = "".join(f"{n},loss/{name},{n + name}\n" for n in range(3) for name in range(3000))
    found = points(read(tmp_path, "log.csv", "step,metric,value\n" + rows))
    assert len(found) == 3000
    assert found["loss/7"] == [(0, 7.0), (1, 8.0), (2, 9.0)]


def test_what_a_counter_measures_is_said_by_its_own_name(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"time/iterations": n, "rollout/ep_rew_mean": n / 7}) + "\n" for n in range(1, 6))
    assert points(read(tmp_path, "log.jsonl", rows)) == {"rollout/ep_rew_mean": [(n, n / 7) for n in range(1, 6)]}
    rows = "".join(json.dumps({"steps/batch_size": n, "epoch": n, "loss": 9 - n}) + "\n" for n in range(1, 6))
    assert "steps/batch_size" in points(read(tmp_path, "other.jsonl", rows))
