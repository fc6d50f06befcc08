"""The overview of a run: which series it shows, and how large it may be."""

import math
from pathlib import Path

import pytest

from mlcheck import api
from mlcheck.engine.overview import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_LINE_POINTS,
    MAX_ROWS,
    MAX_SAVES,
    MAX_TENSORS,
    within_budget,
)
from mlcheck.report import Evidence, Panel
from mlcheck.store.quantiles import QUANTILES

FIXTURES = Path(__file__).parents[2] / "fixtures"


def panel(run: str, title: str, kind: str, points: int) -> Panel:
    return Panel(run, title, kind, Evidence(title, "loss", "value", "step", tuple(range(points)), (1.0,) * points))


def test_loss_learning_rate_and_gradient_norm_are_shown() -> None:
    report = api.scan([str(FIXTURES / "diverging")])
    lines = {p.title: p.evidence.role for p in report.panels if p.kind == "line"}
    assert {"train/loss", "val/loss", "train/learning_rate", "train/grad_norm"} <= set(lines)
    assert {"loss", "lr", "grad_norm"} <= set(lines.values())
    assert not [p for p in report.panels if p.kind == "heatmap"], "no tensors are dumped"


def test_layers_over_steps() -> None:
    report = api.scan([str(FIXTURES / "dump-nan-gradient")])
    rows = [p for p in report.panels if p.title == "abs_mean of gradients"]
    assert 2 <= len(rows) <= MAX_ROWS
    assert {p.kind for p in rows} == {"heatmap"}
    assert {p.evidence.role for p in rows} == {"gradient"}
    for row in rows:
        steps = row.evidence.steps
        assert list(steps) == sorted(set(steps))
        assert len(steps) <= MAX_COLUMNS


def test_how_the_values_of_tensors_are_spread_over_steps() -> None:
    """Of histograms their quantiles, of dumps the moments; all statistics of a tensor are of the same saves, in order of size."""
    histograms = api.scan([str(FIXTURES / "healthy-histograms")])
    found: dict[str, dict[str, Evidence]] = {}
    for p in histograms.panels:
        if p.kind == "distribution":
            found.setdefault(p.title, {})[p.evidence.statistic] = p.evidence
    tensors = [one.name for one in histograms.series if one.kind == "tensor"]
    assert sorted(found) == sorted(tensors), "all of them fit"
    assert len(found) <= MAX_TENSORS
    for rows in found.values():
        assert tuple(rows) == ("min", *QUANTILES, "max")
        assert len({one.steps for one in rows.values()}) == 1
        assert len(rows["min"].steps) <= MAX_SAVES
        for at in zip(*(one.values for one in rows.values()), strict=True):
            assert list(at) == sorted(at)
    dumped = api.scan([str(FIXTURES / "dump-nan-gradient")])
    (relu,) = {p.title for p in dumped.panels if p.kind == "distribution"}
    rows = {p.evidence.statistic: p.evidence for p in dumped.panels if p.title == relu and p.kind == "distribution"}
    assert tuple(rows) == ("min", "mean", "std", "max")
    assert any(not math.isfinite(value) for value in rows["mean"].values), "the saves that hold NaN are not passed over"


@pytest.mark.parametrize(("runs", "each"), [(1, 200), (300, 200), (1_000, 60)])
def test_lines_share_their_room(runs: int, each: int) -> None:
    kept = within_budget([panel(f"r{i}", "loss", "line", each) for i in range(runs)])
    assert len(kept) == runs
    assert sum(len(p.evidence.steps) for p in kept) <= MAX_LINE_POINTS
    assert all(p.evidence.steps[0] == 0 and p.evidence.steps[-1] == each - 1 for p in kept)


def test_heatmaps_are_kept_whole_or_not_at_all() -> None:
    rows = [panel(f"r{i // MAX_ROWS}", "g", "heatmap", MAX_COLUMNS) for i in range(6 * MAX_ROWS)]
    kept = within_budget(rows)
    assert sum(len(p.evidence.steps) for p in kept) <= MAX_CELLS
    assert {p.run for p in kept} == {"r0", "r1", "r2", "r3"}
    assert len(kept) == 4 * MAX_ROWS


def test_distributions_take_the_room_that_heatmaps_leave() -> None:
    maps = [panel("r0", "g", "heatmap", MAX_COLUMNS) for _ in range(3 * MAX_ROWS)]
    tensors = [panel(f"r{i}", f"w{i}", "distribution", MAX_SAVES) for i in range(400) for _ in range(7)]
    kept = within_budget([*tensors, *maps])
    assert sum(len(p.evidence.steps) for p in kept) <= MAX_CELLS
    assert sum(p.kind == "heatmap" for p in kept) == 3 * MAX_ROWS
    whole = [p.title for p in kept if p.kind == "distribution"]
    assert len(whole) == 7 * len(set(whole)), "each with all of its statistics or not at all"
    assert len(set(whole)) == (MAX_CELLS - 3 * MAX_ROWS * MAX_COLUMNS) // (7 * MAX_SAVES)
