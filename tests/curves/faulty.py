"""All faulty curves."""

from tests.curves.curve import Collection
from tests.curves.faulty_losses import LOSSES
from tests.curves.faulty_runs import RUNS
from tests.curves.faulty_schedules import SCHEDULES

FAULTY = Collection(LOSSES, SCHEDULES, RUNS)
"""Runs of which each has a fault that a rule of the catalogue describes, planted by that description."""
