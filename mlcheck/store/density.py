"""Splits under two words that nobody knows, told by how often they are measured: `practice/zeta` each ten steps, `match/zeta` each epoch.

Training is measured as it goes on, held-out data now and then. Two tasks, two networks or two parts of a batch are measured equally often,
so that words for those are not taken for splits; neither are words beside curves that do not go the same way over a common range.
"""

from collections.abc import Mapping, Sequence

from mlcheck.store.roles import assign
from mlcheck.store.series import Series
from mlcheck.store.unnamed import FEWEST, direction, finite

OFTEN = 3.0
"""So many times as often as the other is the one measured of which the data are trained on."""

Base = tuple[int | str, ...]
"""The place of a word in a tag, and the words around it."""
Words = Mapping[str, Mapping[Base, Series]]
"""Words of tags in their normal form, and the series that have them, each by what is left of its tag."""


def told_by_density(words: Words) -> dict[str, str]:
    """Of these words the two that are splits, if there is one such pair: the word to `train` or `val`.

    Words that stand in the same places as two others or more are names of something else.
    """
    alike: dict[frozenset[Base], list[str]] = {}
    for word, those in words.items():
        alike.setdefault(frozenset(those), []).append(word)
    pairs = [
        (often, seldom)
        for bases, two in alike.items()
        if len(two) == 2 and all(assign(word).role == "other" for word in two)
        for often, seldom in (two, reversed(two))
        if _are_splits([(words[often][base], words[seldom][base]) for base in bases])
    ]
    return {pairs[0][0]: "train", pairs[0][1]: "val"} if len(pairs) == 1 else {}


def _are_splits(curves: Sequence[tuple[Series, Series]]) -> bool:
    """Whether the first of each two is measured as often as the other or more, one of them by far, and both go the same way."""
    ratios = [len(first) / len(second) for first, second in curves if len(second)]
    return (
        len(ratios) == len(curves)
        and max(ratios) >= OFTEN
        and min(ratios) > 1 / OFTEN
        and all(_are_alike(*both) for both in curves)
    )


def _are_alike(first: Series, second: Series) -> bool:
    one, other = finite(first), finite(second)
    if len(one) < FEWEST or len(other) < FEWEST or direction(one) != direction(other):
        return False
    return bool(max(one.min(), other.min()) <= min(one.max(), other.max()))
