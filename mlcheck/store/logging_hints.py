"""How to log what a run lacks, in the words of the writer that it used (data/logging.toml)."""

from collections.abc import Mapping, Sequence
from functools import cache

from mlcheck.store import labels as words
from mlcheck.store.series import Fact, Series
from mlcheck.store.tables import Pattern, table


@cache
def _table() -> tuple[tuple[tuple[str, Pattern], ...], Mapping[str, Mapping[str, str]]]:
    data = table("logging")
    writers = tuple((entry["name"], Pattern(entry["tags"])) for entry in data["writer"])
    return writers, data["how"]


def hint(what: str, writer: str | None) -> str:
    """One line that logs `what` (`validation loss`, `gradients`, …) with that writer; the plain torch line where the writer has none,
    and an empty text for what is not in the table.
    """
    lines = _table()[1].get(what, {})
    return lines.get(writer or "torch") or lines.get("torch", "")


def writer(series: Sequence[Series], facts: Sequence[Fact] = (), formats: Sequence[str] = ()) -> str | None:
    """The writer of a run by its tags, by what it states and by the formats of its files: hf, lightning, keras, sb3 or torch; None
    where nothing tells.
    """
    if "trainer_state" in formats:
        return "hf"
    if any(fact.source.startswith(("args/", "model_config/")) for fact in facts):
        return "hf"
    names = [words.normalise(one.tag) for one in series if one.kind != "fact"]
    for name, pattern in _table()[0]:
        if any(pattern.search(tag) for tag in names):
            return name
    logged = [one for one in series if one.kind == "scalar"]
    if {"csv", "json"} & set(formats) and "loss" in names and all(one.axis == "epoch" for one in logged):
        # Keras' CSVLogger and History: plain names, one row an epoch.
        return "keras"
    return None
