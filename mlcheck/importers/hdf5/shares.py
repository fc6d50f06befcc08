"""The sources of one file, read one after another or several at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mlcheck.importers.hdf5.source import Source
from mlcheck.store.tensors.collect import Track
from mlcheck.store.tensors.threads import MOST_THREADS, in_threads

WORTH_THREADS = 1 << 24
"""Bytes of values below which starting threads takes longer than they save."""
MOST_AT_ONCE = 1 << 30
"""Bytes that the tensors at hand may take in all threads, where one alone does not take more."""
_COPIES = 3
"""What is read, the step before, and a copy in order for quantiles."""

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Share:
    """A source, and the track that its tensors go to."""

    source: Source
    track: Track | None
    """None for a scalar."""

    @property
    def bytes(self) -> int:
        """Of all its values."""
        return sum(piece.leaf.bytes for piece in self.source.pieces)

    @property
    def largest(self) -> int:
        """Bytes of its largest tensor."""
        return max(
            (_size(one.shape) * (one.leaf.bytes // max(1, one.leaf.count)) for one in self.source.pieces), default=0
        )

    @property
    def stands_alone(self) -> bool:
        """Whether it may be read beside others."""
        return self.track is not None and self.track.shares_nothing(_size(one.shape) for one in self.source.pieces)


def taken(take: Callable[[Share], Result], shares: Sequence[Share], threads: int) -> list[Result]:
    """What `take` gives for each, in the order of the shares. Large tensors are taken in threads where that is worth it.

    Whatever `take` does for them is the same in any order.
    """
    alone = [place for place, share in enumerate(shares) if share.stands_alone] if threads > 1 else []
    if len(alone) < 2 or sum(shares[place].bytes for place in alone) < WORTH_THREADS:
        return [take(share) for share in shares]
    # The largest first, or one that was begun last would keep all others waiting.
    alone.sort(key=lambda place: -shares[place].bytes)
    at_once = MOST_AT_ONCE // (_COPIES * max(shares[place].largest for place in alone))
    number = max(1, min(threads, MOST_THREADS, at_once))
    found = dict(zip(alone, in_threads(take, [shares[place] for place in alone], number), strict=True))
    return [found[place] if place in found else take(share) for place, share in enumerate(shares)]


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
