"""A rule file's keys as plain data, once they are checked: what judging needs of them.

`schema.py` says what may stand in a file and checks it, with pydantic; rules that come out of the cache need neither (compiled.py).
Without slots: instances with a `__dict__` come out of a pickle several times as fast.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mlcheck.records import dataclass, field, names

if TYPE_CHECKING:
    from mlcheck.engine.schema import InputModel, ParamModel, RuleModel


@dataclass(frozen=True)
class ParamSpec:
    """A parameter that users may change; see `schema.ParamModel`."""

    default: float | bool | str
    min: float | None
    max: float | None
    unit: str
    help: str
    source: str


@dataclass(frozen=True)
class InputSpec:
    """What binds a name to series; see `schema.InputModel`."""

    role: str | list[str] | None
    same: str | None
    stat: str
    run: Literal["self", "baseline"]
    match: Literal["any", "exact"]
    rows: Literal["live", "all"]
    prefer: Mapping[str, Sequence[str]]
    optional: bool
    fallback: float | None
    labels: Mapping[str, Sequence[str]]

    @property
    def alias(self) -> str | None:
        """The input whose very series it binds; None where it binds series of its own, as those of a baseline run."""
        return self.same if self.run == "self" else None


@dataclass(frozen=True)
class RuleSpec:
    """A rule; see `schema.RuleModel`. Expressions and texts stand here as they were written: `Rule` has them parsed."""

    id: str
    name: str
    category: str
    status: Mapping[str, str]
    regimes: Sequence[str]
    inputs: Mapping[str, InputSpec]
    params: Mapping[str, ParamSpec]
    let: Mapping[str, str | float]
    needs: Mapping[str, str | int]
    when: str
    value: str | None
    limit: str | float | None
    measure: str
    after: str | None
    until: str | None
    patience: str | list[str] | None
    at_end: bool
    healed: Literal["lower", "same", "stated"]
    borderline: bool
    if_logged: bool
    spreads: Literal["forward", "backward"] | None
    may_cause: Sequence[str]
    doc: str
    tests: Sequence[Mapping[str, Any]] = field(default=(), repr=False)


def plain(model: "RuleModel") -> RuleSpec:
    """A checked rule file as plain data."""
    values = {name: getattr(model, name) for name in names(RuleSpec)}
    values["inputs"] = {name: _input(one) for name, one in model.inputs.items()}
    values["params"] = {name: _param(one) for name, one in model.params.items()}
    return RuleSpec(**values)


def _input(model: "InputModel") -> InputSpec:
    return InputSpec(**{name: getattr(model, name) for name in names(InputSpec)})


def _param(model: "ParamModel") -> ParamSpec:
    return ParamSpec(**{name: getattr(model, name) for name in names(ParamSpec)})
