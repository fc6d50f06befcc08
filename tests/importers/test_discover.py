"""Which directories are one run: event files written by TensorBoard's own writer into the trees that real tools make."""

import os
from pathlib import Path

import pytest

from mlcheck.importers.discover import discover
from tests.importers.witness import write as framed


def event_file(tag: str) -> bytes:
    from tensorboard.compat.proto import event_pb2, summary_pb2

    version = event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2")
    value = summary_pb2.Summary.Value(tag=tag, simple_value=1.0)
    return framed(version, event_pb2.Event(wall_time=1.7e9, step=1, summary=summary_pb2.Summary(value=[value])))


def write(path: Path, tag: str = "loss") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    file = path / "events.out.tfevents.1700000000.host.1.0"
    file.write_bytes(event_file(tag))
    return file


def found(*paths: Path) -> dict[str, list[str]]:
    return {run.name: sorted(file.part for file in run.files) for run in discover([str(p) for p in paths]).runs}


def test_the_directory_itself_is_a_run(tmp_path: Path) -> None:
    write(tmp_path / "exp1")
    assert found(tmp_path / "exp1") == {"exp1": [""]}


def test_siblings_train_and_validation_are_one_run(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "a" / "train")
    write(tmp_path / "logs" / "a" / "validation")
    write(tmp_path / "logs" / "b" / "train")
    assert found(tmp_path / "logs") == {"a": ["train", "validation"], "b": ["train"]}


def test_a_split_named_as_the_path_keeps_its_split(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "validation")
    assert found(tmp_path / "exp" / "validation") == {"validation": ["validation"]}


def test_eval_below_the_run(tmp_path: Path) -> None:
    write(tmp_path / "model")
    write(tmp_path / "model" / "eval")
    write(tmp_path / "model" / "eval_holdout")
    assert found(tmp_path) == {"model": ["", "eval", "eval_holdout"]}


def test_versions_and_counters_are_runs_of_their_own(tmp_path: Path) -> None:
    for name in ("version_0", "version_1", "run3", "exp12"):
        write(tmp_path / name)
    assert set(found(tmp_path)) == {"version_0", "version_1", "run3", "exp12"}


def test_ultralytics_counts_train_train2(tmp_path: Path) -> None:
    for name in ("train", "train2", "train3"):
        write(tmp_path / "detect" / name)
    assert set(found(tmp_path)) == {"detect/train", "detect/train2", "detect/train3"}


def test_tb_beside_dumps_is_part_of_the_run(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "tb")
    write(tmp_path / "exp" / "weights")
    assert found(tmp_path) == {"exp": ["tb", "weights"]}


def test_a_lone_logs_directory_is_the_run(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "logs")
    assert found(tmp_path) == {"exp/logs": [""]}


def test_add_hparams_opens_no_run_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "exp")
    write(tmp_path / "exp" / "1714401019.5423512")
    assert found(tmp_path) == {"exp": ["", "1714401019.5423512"]}


def test_a_curve_of_add_scalars_as_the_path_keeps_its_name(tmp_path: Path) -> None:
    write(tmp_path / "exp" / "Loss_val", "Loss")
    write(tmp_path / "exp" / "my_run", "Loss")
    assert found(tmp_path / "exp" / "Loss_val") == {"Loss_val": ["Loss_val"]}
    assert found(tmp_path / "exp" / "my_run") == {"my_run": [""]}


def test_add_scalars_opens_no_runs_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "exp", "lr")
    write(tmp_path / "exp" / "Loss_main_train", "Loss/main")
    write(tmp_path / "exp" / "Loss_main_val", "Loss/main")
    write(tmp_path / "exp" / "other_run", "Loss/main")
    assert found(tmp_path) == {"exp": ["", "Loss_main_train", "Loss_main_val"], "exp/other_run": [""]}


def test_equal_names_get_a_number(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x")
    write(tmp_path / "b" / "x")
    result = discover([str(tmp_path / "a"), str(tmp_path / "b")])
    assert [run.name for run in result.runs] == ["x", "x#2"]
    assert [note.kind for note in result.notes] == ["name"]


def test_a_run_given_twice_is_one(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x")
    assert found(tmp_path / "a", tmp_path / "a" / "x") == {"x": [""]}


def test_a_run_may_be_named(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert [run.name for run in discover([f"best={tmp_path / 'a'}"]).runs] == ["best"]


def test_found_by_content_whatever_the_name(tmp_path: Path) -> None:
    write(tmp_path / "a").rename(tmp_path / "a" / "renamed.bin")
    (tmp_path / "a" / "notes.txt").write_text("nothing")
    result = discover([str(tmp_path)])
    assert [file.shown for run in result.runs for file in run.files] == ["a/renamed.bin"]
    assert [(s.path, s.status) for s in result.ignored] == [("a/notes.txt", "ignored")]


def test_hidden_and_macos_directories_and_links_out_are_not_walked(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside)
    top = tmp_path / "top"
    write(top / ".git")
    write(top / "__MACOSX")
    write(top / "run")
    (top / "link").symlink_to(outside)
    (top / "run" / "events.out.tfevents.2.link").symlink_to(outside / "events.out.tfevents.1700000000.host.1.0")
    result = discover([str(top)])
    assert [file.shown for run in result.runs for file in run.files] == ["run/events.out.tfevents.1700000000.host.1.0"]
    assert {s.path: s.format for s in result.ignored} == {
        "__MACOSX": "directory",
        "link": "link",
        "run/events.out.tfevents.2.link": "file",
    }
    (not_followed,) = (s for s in result.ignored if s.format == "file")
    assert not_followed.status == "unreadable"
    assert "not followed" in (not_followed.reason or "")


def test_what_is_not_there_or_no_run_is_named_with_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    result = discover([str(tmp_path / "no"), str(tmp_path / "a.txt"), str(tmp_path / "empty")])
    assert result.runs == []
    assert result.missing[0].endswith(": no such file or directory")
    assert "no run data (looked for TensorBoard event files" in result.missing[1]
    assert "empty" in result.notes[0].text


def test_data_sets_and_exports_are_named_with_the_reason_and_make_no_run(tmp_path: Path) -> None:
    import h5py
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = np.zeros((100, 8, 8), np.uint8)
    parquet.write_table(pa.table({"text": ["a", "b"], "label": [0, 1]}), tmp_path / "train.parquet")
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"\x89PNG")
    found = discover([str(tmp_path)])
    assert found.runs == []
    reasons = {status.path: status.reason for status in found.ignored}
    assert "data set" in (reasons["images.h5"] or "")
    assert "data set" in (reasons["train.parquet"] or "")
    assert reasons["0.png and 2 more *.png"] == "no run data"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "a").chmod(0)
    assert [s.reason for s in discover([str(tmp_path)]).ignored] == ["permission denied"]


def test_odd_entries_are_named_and_lose_no_run(tmp_path: Path) -> None:
    write(tmp_path / "run")
    (tmp_path / "loop.tfevents").symlink_to("loop.tfevents")
    (tmp_path / "nowhere").symlink_to("missing")
    os.mkfifo(tmp_path / "events.out.tfevents.pipe")
    deep = tmp_path
    for _ in range(300):
        deep = deep / "dddd"
        deep.mkdir()
    result = discover([str(tmp_path), "x" * 300, "", str(tmp_path / "events.out.tfevents.pipe")])
    assert [run.name for run in result.runs] == ["run"]
    reasons = {s.path: s.reason or "" for s in result.ignored}
    assert "itself" in reasons["loop.tfevents"]
    assert "nowhere" in reasons["nowhere"]
    assert "pipe" in reasons["events.out.tfevents.pipe"]
    assert [text.split(": ", 1)[1] for text in result.missing] == [
        "File name too long",
        "an empty path",
        "no regular file or directory",
    ]
