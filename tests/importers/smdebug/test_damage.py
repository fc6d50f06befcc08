"""Trials that lost something: a status for each file that is damaged or missing, and the rest is read."""

import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importers.smdebug.writer import TrialWriter, event, read, record, series


def trial(path, steps=4, **more):
    writer = TrialWriter(path, **more)
    writer.collections(losses=["loss"], weights=["fc.weight"])
    for step in range(steps):
        writer.step(step, {"loss": np.array([float(step)]), "fc.weight": np.full((3, 4), step, np.float32)})
    return writer


def only(damaged, path):
    (status,) = damaged
    assert status.path == path
    assert status.reason
    assert status.format == "smdebug"
    return status


def test_a_cut_event_file_keeps_its_whole_records_and_names_what_is_lost(tmp_path):
    path = trial(tmp_path).event_path(1)
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    whole, damaged = read(tmp_path)
    status = only(damaged, "events/000000000001/000000000001_worker_0.tfevents")
    assert (status.status, status.records) == ("partial", 1)
    assert "fc.weight" in status.reason
    assert status.offset is not None
    assert status.lost_bytes == len(content) - 30 - status.offset
    assert not status.tail_only, "a later step was saved: nobody still writes this one"
    assert series(whole, "loss").steps.tolist() == [0, 1, 2, 3]
    assert series(whole, "fc.weight").steps.tolist() == [0, 2, 3]
    assert whole.status.status == "read"


def test_the_last_event_file_may_still_be_written(tmp_path):
    path = trial(tmp_path).event_path(3)
    path.write_bytes(path.read_bytes()[:-1])
    _, damaged = read(tmp_path)
    assert only(damaged, "events/000000000003/000000000003_worker_0.tfevents").tail_only


@pytest.mark.parametrize("with_index", [True, False])
def test_a_payload_that_does_not_fit_its_checksum_is_left_out(tmp_path, with_index):
    writer = trial(tmp_path, with_index=with_index)
    good = event(2, "loss", np.array([2.0]))
    payload = event(2, "fc.weight", np.ones((3, 4), np.float32))[12:-4]
    writer.raw(2, {"fc.weight": record(payload, checksum=12345), "loss": good})
    whole, damaged = read(tmp_path)
    status = only(damaged, "events/000000000002/000000000002_worker_0.tfevents")
    assert (status.status, status.records, status.offset) == ("partial", 1, 0)
    assert "checksum of its payload" in status.reason
    assert status.lost_bytes == len(payload) + 16
    assert series(whole, "loss").steps.tolist() == [0, 1, 2, 3]
    assert series(whole, "fc.weight").steps.tolist() == [0, 1, 3]


def test_a_payload_with_its_true_checksum_is_read(tmp_path):
    from tests.importers.witness import frame

    writer = trial(tmp_path)
    writer.raw(2, {"loss": frame(event(2, "loss", np.array([2.0]))[12:-4])})
    whole, damaged = read(tmp_path)
    assert not damaged
    assert series(whole, "loss").steps.tolist() == [0, 1, 2, 3]


def test_an_index_without_its_event_file(tmp_path):
    writer = trial(tmp_path)
    size = writer.event_path(2).stat().st_size
    writer.event_path(2).unlink()
    whole, damaged = read(tmp_path)
    status = only(damaged, "events/000000000002/000000000002_worker_0.tfevents")
    assert (status.status, status.lost_bytes) == ("unreadable", size)
    assert "loss" in status.reason
    assert "fc.weight" in status.reason
    assert series(whole, "loss").steps.tolist() == [0, 1, 3]


def test_an_event_file_without_its_index_is_read(tmp_path):
    writer = trial(tmp_path)
    writer.index_path(2).unlink()
    whole, damaged = read(tmp_path)
    assert not damaged
    assert series(whole, "fc.weight").steps.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(start_idx=10**9),
        lambda entry: entry.update(length=10**12),
        lambda entry: entry.update(start_idx=5),
        lambda entry: entry.update(tensorname="ghost"),
    ],
)
def test_an_index_is_never_trusted(tmp_path, change):
    path = trial(tmp_path).index_path(1)
    data = json.loads(path.read_text())
    change(data["tensor_payload"][1])
    path.write_text(json.dumps(data))
    whole, damaged = read(tmp_path)
    status = only(damaged, "index/000000000/000000000001_worker_0.json")
    assert status.status == "partial"
    assert data["tensor_payload"][1]["tensorname"] in status.reason
    assert series(whole, "fc.weight").steps.tolist() == [0, 1, 2, 3]
    assert series(whole, "loss").steps.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"tensor_payload": 7}',
        '{"tensor_payload": [7]}',
        '{"tensor_payload": [{"tensorname": 1, "start_idx": 0, "length": 1}]}',
        '{"tensor_payload": [{"tensorname": "x", "start_idx": -1, "length": 1}]}',
        '{"tensor_payload": [{"tensorname": "x", "start_idx": 1e400, "length": 1}]}',
        "[" * 100_000,
        "1" * 10_000,
    ],
)
def test_an_index_that_is_none(tmp_path, content):
    trial(tmp_path).index_path(1).write_text(content)
    whole, damaged = read(tmp_path)
    assert only(damaged, "index/000000000/000000000001_worker_0.json").status == "unreadable"
    assert series(whole, "fc.weight").steps.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"collections": 3}', '"x"', b"\xff\xfe\x00"])
def test_collections_that_are_none(tmp_path, content):
    trial(tmp_path)
    path = tmp_path / "collections/000000000/worker_0_collections.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    whole, damaged = read(tmp_path)
    status = only(damaged, "collections/000000000/worker_0_collections.json")
    assert status.status == "unreadable"
    assert "without their collections" in status.reason
    assert series(whole, "fc.weight").steps.tolist() == [0, 1, 2, 3]
    assert series(whole, "loss").kind == "scalar"


def test_odd_collections_are_passed_over(tmp_path):
    trial(tmp_path)
    stated = {
        "weights": 3,
        "losses": {"tensor_names": "loss", "include_regex": [None, 5]},
        "x": {"tensor_names": [1, "fc.weight"]},
    }
    path = tmp_path / "collections/000000000/worker_0_collections.json"
    path.write_text(json.dumps({"collections": stated, "_meta": {"num_workers": "many"}}))
    whole, damaged = read(tmp_path)
    assert not damaged
    assert series(whole, "fc.weight").hints.collection == "x"


def test_a_worker_that_missed_steps(tmp_path):
    writer = TrialWriter(tmp_path)
    writer.collections(workers=3, losses=["loss"])
    missed = {("worker_1", 2), ("worker_1", 3), ("worker_2", 5)}
    for step in range(6):
        for worker in ("worker_0", "worker_1", "worker_2"):
            if (worker, step) not in missed:
                writer.step(step, {"loss": np.array([1.0])}, worker=worker)
    _, damaged = read(tmp_path)
    by_path = {status.path: status for status in damaged}
    assert set(by_path) == {
        "events/000000000002/000000000002_worker_1.tfevents",
        "events/000000000005/000000000005_worker_2.tfevents",
    }
    middle, last = by_path.values()
    assert "2 steps, first 2" in (middle.reason or "")
    assert "worker_0, worker_2" in (middle.reason or "")
    assert (middle.status, middle.tail_only) == ("unreadable", False)
    assert middle.lost_bytes == 2 * writer.event_path(2).stat().st_size, "as much as the others saved"
    assert last.tail_only, "the last step may still come"


def test_workers_that_left_nothing(tmp_path):
    writer = TrialWriter(tmp_path)
    writer.collections(workers=4, losses=["loss"])
    for worker in ("worker_0", "worker_3"):
        writer.step(0, {"loss": np.array([1.0])}, worker=worker)
    whole, damaged = read(tmp_path)
    assert not damaged
    assert whole.status.status == "partial"
    assert "2 of 4 workers" in (whole.status.reason or "")


def claims_more() -> bytes:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    head = struct.pack("<Q", 1 << 30)
    return head + struct.pack("<I", masked_crc32c(head)) + b"x" * 100


def bent(change) -> bytes:
    """A sound record whose tensor contradicts itself."""
    payload = event(1, "loss", np.ones((3, 4), np.float32))[12:-4]
    return record(change(payload))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "without events"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
        (b"hello world, this is no event file", "framing is lost at byte 0"),
        (b"\x00" * 5, "cut"),
        (claims_more(), "cut"),
        (record(b"\xff\xff\xff"), "corrupt"),
        (record(b"\x2a\xff\x01abc"), "corrupt"),
        (bent(lambda payload: payload.replace(b"\x08\x04", b"\x08\x05")), "holds 48 bytes"),
        (bent(lambda payload: payload.replace(b"\x08\x01\x12", b"\x08\x02\x12")), "holds 48 bytes"),
    ],
)
def test_an_event_file_that_is_none(tmp_path, content, word):
    trial(tmp_path).event_path(1).write_bytes(content)
    whole, damaged = read(tmp_path)
    status = only(damaged, "events/000000000001/000000000001_worker_0.tfevents")
    assert status.status == "unreadable"
    assert word in status.reason
    assert series(whole, "fc.weight").steps.tolist() == [0, 2, 3]
    assert whole.status.status == "read"


def test_a_file_that_cannot_be_opened(tmp_path):
    path = trial(tmp_path).event_path(1)
    path.unlink()
    path.mkdir()
    whole, damaged = read(tmp_path)
    assert only(damaged, "events/000000000001/000000000001_worker_0.tfevents").status == "unreadable"
    assert series(whole, "loss").steps.tolist() == [0, 2, 3]


def test_a_trial_of_which_nothing_is_left(tmp_path):
    for step in range(4):
        trial(tmp_path).event_path(step).write_bytes(b"gone")
    whole, damaged = read(tmp_path)
    assert len(damaged) == 1, "each trial() wrote its files again: the last one has one damaged file"
    for step in range(4):
        TrialWriter(tmp_path).event_path(step).write_bytes(b"gone")
    whole, damaged = read(tmp_path)
    assert len(damaged) == 4
    assert whole.status.status == "unreadable"
    assert whole.status.reason


def test_a_trial_that_saved_nothing(tmp_path):
    TrialWriter(tmp_path).collections(losses=["loss"])
    (tmp_path / "events").mkdir()
    whole, damaged = read(tmp_path)
    assert not damaged
    assert whole.status.status == "read"
    assert "no tensors were saved" in (whole.status.reason or "")


def test_a_tensor_whose_mode_is_unreadable_is_kept_apart_from_those_of_a_known_mode(tmp_path):
    path = trial(tmp_path, steps=2).event_path(0)
    content = path.read_bytes()
    at = content.rindex(b"\x04mode\x12\x01") + len(b"\x04mode\x12\x01")
    path.write_bytes(content[:at] + b"\0" + content[at + 1 :])
    whole, _ = read(tmp_path)
    assert series(whole, "fc.weight", mode=None).steps.tolist() == [0]
    assert series(whole, "fc.weight", mode="train").steps.tolist() == [1]


def test_a_tensor_that_lost_its_type_in_one_step_is_read_in_the_others(tmp_path):
    path = trial(tmp_path, steps=2).event_path(0)
    content = path.read_bytes()
    length_of_tensor = content.index(b"fc.weightB") + len(b"fc.weightB")
    path.write_bytes(content[:length_of_tensor] + b"\0" + content[length_of_tensor + 1 :])
    whole, _ = read(tmp_path)
    assert series(whole, "fc.weight").steps.tolist() == [1]


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_no_bytes_raise(tmp_path, data):
    writer = trial(tmp_path, steps=2)
    paths = [
        writer.event_path(0),
        writer.index_path(1),
        tmp_path / "collections/000000000/worker_0_collections.json",
    ]
    path = data.draw(st.sampled_from(paths))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    whole, damaged = read(tmp_path)
    assert all(status.reason for status in damaged)
    # The other step is there in any case; a byte bent in the mode makes a series of its own.
    found = [one for one in whole.series if one.tag == "fc.weight"]
    assert {1, 0} & {step for one in found for step in one.steps.tolist()} if found else damaged


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_no_payload_raises(tmp_path, data):
    """Sound records of bent protobuf: the checksum is smdebug's constant, which says nothing of the payload."""
    payload = bytearray(event(0, "trees/Yes", ["0-1", "nan"])[12:-4])
    if data.draw(st.booleans()):
        payload = bytearray(event(0, "fc.weight", np.ones((3, 4), np.float32))[12:-4])
    for _ in range(data.draw(st.integers(1, 5))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    TrialWriter(tmp_path, with_index=False).raw(0, {"x": record(bytes(payload))})
    whole, damaged = read(tmp_path)
    assert all(status.reason for status in damaged)
    assert whole.status.records + len(damaged) >= 1
