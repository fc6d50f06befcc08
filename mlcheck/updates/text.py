"""Texts as sequences of tokens: one normalisation for entities, copies, repetition and lengths (updates.md §4.2)."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

Tokens = tuple[str, ...]

_MARKS = re.compile(r"[^\w\s']|_")
_WITHOUT_SPACES = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
"""Han and kana: written without spaces, so that each character is a token."""


@lru_cache(maxsize=1 << 16)
def tokens(text: str) -> Tokens:
    """Lower case, punctuation except apostrophes as space, split at spaces: `That's the gas-station!` is `that's the gas station`."""
    lowered = unicodedata.normalize("NFC", text).lower().replace("\u2019", "'")
    return tuple(_WITHOUT_SPACES.sub(r" \1 ", _MARKS.sub(_blank, lowered)).split())


def _blank(found: re.Match[str]) -> str:
    """A vowel sign of Devanagari is no letter to `\\w`, and no punctuation either."""
    return found.group() if unicodedata.category(found.group()).startswith("M") else " "


def joined(words: Sequence[str]) -> str:
    """Tokens as one text with a space on both sides, so that `contains` cannot match a part of a token."""
    return f" {' '.join(words)} "


def contains(padded: str, words: Sequence[str]) -> bool:
    """Whether tokens occur as a contiguous sequence in a text from `joined`; no tokens never do."""
    return bool(words) and joined(words) in padded


def overlaps(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one value is written inside the other one: `station` and `gas stations` are no two entities."""
    left, right = " ".join(one), " ".join(other)
    return left in right or right in left


def ngrams(words: Sequence[str], n: int) -> list[Tokens]:
    """All sequences of n tokens in a row, in order."""
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def has_repeated_trigram(words: Sequence[str]) -> bool:
    """Whether three tokens in a row come twice."""
    found = ngrams(words, 3)
    return len(set(found)) < len(found)


def has_immediate_repeat(words: Sequence[str]) -> bool:
    """Whether a token stands twice in a row."""
    return any(one == other for one, other in pairwise(words))
