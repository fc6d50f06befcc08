"""Metrics of single classes: `f1/cat` beside `f1/dog` and `f1/bird`, `cat_recall` beside the others; label `family` is `per_class`.

What says so itself (`recall_class_2`) is known by the table data/families.toml. Others are known by their fellows: three or more
metrics of one split whose names differ in one word that is no kind of average (`macro`, `weighted`), no number of answers (`recall@5`)
and no number but one of a row from 0 or 1, and beside a metric of the whole. They say nothing of the whole model, and rules for its
accuracy or F1 do not take them.
"""

import re
from collections.abc import Iterator, Sequence

from mlcheck.records import replace
from mlcheck.store.families import PER_CLASS, family_of
from mlcheck.store.labels import KINDS, is_split
from mlcheck.store.series import Series

LEAST_CLASSES = 3
"""Fewer that share a name may be a pair of anything: a task and its auxiliary task, two heads."""
_MEASURES = frozenset(("precision", "recall", "sensitivity", "specificity", "f1", "iou", "dice", "ap"))
"""What is measured of classes. Accuracies under several names are of tasks, of attacks and of the first k answers, too."""
_SCORE = frozenset(("score", "coefficient", "coef"))
_NO_CLASS = KINDS | frozenset(
    (
        *("samples", "binary", "none", "m", "all", "global", "swa", "epoch", "step", "batch", "score", "at", "k"),
        *("token", "tokens", "sequence", "exact", "small", "medium", "large", "s", "l"),
        *("generator", "discriminator", "real", "fake"),
    )
)
_WORD = re.compile(r"[^\W_]+")


def with_classes(series: Sequence[Series]) -> list[Series]:
    """The series with the family `per_class` on each metric that is of a class by its fellows; what the user says of one stays."""
    groups: dict[tuple[str | int, ...], dict[str, str]] = {}
    for one in series:
        if one.role == "metric" and "family" not in one.labels and family_of(one.labels.get("metric", "")) != PER_CLASS:
            for key, word in _readings(one):
                groups.setdefault(key, {})[one.name] = word
    names = {name for group in groups.values() if _are_classes(set(group.values())) for name in group}
    # Without a metric of the whole they may be all that there is of it: the heads of a model, clean and attacked data.
    if not names or not any(_is_of_the_whole(one) for one in series if one.name not in names):
        return list(series)
    return [_of_class(one) if one.name in names else one for one in series]


def _readings(one: Series) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each way of reading a name as that of a class: what all of its fellows share, and the word for the class."""
    words = [word for word in _WORD.findall(one.labels.get("metric", "")) if word not in _SCORE]
    measures = [word for word in words if word in _MEASURES]
    if len(measures) != 1 or len(words) > 4 or "@" in one.tag:
        return
    for place, word in enumerate(words):
        if word not in _MEASURES and word not in _NO_CLASS and not is_split(word):
            yield (one.labels.get("split", ""), place, *words[:place], *words[place + 1 :]), word


def _are_classes(words: set[str]) -> bool:
    numbers = sorted(int(word) for word in words if word.isdecimal())
    if not numbers:
        return len(words) >= LEAST_CLASSES
    # Answers are counted in 1, 5 and 10; classes without a gap.
    return (
        len(numbers) == len(words) >= LEAST_CLASSES and numbers[0] <= 1 and numbers[-1] - numbers[0] == len(numbers) - 1
    )


def _is_of_the_whole(one: Series) -> bool:
    family = one.labels.get("family") or family_of(one.labels.get("metric", ""))
    return one.role == "metric" and family not in (None, PER_CLASS)


def _of_class(one: Series) -> Series:
    return replace(one, labels={**one.labels, "family": PER_CLASS})
