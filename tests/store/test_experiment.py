"""Tags with the name of an experiment before them have the metrics that rules ask for."""

import pytest

from mlcheck.store.build import build_run
from tests.store.builders import by_tag, imported, raw

TEN = list(range(10))


def metrics(*tags: str) -> dict[str, str]:
    run = build_run("run", "run", [("", imported(*(raw(tag, TEN) for tag in tags)))])
    return {one.name: one.labels["metric"] for one in run.series if one.kind == "scalar" and "metric" in one.labels}


def test_a_word_that_all_share_is_left_out() -> None:
    assert metrics("wine/train_loss", "wine/val_loss", "wine/acc_val") == {
        "wine/train_loss": "loss",
        "wine/val_loss": "loss",
        "wine/acc_val": "acc",
    }


def test_an_error_alone_is_what_is_minimised() -> None:
    run = build_run("run", "run", [("", imported(raw("forecast/train_mse", TEN), raw("forecast/val_mse", TEN)))])
    assert by_tag(run.series, "forecast/train_mse").role == "loss"


def test_so_are_two_of_them() -> None:
    assert metrics("mnist/run3/train_loss", "mnist/run3/val_acc") == {
        "mnist/run3/train_loss": "loss",
        "mnist/run3/val_acc": "acc",
    }


def test_other_series_need_not_have_it() -> None:
    found = metrics("wine/train_loss", "wine/val_acc", "lr")
    assert (found["wine/train_loss"], found["wine/val_acc"]) == ("loss", "acc")


@pytest.mark.parametrize(
    "tags",
    [("encoder/loss", "decoder/loss"), ("wine/train_loss", "accuracy")],
    ids=["two models", "one without"],
)
def test_what_only_some_have_stays(tags: tuple[str, ...]) -> None:
    found = metrics(*tags)
    assert any("/" in metric for metric in found.values())


def test_a_word_that_says_something_stays() -> None:
    run = build_run("run", "run", [("", imported(raw("loss/box", TEN), raw("loss/cls", TEN)))])
    assert "box" in by_tag(run.series, "loss/box").labels["metric"]
    assert by_tag(run.series, "loss/box").labels["metric"] != "box"


def test_whose_a_measure_is_does_not_matter_where_there_is_one() -> None:
    found = metrics("distill/loss", "student/val_loss", "student/val_top1")
    assert found == {"distill/loss": "distill/loss", "student/val_loss": "student/loss", "student/val_top1": "top1"}


def test_of_several_tasks_each_keeps_its_own() -> None:
    found = metrics("digit/val_accuracy", "parity/val_accuracy", "loss")
    assert set(found.values()) == {"digit/accuracy", "parity/accuracy", "loss"}
