import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.lang.parse import LanguageError, first_comparison, make_lets, name_problem, parse, uses, warnings
from mlcheck.lang.vocabulary import SIGNATURES

NAMES = {"x", "y", "loss", "val_loss", "threshold"}


def refused(text: str) -> LanguageError:
    with pytest.raises(LanguageError) as caught:
        parse(text, NAMES)
    assert 1 <= caught.value.line <= text.count("\n") + text.count("\r") + 1
    assert caught.value.column >= 1
    return caught.value


def test_the_vocabulary_has_35_functions() -> None:
    assert len(SIGNATURES) == 35


def test_an_expression_knows_its_names_and_size() -> None:
    expression = parse("x > 3 * median(y) and not isfinite(nan)", NAMES)
    assert expression.names == {"x", "y"}
    # and, >, x, *, 3, median, y, not, isfinite, nan
    assert expression.nodes == 10


def test_text_over_several_lines_keeps_line_and_column() -> None:
    error = refused("x > 3 and\n   los < 2")
    assert (error.line, error.column) == (2, 4)
    assert error.suggestion == "did you mean loss?"
    error = refused("x > 3 and\r\n   y.z < 2")
    assert (error.line, error.column) == (2, 5)


@pytest.mark.parametrize(
    ("text", "word", "column"),
    [
        ("x.y", "attributes", 2),
        ("x[0]", "subscripts", 2),
        ("[x]", "lists", 1),
        ("{x}", "braces", 1),
        ("'x'", "strings", 1),
        ('among(x, "layer", max)', "strings", 10),
        ("f'{x}'", "strings", 2),
        ("x ** 2", "powers", 3),
        ("9**9**9", "powers", 2),
        ("x // 2", "//", 3),
        ("x % 2", "%", 3),
        ("lambda: x", "lambda", 1),
        ("max(x for y in x)", "comprehensions", 7),
        ("x if y else x", "if/else", 3),
        ("max(x, key=y)", "by position", 11),
        ("(y := x)", "assignments", 4),
        ("__import__(x)", "__import__", 1),
        ("__import__('os').system('x')", "__import__", 1),
        ("x and True", "True", 7),
        ("x == None", "None", 6),
        ("x in y", "in is", 3),
        ("x & y", "&", 3),
        ("~x", "~", 1),
        ("await x", "await", 1),
        ("max(*x)", "missing", 5),
        ("x # y", "comments", 3),
        ("x \\\n y", "\\", 3),
        ("x; y", ";", 2),
        ("x, y", "comma", 2),
        ("(x, y)", "list of values", 1),
        ("0x10", "no number", 1),
        ("1_000", "no number", 1),
        ("2j", "no number", 1),
        ("1e999", "too large", 1),
        ("9" * 400, "too large", 1),
        ("x\0", "null byte", 2),
        ("x − y", "minus", 3),
        ("ｍａｘ(x)", "character", 1),
        ("lоss", "character", 2),  # a Cyrillic о
        ("", "empty", 1),
        ("  \n ", "empty", 1),
        ("x y", "operator is missing", 3),
        ("x <", "ends where", 4),
        ("* x", "missing at the beginning", 1),
        ("(x", "never closed", 1),
        ("x)", "closes nothing", 2),
        ("1) + (2", "closes nothing", 2),
        ("max(x)(y)", "operator is missing", 7),
        ("x(3)", "not a function", 1),
    ],
)
def test_what_is_forbidden_is_named_with_its_place(text: str, word: str, column: int) -> None:
    error = refused(text)
    assert word in error.message
    assert error.column == column


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("min(x, y)", "did you mean minimum?"),
        ("max(x, y)", "did you mean maximum?"),
        ("rolling_medain(x, 3)", "rolling_median"),
        ("thresold < x", "did you mean threshold?"),
        ("step > 3", "did you mean step(x)?"),
        ("rolling_min(x, 3)", "-rolling_max(-x, n)"),
        ("among(x, layr, max)", "did you mean layer?"),
        ("among(x, layer, maxx)", "did you mean max?"),
        ("among(x, split, max)", "one of category"),
        ("among(x, layer, std)", "one of count"),
        ("among(x, layer, largest)", "largest, n"),
        ("among(x, layer, max, 3)", "largest, n"),
        ("x ** 2", "x * x"),
    ],
)
def test_faults_come_with_a_suggestion(text: str, suggestion: str) -> None:
    assert suggestion in (refused(text).suggestion or "")


def test_wrong_numbers_of_arguments_are_refused() -> None:
    assert "takes 2 arguments, not 1" in refused("rolling_median(x)").message
    assert "takes 1 or 2 arguments, not 3" in refused("prev(x, 1, 2)").message
    assert "takes 1 argument, not 0" in refused("max()").message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3999,
        "(" * 1900 + "x" + ")" * 1900,
        "-" * 3990 + "x",
        "not " * 990 + "x",
        "abs(" * 60 + "x" + ")" * 60,
        "1" + "+1" * 1990,
        "x" + "<x" * 1990,
        "(" + "-(" * 40 + "-" * 150 + "x" + ")" * 41,
        "x " * 2000,
        "x" * 4001,
        " " * 4001,
        "x + " + "x" * 100_000,
    ],
)
def test_deep_and_long_texts_are_refused(text: str) -> None:
    refused(text)


def conjunction(name: str, times: int) -> str:
    return " and ".join([name] * times)


def test_fifty_levels_and_five_hundred_nodes_are_allowed() -> None:
    assert parse("abs(" * 49 + "x" + ")" * 49, NAMES).nodes == 50
    pairs = "+".join(["(x+x+x+x+x+x+x+x)"] * 31)
    assert parse(pairs, NAMES).nodes == 31 * 15 + 30
    refused("+".join(["(x+x+x+x+x+x+x+x)"] * 32))


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse(text, NAMES)
    except LanguageError as error:
        place = (error.line, error.column)
    else:
        return
    assert min(place) >= 1


_WORDS = [
    "x",
    "y",
    "max",
    "among",
    "layer",
    "nan",
    "3",
    "1e-7",
    ".",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "<",
    "==",
    "and",
]
_WORDS += [
    "or",
    "not",
    "lambda",
    "if",
    "[",
    "]",
    "'",
    "**",
    ":",
    "=",
    "\n",
    "for",
    "in",
    "\0",
    "é",
    "__class__",
    "{",
    "}",
]


@given(st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join))
@settings(deadline=None, max_examples=500)
def test_what_parses_holds_allowed_nodes_only(text: str) -> None:
    allowed = (ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Load)
    allowed += (ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
    try:
        expression = parse(text, NAMES)
    except LanguageError:
        return
    for node in ast.walk(expression.root):
        assert isinstance(node, allowed)
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            assert node.func.id in SIGNATURES
    assert expression.names <= NAMES


@pytest.mark.parametrize("name", ["lambda", "class", "max", "nan", "a-b", "ä", "1a", "", "__x"])
def test_words_that_cannot_be_names(name: str) -> None:
    assert name_problem(name)


def test_words_that_can_be_names() -> None:
    assert name_problem("loss_2") is None
    assert name_problem("match") is None


def test_lets_come_in_an_order_in_which_they_can_be_computed() -> None:
    names = {"x", "a", "b", "c"}
    lets = make_lets({"a": parse("b + c", names), "b": parse("c * 2", names), "c": parse("x", names)})
    order = list(lets.expressions)
    assert order.index("c") < order.index("b") < order.index("a")


def test_a_circle_of_lets_is_refused_with_its_way() -> None:
    names = {"x", "a", "b", "c"}
    with pytest.raises(LanguageError, match=r"a → b → a|b → a → b") as caught:
        make_lets({"a": parse("b + 1", names), "b": parse("a * 2", names), "c": parse("x", names)})
    assert caught.value.let in ("a", "b")
    with pytest.raises(LanguageError, match="c → c"):
        make_lets({"c": parse("c", names)})


def test_the_size_counts_each_let_once() -> None:
    names = {"x", "a", "b", "c"}
    lets = make_lets(
        {
            "a": parse(conjunction("x", 10), names),
            "b": parse(conjunction("a", 158), names),
            "c": parse(conjunction("b", 178), names),
        }
    )
    # a has 11 nodes, b 159 of its own, c 179; the conjunction below has 148, so that three minus signs come to 500
    body = "(" + conjunction("b", 1) + " and c and " + conjunction("x", 145) + ")"
    lets.check(parse("---" + body, names))
    with pytest.raises(LanguageError, match="501 nodes"):
        lets.check(parse("----" + body, names))


def test_lets_that_double_at_each_step_cost_no_more_than_their_number() -> None:
    names = {"x", *(f"a{i}" for i in range(90))}
    lets = {"a0": parse("x", names)} | {f"a{i}": parse(f"a{i - 1} + a{i - 1}", names) for i in range(1, 90)}
    made = make_lets(lets)
    made.check(parse("a30", names))
    with pytest.raises(LanguageError, match="at most 500"):
        made.check(parse("a89 > 0 and " + conjunction("x", 290), names))


def test_a_long_chain_of_lets_is_refused() -> None:
    names = {"x", *(f"a{i}" for i in range(151))}
    lets = {"a0": parse("x", names)} | {f"a{i}": parse(f"a{i - 1}", names) for i in range(1, 151)}
    with pytest.raises(LanguageError, match="nested"):
        make_lets(lets).check(parse("a150", names))


def test_uses_say_under_which_labels_a_name_stands() -> None:
    names = {"x", "y", "z", "n", "a"}
    lets = make_lets({"a": parse("x + among(z, group, max)", names)})
    expression = parse("x > 1 and among(a * y, layer, largest, n) > nan", names)
    assert uses(expression, lets) == {
        "x": {None, "layer"},
        "y": {"layer"},
        "z": {"group", "layer"},
        "n": {None},
    }


def test_first_comparison() -> None:
    def sides(text: str) -> tuple[str, str] | None:
        found = first_comparison(parse(text, NAMES))
        return None if found is None else (found[0].text, found[1].text)

    assert sides("x > 3 * y") == ("x", "3 * y")
    assert sides("x\n  > 3 and y < 2 or x < 4") == ("x", "3")
    assert sides("(x - y > 1) or y") == ("x - y", "1")
    assert sides("x < y < 3") == ("x", "y")
    assert sides("not x > 3") is None
    assert sides("isfinite(x) and x > 3") is None
    value, _ = first_comparison(parse("abs(x) > y", NAMES)) or pytest.fail("no comparison")
    assert value.names == {"x"}
    assert value.nodes == 2


def test_warnings_name_not_over_a_comparison_of_an_optional_input() -> None:
    def count(text: str) -> int:
        return len(warnings(parse(text, NAMES), {"x"}))

    assert count("not x < 2") == 1
    assert count("not (y < 2 and x > 1)") == 1
    assert count("y > 2 and not max(only(y, x > 3)) < 4") == 1
    assert count("not y < 2") == 0
    assert count("x < 2") == 0
    assert count("not x != 2") == 0
    assert count("not count(x) > 0") == 0
    assert count("not isfinite(x)") == 0
