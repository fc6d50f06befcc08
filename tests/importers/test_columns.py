import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2

from mlcheck.importers import columns, grouping, wire
from mlcheck.importers.framing import PADDING


def laid_out(strings: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.frombuffer(b"".join(strings) + bytes(PADDING), dtype=np.uint8).copy()
    lengths = np.array([len(one) for one in strings], dtype=np.int64)
    return data, np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64), lengths


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, (1 << 56) - 1), min_size=1, max_size=20), st.integers(0, 255))
def test_varints_up_to_eight_bytes(values, after):
    encoded = []
    for value in values:
        out = b""
        while value >= 0x80:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        encoded.append(out + bytes([value]))
    words = np.array([int.from_bytes((one + bytes([after]) * 8)[:8], "little") for one in encoded], dtype=np.uint64)
    found, sizes = wire.varints(words, 8)
    assert found.tolist() == values
    assert sizes.tolist() == [len(one) for one in encoded]


def test_a_varint_longer_than_the_limit_has_size_0():
    word = np.array([0x8080808080808080, 0x0180, 0x018080], dtype=np.uint64)
    assert wire.varints(word, 8)[1].tolist() == [0, 2, 3]
    assert wire.varints(word, 2)[1].tolist() == [0, 2, 0]


strings = st.lists(
    st.one_of(st.sampled_from([b"", b"a", b"loss", b"loss\x00", b"12345678", b"123456789"]), st.binary(max_size=255)),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(strings)
def test_equal_strings_and_no_others_share_a_group(texts):
    groups = grouping.group(*laid_out(texts)).tolist()
    representative = {}
    for index, text in enumerate(texts):
        representative.setdefault(text, index)
    assert groups == [representative[text] for text in texts]


def test_strings_whose_hashes_collide_are_told_apart_or_given_up():
    # 70,000 different strings in 65,536 buckets: most rounds meet strangers in a bucket.
    texts = [b"tag%d" % (at % 70_000) for at in range(75_000)]
    groups = grouping.group(*laid_out(texts))
    for index, found in enumerate(groups.tolist()):
        assert found == -1 or texts[found] == texts[index]
    assert np.count_nonzero(groups < 0) < 1000


def test_the_given_up_strings_are_few_even_if_every_hash_is_equal(monkeypatch):
    monkeypatch.setattr(grouping, "ROUNDS", 2)
    texts = [b"tag%d" % at for at in range(70_000)]
    groups = grouping.group(*laid_out(texts))
    assert -1 in groups
    assert all(found in (-1, index) for index, found in enumerate(groups.tolist()))


def test_metadata_that_would_reach_beyond_the_padding_is_left_to_protobuf():
    event = event_pb2.Event(wall_time=1.0, step=1)
    value = event.summary.value.add(tag="loss", simple_value=1.0)
    lengths = []
    for size in (grouping.LONGEST, grouping.LONGEST + 1):
        value.metadata.summary_description = ""
        value.metadata.summary_description = "x" * (size - value.metadata.ByteSize() - 3)
        assert value.metadata.ByteSize() == size
        decoded = columns.decode(*laid_out([event.SerializeToString()]))
        lengths.append((decoded.sources.metadata_lengths.tolist(), decoded.slow.tolist()))
    assert lengths == [([grouping.LONGEST], []), ([], [0])]
