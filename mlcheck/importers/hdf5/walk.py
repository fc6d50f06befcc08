"""The walk over an HDF5 file through h5py's low-level interface: every hard link once, no link that leads elsewhere.

What other links lead to inside the file stands under a hard link as well; what they lead to outside of it is none of the run's.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlcheck.importers.hdf5.attributes import NONE, read_attributes
from mlcheck.importers.hdf5.elements import Elements, elements_of
from mlcheck.importers.hdf5.failures import DAMAGE, printable, told
from mlcheck.importers.hdf5.headers import PlainTuple, header_at, may_be_virtual, plain_data_sets, user_block
from mlcheck.importers.hdf5.heaps import Heaps
from mlcheck.importers.hdf5.links import members
from mlcheck.importers.hdf5.repeats import Firsts
from mlcheck.importers.hdf5.scales import addresses_of_first_axis, counts
from mlcheck.importers.hdf5.storage import bomb, describe_storage
from mlcheck.importers.hdf5.tree import Leaf, Place, Tree

MOST_OBJECTS = 1_000_000
"""Objects of one file that are looked at."""
DEEPEST = 64
"""Groups inside one another."""
MOST_UNPACKED = 1 << 32
UNPACKED_RATIO = 200
"""Bytes that all data sets of a file may unpack to: the larger of 4 GB and 200 times the file."""


def open_file(path: Path) -> Any:
    """Open a file for low-level reading (h5py.h5f.FileID), without a lock: a training may be writing it. Raises what h5py raises."""
    from h5py import h5f, h5p

    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_sec2()
    access.set_file_locking(False, True)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    name = os.fsencode(path)
    try:
        return h5f.open(name, h5f.ACC_RDONLY, access)
    except DAMAGE as error:
        if "SWMR" not in str(error) and "already open for write" not in str(error):
            raise
        return h5f.open(name, h5f.ACC_RDONLY | h5f.ACC_SWMR_READ, access)


def walk(file: Any, heaps: Heaps, file_bytes: int, most: int = MOST_OBJECTS, widest: int = MOST_OBJECTS) -> Tree:
    """All data sets of an open file, with the attributes that count: `most` objects in all, `widest` members of one group."""
    return _Walk(file, heaps, file_bytes, most, widest).run()


class _Walk:
    def __init__(self, file: Any, heaps: Heaps, file_bytes: int, most: int, widest: int) -> None:
        import h5py

        self.api = h5py
        self.file = file
        self.heaps = heaps
        self.file_bytes = file_bytes
        self.left = most
        self.widest = widest
        self.unpacked = 0
        self.tree = Tree()
        self.seen: dict[int, Place] = {}
        """Address of an object to its first name."""
        self.names: dict[bytes, str] = {}
        self.has_wide_addresses = file.get_create_plist().get_sizes() == (8, 8)
        self.forms: dict[bytes, tuple[tuple[int, ...], Elements, int]] = {}
        """Shape, type and size of plain data sets, by what their headers say of them."""
        self.kind: Any = None
        self.elements: Elements | None = None
        self.with_attributes: list[tuple[Place, int, Leaf | None]] = []
        self.soft: list[tuple[Place, str]] = []
        self.base = user_block(heaps.descriptor)
        self.firsts = Firsts(self.tree, self.base, file_bytes)

    def run(self) -> Tree:
        h5o = self.api.h5o
        root = self.api.h5g.open(self.file, b"/")
        about = h5o.get_info(root)
        self.seen[about.addr] = ()
        self._remember_attributes((), about.num_attrs, None)
        self.tree.is_ordered = _is_ordered(root)
        waiting: list[tuple[Place, int]] = [((), about.addr)]
        while waiting and self.left > 0:
            here, address = waiting.pop()
            try:
                group = root if not here else h5o.open(self.file, _address(here))
                below = self._group(group, here, address)
            except DAMAGE as error:
                self.tree.lost.append((_shown(here), told(error)))
                continue
            if len(here) >= DEEPEST and below:
                self.tree.lost.append((_shown(here), f"groups below it are more than {DEEPEST} deep: not looked at"))
                continue
            waiting += reversed(below)
        self.tree.is_cut |= bool(waiting)
        if self.tree.is_cut:
            self.tree.lost.append(("/", "more objects than are looked at: the rest is left out"))
        self._resolve()
        self._attributes()
        return self.tree

    def _group(self, group: Any, here: Place, at: int) -> list[tuple[Place, int]]:
        """Take in the members of the group at an address; gives those that are groups, with theirs."""
        h5l = self.api.h5l
        below: list[tuple[Place, int]] = []
        links = self._links(group, at)
        names, seen = self.names, self.seen
        headers = self._plain_ones(links)
        own_names = tuple([name for name, _, _ in links])
        if self.firsts.take(here, own_names, [address for _, _, address in links], headers, seen):
            return below
        known = len(self.tree.leaves)
        for (name, sort, address), plain in zip(links, headers, strict=True):
            path = (*here, names.get(name) or self._name(name))
            if sort != h5l.TYPE_HARD:
                self._link_elsewhere(group, name, path, sort)
                continue
            if plain is not None and address not in seen and self._took_plain(path, plain):
                seen[address] = path
                continue
            try:
                if self._object(group, name, path, address, plain):
                    below.append((path, address))
            except DAMAGE as error:
                self.tree.lost.append((_shown(path), told(error)))
        self.firsts.keep(own_names, self.tree.leaves[known:], headers)
        return below

    def _plain_ones(self, links: Sequence[tuple[bytes, int, int]]) -> Sequence[PlainTuple | None]:
        """What the headers of plain data sets say, for each link; None for all others."""
        if not self.has_wide_addresses:
            return [None] * len(links)
        hard = self.api.h5l.TYPE_HARD
        if all(sort == hard for _, sort, _ in links):
            return plain_data_sets(self.heaps.descriptor, [address for _, _, address in links], self.base)
        found = iter(plain_data_sets(self.heaps.descriptor, [one for _, sort, one in links if sort == hard], self.base))
        return [next(found) if sort == hard else None for _, sort, _ in links]

    def _links(self, group: Any, at: int) -> list[tuple[bytes, int, int]]:
        """Names of the links of the group at an address, their types (h5py.h5l), and the addresses that hard links lead to."""
        most = min(self.left, self.widest)
        known = members(self.heaps.descriptor, at, self.base, most + 1) if self.has_wide_addresses else None
        if known is None:
            links = self._asked_links(group, most)
        else:
            hard = self.api.h5l.TYPE_HARD
            self.tree.is_cut |= len(known) > most
            links = [(name, hard, address) for name, address in known[:most]]
        self.left -= len(links)
        return links

    def _asked_links(self, group: Any, most: int) -> list[tuple[bytes, int, int]]:
        """The same, from libhdf5."""
        h5 = self.api.h5
        links: list[tuple[bytes, int, int]] = []

        def take(name: bytes, link: Any) -> int | None:
            if len(links) >= most:
                self.tree.is_cut = True
                return 1
            # h5py gives the same record for every link: what counts is taken out at once.
            links.append((name, link.type, link.u))
            return None

        try:
            if _is_ordered(group):
                group.links.iterate(take, idx_type=h5.INDEX_CRT_ORDER, order=h5.ITER_INC, info=True)
            else:
                group.links.iterate(take, idx_type=h5.INDEX_NAME, order=h5.ITER_INC, info=True)
        except DAMAGE as error:
            self.tree.lost.append(("/", f"a group is damaged: {told(error)}"))
        return links

    def _name(self, name: bytes) -> str:
        text = self.names.get(name)
        if text is None:
            text = self.names[name] = name.decode("utf-8", "surrogateescape")
        return text

    def _link_elsewhere(self, group: Any, name: bytes, path: Place, sort: int) -> None:
        if sort == self.api.h5l.TYPE_SOFT:
            self._soft_link(group, name, path)
        else:
            self._other_link(group, name, path)

    def _soft_link(self, group: Any, name: bytes, path: Place) -> None:
        try:
            self.soft.append((path, printable(group.links.get_val(name))))
        except DAMAGE as error:
            self.tree.lost.append((_shown(path), told(error)))

    def _other_link(self, group: Any, name: bytes, path: Place) -> None:
        try:
            file, _ = group.links.get_val(name)
            target = f"an external link to {printable(file)}"
        except DAMAGE:
            target = "a link of an unknown kind"
        self.tree.lost.append((_shown(path), f"{target}: not followed out of the run"))

    def _object(self, group: Any, name: bytes, path: Place, address: int, plain: PlainTuple | None) -> bool:
        """Take in an object; whether it is a group to look into."""
        first = self._seen(address)
        if first is not None:
            # Only a group is the beginning of a path.
            is_cycle = path[: len(first)] == first
            what = "a group inside itself (a cycle of links)" if is_cycle else f"another name of {_shown(first)}"
            self.tree.notes.append((_shown(path), f"{what}: read once"))
            return False
        self.seen[address] = path
        block = header_at(self.heaps.descriptor, address, self.base) if plain is None else b""
        if plain is None and may_be_virtual(self.heaps.descriptor, block, address, self.base):
            leaf = Leaf(path, (), None)
            leaf.refuse("a virtual data set: what it is made of is read where it stands in this file, never in others")
            self._add(leaf, 0)
            return False
        about = self.api.h5o.get_info(group, name)
        if about.type == self.api.h5o.TYPE_GROUP:
            self._remember_attributes(path, about.num_attrs, None)
            return True
        if about.type == self.api.h5o.TYPE_DATASET:
            leaf, elements = self._leaf(self.api.h5o.open(group, name), path, about.hdr.mesg.present)
            self._add(leaf, about.num_attrs)
            if plain is not None and leaf.refused is None and leaf.raw is not None:
                self.forms[plain[0]] = (leaf.shape, elements, leaf.stored)
        return False

    def _seen(self, address: int) -> Place | None:
        """The first name of the object at an address; None where it was not met yet."""
        place = self.seen.get(address)
        return None if place is None else self.firsts.name_of(address, place)

    def _add(self, leaf: Leaf, attributes: int) -> None:
        self._remember_attributes(leaf.path, attributes, leaf)
        self.tree.leaves.append(leaf)

    def _took_plain(self, path: Place, plain: PlainTuple) -> bool:
        """Take in a data set by its header alone, if the form of it is known and all of it is in the file."""
        form, address, size, attributes = plain
        known = self.forms.get(form)
        if known is None:
            return False
        shape, elements, expected = known
        offset = self.base + address
        if size != expected or offset + size > self.file_bytes:
            return False
        leaf = Leaf(path, shape, elements.dtype, elements.raw, offset, size)
        if elements.is_bfloat16:
            leaf.is_bfloat16 = True
        self.tree.leaves.append(leaf)
        if attributes:
            self.with_attributes.append((path, attributes, leaf))
        return True

    def _leaf(self, dataset: Any, path: Place, messages: int) -> tuple[Leaf, Elements]:
        kind = dataset.get_type()
        if self.kind is None or not kind.equal(self.kind):
            self.kind, self.elements = kind, elements_of(kind)
        known = self.elements
        assert known is not None
        leaf = Leaf(path, dataset.shape, known.dtype, known.raw, is_bfloat16=known.is_bfloat16)
        if not leaf.shape and dataset.get_space().get_simple_extent_type() == self.api.h5s.NULL:
            leaf.refuse("empty: it has no values", is_lost=False)
        if known.refused and not known.may_be_bfloat16:
            leaf.refuse(known.refused, is_lost=False)
        if leaf.refused is None:
            describe_storage(leaf, dataset, messages, self.file_bytes)
            if leaf.is_packed and leaf.refused is None:
                self._count_unpacked(leaf)
        return leaf, known

    def _count_unpacked(self, leaf: Leaf) -> None:
        self.unpacked += leaf.bytes
        if self.unpacked > max(MOST_UNPACKED, UNPACKED_RATIO * self.file_bytes):
            leaf.refuse(bomb(self.unpacked, self.file_bytes))

    # What needs the whole tree

    def _resolve(self) -> None:
        """Soft links, by the names that the walk found."""
        if not self.soft:
            return
        self.tree.spread()
        known = {leaf.name for leaf in self.tree.leaves} | {_shown(path) for path in self.seen.values()}
        for path, target in self.soft:
            where = target if target.startswith("/") else f"{_shown(path[:-1]).rstrip('/')}/{target}"
            parts = [part for part in where.split("/") if part not in ("", ".")]
            if "/" + "/".join(parts) in known:
                self.tree.notes.append((_shown(path), f"a soft link to {printable(where)}: read there"))
            else:
                self.tree.notes.append((_shown(path), f"a soft link to {printable(where)}, which is not there"))

    def _remember_attributes(self, path: Place, count: int, leaf: Leaf | None) -> None:
        if count:
            self.with_attributes.append((path, count, leaf))

    def _attributes(self) -> None:
        h5o = self.api.h5o
        self.heaps.passed = self.tree.stretches
        if any(leaf is not None for _, _, leaf in self.with_attributes):
            self.tree.spread()
        leaves = {leaf.path: leaf for leaf in self.tree.leaves} if self.with_attributes else {}
        for path, count, leaf in self.with_attributes:
            try:
                thing = h5o.open(self.file, _address(path) or b"/")
                found = read_attributes(thing, count, self.heaps)
                if leaf is not None:
                    leaf.attributes = found
                    self._scale(thing, leaf, leaves)
                elif found is not NONE:
                    self.tree.groups[path] = found
            except DAMAGE as error:
                self.tree.notes.append((_shown(path), f"its attributes are not read: {told(error)}"))
        for leaf in self.tree.leaves:
            _settle_bfloat16(leaf)

    def _scale(self, dataset: Any, leaf: Leaf, leaves: Mapping[Place, Leaf]) -> None:
        """Where a data set is a scale that counts steps, tell those that it belongs to."""
        axis = counts(leaf) if leaf.attributes.get("class") == "DIMENSION_SCALE" else None
        for address in addresses_of_first_axis(dataset) if axis is not None else ():
            other = leaves.get(self._seen(address) or ())
            if other is not None and axis is not None:
                other.steps, other.steps_axis = leaf, axis


def _settle_bfloat16(leaf: Leaf) -> None:
    """Two bytes that an attribute calls bfloat16 are; other opaque ones are no numbers."""
    import numpy as np

    if leaf.raw is None or leaf.raw.itemsize != 2 or leaf.raw.kind != "u":
        return
    said = {str(leaf.attributes.get(name, "")).lower() for name in ("dtype", "precision", "logical_dtype")}
    if said & {"bfloat16", "bf16", "torch.bfloat16"}:
        leaf.dtype, leaf.is_bfloat16 = np.dtype(np.uint16), True
    elif leaf.dtype is None:
        leaf.refuse("non-numeric: opaque bytes", is_lost=False)


def _is_ordered(group: Any) -> bool:
    from h5py import h5p

    try:
        return bool(group.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED)
    except DAMAGE:
        return False


def _address(path: Place) -> bytes:
    return b"/".join(name.encode("utf-8", "surrogateescape") for name in path)


def _shown(path: Place) -> str:
    return "/" + "/".join(path)
