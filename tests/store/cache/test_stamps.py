"""Stamps change with whatever may change what a scan finds."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlcheck.store.cache import stamps


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "runs"
    (top / "a").mkdir(parents=True)
    (top / "a" / "events").write_bytes(b"12345")
    (top / "a" / "link").symlink_to("events")
    (top / ".git").mkdir()
    (top / ".git" / "index").write_bytes(b"1")
    return top


def stamp(top: Path) -> str:
    return stamps.of_tree(str(top), enters=lambda name: not name.startswith("."))


def rewrite(top: Path) -> None:
    """Other bytes, and the old time of modification put back."""
    path = top / "a" / "events"
    before = path.stat()
    path.write_bytes(b"54321")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "rewritten, its time put back": rewrite,
    "longer": lambda top: (top / "a" / "events").write_bytes(b"123456"),
    "a new file": lambda top: (top / "b").write_bytes(b""),
    "a new directory": lambda top: (top / "a" / "train").mkdir(),
    "a new directory that is not looked into": lambda top: (top / ".other").mkdir(),
    "gone": lambda top: (top / "a" / "events").unlink(),
    "another name": lambda top: (top / "a" / "events").rename(top / "a" / "other"),
    "not to be read": lambda top: (top / "a" / "events").chmod(0),
    "a directory not to be listed": lambda top: (top / "a").chmod(0o500),
    "a link to something else": lambda top: [(top / "a" / "link").unlink(), (top / "a" / "link").symlink_to("..")],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_tree_is_another_after(tree: Path, change: Callable[[Path], object]) -> None:
    before = stamp(tree)
    assert stamp(tree) == before
    change(tree)
    assert stamp(tree) != before
    (tree / "a").chmod(0o700)


def test_what_is_not_looked_at_does_not_count(tree: Path) -> None:
    before = stamp(tree)
    (tree / ".git" / "index").write_bytes(b"2")
    (tree / ".git" / "new").write_bytes(b"2")
    temporary = tree / "a" / "temporary"
    temporary.write_bytes(b"")
    temporary.unlink()
    assert stamp(tree) == before


def test_a_tree_that_is_too_large_has_no_stamp(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "ENTRIES", 3)
    with pytest.raises(stamps.Unstable):
        stamp(tree)


def test_a_file_that_may_change_within_its_own_time_has_no_stamp(tree: Path) -> None:
    path = tree / "a" / "events"
    now = 1_800_000_000_500_000_000
    os.utime(path, ns=(0, 1_800_000_000_000_000_000))
    with pytest.raises(stamps.Unstable):
        stamps.of_file(str(path), now)
    assert stamps.of_file(str(path), now + 10**10)
    os.utime(path, ns=(0, 1_800_000_000_000_000_001))
    assert stamps.of_file(str(path), now), "this file system tells nanoseconds"


def test_the_program_is_another_with_another_package_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    before = stamps.of_program()
    assert stamps.of_program() == before
    (tmp_path / "numpy-9.9.dist-info").mkdir()
    assert stamps.of_program() != before


def test_a_package_of_an_importer_of_its_own_has_no_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        def find_distributions(self, context: object = None) -> list[object]:
            return []

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    with pytest.raises(stamps.Unstable):
        stamps.of_program()


def test_stamps_need_no_numpy() -> None:
    code = "import sys; from mlcheck.store.cache import stamps; stamps.of_program(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
