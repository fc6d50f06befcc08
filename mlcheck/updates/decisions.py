"""Whether a rewriter rewrites what needs it, and leaves alone what does not (updates.md §4.2 and §4.4)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import NO_OLD, Facts, codes, put_estimates, put_share, ratio, share
from mlcheck.updates.examples import Example
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.text import contains, joined, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NO_COPY = "every example needs a rewrite (no reference is null): how many copies are right is not known"
_NO_CHANGE = "every example needs a rewrite: no reference is null"
_NO_REWRITE = "no example needs a rewrite: all references are null"


def is_unchanged(example: Example, hypothesis: str) -> bool:
    """Whether a hypothesis is the base utterance, but for case, punctuation and spaces."""
    return tokens(hypothesis) == tokens(example.base)


def is_copy_of_a_turn(example: Example, hypothesis: str) -> bool:
    """Whether all of a hypothesis stands in one turn in one piece."""
    words = tokens(hypothesis)
    return any(contains(joined(tokens(turn)), words) for turn in example.turns)


def measure_decisions(
    examples: Sequence[Example],
    settings: RewriteSettings,
    *,
    old: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    suffix: str = "",
) -> list[Measure]:
    """Facts of role rewrite_decision: over- and under-rewriting with their confusion, copies, and their change against the old model.

    A null reference means that no rewrite is needed. Over-rewriting: hypotheses that differ from the base utterance, of examples that need
    none; under-rewriting: those equal to it, of examples that need one. Only examples with a base utterance count.
    """
    import numpy as np

    examples = [one for one in examples if one.base_index is not None and (old is None or one.example_id in old)]
    if not examples:
        return []
    needed = np.array([bool(one.references) for one in examples])
    kept = np.array([is_unchanged(one, one.hypothesis) for one in examples])
    copied = np.array([is_copy_of_a_turn(one, one.hypothesis) for one in examples])
    clusters = codes([one.cluster for one in examples])
    facts = Facts()
    facts.put_all({"examples": len(examples), **_confusion(needed, kept)})
    facts.put("no_rewrite_share", share(float((~needed).sum()), len(examples)))
    put_share(facts, "over_rewriting", ~needed & ~kept, ~needed, clusters, settings.confidence, _NO_CHANGE)
    put_share(facts, "under_rewriting", needed & kept, needed, clusters, settings.confidence, _NO_REWRITE)
    put_share(facts, "unchanged", kept, np.ones_like(kept), clusters, settings.confidence)
    put_share(facts, "copied", copied, np.ones_like(copied), clusters, settings.confidence)
    facts.put("copied_per_no_rewrite", share(float(copied.sum()), float((~needed).sum())), _NO_COPY)
    facts.put("confidence", settings.confidence)
    if old is None:
        facts.put_undefined(["over_rewriting_rise", "under_rewriting_rise"], NO_OLD)
    else:
        before = np.array([is_unchanged(one, old[one.example_id]) for one in examples])
        _put_changes(facts, needed, kept, before, clusters, settings)
    shown = ("over_rewriting", "over_rewriting_old", "under_rewriting", "under_rewriting_old", "copied")
    headline = tuple(name for name in shown if name in facts.columns)
    return [
        Measure(
            "rewrite_decision", f"decisions{suffix}", facts.columns, facts.undefined, dict(labels or {}), 0, headline
        )
    ]


def _confusion(needed: "NDArray[np.bool_]", kept: "NDArray[np.bool_]") -> dict[str, float]:
    return {
        "needed": needed.sum(),
        "not_needed": (~needed).sum(),
        "rewritten_needed": (needed & ~kept).sum(),
        "kept_needed": (needed & kept).sum(),
        "rewritten_not_needed": (~needed & ~kept).sum(),
        "kept_not_needed": (~needed & kept).sum(),
    }


def _put_changes(
    facts: Facts,
    needed: "NDArray[np.bool_]",
    kept: "NDArray[np.bool_]",
    before: "NDArray[np.bool_]",
    clusters: "NDArray[np.int64]",
    settings: RewriteSettings,
) -> None:
    """The rates of the old model, and by how much they rose."""
    columns = [~needed, needed, ~needed & ~kept, ~needed & ~before, needed & kept, needed & before]

    def rates(sums: "Floats") -> "dict[str, Floats]":
        over, over_old = ratio(sums.T[2], sums.T[0]), ratio(sums.T[3], sums.T[0])
        under, under_old = ratio(sums.T[4], sums.T[1]), ratio(sums.T[5], sums.T[1])
        return {
            "over_rewriting_old": over_old,
            "over_rewriting_rise": over - over_old,
            "under_rewriting_old": under_old,
            "under_rewriting_rise": under - under_old,
        }

    why = {f"over_rewriting_{end}": _NO_CHANGE for end in ("old", "rise")}
    why |= {f"under_rewriting_{end}": _NO_REWRITE for end in ("old", "rise")}
    put_estimates(facts, [one.astype(float) for one in columns], clusters, rates, settings, why)
