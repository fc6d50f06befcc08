"""What a run may be called changes no format: each hostile text of the issue, in every place, in every format.

A document made with a hostile text must have the structure of the same document with a plain one, as the format's own reader sees
it: no more elements, cells, lines, objects or commands.
"""

import csv
import io
import json
import re
import xml.etree.ElementTree
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from mlcheck.report import Best, Coverage, Evidence, Gap, Note, Outcome, Panel, Report, Severity, SourceStatus
from mlcheck.reporters.base import Options
from mlcheck.reporters.html.assets import plotly_js
from mlcheck.reporters.registry import REPORTERS, get
from tests.reporters.example import finding, rule, run
from tests.reporters.test_html import Page

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "pipe": "a|b",
    "backticks": "`code` ``` ````",
    "mention": "@everyone",
    "command": "::error::stop",
    "command on its own line": "\n::error file=a,line=1::stop\n",
    "escape": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "right to left": "\u202eabc\u2067def\u2069\u200f",
    "surrogate": "lone\udc80surrogate",
    "long": "x" * 10_000,
}
PLAIN = "plain"


def named(text: str) -> Report:
    """A report whose every text that may come from a run is this one."""
    findings = tuple(
        finding(
            f"LOS00{i}",
            "loss-divergence",
            text,
            severity=severity,
            labels={"layer": text},
            series=(text,),
            message=text,
            advice=text,
            headline=text,
            reasons=(text,),
            fingerprint=f"f{i}",
            params={text: text},
            evidence=(Evidence(text, text, "value", "step", (0, 100), (1.0, 2.0)),),
        )
        for i, severity in enumerate((Severity.ERROR, Severity.WARNING, Severity.INFO))
    )
    evidence = {key: Evidence(text, "weight", key, "step", (0, 1), (0.0, 1.0)) for key in ("min", "mean", "std", "max")}
    return Report(
        version="1.0",
        runs=(
            run(
                text,
                path=text,
                lane=text,
                facts={text: text},
                regime_reason=text,
                best=Best(text, "metric", "val", 3, 0.5, metric=text),
                coverage=Coverage(8, 6, (Gap(text, ("LOS009",), text),)),
            ),
        ),
        sources=(SourceStatus(text, "tensorboard", "unreadable", 0, text, 3, text, 9, 6),),
        findings=findings,
        outcomes=(
            Outcome("LOS009", text, "errored", text, labels={text: text}),
            Outcome("LOS008", text, "skipped", text, kind="input", missing=(text,)),
        ),
        rules=tuple(rule(f"LOS00{i}", "loss-divergence", "loss", "error") for i in range(10)),
        panels=(
            Panel(text, text, "line", Evidence(text, "loss", "value", "step", (0, 1), (0.0, 1.0))),
            *(Panel(text, text, "heatmap", one) for one in evidence.values()),
            *(Panel(text, text, "distribution", one) for one in evidence.values()),
        ),
        notes=(Note("path", text),),
        missing_paths=(text,),
        unmet=(text,),
    )


def shape(value: Any) -> Any:
    """The types of a JSON value; what an object is keyed by may be a text of the run."""
    if isinstance(value, dict):
        return sorted(str(shape(one)) for one in value.values())
    return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__


def markdown(text: str) -> list[str]:
    """Blocks and what is inside them; texts that are broken by an escape are one."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = [one.type for token in parser.parse(text) for one in (token, *(token.children or []))]
    return [one for one in found if one not in ("text", "text_special", "softbreak")]


def elements(text: str) -> list[tuple[str, list[str]]]:
    page = Page(text.replace(plotly_js(), ""))
    assert shape(page.data)
    return [(tag, sorted(attributes)) for tag, attributes in page.elements]


def cases(text: str) -> list[tuple[str, list[str]]]:
    return [(one.tag, sorted(one.attrib)) for one in xml.etree.ElementTree.fromstring(text).iter()]


def commands(text: str) -> list[str]:
    """The commands that the runner of GitHub Actions obeys: one a line, each with its properties."""
    found = [re.match(r"::(\w+) ([^:]*)::", line) for line in text.splitlines()]
    return [f"{one[1]} {sorted(part.partition('=')[0] for part in one[2].split(','))}" if one else "?" for one in found]


ROWS = re.compile(
    r"^\d+  (?:error|warning|info) |^\d+ error, \d.*?·|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]",
    re.M,
)
"""Rows and counts of the table, and what a terminal would obey."""

STRUCTURE: dict[str, Callable[[str], Any]] = {
    "terminal": lambda text: re.findall(ROWS, text),
    "json": lambda text: shape(json.loads(text)),
    "jsonl": lambda text: [shape(json.loads(line)) for line in text.splitlines()],
    "sarif": lambda text: shape(json.loads(text)),
    "gitlab": lambda text: shape(json.loads(text)),
    "csv": lambda text: [len(row) for row in csv.reader(io.StringIO(text, newline=""))],
    "junit": cases,
    "markdown": markdown,
    "step-summary": markdown,
    "html": elements,
    "github": commands,
}


def test_every_format_has_a_reader() -> None:
    assert set(STRUCTURE) == set(REPORTERS)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", REPORTERS)
def test_a_hostile_text_changes_no_structure(name: str, text: str) -> None:
    options = Options(verbose=True, max_chars=1_000_000)
    made = get(name).render(named(text), options)
    assert STRUCTURE[name](made) == STRUCTURE[name](get(name).render(named(PLAIN), options))
    if name in ("markdown", "step-summary"):
        assert "@everyone" not in made, "nobody is notified"


@pytest.mark.parametrize("name", REPORTERS)
def test_the_structure_shows_one_finding_less(name: str) -> None:
    one = named(PLAIN)
    fewer = replace(one, findings=one.findings[:-1])
    assert STRUCTURE[name](get(name).render(one, Options())) != STRUCTURE[name](get(name).render(fewer, Options()))
