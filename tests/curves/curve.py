"""What a generated curve is, and how it becomes a run that is judged with all rules."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine import registry
from mlcheck.engine.run import RunPart, judge_run
from mlcheck.engine.select import Selected
from mlcheck.report import Finding, SourceStatus
from mlcheck.store.build import build_run
from mlcheck.store.series import Fact, Hints, Imported, RawSeries, Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SEEDS = range(10)


class Points(NamedTuple):
    """The logged points of one tag."""

    steps: Ints
    """int64, shape (n,)."""
    values: Floats
    """float64, shape (n,); exactly representable in float32, as TensorBoard's `simple_value` is."""
    wall: Floats
    """float64 seconds since the epoch, shape (n,)."""


@dataclass(frozen=True)
class Curve:
    """One run as a writer would have logged it, and what is true of it."""

    series: Mapping[str, Points]
    """By tag; the directory of a part stands before a colon: `train:epoch_loss` is Keras's tag in the directory train/."""
    facts: Mapping[str, str | float | bool] = field(default_factory=dict)
    """Settings as the writer states them."""
    regime: str | None = None
    """None: as detected."""
    later: Mapping[str, Points] = field(default_factory=dict)
    """What a second file holds, written after a restart; tags as in `series`."""
    source: Mapping[str, str | int | bool] = field(default_factory=dict)
    """What is wrong with the first file: fields of SourceStatus."""
    name: str = ""
    note: str = ""
    """Where the shape comes from."""
    rules: tuple[str, ...] = ()
    """Faulty: one of these must be found. Healthy: none."""
    severity: str = "warning"
    """Faulty: the least severity at which one of them is found."""


Draw = Callable[[np.random.Generator, int], Curve]


class Collection:
    """Generators of curves by name. It is a decorator: the function's name, with dashes, is the curve's."""

    def __init__(self, *parts: "Collection") -> None:
        self.draws: dict[str, tuple[Draw, str, tuple[str, ...], str]] = {}
        for part in parts:
            assert not self.draws.keys() & part.draws.keys()
            self.draws |= part.draws

    def __call__(self, note: str, *rules: str, severity: str = "warning") -> Callable[[Draw], Draw]:
        """Register a generator with the source of its shape and, for a fault, the rules of which one must find it."""

        def register(draw: Draw) -> Draw:
            name = draw.__name__.replace("_", "-")
            assert name not in self.draws
            self.draws[name] = (draw, note, rules, severity)
            return draw

        return register

    def __iter__(self) -> Iterator[str]:
        return iter(self.draws)

    def __len__(self) -> int:
        return len(self.draws)

    def draw(self, name: str, seed: int) -> Curve:
        """The curve of that name, its noise and its writer given by the seed."""
        draw, note, rules, severity = self.draws[name]
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        return replace(draw(rng, seed), name=name, note=note, rules=rules, severity=severity)


def run_of(curve: Curve) -> Run:
    """The run as the store builds it from imported files."""
    files: dict[tuple[int, str], list[RawSeries]] = {}
    for number, series in enumerate((curve.series, curve.later)):
        for tag, points in series.items():
            part, _, own = tag.rpartition(":")
            assert len(points.steps) == len(points.values) == len(points.wall) > 0, (curve.name, tag)
            column = {"value": np.asarray(points.values, dtype=np.float64)}
            raw = RawSeries(own, "scalar", points.steps, points.wall, column, Hints(plugin="scalars"))
            files.setdefault((number, part), []).append(raw)
    parts = []
    for index, ((number, part), members) in enumerate(sorted(files.items(), key=lambda item: item[0])):
        status = SourceStatus(f"{part or '.'}/events.{number}", "tensorboard", "read", records=len(members))
        if not index:
            status = replace(status, **curve.source)  # type: ignore[arg-type]
        first = min(float(np.nanmin(one.wall_times)) for one in members)
        parts.append((part, Imported(status, tuple(members), first_wall_time=first)))
    facts = [Fact(key, value, "hparams") for key, value in curve.facts.items()]
    return build_run(curve.name, curve.name, parts, raw_facts=facts, regime=curve.regime)


@cache
def _registry() -> registry.Registry:
    return registry.load()


def rule_ids() -> set[str]:
    """The rules that there are, previews too; not the packs that are off unless they are selected."""
    return {one.rule.id for one in _selected()}


def _selected() -> list[Selected]:
    rules = [rule for rule in _registry() if rule.category not in registry.OPT_IN_CATEGORIES]
    return [Selected(rule, rule.defaults(), None) for rule in rules]


def judged(curve: Curve) -> RunPart:
    """All that all rules say of the curve."""
    return judge_run(run_of(curve), _selected(), _registry().causes)


def errored(part: RunPart) -> list[str]:
    """Rules that raised."""
    return [f"{outcome.rule}: {outcome.reason}" for outcome in part.outcomes if outcome.outcome == "errored"]


def shown(finding: Finding) -> str:
    """One line for the message of a failed test."""
    why = f" ({', '.join(finding.reasons)})" if finding.reasons else ""
    return f"{finding.severity.value} {finding.rule} {', '.join(finding.series[:2])}{why}: {finding.message}"
