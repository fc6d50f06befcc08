"""Short and long data have the digest that the standard says (FIPS 180-4 via hashlib)."""

import hashlib

import pytest

from mlcheck.digests import LONG, sha256


@pytest.mark.parametrize("data", [b"", b"abc", b"x" * (LONG - 1), b"x" * LONG, b"x" * (LONG + 1)])
def test_it_is_sha256(data: bytes) -> None:
    assert sha256(data) == hashlib.sha256(data).hexdigest()


def test_a_known_digest() -> None:
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
