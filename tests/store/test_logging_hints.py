"""Hints speak the language of the writer that a run used."""

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.logging_hints import hint, writer
from mlcheck.store.series import Fact
from tests.store.builders import imported, raw


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["train/loss", "train/train_runtime"], "hf"),
        (["rollout/ep_rew_mean"], "sb3"),
        (["hp_metric", "train_loss"], "lightning"),
        (["epoch_loss"], "keras"),
        (["Loss/train"], "torch"),
        (["foo"], None),
    ],
)
def test_writer(tags: list[str], expected: str | None) -> None:
    run = build_run("run", "run", [("", imported(*(raw(tag, range(5)) for tag in tags)))])
    assert writer(run.series, run.raw_facts) == expected


def test_writer_by_what_it_states() -> None:
    assert writer([], [Fact("fp16", True, "args/text_summary")]) == "hf"


def test_hint_of_the_writer_else_plain_torch_else_nothing() -> None:
    assert "validation_step" in hint("validation loss", "lightning")
    assert "add_scalar" in hint("validation loss", None)
    assert "add_histogram" in hint("gradients", "sb3")
    assert hint("sources", "hf") == ""


def test_the_format_of_a_file_tells_as_well() -> None:
    assert writer([], formats=["trainer_state"]) == "hf"
    assert writer([], formats=["tensorboard"]) is None
