"""All healthy curves: the list of the rule catalogue, and more from practice."""

from tests.curves.curve import Collection
from tests.curves.healthy_listed import LISTED
from tests.curves.healthy_recipes import RECIPES
from tests.curves.healthy_runs import RUNS
from tests.curves.healthy_surprises import SURPRISES

HEALTHY = Collection(LISTED, RECIPES, RUNS, SURPRISES)
"""Runs on which no rule may give an error."""
