"""The documentation is what the code does: generated pages are fresh, settings are all there, links lead somewhere, commands exist."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from markdown_it import MarkdownIt

from mlcheck import api, settings
from mlcheck.cli.app import app
from mlcheck.settings.checker import checked
from tools import make_docs

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
HAND_WRITTEN = [path for path in PAGES if make_docs.REFERENCE not in path.parents]
CONFIGURATION = ROOT / "docs" / "configuration.md"


def test_the_reference_is_fresh() -> None:
    assert make_docs.stale(make_docs.REFERENCE, make_docs.pages()) == [], "run `make docs` and commit what it writes"


def test_pages_that_are_changed_missing_or_left_over_are_stale(tmp_path: Path) -> None:
    made = {"cli.md": "a\n", "rules/NUM001.md": "b\n"}
    assert make_docs.write(tmp_path, made) == ["cli.md", "rules/NUM001.md"]
    assert make_docs.stale(tmp_path, made) == []
    (tmp_path / "cli.md").write_text("other\n", encoding="utf-8")
    (tmp_path / "rules" / "NUM001.md").unlink()
    (tmp_path / "rules" / "OLD001.md").write_text("gone\n", encoding="utf-8")
    assert make_docs.write(tmp_path, made) == ["cli.md", "rules/NUM001.md", "rules/OLD001.md"]
    assert make_docs.stale(tmp_path, made) == []
    assert not (tmp_path / "rules" / "OLD001.md").exists()


def test_the_reference_does_not_hang_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_docs.pages()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERMINAL_WIDTH", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert make_docs.pages() == before


def test_texts_of_rules_become_no_markup() -> None:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    for name, text in make_docs.pages().items():
        tokens = [one for token in parser.parse(text) for one in (token, *(token.children or []))]
        markup = [token.content for token in tokens if token.type.startswith(("html", "em_", "strong_", "image"))]
        assert all(one.startswith("<!-- Made by") for one in markup), name


def test_each_setting_is_documented_with_its_variable_and_only_those() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| (.*?) \|$", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {key: variable.strip("`") for key, variable in rows}
    assert sorted(documented) == sorted(settings.keys())
    sample = {
        "fail-on": "info",
        "min-severity": "info",
        "jobs": "1",
        "max-chars": "5000",
        "strict": "1",
        "allow-empty": "1",
        "profile": "smoke",
    }
    for key, variable in documented.items():
        found = settings.from_environment({settings.variable(key): sample.get(key, "any")})
        assert variable == (settings.variable(key) if key in found.origins else ""), key


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: path.stem)
def test_settings_in_the_text_are_valid(path: Path) -> None:
    for block in re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        table = tomllib.loads(block)
        tools = table.get("tool", {}).get("mlcheck", table)
        assert checked(path, tools).origins


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "#")):
            file = (path.parent / target.partition("#")[0]).resolve()
            assert file.exists(), target
            assert file.is_relative_to(ROOT), target


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: path.stem)
def test_commands_and_options_in_the_text_exist(path: Path) -> None:
    known = _options()
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if "not built yet" not in line)
    for line in re.findall(r"(?:^ +(?:\$ )?|^\$ |`)(mlcheck [^`\n]*)", text, re.MULTILINE):
        for part in re.split(r"\s(?:\||&&|;)\s|\s{2,}#|\s>", line):
            words = part.split()
            if not words or words[0] != "mlcheck" or len(words) < 2 or not re.fullmatch(r"[a-z]+", words[1]):
                continue
            name = " ".join(words[1:3]) if words[1] in ("baseline", "cache") and len(words) > 2 else words[1]
            if name in ("baseline", "cache"):
                continue
            assert name in known, line
            given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert given <= known[name] | {"--help", "-h"}, line


def _options() -> dict[str, set[str]]:
    import typer

    found: dict[str, set[str]] = {}

    def collect(prefix: str, command: object) -> None:
        for word, one in command.commands.items():  # type: ignore[attr-defined]
            if getattr(one, "commands", None):
                collect(f"{prefix}{word} ", one)
            else:
                found[prefix + word] = {name for param in one.params for name in param.opts}

    collect("", typer.main.get_command(app))
    return found


def _snippet(word: str) -> str:
    text = (ROOT / "docs" / "tensors.md").read_text(encoding="utf-8")
    return next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if word in block)


@pytest.mark.torch
def test_the_dump_of_pytorch_in_the_text_is_read_as_it_says(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    names: dict[str, Any] = {"torch": torch}
    exec(_snippet("def watch"), names)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    activations = names["watch"](model)
    with h5py.File(tmp_path / "tensors.h5", "w") as file:
        for step in (0, 10, 20):
            loss = model(torch.randn(16, 4)).square().mean()
            loss.backward()
            names["save"](file, step, model, loss, activations)
    (run,) = api.load(tmp_path)
    found = {series.name: (series.role, series.steps.tolist()) for series in run.series if series.kind != "fact"}
    parameters = [f"{layer}.{one}" for layer in (0, 2) for one in ("weight", "bias")]
    roles = {"activations/relu_1": "activation", "losses/train_loss": "loss"}
    roles |= {f"weights/{one}": "weight" for one in parameters} | {f"gradients/{one}": "gradient" for one in parameters}
    assert found == {name: (role, [0, 10, 20]) for name, role in roles.items()}


def test_the_parquet_in_the_text_is_read_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow
    import pyarrow.parquet

    tensor = np.arange(6.0).reshape(2, 3)
    dumped = [(step, f"{sort}/fc1.weight", tensor + step) for step in (0, 10) for sort in ("weights", "gradients")]
    (tmp_path / "runs" / "exp1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    exec(_snippet("pyarrow"), {"pyarrow": pyarrow, "dumped": dumped})
    (run,) = api.load(tmp_path / "runs")
    found = {series.name: (series.role, series.hints.shape) for series in run.series if series.kind == "tensor"}
    assert found == {"weights/fc1.weight": ("weight", (2, 3)), "gradients/fc1.weight": ("gradient", (2, 3))}


def _shown() -> list[Any]:
    """Commands over the bundled runs, with what the text says that they print."""
    found = []
    for name in ("getting-started", "gate"):
        text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        for command, output in re.findall(
            r"^    \$ mlcheck ((?:scan|inspect) .*)\n((?:    (?!\$ ).*\n|\n)*)", text, re.MULTILINE
        ):
            found.append(pytest.param(command, [line[4:] for line in output.splitlines()], id=command))
    return found


@pytest.mark.parametrize(("command", "expected"), _shown())
def test_output_in_the_text_is_real(command: str, expected: list[str], tmp_path: Path) -> None:
    for name, fixture in (("overfit", "overfit"), ("healthy", "healthy-classifier"), ("spike", "spike-heals")):
        shutil.copytree(ROOT / "fixtures" / fixture, tmp_path / "runs" / name)
    if any("set aside" in line for line in expected):
        _mlcheck("baseline write runs", tmp_path)
    assert _without_time(_mlcheck(command, tmp_path)) == _without_time(expected)


def _mlcheck(command: str, directory: Path) -> list[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "100", "MLCHECK_NO_CACHE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mlcheck", *command.split()],
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
        check=False,
    )
    return (done.stdout + done.stderr).splitlines()


def _without_time(lines: list[str]) -> str:
    return "\n".join(re.sub(r" · [0-9.]+ s$", "", line) if line.startswith("exit ") else line for line in lines).strip()
