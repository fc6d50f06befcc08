"""Where the cache lies: the user's cache directory as each system has it (platformdirs)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck import __version__
from mlcheck.errors import UsageError

if TYPE_CHECKING:
    from mlcheck.store.cache.cache import Cache
    from mlcheck.store.cache.verdicts import Verdicts

DIRECTORY = "MLCHECK_CACHE_DIR"
SIZE = "MLCHECK_CACHE_SIZE"
"""Megabytes."""


LIMIT = 2 << 30
"""Bytes that the cache may hold by default."""


def user_cache() -> "Cache":
    """The cache, at `MLCHECK_CACHE_DIR` where that is set. Raises UsageError for a size that is no number."""
    from mlcheck.store.cache.cache import Cache

    return Cache(_directory(), _limit(), __version__)


def user_verdicts() -> "Verdicts":
    """What is kept of earlier scans, in the same directory and under the same limit. Raises as `user_cache`."""
    from mlcheck.store.cache.verdicts import Verdicts

    return Verdicts(_directory(), _limit())


def _limit() -> int:
    text = os.environ.get(SIZE, "")
    try:
        return int(float(text) * 1e6) if text else LIMIT
    except (ValueError, OverflowError):
        raise UsageError(f"{SIZE}={text}: write the megabytes that the cache may take, such as 2000") from None


def rules_directory() -> Path:
    """Where compiled rules are kept."""
    return _directory().parent


def _directory() -> Path:
    given = os.environ.get(DIRECTORY)
    if given:
        return Path(given).expanduser() / "imports"
    import platformdirs

    return platformdirs.user_cache_path("mlcheck", appauthor=False) / "imports"
