"""A run is free as soon as it was judged: nothing of it refers to itself, so that it need not wait until Python looks for garbage."""

import gc
from pathlib import Path

import pytest

from mlcheck.api import ScanOptions, scan
from mlcheck.lang.values import Axis, Column
from mlcheck.store.series import Series

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def garbage():
    """What has become garbage since the test began, by calling it."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)

    def found():
        gc.collect()
        return [one for one in gc.garbage if isinstance(one, Series | Axis | Column)]

    yield found
    gc.set_debug(0)
    gc.garbage.clear()
    if was_on:
        gc.enable()


@pytest.mark.parametrize("run", ["overfit", "diverging", "restart-overlap", "dump-dead-relu"])
def test_nothing_of_a_run_waits_for_the_collector(garbage, run):
    report = scan([FIXTURES / run], ScanOptions(cache=False))
    assert report.series
    assert not garbage()
