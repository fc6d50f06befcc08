"""What holds for every format in the registry, also for one that is added later."""

import os
import re
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from mlcheck.report import Report, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.html.assets import plotly_js
from mlcheck.reporters.registry import ALIASES, REPORTERS, get
from tests.reporters.example import empty, everything, failing, healthy, sweep
from tests.reporters.example_ci import nasty, troubled
from tests.reporters.test_html import worst_of_five_hundred

ROOT = Path(__file__).parents[2]
REPORTS = {**everything(), "nasty": nasty(), "troubled": troubled()}
CI_FORMATS = ("sarif", "junit", "github", "step-summary", "gitlab", "jsonl", "csv")

# What the runner of GitHub Actions obeys: `::command` at the start of a line, `##[command]` anywhere in one; what Azure and
# TeamCity obey.
COMMAND = re.compile(r"(?m)^\s*::[a-z-]+|##\[|##vso\[|##teamcity\[", re.IGNORECASE)


class Bytes(SingleFileSnapshotExtension):
    """Line ends as they are."""

    _write_mode = WriteMode.BINARY
    file_extension = "txt"


@pytest.mark.parametrize("report", ["failing", "healthy", "sweep", "empty", "troubled"])
@pytest.mark.parametrize("name", CI_FORMATS)
def test_whole_outputs(name: str, report: str, snapshot: SnapshotAssertion) -> None:
    """`pytest --snapshot-update` accepts a change; look at the files first."""
    text = get(name).render(REPORTS[report], Options())
    assert text.encode("utf-8") == snapshot.use_extension(Bytes)


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("name", REPORTERS)
def test_the_name_is_that_of_the_registry_and_the_text_ends_in_a_line_end(name: str, report: str) -> None:
    assert get(name).name == name
    assert get(name).render(REPORTS[report], Options()).endswith("\n")


def test_an_alias_is_another_word_for_a_format() -> None:
    for alias, name in ALIASES.items():
        assert get(alias).name == name
    assert not set(ALIASES) & set(REPORTERS)


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("name", REPORTERS)
def test_the_same_report_gives_the_same_bytes(name: str, report: str) -> None:
    assert get(name).render(REPORTS[report], Options()) == get(name).render(REPORTS[report], Options())


def test_the_bytes_do_not_hang_on_the_seed_of_hashes() -> None:
    code = (
        "import hashlib\n"
        "from mlcheck.reporters.base import Options\n"
        "from mlcheck.reporters.registry import REPORTERS, get\n"
        "from tests.reporters.test_formats import REPORTS\n"
        "for name in REPORTERS:\n"
        "    for report in REPORTS.values():\n"
        "        print(name, hashlib.sha256(get(name).render(report, Options()).encode('utf-8', 'replace')).hexdigest())\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


@pytest.mark.parametrize("name", [name for name in REPORTERS if name != "html"])
def test_five_hundred_findings_are_written_within_a_second(name: str) -> None:
    report = worst_of_five_hundred()
    taken = []
    for _ in range(3):
        started = time.process_time()
        get(name).render(report, Options(verbose=True))
        taken.append(time.process_time() - started)
    assert min(taken) < 1, "seconds of this process: others on the machine are no part of it"


def _ours(name: str, text: str) -> str:
    """The text without plotly.js, which is no text of a run."""
    return text.replace(plotly_js(), "") if name == "html" else text


@pytest.mark.parametrize("options", [Options(), Options(show_suppressed=True, verbose=True)], ids=["plain", "all"])
@pytest.mark.parametrize("report", ["hostile", "nasty"])
@pytest.mark.parametrize("name", REPORTERS)
def test_texts_of_a_run_are_one_harmless_line(name: str, report: str, options: Options) -> None:
    text = _ours(name, get(name).render(REPORTS[report], options))
    text.encode("utf-8")
    unsafe = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert unsafe <= ({"\r", "\n"} if name == "csv" else {"\n"})
    assert "x" * 2_000 not in text or name in ("json", "jsonl"), "long names are cut; what machines read keeps them"


@pytest.mark.parametrize("report", ["hostile", "nasty"])
@pytest.mark.parametrize("name", [name for name in REPORTERS if name != "github"])
def test_no_runner_takes_a_command_from_a_text(name: str, report: str) -> None:
    assert COMMAND.findall(get(name).render(REPORTS[report], Options(show_suppressed=True, verbose=True))) == []


@pytest.mark.parametrize("name", ["sarif", "gitlab", "jsonl"])
def test_json_can_stand_inside_a_web_page(name: str) -> None:
    text = get(name).render(nasty(), Options(show_suppressed=True))
    assert text.isascii()
    assert not set("<>&") & set(text)


@pytest.mark.parametrize("name", ["sarif", "gitlab", "jsonl", "csv", "github"])
def test_findings_below_the_asked_severity_are_not_listed(name: str) -> None:
    every = get(name).render(failing(), Options())
    errors = get(name).render(failing(), Options(min_severity=Severity.ERROR))
    assert "validation loss rose" in every
    assert "validation loss rose" not in errors
    assert "mean |gradient| of encoder.3" in errors


@pytest.mark.parametrize(
    "name", ["terminal", "markdown", "step-summary", "junit", "github", "gitlab", "jsonl", "sarif", "html"]
)
@pytest.mark.parametrize("make", [empty, troubled])
def test_what_could_not_be_judged_is_said(name: str, make: type[Report]) -> None:
    """CSV is a table of findings and has no place for it."""
    text = get(name).render(make(), Options())
    assert ("empty file" in text) or ("1 file unreadable" in text)


def test_a_healthy_run_is_nothing_that_fails() -> None:
    assert get("gitlab").render(healthy(), Options()) == "[]\n"
    assert get("csv").render(healthy(), Options()).count("\n") == 1
    assert "<failure" not in get("junit").render(healthy(), Options())
    assert get("github").render(healthy(), Options()).startswith("::notice title=mlcheck::no findings")
    assert sweep().findings


def test_the_documentation_lists_every_format_and_alias() -> None:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for name in REPORTERS:
        (row,) = (line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert {alias for alias, other in ALIASES.items() if other == name} <= set(re.findall(r"`([\w-]+)`", row))
