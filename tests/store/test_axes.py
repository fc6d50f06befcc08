"""What steps and times count, judged by the values and by the other series."""

import numpy as np
import pytest

from mlcheck.store.build import build_run
from tests.store.builders import by_tag, imported, raw

HUNDRED = range(100)


@pytest.mark.parametrize(
    ("tag", "values", "expected"),
    [
        # Composer counts what has passed under `time/`; others write how long each took.
        ("time/batch", np.arange(100.0), "progress"),
        ("time/token", 2048.0 * np.arange(100), "progress"),
        ("time/train", 0.01 * np.arange(1, 101), "progress"),
        ("time/epoch", 60 + np.sin(np.arange(100)), "step_time"),
        ("time/batch", np.full(100, 0.25), "step_time"),
        ("time/batch", np.linspace(1.0, 1.5, 100), "step_time"),
        ("time/batch", np.append(np.arange(99.0), np.nan), "step_time"),
        ("step_time", np.arange(100.0), "step_time"),
    ],
)
def test_times_that_count_up(tag: str, values: np.ndarray, expected: str) -> None:
    run = build_run("run", "run", [("", imported(raw(tag, HUNDRED, values.tolist()), raw("loss", HUNDRED)))])
    found = by_tag(run.series, tag)
    assert found.role == expected, found.reason


def test_a_few_points_are_not_enough_for_a_counter() -> None:
    run = build_run("run", "run", [("", imported(raw("time/batch", range(4), [1.0, 2.0, 3.0, 4.0])))])
    assert by_tag(run.series, "time/batch").role == "step_time"


def test_epochs_beside_dumps_that_count_iterations() -> None:
    """A loop that logs each epoch and dumps weights by iteration: the dump is as long as the training."""
    logged = imported(raw("loss", range(1, 26)), raw("val_loss", range(1, 26)))
    dumped = imported(raw("weights/fc1", range(1, 762, 40), kind="tensor", wall=float("nan")), path="dump.h5")
    run = build_run("run", "run", [("", logged), ("", dumped)])
    assert [by_tag(run.series, name).axis for name in ("loss", "val_loss", "weights/fc1")] == ["epoch", "epoch", "step"]


def test_dumps_that_are_no_longer_than_the_scalars_leave_them_on_steps() -> None:
    logged = imported(raw("loss", range(1, 26)))
    dumped = imported(raw("weights/fc1", range(1, 100, 20), kind="tensor", wall=float("nan")), path="dump.h5")
    run = build_run("run", "run", [("", logged), ("", dumped)])
    assert by_tag(run.series, "loss").axis == "step"


def test_sparse_scalars_beside_dumps_stay_on_steps() -> None:
    """Every tenth step of the first quarter: the dump alone went on."""
    logged = imported(raw("loss", range(0, 150, 10)))
    dumped = imported(raw("weights/fc1", range(1, 800, 40), kind="tensor", wall=float("nan")), path="dump.h5")
    run = build_run("run", "run", [("", logged), ("", dumped)])
    assert by_tag(run.series, "loss").axis == "step"


@pytest.mark.parametrize(
    ("epochs", "saves", "axis"),
    [
        (range(1, 26), range(1, 26), "epoch"),
        (range(1, 26), range(25), "epoch"),
        (range(25), range(0, 25, 4), "epoch"),
        (range(23), range(0, 23, 5), "epoch"),
        (range(25), range(0, 20, 4), "step"),
        (range(25), [23, 24], "step"),
        (range(25), range(0, 100, 4), "step"),
    ],
    ids=["from one", "from zero", "every fourth", "every fifth", "ends before", "two", "goes on"],
)
def test_saves_that_end_where_the_epochs_end(epochs: list[int], saves: list[int], axis: str) -> None:
    """Keras' history stands at epochs; a dump beside it has the epoch as the number of each save."""
    logged = imported(raw("epoch/loss", epochs, axis="epoch"), raw("epoch/val_loss", epochs, axis="epoch"))
    dumped = imported(raw("weights/fc1", saves, kind="tensor", wall=float("nan")), path="dump.h5")
    run = build_run("run", "run", [("", logged), ("", dumped)])
    assert by_tag(run.series, "epoch/loss").axis == "epoch"
    assert by_tag(run.series, "weights/fc1").axis == axis


@pytest.mark.parametrize(("last", "axis"), [(250, "epoch"), (60, "step")])
def test_saves_that_end_with_the_epochs_beside_scalars_on_steps(last: int, axis: str) -> None:
    """Nobody dumps the first 25 of 250 iterations of 25 epochs; of 60 it may be."""
    logged = imported(raw("epoch/loss", range(25), axis="epoch"), raw("train/grad_norm", range(0, last, 10)))
    dumped = imported(raw("weights/fc1", range(25), kind="tensor", wall=float("nan")), path="dump.h5")
    run = build_run("run", "run", [("", logged), ("", dumped)])
    assert by_tag(run.series, "weights/fc1").axis == axis


def test_batches_beside_epochs_in_the_directory_of_the_saves() -> None:
    """Keras with update_freq: `batch_loss` by iteration, `epoch_loss` and histograms by epoch."""
    train = imported(
        raw("batch_loss", range(10, 400, 10)),
        raw("epoch_loss", range(18), wall=2.0),
        raw("dense/kernel/histogram", range(0, 18, 3), kind="tensor", wall=6.0),
    )
    run = build_run("run", "run", [("train", train)])
    assert by_tag(run.series, "train/dense/kernel/histogram").axis == "epoch"


def test_epochs_without_times_beside_dumps_without_times() -> None:
    logged = imported(raw("mse/train", range(40), wall=float("nan")), raw("mse/holdout", range(40), wall=float("nan")))
    dumped = imported(raw("weights/fc1", range(1, 362, 120), kind="tensor", wall=float("nan")), path="dump.h5")
    run = build_run("run", "run", [("", logged), ("", dumped)])
    assert by_tag(run.series, "mse/train").axis == "epoch"


def test_saves_beside_epochs_where_another_directory_counts_iterations() -> None:
    """Keras writes histograms each second epoch beside `epoch_loss`, and `evaluation_loss_vs_iterations` for validation."""
    train = imported(
        raw("epoch_loss", range(20), wall=2.0),
        raw("dense/kernel/histogram", range(0, 20, 2), kind="tensor", wall=4.0),
        path="train/events",
    )
    validation = imported(
        raw("epoch_loss", range(20), wall=2.0), raw("evaluation_loss_vs_iterations", range(12, 241, 12), wall=2.0)
    )
    run = build_run("run", "run", [("train", train), ("validation", validation)])
    assert by_tag(run.series, "train/dense/kernel/histogram").axis == "epoch"
