"""What `mlcheck compare` can be told, each once: key of the table `[compare]`, option, kind of value, what it does, default.

The option parser, the configuration file, `mlcheck config` and the documentation all go by `COMPARE_KEYS`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlcheck.records import dataclass
from mlcheck.settings.model import CompareValue
from mlcheck.settings.values import Choice, Flag, Kind, Named, Number, OneOrTwo, Pattern, Several, Text, Whole

RUNS, READING, STATISTICS = "Runs", "Reading dumps", "Intervals and tests"
PREDICTIONS, EMBEDDINGS, TEXTS = "Dumps of predictions", "Dumps of embeddings", "Dumps of texts"
GROUPS = (RUNS, READING, STATISTICS, PREDICTIONS, EMBEDDINGS, TEXTS)
"""Groups of settings, in the order in which help shows them."""
SHARE = Number(0, 1)
INSIDE = Number(0, 1, open=True)


@dataclass(frozen=True, slots=True)
class CompareKey:
    """One setting."""

    key: str
    """As a file has it."""
    kind: Kind
    group: str
    metavar: str
    help: str
    default: str = ""
    """What holds where nobody says anything, in words; empty: nothing."""
    singular: str = ""
    """The option's name, where the key is of several and each option gives one."""
    is_path: bool = False
    """A path (or a pattern); in a file it is relative to that file."""

    @property
    def option(self) -> str:
        """`--min-slice`."""
        return f"--{self.singular or self.key}"

    @property
    def repeats(self) -> bool:
        """Whether the option may be given several times."""
        return isinstance(self.kind, Several | Named)


def _choice(key: str, group: str, words: Sequence[str], text: str) -> CompareKey:
    return CompareKey(key, Choice(words), group, "|".join(words), text, words[0])


_RUNS = (_choice("align", RUNS, ("step", "epoch", "time"), "What must be equal for values of runs to be compared."),)
_READING = (
    CompareKey(
        *("columns", Named(Text(), "example_id=uid"), READING, "NAME=COLUMN"),
        "Which column is what: example_id=uid (repeatable).",
        singular="column",
    ),
    _choice(
        *("task", READING, ("auto", "classes", "binary", "sets", "regression", "text")),
        "What predictions are: one class, one of two by a threshold, several classes, numbers, sentences. auto: what the columns hold.",
    ),
    CompareKey(
        *("score-kind", Choice(("prob", "logit")), READING, "prob|logit"),
        "What the scores are: probabilities, or logits.",
        "the dump's, else prob",
    ),
    CompareKey(
        *("score-of", Choice(("positive", "prediction")), READING, "positive|prediction"),
        "What a single score is of: the positive class of two, or the predicted class.",
        "the dump's",
    ),
)
_STATISTICS = (
    CompareKey(
        *("cluster", Text(may_be_empty=True), STATISTICS, "COLUMN"),
        "What is drawn as one by the bootstrap (user, dialogue); empty: each example.",
        "group_id",
    ),
    CompareKey("confidence", INSIDE, STATISTICS, "SHARE", "Of every interval, two-sided.", "0.95"),
    CompareKey("draws", Whole(1, 1_000_000), STATISTICS, "N", "Draws of the bootstrap.", "1000"),
    _choice(
        "interval",
        STATISTICS,
        ("clopper-pearson", "wilson"),
        "Of rates: the exact interval, or the shorter one of Wilson.",
    ),
    _choice("paired-interval", STATISTICS, ("newcombe", "wald"), "Of the change of the accuracy."),
    _choice("adjust", STATISTICS, ("holm", "bh", "none"), "How p-values of several slices are adjusted."),
    CompareKey(
        "mid-p", Flag(), STATISTICS, "", "McNemar's test by mid-p, less conservative than the exact one.", "false"
    ),
)
_PREDICTIONS = (
    CompareKey(
        *("seeds", Several(Text()), PREDICTIONS, "PATH"),
        "Dumps of the old recipe with other seeds, or a pattern: what retraining alone does (repeatable).",
        is_path=True,
    ),
    CompareKey(
        *("slices", Several(Text()), PREDICTIONS, "COLUMN"),
        "Judge each value of this column by itself (repeatable).",
        *("slice_*", "slice"),
    ),
    CompareKey("class-slices", Flag(), PREDICTIONS, "", "Judge each class by itself.", "true"),
    CompareKey("min-slice", Whole(1), PREDICTIONS, "N", "Smaller slices are counted, not judged.", "30"),
    CompareKey("most-slices", Whole(1), PREDICTIONS, "N", "Largest slices of a column that are measured.", "1000"),
    CompareKey("top-k", Whole(1), PREDICTIONS, "K", "Right is a label among the K highest scores.", "1"),
    CompareKey(
        *("threshold", OneOrTwo(Number()), PREDICTIONS, "SCORE[,SCORE]"),
        "Two classes: the score from which the positive one is predicted; of the old and of the new model where they differ.",
        "the dump's",
    ),
    CompareKey(
        *("positive", Text(), PREDICTIONS, "CLASS"),
        "Two classes: the positive one.",
        "the second of class_names, 1, true",
    ),
    CompareKey(*("tolerance", Number(0), PREDICTIONS, "ERROR"), "Regression: an error of at most so much is right."),
    _choice("labels-from", PREDICTIONS, ("both", "old", "new"), "Whose labels count; both: they must agree."),
    _choice(
        *("new-classes", PREDICTIONS, ("leave-out", "keep")),
        "Examples of a class that the old model does not know: left out of rates, or old errors.",
    ),
    CompareKey(
        *("confident-gap", SHARE, PREDICTIONS, "SHARE"),
        "A flip is confident where the label's probability changes by so much or more.",
        "0.5",
    ),
    CompareKey(
        *("boundary-gap", SHARE, PREDICTIONS, "SHARE"),
        "A flip is one at the boundary where it changes by at most so much.",
        "0.1",
    ),
    CompareKey(
        *("graded", Several(Text()), PREDICTIONS, "COLUMN"),
        "A column with a graded score of each example, such as ROUGE (repeatable).",
        "*/score",
    ),
    CompareKey(
        *("lower-is-better", Several(Text()), PREDICTIONS, "COLUMN"),
        "A graded score of which less is better (repeatable).",
    ),
    CompareKey(
        *("ranges", Named(Number(0, open=True), "rouge=1"), PREDICTIONS, "COLUMN=WIDTH"),
        "Width of the range of a graded score (repeatable).",
        *("1 or 100, by its values", "range"),
    ),
    CompareKey(
        *("dead-band", SHARE, PREDICTIONS, "SHARE"),
        "A smaller change of a graded score, as a share of its range, is none.",
        "0.02",
    ),
)
_EMBEDDINGS = (
    CompareKey(
        *("metrics", Several(Text()), EMBEDDINGS, "METRIC"),
        "What is judged: recall@K, mAP, mAP@K, TAR@FAR=RATE (repeatable).",
        *("recall@1", "metric"),
    ),
    CompareKey(
        *("shown-metrics", Several(Text()), EMBEDDINGS, "METRIC"),
        "What is measured beside it (repeatable).",
        *("recall@1, recall@5, recall@10, mAP@100, mAP", "shown-metric"),
    ),
    _choice("similarity", EMBEDDINGS, ("cosine", "l2"), "Of two embeddings."),
    CompareKey(
        *("paragon", Text(), EMBEDDINGS, "PATH"),
        "The new model trained without a thought of compatibility.",
        is_path=True,
    ),
    CompareKey(
        *("mapped", Text(), EMBEDDINGS, "PATH"),
        "The old gallery, taken into the new space by a learned map.",
        is_path=True,
    ),
    CompareKey(
        "heterogeneous", Flag(), EMBEDDINGS, "", "The new model is a small one that embeds queries only.", "false"
    ),
    CompareKey(
        *("false-accept-rate", INSIDE, EMBEDDINGS, "RATE"),
        "Of old queries, by which the old model's threshold is set that new queries are held against.",
        "0.001",
    ),
    _choice(
        *("ties", EMBEDDINGS, ("compatible", "violation")),
        "What equal cross tests of several versions count as, in the average compatibility.",
    ),
    CompareKey("backfill", Flag(), EMBEDDINGS, "", "Measure galleries that are embedded anew in part.", "true"),
    CompareKey(
        *("verified-pairs", Whole(1), EMBEDDINGS, "N"),
        "Pairs from which accept rates are told; of more, some queries are taken.",
        "200000000",
    ),
    CompareKey("ranked-pairs", Whole(1), EMBEDDINGS, "N", "Pairs up to which mAP ranks whole galleries.", "200000000"),
    CompareKey("drift-examples", Whole(2), EMBEDDINGS, "N", "Examples in which the spaces are compared.", "2000"),
)
_TEXTS = (
    CompareKey(
        *("swapped", Text(), TEXTS, "PATH"), "Rewrites of the same inputs with their entities renamed.", is_path=True
    ),
    CompareKey("forced", Text(), TEXTS, "PATH", "The same model under teacher forcing.", is_path=True),
    CompareKey("training", Text(), TEXTS, "PATH", "Training data, whose entities the model has seen.", is_path=True),
    CompareKey(
        *("vocabulary", Text(), TEXTS, "FILE"), "Words that can be generated without copying, one a line.", is_path=True
    ),
    CompareKey(
        *("unknown-tokens", Several(Text()), TEXTS, "TOKEN"),
        "What stands for a word that the vocabulary lacks (repeatable).",
        *("<unk>, <UNK>, [UNK], UNK, U+2047, U+FFFD", "unknown-token"),
    ),
    CompareKey(
        "placeholder", Pattern(), TEXTS, "REGEX", "A placeholder of anonymised entities.", "ENTITYU1 and the like"
    ),
    CompareKey(
        *("truncated-reasons", Several(Text()), TEXTS, "REASON"),
        "A finish_reason which says that the output was cut off (repeatable).",
        *("length, max_length, max_tokens, max_new_tokens", "truncated-reason"),
    ),
    CompareKey("gate-low", SHARE, TEXTS, "P", "A copy gate below it is closed: the token is copied.", "0.05"),
    CompareKey("gate-high", SHARE, TEXTS, "P", "A copy gate above it is open: the token is generated.", "0.95"),
    CompareKey(
        *("collapsed-below", SHARE, TEXTS, "ENTROPY"),
        "Median normalised entropy of attention below which it is collapsed.",
        "0.05",
    ),
    CompareKey("diffuse-above", SHARE, TEXTS, "ENTROPY", "The same above which it is spread over everything.", "0.95"),
    CompareKey(
        *("stuck-tokens", Whole(2), TEXTS, "N"), "Tokens in a row that attend to one position: attention is stuck.", "4"
    ),
)
COMPARE_KEYS = (*_RUNS, *_READING, *_STATISTICS, *_PREDICTIONS, *_EMBEDDINGS, *_TEXTS)
BY_KEY: Mapping[str, CompareKey] = {one.key: one for one in COMPARE_KEYS}


def from_file(key: CompareKey, value: Any, directory: Path) -> Any:
    """The value of a file in this directory, checked. Raises ValueError with what is wrong, to stand behind the key's name."""
    found = key.kind.of_value(value)
    if not key.is_path:
        return found
    return tuple(str(directory / one) for one in found) if isinstance(found, tuple) else str(directory / found)


def from_options(given: Mapping[str, Any]) -> dict[str, CompareValue]:
    """The values of options by their keys: text, lists of text, truth values; None where an option is not given. Raises ValueError."""
    found = {}
    for name, value in given.items():
        if value is None or value == []:
            continue
        key = BY_KEY[name]
        try:
            found[name] = CompareValue(_of_option(key, value), key.option, by_option=True)
        except ValueError as error:
            raise ValueError(f"{key.option} {error}") from None
    return found


def _of_option(key: CompareKey, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if not key.repeats:
        return key.kind.of_text(value)
    parts = [key.kind.of_text(one) for one in value]
    if isinstance(key.kind, Named):
        return {name: one for part in parts for name, one in part.items()}
    return tuple(one for part in parts for one in part)
