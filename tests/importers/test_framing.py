import io
import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.importers import framing
from mlcheck.importers.framing import PADDING, RecordReader, crc32c, find_records, is_record_header, masked
from tests.importers import witness


def padded(data: bytes) -> np.ndarray:
    return np.frombuffer(data + bytes(PADDING), dtype=np.uint8).copy()


def test_crc32c_of_the_published_vectors():
    # RFC 3720, appendix B.4.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283


def test_masked_is_a_rotation_by_15_plus_a_constant():
    assert masked(0) == 0xA282EAD8
    assert masked(0x8000) == 0xA282EAD9
    assert masked(1) == (0xA282EAD8 + (1 << 17)) & 0xFFFFFFFF


def test_the_table_of_short_lengths_agrees_with_the_definition():
    lengths = [0, 1, 0x09, 255, 256, 4660, 65535, 9, 1]
    wanted = [masked(crc32c(struct.pack("<Q", length))) for length in lengths]
    framing._short_length_checksums.cache_clear()
    for stated in ([0] * len(lengths), wanted, wanted[::-1]):
        found = framing._have_checksums(np.array(lengths), np.array(stated, dtype=np.uint32))
        assert found.tolist() == [one == other for one, other in zip(stated, wanted, strict=True)]


def test_a_header_is_a_length_and_its_checksum():
    record = witness.frame(b"\x09" + bytes(8))
    assert is_record_header(record)
    assert not is_record_header(record[:11])
    assert not is_record_header(b"\x0a" + record[1:])


# Payloads that look like events, that are empty, that hold whole records, or the pattern that the search looks for.
PATTERN = b"\x09\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x09"
payload = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=30).map(lambda tail: b"\x09" + tail),
    st.lists(st.binary(max_size=9).map(lambda tail: b"\x09" + tail), max_size=3).map(
        lambda inner: b"\x09" + b"".join(map(witness.frame, inner))
    ),
    st.integers(0, 5).map(lambda count: b"\x09" + PATTERN * count),
    st.sampled_from([bytes(50), b"\x09" + bytes(70000)]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(payload, max_size=12), st.data())
def test_records_are_those_of_following_the_lengths(payloads, data):
    whole = b"".join(map(witness.frame, payloads))
    cut = data.draw(st.integers(0, len(whole)))
    part = whole[:cut]
    if part and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(part) - 1))
        part = part[:at] + bytes([part[at] ^ data.draw(st.integers(1, 255))]) + part[at + 1 :]
    wanted, end = witness.payloads(part)
    framed = find_records(padded(part), len(part))
    assert [start - 12 for start in framed.starts.tolist()] == [offset for offset, _ in wanted]
    assert framed.lengths.tolist() == [len(one) for _, one in wanted]
    assert framed.ending.stop == end
    assert (framed.ending.why == "end") == (end == len(part))


@settings(deadline=None, max_examples=100)
@given(st.lists(payload, max_size=12), st.integers(32, 400), st.integers(0, 30), st.data())
def test_blocks_of_any_size_give_the_same_records(tmp_path_factory, payloads, block, cut, data):
    whole = b"".join(map(witness.frame, payloads))
    part = whole[: max(0, len(whole) - cut)]
    path = tmp_path_factory.getbasetemp() / "blocks"
    path.write_bytes(part)
    wanted, end = witness.payloads(part)
    found = []
    with path.open("rb", buffering=0) as file:
        reader = RecordReader(file, block)
        for stretch in reader:
            framed = find_records(stretch.data, stretch.size)
            stretch.ending = framed.ending
            for number, (start, length) in enumerate(zip(framed.starts.tolist(), framed.lengths.tolist(), strict=True)):
                record = stretch.record(number, start, length)
                assert record.checksum == masked(crc32c(record.payload))
                found.append((record.offset, record.payload))
    assert found == wanted
    assert reader.offset == end
    assert reader.size == len(part)
    assert reader.why == ("end" if end == len(part) else "cut")


def test_a_short_read_is_no_end_of_file(tmp_path):
    class Slow(io.FileIO):
        def readinto(self, buffer):
            return super().readinto(memoryview(buffer)[:7])

    path = tmp_path / "slow"
    data = b"".join(witness.frame(b"\x09" + bytes(10)) for _ in range(50))
    path.write_bytes(data)
    with Slow(path) as file:
        reader = RecordReader(file, 256)
        found = 0
        for stretch in reader:
            framed = find_records(stretch.data, stretch.size)
            stretch.ending = framed.ending
            found += len(framed.starts)
        assert found == 50
    assert reader.why == "end"
