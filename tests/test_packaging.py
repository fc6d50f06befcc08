"""The wheel, as somebody installs it who has no checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(target),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_carries_the_rules_and_the_tables(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    rules = {
        f"mlcheck/_rules/{path.relative_to(ROOT / 'rules').as_posix()}" for path in (ROOT / "rules").rglob("*.yaml")
    }
    assert len(rules) >= 8
    assert rules <= names
    assert {"mlcheck/store/data/roles.toml", "mlcheck/py.typed"} <= names
    assert not any(name.startswith(("tests/", "fixtures/", "bench/")) for name in names)


@pytest.mark.slow
def test_it_installs_into_a_fresh_environment_and_scans(wheel: Path, tmp_path: Path) -> None:
    """With the dependencies that it declares, and nothing else; from a directory that is no checkout."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(wheel)], check=True, capture_output=True)
    for command in ("mlcheck", "mlcheck-scan"):
        done = subprocess.run(
            [str(python.parent / command), "scan", str(ROOT / "fixtures" / "diverging")],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert "LOS003" in done.stdout
    tested = subprocess.run(
        [str(python.parent / "mlcheck"), "test"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert tested.returncode == 0
    assert ", 0 failed" in tested.stdout
