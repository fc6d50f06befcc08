"""The keys of a rule file (design.md §4, language.md (a)), as they stand in the YAML."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlcheck.errors import did_you_mean
from mlcheck.store.comparison import COMPARISON_ROLES
from mlcheck.store.families import known_families
from mlcheck.store.regime import REGIMES
from mlcheck.store.roles import known_roles

Scalar = float | bool | str
SeverityWord = Literal["error", "warning", "info"]

DOC_HEADINGS = ("What it does", "Why it matters", "What to try", "Known false alarms", "References")
INPUT_KEYS = ("role", "same", "stat", "run", "match", "rows", "prefer", "optional", "else")
FILTER_LABELS = (
    "split",
    "layer",
    "param",
    "metric",
    "family",
    "worker",
    "group",
    "category",
    "feature",
    "primary",
    "freq",
    "axis",
    "better",
    "act",
    "certainty",
    "source",
    "sign",
)


FACT_ROLES = (
    *("clock", "restart", "source", "hparam", "tree", "feature_importance", "class_count", "confusion"),
    *COMPARISON_ROLES,
)
"""Roles of the series that mlcheck derives (language.md, "Facts are series")."""

LABEL_VALUES = {
    "split": ("train", "val", "test"),
    "param": ("weight", "bias", "scale", "shift", "stat", "none"),
    "freq": ("step", "epoch"),
    "axis": ("step", "epoch", "sample", "time"),
    "better": ("lower", "higher", "none"),
    "certainty": ("exact", "pattern", "curve", "guess"),
    "primary": ("true", "false"),
}
"""Labels with a closed list of values."""


class Strict(BaseModel):
    """A part of a rule file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ParamModel(Strict):
    """A parameter that users may change with `--set RULE.param=value` or in the configuration."""

    default: float | bool | str
    """Its type is the parameter's type."""
    min: float | None = None
    max: float | None = None
    unit: str = ""
    help: str = ""
    source: str = ""
    """Paper, tool or documentation that the default comes from."""

    @model_validator(mode="after")
    def _sound(self) -> "ParamModel":
        if isinstance(self.default, bool | str):
            return self
        low = -math.inf if self.min is None else self.min
        high = math.inf if self.max is None else self.max
        if not (math.isfinite(self.default) and low <= self.default <= high):
            raise ValueError(f"the default {self.default:g} is not within its own range, {low:g} to {high:g}")
        return self


class InputModel(Strict):
    """What binds a name to series: role, statistic and labels."""

    role: str | list[str] | None = None
    """One role or several; left out: any."""
    same: str | None = None
    """Another input: binds the very series that it binds, for another statistic of it."""
    stat: str = "value"
    """Statistic, with arguments where it takes them: `share_equal(token)`."""
    run: Literal["self", "baseline"] = "self"
    match: Literal["any", "exact"] = "any"
    rows: Literal["live", "all"] = "live"
    prefer: dict[str, list[str]] = Field(default_factory=dict)
    """Where several series fit, take only those with these labels, if there are any; of several values the first that is there."""
    optional: bool = False
    fallback: float | None = Field(None, alias="else")
    """The value of a missing optional input; NaN when left out."""
    labels: dict[str, list[str]] = Field(default_factory=dict)

    @property
    def alias(self) -> str | None:
        """The input whose very series it binds; None where it binds series of its own, as those of a baseline run."""
        return self.same if self.run == "self" else None

    @model_validator(mode="before")
    @classmethod
    def _collect_labels(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = {key: value for key, value in data.items() if key in INPUT_KEYS}
        labels = {}
        for key, value in data.items():
            if key in INPUT_KEYS:
                continue
            if key not in FILTER_LABELS:
                hint = did_you_mean(key, [*INPUT_KEYS, *FILTER_LABELS])
                raise ValueError(f"unknown key or label {key!r}" + (f"; {hint}" if hint else ""))
            labels[key] = _values(value)
        if isinstance(known.get("prefer"), dict):
            known["prefer"] = {label: _values(value) for label, value in known["prefer"].items()}
        return {**known, "labels": labels}

    @field_validator("role")
    @classmethod
    def _known_role(cls, role: str | list[str] | None) -> str | list[str] | None:
        if role is None or role == "any":
            return None
        known = [*known_roles(), *FACT_ROLES]
        words = [role] if isinstance(role, str) else role
        for word in words:
            if word not in known:
                raise ValueError(f"no role {word!r}; {did_you_mean(word, known) or '`mlcheck inspect` shows roles'}")
        if not words:
            raise ValueError("an empty list of roles; leave `role` out for any role")
        return role

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, labels: dict[str, list[str]]) -> dict[str, list[str]]:
        for label, known in {**LABEL_VALUES, "family": tuple(known_families())}.items():
            for value in labels.get(label, ()):
                if value not in known:
                    hint = did_you_mean(value, known) or "known: " + ", ".join(known)
                    raise ValueError(f"no {label} {value!r}; {hint}")
        return labels


def _values(value: Any) -> list[str]:
    """What a label may be, as it is written: one value or a list of them."""
    values = value if isinstance(value, list) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


class SeverityByRole(BaseModel):
    """`{by: role, loss: error, else: info}`: the severity depends on the role of the judged series.

    Each value is a word or an ordered list, as a severity that does not go by role.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    by: Literal["role"]


class TextCase(Strict):
    """One line of an ordered text: it is used when its condition holds."""

    condition: str = Field(alias="if")
    text: str


Text = str | list[TextCase | str]
"""A template, or an ordered list of them: the first whose condition holds, the last one plain."""


class RuleModel(Strict):
    """One rule file."""

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{1,11}\d{3}$")]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
    category: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    status: dict[Literal["stable", "preview", "deprecated"], str]
    severity: SeverityWord | list[SeverityWord | dict[SeverityWord, str]] | SeverityByRole
    regimes: list[str] = Field(default_factory=list)
    inputs: dict[str, InputModel] = Field(min_length=1)
    params: dict[str, ParamModel] = Field(default_factory=dict)
    let: dict[str, str | float] = Field(default_factory=dict)
    needs: dict[str, str | int] = Field(default_factory=dict)
    when: str
    value: str | None = None
    limit: str | float | None = None
    margin: str | None = None
    """How many times the limit the value is (1: at the limit), where value / limit does not say it."""
    measure: str = ""
    """What `value` is, where it is not the value of the series: `gain`, `seconds`."""
    after: str | None = None
    until: str | None = None
    patience: str | list[str] | None = Field(None, alias="for")
    at_end: bool = False
    merge: str | None = None
    healed: Literal["lower", "same", "stated"] = "lower"
    """lower: one severity less when healed; same: an event, which is over at once; stated: the severity says itself."""
    borderline: bool = True
    """A finding within 20 % of its limit is one severity lower."""
    if_logged: bool = False
    """It applies only to runs that log its inputs: not logging a loss scale is no gap."""
    spreads: Literal["forward", "backward"] | None = None
    """Its findings in one run are one event that goes from tensor to tensor: the first one explains the others. At equal steps the first
    layer began; backward: of gradients the last one, since backpropagation goes from the last layer to the first."""
    headline: Text = ""
    message: Text
    advice: Text = ""
    may_cause: list[str] = Field(default_factory=list)
    doc: str = ""
    tests: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("status")
    @classmethod
    def _one_status(cls, status: dict[str, str]) -> dict[str, str]:
        if len(status) != 1:
            raise ValueError("give one of stable, preview, deprecated with the version, such as {stable: '0.1'}")
        return status

    @field_validator("regimes")
    @classmethod
    def _known_regimes(cls, regimes: list[str]) -> list[str]:
        for regime in regimes:
            if regime not in REGIMES:
                hint = did_you_mean(regime, REGIMES) or "known: " + ", ".join(REGIMES)
                raise ValueError(f"unknown regime {regime!r}; {hint}")
        return regimes
