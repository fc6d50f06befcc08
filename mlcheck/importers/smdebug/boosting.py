"""What smdebug's hook for XGBoost saves beside tensors: the trees of each round, the importance of features, hyperparameters.

trees/{Tree,Node,ID,Feature,Split,Yes,No,Missing,Gain,Cover,Category}      one row for each node of the round's trees
feature_importance/{weight,gain,cover,total_gain,total_cover}/<feature>    of the model so far; features without a question are left out
average_shap/<feature>, full_shap/<feature>                                of all features
hyperparameters/<name>                                                     at each step again
"""

from collections.abc import Mapping, Sequence
from math import floor, isfinite, log2

import numpy as np

from mlcheck.importers.smdebug.saved import Saved
from mlcheck.importers.stated import FACTS_KEPT, LONGEST_KEY, LONGEST_VALUE
from mlcheck.importers.trees.forest import LEAF, Malformed, Size, deepest, reached, size_series
from mlcheck.records import dataclass, field, replace
from mlcheck.store.series import Fact, Hints, RawSeries
from mlcheck.store.tensors.importances import importance

TREES, IMPORTANCE, SETTINGS = "trees/", "feature_importance/", "hyperparameters/"
_MEAN_SHAP = "average_shap"
_SHAP = (f"{_MEAN_SHAP}/", "full_shap/")
_COLUMNS = frozenset({"Tree", "Node", "ID", "Yes", "No"})
NODES = 1_000_000
"""Nodes of one round that are looked at."""

Column = Sequence[float] | Sequence[str]


def is_of_boosting(tag: str) -> bool:
    """Whether a tensor is one of these, and none to take statistics of."""
    return tag.startswith((TREES, SETTINGS)) or _importance_of(tag) is not None


def _importance_of(tag: str) -> tuple[str, str] | None:
    """Group and feature. The mean SHAP value of a feature has a sign and is no importance, but is kept in the same way."""
    group, _, feature = tag.removeprefix(IMPORTANCE).partition("/")
    if not group or not feature or not (tag.startswith(IMPORTANCE) or group == _MEAN_SHAP):
        return None
    return group, feature


@dataclass
class Boosting:
    """What one worker saved in one mode."""

    hints: Hints
    tables: dict[int, dict[str, Column]] = field(default_factory=dict)
    """Columns of nodes by step; each step is reduced when the next one begins."""
    sizes: dict[int, tuple[float, Size]] = field(default_factory=dict)
    """Wall time, and the deepest tree, by step."""
    importances: dict[tuple[str, str], dict[int, tuple[float, float]]] = field(default_factory=dict)
    """By group and feature: wall time and value by step."""
    features: dict[str, None] = field(default_factory=dict)
    """All features that are named somewhere."""
    settings: dict[str, Fact] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    """What went wrong with the trees, and at which step first."""

    def see(self, tag: str) -> None:
        """Learn the names of features."""
        for prefix in _SHAP:
            if tag.startswith(prefix) and tag != prefix + "bias":
                self.features.setdefault(tag.removeprefix(prefix))

    def add(self, saved: Saved) -> None:
        """Take a tensor for which `is_of_boosting` holds. Raises Malformed of `wire`."""
        if saved.tag.startswith(TREES):
            self._add_nodes(saved)
        elif saved.tag.startswith(SETTINGS):
            self._add_setting(saved)
        elif (named := _importance_of(saved.tag)) is not None and saved.is_numeric:
            values = saved.array()
            if values.size == 1:
                self.features.setdefault(named[1])
                rows = self.importances.setdefault(named, {})
                rows[saved.step] = (saved.wall_time, float(values.reshape(-1)[0].astype(np.float64)))

    def _add_nodes(self, saved: Saved) -> None:
        name = saved.tag.removeprefix(TREES)
        if name not in _COLUMNS:
            return
        if saved.step not in self.tables:
            self.finish()
            self.tables[saved.step] = {}
            self.sizes[saved.step] = (saved.wall_time, Size(0, 0))
        if saved.is_numeric:
            self.tables[saved.step][name] = saved.array().reshape(-1)[:NODES].astype(np.float64).tolist()
        else:
            self.tables[saved.step][name] = saved.strings()

    def finish(self) -> None:
        """Reduce the trees of the last step to their size."""
        for step, table in self.tables.items():
            try:
                self.sizes[step] = (self.sizes[step][0], _deepest(table))
            except Malformed as error:
                self.sizes.pop(step)
                self.problems.setdefault(f"trees: {error}", step)
        self.tables = {}

    def _add_setting(self, saved: Saved) -> None:
        key = saved.tag.removeprefix(SETTINGS)
        if key in self.settings or not 0 < len(key) <= LONGEST_KEY or len(self.settings) >= FACTS_KEPT:
            return
        value = stated_value(saved)
        if value is not None:
            self.settings[key] = Fact(key, value, "hyperparameters")

    def series(self) -> list[RawSeries]:
        """The facts `tree` and `feature_importance`."""
        self.finish()
        found = []
        if self.sizes:
            hints = Hints(collection="tree", mode=self.hints.mode, worker=self.hints.worker)
            walls = np.array([wall for wall, _ in self.sizes.values()])
            steps = np.array(list(self.sizes), dtype=np.int64)
            found.append(size_series(steps, walls, [size for _, size in self.sizes.values()], hints))
        groups: dict[str, dict[int, float]] = {}
        for (group, feature), rows in self.importances.items():
            groups.setdefault(group, {}).update({step: wall for step, (wall, _) in rows.items()})
            walls_of_rows = [wall for wall, _ in rows.values()]
            values = [value for _, value in rows.values()]
            one = importance(group, feature, list(rows), values, walls_of_rows, self.hints)
            if group == _MEAN_SHAP:
                one = replace(one, tag=f"{group}/{feature}", hints=replace(one.hints, collection=None))
            found.append(one)
        # A feature that no tree asks is not saved; that it has no importance is known where something else names it.
        groups.pop(_MEAN_SHAP, None)
        for group, steps_of_group in groups.items():
            for feature in self.features:
                if (group, feature) not in self.importances:
                    zeros = [0.0] * len(steps_of_group)
                    walls_known = list(steps_of_group.values())
                    found.append(importance(group, feature, list(steps_of_group), zeros, walls_known, self.hints))
        return found


def stated_value(saved: Saved) -> str | float | None:
    """A short text, a list of them, or a single number; None for anything else. Raises Malformed of `wire`."""
    if saved.is_numeric:
        values = saved.array()
        number = float(values.reshape(-1)[0].astype(np.float64)) if values.size == 1 else float("nan")
        return number if isfinite(number) else None
    text = ", ".join(saved.strings())
    return text if 0 < len(text) <= LONGEST_VALUE else None


def _deepest(table: Mapping[str, Column]) -> Size:
    """The deepest tree of a table of nodes; by the children where they are named, else as deep as a full tree with such numbers."""
    numbers = [int(one) if isinstance(one, float) and isfinite(one) else -1 for one in table.get("Node", ())]
    if not numbers or min(numbers) < 0:
        raise Malformed("nodes without numbers")
    of_tree: list[float | str] = list(table.get("Tree", ())) or [0.0] * len(numbers)
    if len(of_tree) != len(numbers):
        raise Malformed("columns of different length")
    named = [table.get(name) for name in ("ID", "Yes", "No")]
    has_children = all(column is not None and len(column) == len(numbers) for column in named)
    rows: dict[float | str, list[int]] = {}
    for row, tree in enumerate(of_tree):
        rows.setdefault(tree, []).append(row)
    if has_children:
        return deepest([_by_children(table, one, numbers) for one in rows.values()])
    return deepest([Size(floor(log2(max(numbers[row] for row in one) + 1)), len(one)) for one in rows.values()])


def _by_children(table: Mapping[str, Column], rows: Sequence[int], numbers: Sequence[int]) -> Size:
    order = sorted(rows, key=lambda row: numbers[row])
    place = {table["ID"][row]: at for at, row in enumerate(order)}
    left, right = (
        [LEAF if _is_none(table[name][row]) else place.get(table[name][row], len(order)) for row in order]
        for name in ("Yes", "No")
    )
    return reached(left, right)[0]


def _is_none(child: float | str) -> bool:
    # Where no node of the round has children, pandas makes the column one of numbers.
    return isinstance(child, float) or child in ("nan", "None", "", "<NA>")
