"""Headers of data sets by compiled code and by Python: the same of real files, of damaged ones, and of any bytes."""

import os
import random

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck import native
from mlcheck.importers.hdf5.headers import header_at, plain_data_set, plain_data_sets

headers = native.module("headers")
pytestmark = pytest.mark.skipif(headers is None, reason="mlcheck.native.headers is not built (python hatch_build.py)")


def write(path, libver, userblock=0):
    with h5py.File(path, "w", libver=libver, userblock_size=userblock) as file:
        for step in range(3):
            group = file.create_group(f"step_{step}")
            group["plain"] = np.full((3, 4), step, "f4")
            group["named"] = np.ones(5, "i8")
            group["named"].attrs["step"] = step
            group.create_dataset("packed", data=np.ones((8, 8)), chunks=(4, 4), compression="gzip")
            group.create_dataset("timed", data=np.ones(3), track_times=True)
            group.create_dataset("late", (3, 1), "f4")
            group["text"] = "no numbers"


def addresses(path):
    found = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append(h5py.h5o.get_info(item.id).addr))
    return found


def in_python(descriptor, places, base):
    return [plain_data_set(header_at(descriptor, one, base)) for one in places]


@pytest.mark.parametrize("libver", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("userblock", [0, 512])
def test_of_real_files_it_says_what_python_says(tmp_path, libver, userblock):
    path = tmp_path / "a.h5"
    write(path, libver, userblock)
    places = [*addresses(path), 0, path.stat().st_size, 1 << 40, (1 << 64) - 1, (1 << 63) + 5]
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = plain_data_sets(descriptor, places, userblock)
        assert found == in_python(descriptor, places, userblock)
        assert sum(one is not None for one in found) >= 6
        assert len({one[0] for one in found if one is not None}) >= 2
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_of_damaged_headers_it_says_what_python_says(tmp_path, libver):
    path = tmp_path / "a.h5"
    write(path, libver)
    places, content = addresses(path), path.read_bytes()
    chance = random.Random(7)
    blocks = []
    for _ in range(3000):
        start = chance.choice(places)
        block = bytearray(content[start : start + chance.choice((512, 512, chance.randrange(512)))])
        for _ in range(chance.randrange(4)):
            if block:
                block[chance.randrange(min(len(block), 160))] = chance.choice((0, 1, 255, chance.randrange(256)))
        blocks.append(bytes(block))
    assert_same(tmp_path / "blocks", blocks)


def assert_same(path, blocks):
    """Each block as if its file ended there, or behind zeros where others follow."""
    path.write_bytes(b"".join(block.ljust(512, b"\0") for block in blocks[:-1]) + blocks[-1])
    places = [number * 512 for number in range(len(blocks))]
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert plain_data_sets(descriptor, places, 0) == in_python(descriptor, places, 0)
    finally:
        os.close(descriptor)


message = st.builds(
    lambda sort, size, flags, content: (sort, size, flags, content),
    st.sampled_from([0, 1, 3, 7, 8, 11, 12, 16, 21, 25]),
    st.integers(0, 40) | st.just(65535),
    st.sampled_from([0, 1, 2, 4]),
    st.binary(max_size=40) | st.builds(lambda place: b"\x03\x01" + place, st.binary(min_size=16, max_size=16)),
)


def header(kind, flags, messages, length):
    body = b""
    for sort, size, own, content in messages:
        size = size if size == 65535 else len(content)
        if kind == "old":
            body += sort.to_bytes(2, "little") + size.to_bytes(2, "little") + bytes([own, 0, 0, 0]) + content
        else:
            body += (
                bytes([sort]) + size.to_bytes(2, "little") + bytes([own]) + (b"\0\0" if flags & 4 else b"") + content
            )
    length = len(body) if length is None else length
    if kind == "old":
        return (
            b"\x01\0"
            + len(messages).to_bytes(2, "little")
            + b"\x01\0\0\0"
            + length.to_bytes(4, "little")
            + bytes(4)
            + body
        )
    fixed = bytes(16 if flags & 0x20 else 0) + bytes(4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    return b"OHDR\2" + bytes([flags]) + fixed + (length % (1 << 8 * width)).to_bytes(width, "little") + body


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.binary(max_size=512)
        | st.builds(
            header,
            st.sampled_from(["old", "new"]),
            st.integers(0, 63),
            st.lists(message, max_size=8),
            st.none() | st.integers(0, 600) | st.just((1 << 32) - 1),
        ).map(lambda block: block[:512]),
        min_size=1,
        max_size=5,
    )
)
def test_of_any_bytes_it_says_what_python_says(tmp_path_factory, blocks):
    assert_same(tmp_path_factory.mktemp("headers") / "blocks", blocks)
