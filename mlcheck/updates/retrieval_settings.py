"""How embeddings of two models are compared: everything but limits, which are parameters of rules."""

from typing import Literal

from mlcheck.records import dataclass
from mlcheck.updates.bootstrap import BootstrapSettings

Similarity = Literal["cosine", "l2"]
"""cosine of two vectors, or minus their squared Euclidean distance."""
Ties = Literal["compatible", "violation"]
"""Whether an equal cross test is compatible (as CoReS' code counts it) or not (as the criterion is written)."""


@dataclass(frozen=True)
class RetrievalSettings:
    """Settings of `measure_retrieval`."""

    metrics: tuple[str, ...] = ("recall@1",)
    """Metrics that are judged: recall@K, mAP@K, mAP, TAR@FAR=RATE. The verdict depends on it, so it is the user's word."""
    also: tuple[str, ...] = ("recall@1", "recall@5", "recall@10", "mAP@100", "mAP")
    """Metrics that are shown beside them; mAP and lists longer than 10 only of up to `ranked_pairs`."""
    similarity: Similarity = "cosine"
    false_accept_rate: float = 0.001
    """Of old queries in the old gallery, for which the old threshold is set that new queries are held against."""
    ties: Ties = "compatible"
    """In the average compatibility of several versions."""
    heterogeneous: bool = False
    """The new model is a small one that embeds queries only, for the gallery of the old, large one: it need not beat the old model, but
    its own gallery."""
    cluster: str | None = None
    """Column of what is drawn as one by the bootstrap (user, session, video). None: `group_id` where it is there; empty: each query."""
    confidence: float = 0.95
    draws: int = 1000
    """Of the bootstrap over queries."""
    backfill: bool = True
    """Measure galleries that are embedded anew in part, where both models embedded the gallery."""
    verified_pairs: int = 200_000_000
    """Pairs of a query and an item that accept rates are told from; of more, some queries are taken, by the hash of their ids."""
    ranked_pairs: int = 200_000_000
    """Pairs up to which whole galleries are ranked, for mAP without a K."""
    drift_examples: int = 2_000
    """Examples, by the hash of their ids, in which the spaces themselves are compared."""

    @property
    def bootstrap(self) -> BootstrapSettings:
        """The same, as the bootstrap has it."""
        return BootstrapSettings(self.draws, self.confidence)
