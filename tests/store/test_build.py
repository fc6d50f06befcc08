"""Files of a run become series: order, segments, names, splits, axes, layers."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.errors import UsageError
from mlcheck.store.build import build_run
from mlcheck.store.roles import RoleOverride
from mlcheck.store.series import Imported, Run, Series
from tests.store.builders import by_tag, imported, raw


def build(*parts: tuple[str, Imported]) -> Run:
    return build_run("run", "logs/version_3", parts)


def logged(run: Run) -> list[Series]:
    return [one for one in run.series if one.kind != "fact"]


def test_files_go_by_their_first_record() -> None:
    late = imported(raw("loss", [10, 11], [3, 4]), first=100, path="a")
    early = imported(raw("loss", [0, 1], [1, 2]), first=0, path="b")
    unknown = Imported(late.status, (raw("loss", [20], [5]),))
    assert math.isnan(unknown.first_wall_time)
    series = by_tag(build(("", late), ("", unknown), ("", early)).series, "loss")
    assert series.columns["value"].tolist() == [1, 2, 3, 4, 5]
    assert series.segments.tolist() == [0, 2, 4]


def test_a_file_without_rows_begins_no_segment() -> None:
    files = [imported(raw("loss", []), path="a"), imported(raw("loss", [0, 1]), first=1, path="b")]
    assert by_tag(build(*(("", file) for file in files)).series, "loss").segments.tolist() == [0]


def test_the_same_tag_in_two_parts_is_two_series() -> None:
    run = build(("train", imported(raw("loss", [0, 1]))), ("validation", imported(raw("loss", [0, 1]))))
    assert {one.name: one.labels["split"] for one in logged(run)} == {"train/loss": "train", "validation/loss": "val"}


def test_names_are_unique() -> None:
    parts = [
        ("", imported(raw("train/loss", [0]))),
        ("train", imported(raw("loss", [0]), raw("loss", [0], kind="tensor"))),
    ]
    names = [one.name for one in logged(build(*parts))]
    assert len(names) == len(set(names)) == 3


def test_columns_that_a_file_lacks_are_nan() -> None:
    import dataclasses

    first = raw("w", [0], kind="tensor")
    second = dataclasses.replace(raw("w", [1], kind="tensor"), columns={"std": np.array([2.0])})
    run = build(("", imported(first)), ("", imported(second, first=1, path="b")))
    columns = by_tag(run.series, "w").columns
    np.testing.assert_array_equal(columns["abs_mean"], [1, np.nan])
    np.testing.assert_array_equal(columns["std"], [np.nan, 2])


def test_sources_facts_lane_and_regime() -> None:
    run = build(("", imported(raw("train/loss", range(10)), path="x")))
    assert [one.path for one in run.sources] == ["x"]
    assert run.lane == "logs/version"
    assert run.regime.name == "supervised"


def test_the_user_sets_the_regime() -> None:
    run = build_run("run", "run", [("", imported(raw("loss", range(10))))], regime="gan")
    assert (run.regime.name, run.regime.reason) == ("gan", "set by the user")


def test_an_unknown_regime_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean supervised"):
        build_run("run", "run", [], regime="supervized")


def test_overrides_reach_the_series() -> None:
    run = build_run("run", "run", [("", imported(raw("x", range(3))))], overrides=[RoleOverride("x", "loss")])
    assert by_tag(run.series, "x").labels["primary"] == "true"


def test_accuracy_beside_val_accuracy_is_that_of_training() -> None:
    run = build(("", imported(raw("accuracy", range(3)), raw("val_accuracy", range(3)), raw("f1", range(3)))))
    assert by_tag(run.series, "accuracy").labels["split"] == "train"
    assert "split" not in by_tag(run.series, "f1").labels


def test_catboost_test_is_validation_beside_learn() -> None:
    run = build(
        ("learn", imported(raw("Logloss", range(9)))),
        ("test", imported(raw("Logloss", range(9)), raw("AUC", range(9)))),
    )
    assert by_tag(run.series, "test/Logloss").labels["split"] == "val"
    assert by_tag(run.series, "test/AUC").labels["split"] == "val"
    assert run.regime.name == "tree"


def test_test_beside_train_stays_test() -> None:
    run = build(("train", imported(raw("loss", range(9)))), ("test", imported(raw("loss", range(9)))))
    assert by_tag(run.series, "test/loss").labels["split"] == "test"


def test_an_alternate_axis_needs_its_sibling() -> None:
    both = build(("", imported(raw("rewards/step", range(9)), raw("rewards/time", range(9)))))
    assert by_tag(both.series, "rewards/time").role == "alternate_axis"
    alone = build(("", imported(raw("rewards/time", range(9)))))
    assert by_tag(alone.series, "rewards/time").role == "episode_reward"
    assert by_tag(alone.series, "rewards/time").axis == "time"


def test_epochs_beside_iterations_are_an_axis_of_their_own() -> None:
    train = raw("train/loss", range(0, 10_000, 10), wall=1)
    val = raw("val/loss", range(10), wall=100)
    run = build(("", imported(train, val)))
    assert by_tag(run.series, "val/loss").axis == "epoch"
    assert by_tag(run.series, "train/loss").axis == "step"


def test_a_short_series_at_the_start_is_not_by_epoch() -> None:
    run = build(("", imported(raw("train/loss", range(1000)), raw("warmup/loss", range(10)))))
    assert by_tag(run.series, "warmup/loss").axis == "step"


def test_an_epoch_tag_on_steps_is_on_steps() -> None:
    step = raw("combined/step_training_loss", range(2640))
    epoch = raw("combined/epoch_loss", range(264, 2641, 264), wall=264)
    run = build(("training", imported(step, epoch)))
    assert by_tag(run.series, "training/combined/epoch_loss").axis == "step"


def test_layers_keep_the_order_of_the_file() -> None:
    tags = ["weights/out.weight", "weights/in.weight", "weights/in.bias"]
    run = build(("", imported(*(raw(tag, [0], kind="tensor", order=i) for i, tag in enumerate(tags)))))
    assert [one.labels["order"] for one in logged(run)] == ["0", "1", "1"]


def test_layers_with_numbers_are_ordered_by_them() -> None:
    tags = ["weights/block10.weight", "weights/block2.weight"]
    run = build(("", imported(*(raw(tag, [0], kind="tensor") for tag in tags))))
    assert [one.labels["order"] for one in logged(run)] == ["1", "0"]


def test_layers_without_either_have_no_order() -> None:
    run = build(
        ("", imported(raw("weights/fc.weight", [0], kind="tensor"), raw("weights/out.weight", [0], kind="tensor")))
    )
    assert all("order" not in one.labels for one in logged(run))


STEPS = st.lists(st.integers(0, 12), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=3))
def test_no_row_is_lost_and_the_live_view_is_as_defined(files: list[list[int]]) -> None:
    parts = [("", imported(raw("train/loss", steps), first=float(i), path=str(i))) for i, steps in enumerate(files)]
    run = build_run("run", "run", parts)
    series = by_tag(run.series, "train/loss")
    assert len(series) == sum(map(len, files))
    bounds = [*series.segments.tolist(), len(series)]
    pieces = [series.steps[a:b].tolist() for a, b in pairwise(bounds)]
    expected: list[int] = []
    for piece in pieces:
        if piece:
            expected = [step for step in expected if step < piece[0]] + piece
    assert series.live.steps.tolist() == expected


def test_a_divergence_beside_a_reconstruction_is_no_policys() -> None:
    def roles(*tags: str) -> dict[str, tuple[str, str | None]]:
        run = build_run("run", "run", [("", imported(*(raw(tag, [1, 2, 3]) for tag in tags)))])
        return {one.name: (one.role, one.labels.get("split")) for one in run.series if one.kind == "scalar"}

    assert roles("loss/train", "loss/recon", "loss/kl")["loss/kl"] == ("loss_component", "train")
    assert roles("losses/value_loss", "losses/approx_kl")["losses/approx_kl"][0] == "kl"
