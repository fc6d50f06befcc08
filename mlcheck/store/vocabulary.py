"""Which patterns of a long table can match a name at all, judged by the letters that they need.

Trying a hundred regular expressions on each of 20,000 tags takes seconds. Nearly every pattern of roles.toml needs at least one run of
two or more letters and digits, a letter among them (`loss`, `f1`); an index from these runs to the patterns leaves a handful to try.
The index never changes what matches: a test compares it with trying all.
"""

import re
from collections.abc import Sequence

_LOOKAROUND = re.compile(r"\(\?(?:<?[!=])(?:[^()]|\([^()]*\))*\)")
_GROUP_HEAD = re.compile(r"\(\?(?:P<\w+>|[aiLmsux-]*:)")
_CLASS_OR_ESCAPE = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.")
_OPTIONAL_LETTER = re.compile(r"[a-z0-9](?=[?*{])")
_OPTIONAL_GROUP = re.compile(r"\((?:[^()]|\([^()]*\))*\)[?*]")
_EVERYWHERE = frozenset({"train", "training"})
"""Words that half of all tags hold, and that no pattern needs alone: they would make it a candidate for nothing."""
_REMEMBERED = 50_000
_FRAGMENT = re.compile(r"[a-z][a-z0-9]+|[0-9]+[a-z][a-z0-9]*")


def fragments(pattern: str) -> frozenset[str]:
    """Runs of letters and digits of a regular expression, one of which every text that it matches holds.

    Those in look-arounds, classes and escapes, and those that may be absent, do not count. Case is ignored.
    """
    text = _LOOKAROUND.sub(" ", pattern)
    text = _GROUP_HEAD.sub("(", text)
    text = _CLASS_OR_ESCAPE.sub(" ", text).lower()
    text = _OPTIONAL_GROUP.sub(" ", text)
    found = frozenset(_FRAGMENT.findall(_OPTIONAL_LETTER.sub(" ", text)))
    return found - _EVERYWHERE or found


class Vocabulary:
    """An index over a table of patterns; it remembers the words that it has seen."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """`patterns`: source of each pattern (the most telling of its conditions). One without letters is always a candidate."""
        self._always = 0
        index: dict[str, dict[str, int]] = {}
        for number, pattern in enumerate(patterns):
            found = fragments(pattern)
            if not found:
                self._always |= 1 << number
            for fragment in found:
                bucket = index.setdefault(fragment[:2], {})
                bucket[fragment] = bucket.get(fragment, 0) | 1 << number
        self._words: dict[str, int] = {}
        self._numbers: dict[int, tuple[int, ...]] = {}
        self._index = {start: tuple(bucket.items()) for start, bucket in index.items()}

    def candidates(self, text: str) -> tuple[int, ...]:
        """Numbers of the patterns that can match a lower-case text, ascending."""
        mask = self._always
        for word in _FRAGMENT.findall(text):
            known = self._words.get(word)
            if known is None:
                known = self._mask(word)
                if len(self._words) < _REMEMBERED:
                    self._words[word] = known
            mask |= known
        numbers = self._numbers.get(mask)
        if numbers is None:
            numbers = tuple(number for number in range(mask.bit_length()) if mask >> number & 1)
            if len(self._numbers) < _REMEMBERED:
                self._numbers[mask] = numbers
        return numbers

    def _mask(self, word: str) -> int:
        mask = 0
        for position in range(len(word) - 1):
            for fragment, patterns in self._index.get(word[position : position + 2], ()):
                if word.startswith(fragment, position):
                    mask |= patterns
        return mask
