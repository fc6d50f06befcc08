"""Splits under words that name none by themselves: `logloss_check` beside `logloss_fit`, `later-error` beside `known-error`.

Such a word counts only where the same tag stands under a word of the other side (for those of `HELD_BESIDE` without a word, too), and
where no tag of the run names validation or test data plainly. Where one does, and none names training data, any one word that stands in
the place of the plain one in all those tags is that of training: `rmse_observed` beside `rmse_heldout`. Where training data alone are
named, the one word that stands in their place in all their tags, of two quantities at least, is that of what was held out: `xent.audit`
and `hits.audit` beside `xent.fit` and `hits.fit`. Where nothing is named, the two sets of boosted trees are told by their losses.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from mlcheck.records import replace
from mlcheck.store.density import Base, Words, told_by_density
from mlcheck.store.labels import HELD_BESIDE, KINDS, held_beside, is_split, normalise, take_split, words_of
from mlcheck.store.roles import RoleOverride, assign
from mlcheck.store.series import Series
from mlcheck.store.tables import Pattern

_HELD = HELD_BESIDE | frozenset(
    (
        *("check", "control", "monitor", "proof", "public", "private"),
        *("external", "outside", "other", "foreign", "unknown", "new", "novel"),
    )
)
_USED = frozenset({"known", "seen", "own", "inside", "internal", "familiar", "source", "base", "old"})
_ANY_HELD = re.compile("|".join(sorted(_HELD)), re.IGNORECASE)
Text = tuple[str, ...]
"""The words of a tag in its normal form, with its part."""
_TRAIN = ("train", "training", "fit", "learn", "tr", "trn")
# What is told of the training data themselves, or of models and batches of another kind, stands beside them as held-out data do.
_NO_DATA = Pattern(
    "(?:epoch|step|batch|minibatch|iter|iteration|global|local|current|cumulative|window|recent"
    "|student|teacher|target|online|clean|adv|adversarial|aug|augmented|labeled|unlabeled"
    "|generator|discriminator|critic|actor|policy|value|aux|auxiliary|regularized|penalized)$"
)


def with_paired_splits(series: Sequence[Series], overrides: Sequence[RoleOverride] = ()) -> list[Series]:
    """The series with the roles and splits that such words give them; what the user says of one stays."""
    scalars = [one for one in series if one.kind == "scalar"]
    splits = {one.labels.get("split") for one in scalars}
    validated = bool(splits & {"val", "test"})
    if validated and "train" in splits:
        return list(series)
    curves = {words_of(normalise(_whole(one))): one for one in scalars}
    words, texts = _by_word(curves), set(curves)
    if validated:
        found = _beside_held(words, texts)
    elif not (found := _beside_train(words) or _known_pairs(texts) or _sets_of_trees(series)) and not any(splits):
        names = {word: those for word, those in words.items() if _is_name(word) and not _NO_DATA.match(word)}
        found = told_by_density(names)
    if not found:
        return list(series)
    return [_renamed(one, found, overrides) if one.kind == "scalar" else one for one in series]


def _by_word(curves: Mapping[Text, Series]) -> dict[str, dict[Base, Series]]:
    """For each word the tags without it, and its place in them."""
    words: dict[str, dict[Base, Series]] = {}
    for text, one in curves.items():
        for place, word in enumerate(text):
            words.setdefault(word, {})[place, *text[:place], *text[place + 1 :]] = one
    return words


def _beside_held(words: Words, texts: set[Text]) -> dict[str, str]:
    """The word for training data, if a single one stands in the place of a split in every tag that has one."""
    held = set[Base]().union(*(bases for word, bases in words.items() if is_split(word)))
    beside = {word: bases.keys() & held for word, bases in words.items() if _is_name(word)}
    beside = {word: bases for word, bases in beside.items() if bases}
    bare = {base[1:] for base in held} & texts
    found = [word for word, bases in beside.items() if bases == held]
    return {found[0]: "train"} if len(beside) == len(found) == 1 and not bare else {}


def _beside_train(words: Words) -> dict[str, str]:
    """The word for held-out data, if a single one stands in the place of the word for training in every tag that has that."""
    used = [word for word in _TRAIN if len(words.get(word, ())) > 1]
    if len(used) != 1:
        return {}
    bases = words[used[0]].keys()
    found = [
        word
        for word, those in words.items()
        if those.keys() >= bases and word != used[0] and _is_name(word) and not _NO_DATA.match(word)
    ]
    return {found[0]: "val", used[0]: "train"} if len(found) == 1 else {}


def _is_name(word: str) -> bool:
    """Whether a word may be that of a data set, and names neither a split plainly nor a kind of a quantity."""
    return word.isalpha() and len(word) > 2 and not is_split(word) and word not in KINDS


def _known_pairs(texts: set[Text]) -> dict[str, str]:
    """The words of both sides that stand beside each other, and those that stand beside none."""
    if not _ANY_HELD.search(" ".join(word for text in texts for word in text)):
        return {}
    pairs = list(_pairs(texts))
    used = {word for _, word in pairs}.difference(_TRAIN)
    held = [*held_beside(texts), *(word for word, _ in pairs)]
    return {**dict.fromkeys(held, "val"), **dict.fromkeys(used, "train")}


_OF_TREES = frozenset({"tree", "feature_importance"})


def _sets_of_trees(series: Sequence[Series]) -> dict[str, str]:
    """The words of the two sets on which boosted trees are evaluated: they learn the one on which the loss ends lower.

    Each library evaluates the same quantities on all sets that it is given, under the names that the user gives.
    """
    if not any(one.role in _OF_TREES for one in series):
        return {}
    sets: dict[str, dict[Text, Series]] = {}
    for one in series:
        if one.kind == "scalar" and one.role in ("loss", "metric", "error_metric") and len(one):
            word, *rest = words_of(normalise(_whole(one)))
            sets.setdefault(word, {})[tuple(rest)] = one
    if len(sets) != 2:
        return {}
    (one_word, first), (other_word, second) = sets.items()
    errors = [rest for rest, one in first.items() if one.labels.get("better") == "lower"]
    if first.keys() != second.keys() or not all(first) or not errors:
        return {}
    lower = {bool(first[rest].columns["value"][-1] < second[rest].columns["value"][-1]) for rest in errors}
    if len(lower) > 1:
        return {}
    return {one_word: "train", other_word: "val"} if lower == {True} else {one_word: "val", other_word: "train"}


def _whole(one: Series) -> str:
    return f"{one.part}/{one.tag}" if one.part else one.tag


def _pairs(texts: set[Text]) -> Iterator[tuple[str, str]]:
    """Words of both sides that stand in the same place of the same tag."""
    for text in texts:
        for place, word in enumerate(text):
            if word in _HELD:
                for other in (*_USED, *_TRAIN):
                    if (*text[:place], other, *text[place + 1 :]) in texts:
                        yield word, other


def _renamed(one: Series, words: dict[str, str], overrides: Sequence[RoleOverride]) -> Series:
    if any(fnmatchcase(one.tag, by.pattern) or fnmatchcase(_whole(one), by.pattern) for by in overrides):
        return one
    pattern = re.compile(rf"(?<![a-zA-Z])({'|'.join(map(re.escape, sorted(words)))})(?![a-zA-Z])", re.IGNORECASE)
    tag, part = (pattern.sub(lambda found: words[found[1].lower()], text) for text in (one.tag, one.part))
    if (tag, part) == (one.tag, one.part):
        return one
    found = assign(tag, part, one.kind, one.hints)
    labels = {**found.labels, **{key: one.labels[key] for key in ("axis", "worker") if key in one.labels}}
    # What no role has a name for has one here, for who looks for its fellow (store/unnamed.py).
    labels.setdefault("metric", take_split(normalise(f"{part}/{tag}" if part else tag)).core)
    split = found.labels.get("split", "train")
    return replace(one, role=found.role, labels=labels, reason=f"{found.reason}; {split}, by the word beside its like")
