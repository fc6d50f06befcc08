"""Embeddings of two models or more, as facts: cross tests, thresholds, backfill, versions, drift (updates.md §1.4)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlcheck.records import dataclass, replace
from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.clustered import codes
from mlcheck.updates.compatibility import Context
from mlcheck.updates.embeddings import Embedded, Examples, as_text, read_embeddings, shared
from mlcheck.updates.metrics import Metric, parse_metric
from mlcheck.updates.relevance import Relevance, by_ids, by_label
from mlcheck.updates.retrieval_measures import measure_drift, measure_spaces, measure_trial, measure_versions
from mlcheck.updates.retrieval_settings import RetrievalSettings
from mlcheck.updates.scores import score
from mlcheck.updates.spaces import Rows
from mlcheck.updates.table import PredictionTable
from mlcheck.updates.trial import Side, Trial
from mlcheck.updates.versions import pairs_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RetrievalSettings", "applies", "measure_retrieval"]


def applies(table: PredictionTable) -> bool:
    """Whether a dump holds embeddings and says what answers a query."""
    return table.has("embedding") and (table.has("label") or table.has("relevant_ids"))


def measure_retrieval(
    old: PredictionTable,
    new: PredictionTable,
    settings: RetrievalSettings,
    paragon: PredictionTable | None = None,
    versions: Sequence[PredictionTable] = (),
    mapped: PredictionTable | None = None,
) -> list[Measure]:
    """Facts of two models' embeddings of the same examples.

    paragon: the new model trained without a thought of compatibility. versions: all versions, the oldest first, where there are more than
    two. mapped: the old gallery taken into the new space by a learned map, which new queries are searched in instead of the old one.

    Raises ComparisonError for vectors that are missing, not finite or of several lengths, for labels that differ, and where the dumps share
    no query or no gallery. Spaces of different dimensions are no error: what needs both is undefined then, and `retrieval/spaces` says so.
    """
    judged = list(dict.fromkeys(parse_metric(one) for one in settings.metrics))
    if not judged:
        raise ComparisonError("no metric to judge embeddings by; name one, such as recall@1")
    shown = [one for one in dict.fromkeys(parse_metric(text) for text in settings.also) if one not in judged]
    dumps = {"old": old, "new": new}
    if paragon is not None:
        dumps["paragon"] = paragon
    if mapped is not None:
        dumps["mapped"] = mapped
    models = {name: read_embeddings(dump, settings.similarity) for name, dump in dumps.items()}
    holdings = _holdings(models, only_queries=["new"], only_gallery=["mapped"])
    found: list[Measure] = [*holdings.overlaps, measure_spaces(models)]
    trials = _trials(holdings, settings)
    if not any(one.context.counts["queries"] for one in trials):
        _refuse(holdings)
    for one in trials:
        context = replace(one.context, absent=_absent(models))
        found += measure_trial(one.trial, context, judged, shown, settings)
        found += measure_drift(one.trial, context, settings.drift_examples)
    if len(versions) > 1:
        found += _measure_versions(versions, judged, settings)
    return found


def _absent(models: Mapping[str, Embedded]) -> dict[str, str]:
    """Tests that these dumps do not allow, with the reasons."""
    old, new = models["old"], models["new"]
    gallery = models.get("mapped", old)
    found = {}
    if new.space.dimension != gallery.space.dimension:
        dimensions = f"{gallery.space.dimension:,} and {new.space.dimension:,} dimensions"
        what = "the mapped and the new space have" if "mapped" in models else "the spaces have"
        hint = "" if "mapped" in models else " and no map is given"
        found["cross_test"] = f"{what} {dimensions}{hint}: not comparable"
    if not new.is_gallery.any():
        found["new_self_test"] = f"{new.path} holds no gallery, only queries"
    if "paragon" not in models:
        found["paragon_self_test"] = "no paragon is given (the new model trained without a thought of compatibility)"
    return found


# What all models hold


@dataclass(frozen=True, eq=False)
class _Holdings:
    """Queries and gallery that all models of a comparison share."""

    models: Mapping[str, Embedded]
    with_queries: Sequence[str]
    """Models that embedded queries, in the order of `queries.rows`."""
    with_gallery: Sequence[str]
    """Models that embedded a gallery, in the order of `gallery.rows`."""
    queries: Examples
    gallery: Examples
    overlaps: Sequence[Measure]

    @property
    def path(self) -> str:
        """Of the first model, whose labels hold."""
        return next(iter(self.models.values())).path

    def side(self, name: str, of_queries: Rows, of_gallery: Rows) -> Side:
        """A model's rows for some of the queries and of the gallery."""
        return Side(
            self.models[name].space,
            self.queries.rows[self.with_queries.index(name)][of_queries] if name in self.with_queries else None,
            self.gallery.rows[self.with_gallery.index(name)][of_gallery] if name in self.with_gallery else None,
        )


def _holdings(
    models: Mapping[str, Embedded], only_queries: Sequence[str] = (), only_gallery: Sequence[str] = ()
) -> _Holdings:
    """Join models by name; some may hold queries only, and some are asked for their gallery only. Raises ComparisonError."""
    with_queries = [name for name in models if name not in only_gallery]
    with_gallery = [name for name, one in models.items() if name not in only_queries or one.is_gallery.any()]
    queries = shared([models[name] for name in with_queries], "query")
    everything = all(one.is_query.all() and one.is_gallery.all() for one in models.values())
    overlaps = _named(queries, with_queries, "")
    if everything and with_queries == with_gallery:
        gallery = queries
    else:
        gallery = shared([models[name] for name in with_gallery], "gallery")
        overlaps += _named(gallery, with_gallery, " of the gallery")
    return _Holdings(models, with_queries, with_gallery, queries, gallery, overlaps)


def _named(examples: Examples, holders: Sequence[str], suffix: str) -> list[Measure]:
    """Overlaps under names of their own: `overlap`, `overlap (paragon)`, `overlap of the gallery`."""
    return [
        replace(one, name=f"overlap{suffix}" + ("" if name == "new" else f" ({name})"))
        for name, one in zip(holders[1:], examples.overlaps, strict=True)
    ]


# Trials, one for each split


@dataclass(frozen=True, eq=False)
class _Part:
    trial: Trial
    context: Context


def _trials(holdings: _Holdings, settings: RetrievalSettings) -> list[_Part]:
    splits = sorted(set(holdings.queries.splits.tolist()))
    stated = len(splits) > 1 or splits != ["eval"]
    found = []
    for split in splits:
        of_queries = np.flatnonzero(holdings.queries.splits == split)
        of_gallery = np.flatnonzero(holdings.gallery.splits == split)
        if not len(of_gallery):
            raise ComparisonError(
                f"{holdings.path}: split {split!r} holds {len(of_queries):,} queries and no gallery; queries are searched in the "
                "gallery of their own split: mark them in a column role (query, gallery, both) and give both the same split"
            )
        trial = _trial(holdings, of_queries, of_gallery)
        counted = trial.relevance.counts > 0
        context = Context(
            labels={"split": split} if stated else {},
            suffix=f" ({split})" if len(splits) > 1 else "",
            counts={
                "queries": float(counted.sum()),
                "skipped_queries": float((~counted).sum()),
                "gallery": float(trial.items),
                "relevant_not_in_gallery": float(trial.relevance.unknown),
            },
            clusters=_clusters(holdings, of_queries, settings.cluster),
            bootstrap=settings.bootstrap,
            heterogeneous=settings.heterogeneous,
        )
        found.append(_Part(trial, context))
    return found


def _refuse(holdings: _Holdings) -> None:
    """Raises ComparisonError: a gate must not pass because nothing could be asked."""
    what = "relevant_ids" if "relevant_ids" in holdings.queries.table.column_names else "labels"
    raise ComparisonError(
        f"{holdings.path}: none of the {len(holdings.queries):,} shared queries has a relevant item among the {len(holdings.gallery):,} "
        f"items of the shared gallery (a query is never its own answer); check the {what} and the roles"
    )


def _trial(holdings: _Holdings, of_queries: Rows, of_gallery: Rows) -> Trial:
    import pyarrow as pa
    import pyarrow.compute as pc

    queries, gallery = holdings.queries, holdings.gallery
    query_ids, gallery_ids = queries.ids.take(pa.array(of_queries)), gallery.ids.take(pa.array(of_gallery))
    own = pc.index_in(query_ids, value_set=gallery_ids).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    sides = {name: holdings.side(name, of_queries, of_gallery) for name in holdings.models}
    relevance = _relevance(holdings, of_queries, of_gallery, gallery_ids, own)
    return Trial(sides, relevance, own, query_ids, gallery_ids)


def _relevance(
    holdings: _Holdings, of_queries: Rows, of_gallery: Rows, gallery_ids: "pa.Array", own: Rows
) -> Relevance:
    queries, gallery = holdings.queries.table, holdings.gallery.table
    if "relevant_ids" in queries.column_names:
        return by_ids(queries.column("relevant_ids").take(of_queries), gallery_ids, own)
    if "label" not in queries.column_names or "label" not in gallery.column_names:
        raise ComparisonError(
            f"{holdings.path}: neither label nor relevant_ids says what answers a query; dump one of them"
        )
    return by_label(
        as_text(queries.column("label").take(of_queries)), as_text(gallery.column("label").take(of_gallery)), own
    )


def _clusters(holdings: _Holdings, of_queries: Rows, column: str | None) -> Rows | None:
    table = holdings.queries.table
    name = "group_id" if column is None else column
    if name not in table.column_names:
        if column:
            raise ComparisonError(f"{holdings.path}: no column {column!r} to cluster the queries by")
        return None
    names = as_text(table.column(name).take(of_queries)).to_pylist()
    # A query without a cluster is one of its own; the prefix keeps it apart from all that have one.
    return codes([f"={one}" if one is not None else f"#{row}" for row, one in enumerate(names)])


# Versions


def _measure_versions(
    versions: Sequence[PredictionTable], judged: Sequence[Metric], settings: RetrievalSettings
) -> list[Measure]:
    models = {str(number): read_embeddings(dump, settings.similarity) for number, dump in enumerate(versions)}
    pairings = [(str(later), str(earlier)) for later, earlier in pairs_of(len(versions))]
    dimensions = sorted({one.space.dimension for one in models.values()})
    absent = {}
    if len(dimensions) > 1:
        absent["cross_test"] = f"the versions have {' and '.join(map(str, dimensions))} dimensions: not comparable"
    found = []
    for one in _trials(_holdings(models), settings):
        scores = score(one.trial, pairings, judged, (), replace(settings, backfill=False), transfer=False)
        context = replace(one.context, absent=absent)
        found += measure_versions(context, judged, scores, len(versions), settings.ties)
    return found
