"""The name of a model or an experiment that stands before every tag of a run: `wine/train_loss`, `wine/val_acc`."""

from collections.abc import Sequence

from mlcheck.records import replace
from mlcheck.store.roles import assign
from mlcheck.store.series import Hints, Series

_JUDGED = frozenset({"loss", "loss_component", "metric", "error_metric"})


def without_experiment(series: Sequence[Series]) -> list[Series]:
    """The series with their label `metric` freed of a first word that all losses and metrics of the run share.

    Rules ask for metrics by name (`accuracy`), and `wine/acc` is none of their names. A word that says something by itself (`loss/box`,
    `val/acc`) is no name of an experiment, and stays; so does one that only some of them have.
    """
    result = list(series)
    while word := _shared(result):
        result = [
            replace(one, labels={**one.labels, "metric": one.labels["metric"].removeprefix(f"{word}/")})
            if _is_judged(one)
            else one
            for one in result
        ]
    return result


def _is_judged(one: Series) -> bool:
    return one.kind == "scalar" and one.role in _JUDGED and "metric" in one.labels


def _shared(series: Sequence[Series]) -> str | None:
    metrics = {one.labels["metric"] for one in series if _is_judged(one)}
    first = {metric.partition("/")[0] for metric in metrics}
    if len(first) != 1 or any("/" not in metric for metric in metrics):
        return None
    (word,) = first
    said = assign(word, "", "scalar", Hints())
    return None if said.role != "other" or "split" in said.labels else word
