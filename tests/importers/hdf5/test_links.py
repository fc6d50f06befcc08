"""Members of groups by compiled code: those that libhdf5 names, in its order; of damaged groups something or nothing, and no harm."""

import os
import random

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck import native
from mlcheck.importers.hdf5.links import members

pytestmark = pytest.mark.skipif(
    native.module("headers") is None, reason="mlcheck.native.headers is not built (python hatch_build.py)"
)
EVERYTHING = 1 << 20
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)


def in_libhdf5(path, group="/"):
    found = []
    with h5py.File(path) as file:
        group = file[group]
        address = h5py.h5o.get_info(group.id).addr
        group.id.links.iterate(lambda name, link: found.append((name, link.u)), info=True)
    return address, found


def compiled(path, address, most=EVERYTHING, base=0):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return members(descriptor, address, base, most)
    finally:
        os.close(descriptor)


@settings(max_examples=60)
@given(names=st.lists(NAMES, unique=True, max_size=70), in_use=st.booleans())
def test_they_are_those_that_libhdf5_names(tmp_path_factory, names, in_use):
    path = tmp_path_factory.mktemp("links") / "a.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("here")
        for name in names:
            if in_use:
                group[name] = np.ones(2)
            else:
                group.create_group(name)
    address, expected = in_libhdf5(path, "here")
    assert len(expected) == len(names)
    # The old form has no room to say that a name is UTF-8.
    assert compiled(path, address) == (expected if all(map(str.isascii, names)) else None)


@pytest.mark.parametrize("userblock", [0, 1024])
def test_of_thousands_through_nodes_of_several_levels(tmp_path, userblock):
    path = tmp_path / "a.h5"
    names = [f"layer.{number}" for number in range(3000)]
    random.Random(3).shuffle(names)
    with h5py.File(path, "w", userblock_size=userblock) as file:
        for name in names:
            file.create_group(name)
        for name in names[:500]:
            del file[name]
    address, expected = in_libhdf5(path)
    assert len(expected) == 2500
    assert compiled(path, address, base=userblock) == expected
    assert compiled(path, address, most=7, base=userblock) == expected[:7]
    assert compiled(path, address, most=0, base=userblock) == []


@pytest.mark.parametrize("libver", ["v108", "latest"])
def test_a_group_of_the_new_form_is_left_to_libhdf5(tmp_path, libver):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["a"] = 1
    assert compiled(path, in_libhdf5(path)[0]) is None


def test_a_group_that_keeps_the_order_is_left_to_libhdf5(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", track_order=True) as file:
        file["a"] = 1
    assert compiled(path, in_libhdf5(path)[0]) is None


@pytest.mark.parametrize("link", [h5py.SoftLink("/a"), h5py.ExternalLink("b.h5", "/a")], ids=["soft", "external"])
def test_a_group_with_other_links_is_left_to_libhdf5(tmp_path, link):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a"] = 1
        file["z"] = link
    assert compiled(path, in_libhdf5(path)[0]) is None


def test_what_is_no_group_has_none(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.ones(4)
        address = h5py.h5o.get_info(file["a"].id).addr
    size = path.stat().st_size
    for place in (address, 0, size, size - 3, 1 << 40, (1 << 63) + 5, (1 << 64) - 1):
        assert compiled(path, place) is None


def test_damage_gives_nothing_worse_than_fewer_names(tmp_path):
    path, hurt = tmp_path / "a.h5", tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        for number in range(40):
            file.create_group(f"layer{number}")
    address, expected = in_libhdf5(path)
    whole = path.read_bytes()
    # Where this group keeps its tree, its names and its nodes; what the groups below it hold comes after.
    places = [at for mark in (b"TREE", b"HEAP", b"SNOD") for at in range(whole.index(mark), whole.index(mark) + 48)]
    chance = random.Random(11)
    for at in places:
        for value in (0, 255, whole[at] ^ 1 << chance.randrange(8)):
            hurt.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            found = compiled(hurt, address)
            assert found is None or (len(found) <= EVERYTHING and all(name for name, _ in found))
    for length in range(0, len(whole), 37):
        hurt.write_bytes(whole[:length])
        assert compiled(hurt, address) in (None, expected)
