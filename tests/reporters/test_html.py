"""The page as text: what it says, what it may not let through, how large it is."""

import builtins
import importlib.util
import json
import math
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from mlcheck.errors import UsageError
from mlcheck.report import Evidence, Finding, Panel, Report, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.html import assets
from mlcheck.reporters.html.charts import MAX_POINTS, Charts
from mlcheck.reporters.registry import get
from mlcheck.store.quantiles import QUANTILES
from tests.reporters.example import curve, empty, everything, failing, finding, healthy
from tests.reporters.example_ci import NASTY, large, nasty, troubled

REPORTS = {**everything(), "nasty": nasty(), "troubled": troubled()}
NEVER_CLOSED = {"meta", "br", "input"}


class Page(HTMLParser):
    """Elements, their attributes, and the texts of scripts; asserts that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in NEVER_CLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)

    def of(self, tag: str, kind: str | None = None) -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and (kind is None or kind in (a.get("class") or "").split())]

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])


def page(report: Report, **options: Any) -> Page:
    return Page(get("html").render(report, Options(**options)))


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_comes_from_elsewhere_and_no_text_becomes_an_element(name: str) -> None:
    made = page(REPORTS[name])
    assert [a.get("type") for a in made.of("script")] == ["application/json", "text/plain", None]
    plain = {tag for tag, _ in made.elements}
    assert not plain & {"link", "img", "iframe", "object", "embed", "base", "i", "b", "u", "svg"}
    for tag, attributes in made.elements:
        assert not {"src", "srcset", "action", "formaction", "data"} & set(attributes), tag
        assert not [key for key in attributes if key.startswith("on")]
        href = attributes.get("href")
        assert href is None or re.fullmatch(r"#[a-z]+\d*", href)


@pytest.mark.parametrize("name", REPORTS)
def test_links_and_labels_lead_to_what_is_there_once(name: str) -> None:
    made = page(REPORTS[name])
    ids = [a["id"] for _, a in made.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {(a["href"] or "")[1:] for a in made.of("a")} | {
        a["aria-labelledby"] for _, a in made.elements if "aria-labelledby" in a
    }
    assert targets <= set(ids)
    charts = [int(a["data-chart"] or "") for a in made.of("div", "chart")]
    assert all(0 <= chart < len(made.data["charts"]) for chart in charts)


def test_the_policy_names_the_scripts_and_forbids_the_rest() -> None:
    made = page(failing())
    (policy,) = [a["content"] or "" for a in made.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == "'none'"
    assert parts["script-src"] == f"'{assets.digest(made.scripts[1])}' '{assets.digest(made.scripts[2])}'"
    assert not re.search(r"https?:|\*|unsafe-eval", policy)
    first = [tag for tag, _ in made.elements].index("meta")
    assert made.elements[first + 1][1].get("http-equiv"), "before anything that it shall hold for"


def test_scripts_hold_to_their_end() -> None:
    source = 'a = "</script>" + "<!--" + "<SCRIPT" + `x\r\ny`; b < c'
    assert assets.script_safe(source) == 'a = "\\x3c/script>" + "\\x3c!--" + "\\x3cSCRIPT" + `x\ny`; b < c'


def test_nasty_texts_are_shown_as_they_are() -> None:
    made = page(nasty(), show_suppressed=True)
    assert "<script>alert(1)</script>" in made.words
    assert "]]></failure><script>" in made.words
    raw = get("html").render(nasty(), Options()).replace(assets.plotly_js(), "")
    (block,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', raw, re.DOTALL)
    assert block.isascii()
    assert not set("<>&") & set(block)
    assert "x" * 1_000 not in raw
    names = {series["name"] for series in made.data["series"]}
    assert "<script>alert(1)</script>" in names, "escaped in the text, whole as a value"
    assert len(NASTY) > 30


def test_texts_do_not_end_the_json_block() -> None:
    bad = "</script><script>alert(1)</script>\u2028<!--"
    report = replace(
        failing(), findings=(finding("LOS001", bad, "exp1", series=(bad,), evidence=(curve(bad, bad, [1.0, 2.0]),)),)
    )
    made = page(report)
    assert made.data["series"][0]["name"] == "</script><script>alert(1)</script>\\u2028<!--"
    assert len(made.scripts) == 3


def test_every_finding_that_is_shown_in_the_terminal_is_on_the_page() -> None:
    made = page(failing())
    cards = made.of("article", "card")
    active = [a for a in cards if (a["id"] or "").startswith("f")]
    assert [(a["data-severity"], a["data-rule"]) for a in active] == [
        ("error", "GRD001"),
        ("error", "LOS001"),
        ("warning", "GEN001"),
        ("info", "RUN001"),
    ]
    assert "12 of 48 layers, first encoder.3 at step 1,200" in made.words
    assert len(made.of("option")) >= 12, "each of the 12 layers can be chosen"
    assert "1 known finding, baselined or suppressed" in made.words
    assert "gradients vanish from step 1,200 of 10,000; 88 % of the run, 5.4 h, came after it" in made.words
    assert "exit code 1: a finding at or above error" in made.words


def test_cause_and_consequence_are_linked_both_ways() -> None:
    made = page(failing())
    cards = [a for a in made.of("article", "card") if (a["id"] or "").startswith("f")]
    by_rule = {a["data-rule"]: a["id"] for a in cards}
    hrefs = [a["href"] for a in made.of("a")]
    assert f"#{by_rule['LOS001']}" in hrefs
    assert f"#{by_rule['GRD001']}" in hrefs
    below = [a["data-rule"] for a in cards if "below" in (a["class"] or "").split()]
    assert below == ["LOS001"]


def test_findings_below_the_asked_severity_are_left_out_and_counted() -> None:
    made = page(failing(), min_severity=Severity.WARNING)
    assert "info" not in {a["data-severity"] for a in made.of("article", "card")}
    assert "1 row below warning not shown" in made.words


def test_rules_that_passed_and_were_skipped_are_there_with_reasons() -> None:
    words = page(failing()).words
    assert "lr: 7 of 20 points" in words
    assert "does not apply: not for supervised" in words
    assert "passed in 1 run" in words
    assert "36 combinations in 1 run" in words
    trouble = page(troubled()).words
    assert "ZeroDivisionError: division by zero" in trouble
    assert "is required and was not checked" in trouble
    assert "data in the middle is lost, at byte 512; 88 bytes of 1,000 lost" in trouble


def test_a_healthy_run_and_no_run() -> None:
    assert "No findings." in page(healthy()).words
    words = page(empty()).words
    assert "No run found." in words
    assert "empty file" in words


def chart_of(one: Finding) -> Any:
    charts = Charts()
    number = charts.finding(one)
    assert number is not None
    return charts.document()["charts"][number], charts.document()["series"]


def test_a_series_comes_back_as_it_was() -> None:
    values = [1.0, math.nan, math.inf, -math.inf, 123456789.0, 1e-9]
    steps = (0, 10, 5, 7, 1_000, 1_001)
    one = finding("A", "a", "r", evidence=(Evidence("s", "loss", "value", "step", steps, tuple(values)),))
    _, series = chart_of(one)
    (raw,) = series
    back = [raw["first"]]
    for stride in raw["strides"]:
        back.append(back[-1] + stride)
    assert tuple(back) == steps
    assert raw["values"] == [1, "NaN", "Infinity", "-Infinity", 123457000.0, 1e-09]
    _, regular = chart_of(finding("A", "a", "r", evidence=(curve("s", "loss", [1.0, 2.0, 3.0]),)))
    assert (regular[0]["first"], regular[0]["strides"]) == (0, 100)


@pytest.mark.parametrize(
    ("value", "measure", "drawn"),
    [(3.5, "", True), (2.0, "", True), (9.0, "", False), (3.5, "gain", False), (None, "", False)],
    ids=["a value of the series", "a mean of it", "on another scale", "something else", "no value"],
)
def test_the_limit_is_drawn_only_on_its_own_scale(value: float | None, measure: str, drawn: bool) -> None:
    one = finding("A", "a", "r", value=value, limit=1.2, measure=measure, evidence=(curve("s", "loss", [1.0, 3.5]),))
    chart, _ = chart_of(one)
    assert ("limit" in chart["lanes"][0]) is drawn


def test_the_failing_steps_are_shaded() -> None:
    chart, _ = chart_of(failing().findings[0])
    assert chart["spans"] == [[1_200, 10_000]]
    whole_run = next(f for f in failing().findings if f.rule == "LOS001")
    assert chart_of(whole_run)[0]["spans"] == []


def test_a_series_that_two_findings_show_is_held_once_and_room_is_limited() -> None:
    charts = Charts()
    assert charts.finding(finding("A", "a", "r", evidence=(curve("s", "loss", [1.0, 2.0]),))) == 0
    assert charts.finding(finding("B", "b", "r", evidence=(curve("s", "loss", [1.0, 2.0]),))) == 1
    assert len(charts.document()["series"]) == 1
    huge = curve("t", "loss", [float(i) for i in range(MAX_POINTS)])
    assert charts.finding(finding("C", "c", "r", evidence=(huge,))) is None
    assert (
        "No room was left for this chart"
        in page(
            replace(
                failing(),
                findings=(
                    finding("C", "c", "exp1", evidence=(huge, huge, replace(huge, series="u"))),
                    finding("D", "d", "exp1", evidence=(replace(huge, series="v"),)),
                ),
            )
        ).words
    )


def test_the_overview_marks_findings_on_shared_steps_and_layers_make_a_heatmap() -> None:
    rows = [
        Panel("exp1", "abs_mean of gradients", "heatmap", curve(f"gradients/fc{i}", "gradient", [1.0, 2.0], "abs_mean"))
        for i in range(3)
    ]
    lines = [Panel("exp1", n, "line", curve(n, r, [1.0, 2.0])) for n, r in (("train/loss", "loss"), ("lr", "lr"))]
    made = page(replace(failing(), panels=(*lines, *rows)))
    overview, heatmap = made.data["charts"][-2:]
    assert [lane["title"] for lane in overview["lanes"]] == ["loss", "learning rate"]
    assert [(m["step"], m["severity"]) for m in overview["marks"]] == [
        (1_200, "error"),
        (4_000, "warning"),
        (5_000, "info"),
    ]
    assert heatmap["kind"] == "heatmap"
    assert [made.data["series"][row]["name"] for row in heatmap["rows"]] == [
        "gradients/fc0",
        "gradients/fc1",
        "gradients/fc2",
    ]


def test_the_distribution_of_a_tensor_is_bands_around_its_median() -> None:
    keys = ("min", *QUANTILES, "max")
    rows = [curve("fc1", "weight", [place, place + 1.0], key) for place, key in enumerate(keys)]
    panels = [Panel("exp1", "fc1", "distribution", row) for row in rows]
    tensors = tuple(replace(failing().series[0], run="exp1", name=name, kind="tensor") for name in ("fc1", "fc2"))
    made = page(replace(failing(), panels=tuple(panels), series=tensors))
    chart, series = made.data["charts"][-1], made.data["series"]
    assert (chart["kind"], chart["title"], chart["name"]) == ("bands", "fc1", "median")
    assert [(b["name"], series[b["low"]]["values"][0], series[b["high"]]["values"][0]) for b in chart["bands"]] == [
        ("least to greatest", 0, 6),
        ("the middle 87 %", 1, 5),
        ("the middle 38 %", 2, 4),
    ]
    assert series[chart["line"]]["values"] == [3, 4]
    assert "Distribution over steps" in made.words
    assert "1 of 2 tensors" in made.words


def test_where_there_are_no_quantiles_the_moments_are_shown() -> None:
    charts = Charts()
    rows = [curve("relu", "activation", values, key) for key, values in (
        ("min", [0.0, math.nan]), ("mean", [1.0, math.nan]), ("std", [0.25, math.nan]), ("max", [3.0, math.inf]),
    )]  # fmt: skip
    assert charts.distribution("relu", rows) == 0
    chart, series = charts.document()["charts"][0], charts.document()["series"]
    assert chart["name"] == "mean"
    assert [[series[b[end]]["values"] for end in ("low", "high")] for b in chart["bands"]] == [
        [[0, "NaN"], [3, "Infinity"]],
        [[0.75, "NaN"], [1.25, "NaN"]],
    ]


@pytest.mark.parametrize(
    "keys",
    [(), ("min", "max"), ("mean",), ("quantile(0.10)", "quantile(0.9)"), ("quantile(9)", "quantile(", "std", "min")],
    ids=str,
)
def test_statistics_that_are_no_distribution_give_no_chart(keys: tuple[str, ...]) -> None:
    """As a saved report of somebody else may hold them."""
    rows = [curve("fc1", "weight", [1.0, 2.0], key) for key in keys]
    assert Charts().distribution("fc1", rows) is None


def worst_of_five_hundred() -> Report:
    """500 findings over 100 runs whose charts share nothing, with irregular steps, and an overview of every run."""
    chance = random.Random(1)
    base = large()

    def some(name: str, points: int) -> Evidence:
        steps = sorted(chance.sample(range(1_000_000), points))
        return Evidence(name, "loss", "value", "step", tuple(steps), tuple(chance.gauss(0, 1) for _ in steps))

    findings = [
        replace(f, evidence=(some("train/loss", 200 if i < 50 else 40), some("val/loss", 200 if i < 50 else 40)))
        for i, f in enumerate(base.findings)
    ]
    panels = [
        Panel(r.name, n, "line", some(n, 100)) for r in base.runs for n in ("val/loss", "train/loss", "lr", "grad_norm")
    ]
    return replace(base, findings=tuple(findings), panels=tuple(panels))


def test_five_hundred_findings_are_under_eight_megabytes_with_plotly_once() -> None:
    text = get("html").render(worst_of_five_hundred(), Options())
    assert len(text.encode()) < 8_000_000
    assert text.count("Copyright 2012") == assets.plotly_js().count("Copyright 2012") == 1
    assert "No room was left" not in text
    assert len(Page(text).of("article", "card")) == 500


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "mlcheck.reporters.html.reporter.find_spec", lambda name: None if name == "plotly" else find(name)
    )
    with pytest.raises(UsageError, match=r"needs plotly: pip install plotly \(the extra `html` of mlcheck-scan\)"):
        get("html")
    assert get("json").name == "json"


def test_the_reporter_is_known_without_loading_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong format is refused before a scan, and that must not cost the import of plotly."""
    wanted = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        assert not name.startswith(("jinja2", "plotly"))
        return wanted(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert get("html").name == "html"
