"""What a file is by its first bytes, and in one line why one that is called HDF5 is none."""

import os
from pathlib import Path

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""HDF5 File Format Specification, II.A: at 0, 512, 1024, 2048, … behind a user block."""
SUFFIXES = frozenset({".h5", ".hdf5", ".hdf", ".he5", ".h5py"})
"""Names that promise HDF5."""
LARGEST_USER_BLOCK = 1 << 20


def is_named_so(path: Path) -> bool:
    """Whether the name promises HDF5."""
    return path.suffix.lower() in SUFFIXES


def signature_at(path: Path, head: bytes) -> int | None:
    """Where the HDF5 signature stands, or None. Behind a user block it is looked for only in files that are named so."""
    if head.startswith(SIGNATURE):
        return 0
    if not is_named_so(path):
        return None
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            offset = 512
            while offset <= LARGEST_USER_BLOCK and offset + len(SIGNATURE) <= size:
                file.seek(offset)
                if file.read(len(SIGNATURE)) == SIGNATURE:
                    return offset
                offset *= 2
    except OSError:
        return None
    return None


def why_no_hdf5(head: bytes, size: int) -> str:
    """Why a file that is called HDF5 is none, by what it begins with."""
    if not size:
        return "empty file"
    if head.startswith(b"version https://git-lfs"):
        return "Git LFS pointer: the data was not downloaded; run `git lfs pull`"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return (
            f"a Python pickle (protocol {head[1]}), no HDF5: pickles run code when they are loaded, so it is not read"
        )
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive (a .keras model or a torch checkpoint?), no HDF5"
    if head.startswith(b"\x0e\x03\x13\x01"):
        return "HDF4, no HDF5: convert it with h4toh5"
    if SIGNATURE.startswith(head[: len(SIGNATURE)]):
        return f"truncated HDF5: it ends after {size:,} bytes, inside its signature"
    if not any(head):
        return "no HDF5: it begins with zero bytes only (a copy or a write that broke off?)"
    if head.lstrip()[:1] in (b"<", b"{"):
        return "text, no HDF5 (an error page that was saved under this name?)"
    return "no HDF5: it has no HDF5 signature"
