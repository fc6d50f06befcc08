import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.reporters.text import clean, duration, listing, number, percent, plural, prose

ANY_TEXT = st.text(st.characters(codec=None), max_size=400)


@settings(deadline=None, max_examples=200)
@given(ANY_TEXT)
def test_clean_text_is_one_printable_line(raw: str) -> None:
    safe = clean(raw)
    assert not {unicodedata.category(c) for c in safe} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    safe.encode("utf-8")


@settings(deadline=None, max_examples=100)
@given(st.text("abc/_.0", max_size=160))
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert clean(name) == name


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eevil", "\\u202eevil"),
        ("\U000e0041", "\\U000e0041"),
        ("\udc80", "\\udc80"),
        ("::error::x", "∷error::x"),
        ("a::WARNING file=x::y", "a∷WARNING file=x::y"),
        ("std::mean", "std::mean"),
        ("##[group]x", "# #[group]x"),
        ("##vso[task]", "# #vso[task]"),
        ("Größe λ 日本 🙂", "Größe λ 日本 🙂"),
    ],
)
def test_clean(raw: str, safe: str) -> None:
    assert clean(raw) == safe


def test_clean_cuts_the_middle() -> None:
    assert clean("a" * 50 + "b" * 50, 11) == "aaaaa…bbbbb"
    assert clean("a" * 11, 11) == "a" * 11


def test_prose_joins_lines() -> None:
    assert prose("  lower the\n   learning\trate \n") == "lower the learning rate"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (3400, "3,400"),
        (3400.5, "3,400"),
        (34_567.8, "34,568"),
        (0.412, "0.412"),
        (0.2034567, "0.2035"),
        (3.1e-9, "3.1e-09"),
        (1e-7, "1e-07"),
        (-2.5, "-2.5"),
        (1.5e12, "1.5e+12"),
        (float("nan"), "NaN"),
        (float("-inf"), "-infinity"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.001, "3.6 s"), (0.0125, "45 s"), (0.2, "12 min"), (0.9999, "1.0 h"), (5.4, "5.4 h"), (76.8, "3.2 days")],
)
def test_duration(hours: float, text: str) -> None:
    assert duration(hours) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.001, "under 1 %"), (0.88, "88 %"), (0.9999, "over 99 %"), (1, "100 %")]
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_plural_and_listing() -> None:
    assert plural(1, "run") == "1 run"
    assert plural(3_400, "run") == "3,400 runs"
    assert plural(2, "series", "series") == "2 series"
    assert listing(["a", "b"], 2) == "a, b"
    assert listing(["a", "b", "c", "d"], 2) == "a, b and 2 more"
