"""What each model did on each joined example, whatever its labels are."""

from mlcheck.updates.aliases import is_list
from mlcheck.updates.class_outcomes import class_outcomes
from mlcheck.updates.classes import is_regression, score_column
from mlcheck.updates.other_outcomes import regression_outcomes, set_outcomes
from mlcheck.updates.outcome import Outcomes, OutcomeSettings
from mlcheck.updates.table import PredictionTable


def outcomes_of(old: PredictionTable, new: PredictionTable, settings: OutcomeSettings) -> Outcomes:
    """Outcomes of two tables whose rows are of the same examples, in the same order.

    Raises ComparisonError for labels that differ, predictions that are missing, and classes that cannot be told.
    """
    tables = (old, new)
    task = settings.task
    if task == "auto":
        lists = any(
            is_list(one.table.schema.field(name).type)
            for one in tables
            for name in ("label", "prediction")
            if one.has(name)
        )
        regression = not lists and not any(score_column(one) for one in tables) and is_regression(tables)
        task = "sets" if lists else "regression" if regression else "classes"
    if task == "regression":
        return regression_outcomes(old, new, settings)
    if task == "sets":
        return set_outcomes(old, new, settings)
    return class_outcomes(old, new, settings, binary=task == "binary")
