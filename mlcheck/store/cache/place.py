"""Where the cache lies: the user's cache directory as each system has it (platformdirs)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck import __version__
from mlcheck.errors import UsageError

if TYPE_CHECKING:
    from mlcheck.store.cache.cache import Cache

DIRECTORY = "MLCHECK_CACHE_DIR"
SIZE = "MLCHECK_CACHE_SIZE"
"""Megabytes."""


def user_cache() -> "Cache":
    """The cache, at `MLCHECK_CACHE_DIR` where that is set. Raises UsageError for a size that is no number."""
    from mlcheck.store.cache.cache import LIMIT, Cache

    text = os.environ.get(SIZE, "")
    try:
        limit = int(float(text) * 1e6) if text else LIMIT
    except (ValueError, OverflowError):
        raise UsageError(f"{SIZE}={text}: write the megabytes that the cache may take, such as 2000") from None
    return Cache(_directory(), limit, __version__)


def rules_directory() -> Path:
    """Where compiled rules are kept."""
    return _directory().parent


def _directory() -> Path:
    given = os.environ.get(DIRECTORY)
    if given:
        return Path(given).expanduser() / "imports"
    import platformdirs

    return platformdirs.user_cache_path("mlcheck", appauthor=False) / "imports"
