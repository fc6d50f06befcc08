"""Families of metrics: names that mean the same, and names that only look alike."""

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.families import family_of, known_families
from mlcheck.store.roles import RoleOverride
from tests.store.builders import by_tag, imported, raw


@pytest.mark.parametrize(
    ("metric", "family"),
    [
        ("accuracy", "accuracy"),
        ("acc", "accuracy"),
        ("top1", "accuracy"),
        ("top_1_accuracy", "accuracy"),
        ("accuracy/top1", "accuracy"),
        ("prec1", "accuracy"),
        ("sparse_categorical_accuracy", "accuracy"),
        ("token_acc", "accuracy"),
        ("acc_digit", "accuracy"),
        ("balanced_accuracy", "balanced_accuracy"),
        ("macc", "balanced_accuracy"),
        ("macro_f1", "f_score"),
        ("f1_weighted", "f_score"),
        ("roc_auc", "auc"),
        ("mean_iou", "overlap"),
        ("r_squared", "r2"),
        ("r_2", "r2"),
        ("top1_error", "error_rate"),
        ("mean_absolute_error", "absolute_error"),
        ("merror", "error_rate"),
        ("train_score", "score"),
        ("accuracy_class_3", "per_class"),
        ("per_class_acc/cat", "per_class"),
    ],
)
def test_names_of_one_family(metric: str, family: str) -> None:
    assert family_of(metric) == family


@pytest.mark.parametrize(
    "metric",
    [
        "top5",
        "top_5_acc",
        "acc5",
        "acc_0.5",
        "contrastive_acc",
        "acc/top1",
        "pair_accuracy",
        "knn_acc",
        "ema_acc",
        "disc_acc",
        "d_acc",
        "acc_fake",
        "rewards/accuracies",
        "best_acc",
        "precision",
        "relative_error",
    ],
)
def test_what_only_looks_like_a_share_of_right_answers(metric: str) -> None:
    # Two of them are right by chance half of the time, five guesses are right more often than one, and a discriminator should not be.
    assert family_of(metric) is None


def test_only_metrics_get_a_family() -> None:
    file = imported(raw("val/accuracy", [0, 1]), raw("train/accuracy_loss", [0, 1]))
    run = build_run("run", "run", [("", file)])
    assert by_tag(run.series, "val/accuracy").labels["family"] == "accuracy"
    assert "family" not in by_tag(run.series, "train/accuracy_loss").labels


def test_a_name_before_all_metrics_does_not_hide_their_family() -> None:
    run = build_run("run", "run", [("", imported(raw("teacher/accuracy", [0, 1]), raw("teacher/loss", [0, 1])))])
    assert by_tag(run.series, "teacher/accuracy").labels["family"] == "accuracy"


def test_the_user_may_say_what_a_metric_measures() -> None:
    file = imported(raw("val/quality", [0, 1]), raw("val/acc", [0, 1]))
    words = [
        RoleOverride("val/quality", "metric", {"family": "accuracy"}),
        RoleOverride("val/acc", "metric", {"family": "none"}),
    ]
    run = build_run("run", "run", [("", file)], overrides=words)
    assert by_tag(run.series, "val/quality").labels["family"] == "accuracy"
    assert by_tag(run.series, "val/acc").labels["family"] == "none"


def test_every_family_says_what_it_is() -> None:
    assert all(family.note for family in known_families().values())
