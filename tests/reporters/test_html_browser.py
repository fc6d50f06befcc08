"""The page in headless Chromium: it opens without a network, draws, filters, prints. `pytest -m browser`."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlcheck.report import Panel, Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from tests.reporters.browser import MISSING, Browser, browser
from tests.reporters.example import curve, failing, sweep
from tests.reporters.example_ci import nasty
from tests.reporters.test_html import worst_of_five_hundred

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

SHOWN = "return Array.from(document.querySelectorAll('#cards .card:not([hidden])'), (card) => card.id)"
DRAWN = "return document.querySelectorAll('.chart[data-drawn] .main-svg').length > 0"
UNDRAWN = "return document.querySelectorAll('.chart:not([data-drawn])').length"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as session:
        yield session


def shown(chromium: Browser, report: Report, tmp_path: Path) -> Browser:
    path = tmp_path / "report.html"
    path.write_text(get("html").render(report, Options()), encoding="utf-8", newline="")
    chromium.console()
    chromium.requests()
    chromium.open(path)
    return chromium


def with_overview() -> Report:
    lines = [Panel("exp1", n, "line", curve(n, r, [2.0, 1.0, 0.5])) for n, r in (("train/loss", "loss"), ("lr", "lr"))]
    rows = [
        Panel("exp1", "abs_mean of gradients", "heatmap", curve(f"fc{i}", "gradient", [1.0, 2.0, 3.0], "abs_mean"))
        for i in range(4)
    ]
    return replace(failing(), panels=(*lines, *rows))


def clean(chromium: Browser) -> None:
    """Nothing in the console, nothing asked of a network, no chart that failed."""
    assert chromium.console() == []
    assert chromium.requests() == []
    assert chromium.run("return document.querySelectorAll('[data-failed]').length") == 0


def test_charts_are_drawn_when_they_are_opened(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, with_overview(), tmp_path)
    page.until(DRAWN)
    assert page.run("return document.querySelector('#f1 details').open"), "the first finding is open"
    assert page.run("return document.querySelectorAll('#f3 .main-svg').length") == 0, (
        "others wait until they are opened"
    )
    page.run("document.querySelector('#f3 summary').click(); document.querySelector('#f3').scrollIntoView()")
    page.until("return document.querySelectorAll('#f3 .main-svg').length > 0")
    plot = "document.querySelector('#f3 .plot')"
    assert page.run(f"return {plot}.data.filter((t) => t.name.startsWith('limit')).map((t) => t.y)") == [[0.43, 0.43]]
    assert page.run(f"return {plot}.layout.shapes.map((s) => [s.x0, s.x1])") == [[4_000, 10_000]]
    crosses = page.run(f"return {plot}.data.filter((t) => t.name === 'not finite').map((t) => t.text)")
    assert crosses == [["train/loss: NaN at 400", "train/loss: infinity at 700"]]
    clean(page)


def test_the_overview_leads_to_findings_and_the_heatmap_is_drawn(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, with_overview(), tmp_path)
    page.run("document.querySelector('#runs').scrollIntoView()")
    page.until("return document.querySelectorAll('#runs .chart .main-svg').length >= 2")
    page.run("document.querySelectorAll('#runs .chart')[1].scrollIntoView()")
    page.until("return document.querySelector('#runs .heatmaplayer image') !== null")
    page.run("document.querySelector('#runs .plot').emit('plotly_click', {points: [{customdata: 'f3'}]})")
    page.until("return document.querySelector('#f3 details').open && document.activeElement.id === 'f3'")
    clean(page)


def test_the_distribution_of_a_chosen_tensor_is_drawn(chromium: Browser, tmp_path: Path) -> None:
    rows = {"min": [-2.0, -1.0, math.nan], "mean": [0.0, 0.5, math.nan], "std": [1.0, 0.5, 0.0], "max": [2.0, 3.0, 1.0]}
    panels = [
        Panel("exp1", tensor, "distribution", curve(tensor, "weight", values, key))
        for tensor in ("fc1", "fc2")
        for key, values in rows.items()
    ]
    page = shown(chromium, replace(with_overview(), panels=(*with_overview().panels, *panels)), tmp_path)
    page.run("document.querySelectorAll('#runs .chart')[2].scrollIntoView()")
    chart = "document.querySelectorAll('#runs .chart')[2]"
    page.until(f"return {chart}.querySelectorAll('.main-svg').length > 0")
    drawn = f"return {chart}.querySelector('.plot').data.map((t) => [t.name, t.y])"
    assert page.run(drawn) == [
        ["least to greatest", [-2, -1, 3, 2, None]],
        ["one standard deviation around the mean", [-1, 0, 1, 1, None]],
        ["mean", [0, 0.5, None]],
        ["not finite", [0.96]],
    ]
    assert page.run(f"return {chart}.querySelector('.chart-tools')") is None, "values below zero have no logarithm"
    page.run(
        f"const s = {chart}.previousElementSibling.querySelector('select'); s.selectedIndex = 1;"
        "s.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    page.until(f"return {chart}.querySelector('.plot').layout.yaxis.title.text === 'fc2'")
    assert page.run("return document.querySelectorAll('#runs .chart')[1].dataset.chart") != page.run(
        f"return {chart}.dataset.chart"
    ), "the heatmap stays"
    clean(page)


def test_another_layer_of_a_folded_row_is_drawn(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, failing(), tmp_path)
    page.until(DRAWN)
    page.run(
        "const s = document.querySelector('#f1 select.member'); s.selectedIndex = 4;"
        "s.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    # The lead is encoder.3, then 4, 5, 6, 7.
    page.until("return document.querySelector('#f1 .plot').data[0].name === 'gradients/encoder.7'")
    clean(page)


def test_filters_work_with_the_keyboard(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, failing(), tmp_path)
    assert page.run(SHOWN) == ["f1", "f2", "f3", "f4"]
    page.keys("/")
    assert page.run("return document.activeElement.name") == "text"
    page.keys("patience overfit", "[name=text]")
    page.until("return document.querySelector('#shown').textContent === '1 of 4 shown'")
    assert page.run(SHOWN) == ["f3"]
    page.keys("zzz", "[name=text]")
    page.until("return !document.querySelector('#nothing').hidden")
    page.keys("\ue00c", "[name=text]")
    assert page.run(SHOWN) == ["f1", "f2", "f3", "f4"]
    page.keys(" ", "[name=severity][value=error]")
    assert page.run(SHOWN) == ["f3", "f4"]
    page.run("document.querySelector('#filters [type=reset]').click()")
    page.until("return document.querySelector('#shown').textContent === '4 of 4 shown'")
    page.keys("GRD", "[name=rule]")
    page.until("return document.querySelector('#shown').textContent === '1 of 4 shown'")
    assert page.run(SHOWN) == ["f1"]
    clean(page)


def test_the_run_filter_and_the_buttons_that_set_it(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, sweep(), tmp_path)
    run = "sweep/lr-010"
    page.run(
        "const s = document.querySelector('[name=run]'); s.value = arguments[0]; s.dispatchEvent(new Event('input', {bubbles: true}))",
        run,
    )
    assert page.run(
        "return Array.from(document.querySelectorAll('#cards .card:not([hidden])'), (c) => c.dataset.run)"
    ) == [run]
    page.run("document.querySelector('.pick[data-rule=GEN001]').click()")
    page.until("return document.querySelector('#shown').textContent.startsWith('2 of')")
    clean(page)


def test_a_link_shows_a_finding_that_is_filtered_away(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, failing(), tmp_path)
    page.run(
        "const s = document.querySelector('[name=rule]'); s.value = 'GRD001'; s.dispatchEvent(new Event('input', {bubbles: true}));"
        "document.querySelector('#f1 a[href=\"#f2\"]').click()"
    )
    page.until("return !document.querySelector('#f2').hidden && document.querySelector('#f2 details').open")
    clean(page)


def test_dark_and_light(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, failing(), tmp_path)
    page.until(DRAWN)
    background = "return getComputedStyle(document.body).backgroundColor"
    ink = "return document.querySelector('#f1 .plot').layout.font.color"
    page.media(prefers_color_scheme="light")
    light = page.run(background)
    page.media(prefers_color_scheme="dark")
    page.until(f"{ink} === '#e6e6e3'")
    dark = page.run(background)
    assert dark != light
    page.run("document.querySelector('#theme').click()")
    assert page.run(background) == light
    page.until(f"{ink} === '#1d1f21'")
    page.run("document.querySelector('#theme').click()")
    page.media(prefers_color_scheme="light")
    assert page.run(background) == dark
    page.run("document.querySelector('#theme').click()")
    clean(page)


def test_a_print_has_everything(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, with_overview(), tmp_path)
    page.until(DRAWN)
    page.run(
        "window.addEventListener('beforeprint', () => { window.seen ="
        " [document.querySelectorAll('details:not([open])').length, document.querySelectorAll('.chart:not([data-drawn])').length] })"
    )
    page.pdf(tmp_path / "report.pdf")
    assert page.run("return window.seen") == [0, 0]
    assert page.run("return document.querySelector('#f2 details').open") is False, "and is folded again afterwards"
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    clean(page)


def test_nasty_texts_do_nothing(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, nasty(), tmp_path)
    page.run("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    page.run("document.querySelectorAll('.chart').forEach((c) => c.scrollIntoView())")
    page.run("window.dispatchEvent(new Event('beforeprint')); window.dispatchEvent(new Event('afterprint'))")
    assert page.run(UNDRAWN) == 0
    assert page.run("return document.querySelectorAll('script').length") == 4, (
        "the three of the page, and plotly when it ran"
    )
    assert (
        page.run(
            "return document.querySelectorAll('iframe, object, embed, a:not([href^=\"#\"]):not(.modebar-btn)').length"
        )
        == 0
    )
    assert page.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
        "nothing sticks out"
    )
    clean(page)


@pytest.mark.parametrize("width", [360, 1_200])
def test_it_fits_a_narrow_window(chromium: Browser, tmp_path: Path, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chromium.devtools("Emulation.setDeviceMetricsOverride", size)
    page = shown(chromium, failing(), tmp_path)
    page.run("document.querySelector('#f1 .chart').scrollIntoView()")
    page.until(DRAWN)
    page.until("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    chromium.devtools("Emulation.clearDeviceMetricsOverride", {})


def test_five_hundred_findings_open_and_filter_in_time(chromium: Browser, tmp_path: Path) -> None:
    page = shown(chromium, worst_of_five_hundred(), tmp_path)
    opened = page.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert opened < 2_000
    start = time.monotonic()
    page.keys("encoder.3", "[name=text]")
    page.until("return document.querySelector('#shown').textContent === '100 of 500 shown'")
    assert time.monotonic() - start < 2
    clean(page)
