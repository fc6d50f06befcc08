import numpy as np

from mlcheck.report import SourceStatus
from mlcheck.store.build import build_run
from mlcheck.store.series import Imported, RawSeries, Run


def run(**tags: list[float]) -> Run:
    series = tuple(
        RawSeries(
            tag.replace("__", "/"),
            "scalar",
            np.arange(len(values), dtype=np.int64),
            np.full(len(values), np.nan),
            {"value": np.array(values)},
        )
        for tag, values in tags.items()
    )
    return build_run("r", "r", [("", Imported(SourceStatus("f", "test", "read"), series))])


def test_the_parts_of_a_detector_add_up_to_its_loss() -> None:
    made = run(
        train__box_loss=[3.0, 2.0, 1.0],
        train__cls_loss=[1.0, 0.5, np.nan],
        train__dfl_loss=[1.0, 1.0, 1.0],
        val__box_loss=[4.0, 3.0, 2.0],
        val__cls_loss=[1.0, 1.0, 1.0],
    )
    train = made.by_name("train/loss (sum of 3 parts)")
    assert np.array_equal(train.columns["value"], [5.0, 3.5, np.nan], equal_nan=True)
    assert (train.role, train.labels["split"], train.labels["primary"]) == ("loss", "train", "true")
    val = made.by_name("val/loss (sum of 2 parts)")
    assert val.columns["value"].tolist() == [5.0, 4.0, 3.0]
    assert (val.labels["split"], val.labels["primary"]) == ("val", "true")


def test_no_sum_beside_a_loss_of_one_part_or_on_other_steps() -> None:
    assert [
        s.role for s in run(train__box_loss=[3.0, 2.0], train__cls_loss=[1.0, 1.0], train__loss=[9.0, 8.0]).series
    ].count("loss") == 1
    assert not any("sum of" in s.name for s in run(train__box_loss=[3.0, 2.0]).series)
    assert all(s.role != "loss" for s in run(train__box_loss=[3.0, 2.0, 1.0], train__cls_loss=[1.0, 1.0]).series)
