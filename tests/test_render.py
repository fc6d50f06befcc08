"""`mlcheck render`, and what `-o` does for CI systems, as real processes."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mlcheck.cli.output import MOST_SUMMARY_BYTES
from mlcheck.report import Report
from mlcheck.reporters.json import dumps, loads
from mlcheck.reporters.registry import REPORTERS
from tests.reporters.example import failing, finding, healthy, run
from tests.reporters.example_ci import nasty
from tests.test_cli import DIVERGING, FIXTURES
from tests.test_cli import run as mlcheck


def saved(directory: Path, name: str, report: Report) -> Path:
    path = directory / name
    path.write_text(dumps(report), encoding="utf-8")
    return path


def test_all_formats_in_one_scan_and_the_same_from_the_saved_report(tmp_path: Path) -> None:
    def outputs(kind: str) -> list[str]:
        names = [name for name in REPORTERS if name != "terminal"]
        return [word for name in names for word in ("-o", f"{name}={tmp_path / f'{kind}.{name}'}")]

    scanned = mlcheck("scan", DIVERGING, "--no-cache", *outputs("scan"))
    rendered = mlcheck("render", tmp_path / "scan.json", *outputs("render"))
    assert (scanned.returncode, rendered.returncode) == (1, 1), rendered.stderr
    assert rendered.stdout == scanned.stdout
    for name in REPORTERS:
        if name != "terminal":
            first, second = (tmp_path / f"{kind}.{name}" for kind in ("scan", "render"))
            # Seven digits of a number stand in the file; what is rounded to four is the same from both.
            assert first.read_bytes() == second.read_bytes(), name
    ElementTree.parse(tmp_path / "scan.junit")
    assert json.loads((tmp_path / "scan.sarif").read_text())["version"] == "2.1.0"
    with open(tmp_path / "scan.csv", newline="") as file:
        assert {row["rule"] for row in csv.DictReader(file)} >= {"LOS003", "GRD002"}


def test_help_lists_every_format() -> None:
    for command in ("scan", "render"):
        shown = " ".join(mlcheck(command, "--help", COLUMNS="400").stdout.split())
        assert ", ".join(REPORTERS) in shown


def test_several_reports_are_one(tmp_path: Path) -> None:
    first = saved(tmp_path, "a.json", failing())
    second = saved(tmp_path, "b.json", healthy())
    done = mlcheck("render", first, second, "-o", "json")
    assert done.returncode == 1
    report = loads(done.stdout)
    assert [one.name for one in report.runs] == ["exp1", "good"]
    assert mlcheck("render", second).returncode == 0


def test_merged_findings_are_ranked_and_split_anew(tmp_path: Path) -> None:
    def part(indices: range) -> Report:
        runs = tuple(run(f"r{i}", facts={"learning_rate": 0.001 * (i + 1)}) for i in indices)
        bad = [one for one in runs if one.facts["learning_rate"] > 0.006]  # type: ignore[operator]
        return Report(
            "0.1.0",
            runs,
            (),
            tuple(finding("A1", "a", one.name, excess=int(one.name[1:]) / 10) for one in bad),
            tuple(
                replace(failing().outcomes[0], rule="A1", run=one.name, outcome="failed" if one in bad else "passed")
                for one in runs
            ),
            (),
        )

    first, second = saved(tmp_path, "a.json", part(range(6))), saved(tmp_path, "b.json", part(range(6, 12)))
    report = loads(mlcheck("render", first, second, "-o", "json").stdout)
    assert [one.run for one in report.findings] == ["r11", "r10", "r9", "r8", "r7", "r6"]
    (split,) = report.splits
    assert (split.setting, split.relation, split.value) == ("learning_rate", "≥", 0.007)


def test_standard_input() -> None:
    command = [sys.executable, "-m", "mlcheck", "render", "-", "-o", "csv"]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        command, input=dumps(failing()).encode(), capture_output=True, cwd=root, check=False, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(b"run,rule,name")
    twice = mlcheck("render", "-", "-")
    assert twice.returncode == 2
    assert "only once" in twice.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no valid JSON"),
        (b"not json", "no valid JSON"),
        (b"\xff\xfe{}", "not UTF-8 text at byte 0"),
        (b'{"version": "2.1.0", "runs": []}', "no key `schema`"),
        (b'{"schema": "mlcheck.report/9"}', "'mlcheck.report/9', this version reads 'mlcheck.report/1'"),
        (b'{"schema": "mlcheck.report/1"}', "tool is missing"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_report_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "odd.json"
    if content is not None:
        path.write_bytes(content)
    good = saved(tmp_path, "good.json", healthy())
    done = mlcheck("render", good, path)
    assert done.returncode == 2
    assert f"{path}: " in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_share_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(dumps(healthy()).replace('"fail_when": "any"', '"fail_when": "some"'))
    done = mlcheck("render", path)
    assert done.returncode == 2
    assert f"{path}: not a report of mlcheck: settings.fail_when is 'some'" in done.stderr


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + dumps(healthy()).encode())
    assert mlcheck("render", path).returncode == 0


def test_options(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.json", failing())
    assert "baselined" in mlcheck("render", path, "--show-suppressed", "-o", "csv").stdout
    assert "baselined" not in mlcheck("render", path, "-o", "csv").stdout
    assert "GEN001" not in mlcheck("render", path, "--min-severity", "error", "-o", "csv").stdout
    assert "\x1b[" in mlcheck("render", path, "--color", "always").stdout
    assert mlcheck("render").returncode == 2


def test_an_unknown_format_is_named() -> None:
    done = mlcheck("render", "x.json", "-o", "sarrif")
    assert done.returncode == 2
    assert "did you mean sarif?" in done.stderr


def test_nasty_texts_come_out(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.json", nasty())
    for name in REPORTERS:
        done = mlcheck("render", path, "-o", name)
        assert done.returncode in (1, 2), done.stderr
        assert "Traceback" not in done.stderr


def test_the_step_summary_is_appended_with_github_annotations(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    done = mlcheck("scan", FIXTURES / "keras-healthy", "-o", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.stdout.startswith("::")
    written = summary.read_text()
    assert written.startswith("before\n")
    assert "keras-healthy: healthy" in written


def test_the_step_summary_is_left_alone_otherwise(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    path = saved(tmp_path, "a.json", healthy())
    mlcheck("render", path, "-o", "markdown", GITHUB_STEP_SUMMARY=str(summary))
    assert not summary.exists()
    done = mlcheck("render", path, "-o", "github", "-o", f"step-summary={summary}", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0
    assert summary.read_text().count("healthy") == 1, "written once"
    assert mlcheck("render", path, "-o", "github", GITHUB_STEP_SUMMARY="").returncode == 0


def test_a_full_or_unwritable_step_summary_is_said_and_fails_nothing(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * MOST_SUMMARY_BYTES)
    path = saved(tmp_path, "a.json", healthy())
    done = mlcheck("render", path, "-o", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0
    assert "the step summary is full" in done.stderr
    assert summary.stat().st_size == MOST_SUMMARY_BYTES
    done = mlcheck("render", path, "-o", "github", GITHUB_STEP_SUMMARY=str(tmp_path / "no" / "where"))
    assert done.returncode == 0
    assert "cannot be written" in done.stderr
