"""What is kept of scans: believed while it is whole, ours, and of the same state; under one limit with the imported files."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlcheck.store.cache import room, verdicts
from mlcheck.store.cache.verdicts import Verdicts

VALUES: dict[str, list[object]] = {"a": [1, 1.0, None, True, "\u00e9\udc80"], "b": []}


def kept(directory: Path) -> Path:
    (path,) = directory.glob("*.verdict")
    return path


def test_values_come_back_for_the_same_state_only(tmp_path: Path) -> None:
    one = Verdicts(tmp_path / "cache", 10**6)
    assert one.get("scan", "state") is None
    one.put("scan", "state", json.dumps(VALUES))
    assert one.get("scan", "state") == VALUES
    assert one.get("scan", "another state") is None
    assert one.get("another scan", "state") is None
    one.put("scan", "another state", "[]")
    assert one.get("scan", "state") is None, "a run that changed takes the place of what it was"
    assert one.get("scan", "another state") == []
    assert room.size(tmp_path / "cache")[0] == 1


def test_damage_anywhere_makes_it_none(tmp_path: Path) -> None:
    one = Verdicts(tmp_path, 10**6)
    one.put("scan", "state", json.dumps(VALUES))
    path = kept(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at])
        assert one.get("scan", "state") is None, at
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert one.get("scan", "state") is None
    path.write_bytes(whole)
    assert one.get("scan", "state") == VALUES


def test_one_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    one = Verdicts(tmp_path, 10**6)
    one.put("scan", "state", json.dumps(VALUES))
    path = kept(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    for mode in (0o620, 0o602, 0o666):
        path.chmod(mode)
        assert one.get("scan", "state") is None
    path.chmod(0o644)
    assert one.get("scan", "state") == VALUES


def test_what_is_too_long_is_neither_written_nor_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Verdicts(tmp_path, 10**6)
    one.put("scan", "state", json.dumps(VALUES))
    monkeypatch.setattr(verdicts, "LARGEST", kept(tmp_path).stat().st_size - 1)
    assert one.get("scan", "state") is None
    one.put("more", "state", json.dumps(VALUES))
    assert one.get("more", "state") is None
    assert len(list(tmp_path.iterdir())) == 1


def test_what_was_not_used_for_longest_goes_first_and_imported_files_count(tmp_path: Path) -> None:
    one = Verdicts(tmp_path, 10**6)
    for number in range(4):
        one.put(f"scan {number}", "state", json.dumps("x" * 1000))
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    assert one.get("scan 2", "state"), "it was used last"
    (tmp_path / "a.scalars.arrow").write_bytes(bytes(1000))
    (tmp_path / "mine.txt").write_bytes(bytes(5000))
    size = path.stat().st_size
    Verdicts(tmp_path, size + 1000).evict()
    assert {path.name for path in tmp_path.iterdir()} == {"a.scalars.arrow", "mine.txt", one._path("scan 2").name}
    assert room.size(tmp_path) == (2, size + 1000)
    assert room.clear(tmp_path) == (2, size + 1000)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_a_killed_writer_left_is_counted_and_cleared(tmp_path: Path) -> None:
    (tmp_path / "abc.verdict.tmp-1-2").write_bytes(bytes(10))
    (tmp_path / "abc.scalars.arrow.tmp-1-2").write_bytes(bytes(10))
    (tmp_path / "notes.tmp-1").write_bytes(bytes(10))
    assert room.size(tmp_path)[1] == 20
    room.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.tmp-1"]


def test_many_writers_of_one_entry_leave_a_whole_one(tmp_path: Path) -> None:
    one = Verdicts(tmp_path, 10**6)

    def write(number: int) -> None:
        one.put("scan", "state", json.dumps([number] * 5000))
        found = one.get("scan", "state")
        assert found is not None
        assert len(set(found)) == 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert [path.suffix for path in tmp_path.iterdir()] == [".verdict"]


def test_a_directory_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    one = Verdicts(tmp_path / "cache", 10**6)
    one.put("scan", "state", json.dumps(VALUES))
    one.evict()
    assert one.get("scan", "state") is None
