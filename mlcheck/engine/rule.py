"""A rule as the engine uses it: checked, with its expressions parsed."""

import pickle
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

from mlcheck.engine.spec import InputSpec, ParamSpec, RuleSpec
from mlcheck.engine.yamlfile import Document
from mlcheck.lang.expression import Expression
from mlcheck.lang.lets import Lets, uses
from mlcheck.lang.template import Template
from mlcheck.records import dataclass, names
from mlcheck.report import RuleInfo, Severity

FACT_NAMES = (
    "planned_steps",
    "planned_epochs",
    "num_classes",
    "vocab_size",
    "max_grad_norm",
    "learning_rate",
    "warmup",
    "accumulation_steps",
    "early_stop_patience",
    "seed",
    "batch_size",
    "load_best",
    "frozen_or_lora",
    "scheduled",
    "loss_tells",
    "stops_early",
)
"""Run facts that are numbers: names in every expression, NaN where unknown (design.md §2). `scheduled` is the fact `schedule` as a
condition: 1 where it names a schedule that changes the rate all the time, 0 where another. `loss_tells` is the regime as one: 1 where
a loss that does not fall is a fault, 0 in reinforcement learning, GANs and the like. `stops_early`: 1 where the settings have early
stopping, or the job said that it stopped early."""

VERDICT_NAMES = ("points", "steps", "episodes", "longest", "share_of_run", "healed", "value", "limit")
"""Names that only severities and messages know (language.md (a))."""

MESSAGE_NAMES = ("first_step", "last_step", "run", "series", "axis", "regime")


@dataclass(frozen=True)
class Statistic:
    """A statistic that an input asks for, with its arguments: numbers, parameters, and what they come to."""

    name: str
    arguments: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class TermSpec:
    """A stretch such as `3 points`; the amount may be the name of a parameter."""

    amount: str | float
    unit: str

    def text(self, params: Mapping[str, Any]) -> str:
        """The term with its parameter put in: `3 points`."""
        amount = params[self.amount] if isinstance(self.amount, str) else self.amount
        return f"{amount:g} {self.unit}"


@dataclass(frozen=True)
class SeverityCase:
    """One line of an ordered severity: this word when the condition holds; no condition: always."""

    severity: Severity
    condition: Expression | None = None


@dataclass(frozen=True)
class TextCase:
    """One line of an ordered text: this template when the condition holds; no condition: always."""

    template: Template
    condition: Expression | None = None


HELD_BACK = frozenset({"lets", "when", "value", "limit", "margin", "texts", "among"})
"""What of a kept rule is read when it is first asked for: a run has the series for a few of the rules only."""
_PACKED = "_packed"
_unpacking = Lock()


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule file, ready to judge."""

    model: RuleSpec
    document: Document
    statistics: Mapping[str, Statistic]
    lets: Lets
    when: Expression
    value: Expression
    limit: Expression
    margin: Expression | None
    severities: Sequence[SeverityCase]
    """Ordered; empty when the severity goes by role."""
    by_role: Mapping[str, Sequence[SeverityCase]]
    """Role to its ordered severity, with `else`; empty when the severity does not go by role."""
    needs: Mapping[str, int | str]
    """Input to the number of finite points that it needs, or the parameter that holds it."""
    after: TermSpec | None
    until: TermSpec | None
    patience: Sequence[TermSpec]
    merge: TermSpec | None
    texts: Mapping[str, Sequence[TextCase]]
    """`message`, `advice` and `headline`, each ordered."""
    among: Mapping[str, frozenset[str]]
    """Inputs that stand only inside `among`, with the labels over which they are reduced there."""
    origin: str
    """Where it comes from: `built-in` or the path of the file."""

    def __getattr__(self, name: str) -> Any:
        """What is held back (see `packed`), of all of it at once: its expressions are parts of each other."""
        if name not in HELD_BACK:
            raise AttributeError(name)
        with _unpacking:
            state = vars(self)
            if name not in state:
                state.update(pickle.loads(state[_PACKED]))
        return state[name]

    def packed(self) -> "Rule":
        """The same rule for a pickle that is read faster: what is held back lies in it as bytes."""
        state = {name: getattr(self, name) for name in names(Rule)}
        held = {name: state.pop(name) for name in sorted(HELD_BACK)}
        made = object.__new__(Rule)
        vars(made).update(state, **{_PACKED: pickle.dumps(held, protocol=5)})
        return made

    @property
    def id(self) -> str:
        """Id, such as `GRD001`."""
        return self.model.id

    @property
    def name(self) -> str:
        """Name, such as `vanishing-gradient`."""
        return self.model.name

    @property
    def category(self) -> str:
        """Category: the folder of the built-in rules."""
        return self.model.category

    @property
    def status(self) -> str:
        """stable, preview or deprecated."""
        return next(iter(self.model.status))

    @property
    def inputs(self) -> Mapping[str, InputSpec]:
        """Inputs by name."""
        return self.model.inputs

    @property
    def regimes(self) -> Sequence[str]:
        """Regimes that it is for; empty: all."""
        return self.model.regimes

    @property
    def may_cause(self) -> Sequence[str]:
        """Ids or names of rules that a finding of this one may explain."""
        return self.model.may_cause

    @property
    def parameters(self) -> Mapping[str, ParamSpec]:
        """Parameters by name."""
        return self.model.params

    def defaults(self) -> dict[str, float | bool | str]:
        """Parameters with their default values."""
        return {name: param.default for name, param in self.model.params.items()}

    def highest_severity(self) -> Severity:
        """The highest severity that the rule gives by itself."""
        return max((case.severity for case in self.severity_cases()), key=lambda word: word.rank)

    def severity_cases(self) -> list[SeverityCase]:
        """All lines of its severity, those of every role."""
        return [*self.severities, *(case for cases in self.by_role.values() for case in cases)]

    def info(self, params: Mapping[str, float | bool | str], severity: str | None = None) -> RuleInfo:
        """What reporters show of it."""
        return described(self, self.model.doc, self.highest_severity().value, params, severity)


def reduced_inputs(
    inputs: Mapping[str, InputSpec], expressions: Iterable[Expression], lets: Lets
) -> dict[str, frozenset[str]]:
    """Inputs that stand only inside `among` in these expressions, with the labels over which they are reduced there."""
    used: dict[str, set[str | None]] = {}
    for expression in expressions:
        for name, labels in uses(expression, lets).items():
            base = inputs[name].alias if name in inputs else None
            used.setdefault(base or name, set()).update(labels)
    return {
        name: frozenset(label for label in used[name] if label is not None)
        for name, spec in inputs.items()
        if spec.alias is None and used.get(name) and None not in used[name]
    }


class Described(Protocol):
    """What any kind of rule says of itself."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def category(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def regimes(self) -> Sequence[str]: ...  # noqa: D102


def described(
    rule: Described, doc: str, default: str, params: Mapping[str, float | bool | str], severity: str | None
) -> RuleInfo:
    """What reporters show of a rule. `default` is the highest severity that it gives by itself, `severity` the user's own."""
    return RuleInfo(
        id=rule.id,
        name=rule.name,
        category=rule.category,
        status=rule.status,
        default_severity=default,
        effective_severity=severity or default,
        summary=summary_of(doc) or rule.name.replace("-", " "),
        doc=doc,
        regimes=tuple(rule.regimes),
        params=dict(params),
    )


def summary_of(doc: str) -> str:
    """The first sentence under the first heading of a rule's documentation."""
    lines = [line.strip() for line in doc.splitlines()]
    body: list[str] = []
    for line in lines:
        if line.startswith("#"):
            if body:
                break
            continue
        if not line and body:
            break
        if line:
            body.append(line)
    text = " ".join(body)
    end = text.find(". ")
    return text[: end + 1] if end >= 0 else text
