"""What a configuration file can say, as plain data, and two layers of it as one."""

import datetime
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mlcheck.records import dataclass, field, names, replace

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
class CompareValue:
    """One setting of `mlcheck compare`, as `settings.compare` has read it."""

    value: Any
    origin: str
    """The option or the file that says so."""
    by_option: bool = False
    """An option stands above what a dump states itself, a file below it."""


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
    compare: Mapping[str, CompareValue] = field(default_factory=dict)
    """How `mlcheck compare` reads and measures, by the keys of `settings.compare.COMPARE_KEYS`."""
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
    return [name.replace("_", "-") for name in names(Settings) if name not in ("path", "origins")]


def over(upper: Settings, lower: Settings) -> Settings:
    """Two layers as one: each key that the upper one sets wins, rules and roles one by one, lists of tables together."""
    values: dict[str, Any] = {}
    for key in upper.origins:
        name = key.replace("-", "_")
        mine, theirs = getattr(upper, name), getattr(lower, name)
        if name == "rules":
            values[name] = {**theirs, **{rule: _merged(theirs.get(rule), one) for rule, one in mine.items()}}
        elif name == "compare":
            values[name] = {**theirs, **{one: _over(theirs.get(one), told) for one, told in mine.items()}}
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


def _over(lower: CompareValue | None, upper: CompareValue) -> CompareValue:
    """A table entry by entry, anything else as a whole."""
    if lower is None or not isinstance(lower.value, Mapping):
        return upper
    return replace(upper, value={**lower.value, **upper.value})
