"""Dimension scales: the data set that says what axis 0 of others counts.

A scale lists the data sets that it belongs to (REFERENCE_LIST), and those list their scales (DIMENSION_LIST). Only the first is read:
it has a fixed size, while libhdf5 (seen in 2.0.0) crashes on a damaged one of the second.
"""

from typing import Any

import numpy as np

from mlcheck.importers.hdf5.tree import Leaf
from mlcheck.importers.hdf5.words import HISTORY_STEPS

MOST_LISTED = 1_000_000
"""Data sets of one scale."""


def counts(scale: Leaf) -> str | None:
    """What a scale that is called step or epoch counts; None for any other. `make_scale("step")` names it apart from its data set."""
    name = str(scale.attributes.get("name", "")).lower()
    return HISTORY_STEPS.get(name) or HISTORY_STEPS.get(scale.path[-1].lower())


def addresses_of_first_axis(dataset: Any) -> list[int]:
    """Addresses of the data sets whose axis 0 an open scale belongs to. Raises what h5py raises on a damaged file."""
    from h5py import h5a

    attribute = h5a.open(dataset, b"REFERENCE_LIST")
    kind = attribute.get_type()
    shape = attribute.shape
    if len(shape) != 1 or not 0 < shape[0] <= MOST_LISTED or not _is_list(kind):
        return []
    listed = np.empty(shape, np.dtype((np.void, kind.get_size())))
    if attribute.get_storage_size() < listed.nbytes:
        return []
    attribute.read(listed, kind)
    fields = np.ndarray(
        shape,
        np.dtype({"names": ["address", "axis"], "formats": ["<u8", "<u4"], "offsets": [0, 8]}),
        listed.tobytes(),
        strides=(listed.itemsize,),
    )
    return [int(address) for address in fields["address"][fields["axis"] == 0]]


def _is_list(kind: Any) -> bool:
    """Whether a type is an object reference of eight bytes and an axis of four."""
    from h5py import h5t

    if kind.get_class() != h5t.COMPOUND or kind.get_nmembers() != 2 or kind.get_size() < 12:
        return False
    reference, axis = kind.get_member_type(0), kind.get_member_type(1)
    return bool(
        reference.equal(h5t.STD_REF_OBJ)
        and kind.get_member_offset(0) == 0
        and axis.get_class() == h5t.INTEGER
        and axis.get_size() == 4
        and kind.get_member_offset(1) == 8
    )
