"""Recall of entities that a model can know by heart against that of others: values that training held, words of its vocabulary."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.records import dataclass
from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import Facts, codes, put_estimates, ratio
from mlcheck.updates.entities import scored
from mlcheck.updates.examples import Entity, Example
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.text import Tokens, contains, joined, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Divide:
    """Two kinds of gold entities."""

    group: str
    """Label of the measure."""
    known: str
    """Name of the one kind in statistics: `recall_<known>`."""
    other: str
    gap: str
    """Name of the difference, known minus other."""
    unclear: str
    """Why it cannot be told, with the number of entities first."""
    words: str
    """What the one kind is, for reasons: `training held`."""


SEEN = Divide(
    group="seen",
    known="seen",
    other="unseen",
    gap="seen_gap",
    unclear="gold entities of which it is not known whether training held them; give a dump of the training data, "
    "or a field `seen` in entities",
    words="training held",
)
VOCABULARY = Divide(
    group="vocabulary",
    known="in_vocabulary",
    other="out_of_vocabulary",
    gap="vocabulary_gap",
    unclear="gold entities of which it is not known whether the model can generate them; give its vocabulary",
    words="the vocabulary holds",
)


def entity_values(examples: Sequence[Example]) -> frozenset[str]:
    """The gold values of training data, normalised: for `RewriteSettings.training_values`."""
    return frozenset(" ".join(tokens(entity.value)) for one in examples for entity in one.gold)


def is_seen(entity: Entity, settings: RewriteSettings) -> bool | None:
    """Whether training data held a value; None: not known."""
    if settings.training_values is not None:
        return " ".join(tokens(entity.value)) in settings.training_values
    return entity.seen


def is_in_vocabulary(entity: Entity, settings: RewriteSettings) -> bool | None:
    """Whether the model can generate all tokens of a value without copying; None: not known."""
    if settings.vocabulary is None:
        return None
    return all(word in settings.vocabulary for word in tokens(entity.value))


def measure_gaps(
    examples: Sequence[Example],
    settings: RewriteSettings,
    *,
    has_references: bool = True,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role rewrite_quality, groups `seen` and `vocabulary`: recall of both kinds of gold entities, and the difference."""
    examples = scored(examples, has_references)
    if not examples:
        return []
    divides: list[tuple[Divide, Callable[[Entity, RewriteSettings], bool | None]]] = [(SEEN, is_seen)]
    if settings.vocabulary is not None:
        divides.append((VOCABULARY, is_in_vocabulary))
    return [_measure(examples, divide, tells, settings, labels or {}, suffix) for divide, tells in divides]


def _measure(
    examples: Sequence[Example],
    divide: Divide,
    tells: Callable[[Entity, RewriteSettings], bool | None],
    settings: RewriteSettings,
    labels: Mapping[str, str],
    suffix: str,
) -> Measure:
    import numpy as np

    counts = np.zeros((len(examples), 4))
    values: dict[bool, set[Tokens]] = {True: set(), False: set()}
    unknown = 0
    for row, example in enumerate(examples):
        padded = joined(tokens(example.hypothesis))
        for entity in example.gold:
            words, known = tokens(entity.value), tells(entity, settings)
            if words and known is None:
                unknown += 1
            elif words and known is not None:
                values[known].add(words)
                counts[row, 0 if known else 2] += 1
                counts[row, 1 if known else 3] += contains(padded, words)
    if unknown:
        counts[:] = 0
    names = (f"recall_{divide.known}", f"recall_{divide.other}", divide.gap)

    def statistics(sums: "Floats") -> "dict[str, Floats]":
        one, other = ratio(sums.T[1], sums.T[0]), ratio(sums.T[3], sums.T[2])
        return dict(zip(names, (one, other, one - other), strict=True))

    facts = Facts()
    facts.put("confidence", settings.confidence)
    why = _why(divide, counts.sum(axis=0), unknown)
    put_estimates(
        facts, list(counts.T), codes([one.cluster for one in examples]), statistics, settings, dict.fromkeys(names, why)
    )
    if not unknown:
        facts.put_all({divide.known: counts[:, 0].sum(), divide.other: counts[:, 2].sum()})
        facts.put_all({f"{divide.known}_values": len(values[True]), f"{divide.other}_values": len(values[False])})
    return Measure(
        "rewrite_quality",
        f"entities{suffix}/{divide.group}",
        facts.columns,
        facts.undefined,
        {**labels, "group": divide.group},
        0,
        tuple(name for name in names if name in facts.columns),
    )


def _why(divide: Divide, totals: "Floats", unknown: int) -> str:
    if unknown:
        return f"there are {unknown:,} {divide.unclear}"
    if not totals[0] and not totals[2]:
        return "no gold entities"
    return f"{divide.words} {'none' if not totals[0] else 'all'} of the gold entities"
