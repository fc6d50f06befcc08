"""Which columns count steps without being one of those that are known: by their names, and by their numbers."""

import re
from functools import lru_cache

import numpy as np

from mlcheck.store.series import Floats


def _word(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|[_/.])(?:{'|'.join(words.split())})(?:$|[_/.])")


_COUNTS = _word(
    "steps? iters? iterations? (?:mini)?batch(?:es)? epochs? updates? rounds? pass(?:es)? chunks? ticks? kimgs?"
    " seen consumed processed stages? sweeps? generations? laps? estimators trees"
)
_MEASURES = _word(
    "size per left remaining time secs? seconds rate limit max min length warm_?up lr loss acc accuracy patience best every freq"
    " skip(?:ped)?"
)
"""Words beside which such a name measures or limits something else: `batch_size`, `steps_per_second`, `epochs_left`."""


@lru_cache(maxsize=1 << 12)
def counts(name: str) -> bool:
    """Whether a column's name, in the form of `normal`, says that it counts steps, without being one of those that are known."""
    own = name.rpartition("/")[2]
    return _COUNTS.search(own) is not None and _MEASURES.search(own) is None


def rises(values: Floats) -> bool:
    """Whether numbers never fall, and most are above the one before."""
    gaps = np.diff(values)
    return bool((gaps >= 0).all()) and 2 * int((gaps > 0).sum()) >= len(gaps)
