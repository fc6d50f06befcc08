import datetime
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
        max-chars = 9000
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
    assert given.max_chars == 9_000
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
        ("max-chars = 1999", "whole number from 2,000"),
        ("max-chars = '9000'", "whole number from 2,000"),
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
    (tmp_path / "pyproject.toml").write_text('[tool."ml\\u0063heck"]\nfail-on = "never"\n')
    assert settings.find(below) == tmp_path / "pyproject.toml"
    (tmp_path / "a" / "mlcheck.toml").write_text("")
    assert settings.find(below) == tmp_path / "a" / "mlcheck.toml"


def test_a_pyproject_that_is_none_is_an_error_where_it_may_be_ours(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mlcheck\n")
    with pytest.raises(ConfigError, match="not TOML"):
        settings.find(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mlcheck.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        settings.load(path)


# Layers


def test_a_later_layer_wins_key_by_key() -> None:
    lower = settings.Settings(
        fail_on="info",
        strict=True,
        rules={"LOS002": settings.RuleSettings("info", {"sigmas": 9}), "LOS001": settings.RuleSettings("off")},
        origins={"fail-on": "file", "strict": "file", "rules": "file"},
    )
    upper = settings.Settings(
        fail_on="error",
        rules={"LOS002": settings.RuleSettings(None, {"share": 0.5})},
        origins={"fail-on": "--fail-on", "rules": "x"},
    )
    found = settings.over(upper, lower)
    assert (found.fail_on, found.strict) == ("error", True)
    assert found.rules["LOS002"] == settings.RuleSettings("info", {"sigmas": 9, "share": 0.5})
    assert found.rules["LOS001"].severity == "off"
    assert found.origins == {"fail-on": "--fail-on", "strict": "file", "rules": "x"}


def test_the_environment() -> None:
    given = {
        "MLCHECK_FAIL_ON": "warning",
        "MLCHECK_SELECT": "LOS, GRD001",
        "MLCHECK_STRICT": "1",
        "MLCHECK_JOBS": "3",
        "MLCHECK_REGIME": "",
    }
    found = settings.from_environment(given)
    assert (found.fail_on, found.select, found.strict, found.jobs, found.regime) == (
        "warning",
        ("LOS", "GRD001"),
        True,
        3,
        None,
    )
    assert found.origins["fail-on"] == "MLCHECK_FAIL_ON"
    assert "regime" not in found.origins
    for name, value in {"MLCHECK_FAIL_ON": "loud", "MLCHECK_JOBS": "many", "MLCHECK_STRICT": "perhaps"}.items():
        with pytest.raises(ConfigError, match="the environment"):
            settings.from_environment({name: value})


def test_profiles_are_settings() -> None:
    from mlcheck import api
    from mlcheck.engine.expect import check

    for name in settings.PROFILES:
        found = settings.profile(name)
        rules = api.registry()
        assert all(rules.get(word) for word in (*found.select, *found.require)), "names of rules that there are"
        check(found.expect)
        assert set(found.origins.values()) == {f"profile {name}"}
    with pytest.raises(ConfigError, match="did you mean smoke"):
        settings.profile("smok")


def test_suppressions_and_runs(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
        [[suppress]]
        rule = "overfit"
        reason = "known"
        expires = 2026-12-01
        steps = [0, 100]
        [[runs]]
        match = ["gan/*", "vae"]
        regime = "gan"
        rules = {LOS001 = {severity = "off"}}
        """,
    )
    (one,) = found.suppress
    assert (one.rule, one.run, one.steps, one.expires) == ("overfit", "*", (0, 100), datetime.date(2026, 12, 1))
    (runs,) = found.runs
    assert runs.fits("gan/1", "x")
    assert runs.fits("x", "vae")
    assert not runs.fits("vae2", "x")
    assert runs.rules["LOS001"].severity == "off"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[suppress]]\nrule = "overfit"', "has no `reason`"),
        ('[[suppress]]\nrule = "overfit"\nreason = " "', "has no `reason`"),
        ('[[suppress]]\nreason = "x"', "would suppress everything"),
        ('[[suppress]]\nrule = "x"\nreason = "x"\nexpire = 2026-01-01', "did you mean suppress"),
        ('[[suppress]]\nrule = "x"\nreason = "x"\nexpires = "soon"', "write a date"),
        ('[[suppress]]\nrule = "x"\nreason = "x"\nsteps = [5, 1]', "first and the last step"),
        ('[[runs]]\nregime = "gan"', "has no `match`"),
        ('suppress = "x"', "list of tables"),
        ('profile = "smok"', "must be one of smoke"),
        ('baselin = "x"', "did you mean baseline"),
    ],
)
def test_what_means_nothing_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)
