"""What the columns of a dump of examples (predictions, embeddings, texts) are called, and whether a table is one by its names alone.

Sources of the names: Hugging Face evaluate, evidently's column mapping, MLflow's evaluation tables, lm-eval's samples, scikit-learn,
the model-compatibility toolkits of AWS and Microsoft.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from mlcheck.records import dataclass

Examples = Literal["predictions", "embeddings", "texts"]
"""What a dump is of."""


@dataclass(frozen=True)
class Alias:
    """A name that stands for a canonical one, where the type of the column fits."""

    name: str
    kind: Literal["any", "list", "flat", "floats", "number", "strings"] = "any"
    """list: any list; flat: no list; floats: lists of floating-point numbers; number: a number; strings: text or a list of it."""


def _named(*names: str) -> tuple[Alias, ...]:
    return tuple(Alias(name) for name in names)


LABEL_ALIASES: Mapping[str, tuple[Alias, ...]] = {
    "example_id": _named("id", "doc_id", "row_id", "id_column"),
    "step": _named("global_step"),
    "split": _named("partition"),
    "label": _named("target", "targets", "labels", "references", "y_true", "gt"),
    "prediction": (
        *_named("pred", "predictions"),
        Alias("outputs", "flat"),
        *_named("prediction_labels", "y_pred"),
    ),
    "scores": (Alias("prediction_probas", "list"), Alias("y_proba", "list")),
    "logits": (Alias("outputs", "floats"),),
    "score": (Alias("confidence", "number"), Alias("prediction_probas", "number"), Alias("y_proba", "number")),
    "embedding": (Alias("features", "floats"),),
}
"""Canonical name to the names accepted for it, of a dump of labels."""

TEXT_ALIASES: Mapping[str, tuple[Alias, ...]] = {
    **{name: LABEL_ALIASES[name] for name in ("example_id", "step", "split", "embedding")},
    "source": _named("input", "text", "context"),
    "base_index": _named("base_utt_idx"),
    "reference": (Alias("target", "strings"), Alias("references", "strings"), Alias("gold", "strings")),
    "hypothesis": (Alias("prediction", "strings"), *_named("response", "filtered_resps")),
    "entities": _named("gold_slots"),
    "p_gen": _named("p_gens"),
}
"""The same of a dump of texts: there `target` and `prediction` are sentences, not classes."""

CLASS_PREFIXES = ("score_", "probas_", "proba_", "probs_", "prob_")
"""Of columns that hold the scores of one class each: `prob_cat`. Those of one table have one prefix in common."""

TEXT_TELLS = (
    "hypothesis",
    "response",
    "reference",
    "base_index",
    "base_utt_idx",
    "entities",
    "gold_slots",
    "p_gen",
    "p_gens",
)
"""Columns that only a dump of texts has."""

_OF_EMBEDDINGS = ("embedding",)
_OF_TEXTS = ("hypothesis", "p_gen", "reference", "attn_entropy", "attn_argmax", "cov_loss")
_OF_PREDICTIONS = ("prediction", "scores", "logits", "score", "label", "topk_index")
FEWEST_CLASSES = 2
MOST_NAMED = 3
"""Files that a line names."""
_TELLING = ("prediction", "scores", "logits", "embedding", "hypothesis", "p_gen")
"""Columns that say it without an id beside them."""


def examples_of(columns: Iterable[str], told: Collection[str] = ()) -> Examples | None:
    """What a table with these columns holds of examples; None where it holds none.

    told: canonical names that the user has named the columns of.
    """
    names = {name.lower() for name in columns}
    if not names:
        return None
    has_id = "example_id" in told or not names.isdisjoint(_aliases("example_id"))
    if not has_id and "step" in names:
        return None
    kinds: tuple[tuple[Examples, tuple[str, ...]], ...] = (
        ("embeddings", _OF_EMBEDDINGS),
        ("texts", _OF_TEXTS),
        ("predictions", _OF_PREDICTIONS),
    )
    for kind, canonical in kinds:
        if any(not names.isdisjoint(_aliases(one)) for one in canonical if has_id or one in _TELLING):
            return kind
    is_scored = any(name.endswith("/score") for name in names) or bool(of_classes(names))
    return "predictions" if has_id and is_scored else None


def of_classes(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The columns that hold the scores of one class each: prefix to class to column, in their order; of two classes or more."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        prefix = next((one for one in CLASS_PREFIXES if name.startswith(one) and len(name) > len(one)), None)
        if prefix is not None:
            found.setdefault(prefix, {})[name.removeprefix(prefix)] = name
    return {prefix: columns for prefix, columns in found.items() if len(columns) >= FEWEST_CLASSES}


_SAID = ("prediction", "predictions", "pred", "preds", "y_pred", "prediction_labels", "prediction_probas", "y_proba")
_SCORED = ("scores", "logits", "probabilities", "probs", "score", "confidence")
_VECTORS = ("embedding", "embeddings", "emb_0")
_SENTENCES = ("hypothesis", "p_gen", "p_gens", "filtered_resps")


def said_by_model(columns: Iterable[str]) -> Examples | None:
    """As `examples_of`, of a table that nobody has called a dump: None where it may be a data set, with labels, texts and features alone.

    Rows of steps are none either: they are of a training.
    """
    names = {name.lower() for name in columns}
    if not names.isdisjoint(_aliases("step")) or "epoch" in names:
        return None
    has_id, has_label = (not names.isdisjoint(_aliases(one)) for one in ("example_id", "label"))
    if not (has_id or has_label):
        return None
    kinds: tuple[tuple[Examples, bool], ...] = (
        ("texts", has_id and not names.isdisjoint(_SENTENCES)),
        ("predictions", not names.isdisjoint(_SAID)),
        ("predictions", has_label and (bool(of_classes(names)) or not names.isdisjoint(_SCORED))),
        ("embeddings", not names.isdisjoint(_VECTORS)),
    )
    return next((kind for kind, fits in kinds if fits), None)


_JUDGED = ": `mlcheck compare OLD NEW` judges them"


def why_no_run(kind: Examples) -> str:
    """Why a file of examples is no run, and what to do with it."""
    return f"{kind}{_JUDGED}"


def note_of(reasons: Mapping[str, str]) -> str:
    """A line on those of the files, each with why it is no run, that are of examples; empty where none is."""
    kinds: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason.endswith(_JUDGED):
            kinds.setdefault(reason.removesuffix(_JUDGED), []).append(name)
    lines = [f"{_listed(names)} {'holds' if len(names) == 1 else 'hold'} {kind}" for kind, names in kinds.items()]
    return "; ".join(lines) + _JUDGED if lines else ""


def _listed(names: list[str]) -> str:
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED:,} more"
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part])


def _aliases(canonical: str) -> set[str]:
    tables = (LABEL_ALIASES, TEXT_ALIASES)
    return {canonical, *(alias.name for table in tables for alias in table.get(canonical, ()))}
