"""Each key of a configuration file, checked for its type and its value; errors name the file and the key."""

import datetime
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mlcheck.errors import ConfigError, did_you_mean
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
    Settings,
    Suppression,
    keys,
)


def checked(path: Path, data: Mapping[str, Any]) -> Settings:
    """The settings of a table that came from this file. Raises ConfigError naming the file and the key."""
    return _Checker(path).settings(data)


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
            "compare": self.compare,
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

    def compare(self, key: str, value: Any) -> dict[str, CompareValue]:
        from mlcheck.settings.compare import BY_KEY, from_file

        table = self.table(key, value, tuple(BY_KEY))
        found = {}
        for name, one in table.items():
            try:
                found[name] = CompareValue(from_file(BY_KEY[name], one, self.path.parent), str(self.path))
            except ValueError as error:
                raise self.fail(f"`{key}.{name}` {error}") from None
        return found

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
