"""Any metrics of any pairings of one trial, each by the cheapest way to it, with the reasons of those that are not to be had."""

from collections.abc import Mapping, Sequence

from mlcheck.records import dataclass, field
from mlcheck.updates import backfill
from mlcheck.updates.compatibility import CROSS, NEW
from mlcheck.updates.metrics import Metric, PerQuery
from mlcheck.updates.retrieval_settings import RetrievalSettings
from mlcheck.updates.trial import Pairing, Trial, score_lists, score_rankings
from mlcheck.updates.verification import Verified, verify

CHEAP_DEPTH = 10
"""Length of lists that are made of any number of pairs."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What was measured."""

    by_pairing: Mapping[tuple[Pairing, Metric], PerQuery]
    by_fraction: Mapping[Metric, Sequence[PerQuery]] = field(default_factory=dict)
    """Of a gallery that is embedded anew in part: one for each of backfill.FRACTIONS."""
    verified: Verified | None = None
    undefined: Mapping[Metric, str] = field(default_factory=dict)
    """Metrics that have no value for any pairing, with the reason."""

    def of(self, metric: Metric) -> dict[Pairing, PerQuery]:
        """One metric of all pairings that have it."""
        return {pairing: one for (pairing, known), one in self.by_pairing.items() if known == metric}


def score(
    trial: Trial,
    pairings: Sequence[Pairing],
    judged: Sequence[Metric],
    shown: Sequence[Metric],
    settings: RetrievalSettings,
    *,
    transfer: bool,
) -> Scores:
    """Measure metrics of pairings; those shown only, where they are not too much work. transfer: the old threshold too."""
    pairs = trial.queries * trial.items
    undefined: dict[Metric, str] = {}
    metrics = dict.fromkeys([*judged, *shown])
    for metric in metrics:
        much = metric.kind == "ranking" or (metric.depth > CHEAP_DEPTH and metric not in judged)
        if much and pairs > settings.ranked_pairs:
            undefined[metric] = (
                f"{trial.queries:,} queries and {trial.items:,} items are more than the {settings.ranked_pairs:,} pairs that are ranked; "
                + ("ask for mAP@100" if metric.kind == "ranking" else "ask for it to be judged")
            )
    listed = [one for one in metrics if one.kind in ("recall", "precision") and one not in undefined]
    backfilled = [one for one in listed if one in judged] if _backfills(trial, settings) else []
    found, mixes = score_lists(
        trial,
        pairings,
        listed,
        backfill.parts_of(trial) if backfilled else None,
        backfill.mixer(max(one.depth for one in listed)) if backfilled else None,
    )
    if any(one.kind == "ranking" and one not in undefined for one in metrics):
        found |= {(pairing, Metric("ranking")): one for pairing, one in score_rankings(trial, pairings).items()}
    rates = [one.rate for one in metrics if one.kind == "accept"]
    verified = None
    if rates or transfer:
        verified = verify(
            trial, pairings, rates, settings.false_accept_rate if transfer else None, settings.verified_pairs
        )
        undefined |= {
            Metric("accept", rate=rate): verified.insufficient[rate] for rate in rates if rate in verified.insufficient
        }
        found |= {
            (pairing, Metric("accept", rate=rate)): one.genuine
            for (pairing, rate), one in verified.at_own.items()
            if rate in rates
        }
    return Scores(found, {metric: [mix[metric] for mix in mixes] for metric in backfilled}, verified, undefined)


def _backfills(trial: Trial, settings: RetrievalSettings) -> bool:
    """Whether a gallery is embedded anew at all: where the new model embeds queries only it never is."""
    if not settings.backfill or settings.heterogeneous:
        return False
    return trial.rows(CROSS) is not None and trial.rows(NEW) is not None
