"""A rule in words, for `mlcheck explain`."""

from collections.abc import Sequence

from mlcheck.engine.registry import AnyRule, is_opt_in
from mlcheck.engine.rule import Rule, SeverityCase
from mlcheck.engine.spec import InputSpec
from mlcheck.report import ParamInfo, RuleDetail


def describe(rule: AnyRule) -> RuleDetail:
    """Everything that a reader wants to know of a rule."""
    info = rule.info(rule.defaults())
    if not isinstance(rule, Rule):
        params = tuple(ParamInfo(k, v, None, None, "", "", "") for k, v in rule.defaults().items())
        return RuleDetail(info, rule.origin, params=params, may_cause=tuple(rule.may_cause))
    model = rule.model
    return RuleDetail(
        info=info,
        origin=rule.origin,
        inputs={name: _input(spec) for name, spec in model.inputs.items()},
        let={name: str(text).strip() for name, text in model.let.items()},
        when=model.when.strip(),
        severity=_severity(rule),
        patience=_patience(rule),
        params=tuple(
            ParamInfo(name, p.default, p.min, p.max, p.unit, p.help, p.source) for name, p in model.params.items()
        ),
        may_cause=tuple(model.may_cause),
        tests=len(model.tests),
        opt_in=is_opt_in(rule),
    )


def _input(spec: InputSpec) -> str:
    roles = spec.role if isinstance(spec.role, str) else ", ".join(spec.role or ("any role",))
    words = [roles] if spec.same is None else [f"the series of {spec.same}"]
    if spec.stat != "value":
        words.append(f"statistic {spec.stat}")
    words += [f"{label} {' or '.join(values)}" for label, values in spec.labels.items()]
    if spec.rows == "all":
        words.append("all rows, overwritten ones too")
    if spec.optional:
        words.append("optional" if spec.fallback is None else f"{spec.fallback:g} where missing")
    return ", ".join(words)


def _severity(rule: Rule) -> str:
    if rule.by_role:
        return ". ".join(f"{role}: {_ordered(cases)}" for role, cases in rule.by_role.items())
    return _ordered(rule.severities)


def _ordered(cases: Sequence[SeverityCase]) -> str:
    words = [f"{c.severity} if {' '.join(c.condition.text.split())}" for c in cases if c.condition is not None]
    return "; ".join([*words, ("else " if words else "") + cases[-1].severity])


def _patience(rule: Rule) -> str:
    model = rule.model
    terms = [model.patience] if isinstance(model.patience, str) else model.patience or []
    words = [f"after {model.after}"] if model.after else []
    words += [f"until {model.until}"] if model.until else []
    words += ["for " + " and ".join(terms)] if terms else []
    words += ["still so at the end"] if model.at_end else []
    words += [f"{name} needs {need}" for name, need in model.needs.items()]
    return ", ".join(words)
