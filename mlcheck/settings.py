"""Settings from `mlcheck.toml` or `[tool.mlcheck]` in `pyproject.toml`: validated, and every unknown key an error with a suggestion."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mlcheck.errors import ConfigError, did_you_mean

FILE_NAME = "mlcheck.toml"
Scalar = str | float | bool

FAIL_ON = ("error", "warning", "info", "never")
SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What the user set for one rule."""

    severity: str | None = None
    """error, warning, info, or off."""
    params: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """A role that the user gives to the tags that match a pattern."""

    pattern: str
    """Glob over the tag, or over the series' name with its directory; case matters."""
    role: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a configuration file can say. Field names are the keys of the file, with `-` for `_`."""

    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    fail_on: str | None = None
    fail_when: str | None = None
    """any, all, or a share of the runs, such as `20%`."""
    min_severity: str | None = None
    output: Sequence[str] = ()
    regime: str | None = None
    strict: bool = False
    jobs: int | None = None
    rules_dirs: Sequence[str] = ()
    """`rules-dirs`: more directories with rule files, relative to the configuration file."""
    roles: Sequence[RoleSetting] = ()
    rules: Mapping[str, RuleSettings] = field(default_factory=dict)
    """By rule id or name."""
    path: str | None = None
    """The file that they came from."""


def find(start: Path) -> Path | None:
    """The nearest configuration file: `mlcheck.toml`, or a `pyproject.toml` with `[tool.mlcheck]`, in `start` or above it."""
    for directory in (start, *start.parents):
        own = directory / FILE_NAME
        if own.is_file():
            return own
        project = directory / "pyproject.toml"
        if project.is_file() and "mlcheck" in _tools(project):
            return project
    return None


def load(path: Path) -> Settings:
    """Read and check one configuration file. Raises ConfigError naming the file and the key."""
    data = _read(path)
    if path.name == "pyproject.toml":
        data = _tools(path).get("mlcheck", {})
        if not isinstance(data, dict):
            raise ConfigError(f"{path}: `tool.mlcheck` must be a table, not {data!r}")
    return _Checker(path).settings(data)


def _tools(path: Path) -> dict[str, Any]:
    """The table `tool` of a pyproject.toml; empty for one that has none."""
    tools = _read(path).get("tool", {})
    return tools if isinstance(tools, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None


class _Checker:
    """Checks each key's type and value; errors name the file and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, message: str) -> ConfigError:
        return ConfigError(f"{self.path}: {message}")

    def settings(self, data: Mapping[str, Any]) -> Settings:
        known = [one.name.replace("_", "-") for one in fields(Settings) if one.name != "path"]
        readers: dict[str, Callable[[str, Any], Any]] = {
            "select": self.words,
            "ignore": self.words,
            "output": self.words,
            "rules-dirs": self.words,
            "fail-on": lambda key, value: self.choice(key, value, FAIL_ON),
            "min-severity": lambda key, value: self.choice(key, value, SEVERITIES),
            "regime": self.text,
            "fail-when": self.text,
            "strict": self.flag,
            "jobs": self.count,
            "roles": self.roles,
            "rules": self.rules,
        }
        values = {}
        for key, value in data.items():
            if key not in known:
                raise self.fail(_unknown("key", key, known))
            values[key.replace("-", "_")] = readers[key](key, value)
        return Settings(**values, path=str(self.path))

    def words(self, key: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise self.fail(f"`{key}` must be a list of words, not {value!r}")

    def text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self.fail(f"`{key}` must be text, not {value!r}")
        return value

    def choice(self, key: str, value: Any, choices: Sequence[str]) -> str:
        if value not in choices:
            raise self.fail(f"`{key}` is {value!r}; it must be one of {', '.join(choices)}")
        return str(value)

    def flag(self, key: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self.fail(f"`{key}` must be true or false, not {value!r}")
        return value

    def count(self, key: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.fail(f"`{key}` must be a whole number from 1, not {value!r}")
        return value

    def roles(self, key: str, value: Any) -> tuple[RoleSetting, ...]:
        if not isinstance(value, dict):
            raise self.fail('`roles` is a table from pattern to role, such as "my_loss$" = "loss"')
        settings = []
        for pattern, given in value.items():
            labels = {"role": given} if isinstance(given, str) else given
            if not isinstance(labels, dict) or not isinstance(labels.get("role"), str):
                raise self.fail(f"`roles.{pattern}` must be a role, or a table with `role` and labels")
            rest = {name: str(one).lower() if isinstance(one, bool) else str(one) for name, one in labels.items()}
            role = rest.pop("role")
            settings.append(RoleSetting(pattern, role, rest))
        return tuple(settings)

    def rules(self, key: str, value: Any) -> dict[str, RuleSettings]:
        if not isinstance(value, dict):
            raise self.fail("`rules` is a table from rule id to its settings")
        settings = {}
        for rule, given in value.items():
            if not isinstance(given, dict):
                raise self.fail(f'`rules.{rule}` must be a table, such as {{severity = "warning"}}')
            params = dict(given)
            severity = params.pop("severity", None)
            if severity is not None and severity not in (*SEVERITIES, "off"):
                raise self.fail(f"`rules.{rule}.severity` is {severity!r}; it must be one of error, warning, info, off")
            for name, one in params.items():
                if not isinstance(one, str | int | float | bool):
                    raise self.fail(f"`rules.{rule}.{name}` must be a number, text, true or false")
            settings[rule] = RuleSettings(severity, params)
        return settings


def _unknown(sort: str, word: str, known: Sequence[str]) -> str:
    hint = did_you_mean(word, known) or "known: " + ", ".join(sorted(known))
    return f"unknown {sort} `{word}`; {hint}"
