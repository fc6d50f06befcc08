"""Tokens that no reader should see: signs for unknown words, and placeholders that were not resolved (updates.md §4.4)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.clustered import Facts, codes, put_share
from mlcheck.updates.examples import Example
from mlcheck.updates.rewrite_settings import RewriteSettings


def placeholder_pattern(settings: RewriteSettings) -> "re.Pattern[str]":
    """The pattern of placeholders. Raises ComparisonError for one that is no regular expression."""
    try:
        return re.compile(settings.placeholder)
    except re.error as error:
        raise ComparisonError(f"the placeholder {settings.placeholder!r} is no regular expression: {error}") from None


def is_anonymised(examples: Sequence[Example], pattern: "re.Pattern[str]") -> bool:
    """Whether outputs are meant to hold placeholders: references do, or, where there are no references at all, sources do."""
    if any(one.references for one in examples):
        return any(pattern.search(text) for one in examples for text in one.references)
    return any(pattern.search(turn) for one in examples for turn in one.turns)


def known_placeholders(example: Example, pattern: "re.Pattern[str]") -> frozenset[str]:
    """The placeholders of an example: those of its turns and of its entities."""
    texts = [*example.turns, *(one.value for one in example.entities or ())]
    return frozenset(found for text in texts for found in placeholders(text, pattern))


def placeholders(text: str, pattern: "re.Pattern[str]") -> list[str]:
    """The placeholders of a text, in order."""
    return [found.group() for found in pattern.finditer(text)]


def unknown_tokens(example: Example, signs: Sequence[str]) -> int:
    """How often signs for unknown words stand in a hypothesis that its own source and references do not hold."""
    counts = {sign: count for sign in signs if (count := _count(sign, example.hypothesis))}
    given = " ".join((*example.turns, *example.references)) if counts else ""
    return sum(count for sign, count in counts.items() if not _count(sign, given))


def _count(sign: str, text: str) -> int:
    """A sign of letters alone must be a word of its own: `UNK` is not in `JUNK`."""
    if sign not in text:
        return 0
    found = re.escape(sign)
    if sign.isalnum():
        found = rf"(?<!\w){found}(?!\w)(?!\]|>)"
    return len(re.findall(found, text))


def measure_leaks(
    examples: Sequence[Example],
    settings: RewriteSettings,
    *,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role generation, group `tokens`.

    unknown_examples: hypotheses with a sign for an unknown word. invalid_examples: hypotheses with a placeholder that has no place there:
    in outputs with real names any, in anonymised ones those that the dialogue does not define. leaking_examples: either of them.
    Of anonymised outputs with references also duplicate_examples (a placeholder more often than in every reference) and swapped_examples
    (the placeholders of the first reference, in another order).
    """
    import numpy as np

    if not examples:
        return []
    pattern = placeholder_pattern(settings)
    anonymised = is_anonymised(examples, pattern)
    clusters = codes([one.cluster for one in examples])
    unknown = np.array([unknown_tokens(one, settings.unknown_tokens) for one in examples])
    invalid = np.array([_invalid(one, pattern, anonymised) for one in examples])
    facts = Facts()
    facts.put_all(
        {
            "examples": len(examples),
            "confidence": settings.confidence,
            "anonymised": anonymised,
            "unknown_tokens": unknown.sum(),
            "unknown_examples": (unknown > 0).sum(),
            "invalid_placeholders": invalid.sum(),
            "invalid_examples": (invalid > 0).sum(),
            "leaking_examples": ((unknown > 0) | (invalid > 0)).sum(),
        }
    )
    leaking = (unknown > 0) | (invalid > 0)
    put_share(facts, "leaking", leaking, np.ones_like(leaking), clusters, settings.confidence)
    _put_order(facts, examples, pattern, anonymised)
    group = {**(labels or {}), "group": "tokens"}
    headline = ("unknown_examples", "invalid_examples", "examples")
    return [Measure("generation", f"tokens{suffix}", facts.columns, facts.undefined, group, 0, headline)]


def _invalid(example: Example, pattern: "re.Pattern[str]", anonymised: bool) -> int:
    known = known_placeholders(example, pattern) if anonymised else frozenset()
    return sum(found not in known for found in placeholders(example.hypothesis, pattern))


def _put_order(facts: Facts, examples: Sequence[Example], pattern: "re.Pattern[str]", anonymised: bool) -> None:
    pairs = [
        (placeholders(one.hypothesis, pattern), [placeholders(text, pattern) for text in one.references])
        for one in examples
        if one.references and anonymised
    ]
    why = "" if pairs else "outputs are not anonymised, or there are no references"
    duplicate = sum(
        any(number > max(Counter(gold)[found] for gold in references) for found, number in Counter(ours).items())
        for ours, references in pairs
    )
    swapped = sum(
        all(ours != gold for gold in references) and Counter(ours) == Counter(references[0])
        for ours, references in pairs
    )
    facts.put("duplicate_examples", duplicate if pairs else float("nan"), why)
    facts.put("swapped_examples", swapped if pairs else float("nan"), why)
