"""Whether an output follows its entities: the same dialogue with other names must be rewritten the same way."""

from collections.abc import Mapping, Sequence

from mlcheck.updates.clustered import Facts, codes, put_share
from mlcheck.updates.examples import Example
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.text import Tokens, tokens


def pairs_of(example: Example, swapped: Example) -> dict[Tokens, Tokens] | None:
    """Value to its new name, normalised, of the entities that were renamed; None where the two lists do not fit."""
    ours, theirs = example.entities or (), swapped.entities or ()
    if len(ours) != len(theirs):
        return None
    found: dict[Tokens, Tokens] = {}
    for one, other in zip(ours, theirs, strict=True):
        words, renamed = tokens(one.value), tokens(other.value)
        if words and found.setdefault(words, renamed) != renamed:
            return None
    return {words: renamed for words, renamed in found.items() if words != renamed}


def renamed(words: Tokens, names: Mapping[Tokens, Tokens]) -> Tokens:
    """A text with all values replaced at once, the longest that fits at each place: a new name is never renamed again."""
    longest_first = sorted(names, key=lambda value: (-len(value), value))
    found: list[str] = []
    place = 0
    while place < len(words):
        value = next((one for one in longest_first if words[place : place + len(one)] == one), None)
        found += [words[place]] if value is None else names[value]
        place += 1 if value is None else len(value)
    return tuple(found)


def swap_facts(pairs: Sequence[tuple[Example, Example, Mapping[Tokens, Tokens]]], settings: RewriteSettings) -> Facts:
    """invariance: the share of the examples with a renamed entity whose output is the same but for the names; with its bounds."""
    import numpy as np

    facts = Facts()
    facts.put_all({"examples": len(pairs), "confidence": settings.confidence})
    same = np.array(
        [renamed(tokens(one.hypothesis), names) == tokens(other.hypothesis) for one, other, names in pairs], dtype=bool
    )
    clusters = codes([one.cluster for one, _, _ in pairs])
    facts.put("same", int(same.sum()))
    why = "no entity is renamed in the second dump"
    put_share(facts, "invariance", same, np.ones_like(same), clusters, settings.confidence, why)
    return facts
