import copy
import json as standard_json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.errors import UsageError
from mlcheck.report import Evidence, Report
from mlcheck.reporters.json import dumps, loads
from mlcheck.reporters.schema import schema, text
from tests.reporters.example import empty, everything, failing, finding, healthy, run, sweep

COMMITTED = Path(__file__).parents[2] / "schema" / "mlcheck.report-1.schema.json"
NAMES = tuple(everything())


def strict(node: Any) -> Any:
    """The schema without room for keys that it does not name."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: strict(value) for key, value in node.items()}
    return (
        closed | {"additionalProperties": False}
        if isinstance(node.get("properties"), dict) and "type" in node
        else closed
    )


def test_the_committed_schema_is_fresh() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text()


def test_the_schema_is_valid_and_describes_the_fields() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    fields = schema()["$defs"]["Finding"]["properties"]
    assert fields["rule"] == {"type": "string", "description": "Rule id, `GRD001`."}
    assert fields["severity"]["enum"] == ["info", "warning", "error"]


@pytest.mark.parametrize("name", NAMES)
def test_every_report_fits_the_schema_and_holds_nothing_else(name: str) -> None:
    jsonschema.Draft202012Validator(strict(schema())).validate(standard_json.loads(dumps(everything()[name])))


@pytest.mark.parametrize(("key", "value"), [("value", "nan"), ("severity", "fatal"), ("points", 1.5), ("rule", None)])
def test_the_schema_refuses_what_we_never_write(key: str, value: object) -> None:
    plain = standard_json.loads(dumps(failing()))
    plain["findings"][0][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(plain)


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(name: str) -> None:
    written = dumps(everything()[name])
    assert dumps(loads(written)) == written


def test_reading_gives_equal_objects() -> None:
    for report in (healthy(), empty(), sweep()):
        assert loads(dumps(report)) == report


def test_keys_are_sorted_and_the_text_is_ascii() -> None:
    for report in everything().values():
        written = dumps(report)
        assert written.isascii()
        assert written.endswith("}\n")
        standard_json.loads(written, object_pairs_hook=_sorted)


def _sorted(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
    return dict(pairs)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(), max_size=20))
def test_numbers_survive_to_seven_digits(values: list[float]) -> None:
    evidence = Evidence("a", "loss", "value", "step", tuple(range(len(values))), tuple(values))
    report = replace(healthy(), findings=(finding("A", "a", "good", evidence=(evidence,)),))
    back = loads(dumps(report)).findings[0].evidence[0].values
    for before, after in zip(values, back, strict=True):
        assert math.isnan(after) if math.isnan(before) else after == before or math.isclose(after, before, rel_tol=5e-7)


def test_facts_keep_their_types() -> None:
    facts = {"words": "adam", "yes": True, "whole": 3, "real": 0.5, "endless": math.inf}
    report = replace(healthy(), runs=(run("good", facts=facts),))
    back = loads(dumps(report)).runs[0].facts
    assert back == facts
    assert [type(value) for _, value in sorted(back.items())] == [float, float, int, str, bool]


def test_unknown_keys_are_ignored() -> None:
    plain = standard_json.loads(dumps(failing()))
    plain["new"] = plain["findings"][0]["new"] = [1]
    assert dumps(loads(standard_json.dumps(plain))) == dumps(failing())


def _broken(path: tuple[str | int, ...], value: object) -> str:
    plain = copy.deepcopy(standard_json.loads(dumps(failing())))
    node = plain
    for part in path[:-1]:
        node = node[part]
    if value is KeyError:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return standard_json.dumps(plain)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("findings", 1, "severity"), "fatal", "findings[1].severity is 'fatal', expected one of info, warning, error"),
        (("findings", 0, "rule"), KeyError, "findings[0].rule is missing"),
        (("findings", 0, "value"), "much", "findings[0].value is 'much', expected a number"),
        (("findings", 0, "value"), True, "findings[0].value is True, expected a number"),
        (("findings", 0, "value"), 10**400, "findings[0].value is 1000000"),
        (("findings", 0, "labels"), [], "findings[0].labels is [], expected an object"),
        (("findings", 0, "labels"), {"layer": 3}, "findings[0].labels.layer is 3, expected a string"),
        (("findings", 0, "evidence", 0, "steps"), [0, "1"], "findings[0].evidence[0].steps[1] is '1'"),
        (("findings",), {}, "findings is {}, expected a list"),
        (("runs", 0, "coverage"), None, "runs[0].coverage is None, expected an object"),
        (("runs", 0, "facts"), {"a": None}, "runs[0].facts.a is None, expected a string or a number or true or false"),
        (("settings", "fail_on"), "always", "fail_on is 'always', expected one of error, warning, info, never"),
        (("schema",), "mlcheck.report/9", "'mlcheck.report/9', this version reads 'mlcheck.report/1'"),
        (("schema",), KeyError, "no key `schema`"),
        (("tool",), KeyError, "tool is missing"),
        (("findings", 0, "caused_by"), "los-1", "caused_by runs in a circle"),
        (("findings", 0, "caused_by"), "grd-3", "caused_by runs in a circle"),
    ],
)
def test_a_bad_key_is_named(path: tuple[str | int, ...], value: object, said: str) -> None:
    with pytest.raises(UsageError) as error:
        loads(_broken(path, value))
    assert said in str(error.value)


@pytest.mark.parametrize("bad", ["", "[]", "{", "NaN", '{"schema": NaN}', "[" * 100_000, "null", "9" * 5_000])
def test_what_is_no_report_is_refused(bad: str) -> None:
    with pytest.raises(UsageError):
        loads(bad)


def test_a_value_that_cannot_be_written_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="set"):
        dumps(Report("0", (run(facts={"a": {1}}),), (), (), (), ()))
