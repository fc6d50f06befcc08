"""Python rules: what one expression cannot say, from installed packages (entry point group `mlcheck.rules`).

A package names a class under that group; the class has the attributes of `PythonRule` and a method `judge`. It gets a read-only view of
the run and returns verdicts: labels with a condition, value and limit, or a `Skip`. Episodes, healing, cost, order and folding are the
engine's. `--rules DIR` never loads Python.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import PathFinder
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlcheck.engine import verdict as engine_verdict
from mlcheck.engine.context import RunContext
from mlcheck.engine.rule import described
from mlcheck.engine.verdict import Errored, Failed, Passed, excess
from mlcheck.errors import RuleError
from mlcheck.lang.episodes import Span, find_episodes, is_healed, parse_term
from mlcheck.records import dataclass, field
from mlcheck.report import RuleInfo, Severity
from mlcheck.store.series import Series

GROUP = "mlcheck.rules"


@dataclass(frozen=True, slots=True)
class Skip:
    """The rule cannot judge this run or this combination, and why."""

    reason: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a Python rule says of one combination."""

    series: Series
    """The series that was judged, as `RunView` gave it."""
    condition: NDArray[np.bool_] | bool
    """Per row of the series (bool, shape (n,)): where the rule fails. A single bool judges the run as a whole."""
    value: NDArray[np.float64] | float
    """What was measured, per row or once."""
    limit: NDArray[np.float64] | float
    """What it was measured against, per row or once."""
    message: str
    labels: Mapping[str, str] = field(default_factory=dict)
    severity: str | None = None
    """Overrides the rule's own severity."""


@dataclass(frozen=True, eq=False)
class RunView:
    """A run, read-only, as a Python rule sees it."""

    context: RunContext

    def series(self, role: str, **labels: str) -> list[Series]:
        """The live rows of all series with this role and these labels."""
        return [
            s.live
            for s in self.context.run.series
            if s.role == role and all(s.labels.get(label) == value for label, value in labels.items())
        ]

    @property
    def facts(self) -> Mapping[str, str | float | bool]:
        """The run facts that are known (design.md §2)."""
        return dict(self.context.run.facts)

    @property
    def regime(self) -> str:
        """What kind of training it is."""
        return self.context.run.regime.name


@runtime_checkable
class PythonRule(Protocol):
    """What a class under the entry point group has.

    `status`, `patience`, `advice`, `headline`, `params`, `regimes`, `may_cause` and `doc` are optional.
    """

    id: str
    name: str
    category: str
    severity: str

    def judge(self, run: RunView, params: Mapping[str, Any]) -> Iterable[Verdict | Skip]:
        """Judge one run."""
        ...


class PluginRule:
    """A Python rule in the engine's clothes: the same attributes as `engine.rule.Rule`."""

    def __init__(self, inner: PythonRule, origin: str) -> None:
        self.inner = inner
        self.origin = origin
        self.id, self.name, self.category = inner.id, inner.name, inner.category
        self.status = str(getattr(inner, "status", "stable"))
        self.regimes: Sequence[str] = tuple(getattr(inner, "regimes", ()))
        self.may_cause: Sequence[str] = tuple(getattr(inner, "may_cause", ()))
        self.parameters: Mapping[str, Any] = dict(getattr(inner, "params", {}))
        self.doc = str(getattr(inner, "doc", inner.judge.__doc__ or type(inner).__doc__ or ""))
        self.patience = [parse_term(term) for term in getattr(inner, "patience", ())]

    def defaults(self) -> dict[str, float | bool | str]:
        """Parameters with their default values."""
        return dict(self.parameters)

    def info(self, params: Mapping[str, float | bool | str], severity: str | None = None) -> RuleInfo:
        """What reporters show of it."""
        return described(self, self.doc, self.inner.severity, params, severity)

    def judge(self, context: RunContext, params: Mapping[str, float | bool | str]) -> Iterator[engine_verdict.Verdict]:
        """Run it; whatever it raises becomes its outcome."""
        regime = context.run.regime.name
        if self.regimes and regime not in self.regimes:
            yield engine_verdict.Skip("regime", f"not for {regime}")
            return
        try:
            for one in self.inner.judge(RunView(context), params):
                yield self._convert(one, context)
        except Exception as error:  # noqa: BLE001 - a plug-in's fault is its own outcome, never the end of the scan
            yield Errored(f"{type(error).__name__}: {error}")

    def _convert(self, one: Verdict | Skip, context: RunContext) -> engine_verdict.Verdict:
        if isinstance(one, Skip):
            return engine_verdict.Skip("input", one.reason, labels=one.labels)
        axis = context.axis(one.series)
        rows = len(axis)
        run_rule = isinstance(one.condition, bool)
        held = np.full(rows, one.condition) if run_rule else np.asarray(one.condition, dtype=bool)
        if len(held) != rows:
            raise ValueError(f"condition has {len(held)} rows, the series {one.series.name} has {rows}")
        if run_rule:
            spans = [Span(0, rows - 1, rows, True)] if one.condition and rows else []
        else:
            spans = find_episodes(held, axis, patience=self.patience)
        if not spans:
            return Passed(one.labels)
        values = np.broadcast_to(np.asarray(one.value, dtype=np.float64), (rows,))
        limits = np.broadcast_to(np.asarray(one.limit, dtype=np.float64), (rows,))
        beyond = excess(values, limits)
        beyond[~held] = -1.0
        worst = [span.start + int(np.argmax(beyond[span.start : span.stop + 1])) for span in spans]
        row = max(worst, key=lambda at: beyond[at])
        severity, healed = Severity(one.severity or self.inner.severity), not run_rule and is_healed(held, spans)
        return Failed(
            labels=one.labels,
            series=[one.series],
            axis=axis,
            spans=spans,
            run_rule=run_rule,
            healed=healed,
            severity=severity.lower() if healed else severity,
            confidence_reasons=("healed",) if healed else (),
            value=float(values[row]),
            limit=float(limits[row]),
            worst_row=row,
            worst_by_span=[(at, float(values[at])) for at in worst],
            excess=float(beyond[row]),
            margin=None,
            message=one.message,
            advice=str(getattr(self.inner, "advice", "")),
            headline=str(getattr(self.inner, "headline", self.name.replace("-", " "))),
            measure=str(getattr(self.inner, "measure", "")),
            is_event=False,
            evidence=[(one.series, "value" if one.series.kind == "scalar" else next(iter(one.series.columns)), "live")],
        )


def _any_installed() -> bool:
    """Whether an installed package may have Python rules.

    `importlib.metadata` takes longer to load and to ask than a small run takes to be judged; most users have no such package.
    """
    if any(hasattr(finder, "find_distributions") and finder is not PathFinder for finder in sys.meta_path):
        return True
    return any(_may_hold_plugins(directory or ".") for directory in sys.path)


def _may_hold_plugins(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            packages = [one.path for one in entries if one.name.endswith((".dist-info", ".egg-info", ".egg"))]
    except NotADirectoryError:
        # A zip file, most often: importlib looks into it.
        return True
    except OSError:
        return False
    return any(_names_group(package) for package in packages)


def _names_group(package: str) -> bool:
    if package.endswith(".egg"):
        return True
    try:
        with open(os.path.join(package, "entry_points.txt"), "rb") as file:  # noqa: PTH118 - a Path for each package takes longer
            return GROUP.encode() in file.read()
    except OSError:
        return False


def installed() -> list[PluginRule]:
    """The Python rules of installed packages. Raises RuleError naming the entry point that cannot be used."""
    if not _any_installed():
        return []
    from importlib.metadata import entry_points

    rules = []
    for entry in entry_points(group=GROUP):
        origin = f"{entry.value} (entry point {entry.name})"
        try:
            loaded = entry.load()
            inner = loaded() if isinstance(loaded, type) else loaded
        except Exception as error:
            raise RuleError(f"the Python rule {origin} cannot be loaded: {type(error).__name__}: {error}") from error
        if not isinstance(inner, PythonRule):
            raise RuleError(f"the Python rule {origin} lacks id, name, category, severity or judge()")
        rules.append(PluginRule(inner, origin))
    return rules
