"""`mlcheck export` as a user meets it, and that its tables are read again as the runs that they came from."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mlcheck import api
from mlcheck.report import Report
from tests.test_cli import run

FIXTURES = Path(__file__).parents[2] / "fixtures"
RUNS = (
    "diverging",
    "overfit",
    "keras-nan",
    "restart-overlap",
    "tf-summary-overfit",
    "writers-huggingface",
    "healthy-histograms",
    "dump-vanishing-sigmoid",
)


def test_tables_are_written_and_the_talk_is_on_stderr(tmp_path: Path) -> None:
    done = run("export", FIXTURES / "diverging", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "1 run, 4 series, 2,403 rows" in done.stderr
    assert pq.read_metadata(tmp_path / "out" / "scalars.parquet").num_rows == 2403
    assert run("export", FIXTURES / "diverging", "-o", tmp_path / "out", "-q").stderr == ""


def test_a_directory_with_other_files_needs_force(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refused = run("export", FIXTURES / "diverging", "-o", tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert not list(tmp_path.glob("*.parquet"))
    assert run("export", FIXTURES / "diverging", "-o", tmp_path, "--force").returncode == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_nothing_is_written_where_there_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run("export", tmp_path / "empty", "-o", tmp_path / "out")
    assert done.returncode == 3
    assert "no run data found" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_path_is_said_and_the_rest_is_written(tmp_path: Path) -> None:
    done = run("export", tmp_path / "gone", FIXTURES / "diverging", "-o", tmp_path / "out")
    assert done.returncode == 3
    assert "gone: no such file" in done.stderr
    assert (tmp_path / "out" / "scalars.parquet").exists()


def test_it_needs_a_directory_to_write_to() -> None:
    assert run("export", FIXTURES / "diverging").returncode == 2


def test_an_export_into_the_exported_directory_is_not_read_by_the_next(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "diverging", tmp_path / "runs" / "diverging")
    shutil.copytree(FIXTURES / "overfit", tmp_path / "runs" / "overfit")
    target = tmp_path / "runs" / "export"
    assert run("export", tmp_path / "runs", "-o", target).returncode == 0
    again = run("export", tmp_path / "runs", "-o", target)
    assert "2 runs" in again.stderr
    assert json.dumps(pq.read_table(target / "runs.parquet")["run"].to_pylist()) == '["diverging", "overfit"]'


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    """A scan of some runs, and one of what was exported of them."""
    top, out = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("out") / "export"
    for name in RUNS:
        shutil.copytree(FIXTURES / name, top / name)
    assert run("export", top, "-o", out).returncode == 0
    return api.scan([top]), api.scan([out])


def _scalar_findings(report: Report) -> dict[tuple[object, ...], object]:
    return {
        (one.run, one.rule, *sorted(one.labels.items())): (
            one.severity, one.first_step, one.last_step, one.points, repr(one.value), repr(one.limit), tuple(one.series), one.message,
        )
        for one in report.findings
        if one.rule != "RUN006"
    }  # fmt: skip


def test_a_scan_of_the_export_finds_the_same(both: tuple[Report, Report]) -> None:
    original, again = both
    assert len(_scalar_findings(original)) > 10
    assert _scalar_findings(again) == _scalar_findings(original)


def test_the_runs_are_the_same(both: tuple[Report, Report]) -> None:
    def known(report: Report) -> list[tuple[object, ...]]:
        return [(one.name, one.lane, one.regime, one.first_step, one.last_step, dict(one.facts)) for one in report.runs]

    original, again = both
    assert known(again) == known(original)
    assert {one.status for one in again.sources if one.format == "parquet"} <= {"read", "ignored"}
