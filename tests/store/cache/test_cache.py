import math
import os
from pathlib import Path

import numpy as np
import pytest

from mlcheck.report import SourceStatus
from mlcheck.store.cache.cache import Cache, Entry, grown, unchanged, with_edges
from mlcheck.store.cache.identity import Identity
from mlcheck.store.series import Fact, Hints, Imported, RawSeries
from mlcheck.store.tensors.request import Request


def imported() -> Imported:
    steps = np.array([0, 1, 5], dtype=np.int64)
    walls = np.array([1.7e9, math.nan, 1.7e9 + 2])
    return Imported(
        SourceStatus("run/file", "tensorboard", "read", records=7, bytes=100),
        (
            RawSeries("loss", "scalar", steps, walls, {"value": np.array([1.0, math.nan, math.inf])}, Hints(order=0)),
            RawSeries(
                "fc1.weight",
                "tensor",
                steps[:2],
                walls[:2],
                {"l2": np.array([1e300, 5e-324]), "zeros": np.array([0.0, -0.0])},
                Hints(collection="weights", mode="val", worker="0", order=3, shape=(4, 5), dtype="bfloat16"),
            ),
            RawSeries(
                "feature_importance/f0",
                "fact",
                steps,
                walls,
                {"value": np.arange(3.0)},
                Hints(collection="feature_importance", labels=(("feature", "f0"), ("group", "gain"))),
            ),
            RawSeries("h", "tensor", steps[:0], walls[:0], {"mean": np.empty(0)}, approximate=True),
        ),
        (Fact("lr", 0.1, "hparams"), Fact("amp", True, "args"), Fact("name", "x\udcff", "args")),
        1.7e9,
        (0, 4),
        (("image", "images"),),
    )


def same(one: Imported, other: Imported) -> None:
    assert (one.status, one.facts, one.session_starts, one.plugins) == (
        other.status,
        other.facts,
        other.session_starts,
        other.plugins,
    )
    assert one.first_wall_time == other.first_wall_time
    assert [(s.tag, s.kind, s.hints, s.approximate) for s in one.series] == [
        (s.tag, s.kind, s.hints, s.approximate) for s in other.series
    ]
    for left, right in zip(one.series, other.series, strict=True):
        assert left.columns.keys() == right.columns.keys()
        for a, b in [
            (left.steps, right.steps),
            (left.wall_times, right.wall_times),
            *((left.columns[k], right.columns[k]) for k in left.columns),
        ]:
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(200)))
    return path


def test_what_is_kept_comes_back_bit_for_bit(tmp_path: Path, source: Path) -> None:
    cache, files = Cache(tmp_path / "cache"), (Identity.of(source),)
    request = Request({"weight": frozenset({"l2", "quantile(0.5)"})}, frozenset({"nan"}), frozenset({"confusion"}))
    assert cache.get("hdf5", "", files) is None
    cache.put("hdf5", "", Entry([("tb", imported()), ("", imported())], files, request=request))
    entry = cache.get("hdf5", "", files)
    assert entry is not None
    assert entry.request == request
    assert entry.files == files
    assert [part for part, _ in entry.parts] == ["tb", ""]
    for _, one in entry.parts:
        same(one, imported())
    assert cache.get("hdf5", "another member", files) is None
    assert cache.get("parquet", "", files) is None


def test_a_changed_file_or_a_wider_request_is_not_answered(tmp_path: Path, source: Path) -> None:
    narrow, wide = Request({"weight": frozenset({"l2"})}), Request({"weight": frozenset({"l2", "std"})})
    entry = Entry([("", imported())], (Identity.of(source),), request=wide)
    assert unchanged(entry, [Identity.of(source)], narrow)
    assert unchanged(entry, [Identity.of(source)], wide)
    assert not unchanged(entry, [Identity.of(source)], Request({"weight": frozenset({"hash"})}))
    assert not unchanged(entry, [Identity.of(source)], Request(any_role=frozenset({"l2"})))
    os.utime(source, ns=(1, 1))
    assert not unchanged(entry, [Identity.of(source)], narrow)


def test_a_file_that_grew_is_told_from_one_that_was_rewritten(tmp_path: Path, source: Path) -> None:
    whole = SourceStatus("f", "tensorboard", "read", bytes=200)
    entry = with_edges(Entry([("", Imported(whole))], (Identity.of(source),)))
    assert entry.resume_at == 200
    with source.open("ab") as file:
        file.write(b"more")
    assert grown(entry, [Identity.of(source)])
    source.write_bytes(b"other" + bytes(300))
    assert not grown(entry, [Identity.of(source)])


@pytest.mark.parametrize("suffix", [".scalars.arrow", ".tensors.arrow"])
def test_a_damaged_entry_is_none(tmp_path: Path, source: Path, suffix: str) -> None:
    cache, files = Cache(tmp_path / "cache"), (Identity.of(source),)
    cache.put("tensorboard", "", Entry([("", imported())], files))
    (path,) = (tmp_path / "cache").glob("*" + suffix)
    data = path.read_bytes()
    for cut in range(0, len(data), 97):
        path.write_bytes(data[:cut])
        assert cache.get("tensorboard", "", files) is None
    path.write_bytes(b"")
    assert cache.get("tensorboard", "", files) is None
    path.unlink()
    assert cache.get("tensorboard", "", files) is None


def test_two_halves_of_different_writes_are_none(tmp_path: Path, source: Path) -> None:
    cache, files = Cache(tmp_path / "cache"), (Identity.of(source),)
    cache.put("tensorboard", "", Entry([("", imported())], files))
    (path,) = (tmp_path / "cache").glob("*.tensors.arrow")
    old = path.read_bytes()
    cache.put("tensorboard", "", Entry([("", imported())], files))
    path.write_bytes(old)
    assert cache.get("tensorboard", "", files) is None


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    sources = []
    for number in range(4):
        path = tmp_path / f"file{number}"
        path.write_bytes(b"x")
        sources.append((Identity.of(path),))
    Cache(directory).put("tensorboard", "", Entry([("", imported())], sources[0]))
    one = Cache(directory).size()[1]
    cache = Cache(directory, limit=3 * one + 100)
    for number, files in enumerate(sources[1:], 1):
        for path in directory.iterdir():
            os.utime(path, (path.stat().st_atime - 100, path.stat().st_mtime - 100))
        assert cache.get("tensorboard", "", sources[0]) is not None, "it was used last"
        cache.put("tensorboard", "", Entry([("", imported())], files))
        assert cache.size()[0] == min(number + 1, 3)
    assert cache.get("tensorboard", "", sources[0]) is not None
    assert cache.get("tensorboard", "", sources[1]) is None


def test_clear_removes_entries_and_nothing_else(tmp_path: Path, source: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("tensorboard", "", Entry([("", imported())], (Identity.of(source),)))
    (tmp_path / "cache" / "mine.txt").write_text("kept")
    assert cache.clear()[0] == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["mine.txt"]
    assert cache.size() == (0, 0)


def test_a_directory_that_cannot_be_written_keeps_nothing(tmp_path: Path, source: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    cache = Cache(tmp_path / "cache")
    cache.put("tensorboard", "", Entry([("", imported())], (Identity.of(source),)))
    assert cache.get("tensorboard", "", (Identity.of(source),)) is None
    assert cache.size() == (0, 0)
