"""Charts: what Mermaid's own lexer takes (xychart.jison), and that no value is lost or made up."""

import math
import random
import re

import pytest

from mlcheck.report import Evidence
from mlcheck.reporters.codec import encode
from mlcheck.reporters.mermaid import chart
from tests.reporters.example_ci import NASTY

NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)"
# The statements of the grammar that we use. A quote ends a text; a backtick behind a quote would begin Markdown.
BLOCK = re.compile(
    "```mermaid\n"
    r"%%\{init: [^\n]*\}%%\n"
    "xychart-beta\n"
    r'    title "(?P<title>[^"`\n]+)"'
    "\n"
    rf'    x-axis "(?P<axis>[^"`\n]+)" (?P<first>{NUMBER}) --> (?P<last>{NUMBER})'
    "\n"
    rf'    y-axis "(?P<unit>[^"`\n]+)" (?P<low>{NUMBER}) --> (?P<high>{NUMBER})'
    "\n"
    rf"    line \[(?P<values>{NUMBER}(?:, {NUMBER})*)\]"
    "\n"
    "```\n"
)


def evidence(values: list[float], steps: list[int] | None = None, series: str = "train/loss", **more: str) -> Evidence:
    given = {"role": "loss", "statistic": "value", "axis": "step", **more}
    return Evidence(series=series, steps=tuple(steps or range(len(values))), values=tuple(values), **given)


def parsed(text: str) -> dict[str, str]:
    match = BLOCK.fullmatch(text)
    assert match is not None, text
    return match.groupdict()


def numbers(text: str) -> list[float]:
    return [float(word) for word in parsed(text)["values"].split(", ")]


def mermaid_places(first: float, last: float, count: int) -> int:
    """How many places Mermaid 11.4 gives a line of `count` values."""
    step, place, places = (last - first) / (count - 1), first, 0
    while place <= last:
        place, places = place + step, places + 1
    return places


def test_a_small_curve_is_drawn_as_it_is() -> None:
    text = chart(evidence([1.0, 0.5, 0.25, 0.125], [0, 10, 20, 30]))
    assert text == (
        "```mermaid\n"
        '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#3b82f6"}}}}%%\n'
        "xychart-beta\n"
        '    title "train/loss"\n'
        '    x-axis "step" 0 --> 30\n'
        '    y-axis "value" 0.125 --> 1\n'
        "    line [1, 0.5, 0.25, 0.125]\n"
        "```\n"
    )


def test_a_wide_range_is_its_log10_and_the_title_says_so() -> None:
    drawn = parsed(chart(evidence([10.0**-i for i in range(9)], series="grad", statistic="abs_mean")))
    assert drawn["title"] == "mean magnitude of grad, log10"
    assert drawn["unit"] == "log10"
    assert drawn["values"] == "0, -1, -2, -3, -4, -5, -6, -7, -8"


def test_a_range_of_three_orders_with_a_zero_stays_linear() -> None:
    drawn = parsed(chart(evidence([0.0, 1.0, 2_000.0])))
    assert drawn["title"] == "train/loss"
    assert [float(word) for word in drawn["values"].split(", ")] == [0, 1, 2_000]


@pytest.mark.parametrize(("size", "unit"), [(2e9, "1e9"), (3e-5, "1e-5")])
def test_a_number_without_exponent_is_in_a_unit_that_the_title_names(size: float, unit: str) -> None:
    drawn = parsed(chart(evidence([-size, size, size / 2])))
    assert drawn["title"] == f"train/loss, in units of {unit}"
    factor = float(unit)
    assert [float(word) * factor for word in drawn["values"].split(", ")] == pytest.approx(
        [-size, size, size / 2], rel=1e-3
    )


def test_values_that_are_not_finite_are_left_out_and_said_to_be() -> None:
    drawn = parsed(chart(evidence([1.0, 2.0, math.nan, 4.0, 5.0, math.inf, math.nan])))
    # The line runs from 2 to 4 over the place of the NaN, and the axis ends where the last value is.
    assert [float(word) for word in drawn["values"].split(", ")] == [1, 2, 3, 4, 5]
    assert (drawn["first"], drawn["last"]) == ("0", "4")
    assert drawn["title"] == "train/loss, values that are not finite left out"


@pytest.mark.parametrize(
    "values", [[], [1.0], [1.0, 2.0], [1.0, 2.0, math.nan], [math.nan] * 50, [math.inf, -math.inf, 1.0, 2.0]]
)
def test_too_few_values_are_no_chart(values: list[float]) -> None:
    assert chart(evidence(values)) == ""


def test_one_step_is_no_chart() -> None:
    assert chart(evidence([1.0, 2.0, 3.0], [7, 7, 7])) == ""


@pytest.mark.parametrize("at", [0, 1, 57, 100, 143, 199])
def test_no_spike_is_lost(at: int) -> None:
    values = [1.0 + 0.01 * (i % 3) for i in range(200)]
    values[at] = 50.0
    drawn = numbers(chart(evidence(values, [i * 13 for i in range(200)])))
    assert max(drawn) == 50
    assert drawn.index(50) == pytest.approx(at / 199 * (len(drawn) - 1), abs=0.51)


def test_uneven_steps_stand_where_they_belong() -> None:
    """Ten points in the first tenth of the run and one at its end: the line is straight between them."""
    steps = [*range(0, 100, 10), 1_000]
    drawn = numbers(chart(evidence([float(step) for step in steps], steps)))
    for place, value in enumerate(drawn):
        assert value == pytest.approx(1_000 * place / (len(drawn) - 1), abs=60)


def test_at_most_forty_points_and_all_of_them_are_drawn() -> None:
    """By every version of Mermaid: older ones lose the last point where their sum of distances passes the end of the axis."""
    source = random.Random(1)
    counts = []
    for _ in range(500):
        first, stride, points = source.randrange(10**6), source.randrange(1, 5_000), source.randrange(3, 200)
        text = chart(evidence([source.random() for _ in range(points)], [first + stride * i for i in range(points)]))
        drawn = parsed(text)
        count = len(numbers(text))
        assert (int(drawn["first"]), int(drawn["last"])) == (first, first + stride * (points - 1))
        assert mermaid_places(float(drawn["first"]), float(drawn["last"]), count) == count
        counts.append((min(points, 40), count))
    assert all(count <= most for most, count in counts)
    assert sum(count == most for most, count in counts) > 250


@pytest.mark.parametrize("exponent", [-320, -308, -100, -9, -4, 0, 5, 6, 9, 100, 308])
@pytest.mark.parametrize("kind", ["spread", "constant", "orders", "signs"])
def test_every_size_of_value_is_valid_and_within_the_axis(exponent: int, kind: str) -> None:
    source = random.Random(exponent)
    size = 10.0**exponent
    values = {
        "spread": [source.random() * size for _ in range(60)],
        "constant": [size] * 60,
        "orders": [10.0 ** (exponent * source.random()) for _ in range(60)],
        "signs": [source.uniform(-1, 1) * size for _ in range(60)],
    }[kind]
    text = chart(evidence(values))
    drawn = parsed(text)
    low, high = float(drawn["low"]), float(drawn["high"])
    assert low < high
    assert all(low <= value <= high for value in numbers(text))
    assert len(text) < 1_200


def test_steps_beyond_what_a_float_tells_apart_are_counted_from_the_first() -> None:
    start = 1_700_000_000_000_000_001
    drawn = parsed(chart(evidence([1.0, 2.0, 3.0], [start, start + 5, start + 10], axis="time")))
    assert (drawn["axis"], drawn["first"], drawn["last"]) == (f"time after {start}", "0", "10")
    assert chart(evidence([1.0, 2.0, 3.0], [-(2**62), 0, 2**62])) == ""


def test_a_saved_report_gives_the_same_chart() -> None:
    """Rounding to seven digits and then to four is not rounding to four."""
    source = random.Random(7)
    for exponent in (-7, -4, 0, 5, 9):
        values = [source.random() * 10.0**exponent for _ in range(200)] + [0.00125 + 1e-12, 0.5 - 1e-12]
        saved = [encode(value) for value in values]
        assert chart(evidence(values)) == chart(evidence(saved))


def test_restarts_are_one_curve() -> None:
    text = chart(evidence([3.0, 2.0, 1.0, 2.0, 1.0, 0.5], [0, 10, 20, 10, 20, 30]))
    assert (parsed(text)["first"], parsed(text)["last"]) == ("0", "30")


@pytest.mark.parametrize(
    "text", ['a" --> b', "```", '`"x', "%%{init: {}}%%", "a;b#35;c", "<script>", "", "\n", "🙂", *NASTY]
)
def test_no_text_leaves_its_quotes(text: str) -> None:
    drawn = parsed(chart(evidence([1.0, 2.0, 3.0], series=text, axis=text, statistic=text)))
    for part in (drawn["title"], drawn["axis"]):
        assert not set(part) & set('"`%{}<>#;:@&$|\\\n')
        assert len(part) <= 150
