"""Tags taken apart: their normal form, and the labels that stand in a name (split, frequency, axis, metric, layer, parameter).

The normal form of a tag is lower case, its components separated by `/` and the words of a component by one space:
`Loss/ValidationEpoch` is `loss/validation epoch`. Every pattern of roles.toml is written against it, so that spelling does not matter.
"""

from collections.abc import Iterable, Iterator, Set
from functools import lru_cache
from typing import NamedTuple

from mlcheck.store.tables import Pattern

LONGEST = 400
"""Characters of a tag that are looked at. Tags are untrusted: longer ones are no names, and matching them would cost time."""

KINDS = frozenset(
    (
        *("macro", "micro", "weighted", "balanced", "mean", "avg", "average", "median", "min", "max", "std", "sum"),
        *("total", "overall", "best", "final", "last", "top", "raw", "ema", "smooth", "smoothed", "running"),
    )
)
"""Words for kinds of one quantity, which are no names of what it is measured on."""

HELD_BESIDE = frozenset(
    {"cv", "blind", "verify", "verification", "spare", "reserve", "reserved", "withheld", "kept", "later", "fresh"}
)
"""Words that name held-out data where the same tag stands without a word: `logloss_blind` beside `logloss`."""

# `mAP50`, `APs` and `AdamW` stay whole or nearly so; `trainLoss`, `RPNLoss` and `LossG` come apart.
_CAMEL = Pattern(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_DOT = Pattern(r"(?<!\d)\.|\.(?!\d)")
_SEPARATOR = Pattern(r"[^\w/.]+|_+")
_SPACES = Pattern(r" *(/)[ /]*| {2,}")

_GLUED = Pattern(
    r"\b(train|training|val|valid|validation|test|eval|dev)"
    r"(?=(?:loss|acc|accuracy|err|error|mse|mae|rmse|auc|f1|iou|dice|ppl|perplexity)\b)"
)
_GLUED_AFTER = Pattern(r"\b(loss|acc|accuracy)(?=(?:train|val|valid|validation|test|eval)\b)")
_SPLIT = Pattern(
    r"\b(?:on )?(?:"
    r"(?P<train>train(?:ing)?|trn|learn|fitting|in sample)"
    r"|(?P<val>val|vld|valid|validat(?:e|ion|ing)|(?<!std )(?<!standard )dev|eval|evaluation|h[eo]ld ?out|unseen"
    r"|out of (?:sample|time)|oo[st])"
    r"|(?P<test>test(?:ing)?|tst))(?: set| split|"
    # What the split consists of: `mse test weeks`.
    r" (?:data(?: ?set)?|subset|fold|part|period|(?:hour|day|week|month|year|row|user|patient|subject|site|store|speaker|customer)s)"
    r"(?=$|/))?\b"
)
_SPLIT_LETTERS = (
    "tr",
    "val",
    "vld",
    "test",
    "tst",
    "dev",
    "learn",
    "fitting",
    "hold",
    "held",
    "unseen",
    "sample",
    "oos",
    "oot",
    "out of",
)
# Two letters, and words that mean much else, name a split only beside the word of a measure: `va_loss`, `acc/tr`, `objective (fit)`.
_SHORT = {
    "tr": "train",
    "fit": "train",
    "va": "val",
    "vl": "val",
    "ho": "val",
    "oof": "val",
    "hold": "val",
    "te": "test",
    "ts": "test",
}
_MEASURE = (
    r"(?:loss|objective|criterion|cost|acc|acc1|accuracy|err|error|mse|mae|rmse|mape|auc|f1|iou|miou|dice|ppl|perplexity|nll|score"
    r"|ce|bce|xe|xent|entropy|logloss|huber|l1|l2|elbo|r2|precision|recall|top ?[15]|bpc|bpb|wer|cer|bleu)"
)
_SHORT_BEFORE = Pattern(rf"(?:^|(?<=/))(tr|fit|va|vl|ho|oof|hold|te|ts)(?=[ /](?:\w+ )?{_MEASURE}\b)")
_SHORT_AFTER = Pattern(rf"(\b{_MEASURE}[ /])(tr|fit|va|vl|ho|oof|hold|te|ts)$")
_BEFORE = tuple(f"{short}{end}" for short in _SHORT for end in " /")
_AFTER = tuple(f"{start}{short}" for short in _SHORT for start in " /")


def normalise(tag: str) -> str:
    """The normal form of a tag (module docstring). At most `LONGEST` characters of the tag count."""
    text = tag[:LONGEST]
    if not text.islower():
        text = _CAMEL.sub(" ", text).lower()
    if "'s " in text:
        text = text.replace("'s ", " ")
    if "." in text:
        text = _DOT.sub(" ", text)
    if not text.replace("/", "").replace(".", "").isalnum():
        text = _SEPARATOR.sub(" ", text)
    return tidy(text)


def tidy(name: str) -> str:
    """A normal form without empty components and doubled spaces, as is left when words were taken out."""
    if "  " in name or " /" in name or "/ " in name or "//" in name:
        name = _SPACES.sub(lambda m: m.group(1) or " ", name)
    return name.strip(" /")


class Core(NamedTuple):
    """A normal form and what its words say of the split."""

    name: str
    """Normal form, split words included."""
    core: str
    """The same without split words: what a training and a validation series share."""
    split: str | None
    """train, val or test; None when no word says so."""


def take_split(name: str) -> Core:
    """Find the split in a normal form. The last word that names one wins: `train/val_loss` is a validation loss."""
    long = name
    if any(one in long for one in _BEFORE):
        long = _SHORT_BEFORE.sub(lambda found: _SHORT[found[1]], long)
    if long.endswith(_AFTER):
        long = _SHORT_AFTER.sub(lambda found: found[1] + _SHORT[found[2]], long)
    if not any(letters in long for letters in _SPLIT_LETTERS):
        return Core(name, name, None)
    apart = _GLUED_AFTER.sub(r"\1 ", _GLUED.sub(r"\1 ", long))
    split = None
    for found in _SPLIT.finditer(apart):
        split = found.lastgroup
    if split is None:
        return Core(apart, apart, None)
    return Core(apart, tidy(_SPLIT.sub(" ", apart)) or apart, split)


def any_validated(tags: Iterable[tuple[str, str | None]]) -> bool:
    """Whether something stands there for training data and for others, under any name; each tag with its split where that is stated."""
    splits: dict[str, set[str]] = {}
    for tag, stated in tags:
        core = take_split(normalise(tag))
        splits.setdefault(core.core, set()).add(stated or core.split or "train")
    return any("train" in found and len(found) > 1 for found in splits.values()) or any(
        held_beside({words_of(core) for core in splits})
    )


def words_of(name: str) -> tuple[str, ...]:
    """The words of a normal form, whatever separates them."""
    return tuple(name.replace("/", " ").split(" "))


def held_beside(texts: Set[tuple[str, ...]]) -> Iterator[str]:
    """The words of `HELD_BESIDE` that some text holds and another, the same otherwise, does not."""
    for text in texts:
        for place, word in enumerate(text):
            if word in HELD_BESIDE and text[:place] + text[place + 1 :] in texts:
                yield word


@lru_cache(maxsize=1 << 12)
def is_split(word: str) -> bool:
    """Whether a word in lower case names a split and nothing else."""
    found = take_split(word)
    return found.split is not None and found.core == found.name


@lru_cache(maxsize=4096)
def split_of_part(part: str) -> str | None:
    """The split that a part's directories name, the last one first (`train/eval/val` is val); None when none does."""
    for directory in reversed(part.split("/")):
        name = normalise(directory)
        split = take_split(name).split or ("train" if f"/{name}".endswith("/fit") else None)
        if split:
            return split
    return None


_WORKER = Pattern(r"^(?:rank|worker|proc|process)[ ]?(\d+)$", need=("any", ("rank", "worker", "proc")))


@lru_cache(maxsize=4096)
def worker_of_part(part: str) -> str | None:
    """The worker that a part's directory names (`rank_3`), or None."""
    for directory in reversed(part.split("/")):
        found = _WORKER.match(normalise(directory))
        if found:
            return found.group(1)
    return None


class Shape(NamedTuple):
    """What a name says of a quantity's frequency and axis, and the quantity's own name."""

    metric: str
    """Words joined with `_`, components with `/`: `box_loss`, `combined/loss`."""
    freq: str | None
    axis: str | None
    smoothed: bool


_EPOCH_BEFORE = Pattern(r"(?:^|(?<=/))epoch (?=\w)", need="epoch ")
_FREQUENCIES = ("any", ("epoch", "step", "batch", "iter"))
_FREQ_BEFORE = Pattern(r"(?:^|(?<=/))(?:step|(?:mini ?)?batch|iter|iteration) (?=\w)", need=_FREQUENCIES)
_FREQ_AFTER = Pattern(
    r"[ /](?:per |by )?(?:(?P<epoch>epoch|epochs)|(?P<step>step|(?:mini ?)?batch|iter|iteration))$", need=_FREQUENCIES
)
_FREQ_COMPONENT = Pattern(
    r"^(?:(?P<epoch>epoch|epochs)|(?P<step>step|steps|(?:mini ?)?batch|iter|iteration))/(?=\w)", need=_FREQUENCIES
)
_VERSUS = Pattern(r" vs (?P<what>samples|iterations|steps|epochs?|time)$", need=" vs ")
_SAMPLES = Pattern(r"^samples/|/samples(?=/)", need="samples")
_AXIS_OF = {
    "samples": "sample",
    "iterations": "step",
    "steps": "step",
    "epoch": "epoch",
    "epochs": "epoch",
    "time": "time",
}
_GENERIC = Pattern(
    r"^(?:metrics?|losses|scores?|charts?|scalars?|stats?|statistics|monitoring|info|summary|summaries|log|logs|results?"
    r"|(?:epoch|batch|loss) metrics|objective|update|step|rollout|performance|perf|parts|terms|components)/(?=\w)"
)
_LOSS_BEFORE = Pattern(r"^(?:loss|cost)/(?=.*\b(?:loss|cost)\b)")
_AVERAGE = Pattern(
    r"^(?:avg|average|mean|reduced|global avg) (?=(?:loss|cost)$)|(?<=^loss)[ /](?:avg|average|mean)$|(?<=^loss) \d$",
    need=("all", (("any", ("loss", "cost")), ("any", (" ", "/")))),
)
_SMOOTHED = Pattern(
    r"\b(?:ema|smooth|smoothed|moving (?:avg|average|mean)|exp(?:onential)? avg)\b",
    need=("any", ("ema", "smooth", "moving ", " avg")),
)
_LOADER = Pattern(
    r"/dataloader idx (\d+)$|^(?P<set>\d+)[ /](?=[a-z])",
    need=("any", ("idx ", *(f"{digit}{end}" for digit in range(10) for end in " /"))),
)
_PERPLEXITY = Pattern(r"(?:^|.*[ /])(?:ppl|perplexity)$", need=("any", ("ppl", "perplexity")))


def shape_of(core: str) -> Shape:
    """Frequency, axis and metric of a quantity from its core name.

    `_step` and `_epoch` behind a name say how often it is averaged (Lightning); `epoch_` before it (Keras) also says that its steps
    count epochs; `… vs samples` and `Train/Samples/…` (Megatron, DeepSpeed) that they count samples.
    """
    freq: str | None = None
    axis: str | None = None
    name = _LOADER.sub("", core)
    versus = _VERSUS.search(name)
    if versus:
        axis, name = _AXIS_OF[versus["what"]], name[: versus.start()]
    if _SAMPLES.search(name):
        axis, name = "sample", _SAMPLES.sub("", name)
    before = _EPOCH_BEFORE.search(name)
    if before:
        freq, axis, name = "epoch", axis or "epoch", tidy(name[: before.start()] + name[before.end() :])
    elif _FREQ_BEFORE.search(name):
        freq, name = "step", tidy(_FREQ_BEFORE.sub("", name, count=1))
    for pattern in (_FREQ_AFTER, _FREQ_COMPONENT):
        found = pattern.search(name)
        if found:
            freq, name = found.lastgroup, tidy(name[: found.start()] + name[found.end() :])
    for _ in range(min(3, name.count("/"))):
        name = _LOSS_BEFORE.sub("", _GENERIC.sub("", name))
    name = _PERPLEXITY.sub("perplexity", _AVERAGE.sub("", name))
    return Shape(name.replace(" ", "_"), freq, axis, bool(_SMOOTHED.search(name)))


def loader_of(core: str) -> str | None:
    """The number of a data set: what Lightning appends to a metric's name (`…/dataloader_idx_1`), or what XGBoost and LightGBM put
    between split and metric (`validation_0-logloss`). None where there is none.
    """
    found = _LOADER.search(core)
    return found.group(1) or found.group("set") if found else None
