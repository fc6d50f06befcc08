import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.lang.expression import LanguageError
from mlcheck.lang.template import parse_template

NAMES = {"layer", "value", "limit", "points", "first_step"}


def render(text: str, **values: float | int | str | None) -> str:
    return parse_template(text, NAMES).render(values)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{value}", 0.123456789, "0.123457"),
        ("{value}", 12345, "12345"),
        ("{value}", 2.0, "2"),
        ("{value:,}", 12345, "12,345"),
        ("{value:,}", 1234567.0, "1,234,567"),
        ("{value:,}", 1234.5, "1,234.5"),
        ("{value:.3g}", 0.000123456, "0.000123"),
        ("{value:.2e}", 1234.5, "1.23e+03"),
        ("{value:.1f}", 3, "3.0"),
        ("{value:,.1f}", 12345.67, "12,345.7"),
        ("{value:.1%}", 0.123, "12.3%"),
        ("{value:.3}", 5, "5.0"),
        ("{value:t}", 3.2e-5, "32 µs"),
        ("{value:t}", 0.0121, "12.1 ms"),
        ("{value:t}", 2.1, "2.1 s"),
        ("{value:t}", 119, "119 s"),
        ("{value:t}", 210.0, "3.5 min"),
        ("{value:t}", 9000.0, "2.5 h"),
        ("{value:t}", 259_200.0, "3 days"),
        ("{value:t}", 0.0, "0 µs"),
        ("{value:t}", float("inf"), "inf"),
        ("{value:t}", None, "unknown"),
        ("{value:d}", 7.0, "7"),
        ("{value:d}", 7, "7"),
        ("{value:,d}", 12345.0, "12,345"),
        ("{value:d}", 7.5, "7.5"),
        ("{value:d}", float("nan"), "nan"),
        ("{value:.2f}", float("nan"), "nan"),
        ("{value}", float("nan"), "nan"),
        ("{value:.3g}", float("-inf"), "-inf"),
        ("{value:.3g}", None, "unknown"),
        ("{value}", None, "unknown"),
        ("{value:.3g}", "fc1", "fc1"),
        ("{value:g}", 10**400, "1" + "0" * 400),
        ("{{{value}}} {{x}}", 1, "{1} {x}"),
        ("no fields", 1, "no fields"),
        ("", 1, ""),
    ],
)
def test_values_are_shown(text: str, value: float | str | None, expected: str) -> None:
    assert render(text, value=value) == expected


def test_a_name_without_a_value_is_unknown() -> None:
    assert render("{value} at {layer}") == "unknown at unknown"


def test_templates_know_their_names() -> None:
    assert parse_template("{value:.2g} of {layer}: {value}, {{limit}}", NAMES).names == {"value", "layer"}


@pytest.mark.parametrize(
    ("text", "word", "line", "column"),
    [
        ("{valeu}", "did you mean value", 1, 2),
        ("a\n b {x} c", "unknown name 'x'", 2, 5),
        ("{layer.__class__}", "not a name", 1, 1),
        ("{layer[0]}", "not a name", 1, 1),
        ("{layer!r}", "not a name", 1, 1),
        ("{}", "not a name", 1, 1),
        ("{0}", "not a name", 1, 1),
        ("{value:{limit}}", "a single {", 1, 1),
        ("a } b", "a single }", 1, 3),
        ("a { b", "a single {", 1, 3),
        ("{value:}", "format", 1, 1),
        ("{value:>10}", "format", 1, 1),
        ("{value:.999g}", "format", 1, 1),
        ("{value:999999999d}", "format", 1, 1),
        ("{value:x}", "format", 1, 1),
        ("{value:.2d}", "format", 1, 1),
        ("x" * 4001, "4,001 characters", 1, 1),
    ],
)
def test_faults_are_refused_with_their_place(text: str, word: str, line: int, column: int) -> None:
    with pytest.raises(LanguageError) as caught:
        parse_template(text, NAMES)
    assert word in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


@given(st.one_of(st.text(max_size=30), st.sampled_from(["{value}", "{layer.__class__}", "{{}}", "{", "%s", "\\{0}"])))
@settings(deadline=None, max_examples=200)
def test_text_from_the_run_is_put_in_as_it_is(hostile: str) -> None:
    assert render("<{layer}|{value:.1f}|{layer:.3g}>", layer=hostile, value=1) == f"<{hostile}|1.0|{hostile}>"


@given(st.text(alphabet="{}:.,value dg%!r[]", max_size=20), st.one_of(st.floats(), st.integers(), st.none(), st.text()))
@settings(deadline=None, max_examples=300)
def test_what_is_accepted_can_be_rendered(text: str, value: float | str | None) -> None:
    try:
        template = parse_template(text, NAMES)
    except LanguageError:
        return
    assert isinstance(template.render({"value": value}), str)
