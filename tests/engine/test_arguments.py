"""Arguments of statistics, inputs that are the same as another one, facts in tests, names of packs."""

from typing import Any

import pytest

from mlcheck.engine import registry
from mlcheck.engine.arguments import statistic_key
from mlcheck.engine.loader import load_text
from mlcheck.engine.ruletest import given_run, run_tests
from mlcheck.engine.select import Selection, choose
from mlcheck.errors import RuleError, UsageError

RULE = """\
id: TST002
name: units
category: test
status: {stable: "0.1"}
severity: warning
inputs:
  x: {role: input, act: [tanh, sigmoid], stat: count}
  tanh: {same: x, act: tanh, stat: "units_outside(low, high, 1 - inactive / 100)", optional: true}
params:
  low: {default: -9.4999}
  high: {default: 16.99999}
  inactive: {default: 1}
  flag: {default: false}
when: tanh > 0.5
message: "{value:g}"
tests:
  - name: a tanh
    given: {a.tanh_input_0: {count: "1x3", "units_outside(-9.4999,16.99999,0.99)": "0.9x3"}}
    expect: [{layer: a.tanh}]
  - name: a sigmoid
    given: {a.sigmoid_input_0: {count: "1x3", "units_outside(-9.4999,16.99999,0.99)": "0.9x3"}}
    expect: passed
"""


def test_an_argument_is_an_expression_of_parameters() -> None:
    rule = load_text(RULE)
    assert statistic_key(rule.statistics["x"], rule.defaults()) == "count"
    assert statistic_key(rule.statistics["tanh"], rule.defaults()) == "units_outside(-9.4999,16.99999,0.99)"
    changed = {**rule.defaults(), "inactive": 5.0, "high": 1e-7}
    assert statistic_key(rule.statistics["tanh"], changed) == "units_outside(-9.4999,1e-07,0.95)"


@pytest.mark.parametrize(
    ("argument", "key"),
    [("flag", "quantile(0)"), ("0.95", "quantile(0.95)"), ("inf", "quantile(inf)"), ("-low", "quantile(9.4999)")],
)
def test_keys(argument: str, key: str) -> None:
    rule = load_text(RULE.replace("stat: count", f"stat: quantile({argument})"))
    assert statistic_key(rule.statistics["x"], rule.defaults()) == key


def test_an_argument_names_parameters_only() -> None:
    with pytest.raises(RuleError) as caught:
        load_text(RULE.replace("stat: count", "stat: quantile(higj)"), "r.yaml")
    assert "did you mean high?" in str(caught.value)
    with pytest.raises(RuleError):
        load_text(RULE.replace("stat: count", "stat: quantile(x)"))


def test_the_labels_of_the_same_input_say_for_which_series_it_is_there() -> None:
    assert [one.message for one in run_tests(load_text(RULE)) if not one.passed] == []


def test_facts_of_a_test_are_facts() -> None:
    rule = load_text(RULE)
    given: dict[str, Any] = {"class_count/0": {"role": "class_count", "category": "0", "value": "3x2", "wrong": "1x2"}}
    series = given_run(rule, 0, {"given": given}).by_name("class_count/0")
    assert (series.kind, series.role, series.labels["category"]) == ("fact", "class_count", "0")
    assert {name: column.tolist() for name, column in series.columns.items()} == {
        "value": [3, 3, 3],
        "wrong": [1, 1, 1],
    }


def test_a_parameter_may_have_a_name_of_the_verdict() -> None:
    text = RULE.replace("inactive", "steps").replace('message: "{value:g}"', 'message: "{steps:g}"')
    rule = load_text(text)
    assert statistic_key(rule.statistics["tanh"], rule.defaults()) == "units_outside(-9.4999,16.99999,0.99)"
    assert [one.message for one in run_tests(rule) if not one.passed] == []


# Packs that are off unless they are selected


@pytest.fixture(scope="module")
def rules() -> registry.Registry:
    return registry.load()


def chosen(rules: registry.Registry, *select: str, ignore: tuple[str, ...] = ()) -> set[str]:
    return {one.rule.id for one in choose(rules, Selection(select=select, ignore=ignore))}


def test_a_pack_is_off_unless_it_is_named(rules: registry.Registry) -> None:
    assert not any(rule.startswith("SMD") for rule in chosen(rules) | chosen(rules, "all"))
    pack = chosen(rules, "sagemaker")
    assert len(pack) == 22
    assert all(rule.startswith("SMD") for rule in pack)
    assert chosen(rules, "SMD") == pack
    assert chosen(rules, "SMD010") == {"SMD010"}
    assert chosen(rules, "all", "sagemaker") == chosen(rules, "all") | pack
    assert chosen(rules, "sagemaker", ignore=("SMD01",)) == {one for one in pack if not one.startswith("SMD01")}


def test_a_name_that_a_pack_shares_is_the_others(rules: registry.Registry) -> None:
    assert rules.get("overfit").id == "GEN001"
    assert rules.get("sagemaker/overfit").id == "SMD011"
    assert chosen(rules, "overfit") == {"GEN001"}
    assert chosen(rules, "sagemaker/overfit") == {"SMD011"}
    assert chosen(rules, "sagemaker", ignore=("sagemaker/overfit",)) == chosen(rules, "SMD") - {"SMD011"}


def test_a_name_that_only_the_pack_has(rules: registry.Registry) -> None:
    assert rules.get("stalled-training-rule").id == "SMD019"
    assert chosen(rules, "Stalled-Training-Rule") == {"SMD019"}


def test_causes_are_never_meant_of_a_pack(rules: registry.Registry) -> None:
    assert rules.causes.may("DAT001", "GEN004")
    assert not any(effect.startswith("SMD") for reached in rules.causes.reach.values() for effect in reached)


def test_two_rules_of_one_name_are_an_error_still() -> None:
    one, other = load_text(RULE), load_text(RULE.replace("TST002", "TST003"))
    with pytest.raises(RuleError, match="already the rule"):
        registry.Registry([one, other])
    pack = [load_text(RULE.replace("test\n", "sagemaker\n").replace("TST002", name)) for name in ("SMD901", "SMD902")]
    with pytest.raises(RuleError, match="already the rule"):
        registry.Registry(pack)


def test_the_user_may_take_a_name_of_a_pack() -> None:
    mine, pack = load_text(RULE), load_text(RULE.replace("test\n", "sagemaker\n").replace("TST002", "SMD901"))
    rules = registry.Registry([pack, mine])
    assert rules.get("units") is mine
    assert rules.get("sagemaker/units") is pack
    with pytest.raises(UsageError, match="did you mean"):
        rules.get("sagemaker/unit")
