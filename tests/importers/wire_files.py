"""Event files written field by field, so that anything that protobuf permits, and some of what it does not, can be in them."""

import math
import random
import struct
from collections.abc import Callable

from hypothesis import strategies as st

from tests.importers import witness

Maker = Callable[[int, float], bytes]
"""From a step and a number to the payload of an event, all else being the same."""

INT_MIN = -(1 << 63)


def varint(value: int, padding: int = 0) -> bytes:
    """A varint; a negative number takes ten bytes. Padding adds bytes that say nothing."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    if padding and len(out) + padding <= 10:
        out[-1] |= 0x80
        out += b"\x80" * (padding - 1) + b"\x00"
    return bytes(out)


def sized(number: int, content: bytes) -> bytes:
    """A field with a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def fixed(number: int, content: bytes) -> bytes:
    """A field of four or eight bytes."""
    return varint(number << 3 | (5 if len(content) == 4 else 1)) + content


def number_field(number: int, value: int, padding: int = 0) -> bytes:
    """A varint field."""
    return varint(number << 3) + varint(value, padding)


UNKNOWN = st.sampled_from(
    [
        number_field(900, 7),
        sized(901, b"unknown"),
        fixed(902, b"abcd"),
        fixed(903, b"abcdefgh"),
        b"\xd3\x3e\xd4\x3e",  # an empty group of field 1002
    ]
)


def rarely(draw, odd: bool) -> bool:
    """Whether one of the many odd things is there, in what may be odd at all."""
    return odd and draw(st.integers(0, 5)) == 3


TAGS = st.one_of(
    st.sampled_from([b"loss", b"", b"train/loss", b"w" * 8, b"b" * 130, b"c" * 300, "Verlust/損失".encode()]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10).map(str.encode),
)

# dtype: (numpy's form for struct, number of its field, how a single one is written there).
NUMBERS = {
    1: ("<f", 5, "fixed"),
    2: ("<d", 6, "fixed"),
    3: ("<i", 7, "varint"),
    4: ("<B", 7, "varint"),
    5: ("<h", 7, "varint"),
    6: ("<b", 7, "varint"),
    9: ("<q", 10, "varint"),
    10: ("<?", 11, "varint"),
    14: ("<H", 13, "varint"),
    17: ("<H", 7, "varint"),
    19: ("<H", 13, "varint"),
    22: ("<I", 16, "varint"),
    23: ("<Q", 17, "varint"),
}
FLOATS = (1, 2)


def dimensions(*sizes: int) -> bytes:
    return b"".join(sized(2, number_field(1, size) if size else b"") for size in sizes)


@st.composite
def scalar_tensors(draw, odd: bool) -> Callable[[float], bytes]:
    dtype = draw(st.sampled_from([1, 1, 1, 2, 2, *NUMBERS]))
    form, field, wire = NUMBERS[dtype]
    if rarely(draw, odd):
        field = draw(st.sampled_from([5, 6, 7, 10, 13]))
        wire = draw(st.sampled_from(["fixed", "varint"]))
    shape = draw(st.sampled_from([b"", b"", sized(2, b""), *(sized(2, dimensions(*[1] * rank)) for rank in (1, 2, 3))]))
    if rarely(draw, odd):
        shape = sized(
            2, draw(st.sampled_from([dimensions(2), dimensions(0), dimensions(-1), number_field(3, 1), b"x"]))
        )
    way = draw(st.sampled_from(["single twice", "nothing"] if rarely(draw, odd) else ["content", "packed", "single"]))
    order = draw(st.integers(0, 2)) if rarely(draw, odd) else 3
    if way == "content":
        count = draw(st.sampled_from([2, 0])) if rarely(draw, odd) else 1
    big = 0 if not rarely(draw, odd) else draw(st.sampled_from([1 << 20, -1, (1 << 31) - 1, 1 << 31, 1 << 33, 1 << 60]))

    def make(number: float) -> bytes:
        whole = int(abs(number)) % 100 + big if number == number and abs(number) < 1e9 else big
        if dtype in FLOATS:
            content = struct.pack(form, number)
        else:
            content = (whole & (1 << 64) - 1).to_bytes(8, "little")[: struct.calcsize(form)]
            content = bytes([content[0] & 1]) if dtype == 10 else content
        one = varint(whole) if wire == "varint" else (content if len(content) in (4, 8) else content.ljust(8, b"\0"))
        if way == "content":
            values = sized(4, content * count)
        elif way == "packed":
            values = sized(field, one)
        elif way == "nothing":
            values = b""
        else:
            single = varint(field << 3) + one if wire == "varint" else fixed(field, one)
            values = single * (2 if way.endswith("twice") else 1)
        parts = [number_field(1, dtype), shape, values]
        if order == 0:
            parts.reverse()
        elif order == 1:
            parts.insert(2, number_field(3, 5))
        elif order == 2:
            parts = parts[1:]
        return b"".join(parts)

    return make


@st.composite
def histogram_tensors(draw, odd: bool) -> Callable[[float], bytes]:
    rows = draw(st.sampled_from([0, 1, 2, 3, 130]))
    claimed = rows + 1 if rarely(draw, odd) else rows
    table = [draw(EDGES) for _ in range(min(3 * rows, 12))]
    table = (table * rows)[: 3 * rows] if table else []
    field = draw(st.sampled_from([4, 4, 6]))
    dtype = 1 if rarely(draw, odd) else 2
    shape = dimensions(3, claimed) if rarely(draw, odd) else dimensions(claimed, 3)

    def make(number: float) -> bytes:
        content = struct.pack(f"<{len(table)}d", *[abs(number), *table[1:]] if table else [])
        return number_field(1, dtype) + sized(2, shape) + sized(field, content)

    return make


EDGES = st.one_of(st.sampled_from([0.0, 1.0, 2.0, -1.0, -2.5, 1.7976931348623157e308]), st.floats())


@st.composite
def histograms(draw, odd: bool) -> Callable[[float], bytes]:
    edges = draw(st.lists(EDGES, max_size=6))
    if draw(st.booleans()):
        edges.sort()
    counts = draw(st.lists(st.sampled_from([0.0, 1.0, 5.0, 2.5, float("nan")]), max_size=6))
    if not rarely(draw, odd):
        counts = (counts + [1.0] * 6)[: len(edges)]
    stated = [draw(st.one_of(st.none(), EDGES)) for _ in range(5)]
    other = (
        draw(st.sampled_from([sized(6, b"12345"), sized(8, b"x"), fixed(6, struct.pack("<d", 9.0))]))
        if rarely(draw, odd)
        else b""
    )
    unpacked = rarely(draw, odd)
    order = draw(st.integers(0, 1)) if rarely(draw, odd) else 2

    def make(number: float) -> bytes:
        parts = [fixed(at + 1, struct.pack("<d", one)) for at, one in enumerate(stated) if one is not None]
        for field, values in ((6, edges), (7, [abs(number), *counts[1:]] if counts else [])):
            if unpacked:
                parts += [fixed(field, struct.pack("<d", one)) for one in values]
            elif values or order == 1:
                parts.append(sized(field, struct.pack(f"<{len(values)}d", *values)))
        parts.append(other)
        if order == 0:
            parts.reverse()
        return b"".join(parts)

    return make


METADATA = st.sampled_from([b"scalars", b"", b"histograms", b"hparams", b"text"]).map(
    lambda name: sized(1, (sized(1, name) if name else b"") + sized(2, b"")) + number_field(4, 1)
)
ODD_METADATA = st.sampled_from(
    [
        b"",
        sized(1, sized(1, b"\xff")),
        sized(2, b"shown"),
        sized(2, b"\xff"),
        sized(3, b"d" * 250) + sized(1, sized(1, b"scalars")),
        sized(1, sized(1, b"scalars") + sized(1, b"histograms")),
        sized(1, sized(1, b"scalars") + sized(9, b"?")),
        sized(1, b"\x0a\x20scalars"),
        sized(1, sized(1, b"scalars")) + number_field(4, 1, padding=9),
    ]
)


@st.composite
def values(draw, odd: bool) -> Callable[[float], bytes]:
    """A `Summary.Value`."""
    kind = draw(st.sampled_from(["simple"] * 4 + ["tensor"] * 5 + ["histo", "buckets"] * 3 + ["image", "nothing"]))
    name = draw(TAGS)
    tag = draw(st.sampled_from([b"", sized(1, b"\xff\xfe")])) if rarely(draw, odd) else sized(1, name)
    # CatBoost writes `node_name` behind the value.
    node = draw(st.sampled_from([b"", b"", b"", sized(7, name)]))
    if rarely(draw, odd):
        node = draw(st.sampled_from([sized(7, b"other"), sized(7, b""), sized(7, b"\xff"), sized(7, name) * 2]))
    metadata = (
        sized(9, draw(st.one_of(METADATA, ODD_METADATA) if rarely(draw, odd) else METADATA))
        if draw(st.booleans())
        else b""
    )
    inner = None
    if kind in ("tensor", "histo", "buckets"):
        inner = draw({"tensor": scalar_tensors, "histo": histograms, "buckets": histogram_tensors}[kind](odd))
    cut = rarely(draw, odd)
    image = sized(4, draw(st.sampled_from([number_field(1, 3) + sized(4, b"\x89PNG"), sized(4, b"x")[:-1], b"\xff"])))
    order = draw(st.permutations(range(3))) if rarely(draw, odd) else range(3)
    more = draw(UNKNOWN) if rarely(draw, odd) else b""

    def make(number: float) -> bytes:
        if kind == "simple":
            body = fixed(2, struct.pack("<f", number))
        elif inner is not None:
            content = inner(number)
            body = sized(5 if kind == "histo" else 8, content[:-1] if cut else content)
        else:
            body = image if kind == "image" else b""
        parts = [tag, body + node, metadata]
        return b"".join(parts[at] for at in order) + more

    return make


@st.composite
def makers(draw) -> Maker:
    """An event whose step and number may be another each time."""
    odd = draw(st.booleans())
    kind = "one"
    if draw(st.integers(0, 5)) == 3:
        kind = draw(st.sampled_from(["several", "version", "start", "graph", "log", "nothing", "junk"]))
    if kind == "junk":
        junk = draw(st.binary(max_size=30))
        return lambda step, number: junk
    makes = draw(st.lists(values(odd), max_size=3)) if kind == "several" else [draw(values(odd))]
    other = {
        "version": sized(3, draw(st.sampled_from([b"brain.Event:2", b"", b"\xff"]))),
        "start": sized(7, number_field(1, 1)),
        "graph": sized(4, b"graph"),
        "log": sized(6, draw(st.sampled_from([number_field(1, 2), b"\xff"]))),
        "nothing": b"",
    }.get(kind)
    padding = draw(st.sampled_from([1, 8])) if rarely(draw, odd) else 0
    has_wall, has_step = not rarely(draw, odd), not rarely(draw, odd)
    writer = sized(10, draw(st.sampled_from([sized(1, b"tensorflow"), sized(1, b"\xff"), b"\xff"])))
    has_writer = rarely(draw, odd)
    shuffled = draw(st.permutations(range(4))) if rarely(draw, odd) else range(4)
    bend = rarely(draw, odd)
    more = draw(UNKNOWN) if rarely(draw, odd) else b""

    def make(step: int, number: float) -> bytes:
        what = sized(5, b"".join(sized(1, one(number)) for one in makes)) if other is None else other
        parts = [
            fixed(1, struct.pack("<d", 1.7e9 + step % 1000)) if has_wall else b"",
            number_field(2, step, padding) if has_step and step else b"",
            what[:-1] if bend else what,
            writer if has_writer else b"",
        ]
        return b"".join(parts[at] for at in shuffled) + more

    return make


STEPS = (-1, INT_MIN, 1 << 14, 1 << 35, (1 << 49) - 1, 1 << 49, (1 << 56) - 1, 1 << 56, (1 << 63) - 1)
FLOATS32 = (0.0, -0.0, math.nan, math.inf, -math.inf, 1e-45, 3.4028234663852886e38)


@st.composite
def files(draw) -> bytes:
    """A file in which a few events come again and again with other steps and numbers."""
    chosen = draw(st.lists(makers(), min_size=1, max_size=6))
    turns = random.Random(draw(st.integers(0, 1 << 32)))
    payloads = []
    for at in range(draw(st.integers(2, 60))):
        step = turns.choice(STEPS) if turns.random() < 0.1 else at
        number = turns.choice(FLOATS32) if turns.random() < 0.2 else turns.randrange(-1000, 1000) / 8
        payloads.append(turns.choice(chosen)(step, number))
    return b"".join(map(witness.frame, payloads))
