import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.lang.notation import expand

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("1", [1]),
        ("1 2  3\n4", [1, 2, 3, 4]),
        # The examples of promtool's documentation.
        ("-2+4x3", [-2, 2, 6, 10]),
        ("1-2x4", [1, -1, -3, -5, -7]),
        ("1x4", [1, 1, 1, 1, 1]),
        ("4 _ 1x2", [4, None, 1, 1, 1]),
        ("1 _x3 2", [1, None, None, None, 2]),
        ("_x0", []),
        ("5x0", [5]),
        ("1e-3*0.1x4", [1e-3, 1e-4, 1e-5, 1e-6, 1e-7]),
        ("0+0.1x3", [0, 0.1, 0.2, 0.3]),
        ("1e-7", [1e-7]),
        ("1e-7-1e-8x1", [1e-7, 9e-8]),
        ("2*-1x3", [2, -2, 2, -2]),
        ("1+-1x2", [1, 0, -1]),
        (".5 +2. -0", [0.5, 2, 0]),
        ("inf -inf infx1 INF", [math.inf, -math.inf, math.inf, math.inf, math.inf]),
        ("1*10x400", [*(float(f"1e{i}") for i in range(309)), *[math.inf] * 92]),
    ],
)
def test_terms(text: str, values: list[float | None]) -> None:
    assert expand(text) == values


def test_nan_is_repeated_like_a_number() -> None:
    values = expand("1 nan nanx2 NaN")
    assert values[0] == 1
    assert len(values) == 6
    assert all(value is not None and math.isnan(value) for value in values[1:])


@pytest.mark.parametrize(
    "term",
    [
        "x3",
        "a",
        "1+2",
        "1*2",
        "1x",
        "1x-3",
        "1+2x3x4",
        "_1",
        "__",
        "_x",
        "1,2",
        "nan+1x3",
        "1+infx3",
        "1..2",
        "٣",
        "1x1.5",
    ],
)
def test_what_cannot_be_read_is_named(term: str) -> None:
    with pytest.raises(ValueError, match="the term") as caught:
        expand(f"1 {term} 2")
    assert repr(term) in str(caught.value)


@pytest.mark.parametrize("text", ["1x1000000", "_x1000001", "1x999998 1x1", "1+1x99999999999999999999", "1" * 300])
def test_too_many_values_are_refused_at_once(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"more than 1,000,000|too long"):
        expand(text)
    assert time.perf_counter() - began < 1


@given(st.integers(-99, 99), st.sampled_from("+-*"), st.integers(-9, 9), st.integers(0, 12))
@settings(deadline=None, max_examples=200)
def test_progressions_are_what_they_say(first: int, sign: str, by: int, count: int) -> None:
    steps = {"+": lambda i: first + i * by, "-": lambda i: first - i * by, "*": lambda i: first * by**i}
    assert expand(f"{first}{sign}{by}x{count}") == [float(steps[sign](i)) for i in range(count + 1)]


@given(st.text(alphabet="0123456789x+-*_.einfa ", max_size=15))
@settings(deadline=None, max_examples=300)
def test_any_text_expands_or_is_refused(text: str) -> None:
    try:
        values = expand(text)
    except ValueError as error:
        message = str(error)
    else:
        assert all(value is None or isinstance(value, float) for value in values)
        return
    assert message.startswith(("the term", "with the term"))
