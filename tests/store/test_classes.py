"""Which metrics are of one class alone: by their name, or by their fellows."""

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.classes import PER_CLASS
from tests.store.builders import imported, raw


def of_classes(*tags: str) -> set[str]:
    """The tags of which mlcheck says that they are of one class."""
    run = build_run("r", ".", [("", imported(*(raw(tag, [0, 1, 2], [0.1, 0.2, 0.3]) for tag in tags)))])
    return {one.tag for one in run.series if one.labels.get("family") == PER_CLASS}


@pytest.mark.parametrize(
    "tags",
    [
        ("recall_class_0", "recall_class_1"),
        ("val/f1_cls3", "val/f1_cls4"),
        ("per_class_acc/cat", "per_class_acc/dog"),
        ("class_2_accuracy",),
    ],
)
def test_a_name_that_says_class_is_of_one(tags: tuple[str, ...]) -> None:
    assert of_classes("val_acc", *tags) == set(tags)


@pytest.mark.parametrize(
    "tags",
    [
        ("val/f1/cat", "val/f1/dog", "val/f1/bird"),
        ("iou_road", "iou_car", "iou_sky", "iou_person"),
        ("cat_recall", "dog_recall", "bird_recall"),
        ("cat_f1_score", "dog_f1_score", "bird_f1_score"),
        ("recall/0", "recall/1", "recall/2"),
        ("ap_1", "ap_2", "ap_3"),
    ],
)
def test_three_that_differ_in_one_word_are_classes_beside_a_metric_of_the_whole(tags: tuple[str, ...]) -> None:
    assert of_classes("val_acc", *tags) == set(tags)
    assert of_classes(*tags) == set()


@pytest.mark.parametrize(
    "tags",
    [
        ("val/macro_f1", "val/micro_f1", "val/weighted_f1"),
        ("recall_1", "recall_5", "recall_10"),
        ("recall@1", "recall@2", "recall@3"),
        ("iou_cat", "iou_dog"),
        ("val_acc_top1", "val_acc_top3", "val_acc_top5"),
        ("hellaswag_acc", "piqa_acc", "arc_acc"),
        ("val_acc_clean", "val_acc_blur", "val_acc_pgd"),
        ("train_acc", "valid_acc", "test_acc"),
        ("mean_per_class_accuracy",),
    ],
)
def test_other_kinds_of_one_metric_are_no_classes(tags: tuple[str, ...]) -> None:
    assert of_classes("accuracy", *tags) == set()
