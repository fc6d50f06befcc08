import pytest

from mlcheck.engine.loader import load_text
from mlcheck.errors import RuleError
from mlcheck.report import Severity


def failing(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        load_text(text, "r.yaml")
    return caught.value


def test_a_rule_loads(rule_text: str) -> None:
    rule = load_text(rule_text)
    assert (rule.id, rule.name, rule.category, rule.status) == ("TST001", "loss-too-high", "test", "stable")
    assert rule.value.text == "loss"
    assert rule.limit.text == "top"
    assert rule.defaults() == {"top": 2}
    assert rule.highest_severity() is Severity.WARNING


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("when: loss > top", "when: los > top", "r.yaml:10:7", "did you mean loss?"),
        ("when: loss > top", "when: loss > topp", "r.yaml:10:14", "did you mean top?"),
        ("when: loss > top", "when: rolling_meen(loss, 3) > top", "r.yaml:10:7", "did you mean rolling_mean"),
        ("when: loss > top", "when: __import__('os') > top", "r.yaml:10:7", ""),
        ("when: loss > top", "when: loss.real > top", "r.yaml:10", ""),
        ("when: loss > top", "when: loss > 9**9**9", "r.yaml:10", ""),
        ("when: loss > top", "when: loss >", "r.yaml:10", ""),
        ("when: loss > top", "when: min(loss, 2) > top", "r.yaml:10:7", "minimum"),
        ("when: loss > top", "when: |\n  loss >\n    topp", "r.yaml:12:5", "did you mean top?"),
        ("when: loss > top", "when: isfinite(loss)", "r.yaml:10", "`value:` and `limit:`"),
        ("when: loss > top", "when: loss > longest", "r.yaml:10", "known only after the verdict"),
        ("severity: warning", "severity: warn", "r.yaml:5:11", "did you mean warning?"),
        ("severity: warning", "severity: [{error: loss > 3}]", "r.yaml:5:11", "plain word"),
        ("severity: warning", "severty: warning", "r.yaml:5:1", "did you mean severity?"),
        ("category: test\n", "", "r.yaml:1:1", "`category` is missing"),
        ("id: TST001", "id: tst", "r.yaml:1:5", "GRD001"),
        ("split: train", "splitt: train", "r.yaml:7", "did you mean split?"),
        ("min: 0", "minn: 0", "r.yaml:9", "did you mean min?"),
        ("for: 2 points", "for: 2 pionts", "r.yaml:11:6", "point"),
        ("for: 2 points", "for: topp points", "r.yaml:11:6", "did you mean top?"),
        ("{value:.3g}", "{vlaue:.3g}", "r.yaml:12", "did you mean value?"),
        ("{value:.3g}", "{value:>1000}", "r.yaml:12", ""),
        ("params:\n  top:", "params:\n  class:", "r.yaml:9:3", "cannot be a name"),
        ("params:\n  top:", "params:\n  noise:", "r.yaml:9:3", "name of a function"),
        ("params:\n  top:", "params:\n  loss:", "r.yaml:9:3", "already a name"),
        ('status: {stable: "0.1"}', 'status: {stable: "0.1", preview: "0.2"}', "r.yaml:4", "one of"),
        ("id: TST001", "id: TST001\nid: TST002", "r.yaml:2:1", "twice"),
        ("id: TST001", "id: [TST001", "r.yaml", "not YAML"),
        ("id: TST001", "id: &a TST001\nname: *a", "r.yaml:1", "aliases"),
    ],
)
def test_errors_name_the_place_and_suggest(rule_text: str, old: str, new: str, place: str, words: str) -> None:
    assert old in rule_text
    message = str(failing(rule_text.replace(old, new, 1)))
    assert message.startswith(place), message
    assert words in message, message


def test_the_line_is_shown_with_a_caret(rule_text: str) -> None:
    message = str(failing(rule_text.replace("when: loss > top", "when: loss > topp")))
    assert message.splitlines()[1:] == ["  when: loss > topp", "  " + " " * 13 + "^"]


def test_an_unknown_regime(rule_text: str) -> None:
    message = str(failing(rule_text.replace("severity: warning", "severity: warning\nregimes: [supervized]", 1)))
    assert "did you mean supervised?" in message


@pytest.mark.parametrize(
    ("kept", "missing"), [("high", "stays quiet"), ("low", "fires"), ("", "that fires and one that stays quiet")]
)
def test_a_rule_without_a_firing_and_a_quiet_test_is_refused(rule_text: str, kept: str, missing: str) -> None:
    head, _, tests = rule_text.partition("tests:\n")
    entries = [entry for entry in tests.split("  - name: ") if entry.startswith(kept) and kept]
    text = head + ("tests:\n" + "".join(f"  - name: {entry}" for entry in entries) if entries else "")
    assert missing in str(failing(text))


@pytest.mark.parametrize(
    "text", ["", "[]", "just text", "a: 1", "\x00", "id: " + "[" * 200, "? [a]\n: b", "%TAG ! x\n---\n!y z"]
)
def test_what_is_no_rule_file_is_an_error_of_the_user(text: str) -> None:
    failing(text)


def test_circular_lets_are_refused(rule_text: str) -> None:
    text = rule_text.replace("when:", "let:\n  a: b + 1\n  b: a + 1\nwhen:")
    assert "r.yaml:11:6" in str(failing(text)) or "r.yaml:12:6" in str(failing(text))


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from mlcheck.engine.loader import load_file

    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(RuleError, match="larger than"):
        load_file(path)
