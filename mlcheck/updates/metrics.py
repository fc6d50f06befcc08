"""Retrieval metrics as a sum over queries: each query adds an amount out of so much (updates.md §1.4)."""

import math
import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass
from mlcheck.updates.base import ComparisonError
from mlcheck.updates.relevance import Truths
from mlcheck.updates.spaces import Floats, Rows, Singles

_RECALL = re.compile(r"(?:recall|cmc|r|top)[@-]?(\d{1,6})")
_PRECISION = re.compile(r"map@(\d{1,6})")
_ACCEPT = re.compile(r"tar@(?:far=?)?\s*([0-9.eE+-]+)")


@dataclass(frozen=True)
class Metric:
    """What is measured of queries in a gallery."""

    kind: Literal["recall", "precision", "ranking", "accept"]
    """recall@k; mAP@K; mAP over the full ranking; TAR@FAR."""
    depth: int = 0
    """k or K."""
    rate: float = 0.0
    """False accept rate."""

    @property
    def name(self) -> str:
        """As it is shown, and as users write it."""
        match self.kind:
            case "recall":
                return f"recall@{self.depth}"
            case "precision":
                return f"mAP@{self.depth}"
            case "ranking":
                return "mAP"
        return f"TAR@FAR={self.rate:g}"


def parse_metric(text: str) -> Metric:
    """`recall@1` (also cmc@1), `mAP@100`, `mAP`, `TAR@FAR=0.001`. Raises ComparisonError."""
    word = text.strip().lower().replace(" ", "")
    if match := _RECALL.fullmatch(word):
        found = Metric("recall", depth=int(match.group(1)))
    elif match := _PRECISION.fullmatch(word):
        found = Metric("precision", depth=int(match.group(1)))
    elif word == "map":
        return Metric("ranking")
    elif match := _ACCEPT.fullmatch(word):
        return Metric("accept", rate=_rate(match.group(1), text))
    else:
        raise ComparisonError(
            f"no metric {text!r}; known: recall@K, mAP@K, mAP, TAR@FAR=RATE, such as recall@1 or TAR@FAR=0.001"
        )
    if not 1 <= found.depth <= 1_000:
        raise ComparisonError(f"metric {text!r}: K is from 1 to 1,000")
    return found


def _rate(text: str, metric: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < 1:
        raise ComparisonError(f"metric {metric!r}: the false accept rate lies between 0 and 1, such as TAR@FAR=0.001")
    return rate


@dataclass(frozen=True, eq=False)
class PerQuery:
    """A metric, query by query: its value is sum(amounts) / sum(out_of)."""

    amounts: Floats
    """shape (n,)."""
    out_of: Floats
    """shape (n,); 0 where a query does not count."""

    @property
    def value(self) -> float:
        """Between 0 and 1; NaN where no query counts."""
        total = self.out_of.sum()
        return float(self.amounts.sum() / total) if total else math.nan


def score_list(metric: Metric, hits: Truths, counts: Rows) -> Floats:
    """What each query adds, of the list of its nearest items.

    hits: whether each of them is relevant, shape (n, at least the metric's depth); counts: relevant items in the gallery, shape (n,).
    recall@k: 1 where any of the first k is relevant, which is also called CMC. mAP@K: the sum of the precisions at the relevant items among
    the first K, over min(relevant items, K) (OpenCompatible, GLDv2). Queries without a relevant item add 0 and do not count.
    """
    first = hits[:, : metric.depth]
    if metric.kind == "recall":
        return np.asarray(first.any(axis=1), dtype=np.float64)
    precision = np.cumsum(first, axis=1) / np.arange(1, first.shape[1] + 1)
    return np.asarray((precision * first).sum(axis=1) / np.maximum(np.minimum(counts, metric.depth), 1))


def score_ranking(similarity: Floats | Singles, relevant: Truths, own: Rows) -> Floats:
    """Average precision of each query over the full ranking; ties are ranked by place.

    similarity, relevant: shape (n, m); own: place of the query itself in the gallery, which is left out, -1 where it is not there.
    Queries without a relevant item have 0.
    """
    similarity = similarity.copy()
    inside = np.flatnonzero(own >= 0)
    similarity[inside, own[inside]] = -np.inf
    ascending = np.sort(similarity, axis=1)
    found = np.zeros(len(similarity))
    for row, (values, order) in enumerate(zip(similarity, ascending, strict=True)):
        places = np.flatnonzero(relevant[row])
        if not len(places):
            continue
        scores = values[places]
        above = len(values) - np.searchsorted(order, scores, side="right")
        equal = len(values) - np.searchsorted(order, scores, side="left") - above
        for at in np.flatnonzero(equal > 1):
            above[at] += int((values[: places[at]] == scores[at]).sum())
        ranks = np.sort(above) + 1
        found[row] = (np.arange(1, len(ranks) + 1) / ranks).mean()
    return found


def chance_of_recall(counts: Rows, items: NDArray[np.int64], depth: int) -> float:
    """recall@k of a random order: 1 - C(items - relevant, k) / C(items, k), mean over queries with a relevant item; NaN for none.

    counts: relevant items of each query; items: items that it is ranked against, without itself.
    """
    from scipy.stats import hypergeom

    asked = counts > 0
    if not asked.any():
        return math.nan
    drawn = np.minimum(depth, items[asked])
    return float(np.mean(1.0 - hypergeom.pmf(0, items[asked], counts[asked], drawn)))
