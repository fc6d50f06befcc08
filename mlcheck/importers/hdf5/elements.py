"""HDF5 data types to numpy's: which data sets hold numbers, and whether their bytes can be taken as they are."""

from typing import Any, NamedTuple

import numpy as np


class Elements(NamedTuple):
    """What the values of a data set are."""

    dtype: "np.dtype[Any] | None"
    """As they are read, in native byte order; bfloat16 as uint16; None where they are no numbers."""
    raw: "np.dtype[Any] | None"
    """As their bytes lie in the file; None where only libhdf5 can convert them."""
    is_bfloat16: bool = False
    refused: str | None = None
    """Why they are not read."""
    may_be_bfloat16: bool = False
    """Two bytes that an attribute may call bfloat16."""


def _no_numbers(what: str) -> Elements:
    return Elements(None, None, refused=f"non-numeric: {what}")


def elements_of(kind: Any) -> Elements:
    """What an HDF5 data type (h5py.h5t.TypeID) is. Raises what h5py raises on a damaged one."""
    from h5py import h5t

    classes = {
        h5t.STRING: "text",
        h5t.REFERENCE: "object references",
        h5t.VLEN: "values of variable length",
        h5t.ARRAY: "an array in each element",
        h5t.TIME: "times",
        h5t.BITFIELD: "bit fields",
    }
    sort = kind.get_class()
    if sort in classes:
        return _no_numbers(classes[sort])
    if sort == h5t.OPAQUE:
        if kind.get_size() == 2:
            return Elements(None, np.dtype("<u2"), refused="non-numeric: opaque bytes", may_be_bfloat16=True)
        return _no_numbers("opaque bytes")
    if sort == h5t.COMPOUND:
        return _of_compound(kind)
    if sort not in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM):
        return _no_numbers("complex numbers" if "COMPLEX" in type(kind).__name__.upper() else "an unknown type")
    if sort == h5t.FLOAT and kind.get_size() == 2 and kind.get_fields()[2] == 8:
        # 8 bits of exponent in two bytes: a bfloat16 that says so itself.
        order = "<" if kind.get_order() == h5t.ORDER_LE else ">"
        return Elements(np.dtype(np.uint16), np.dtype(order + "u2"), is_bfloat16=True)
    return _of_number(kind, h5t)


def _of_number(kind: Any, h5t: Any) -> Elements:
    dtype = kind.dtype
    if dtype.kind not in "fiub":
        return _no_numbers("complex numbers" if dtype.kind == "c" else f"numpy's {dtype}")
    same = kind.equal(h5t.py_create(dtype, logical=True)) or kind.equal(h5t.py_create(dtype))
    raw = np.dtype(dtype.str) if same else None
    if dtype.kind == "f" and dtype.itemsize > 8:
        return Elements(np.dtype(np.float64), None)
    native = np.dtype(dtype.newbyteorder("=").str)
    return Elements(native, raw, may_be_bfloat16=native == np.dtype(np.uint16))


def _of_compound(kind: Any) -> Elements:
    if kind.get_nmembers() == 1 and kind.get_size() == 2:
        name = kind.get_member_name(0).decode("utf-8", "replace").lower()
        if name in ("bfloat16", "bf16"):
            member = kind.get_member_type(0)
            order = ">" if getattr(member, "get_order", lambda: 0)() == 1 else "<"
            return Elements(np.dtype(np.uint16), np.dtype(order + "u2"), is_bfloat16=True)
    dtype = kind.dtype
    return _no_numbers("complex numbers" if dtype.kind == "c" else "records of several values")
