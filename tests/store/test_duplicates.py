"""A series that a run holds twice is one."""

import numpy as np

from mlcheck.report import SourceStatus
from mlcheck.store.build import build_run
from mlcheck.store.series import Hints, Imported, RawSeries, Run


def raw(tag: str, values: list[float], wall: float = float("nan"), **hints: str) -> RawSeries:
    steps = np.arange(len(values), dtype=np.int64)
    return RawSeries(tag, "scalar", steps, wall + steps, {"value": np.array(values)}, Hints(**hints))  # type: ignore[arg-type]


def run(*files: tuple[str, str, str, list[RawSeries]]) -> Run:
    """`files`: part, path, format, series."""
    parts = [(part, Imported(SourceStatus(path, sort, "read"), tuple(series))) for part, path, sort, series in files]
    return build_run("run", ".", parts)


def logged(one: Run) -> dict[str, int]:
    return {series.name: len(series) for series in one.series if series.kind == "scalar"}


FALLING = [1.0, 0.5, 0.25, 0.125]


def test_a_table_of_the_same_series_is_no_second_one() -> None:
    found = run(
        ("", "events", "tensorboard", [raw("train_loss", FALLING, 1.7e9)]),
        ("", "metrics.csv", "csv", [raw("train_loss", FALLING), raw("val_loss", FALLING)]),
    )
    assert logged(found) == {"train_loss": 4, "val_loss": 4}
    assert np.isfinite(found.by_name("train_loss").wall_times).all()
    reasons = {source.path: source.reason for source in found.sources}
    assert reasons["events"] is None
    assert "1 series is that of the event file: train_loss" in (reasons["metrics.csv"] or "")


def test_other_spellings_and_parts_of_the_same_quantity() -> None:
    found = run(
        (
            "train",
            "train/events",
            "tensorboard",
            [raw("epoch_loss", FALLING, 1.7e9), raw("epoch_accuracy", [0.1, 0.2, 0.3, 0.4], 1.7e9)],
        ),
        ("validation", "validation/events", "tensorboard", [raw("epoch_loss", FALLING, 1.7e9)]),
        (
            "",
            "training.csv",
            "csv",
            [
                raw("loss", FALLING, axis="epoch"),
                raw("accuracy", [0.1, 0.2, 0.3, 0.4], axis="epoch"),
                raw("val_loss", FALLING, axis="epoch"),
                raw("val_accuracy", FALLING, axis="epoch"),
            ],
        ),
    )
    assert set(logged(found)) == {"train/epoch_loss", "train/epoch_accuracy", "validation/epoch_loss", "val_accuracy"}


def test_different_frequencies_are_different_series() -> None:
    found = run(
        ("", "events", "tensorboard", [raw("train_loss_step", FALLING, 1.7e9)]),
        ("", "metrics.csv", "csv", [raw("train_loss_epoch", FALLING[:3])]),
    )
    assert len(logged(found)) == 2


def test_the_same_values_under_another_name() -> None:
    rates = [0.1, 0.05, 0.025, 0.0125]
    found = run(
        ("", "events", "tensorboard", [raw("train/learning_rate", [float(np.float32(one)) for one in rates], 1.7e9)]),
        ("", "log.csv", "csv", [raw("lr", rates)]),
    )
    assert set(logged(found)) == {"train/learning_rate"}


def test_other_values_under_another_name_are_another_series() -> None:
    found = run(
        ("", "events", "tensorboard", [raw("lr/pg0", [0.1, 0.05, 0.025], 1.7e9)]),
        ("", "log.csv", "csv", [raw("lr/pg1", [0.2, 0.1, 0.05])]),
    )
    assert len(logged(found)) == 2


def test_the_longer_history_wins_where_an_event_file_lacks_half() -> None:
    found = run(
        ("", "events", "tensorboard", [raw("train/loss", [1.0], 1.7e9)]),
        ("", "trainer_state.json", "trainer_state", [raw("train/loss", FALLING)]),
    )
    assert logged(found) == {"train/loss": 4}
    assert "the event file holds less" in (found.sources[1].reason or "")


def test_two_tables_of_one_run() -> None:
    found = run(
        ("", "progress.csv", "csv", [raw("train/loss", FALLING)]),
        ("", "progress.json", "jsonl", [raw("train/loss", FALLING)]),
    )
    assert logged(found) == {"train/loss": 4}
    assert "progress.csv" in (found.sources[1].reason or "")


def test_event_files_are_joined_as_before() -> None:
    found = run(
        ("", "events.1", "tensorboard", [raw("loss", FALLING, 1.7e9)]),
        ("", "events.2", "tensorboard", [raw("loss", FALLING, 1.8e9)]),
    )
    assert logged(found) == {"loss": 8}
    assert [source.reason for source in found.sources] == [None, None]


def test_seconds_since_the_start_do_not_stand_beside_dates() -> None:
    found = run(
        ("", "events", "tensorboard", [raw("train_loss", FALLING, 1.7e9)]),
        ("", "results.csv", "csv", [raw("val_loss", FALLING, 0.0)]),
    )
    assert np.isnan(found.by_name("val_loss").wall_times).all()
    alone = run(("", "results.csv", "csv", [raw("val_loss", FALLING, 0.0)]))
    assert alone.by_name("val_loss").wall_times.tolist() == [0, 1, 2, 3]
