"""Repetition, length and cut-off of generated texts, held against their references: references repeat themselves too (updates.md §4.4)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import Facts, codes, put_estimates, put_share, ratio
from mlcheck.updates.examples import Example
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.text import Tokens, has_immediate_repeat, has_repeated_trigram, ngrams, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LONGEST_REPEAT = 4
"""rep-1 to rep-4."""


def measure_repetition(
    examples: Sequence[Example],
    settings: RewriteSettings,
    *,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role generation, group `repetition`, over the examples with a reference (of several the first).

    repeated_trigram: share of texts with a trigram that comes twice; immediate_repeat: with a token twice in a row; each also of the
    references, with the excess over them. rep_n = 1 - distinct n-grams / n-grams, summed over texts (Welleck et al. 2020, seq-rep-n).
    """
    examples = [one for one in examples if one.references]
    if not examples:
        return []
    ours = [tokens(one.hypothesis) for one in examples]
    gold = [tokens(one.references[0]) for one in examples]
    facts = Facts()
    facts.put_all({"examples": len(examples), "confidence": settings.confidence})
    clusters = codes([one.cluster for one in examples])
    for name, repeats in (("repeated_trigram", has_repeated_trigram), ("immediate_repeat", has_immediate_repeat)):
        _put_excess(facts, name, [repeats(one) for one in ours], [repeats(one) for one in gold], clusters, settings)
    for n in range(1, LONGEST_REPEAT + 1):
        for end, texts in (("", ours), ("_reference", gold)):
            facts.put(f"rep_{n}{end}", _rep(texts, n), f"no text has {n} tokens")
    headline = ("repeated_trigram", "repeated_trigram_reference", "immediate_repeat", "immediate_repeat_reference")
    return [
        Measure(
            "generation",
            f"repetition{suffix}",
            facts.columns,
            facts.undefined,
            {**(labels or {}), "group": "repetition"},
            0,
            tuple(name for name in headline if name in facts.columns),
        )
    ]


def _put_excess(
    facts: Facts,
    name: str,
    ours: list[bool],
    gold: list[bool],
    clusters: "NDArray[np.int64]",
    settings: RewriteSettings,
) -> None:
    import numpy as np

    columns = [np.ones(len(ours)), np.array(ours, dtype=float), np.array(gold, dtype=float)]

    def shares(sums: "Floats") -> "dict[str, Floats]":
        mine, theirs = ratio(sums.T[1], sums.T[0]), ratio(sums.T[2], sums.T[0])
        return {name: mine, f"{name}_reference": theirs, f"{name}_excess": mine - theirs}

    facts.put(f"{name}_count", sum(ours))
    put_estimates(facts, columns, clusters, shares, settings, {})


def _rep(texts: Sequence[Tokens], n: int) -> float:
    """1 - distinct / all n-grams of each text, over all texts; NaN without any."""
    found = [ngrams(words, n) for words in texts]
    total = sum(len(one) for one in found)
    return 1 - sum(len(set(one)) for one in found) / total if total else float("nan")


def measure_length(
    examples: Sequence[Example],
    settings: RewriteSettings,
    *,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role generation, group `length`: medians of tokens of the hypothesis / of the reference, and / of the base utterance.

    Bounds of the medians are those of the binomial test of a quantile (scipy.stats.quantile_test), which takes examples as independent.
    """
    examples = [one for one in examples if one.references]
    if not examples:
        return []
    facts = Facts()
    ours = [len(tokens(one.hypothesis)) for one in examples]
    gold = [len(tokens(one.references[0])) for one in examples]
    base = [0 if one.base_index is None else len(tokens(one.base)) for one in examples]
    facts.put_all(
        {"examples": len(examples), "confidence": settings.confidence, "empty": sum(length == 0 for length in ours)}
    )
    _put_median(facts, "length_ratio", ours, gold, settings, "no reference has a token")
    _put_median(facts, "length_ratio_to_base", ours, base, settings, "no base utterances")
    _put_median(facts, "reference_ratio_to_base", gold, base, settings, "no base utterances")
    shown = ("length_ratio", "length_ratio_to_base", "reference_ratio_to_base", "empty")
    return [
        Measure(
            "generation",
            f"length{suffix}",
            facts.columns,
            facts.undefined,
            {**(labels or {}), "group": "length"},
            0,
            tuple(name for name in shown if name in facts.columns),
        )
    ]


def _put_median(
    facts: Facts, name: str, parts: Sequence[int], wholes: Sequence[int], settings: RewriteSettings, why: str
) -> None:
    import numpy as np
    from scipy.stats import quantile_test

    ratios = np.array([part / whole for part, whole in zip(parts, wholes, strict=True) if whole])
    if not len(ratios):
        for end in ("", "_low", "_high"):
            facts.put(f"{name}{end}", float("nan"), why)
        return
    facts.put(name, float(np.median(ratios)))
    bounds = quantile_test(ratios, q=1.0, p=0.5).confidence_interval(settings.confidence)
    facts.put_interval(
        name, float(bounds.low), float(bounds.high), f"{len(ratios)} examples are too few for an interval of a median"
    )


def measure_truncation(
    examples: Sequence[Example],
    reasons: Sequence[str | None] | None,
    settings: RewriteSettings,
    *,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role generation, group `truncation`: the share of outputs that ended at the greatest length and not by themselves.

    reasons: the column `finish_reason`, one entry for each example; None: there is no such column.
    """
    import numpy as np

    facts = Facts()
    stated = (
        [] if reasons is None else [(one, why) for one, why in zip(examples, reasons, strict=True) if why is not None]
    )
    if not examples:
        return []
    facts.put_all({"examples": len(examples), "stated": len(stated), "confidence": settings.confidence})
    cut = np.array([why.strip().lower() in settings.truncated_reasons for _, why in stated], dtype=bool)
    if stated:
        clusters = codes([one.cluster for one, _ in stated])
        facts.put("truncated_count", int(cut.sum()))
        put_share(facts, "truncated", cut, np.ones_like(cut), clusters, settings.confidence)
    else:
        for name in ("truncated", "truncated_low", "truncated_high", "truncated_count"):
            facts.put(name, float("nan"), "no column `finish_reason` says how outputs ended (stop or length)")
    group = {**(labels or {}), "group": "truncation"}
    headline = ("truncated",) if "truncated" in facts.columns else ()
    return [Measure("generation", f"truncation{suffix}", facts.columns, facts.undefined, group, 0, headline)]
