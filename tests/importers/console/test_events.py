"""What a job says of its end, in the words of Python, CUDA, NCCL, the shell and SLURM."""

from pathlib import Path

import pytest

from tests.importers.console.logs import facts, read, write

PYTHON = """Traceback (most recent call last):
  File "train.py", line 10, in <module>
    main()
  File "train.py", line 3, in main
    raise ValueError("x")
ValueError: x is wrong
"""
CUDA = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.65 GiB"


def told(tmp_path: Path, text: str) -> dict[str, str]:
    found = facts(read(write(tmp_path, text)))
    return {key: str(fact.value) for key, fact in found.items() if key.startswith("console/")}


def test_a_traceback_is_its_exception_with_its_line(tmp_path: Path) -> None:
    imported = read(write(tmp_path, "step 1: loss=1\n" + PYTHON))
    fact = facts(imported)["console/traceback"]
    assert (fact.value, fact.source) == ("ValueError: x is wrong", "train.log:7")


def test_the_last_traceback_counts(tmp_path: Path) -> None:
    chained = PYTHON + "\nDuring handling of the above exception, another exception occurred:\n\n"
    assert told(tmp_path, chained + PYTHON.replace("ValueError: x", "RuntimeError: y")) == {
        "console/traceback": "RuntimeError: y is wrong"
    }


@pytest.mark.parametrize("before", ["[rank0]: ", "2024-01-01 10:00:00 ERROR ", "0: "])
def test_a_traceback_of_a_worker(tmp_path: Path, before: str) -> None:
    text = "".join(before + line + "\n" for line in PYTHON.splitlines())
    assert told(tmp_path, text) == {"console/traceback": "ValueError: x is wrong"}


def test_an_exception_without_a_message(tmp_path: Path) -> None:
    text = PYTHON.replace("ValueError: x is wrong", "my.module.StopNow")
    assert told(tmp_path, text) == {"console/traceback": "my.module.StopNow"}


def test_a_long_message_is_cut(tmp_path: Path) -> None:
    value = told(tmp_path, PYTHON.replace("x is wrong", "x" * 500))["console/traceback"]
    assert len(value) == 200
    assert value.endswith("…")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (CUDA, "console/out_of_memory"),
        ("RuntimeError: CUDA error: out of memory, CUDA_ERROR_OUT_OF_MEMORY", "console/out_of_memory"),
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=1.0. Some of the tasks were OOM Killed.", "console/out_of_memory"),
        ("tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor", "console/out_of_memory"),
        ("MemoryError", "console/out_of_memory"),
        ("RuntimeError: NCCL error in: ProcessGroupNCCL.cpp:1269, unhandled system error", "console/nccl"),
        ("[E ProcessGroupNCCL.cpp:828] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(OpType=ALLREDUCE)", "console/nccl"),
        ("torch.distributed.DistBackendError: NCCL failure", "console/nccl"),
        ("Killed", "console/killed"),
        ("run.sh: line 5: 12345 Killed                  python train.py", "console/killed"),
        ("slurmstepd: error: *** JOB 123 ON node1 CANCELLED AT 2024-01-01T10:00:00 DUE TO TIME LIMIT ***", "console/killed"),
        ("KeyboardInterrupt", "console/killed"),
        ("srun: error: node1: task 0: Segmentation fault (core dumped)", "console/killed"),
        ("Segmentation fault (core dumped)", "console/killed"),
        ("torch.distributed.elastic.multiprocessing.errors.SignalException: exitcode  : -9 (pid: 3)", "console/killed"),
        ("Epoch 41: early stopping", "console/early_stopped"),
        ("Early stopping at epoch 12", "console/early_stopped"),
        ("Early stopping, best iteration is:", "console/early_stopped"),
        ("Early stopping triggered after 12 epochs with patience=5", "console/early_stopped"),
        ("Early stopping at epoch 20 (patience: 5)", "console/early_stopped"),
        ("EarlyStopping: Stop training at epoch 12", "console/early_stopped"),
        ("Monitored metric val_loss did improve. Signaling Trainer to stop.", "console/early_stopped"),
        ("Stopping. Best iteration:", "console/early_stopped"),
        ("Stopped early, no gain for 5 epochs", "console/early_stopped"),
    ],
)  # fmt: skip
def test_messages(tmp_path: Path, line: str, key: str) -> None:
    fact = facts(read(write(tmp_path, f"step 1: loss=1\n{line}\n")))[key]
    assert str(fact.value) == " ".join(line.split())
    assert fact.source == "train.log:2"


@pytest.mark.parametrize(
    "line",
    [
        "NCCL_ASYNC_ERROR_HANDLING=1",
        "node1:1:1 [0] NCCL INFO Bootstrap : timeout is 20",
        "NCCL version 2.18.1+cuda12.1",
        "Killed 3 stale workers of the loader",
        "memory: 3.2 GB of GPU memory used",
        "room for more, zoom in",
        "A Traceback is printed on errors",
        "the significant SIGNAL",
        "Did not meet early stopping. Best iteration is:",
        "EarlyStopping counter: 3 out of 5",
        "early stopping patience: 10",
        "training with early stopping",
        "Regularisation: dropout + early stopping",
        "Early stopping on val_loss",
        "Early stopping triggered: False",
        "Early stopping at epoch: None",
        "early stopping in epochs: 5",
        "Early stopping after 10 epochs without improvement",
        "Setup early stopping",
        "strategy: early_stopping",
        "max_epochs=200, early stopping after 20 bad epochs",
        "Will use early stopping after 5 epochs without gain",
    ],
)
def test_what_only_sounds_like_one(tmp_path: Path, line: str) -> None:
    assert told(tmp_path, line + "\n") == {}


def test_the_first_message_of_memory_and_the_last_of_the_end(tmp_path: Path) -> None:
    text = f"{CUDA}\nCUDA out of memory again\nKilled\nKeyboardInterrupt\n"
    assert told(tmp_path, text) == {"console/out_of_memory": CUDA, "console/killed": "KeyboardInterrupt"}
