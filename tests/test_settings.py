from pathlib import Path

import pytest

from mlcheck import settings
from mlcheck.errors import ConfigError


def load(tmp_path: Path, text: str, name: str = "mlcheck.toml") -> settings.Settings:
    path = tmp_path / name
    path.write_text(text)
    return settings.load(path)


def test_all_keys(tmp_path: Path) -> None:
    given = load(
        tmp_path,
        """
        select = ["NUM", "loss"]
        ignore = "RUN001"
        fail-on = "warning"
        min-severity = "warning"
        output = ["json=report.json"]
        regime = "rl"
        strict = true
        jobs = 2
        rules-dirs = ["my-rules"]
        [roles]
        "my_loss$" = "loss"
        "^obj" = {role = "loss", split = "train", primary = true}
        [rules.RUN002]
        severity = "info"
        threshold = 600
        """,
    )
    assert given.select == ("NUM", "loss")
    assert given.ignore == ("RUN001",)
    assert given.fail_on == "warning"
    assert given.roles[0] == settings.RoleSetting("my_loss$", "loss", {})
    assert given.roles[1].labels == {"split": "train", "primary": "true"}
    assert given.rules["RUN002"] == settings.RuleSettings("info", {"threshold": 600})
    assert given.path == str(tmp_path / "mlcheck.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("selct = []", "did you mean select?"),
        ("fail_on = 'error'", "did you mean fail-on?"),
        ("fail-on = 'fatal'", "error, warning, info, never"),
        ("select = 3", "list of words"),
        ("strict = 'yes'", "true or false"),
        ("jobs = 0", "whole number"),
        ("jobs = true", "whole number"),
        ("[rules.NUM001]\nseverity = 'fatal'", "error, warning, info, off"),
        ("[rules.NUM001]\nx = [1]", "rules.NUM001.x"),
        ("rules = 1", "table"),
        ("[roles]\nx = {split = 'val'}", "role"),
        ("select = [", "not TOML"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "mlcheck.toml") in str(caught.value)
    assert words in str(caught.value)


def test_pyproject_counts_only_with_our_table(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert settings.find(below) is None or not settings.find(below).is_relative_to(tmp_path)  # type: ignore[union-attr]
    (tmp_path / "pyproject.toml").write_text("[tool.mlcheck]\nfail-on = 'never'\n")
    found = settings.find(below)
    assert found == tmp_path / "pyproject.toml"
    assert settings.load(found).fail_on == "never"
    (tmp_path / "a" / "mlcheck.toml").write_text("")
    assert settings.find(below) == tmp_path / "a" / "mlcheck.toml"


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mlcheck.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        settings.load(path)
