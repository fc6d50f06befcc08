"""Splits by words that name none by themselves."""

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.roles import RoleOverride
from tests.store.builders import imported, raw

TEN = list(range(10))


def splits(*tags: str, overrides: tuple[RoleOverride, ...] = ()) -> dict[str, tuple[str, str | None]]:
    run = build_run("run", "run", [("", imported(*(raw(tag, TEN) for tag in tags)))], overrides=overrides)
    return {one.name: (one.role, one.labels.get("split")) for one in run.series if one.kind == "scalar"}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (("logloss_fit", "logloss_check"), {"logloss_fit": ("loss", "train"), "logloss_check": ("loss", "val")}),
        (("train/acc", "external/acc"), {"train/acc": ("metric", "train"), "external/acc": ("metric", "val")}),
        (("known-logloss", "later-logloss"), {"known-logloss": ("loss", "train"), "later-logloss": ("loss", "val")}),
        (("logloss", "logloss_blind"), {"logloss": ("loss", "train"), "logloss_blind": ("loss", "val")}),
        (("rows's rmse", "rows_cv's rmse"), {"rows's rmse": ("loss", "train"), "rows_cv's rmse": ("loss", "val")}),
    ],
)
def test_a_word_beside_its_like(tags: tuple[str, ...], expected: dict[str, tuple[str, str]]) -> None:
    assert splits(*tags) == expected


@pytest.mark.parametrize(
    "tags",
    [
        # Nothing is said of training under the same name.
        ("logloss", "logloss_check"),
        ("train/loss", "check/acc"),
        # Validation is named plainly: the word means something else.
        ("train/loss", "other/loss", "val/loss"),
        ("train/loss", "aux/loss"),
    ],
)
def test_alone_it_names_nothing(tags: tuple[str, ...]) -> None:
    assert splits(*tags)[tags[1]][1] != "val"


def test_directories_count_as_well() -> None:
    parts = [("ce_own_site", imported(raw("ce", TEN))), ("ce_other_site", imported(raw("ce", TEN)))]
    run = build_run("run", "run", parts)
    assert {one.name: one.labels.get("split") for one in run.series if one.kind == "scalar"} == {
        "ce_own_site/ce": "train",
        "ce_other_site/ce": "val",
    }


def test_what_the_user_says_stays() -> None:
    mine = RoleOverride("*_check", "other", {})
    assert splits("logloss_fit", "logloss_check", overrides=(mine,))["logloss_check"][0] == "other"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (("rmse_observed", "rmse_heldout"), {"rmse_observed": "train", "rmse_heldout": "val"}),
        (
            ("curve/top1/fitted_set", "curve/top1/val_set", "hits/fitted_set", "hits/val_set"),
            {
                "curve/top1/fitted_set": "train",
                "curve/top1/val_set": "val",
                "hits/fitted_set": "train",
                "hits/val_set": "val",
            },
        ),
    ],
)
def test_the_only_word_in_the_place_of_validation(tags: tuple[str, ...], expected: dict[str, str]) -> None:
    assert {name: split for name, (_, split) in splits(*tags).items()} == expected


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        # Kinds of a metric, and parts of what it is of, are no splits.
        (("f1_macro", "f1_val"), "f1_macro"),
        (("dice_tumor", "dice_liver", "dice_val"), "dice_tumor"),
        # Training data are named, plainly or by having no split.
        (("rmse_observed", "rmse_heldout", "train_loss"), "rmse_observed"),
        (("rmse_observed", "rmse_heldout", "loss"), "rmse_observed"),
        (("rmse_observed", "rmse", "rmse_heldout"), "rmse_observed"),
        # Not in every tag that has a split.
        (("rmse_observed", "rmse_heldout", "mae_heldout"), "rmse_observed"),
    ],
)
def test_no_word_for_training(tags: tuple[str, ...], name: str) -> None:
    assert splits(*tags)[name][1] is None


@pytest.mark.parametrize(
    "tags",
    [
        ("xent.fit", "xent.audit", "hits.fit", "hits.audit", "lr"),
        ("train/xent", "city/xent", "train/hits", "city/hits", "city/seconds"),
    ],
)
def test_the_only_word_in_the_place_of_training(tags: tuple[str, ...]) -> None:
    found = [split for _, split in splits(*tags).values()]
    assert found[:4] in (["train", "val", "train", "val"], ["val", "train", "val", "train"])


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        # One quantity is too little: its part may be told beside it.
        (("train/loss", "city/loss", "train/acc"), "city/loss"),
        # Two such words: parts of the data, or of the model.
        (("train/loss", "city/loss", "lake/loss", "train/acc", "city/acc", "lake/acc"), "city/loss"),
        # Of training, too.
        (("train/loss", "epoch/loss", "train/acc", "epoch/acc"), "epoch/loss"),
        (("train/loss", "teacher/loss", "train/acc", "teacher/acc"), "teacher/loss"),
    ],
)
def test_no_word_for_held_out_data(tags: tuple[str, ...], name: str) -> None:
    assert splits(*tags)[name][1] != "val"


def trees(**last: float) -> dict[str, str | None]:
    """The splits of the sets `a` and `b` of a boosting run, by the last values of their curves."""
    curves = [raw(name.replace("_", "/"), TEN, [2.0 - n / 10 for n in range(9)] + [end]) for name, end in last.items()]
    run = build_run("run", "run", [("", imported(*curves, raw("feature_importance/gain/f0", TEN)))])
    return {one.name: one.labels.get("split") for one in run.series if one.name.startswith(("a/", "b/"))}


def test_boosted_trees_learn_the_set_on_which_their_loss_ends_lower() -> None:
    assert trees(a_logloss=0.1, b_logloss=0.5) == {"a/logloss": "train", "b/logloss": "val"}
    assert trees(a_logloss=0.5, b_logloss=0.1) == {"a/logloss": "val", "b/logloss": "train"}


def test_sets_that_disagree_name_nothing() -> None:
    found = trees(a_logloss=0.1, b_logloss=0.5, a_rmse=0.5, b_rmse=0.1)
    assert "val" not in found.values()
    assert "val" not in trees(a_logloss=0.1, b_rmse=0.5).values()


def test_without_trees_two_words_are_two_tasks() -> None:
    assert "val" not in {split for _, split in splits("a/logloss", "b/logloss").values()}
