"""Runs read through the cache: the same as without it, and what did not change is not read again."""

from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2

from mlcheck import reading
from mlcheck.importers.discover import discover
from mlcheck.importers.tensorboard import TensorBoardImporter
from mlcheck.store.cache.cache import Cache
from mlcheck.store.series import Run
from mlcheck.store.tensors.request import Request
from tests.importers import witness

Value = summary_pb2.Summary.Value


def event(step: int, *values: Value) -> event_pb2.Event:
    return event_pb2.Event(wall_time=1.7e9 + step, step=step, summary=summary_pb2.Summary(value=values))


def metadata(plugin: str) -> summary_pb2.SummaryMetadata:
    return summary_pb2.SummaryMetadata(plugin_data={"plugin_name": plugin})


def tensor(value: float) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto(dtype=1, float_val=[value], tensor_shape=tensor_shape_pb2.TensorShapeProto())


def events() -> list[event_pb2.Event]:
    """Plain scalars; scalars as tensors and another plugin's tensors whose plugin stands with the first one only; histograms."""
    found = [event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2")]
    for step in range(6):
        scalars = Value(
            tag="epoch_loss", tensor=tensor(1 / (step + 1)), metadata=metadata("scalars") if not step else None
        )
        custom = Value(tag="probe", tensor=tensor(step), metadata=metadata("mine") if not step else None)
        counts = summary_pb2.HistogramProto(
            min=0, max=2, num=3, sum=3, sum_squares=5, bucket_limit=[0.5, 1.5, 2.5], bucket=[1, 1, 1]
        )
        found.append(event(step, Value(tag="loss", simple_value=step)))
        found.append(event(step, scalars, custom, Value(tag="fc1.weight", histo=counts)))
    return found


def load(top: Path, cache: Cache | None) -> Run:
    (found,) = discover([str(top)]).runs
    return reading.import_run(found, None, Request.base(), cache)


def same(one: Run, other: Run) -> None:
    assert [(s.name, s.role, s.labels, s.hints) for s in one.series] == [
        (s.name, s.role, s.labels, s.hints) for s in other.series
    ]
    for left, right in zip(one.series, other.series, strict=True):
        np.testing.assert_array_equal(left.steps, right.steps)
        np.testing.assert_array_equal(left.segments, right.segments)
        for name in left.columns:
            np.testing.assert_array_equal(left.columns[name], right.columns[name])
    assert list(one.sources) == list(other.sources)
    assert one.raw_facts == other.raw_facts


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which ways of reading were taken."""
    taken: list[str] = []
    for name in ("read", "read_on"):
        real = getattr(TensorBoardImporter, name)

        def spy(self: TensorBoardImporter, *given: object, real: object = real, name: str = name) -> object:
            taken.append(name)
            return real(self, *given)  # type: ignore[operator]

        monkeypatch.setattr(TensorBoardImporter, name, spy)
    monkeypatch.setattr(reading, "WORTH_KEEPING", 0.0)
    return taken


def test_a_second_scan_reads_nothing(tmp_path: Path, reads: list[str]) -> None:
    run, cache = tmp_path / "run", Cache(tmp_path / "cache")
    run.mkdir()
    (run / "events.out.tfevents.1").write_bytes(witness.write(*events()))
    first = load(run, cache)
    assert reads == ["read"]
    second = load(run, cache)
    assert reads == ["read"]
    same(first, second)


def test_a_moved_scan_shows_its_own_paths(tmp_path: Path, reads: list[str]) -> None:
    run, cache = tmp_path / "top" / "run", Cache(tmp_path / "cache")
    run.mkdir(parents=True)
    (run / "events.out.tfevents.1").write_bytes(witness.write(*events()))
    assert load(run, cache).sources[0].path == "events.out.tfevents.1"
    assert load(tmp_path / "top", cache).sources[0].path == "run/events.out.tfevents.1"
    assert reads == ["read"]


def test_a_file_that_grows_record_by_record_and_byte_by_byte_is_read_on(tmp_path: Path, reads: list[str]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    path = run / "events.out.tfevents.1"
    data = witness.write(*events())
    ends = [0]
    for payload in witness.payloads(data)[0]:
        ends.append(ends[-1] + 16 + len(payload[1]))
    # At the end of each record, and within the next one.
    cuts = sorted({cut for end in ends[2:] for cut in (end, min(end + 7, len(data)), min(end + 40, len(data)))})
    cache = Cache(tmp_path / "cache")
    path.touch()
    for cut in cuts:
        with path.open("ab") as file:
            file.write(data[path.stat().st_size : cut])
        grown = load(run, cache)
        same(grown, load(run, None))
    assert reads.count("read_on") >= len(cuts) - 4


def test_a_rewritten_file_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    run, cache = tmp_path / "run", Cache(tmp_path / "cache")
    run.mkdir()
    path = run / "events.out.tfevents.1"
    path.write_bytes(witness.write(*events()[:5]))
    load(run, cache)
    path.write_bytes(witness.write(*events()[:1], *events()[3:]))
    same(load(run, cache), load(run, None))
    assert "read_on" not in reads


def test_what_is_read_fast_is_not_kept(tmp_path: Path) -> None:
    run, cache = tmp_path / "run", Cache(tmp_path / "cache")
    run.mkdir()
    (run / "events.out.tfevents.1").write_bytes(witness.write(*events()))
    load(run, cache)
    assert cache.size() == (0, 0)
