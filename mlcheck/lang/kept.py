"""What functions made of columns, kept within a limit: many rules ask the same of the same series, and a long run has more of it than
there is room.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, MutableMapping
from threading import Lock
from typing import Any, TypeVar

MOST_BYTES = 32_000_000
"""Bytes of derived values that are kept for a run, however long it is; what was not asked for longest is computed again."""

Made = TypeVar("Made")


class Kept:
    """The derived values of one run, the last asked for at the end."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._bytes = 0
        # The memo stands beside its size: an id may be given again once its object is gone.
        self._entries: OrderedDict[tuple[int, Hashable], tuple[MutableMapping[Any, Any], int]] = OrderedDict()
        self._lock = Lock()

    def note(self, memo: MutableMapping[Any, Any], key: Hashable, size: int) -> None:
        """An entry of a memo was made, or asked for again; others may go for it."""
        with self._lock:
            _, before = self._entries.pop((id(memo), key), (memo, 0))
            self._entries[id(memo), key] = (memo, size)
            self._bytes += size - before
            while self._bytes > self._most and len(self._entries) > 1:
                (_, oldest), (where, least) = self._entries.popitem(last=False)
                where.pop(oldest, None)
                self._bytes -= least

    def forget(self) -> None:
        """Know no memo any more. Columns know this object, which knows their memos: only then does a run go as soon as nobody needs it."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0


def remembered(
    memo: MutableMapping[Any, Any],
    key: Hashable,
    kept: Kept | None,
    compute: Callable[[], Made],
    size: Callable[[Made], int],
) -> Made:
    """The entry of a memo, computed where it is not there. `size`: its bytes, 0 for what need not be counted."""
    found: Made | None = memo.get(key)
    if found is None:
        # Another thread may have computed it meanwhile: what is there stays.
        found = memo.setdefault(key, compute())
    if kept is not None and (taken := size(found)):
        kept.note(memo, key, taken)
    return found
