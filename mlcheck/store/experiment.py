"""The name of a model or an experiment that stands before every tag of a run: `wine/train_loss`, `wine/val_acc`."""

from collections.abc import Mapping, Sequence

from mlcheck.records import replace
from mlcheck.store.roles import assign
from mlcheck.store.series import Hints, Series

_JUDGED = frozenset({"loss", "loss_component", "metric", "error_metric"})
_MEASURES = frozenset({"metric", "error_metric"})


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


def without_owner(series: Sequence[Series]) -> list[Series]:
    """The series with the label `metric` of a measure freed of whose it is (`student/top1`), where the run has no other of that name.

    Of several tasks or models each keeps its own: `digit/accuracy` and `parity/accuracy` are two. Losses keep theirs, too: that of a
    student is not measured as that of its distillation is.
    """
    owners: dict[str, set[str]] = {}
    for one in series:
        if _is_judged(one):
            owner, _, name = one.labels["metric"].rpartition("/")
            owners.setdefault(name, set()).add(owner)
    return [_freed(one, owners) if _is_judged(one) and one.role in _MEASURES else one for one in series]


def _freed(one: Series, owners: Mapping[str, set[str]]) -> Series:
    owner, _, name = one.labels["metric"].rpartition("/")
    if not owner or len(owners[name]) > 1 or _says_something(owner):
        return one
    return replace(one, labels={**one.labels, "metric": name})


def _is_judged(one: Series) -> bool:
    return one.kind == "scalar" and one.role in _JUDGED and "metric" in one.labels


def _shared(series: Sequence[Series]) -> str | None:
    metrics = {one.labels["metric"] for one in series if _is_judged(one)}
    first = {metric.partition("/")[0] for metric in metrics}
    if len(first) != 1 or any("/" not in metric for metric in metrics):
        return None
    (word,) = first
    return None if _says_something(word) else word


def _says_something(word: str) -> bool:
    said = assign(word, "", "scalar", Hints())
    return said.role != "other" or "split" in said.labels
