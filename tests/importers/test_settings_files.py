"""Settings beside a run's files become facts."""

import json
from pathlib import Path

import pytest

from mlcheck.importers.settings_files import SettingsImporter
from mlcheck.store.facts import run_facts


def facts(folder: Path, name: str, content: str) -> dict[str, object]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert SettingsImporter().accompanies(path, b"")
    return {fact.key: fact.value for fact in SettingsImporter().read(path, name).facts}


def test_the_names_that_writers_use(tmp_path: Path) -> None:
    for name in ("hparams.yaml", "args.yaml", "args.yml", "config.yaml", "opt.yaml", ".hydra/config.yaml"):
        assert facts(tmp_path, name, "lr: 1e-3\nmodel:\n  depth: 3\n") == {"lr": 0.001, "model/depth": 3.0}, name
    for name in ("params.json", "args.json", "hparams.json", "config.json"):
        assert facts(tmp_path, name, json.dumps({"lr": 0.001, "model": {"depth": 3}})) == {
            "lr": 0.001,
            "model/depth": 3,
        }


@pytest.mark.parametrize(
    "name", ["docker-compose.yaml", "package.json", "tsconfig.json", "model.yaml", ".hydra/hydra.yaml"]
)
def test_other_files_are_none(name: str) -> None:
    assert not SettingsImporter().accompanies(Path(name), b"")


def test_wandb_wraps_each_value(tmp_path: Path) -> None:
    text = "wandb_version: 1\n\nlr:\n  desc: null\n  value: 0.001\nepochs:\n  value: 3\n"
    found = facts(tmp_path, "config.yaml", text)
    assert (found["lr"], found["epochs"]) == (0.001, 3.0)


def test_python_objects_are_not_built_and_their_neighbours_are_read(tmp_path: Path) -> None:
    text = (
        "lr: 0.1\npath: !!python/object/apply:os.system\n- echo oops > /tmp/pwned\n"
        "opt: !!python/object:argparse.Namespace\n  momentum: 0.9\nshape: !!python/tuple\n- 1\n- 2\n"
    )
    assert facts(tmp_path, "hparams.yaml", text) == {"lr": 0.1, "opt/momentum": 0.9}


def test_they_become_run_facts(tmp_path: Path) -> None:
    path = tmp_path / "hparams.yaml"
    path.write_text("learning_rate: 0.01\nbatch_size: 32\n")
    known = run_facts(SettingsImporter().read(path, "hparams.yaml").facts)
    assert (known["learning_rate"], known["batch_size"]) == (0.01, 32)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("hparams.yaml", "a: [1,\nb: {", "line"),
        ("config.json", '{"a": 1,', "line 1"),
        ("config.json", "[" * 100_000, "no JSON"),
        ("hparams.yaml", "\x00\x01", "no YAML"),
    ],
)
def test_what_cannot_be_read_says_where(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    status = SettingsImporter().read(path, name).status
    assert status.status == "unreadable"
    assert words in (status.reason or "")


@pytest.mark.parametrize("content", ["", "just words", "- 1\n- 2\n", "null"])
def test_no_mapping_holds_no_settings(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    imported = SettingsImporter().read(path, "config.yaml")
    assert (imported.status.status, imported.facts) == ("read", ())
    assert "no settings" in (imported.status.reason or "")


def test_a_large_file_is_data(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(" " * 1_000_001)
    assert SettingsImporter().read(path, "config.json").status.status == "ignored"
