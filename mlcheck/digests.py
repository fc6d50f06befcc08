"""SHA-256 of what is short, without OpenSSL: that takes a twentieth of a cached scan to load."""

from collections.abc import Callable
from functools import cache
from typing import Any

LONG = 1 << 20
"""Bytes from which OpenSSL, several times as fast, is worth its loading."""


def sha256(data: bytes) -> str:
    """As `hashlib.sha256`, in hexadecimal digits."""
    if len(data) < LONG:
        return str(_short()(data).hexdigest())
    import hashlib

    return hashlib.sha256(data).hexdigest()


@cache
def _short() -> Callable[[bytes], Any]:
    """Looked for once: a module that is not there is looked for in every directory, each time."""
    # As the standard library's own `random` does; builds without these, as some under FIPS, have OpenSSL's.
    try:
        from _sha2 import sha256 as short  # type: ignore[import-not-found]  # Python 3.12
    except ImportError:
        try:
            from _sha256 import sha256 as short  # type: ignore[import-not-found]  # Python 3.11
        except ImportError:
            from hashlib import sha256 as short
    made: Callable[[bytes], Any] = short
    return made
