"""Settings from `mlcheck.toml` or `[tool.mlcheck]` in `pyproject.toml`, from `MLCHECK_…` variables and from profiles: validated, and every
unknown key an error with a suggestion. What stands higher wins, key by key: command line, environment, file, profile, the rule itself.
"""

import datetime
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mlcheck.errors import ConfigError, did_you_mean

FILE_NAME = "mlcheck.toml"
BASELINE_FILE = ".mlcheck-baseline.json"
"""Where `mlcheck baseline write` writes, and where a scan looks, unless another file is named."""
Scalar = str | float | bool

FAIL_ON = ("error", "warning", "info", "never")
SEVERITIES = ("error", "warning", "info")
LEAST_CHARS = 2_000
"""Fewer characters hold no Markdown report that says what it must."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What the user set for one rule."""

    severity: str | None = None
    """error, warning, info, or off."""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    source: str = field(default="configuration", compare=False)
    """The file that says so, for errors."""


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """A role that the user gives to the tags that match a pattern."""

    pattern: str
    """Glob over the tag, or over the series' name with its directory; case matters."""
    role: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suppression:
    """Findings that the user knows of and does not want to fail on: all of its conditions hold."""

    reason: str
    rule: str = "*"
    """Id or name, or a glob over either."""
    run: str = "*"
    """Glob over the run's name, its path or its lane."""
    series: str = "*"
    """Glob over the names of the series that were judged."""
    steps: tuple[int, int] | None = None
    """First and last step; a finding that reaches beyond them is not meant."""
    expires: datetime.date | None = None
    """The last day on which it holds."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What holds for some runs only."""

    match: Sequence[str]
    """Globs over the run's name, path or lane."""
    rules: Mapping[str, RuleSettings] = field(default_factory=dict)
    regime: str | None = None

    def fits(self, *words: str) -> bool:
        """Whether a run of this name, path and lane is meant."""
        return any(fnmatchcase(word, glob) for glob in self.match for word in words)


@dataclass(frozen=True, slots=True)
class Group:
    """Repeated runs that are judged together (language.md fix 5)."""

    pattern: str
    """Regular expression over the run's name; runs whose names are equal outside of its groups belong together: `lr1-seed(\\d+)`."""
    across: str = "all"
    """any: each finding stands for itself; majority, all: in that many of the runs that could be judged."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that `mlcheck learn` took from good runs."""

    run: str
    """Glob over the run's name or lane."""
    series: str
    """Name of the series; empty for a number of the whole run."""
    statistic: str
    """best, final, median, step_seconds."""
    high: float | None
    """The run may reach up to this; None where it is harmful to be low."""
    low: float | None
    usual: float
    """Median of the good runs."""
    noise: float
    """Their standard deviation, or the noise within them if that is greater."""
    runs: int
    """Good runs that it is taken from."""


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
    max_chars: int | None = None
    """Longest Markdown."""
    regime: str | None = None
    strict: bool = False
    jobs: int | None = None
    rules_dirs: Sequence[str] = ()
    """`rules-dirs`: more directories with rule files, relative to the configuration file."""
    roles: Sequence[RoleSetting] = ()
    rules: Mapping[str, RuleSettings] = field(default_factory=dict)
    """By rule id or name."""
    runs: Sequence[RunSettings] = ()
    """Settings for the runs that match; a later table wins."""
    groups: Sequence[Group] = ()
    limits: Sequence[Limit] = ()
    """What `mlcheck learn` wrote."""
    suppress: Sequence[Suppression] = ()
    baseline: str | None = None
    """Findings that are accepted: a file that `mlcheck baseline write` wrote, relative to the configuration file."""
    require: Sequence[str] = ()
    expect: Sequence[str] = ()
    """`runs=2`, `min-steps=100`, `metric=loss`."""
    allow_empty: bool = False
    profile: str | None = None
    """A set of settings under a name: smoke."""
    path: str | None = None
    """The file that they came from."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Key to where its value came from, for every key that was set."""


ACROSS = ("any", "majority", "all")
"""How many runs of a group must have a finding."""
PROFILES = ("smoke",)
"""Names of the files in `profiles/`."""


def keys() -> list[str]:
    """All keys of a configuration file."""
    return [one.name.replace("_", "-") for one in fields(Settings) if one.name not in ("path", "origins")]


def over(upper: Settings, lower: Settings) -> Settings:
    """Two layers as one: each key that the upper one sets wins, rules and roles one by one, lists of tables together."""
    values: dict[str, Any] = {}
    for key in upper.origins:
        name = key.replace("-", "_")
        mine, theirs = getattr(upper, name), getattr(lower, name)
        if name == "rules":
            values[name] = {**theirs, **{rule: _merged(theirs.get(rule), one) for rule, one in mine.items()}}
        elif name in ("roles", "runs", "groups", "limits", "suppress"):
            # The first role that matches wins, and the last table for a run.
            values[name] = (*mine, *theirs) if name == "roles" else (*theirs, *mine)
        else:
            values[name] = mine
    path = upper.path or lower.path
    return replace(lower, **values, path=path, origins={**lower.origins, **upper.origins})


def _merged(lower: RuleSettings | None, upper: RuleSettings) -> RuleSettings:
    if lower is None:
        return upper
    return RuleSettings(upper.severity or lower.severity, {**lower.params, **upper.params}, upper.source)


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
    settings = _Checker(Path("the environment")).settings(data)
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
    from importlib.resources import files

    if name not in PROFILES:
        raise ConfigError(f"no profile {name!r}; {did_you_mean(name, PROFILES) or 'known: ' + ', '.join(PROFILES)}")
    text = files("mlcheck").joinpath(f"profiles/{name}.toml").read_text(encoding="utf-8")
    settings = _Checker(Path(f"profile {name}")).settings(tomllib.loads(text))
    return replace(settings, path=None, origins=dict.fromkeys(settings.origins, f"profile {name}"))


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
        known = keys()
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
            "max-chars": lambda key, value: self.count(key, value, LEAST_CHARS),
            "roles": self.roles,
            "rules": self.rules,
            "runs": self.runs,
            "groups": self.groups,
            "limits": self.limits,
            "suppress": self.suppressions,
            "baseline": self.text,
            "require": self.words,
            "expect": self.words,
            "allow-empty": self.flag,
            "profile": lambda key, value: self.choice(key, value, PROFILES),
        }
        values = {}
        for key, value in data.items():
            if key not in known:
                raise self.fail(_unknown("key", key, known))
            values[key.replace("-", "_")] = readers[key](key, value)
        return Settings(**values, path=str(self.path), origins={key: str(self.path) for key in data})

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

    def count(self, key: str, value: Any, least: int = 1) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.fail(f"`{key}` must be a whole number from {least:,}, not {value!r}")
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

    def table(self, key: str, value: Any, known: Sequence[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(f"`{key}` must be a table, not {value!r}")
        for name in value:
            if name not in known:
                raise self.fail(_unknown("key", f"{key}.{name}", [f"{key}.{one}" for one in known]))
        return value

    def runs(self, key: str, value: Any) -> tuple[RunSettings, ...]:
        if not isinstance(value, list):
            raise self.fail('`runs` is a list of tables: [[runs]] with `match = "gan/*"`, and `rules` or `regime`')
        found = []
        for number, given in enumerate(value, 1):
            name = f"runs[{number}]"
            table = self.table(name, given, ("match", "rules", "regime"))
            if "match" not in table:
                raise self.fail(f"`{name}` has no `match`: a glob over the names of the runs that it is for")
            regime = self.text(f"{name}.regime", table["regime"]) if "regime" in table else None
            globs = self.words(f"{name}.match", table["match"])
            found.append(RunSettings(globs, self.rules(f"{name}.rules", table.get("rules", {})), regime))
        return tuple(found)

    def groups(self, key: str, value: Any) -> tuple[Group, ...]:
        if not isinstance(value, list):
            raise self.fail('`groups` is a list of tables: [[groups]] with `pattern = "seed(\\d+)"` and `across`')
        found = []
        for number, given in enumerate(value, 1):
            name = f"groups[{number}]"
            table = self.table(name, given, ("pattern", "across"))
            pattern = self.text(f"{name}.pattern", table.get("pattern"))
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise self.fail(f"`{name}.pattern` is no regular expression: {error}") from None
            if not groups:
                raise self.fail(f'`{name}.pattern` has no group for what differs between the runs: "seed(\\d+)"')
            found.append(Group(pattern, self.choice(f"{name}.across", table.get("across", "all"), ACROSS)))
        return tuple(found)

    def limits(self, key: str, value: Any) -> tuple[Limit, ...]:
        if not isinstance(value, list):
            raise self.fail("`limits` is a list of tables [[limits]]; `mlcheck learn` writes them")
        found = []
        for number, given in enumerate(value, 1):
            name = f"limits[{number}]"
            table = self.table(name, given, tuple(one.name for one in fields(Limit)))
            texts = {one: self.text(f"{name}.{one}", table.get(one)) for one in ("run", "series", "statistic")}
            bounds = {one: self.number(f"{name}.{one}", table[one]) for one in ("low", "high") if one in table}
            if len(bounds) != 1:
                raise self.fail(f"`{name}` needs one of `low` and `high`")
            usual, noise = (self.number(f"{name}.{one}", table.get(one, 0.0)) for one in ("usual", "noise"))
            runs = self.count(f"{name}.runs", table.get("runs", 1))
            found.append(
                Limit(**texts, high=bounds.get("high"), low=bounds.get("low"), usual=usual, noise=noise, runs=runs)
            )
        return tuple(found)

    def number(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.fail(f"`{key}` must be a number, not {value!r}")
        return float(value)

    def suppressions(self, key: str, value: Any) -> tuple[Suppression, ...]:
        if not isinstance(value, list):
            raise self.fail(
                "`suppress` is a list of tables: [[suppress]] with `rule`, `run`, `series` or `steps`, and a `reason`"
            )
        return tuple(self.suppression(f"suppress[{number}]", given) for number, given in enumerate(value, 1))

    def suppression(self, name: str, given: Any) -> Suppression:
        table = self.table(name, given, tuple(one.name for one in fields(Suppression)))
        reason = table.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            raise self.fail(f"`{name}` has no `reason`: say why these findings are fine")
        globs = {key: self.text(f"{name}.{key}", table[key]) for key in ("rule", "run", "series") if key in table}
        if not globs and "steps" not in table:
            raise self.fail(f"`{name}` would suppress everything: give `rule`, `run`, `series` or `steps`")
        expires = table.get("expires")
        if isinstance(expires, str):
            try:
                expires = datetime.date.fromisoformat(expires)
            except ValueError:
                raise self.fail(f"`{name}.expires` is {expires!r}; write a date such as 2027-01-31") from None
        if isinstance(expires, datetime.datetime):
            expires = expires.date()
        if expires is not None and not isinstance(expires, datetime.date):
            raise self.fail(f"`{name}.expires` is {expires!r}; write a date such as 2027-01-31")
        return Suppression(
            reason.strip(), **globs, steps=self.steps(f"{name}.steps", table.get("steps")), expires=expires
        )

    def steps(self, key: str, value: Any) -> tuple[int, int] | None:
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or len(value) != 2
            or any(isinstance(one, bool) or not isinstance(one, int) for one in value)
            or value[0] > value[1]
        ):
            raise self.fail(f"`{key}` is {value!r}; write the first and the last step, such as [0, 500]")
        return value[0], value[1]

    def rules(self, key: str, value: Any) -> dict[str, RuleSettings]:
        if not isinstance(value, dict):
            raise self.fail(f"`{key}` is a table from rule id to its settings")
        settings = {}
        for rule, given in value.items():
            if not isinstance(given, dict):
                raise self.fail(f'`{key}.{rule}` must be a table, such as {{severity = "warning"}}')
            params = dict(given)
            severity = params.pop("severity", None)
            if severity is not None and severity not in (*SEVERITIES, "off"):
                raise self.fail(f"`{key}.{rule}.severity` is {severity!r}; it must be one of error, warning, info, off")
            for name, one in params.items():
                if not isinstance(one, str | int | float | bool):
                    raise self.fail(f"`{key}.{rule}.{name}` must be a number, text, true or false")
            settings[rule] = RuleSettings(severity, params, str(self.path))
        return settings


def _unknown(sort: str, word: str, known: Sequence[str]) -> str:
    hint = did_you_mean(word, known) or "known: " + ", ".join(sorted(known))
    return f"unknown {sort} `{word}`; {hint}"
