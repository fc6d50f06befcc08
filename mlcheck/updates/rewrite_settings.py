"""How dumps of texts are measured. Limits are parameters of the rules, not settings."""

from pathlib import Path

from mlcheck.records import dataclass
from mlcheck.updates.base import ComparisonError

MOST_VOCABULARY_BYTES = 256 << 20


@dataclass(frozen=True)
class RewriteSettings:
    """Settings of `measure_rewrites`, `measure_swap` and `measure_gate`."""

    cluster: str | None = None
    """Column whose equal values are drawn together by the bootstrap (dialogue, user). None: `group_id`, without it each example."""
    draws: int = 1000
    """Bootstrap draws of clusters."""
    confidence: float = 0.95
    """Of all intervals, two-sided."""
    unknown_tokens: tuple[str, ...] = ("<unk>", "<UNK>", "[UNK]", "UNK", "\u2047", "\ufffd")
    """What stands for a word that the vocabulary lacks, as it is written: also SentencePiece's sign, and that of broken UTF-8."""
    placeholder: str = r"(?<!\w)ENTITY[A-Z]*_?\d+(?!\w)"
    """Regular expression of a placeholder of anonymised entities: `ENTITYU1`."""
    truncated_reasons: tuple[str, ...] = ("length", "max_length", "max_tokens", "max_new_tokens")
    """Values of `finish_reason` which say that the output was cut off."""
    training_values: frozenset[str] | None = None
    """Entities that the training data held, as `entity_values` gives them; None: a field `seen` of `entities` says it, if anything."""
    vocabulary: frozenset[str] | None = None
    """Words that the model can generate without copying, as `read_vocabulary` gives them; None: not known."""
    gate_low: float = 0.05
    """Below it a gate is closed: the token is copied."""
    gate_high: float = 0.95
    """Above it a gate is open: the token is generated."""
    collapsed_below: float = 0.05
    """Median normalised entropy of attention below which an example's attention is collapsed."""
    diffuse_above: float = 0.95
    """The same above which it is spread over everything."""
    stuck_tokens: int = 4
    """Output tokens in a row whose attention peaks at one position, from which attention is stuck."""


def read_vocabulary(path: Path, shown: str) -> frozenset[str]:
    """The words of a vocabulary file in lower case: one a line, with a count or an index after it or not. Raises ComparisonError."""
    try:
        if path.stat().st_size > MOST_VOCABULARY_BYTES:
            raise ComparisonError(
                f"{shown}: larger than {MOST_VOCABULARY_BYTES >> 20} MB; a vocabulary has one word a line"
            )
        words = frozenset(line.split()[0].lower() for line in path.read_text("utf-8-sig").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ComparisonError(f"{shown}: cannot be read as a vocabulary, one word a line: {error}") from None
    if not words:
        raise ComparisonError(f"{shown}: holds no words; a vocabulary has one word a line")
    return words
