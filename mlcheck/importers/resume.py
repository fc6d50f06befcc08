"""Two stretches of one growing file joined: what was read before, and what was read on."""

from collections.abc import Sequence

import numpy as np

from mlcheck.records import replace
from mlcheck.store.series import Imported, RawSeries


def fits(before: Imported, after: Imported) -> bool:
    """Whether the two stretches can be joined. A plugin that is named late may decide what rows were that are gone."""
    unnamed = {one.tag for one in before.series if not one.hints.plugin}
    unnamed |= {tag for tag, plugin in before.plugins if not plugin}
    named = {tag for tag, plugin in after.plugins if plugin} | {one.tag for one in after.series if one.hints.plugin}
    silent = {tag for tag, _ in before.plugins}
    return not unnamed & named and not silent & {one.tag for one in after.series}


def joined(before: Imported, after: Imported) -> Imported:
    """As if the file had been read at once, where the two fit.

    `after` holds the rows of the later stretch, and all facts; its status is that of the file.
    """
    rest = {(one.tag, one.kind): one for one in after.series}
    series = [_longer(one, rest.pop((one.tag, one.kind), None)) for one in before.series]
    series += rest.values()
    # By the first row of the tag; a tag of both kinds has its scalars first.
    tags = list(dict.fromkeys(one.tag for one in series))
    place = {tag: at for at, tag in enumerate(tags)}
    series.sort(key=lambda one: (place[one.tag], one.kind != "scalar"))
    status = after.status
    if series and status.status == "read":
        status = replace(status, reason=None)
    return Imported(
        status,
        tuple(replace(one, hints=replace(one.hints, order=order)) for order, one in enumerate(series)),
        after.facts,
        before.first_wall_time,
        (*before.session_starts, *after.session_starts),
        _without(before.plugins + after.plugins, series),
    )


def _longer(one: RawSeries, rest: RawSeries | None) -> RawSeries:
    if rest is None:
        return one
    return replace(
        one,
        steps=np.concatenate([one.steps, rest.steps]),
        wall_times=np.concatenate([one.wall_times, rest.wall_times]),
        columns={name: np.concatenate([column, rest.columns[name]]) for name, column in one.columns.items()},
        hints=replace(one.hints, plugin=one.hints.plugin or rest.hints.plugin),
    )


def _without(plugins: Sequence[tuple[str, str]], series: Sequence[RawSeries]) -> tuple[tuple[str, str], ...]:
    there = {one.tag for one in series}
    return tuple(dict.fromkeys(pair for pair in plugins if pair[0] not in there))
