"""From a YAML file to a `Rule`; every error names file, line and column, and suggests."""

import keyword
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from mlcheck.engine import yamlfile
from mlcheck.engine.context import SCALAR_FUNCTIONS, SCALAR_STATISTICS, TENSOR_STATISTICS
from mlcheck.engine.rule import (
    FACT_NAMES,
    MESSAGE_NAMES,
    VERDICT_NAMES,
    Rule,
    SeverityCase,
    Statistic,
    TermSpec,
    TextCase,
    reduced_inputs,
)
from mlcheck.engine.schema import FACT_ROLES, InputModel, ParamModel, RuleModel, SeverityByRole, Text
from mlcheck.engine.spec import plain
from mlcheck.engine.yamlfile import Document, KeyPath
from mlcheck.errors import RuleError, did_you_mean
from mlcheck.lang import episodes, parse, template
from mlcheck.lang.expression import Expression, LanguageError
from mlcheck.lang.lets import Lets, make_lets, uses
from mlcheck.lang.vocabulary import JOIN_LABELS, SIGNATURES
from mlcheck.report import Severity

_STATISTIC = re.compile(r"\s*([a-z_][a-z0-9_]*)\s*(?:\(([^()]*)\))?\s*")
_TERM = re.compile(r"\s*([A-Za-z_]\w*|[\d.eE+-]+)\s*(%|[a-z]+)\s*")
RESERVED = frozenset({"nan", "inf", *FACT_NAMES, *VERDICT_NAMES, *MESSAGE_NAMES})


def load_file(path: Path, shown: str | None = None, origin: str | None = None) -> Rule:
    """Load one rule file. Raises RuleError with file:line:column."""
    shown = shown or str(path)
    return load_document(yamlfile.read(path, shown), origin or shown)


def load_text(text: str, shown: str = "rule.yaml") -> Rule:
    """Load a rule from text; for tests and notebooks."""
    return load_document(yamlfile.parse(text, shown), shown)


def load_document(document: Document, origin: str) -> Rule:
    """Check a document against the schema and parse its expressions."""
    if not isinstance(document.data, dict):
        raise RuleError("a rule file is a mapping that begins with `id:`", document.place(()))
    try:
        model = RuleModel.model_validate(document.data)
    except ValidationError as error:
        _fail_validation(error, document)
    return _Compiler(model, document, origin).rule()


def _fail_validation(error: ValidationError, document: Document) -> NoReturn:
    # A key that is missing is most often one that is misspelt: the unknown key says more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    key_path = _file_path(first["loc"], document)
    message, hint = first["msg"].removeprefix("Value error, "), None
    name = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(key_path)
        message = f"unknown key {name!r}"
        hint = did_you_mean(name, known) or "known keys: " + ", ".join(sorted(known))
        raise RuleError(message, document.place(key_path, of_key=True), hint)
    if first["type"] == "missing":
        message = f"the key `{name}` is missing"
    elif first["type"] == "literal_error":
        given = first.get("input")
        expected = str(first.get("ctx", {}).get("expected", ""))
        words = re.findall(r"'([^']+)'", expected)
        message = f"{name}: {given!r} is not one of {', '.join(words)}"
        hint = did_you_mean(str(given), words)
    elif first["type"] == "string_pattern_mismatch":
        example = {"id": "such as GRD001", "name": "such as vanishing-gradient"}.get(
            name, "lower-case words joined with -"
        )
        message = f"{name}: {first.get('input')!r} does not have the form of one ({example})"
    else:
        message = f"{'.'.join(str(p) for p in key_path) or 'rule'}: {message}"
    raise RuleError(message, document.place(key_path), hint)


def _file_path(location: tuple[str | int, ...], document: Document) -> KeyPath:
    """The key path in the file: pydantic adds names of union members, which are no keys."""
    path: KeyPath = ()
    for part in location:
        longer = (*path, part)
        if longer in document.values or longer in document.keys:
            path = longer
    return path


def _known_keys(key_path: KeyPath) -> list[str]:
    if len(key_path) == 3 and key_path[0] == "params":
        return [field.alias or name for name, field in ParamModel.model_fields.items()]
    return [field.alias or name for name, field in RuleModel.model_fields.items()]


class _Compiler:
    """Parses the expressions, terms and templates of one rule."""

    def __init__(self, model: RuleModel, document: Document, origin: str) -> None:
        self.model = model
        self.document = document
        self.origin = origin

    def rule(self) -> Rule:
        model = self.model
        self._check_names()
        self._check_same()
        names = [*model.inputs, *model.let, *model.params, *FACT_NAMES, *VERDICT_NAMES]
        lets = self._lets(names)
        when = self._expression(("when",), model.when, names, lets)
        value, limit = self._value_and_limit(when, names, lets)
        margin = self._optional_expression(("margin",), model.margin, names, lets)
        severities, by_role = self._severity(names, lets)
        cases = [*severities, *(case for one in by_role.values() for case in one)]
        expressions = [when, value, limit, margin, *(case.condition for case in cases)]
        spec = plain(model)
        self._check_tests()
        shown = [*names, *MESSAGE_NAMES, *JOIN_LABELS, "split", "source", "role"]
        return Rule(
            model=spec,
            document=self.document,
            statistics={name: self._statistic(name, spec) for name, spec in model.inputs.items()},
            lets=lets,
            when=when,
            value=value,
            limit=limit,
            margin=margin,
            severities=severities,
            by_role=by_role,
            needs={name: self._need(name, need) for name, need in model.needs.items()},
            after=self._term(("after",), model.after),
            until=self._term(("until",), model.until),
            patience=self._patience(),
            merge=self._term(("merge",), model.merge),
            texts={
                "message": self._texts("message", model.message, shown, names, lets),
                "advice": self._texts("advice", model.advice, shown, names, lets),
                "headline": self._texts("headline", model.headline, shown, names, lets),
            },
            among=reduced_inputs(spec.inputs, [one for one in expressions if one is not None], lets),
            origin=self.origin,
        )

    def _fail(self, path: KeyPath, message: str, hint: str | None = None, *, of_key: bool = False) -> NoReturn:
        raise RuleError(message, self.document.place(path, of_key=of_key), hint)

    def _check_same(self) -> None:
        for name, spec in self.model.inputs.items():
            if spec.same is not None and (spec.same not in self.model.inputs or self.model.inputs[spec.same].same):
                hint = did_you_mean(spec.same, [other for other in self.model.inputs if other != name])
                self._fail(("inputs", name, "same"), f"{spec.same!r} is no input that binds series itself", hint)

    def _check_names(self) -> None:
        seen: dict[str, str] = {}
        groups: tuple[tuple[str, Collection[str]], ...] = (
            ("inputs", self.model.inputs),
            ("let", self.model.let),
            ("params", self.model.params),
        )
        for group, members in groups:
            for name in members:
                if not name.isidentifier() or keyword.iskeyword(name):
                    self._fail((group, name), f"{name!r} cannot be a name in an expression", of_key=True)
                if name in SIGNATURES:
                    self._fail((group, name), f"{name!r} is the name of a function", of_key=True)
                # A parameter may bear the name that another tool documents for it: `steps` is then the parameter.
                if name in RESERVED and not (group == "params" and name in VERDICT_NAMES):
                    self._fail((group, name), f"{name!r} has a meaning of its own in rules", of_key=True)
                if name in seen:
                    self._fail((group, name), f"{name!r} is already a name under `{seen[name]}`", of_key=True)
                seen[name] = group

    def _lets(self, names: Collection[str]) -> Lets:
        parsed = {name: self._parse(("let", name), str(text), names) for name, text in self.model.let.items()}
        try:
            return make_lets(parsed)
        except LanguageError as error:
            self._fail(("let", getattr(error, "let", None) or next(iter(parsed))), error.message)

    def _parse(self, path: KeyPath, text: str, names: Collection[str]) -> Expression:
        try:
            return parse.parse(text, names)
        except LanguageError as error:
            place = self.document.inside(path, error.line, error.column)
            raise RuleError(error.message, place, error.suggestion) from None

    def _expression(self, path: KeyPath, text: str, names: Collection[str], lets: Lets) -> Expression:
        expression = self._parse(path, text, names)
        try:
            lets.check(expression)
        except LanguageError as error:
            self._fail(path, error.message, error.suggestion)
        early = sorted(set(uses(expression, lets)) & set(VERDICT_NAMES) - self.model.params.keys())
        if early and path[0] in ("when", "value", "limit", "margin"):
            self._fail(
                path, f"{early[0]!r} is known only after the verdict: use it in `severity`, `message` or `advice`"
            )
        return expression

    def _optional_expression(
        self, path: KeyPath, text: str | None, names: Collection[str], lets: Lets
    ) -> Expression | None:
        return None if text is None else self._expression(path, text, names, lets)

    def _value_and_limit(self, when: Expression, names: Collection[str], lets: Lets) -> tuple[Expression, Expression]:
        sides = parse.first_comparison(when)
        given_value, given_limit = self.model.value, self.model.limit
        if sides is None and (given_value is None or given_limit is None):
            self._fail(
                ("when",),
                "`when` is not one comparison (or an and/or led by one), so the report cannot tell value and limit from it",
                "give `value:` and `limit:`",
            )
        value = self._expression(("value",), given_value, names, lets) if given_value is not None else None
        limit = self._expression(("limit",), str(given_limit), names, lets) if given_limit is not None else None
        if sides is not None:
            value, limit = value or sides[0], limit or sides[1]
        assert value is not None
        assert limit is not None
        return value, limit

    def _severity(
        self, names: Collection[str], lets: Lets
    ) -> tuple[list[SeverityCase], Mapping[str, list[SeverityCase]]]:
        given = self.model.severity
        if not isinstance(given, SeverityByRole):
            return self._severity_cases(("severity",), given, names, lets), {}
        by_role = {
            role: self._severity_cases(("severity", role), value, names, lets)
            for role, value in (given.model_extra or {}).items()
        }
        if "else" not in by_role:
            self._fail(("severity",), "a severity by role needs `else`")
        return [], by_role

    def _severity_cases(self, path: KeyPath, given: Any, names: Collection[str], lets: Lets) -> list[SeverityCase]:
        cases = []
        for index, item in enumerate(given if isinstance(given, list) else [given]):
            pairs = item.items() if isinstance(item, dict) else [(item, None)]
            for word, text in pairs:
                if word not in list(Severity):
                    hint = did_you_mean(str(word), list(Severity))
                    self._fail((*path, index), f"{word!r} is not one of error, warning, info", hint)
                condition = None if text is None else self._expression((*path, index, word), str(text), names, lets)
                cases.append(SeverityCase(Severity(word), condition))
        if not cases or cases[-1].condition is not None:
            self._fail(path, "an ordered severity ends with a plain word, for when no condition holds")
        return cases

    def _statistic(self, name: str, spec: InputModel) -> Statistic:
        match = _STATISTIC.fullmatch(spec.stat)
        known = self._known_statistics(spec)
        if match and known and match[1] not in known:
            hint = did_you_mean(match[1], known) or "known: " + ", ".join(sorted(known))
            self._fail(("inputs", name, "stat"), f"no statistic {match[1]!r}", hint)
        if not match:
            self._fail(
                ("inputs", name, "stat"), f"{spec.stat!r} is no statistic", "write `abs_mean` or `quantile(0.95)`"
            )
        parts = filter(None, (one.strip() for one in (match[2] or "").split(",")))
        return Statistic(match[1], tuple(self._argument(name, part) for part in parts))

    def _argument(self, name: str, text: str) -> Expression:
        """An argument of a statistic: an expression of numbers and parameters, `1 - inactivity / 100`."""
        try:
            return parse.parse(text, self.model.params)
        except LanguageError as error:
            hint = error.suggestion or did_you_mean(text, self.model.params)
            self._fail(("inputs", name, "stat"), f"{text!r} is no number, parameter or sum of them", hint)

    def _known_statistics(self, spec: InputModel) -> frozenset[str]:
        """The statistics that its roles can answer; none for facts, whose columns are their own."""
        bound = self.model.inputs.get(spec.same, spec) if spec.same else spec
        roles = [bound.role] if isinstance(bound.role, str) else bound.role or []
        return (
            frozenset()
            if set(roles) & set(FACT_ROLES)
            else SCALAR_STATISTICS | SCALAR_FUNCTIONS.keys() | TENSOR_STATISTICS
        )

    def _need(self, name: str, need: str | int) -> int | str:
        path = ("needs", name)
        if name not in self.model.inputs:
            self._fail(path, f"{name!r} is no input", did_you_mean(name, self.model.inputs), of_key=True)
        text = str(need).removesuffix("points").removesuffix("point").strip()
        if text in self.model.params:
            return text
        if not (text.isascii() and text.isdecimal()):
            self._fail(path, f"{need!r} is no number of points", "write `20 points`")
        return int(text)

    def _patience(self) -> list[TermSpec]:
        given = self.model.patience
        if given is None:
            return []
        if isinstance(given, str):
            given = [given]
            return [term for term in (self._term(("for",), text) for text in given) if term]
        return [term for term in (self._term(("for", n), text) for n, text in enumerate(given)) if term]

    def _term(self, path: KeyPath, text: str | None) -> TermSpec | None:
        if text is None:
            return None
        match = _TERM.fullmatch(text)
        if match and match[1] in self.model.params:
            amount: str | float = match[1]
            text_to_check = f"{self.model.params[match[1]].default} {match[2]}"
        elif match and match[1][0].isalpha():
            self._fail(path, f"{match[1]!r} is no parameter", did_you_mean(match[1], self.model.params))
        else:
            amount, text_to_check = "", text
        try:
            term = episodes.parse_term(text_to_check)
        except ValueError as error:
            self._fail(path, str(error))
        return TermSpec(amount if amount != "" else term.amount, term.unit)

    def _texts(
        self, key: str, given: Text, shown: Collection[str], names: Collection[str], lets: Lets
    ) -> list[TextCase]:
        if isinstance(given, str):
            return [TextCase(self._template((key,), given, shown))]
        cases = []
        for index, item in enumerate(given):
            if isinstance(item, str):
                cases.append(TextCase(self._template((key, index), item, shown)))
                continue
            condition = self._expression((key, index, "if"), item.condition, names, lets)
            cases.append(TextCase(self._template((key, index, "text"), item.text, shown), condition))
        if not cases or cases[-1].condition is not None:
            self._fail((key,), "an ordered text ends with a plain one, for when no condition holds")
        return cases

    def _template(self, path: KeyPath, text: str, names: Collection[str]) -> template.Template:
        try:
            return template.parse_template(text, names)
        except LanguageError as error:
            place = self.document.inside(path, error.line, error.column)
            raise RuleError(error.message, place, error.suggestion) from None

    def _check_tests(self) -> None:
        fires = [bool(test.get("expect")) and isinstance(test.get("expect"), list) for test in self.model.tests]
        missing = [
            word for word, there in (("that fires", any(fires)), ("that stays quiet", not all(fires))) if not there
        ]
        if not self.model.tests:
            missing = ["that fires", "that stays quiet"]
        if missing:
            tests = " and one ".join(missing)
            self._fail(
                ("tests",),
                f"rule {self.model.id} has no test {tests}",
                "a rule carries at least one of each under `tests:`",
            )
