"""Which logs are one run, what is lost, and bytes that nobody meant as a log."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcheck.importers.console import ansi, collect
from mlcheck.importers.console.reader import ConsoleImporter
from mlcheck.importers.discover import discover
from mlcheck.store.stretches import stretches
from tests.importers.console.logs import claims, of, points, read, walls, write

LOG = "".join(f"step {n}: loss=0.{n}\n" for n in range(1, 6))
CRASH = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: x\n'


def found(path: Path) -> dict[str, list[str]]:
    return {run.name: sorted(file.shown for file in run.files) for run in discover([str(path)]).runs}


def test_a_log_alone_is_a_run(tmp_path: Path) -> None:
    (tmp_path / "exp").mkdir()
    write(tmp_path / "exp", LOG)
    assert found(tmp_path) == {"exp": ["exp/train.log"]}
    assert found(tmp_path / "exp" / "train.log") == {"train.log": ["train.log"]}


def test_logs_of_several_jobs_are_several_runs(tmp_path: Path) -> None:
    for name in ("lr1.log", "lr2.log", "lr2.err"):
        write(tmp_path, LOG, name)
    assert found(tmp_path) == {"lr1": ["lr1.log"], "lr2": ["lr2.err", "lr2.log"]}


@pytest.mark.parametrize(
    "names",
    [("train.log", "val.log"), ("job.out", "job.err"), ("rank0.log", "rank1.log"), ("stdout.txt", "stderr.txt")],
)
def test_streams_splits_and_ranks_of_a_job_are_one_run(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        write(tmp_path, LOG, name)
    assert list(found(tmp_path).values()) == [sorted(names)]


def test_ranks_are_series_of_their_own(tmp_path: Path) -> None:
    (one,) = read(write(tmp_path, LOG, "rank3.log")).series
    assert one.hints.worker == "rank3"


def test_a_crash_without_values_joins_the_run_of_its_directory_only(tmp_path: Path) -> None:
    for name in ("exp", "elsewhere"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, CRASH, "job.err")
    write(tmp_path / "exp", LOG, "job.out")
    result = discover([str(tmp_path)])
    assert [[file.shown for file in run.files] for run in result.runs] == [["exp/job.out", "exp/job.err"]]
    assert [one.path for one in result.ignored] == ["elsewhere/job.err"]
    status = read(tmp_path / "exp" / "job.err").status
    assert (status.status, status.reason) == ("read", "no values, only messages")


def test_a_log_of_words_stays_out(tmp_path: Path) -> None:
    write(tmp_path, LOG, "job.out")
    write(tmp_path, "nothing of interest\n", "notes.txt")
    assert found(tmp_path) == {tmp_path.name: ["job.out"]}


def test_colours_and_prefixes_change_nothing(tmp_path: Path) -> None:
    plain = "".join(f"2024-01-01 10:00:0{n},500 - INFO - step {n}: loss=0.{n}\n" for n in range(1, 6))
    coloured = "".join(
        f"\x1b[32m2024-01-01 10:00:0{n},500\x1b[0m - INFO - step {n}: \x1b[1mloss\x1b[0m=0.{n}\r\n" for n in range(1, 6)
    )
    assert of(tmp_path, plain) == of(tmp_path, coloured) == of(tmp_path, coloured.encode("utf-16"))
    (one,) = read(write(tmp_path, plain)).series
    # 2024-01-01T10:00:01.5Z, as the zone is not printed.
    assert walls(one)[:2] == [1704103201.5, 1704103202.5]


def test_a_restart_in_one_log_is_two_stretches(tmp_path: Path) -> None:
    (one,) = read(write(tmp_path, LOG + LOG)).series
    assert one.steps.tolist() == [1, 2, 3, 4, 5] * 2
    assert stretches(one.steps).starts.tolist() == [0, 5]


def test_a_long_line_is_said(tmp_path: Path) -> None:
    text = LOG + "x" * (2 * ansi.CHUNK_BYTES) + "\n" + "step 6: loss=0.6\n"
    imported = read(write(tmp_path, text))
    status = imported.status
    assert (status.status, status.records) == ("partial", 6)
    assert status.reason == "1 line is too long, first line 6: their ends are left out"
    assert status.lost_bytes == 2 * ansi.CHUNK_BYTES - ansi.LONGEST_LINE
    assert points(imported)["loss"][-1] == (6, 0.6)


def test_too_many_keys_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "TAGS", 2)
    text = "".join(f"step {n}: loss=1 acc=2 lr=3 norm=4\n" for n in range(4))
    imported = read(write(tmp_path, text))
    assert set(points(imported)) == {"loss", "acc"}
    assert imported.status.reason == "too many different keys: 8 values are left out"


def test_a_cut_line_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    assert of(tmp_path, LOG.encode() + b"\xff\xfe\x80 noise\nstep 6: lo") == {
        "loss": [(n, n / 10) for n in range(1, 6)]
    }


def test_a_binary_file_that_is_named(tmp_path: Path) -> None:
    status = read(write(tmp_path, b"\x7fELF\0\0\0")).status
    assert (status.status, status.reason) == ("unreadable", "binary, no text")


PIECES = [
    "step ",
    "Epoch 1/3\n",
    "loss",
    "=",
    ": ",
    "1",
    "nan",
    "0.5",
    "{'loss': 1, 'epoch': 2}\n",
    "\n",
    "\r",
    "\x1b[",
    "\x08",
    "|",
    "100%|█| 5/5 [",
    "]",
    "Test: [1/2] Loss 1 (2)",
    "* Acc@1 3",
    "\x00",
    "é",
    "inf",
    "9" * 400,
    "1,234",
    "Traceback (most recent call last):\n",
    "iter 5: loss 3",
    "| epoch 1 | loss 2 | num_updates 7",
    "- 3s - loss: 1\n",
    "5/5 - loss: 2\n",
    "2024-99-99 99:99:99",
    "9999-12-31 23:59:59,999999 ",
    "ɸ٣",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    data=st.one_of(
        st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=40).map(lambda one: "".join(one).encode())
    )
)
def test_nothing_raises(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    claims(path)
    ConsoleImporter().accompanies(path, data[:64])
    imported = read(path)
    assert imported.status.status in ("read", "partial", "unreadable")
    for one in imported.series:
        assert len(one.steps) == len(one.wall_times) == len(one.columns["value"]) > 0


@pytest.mark.parametrize(
    "line",
    ["step " * 800, "a b c d " * 500 + "1", "| epoch 1 " * 400, "{'epoch': 1" * 300, "Epoch 1 " * 500, "1/2 - " * 600, "[1/2 (3%) " * 400,
     "loss 1 (" * 500, "x" * 4000 + " loss: 1", "loss: " + "1 " * 1900, "5%|" * 1300, "a" * 49 + " "],
)  # fmt: skip
def test_no_line_takes_long(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, "".join(f"{line} step{'a' * n}\n" for n in range(20)))
    start = time.process_time()
    read(path)
    assert time.process_time() - start < 2.0


def test_a_million_lines_in_seconds(tmp_path: Path) -> None:
    count = 100_000
    with (tmp_path / "train.log").open("w") as file:
        file.writelines(f"epoch {n // 1000} step {n}: loss=0.{n % 9973:04d} lr=1.0e-04 \n" for n in range(count))
    start = time.process_time()
    (loss, rate) = read(tmp_path / "train.log").series
    # 4 µs a line where it was measured; the limit is for a machine at work with other things.
    assert time.process_time() - start < count * 40e-6
    assert len(loss.steps) == len(rate.steps) == count
