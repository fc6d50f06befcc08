"""BLEU and chrF of two models on the same references, by sacrebleu: as a difference only.

On the public query-rewrite data, the turn before glued onto the query gets 45.9, more than a human paraphrase does (44.1): the level says
nothing, and neither does a difference of a few points between rewriters of different kinds.
"""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import Facts, codes, put_estimates
from mlcheck.updates.examples import Example
from mlcheck.updates.rewrite_settings import RewriteSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ORDER = 4
MOST_FOR_CHRF = 20_000
MISSING = "BLEU and chrF are sacrebleu's: pip install 'mlcheck-scan[compare]'"


def metrics() -> Any:
    """The module sacrebleu.metrics, which the extra `compare` brings."""
    return importlib.import_module("sacrebleu.metrics")


def bleu_metric() -> Any:
    """sacrebleu's BLEU-4 as `case:lc|tok:13a|smooth:exp`."""

    return metrics().BLEU(lowercase=True, tokenize="13a", smooth_method="exp", max_ngram_order=ORDER)


def references_by_place(examples: Sequence[Example]) -> list[list[str | None]]:
    """References as sacrebleu takes them: the first of each example, the second of each …, None where an example has fewer."""
    most = max(len(one.references) for one in examples)
    return [[one.references[n] if n < len(one.references) else None for one in examples] for n in range(most)]


def sufficient(hypotheses: Sequence[str], examples: Sequence[Example]) -> "Floats":
    """What BLEU sums over a corpus, for each example: shape (n, 2 + 2 * ORDER), the lengths of hypothesis and closest reference,
    matching n-grams, n-grams."""
    import numpy as np

    # The effective order changes the score of a sentence, never its counts; without it sacrebleu warns of single sentences.
    metric = metrics().BLEU(
        lowercase=True, tokenize="13a", smooth_method="exp", max_ngram_order=ORDER, effective_order=True
    )
    rows = []
    for hypothesis, example in zip(hypotheses, examples, strict=True):
        score = metric.sentence_score(hypothesis, list(example.references))
        rows.append([score.sys_len, score.ref_len, *score.counts, *score.totals])
    return np.array(rows, dtype=np.float64)


def corpus_bleu(sums: "Floats") -> "Floats":
    """BLEU of each row of summed counts, 0 to 100. sums: shape (m, 2 + 2 * ORDER)."""
    import numpy as np

    return np.array(
        [
            metrics()
            .BLEU.compute_bleu(
                correct=[int(one) for one in row[2 : 2 + ORDER]],
                total=[int(one) for one in row[2 + ORDER :]],
                sys_len=int(row[0]),
                ref_len=int(row[1]),
                smooth_method="exp",
                max_ngram_order=ORDER,
            )
            .score
            for row in sums
        ]
    )


def measure_bleu(
    examples: Sequence[Example],
    settings: RewriteSettings,
    *,
    old: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role generation, group `bleu`, over the examples with a reference; the label `metric` is sacrebleu's signature.

    bleu, chrf, and with an old model bleu_old, bleu_drop with its interval by the bootstrap over clusters, chrf_old and chrf_drop. Without
    sacrebleu all of them are undefined.
    """
    examples = [one for one in examples if one.references and (old is None or one.example_id in old)]
    if not examples:
        return []
    facts = Facts()
    facts.put_all({"examples": len(examples), "confidence": settings.confidence})
    group = {**(labels or {}), "group": "bleu"}
    if importlib.util.find_spec("sacrebleu") is None:
        facts.put_undefined(["bleu", "bleu_old", "bleu_drop", "chrf", "chrf_old", "chrf_drop"], MISSING)
        return [Measure("generation", f"bleu{suffix}", facts.columns, facts.undefined, group)]
    ours = [one.hypothesis for one in examples]
    theirs = None if old is None else [old[one.example_id] for one in examples]
    group["metric"] = signature(examples)
    _put_bleu(facts, ours, theirs, examples, settings)
    _put_chrf(facts, ours, theirs, examples)
    if old is None:
        facts.put_undefined(
            ["bleu_drop", "chrf_drop"], "BLEU means something only as a difference: give the old model's dump"
        )
    shown = tuple(name for name in ("bleu", "bleu_old", "chrf", "chrf_old") if name in facts.columns)
    return [Measure("generation", f"bleu{suffix}", facts.columns, facts.undefined, group, 0, shown)]


def signature(examples: Sequence[Example]) -> str:
    """sacrebleu's words for how BLEU was computed, which it knows after scoring: one example of each number of references is enough."""
    by_number = list({len(one.references): one for one in examples}.values())
    metric = bleu_metric()
    metric.corpus_score([one.hypothesis for one in by_number], references_by_place(by_number))
    return str(metric.get_signature())


def _put_bleu(
    facts: Facts,
    ours: Sequence[str],
    theirs: Sequence[str] | None,
    examples: Sequence[Example],
    settings: RewriteSettings,
) -> None:
    counts = sufficient(ours, examples)
    if theirs is None:
        facts.put("bleu", float(corpus_bleu(counts.sum(axis=0, keepdims=True))[0]))
        return
    width = counts.shape[1]

    def scores(sums: "Floats") -> "dict[str, Floats]":
        now, before = corpus_bleu(sums[:, :width]), corpus_bleu(sums[:, width:])
        return {"bleu": now, "bleu_old": before, "bleu_drop": before - now}

    clusters = codes([one.cluster for one in examples])
    put_estimates(facts, [*counts.T, *sufficient(theirs, examples).T], clusters, scores, settings, {})


def _put_chrf(facts: Facts, ours: Sequence[str], theirs: Sequence[str] | None, examples: Sequence[Example]) -> None:
    if len(examples) > MOST_FOR_CHRF:
        why = f"more than {MOST_FOR_CHRF:,} examples: chrF takes milliseconds each"
        facts.put_undefined(["chrf", "chrf_old", "chrf_drop"], why)
        return
    references = references_by_place(examples)
    facts.put("chrf", float(metrics().CHRF().corpus_score(list(ours), references).score))
    if theirs is not None:
        facts.put("chrf_old", float(metrics().CHRF().corpus_score(list(theirs), references).score))
        facts.put("chrf_drop", facts.columns["chrf_old"] - facts.columns["chrf"])
