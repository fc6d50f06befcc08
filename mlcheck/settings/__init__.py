"""Settings from `mlcheck.toml` or `[tool.mlcheck]` in `pyproject.toml`, from `MLCHECK_…` variables and from profiles: validated, and every
unknown key an error with a suggestion. What stands higher wins, key by key: command line, environment, file, profile, the rule itself.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlcheck.errors import ConfigError, did_you_mean
from mlcheck.records import replace
from mlcheck.settings.model import (
    ACROSS,
    FAIL_ON,
    LEAST_CHARS,
    PROFILES,
    SEVERITIES,
    CompareValue,
    Group,
    Limit,
    RoleSetting,
    RuleSettings,
    RunSettings,
    Scalar,
    Settings,
    Suppression,
    keys,
    over,
)

__all__ = [
    "ACROSS",
    "BASELINE_FILE",
    "FAIL_ON",
    "FILE_NAME",
    "LEAST_CHARS",
    "PREFIX",
    "PROFILES",
    "SEVERITIES",
    "CompareValue",
    "Group",
    "Limit",
    "RoleSetting",
    "RuleSettings",
    "RunSettings",
    "Scalar",
    "Settings",
    "Suppression",
    "find",
    "from_environment",
    "keys",
    "load",
    "over",
    "profile",
    "variable",
]

FILE_NAME = "mlcheck.toml"
BASELINE_FILE = ".mlcheck-baseline.json"

PREFIX = "MLCHECK_"
_FROM_ENVIRONMENT = (
    "select", "ignore", "fail-on", "fail-when", "min-severity", "output", "max-chars", "regime", "strict", "jobs", "rules-dirs",
    "baseline", "require", "expect", "allow-empty", "profile",
)  # fmt: skip
"""Keys whose value fits into a variable."""


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """What variables such as `MLCHECK_FAIL_ON` say; lists are separated by commas, an empty one says nothing. Raises ConfigError."""
    given = os.environ if environment is None else environment
    data: dict[str, Any] = {}
    for key in _FROM_ENVIRONMENT:
        text = given.get(variable(key), "").strip()
        if text:
            data[key] = _typed(key, text)
    if not data:
        return Settings()
    settings = _checked(Path("the environment"), data)
    return replace(settings, path=None, origins={key: variable(key) for key in data})


def variable(key: str) -> str:
    """`MLCHECK_FAIL_ON` for `fail-on`."""
    return PREFIX + key.replace("-", "_").upper()


def _typed(key: str, text: str) -> Any:
    if key in ("select", "ignore", "output", "rules-dirs", "require", "expect"):
        return [word.strip() for word in text.split(",") if word.strip()]
    if key in ("strict", "allow-empty"):
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)
    return int(text) if key in ("jobs", "max-chars") and text.isdecimal() else text


def profile(name: str) -> Settings:
    """The settings of a profile. Raises ConfigError for one that there is not."""
    import tomllib
    from importlib.resources import files

    if name not in PROFILES:
        raise ConfigError(f"no profile {name!r}; {did_you_mean(name, PROFILES) or 'known: ' + ', '.join(PROFILES)}")
    text = files("mlcheck").joinpath(f"profiles/{name}.toml").read_text(encoding="utf-8")
    settings = _checked(Path(f"profile {name}"), tomllib.loads(text))
    return replace(settings, path=None, origins=dict.fromkeys(settings.origins, f"profile {name}"))


def find(start: Path) -> Path | None:
    """The nearest configuration file: `mlcheck.toml`, or a `pyproject.toml` with `[tool.mlcheck]`, in `start` or above it."""
    for directory in (start, *start.parents):
        own = directory / FILE_NAME
        if own.is_file():
            return own
        project = directory / "pyproject.toml"
        if project.is_file() and _may_name_us(project) and "mlcheck" in _tools(project):
            return project
    return None


def _may_name_us(path: Path) -> bool:
    """Whether a file may have a table of that name: most have not, and the parser takes a thirtieth of the time of a small scan to load."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    # A quoted key may be written in escapes.
    return b"mlcheck" in data or b"\\u" in data.lower()


def load(path: Path) -> Settings:
    """Read and check one configuration file. Raises ConfigError naming the file and the key."""
    data = _read(path)
    if path.name == "pyproject.toml":
        data = _tools(path).get("mlcheck", {})
        if not isinstance(data, dict):
            raise ConfigError(f"{path}: `tool.mlcheck` must be a table, not {data!r}")
    return _checked(path, data)


def _checked(path: Path, data: Mapping[str, Any]) -> Settings:
    from mlcheck.settings.checker import checked

    return checked(path, data)


def _tools(path: Path) -> dict[str, Any]:
    """The table `tool` of a pyproject.toml; empty for one that has none."""
    tools = _read(path).get("tool", {})
    return tools if isinstance(tools, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    import tomllib

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
