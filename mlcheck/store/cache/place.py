"""Where the cache lies: the user's cache directory as each system has it (platformdirs)."""

import os
import sys
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
    return (_usual_on_linux() or _by_platformdirs()) / "imports"


def _by_platformdirs() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("mlcheck", appauthor=False)


def _usual_on_linux() -> Path | None:
    """What platformdirs says where the variables are as usual (a test holds it); it takes a fifteenth of a cached scan to load."""
    if sys.platform != "linux" or "ANDROID_DATA" in os.environ:
        return None
    base = os.environ.get("XDG_CACHE_HOME")
    if base is None:
        home = os.environ.get("HOME", "")
        base = f"{home}/.cache" if home.startswith("/") else ""
    return Path(base, "mlcheck") if base.startswith("/") else None
