"""Rules over many layers: judged together they say what they say of each layer by itself."""

from mlcheck.engine import judge, lanes
from mlcheck.engine.loader import load_text
from mlcheck.engine.rank import Causes
from mlcheck.engine.ruletest import given_run
from mlcheck.engine.run import judge_run
from mlcheck.engine.select import Selected

from .test_judge import changed

LAYERS = {f"fc{n}.weight": {"abs_mean": f"{1 + n / 10}x5 {n}x4", "order": n} for n in range(1, 9)} | {
    "short.weight": {"abs_mean": "9x2"},
    "gap.weight": {"abs_mean": "nan 1x5 9x3"},
}


def outcome(text, given):
    rule = load_text(text)
    part = judge_run(given_run(rule, 0, {"given": given}), [Selected(rule, rule.defaults(), None)], Causes({}))
    return part.outcomes, part.findings


def layered(rule_text):
    return changed(
        rule_text, inputs="{w: {role: weight, stat: abs_mean}}", needs="{w: 3 points}", when="w > first(w) * 4", params="{}"
    ).replace("  loss: {role: loss, split: train}\n", "").replace(
        '  top: {default: 2, min: 0, max: 10, help: "The most that is fine."}\n', ""
    )  # fmt: skip


def test_layers_together_and_one_by_one(rule_text, monkeypatch):
    seen = []
    original = lanes.judged_together

    def counted(*arguments):
        seen.append(original(*arguments))
        return seen[-1]

    monkeypatch.setattr(judge, "judged_together", counted)
    text = layered(rule_text)
    together = outcome(text, LAYERS)
    # fc7 grows from 1.7 to 7, fc8 from 1.8 to 8, `gap` from 1 to 9, the others to less than four times their start; `short` is too short.
    assert sorted(one.labels["layer"] for one in together[1]) == ["fc7", "fc8", "gap"]
    assert len(seen[0].passed) == 6
    monkeypatch.setattr(lanes, "FEWEST", 10**6)
    # As text: evidence holds NaN, which equals nothing.
    assert repr(outcome(text, LAYERS)) == repr(together)
    assert not seen[1].passed


def test_severity_and_words_of_many_that_fail(rule_text, monkeypatch):
    # They end at their own number: fc1 to fc3 pass, fc4, fc5 and the others differ in severity and words.
    severity = "[{error: last(w) > 5.5 and episodes > 0}, {warning: last(w) > 4.5}, info]"
    words = '[{if: last(w) > 5.5, text: "{series} is far off"}, "{series} is off by {value:.1f}"]'
    text = changed(layered(rule_text), when="last(w) > 3.5", severity=severity, message=words)
    text = text.replace("for: 2 points\n", "")
    told = []
    original = lanes.LaneEvaluator.numbers_of
    monkeypatch.setattr(
        lanes.LaneEvaluator, "numbers_of", lambda self, one: told.append(original(self, one)) or told[-1]
    )
    together = outcome(text, LAYERS)
    # The condition, its value and limit, a line of the severity and one of the words; not what needs the verdict's own numbers.
    assert [len(one) for one in told] == [5]
    said = {one.labels["layer"]: (one.severity.value, one.message.split(" is ")[1]) for one in together[1]}
    assert said["fc4"] == ("info", "off by 4.0")
    assert said["fc5"][0] == "warning"
    assert said["fc6"] == said["fc8"] == ("error", "far off")
    monkeypatch.setattr(lanes, "FEWEST", 10**6)
    assert repr(outcome(text, LAYERS)) == repr(together)
