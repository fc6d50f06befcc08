"""Whole outputs, as a user sees them. `pytest --snapshot-update` accepts a change; look at the files first."""

import json as standard_json

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from mlcheck.report import Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.inspection import render_inspection
from mlcheck.reporters.registry import get
from tests.reporters.example import everything, failing, healthy, sweep

NAMES = tuple(everything())


class TextFile(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def text(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TextFile)


@pytest.mark.parametrize("width", [80, 130])
@pytest.mark.parametrize("name", NAMES)
def test_terminal(name: str, width: int, text: SnapshotAssertion) -> None:
    assert get("terminal").render(everything()[name], Options(width=width)) == text


def test_terminal_in_color(text: SnapshotAssertion) -> None:
    assert get("terminal").render(failing(), Options(width=100, color=True)) == text


def test_terminal_verbose(text: SnapshotAssertion) -> None:
    assert get("terminal").render(failing(), Options(verbose=True, show_suppressed=True)) == text


def test_terminal_hides_below_a_severity(text: SnapshotAssertion) -> None:
    assert get("terminal").render(failing(), Options(min_severity=Severity.ERROR)) == text


def test_terminal_of_a_thousand_runs(text: SnapshotAssertion) -> None:
    assert get("terminal").render(sweep(1_000), Options(width=100)) == text


@pytest.mark.parametrize("name", NAMES)
def test_markdown(name: str, text: SnapshotAssertion) -> None:
    assert get("md").render(everything()[name], Options()) == text


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", ["failing", "hostile"])
def test_inspection(name: str, width: int, text: SnapshotAssertion) -> None:
    assert render_inspection(everything()[name], Options(width=width)) == text


def test_json(text: SnapshotAssertion) -> None:
    assert get("json").render(failing(), Options()) == text


def test_json_of_a_healthy_run_has_the_documented_keys() -> None:
    plain = standard_json.loads(get("json").render(healthy(), Options()))
    assert {"schema", "tool", "runs", "sources", "findings", "outcomes", "rules", "panels", "notes", "summary"} <= set(
        plain
    )
    assert plain["schema"] == "mlcheck.report/1"
    assert plain["tool"] == {"name": "mlcheck", "version": "0.1.0"}
    run_keys = {"name", "path", "series", "points", "first_step", "last_step", "regime", "lane", "facts", "best"}
    assert run_keys <= set(plain["runs"][0])
