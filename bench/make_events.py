"""Write a large event file of scalars, as torch's SummaryWriter would, on whole arrays: a million events in a second.

    python bench/make_events.py OUT [EVENTS] [TAGS]

The tags have different lengths and are interleaved: step 0 of every tag, step 1 of every tag, and so on. It has its own
framing code, so that it can serve as a witness against the importer's.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EVENTS = 1_000_000
TAGS = 24


def checksums(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Masked CRC-32C of each row."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(0x82F63B78), np.uint32(0))
    state = np.full(len(rows), 0xFFFFFFFF, dtype=np.uint32)
    for column in rows.T:
        state = table[(state ^ column) & 0xFF] ^ (state >> 8)
    crc = ~state
    return ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)


def field(data: NDArray[np.generic], size: int) -> NDArray[np.uint8]:
    """An array's little-endian bytes, one row for each element."""
    return np.ascontiguousarray(data).view(np.uint8).reshape(len(data), -1)[:, :size]


def varint_rows(values: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Varints that all take `size` bytes."""
    columns = [(values >> (7 * at)) & 0x7F | (0x80 if at < size - 1 else 0) for at in range(size)]
    return np.stack(columns, axis=1).astype(np.uint8)


def repeated(text: bytes, count: int) -> NDArray[np.uint8]:
    """The same bytes in every row."""
    return np.broadcast_to(np.frombuffer(text, np.uint8), (count, len(text)))


def records(
    tag: bytes, steps: NDArray[np.int64], walls: NDArray[np.float64], values: NDArray[np.float32], size: int
) -> NDArray[np.uint8]:
    """Whole records of one tag whose steps take `size` bytes, one row each."""
    count = len(steps)
    value = b"\x0a" + bytes([len(tag)]) + tag + b"\x15"
    summary = b"\x0a" + bytes([len(value) + 4]) + value
    step = np.hstack([repeated(b"\x10", count), varint_rows(steps, size)]) if size else np.zeros((count, 0), np.uint8)
    payload = np.hstack(
        [
            repeated(b"\x09", count),
            field(walls, 8),
            step,
            repeated(b"\x2a" + bytes([len(summary) + 4]) + summary, count),
            field(values, 4),
        ]
    )
    length = field(np.full(count, payload.shape[1], dtype="<u8"), 8)
    return np.hstack([length, field(checksums(length), 4), payload, field(checksums(payload), 4)])


def tag_names(count: int) -> list[bytes]:
    """Names of different lengths, 4 to 40 characters."""
    stems = ("loss", "train/loss", "val/accuracy", "gradients/encoder.layers.", "lr-AdamW/pg", "system/gpu.memory_used")
    return [f"{stems[at % len(stems)]}{'' if at < 6 else at}".encode() for at in range(count)]


def write(path: Path, events: int = EVENTS, tags: int = TAGS) -> None:
    """Write the file."""
    version = b"\x09" + np.float64(1.7e9).tobytes() + b"\x1a\x0dbrain.Event:2"
    head = len(version).to_bytes(8, "little")
    crc = [int(checksums(np.frombuffer(part, np.uint8)[None])[0]).to_bytes(4, "little") for part in (head, version)]
    rng = np.random.default_rng(0)
    names = tag_names(tags)
    index = np.arange(events)
    step, which = index // tags, index % tags
    size = sum((step >= limit).astype(np.int64) for limit in (1, 1 << 7, 1 << 14, 1 << 21))
    wall = 1.7e9 + index * 0.0123
    value = (np.exp(-step / (events / tags)) + 0.05 * rng.standard_normal(events)).astype(np.float32)
    lengths = np.array([len(name) for name in names])[which] + 36 + size + (size > 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    out = np.empty(offsets[-1], dtype=np.uint8)
    for number, name in enumerate(names):
        for bytes_of_step in range(5):
            some = np.flatnonzero((which == number) & (size == bytes_of_step))
            if len(some):
                rows = records(name, step[some], wall[some], value[some], bytes_of_step)
                out[offsets[some][:, None] + np.arange(rows.shape[1])] = rows
    with open(path, "wb") as file:
        file.write(head + crc[0] + version + crc[1])
        file.write(out.data)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:4]))
