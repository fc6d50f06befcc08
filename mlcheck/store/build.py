"""Imported files to one run: series with roles and labels, facts, regime and the facts as series."""

import re
from collections.abc import Sequence

from mlcheck.errors import UsageError, did_you_mean
from mlcheck.records import replace
from mlcheck.store.activations import with_functions
from mlcheck.store.assemble import assemble, in_order
from mlcheck.store.axes import with_axes
from mlcheck.store.classes import with_classes
from mlcheck.store.derive import fact_series
from mlcheck.store.duplicates import without_copies
from mlcheck.store.experiment import without_experiment, without_owner
from mlcheck.store.facts import run_facts
from mlcheck.store.families import with_families
from mlcheck.store.fans import with_fans
from mlcheck.store.lane import lane
from mlcheck.store.paired import with_paired_splits
from mlcheck.store.primary import with_primary
from mlcheck.store.rates import with_accuracies
from mlcheck.store.regime import REGIMES
from mlcheck.store.regime import regime as find_regime
from mlcheck.store.roles import RoleOverride, assign
from mlcheck.store.series import Fact, Imported, Regime, Run, Series
from mlcheck.store.totals import with_totals


def build_run(
    name: str,
    path: str,
    parts: Sequence[tuple[str, Imported]],
    *,
    raw_facts: Sequence[Fact] = (),
    overrides: Sequence[RoleOverride] = (),
    regime: str | None = None,
) -> Run:
    """Build a run from what importers made of its files.

    `parts` holds, for each file, its directory relative to the run's (`` for the run's own, `train`, `tb/validation`) and what came of
    it; `path` is the run's own, relative to the scan. `regime` is the user's word and replaces what the data say. Sources come through
    in the order given, with a word on what their files repeat of others. Raises UsageError for a regime that is none.
    """
    if regime is not None and regime not in REGIMES:
        raise UsageError(
            f"unknown regime {regime!r}; {did_you_mean(regime, REGIMES) or 'one of ' + ', '.join(REGIMES)}"
        )
    assembled = with_paired_splits(assemble(parts, overrides), overrides)
    logged = with_accuracies(without_owner(without_experiment(_with_siblings(assembled))))
    logged = with_families(with_classes(logged))
    logged = _with_training_metrics(with_axes(logged))
    logged, sources = without_copies(logged, [imported.status for _, imported in parts])
    logged = with_primary(with_totals(logged))
    logged = _with_layer_order(with_fans(with_functions(logged)))
    stated = [fact for _, imported in in_order(parts) for fact in imported.facts] + list(raw_facts)
    facts = run_facts(stated, logged)
    found = Regime(regime, "set by the user") if regime else find_regime(logged, facts, stated)
    return Run(
        name=name,
        path=path,
        lane=lane(name if path == "." else path),
        series=[*logged, *_apart(fact_series(logged, sources, facts, stated), logged)],
        sources=sources,
        facts=facts,
        raw_facts=stated,
        regime=found,
    )


def _apart(facts: Sequence[Series], logged: Sequence[Series]) -> list[Series]:
    """Fact series under names that no tag has: a tag may be called `mlcheck/clock`."""
    taken = {one.name for one in logged}
    result = []
    for one in facts:
        name = one.name
        while name in taken:
            name += "#fact"
        taken.add(name)
        result.append(one if name == one.name else replace(one, name=name))
    return result


_REBUILT = re.compile(r"(?:^|[_/])rec(?:on(?:struction)?)?(?:$|[_/])")
_ALTERNATE = re.compile(r"(?:/(?:time|iter)| vs samples)$")


def _with_siblings(series: Sequence[Series]) -> list[Series]:
    """Series whose role depends on which others there are.

    Values over another axis are alternates only beside the sibling that they repeat. CatBoost's `test` beside its `learn` is the set
    that early stopping watches: validation. A divergence beside a reconstruction is a part of the loss, and no policy's.
    """
    tags = {(one.part, re.split(r"/(?:step|frame)$", one.tag)[0]) for one in series if one.role != "alternate_axis"}
    learned = {one.part.removesuffix("learn") for one in series if one.part == "learn" or one.part.endswith("/learn")}
    rebuilt = any(one.role == "loss_component" and _REBUILT.search(one.labels.get("metric", "")) for one in series)
    result = []
    for one in series:
        if one.role == "alternate_axis" and (one.part, base := _ALTERNATE.sub("", one.tag)) not in tags:
            found = assign(base, one.part, one.kind, one.hints)
            labels = {**found.labels, **{key: one.labels[key] for key in ("axis",) if key in one.labels}}
            one = replace(one, role=found.role, labels=labels, reason=found.reason)
        if one.role == "kl" and rebuilt:
            labels = {"split": "train", "better": "none", "metric": "kl", **one.labels}
            one = replace(
                one,
                role="loss_component",
                labels=labels,
                reason=f"{one.reason}; beside a reconstruction: of latent variables",
            )
        if one.labels.get("split") == "test" and _beside_learn(one.part, learned):
            labels = {**one.labels, "split": "val"}
            one = replace(one, labels=labels, reason=f"{one.reason}; test/ beside learn/ is watched in training")
        result.append(one)
    return result


def _beside_learn(part: str, learned: set[str]) -> bool:
    return (part == "test" or part.endswith("/test")) and part.removesuffix("test") in learned


def _with_training_metrics(series: Sequence[Series]) -> list[Series]:
    """`accuracy` beside `val_accuracy` is that of training; alone it stays without a split."""
    roles = ("metric", "error_metric")
    elsewhere = {
        one.labels.get("metric") for one in series if one.role in roles and one.labels.get("split") in ("val", "test")
    }
    return [
        replace(one, labels={**one.labels, "split": "train"}, reason=f"{one.reason}; train, beside a validation series")
        if one.role in roles and "split" not in one.labels and one.labels.get("metric") in elsewhere
        else one
        for one in series
    ]


_NUMBERS = re.compile(r"(\d+)")


def _with_layer_order(series: Sequence[Series]) -> list[Series]:
    """Label `order`, the place of a layer in the model: by first record where importers keep it, else by the numbers in the names.

    Where neither tells (language.md fix 12), there is no such label, and nobody may say "the first layer".
    """
    first: dict[str, int] = {}
    for one in series:
        if "layer" in one.labels and one.hints.order is not None:
            first.setdefault(one.labels["layer"], len(first))
    names = {one.labels["layer"] for one in series if "layer" in one.labels}
    if not first and names and all(_NUMBERS.search(name) for name in names):
        first = {name: place for place, name in enumerate(sorted(names, key=_natural))}
    return [
        replace(one, labels={**one.labels, "order": str(first[one.labels["layer"]])})
        if one.labels.get("layer") in first
        else one
        for one in series
    ]


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in _NUMBERS.split(name) if word]
