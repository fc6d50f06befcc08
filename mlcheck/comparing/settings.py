"""What settings say of a comparison, as the options of what measures: an option stands above what a dump states itself, a file below it."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mlcheck.errors import UsageError
from mlcheck.settings import CompareValue

if TYPE_CHECKING:
    from mlcheck.comparing.dumps import DumpOptions
    from mlcheck.updates.aliases import Task
    from mlcheck.updates.prediction_settings import PredictionSettings
    from mlcheck.updates.retrieval_settings import RetrievalSettings
    from mlcheck.updates.rewrite_settings import RewriteSettings
    from mlcheck.updates.runs import RunSettings
    from mlcheck.updates.table import ReadSettings

Values = Mapping[str, CompareValue]
"""By the keys of `settings.compare.COMPARE_KEYS`; what nobody says is not there."""

FIELDS: Mapping[str, str] = {
    "class-slices": "by_label",
    "min-slice": "min_n",
    "shown-metrics": "also",
}
"""Keys whose field has another name."""
STATED = ("score-kind", "score-of", "threshold")
"""Keys that a dump may state itself, in its metadata."""
READ = ("columns", "task")
OTHER_DUMPS = ("seeds", "paragon", "mapped", "swapped", "forced", "training", "vocabulary")


def field_of(key: str) -> str:
    """The field of the settings that a key is for: `min_n` for `min-slice`."""
    return FIELDS.get(key, key.replace("-", "_"))


def dump_options(values: Values) -> "DumpOptions":
    """How dumps are read and held against each other. Raises UsageError for values that do not go together, and unknown metrics."""
    from mlcheck.comparing.dumps import DumpOptions

    _check_order(values, "gate-low", "gate-high")
    _check_order(values, "boundary-gap", "confident-gap")
    others: dict[str, Any] = {key: values[key].value for key in OTHER_DUMPS if key in values}
    if "vocabulary" in others:
        others["vocabulary"] = Path(others["vocabulary"])
    return DumpOptions(
        read=_read(values),
        predictions=_predictions(values),
        retrieval=_retrieval(values),
        rewrites=_rewrites(values),
        **others,
    )


def run_settings(values: Values) -> "RunSettings":
    """How runs are held against each other."""
    from mlcheck.updates.runs import RunSettings

    return RunSettings(**_of(values, RunSettings))


def _of(values: Values, settings: Any) -> dict[str, Any]:
    """The values of those keys that are fields of these settings."""
    names = {one.name for one in fields(settings)}
    return {
        field_of(key): one.value
        for key, one in values.items()
        if field_of(key) in names and key not in (*STATED, *READ, *OTHER_DUMPS)
    }


def _read(values: Values) -> "ReadSettings":
    from mlcheck.updates.table import ReadSettings

    told = values["task"].value if "task" in values else "auto"
    task: Task = cast("Task", told) if told in ("auto", "text") else "labels"
    stated: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for key in ("score-kind", "score-of"):
        if key in values:
            stated[values[key].by_option][field_of(key)] = values[key].value
    return ReadSettings(
        columns=values["columns"].value if "columns" in values else {},
        task=task,
        told=stated[True],
        assumed=stated[False],
    )


def _predictions(values: Values) -> "PredictionSettings":
    from mlcheck.updates.prediction_settings import PredictionSettings

    more = _of(values, PredictionSettings)
    if "task" in values and values["task"].value not in ("auto", "text"):
        more["task"] = values["task"].value
    if "new-classes" in values:
        more["new_classes"] = values["new-classes"].value.replace("-", " ")
    if "threshold" in values:
        told = values["threshold"]
        more["thresholds" if told.by_option else "assumed_thresholds"] = told.value
    return PredictionSettings(**more)


def _retrieval(values: Values) -> "RetrievalSettings":
    from mlcheck.updates.base import ComparisonError
    from mlcheck.updates.metrics import parse_metric
    from mlcheck.updates.retrieval_settings import RetrievalSettings

    for key in ("metrics", "shown-metrics"):
        for text in values[key].value if key in values else ():
            try:
                parse_metric(text)
            except ComparisonError as error:
                raise UsageError(f"{named(values, key)}: {error}") from None
    return RetrievalSettings(**_of(values, RetrievalSettings))


def _rewrites(values: Values) -> "RewriteSettings":
    from mlcheck.updates.rewrite_settings import RewriteSettings

    return RewriteSettings(**_of(values, RewriteSettings))


def named(values: Values, key: str) -> str:
    """A setting as its user knows it: the option, or the file and the key."""
    one = values[key]
    return one.origin if one.by_option else f"{one.origin}: `compare.{key}`"


def _check_order(values: Values, lower: str, upper: str) -> None:
    from mlcheck.updates.prediction_settings import PredictionSettings
    from mlcheck.updates.rewrite_settings import RewriteSettings

    said = lower if lower in values else upper
    if said not in values:
        return
    defaults: dict[str, Any] = {**vars(PredictionSettings()), **vars(RewriteSettings())}
    low, high = (values[key].value if key in values else defaults[field_of(key)] for key in (lower, upper))
    if not low < high:
        raise UsageError(f"{named(values, said)}: {lower} ({low:g}) must be below {upper} ({high:g})")
