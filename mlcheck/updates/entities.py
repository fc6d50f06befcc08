"""Entities that a rewrite must carry over: found, missed and spurious, by how far back they were said (updates.md §4.2)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.records import dataclass, replace
from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import NO_OLD, Facts, codes, put_estimates, ratio, share
from mlcheck.updates.examples import Example
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.text import Tokens, contains, joined, overlaps, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

DISTANCES = ("0", "1", "2", ">=3", "future", "unseen")
"""How many turns before the base utterance a value was last said: 0 in the utterance itself, 1 in the answer before it, 2 in the user's
utterance before that; future: only after it; unseen: never word for word."""
USERS = frozenset({"user", "driver", "human", "customer", "u"})
"""Speakers who are the user; all others are the system."""
GOLD, FOUND, SPURIOUS = 0, 1, 2


def distance(value: Tokens, turns: Sequence[str], base_index: int) -> str:
    """The referent distance of a value. turns: from `text.joined`."""
    said = [turn for turn, text in enumerate(turns) if contains(text, value)]
    before = [base_index - turn for turn in said if turn <= base_index]
    if not said:
        return "unseen"
    return DISTANCES[min(min(before), 3)] if before else "future"


@dataclass(frozen=True)
class Wanted:
    """The entities of one example, ready to be looked for in any text."""

    gold: tuple[tuple[Tokens, int], ...]
    """Each value with the index of its distance in DISTANCES."""
    others: tuple[tuple[Tokens, int], ...]
    """Other annotated values of the dialogue that neither contain a gold value nor are contained in one."""
    never_said: int
    said_by_user: int
    """Gold values whose first word-for-word mention is the user's."""
    said_by_system: int

    def counts(self, text: str) -> "Counts":
        """Shape (6 distances, 3): gold values, those of them in the text, other values in the text."""
        import numpy as np

        padded = joined(tokens(text))
        found = np.zeros((len(DISTANCES), 3), dtype=np.int64)
        for value, place in self.gold:
            found[place, GOLD] += 1
            found[place, FOUND] += contains(padded, value)
        for value, place in self.others:
            found[place, SPURIOUS] += contains(padded, value)
        return found


def wanted(example: Example) -> Wanted:
    """What to look for in the rewrites of an example. Without a base utterance, in a single text, the distance is 0 or unseen."""
    turns = [joined(tokens(turn)) for turn in example.turns]
    base = example.base_index if example.base_index is not None else len(turns) - 1
    gold = [words for one in example.gold if (words := tokens(one.value))]
    others = [words for one in example.entities or () if not one.gold and (words := tokens(one.value))]
    apart = [words for words in others if not any(overlaps(words, value) for value in gold)]
    first = [next((turn for turn, text in enumerate(turns) if contains(text, words)), None) for words in gold]
    by_user = sum(
        1 for turn in first if turn is not None and example.speakers and example.speakers[turn].lower() in USERS
    )
    return Wanted(
        gold=tuple((words, DISTANCES.index(distance(words, turns, base))) for words in gold),
        others=tuple((words, DISTANCES.index(distance(words, turns, base))) for words in apart),
        never_said=sum(turn is None for turn in first),
        said_by_user=by_user,
        said_by_system=sum(turn is not None for turn in first) - by_user,
    )


def scored(examples: Sequence[Example], has_references: bool) -> list[Example]:
    """The examples whose entities are judged: annotated ones, and of those with references the ones that need a rewrite."""
    return [one for one in examples if one.entities is not None and (one.references or not has_references)]


def precision_recall_f1(gold: "Floats", found: "Floats", spurious: "Floats") -> "dict[str, Floats]":
    """Micro precision found / (found + spurious), recall found / gold, and F1 2 found / (gold + found + spurious); NaN where undefined.

    F1 is the harmonic mean of the two where both are positive; it is 0 where entities are wanted and none is found.
    """
    return {
        "precision": ratio(found, found + spurious),
        "recall": ratio(found, gold),
        "f1": ratio(2 * found, gold + found + spurious),
    }


def measure_entities(
    examples: Sequence[Example],
    settings: RewriteSettings,
    *,
    old: Mapping[str, str] | None = None,
    has_references: bool = True,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role rewrite_quality: over all entities, and by distance (group `distance`).

    old: hypothesis of the old model by example id; only examples in it are compared. Precision, recall and F1 are micro averages over
    (example, value); intervals are percentile bootstraps of clusters.
    """
    import numpy as np

    if old is not None:
        examples = [one for one in examples if one.example_id in old]
    examples = scored(examples, has_references)
    if not examples:
        return []
    sought = [wanted(one) for one in examples]
    counts = np.stack([one.counts(example.hypothesis) for one, example in zip(sought, examples, strict=True)])
    theirs = None
    if old is not None:
        theirs = np.stack([one.counts(old[ex.example_id]) for one, ex in zip(sought, examples, strict=True)])
    clusters = codes([one.cluster for one in examples])
    labels = dict(labels or {})
    overall = Facts()
    overall.put_all({"examples": len(examples), "clusters": int(clusters.max()) + 1})
    _put_scores(overall, counts.sum(axis=1), None if theirs is None else theirs.sum(axis=1), clusters, settings)
    _put_decay(overall, counts)
    if has_references:
        _put_ceiling(overall, sought, examples)
    _put_mentions(overall, sought, any(one.speakers for one in examples))
    found = [_measure(f"entities{suffix}", overall, labels)]
    # Six looks at one dump: each interval is as much wider as Bonferroni asks for.
    wider = replace(settings, confidence=1 - (1 - settings.confidence) / len(DISTANCES))
    for place, name in enumerate(DISTANCES):
        facts = Facts()
        facts.put("examples", int((counts[:, place, GOLD] > 0).sum()))
        _put_scores(facts, counts[:, place], None if theirs is None else theirs[:, place], clusters, wider)
        group = {**labels, "group": "distance", "category": name}
        found.append(_measure(f"entities{suffix}/distance={name}", facts, group))
    return found


_NONE_WANTED, _NONE_FOUND = "no gold entities", "no entities in the hypotheses"
_WHY = {"precision": _NONE_FOUND, "recall": _NONE_WANTED, "f1": _NONE_WANTED}


def _put_scores(
    facts: Facts, ours: "Counts", theirs: "Counts | None", clusters: "Counts", settings: RewriteSettings
) -> None:
    """Scores of the new model, of the old one, and by how much they dropped. ours, theirs: shape (n, 3)."""
    columns = [*ours.T.astype(float), *([] if theirs is None else theirs.T.astype(float))]

    def scores(sums: "Floats") -> "dict[str, Floats]":
        found = precision_recall_f1(*sums.T[:3])
        if theirs is not None:
            old = precision_recall_f1(*sums.T[3:])
            found |= {f"{name}_old": value for name, value in old.items()}
            found |= {f"{name}_drop": old[name] - found[name] for name in old}
        return found

    reasons = {f"{name}{end}": why for name, why in _WHY.items() for end in ("", "_old", "_drop")}
    put_estimates(facts, columns, clusters, scores, settings, reasons)
    gold, found, spurious = ours.sum(axis=0)
    facts.put_all({"gold": gold, "found": found, "spurious": spurious, "confidence": settings.confidence})
    if theirs is None:
        facts.put_undefined([f"{name}_drop" for name in _WHY], NO_OLD)


def _put_decay(facts: Facts, counts: "Counts") -> None:
    """F1 of what was just said minus F1 of what was said three turns before or earlier."""
    near, far = (counts[:, DISTANCES.index(name)].sum(axis=0) for name in ("1", ">=3"))
    scores = [float(precision_recall_f1(*one.astype(float))["f1"]) for one in (near, far)]
    facts.put("distance_decay", scores[0] - scores[1], "no gold entities at distance 1, or none at 3 and more")


def _put_ceiling(facts: Facts, sought: Sequence[Wanted], examples: Sequence[Example]) -> None:
    """F1 of the references against their own annotation, which is not word for word: no rewrite can be expected above it."""
    total = sum(one.counts(example.references[0]).sum(axis=0) for one, example in zip(sought, examples, strict=True))
    for name, value in precision_recall_f1(*total.astype(float)).items():
        facts.put(f"{name}_ceiling", float(value), _WHY[name])
    f1, mine = (facts.columns.get(name, float("nan")) for name in ("f1_ceiling", "f1"))
    facts.put("f1_of_ceiling", share(mine, f1) if f1 == f1 else f1, "the references hold no gold entities")


def _put_mentions(facts: Facts, sought: Sequence[Wanted], speakers_known: bool) -> None:
    facts.put("never_said", sum(one.never_said for one in sought))
    for name, count in (
        ("first_said_by_user", sum(one.said_by_user for one in sought)),
        ("first_said_by_system", sum(one.said_by_system for one in sought)),
    ):
        facts.put(name, count if speakers_known else float("nan"), "no column `speaker`")


def _measure(name: str, facts: Facts, labels: Mapping[str, str]) -> Measure:
    shown = ("precision", "recall", "f1", "f1_old", "f1_drop", "gold")
    return Measure(
        "rewrite_quality",
        name,
        facts.columns,
        facts.undefined,
        labels,
        headline=tuple(one for one in shown if one in facts.columns),
    )
