"""Binding, severity and outcomes, on runs that the tests of rule files describe."""

from typing import Any

import pytest

from mlcheck.engine.loader import load_text
from mlcheck.engine.rank import Causes
from mlcheck.engine.ruletest import given_run
from mlcheck.engine.run import RunPart, judge_run
from mlcheck.engine.select import Selected
from mlcheck.report import Finding


def judged(text: str, given: dict[str, Any], severity: str | None = None, **test: Any) -> RunPart:
    rule = load_text(text)
    run = given_run(rule, 0, {"given": given, **test})
    return judge_run(run, [Selected(rule, rule.defaults(), severity)], Causes({}))


def findings(text: str, given: dict[str, Any], **test: Any) -> tuple[Finding, ...]:
    return judged(text, given, **test).findings


def changed(text: str, **keys: str) -> str:
    lines = []
    for line in text.splitlines():
        key = line.split(":")[0]
        lines.append(f"{key}: {keys.pop(key)}" if key in keys else line)
    head = "".join(f"{key}: {value}\n" for key, value in keys.items())
    return head + "\n".join(lines) + "\n"


WEIGHTS = {f"fc{n}.weight": {"abs_mean": f"{n}x9", "order": n} for n in (1, 2, 3)}


def test_one_finding_per_layer_and_one_fold(rule_text: str) -> None:
    text = changed(rule_text, inputs="{w: {role: weight, stat: abs_mean}}", when="w > 1.5", params="{}").replace(
        "  loss: {role: loss, split: train}\n", ""
    ).replace('  top: {default: 2, min: 0, max: 10, help: "The most that is fine."}\n', "")  # fmt: skip
    found = findings(text, WEIGHTS)
    assert sorted(f.labels["layer"] for f in found) == ["fc2", "fc3"]
    assert len({f.fingerprint for f in found}) == 2


def test_among_reduces_over_the_label_and_leaves_no_layer(rule_text: str) -> None:
    text = _weights_rule(rule_text, "among(last(w), layer, max) > 2 * among(last(w), layer, min)")
    found = findings(text, WEIGHTS)
    assert len(found) == 1
    assert "layer" not in found[0].labels
    assert (found[0].value, found[0].limit) == (3.0, 2.0)
    assert len(found[0].series) == 3


def test_among_first_follows_the_order_of_layers(rule_text: str) -> None:
    weights = {
        "a.weight": {"abs_mean": "1x9", "order": 2},
        "b.weight": {"abs_mean": "2x9", "order": 1},
        "c.weight": {"abs_mean": "3x9", "order": 3},
    }
    assert findings(_weights_rule(rule_text, "among(last(w), layer, first) > 1.5"), weights)[0].value == 2.0
    assert findings(_weights_rule(rule_text, "among(last(w), layer, last) > 1.5"), weights)[0].value == 3.0


def _weights_rule(rule_text: str, when: str) -> str:
    return (
        rule_text.replace("  loss: {role: loss, split: train}", "  w: {role: weight, stat: abs_mean}")
        .replace("when: loss > top", f"when: {when}")
        .replace("for: 2 points\n", "")
    )


def test_inputs_join_on_what_both_have(rule_text: str) -> None:
    text = rule_text.replace(
        "  loss: {role: loss, split: train}",
        "  w: {role: weight, stat: abs_mean}\n  g: {role: gradient, stat: abs_mean}",
    ).replace("when: loss > top", "when: w > 10 * g")
    given = {
        "fc1.weight": {"abs_mean": "1x9"},
        "fc2.weight": {"abs_mean": "1x9"},
        "fc1.weight.grad": {"abs_mean": "0.01x9"},
        "fc2.weight.grad": {"abs_mean": "0.5x9"},
    }
    found = findings(text, given)
    assert [f.labels["layer"] for f in found] == ["fc1"]


def test_another_statistic_of_the_same_series(rule_text: str) -> None:
    text = rule_text.replace(
        "  loss: {role: loss, split: train}",
        "  w: {role: weight, stat: zeros}\n  n: {same: w, stat: count}",
    ).replace("when: loss > top", "when: w == n")
    given = {
        "fc1.weight": {"zeros": "10x9", "count": "10x9"},
        "fc2.weight": {"zeros": "3x9", "count": "10x9"},
    }
    assert [f.labels["layer"] for f in findings(text, given)] == ["fc1"]


def test_a_missing_optional_input_is_nan_or_its_else(rule_text: str) -> None:
    text = rule_text.replace(
        "  loss: {role: loss, split: train}",
        "  loss: {role: loss, split: train}\n  lr: {role: lr, optional: true, else: 1}",
    ).replace("when: loss > top", "when: loss > top and max(lr) > 0")
    assert len(findings(text, {"train/loss": "3x9"})) == 1
    assert len(findings(text, {"train/loss": "3x9", "train/learning_rate": "0x9"})) == 0


def test_a_missing_input_is_skipped_with_its_name(rule_text: str) -> None:
    (outcome,) = judged(rule_text, {"val/loss": "3x9"}).outcomes
    assert (outcome.outcome, outcome.kind, outcome.missing) == ("skipped", "input", ("training loss",))


def test_regimes(rule_text: str) -> None:
    text = rule_text.replace("severity: warning\n", "severity: warning\nregimes: [supervised]\n", 1)
    (outcome,) = judged(text, {"train/loss": "3x9"}, regime="gan").outcomes
    assert (outcome.outcome, outcome.kind, outcome.reason) == ("skipped", "regime", "not for gan")


@pytest.mark.parametrize(
    ("severity", "given", "expected", "reason"),
    [
        ("error", "9x9", "error", None),
        ("error", "2.2x9", "warning", "borderline"),
        ("error", "9x4 1x4", "warning", "healed"),
        ("warning", "9x4 1x4", "info", "healed"),
        ("[{info: longest < 20}, error]", "9x9", "info", None),
        ("[{info: max(loss) > 100}, {error: loss > 8}, warning]", "9x9", "error", None),
        ("{by: role, loss: error, else: info}", "9x9", "error", None),
        ("{by: role, metric: error, else: [{warning: points > 3}, info]}", "9x9", "warning", None),
    ],
)
def test_severity(rule_text: str, severity: str, given: str, expected: str, reason: str | None) -> None:
    text = rule_text.replace("severity: warning", f"severity: {severity}", 1)
    (found,) = findings(text, {"train/loss": given})
    assert found.severity == expected
    short = "a series of 10 points"
    assert (reason in found.reasons) if reason else found.reasons == (short,)


@pytest.mark.parametrize(
    ("given", "confidence", "reasons"),
    [
        ("9x39", "high", ()),
        ("2.8x39", "medium", ("1.4 times its limit",)),
        ("1x19 9x1 1x19", "medium", ("healed", "at 2 points")),
        ("1x37 9x1", "medium", ("at 2 points",)),
        ("9x9", "medium", ("a series of 10 points",)),
        ("1x19 2.2x1 1x19", "low", ("healed", "borderline", "at 2 points")),
    ],
)
def test_confidence_says_what_it_rests_on(
    rule_text: str, given: str, confidence: str, reasons: tuple[str, ...]
) -> None:
    (found,) = findings(rule_text, {"train/loss": given})
    assert (found.confidence, found.reasons) == (confidence, reasons)


def test_a_guessed_role_is_at_most_a_warning(rule_text: str) -> None:
    text = rule_text.replace("severity: warning", "severity: error", 1)
    (found,) = findings(text, {"train/loss": {"values": "9x9", "certainty": "guess"}})
    assert (found.severity, found.confidence) == ("warning", "low")


def test_an_unknown_regime_gives_no_error_about_the_shape_of_a_loss(rule_text: str) -> None:
    text = rule_text.replace("severity: warning", "severity: error", 1).replace("category: test", "category: loss")
    assert findings(text, {"train/loss": "9x9"}, regime="unknown")[0].severity == "warning"
    assert findings(text, {"train/loss": "9x9"}, regime="supervised")[0].severity == "error"


def test_the_users_severity_stands_as_it_is(rule_text: str) -> None:
    (found,) = judged(rule_text, {"train/loss": "9x4 1x4"}, severity="error").findings
    assert found.severity == "error"
    assert "severity set by the user" in found.reasons


def test_texts_depend_on_conditions_and_never_format_what_a_run_says(rule_text: str) -> None:
    text = rule_text.replace(
        'message: "{series} is {value:.3g}, above {limit:g}"',
        'message:\n  - {if: healed, text: "it healed"}\n  - "{series} is {value:.3g}, above {limit:g}"',
    )
    assert findings(text, {"train/loss": "9x4 1x4"})[0].message == "it healed"
    hostile = {"{limit:g}/loss": {"values": "9x9", "role": "loss", "split": "train"}}
    assert findings(text, hostile)[0].message == "{limit:g}/loss is 9, above 2"


def test_facts_are_names(rule_text: str) -> None:
    text = rule_text.replace("when: loss > top", "when: loss > 2.302585 * log10(num_classes)")
    assert len(findings(text, {"train/loss": "3x9"}, facts={"num_classes": 10})) == 1
    assert len(findings(text, {"train/loss": "3x9"})) == 0


def test_episodes_and_cost(rule_text: str) -> None:
    (found,) = findings(rule_text, {"train/loss": {"values": "1x9 3x4 1x4 3x9", "wall": 3600}})
    assert [(e.first_step, e.last_step, e.points) for e in found.episodes] == [(10, 14, 5), (20, 29, 10)]
    assert (found.onset, found.first_step, found.last_step, found.points) == (10, 10, 29, 15)
    assert found.cost is not None
    assert (found.cost.steps, found.cost.hours) == (19, 19.0)
    assert found.cost.share == pytest.approx(19 / 29, abs=1e-3)


def test_losses_of_which_none_is_the_total_are_not_called_missing(rule_text: str) -> None:
    text = rule_text.replace("split: train}", "split: train, primary: true}")
    given = {"fit.loss.left": "3x9", "check.loss": "3x9"}
    (outcome,) = judged(text, given).outcomes
    assert (outcome.outcome, outcome.kind, outcome.missing) == ("skipped", "ambiguous", ())
    assert "[roles]" in (outcome.reason or "")
    (outcome,) = judged(text, {"lr": "3x9"}).outcomes
    assert (outcome.kind, outcome.missing) == ("input", ("training loss",))
