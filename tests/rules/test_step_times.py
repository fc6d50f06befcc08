"""RUN003 says how long steps take in the unit that fits, and of counters of samples how long the way to the next record is."""

from pathlib import Path

import pytest

from mlcheck import api


def write(path: Path, seconds: float, every: int) -> Path:
    """A log of 300 records, each twentieth of which takes six times as long as the others."""
    path.mkdir()
    now, lines = 1_700_000_000.0, ["step,loss,timestamp"]
    for record in range(300):
        now += seconds * (6 if record % 20 == 19 else 1)
        lines.append(f"{record * every},{1 - record / 1000},{now!r}")
    (path / "metrics.csv").write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("seconds", "every", "says"),
    [
        (2.0, 1, "every 20 steps one takes more than twice as long as usual (2 s)"),
        (0.25, 1, "every 20 steps one takes more than twice as long as usual (250 ms)"),
        (150.0, 1, "every 20 steps one takes more than twice as long as usual (2.5 min)"),
        (
            2.0,
            65_536,
            "every 1,310,720 steps the 65,536 from one record to the next take more than twice as long as usual (2 s)",
        ),
    ],
)
def test_the_usual_time_is_said_in_a_unit_that_fits(tmp_path: Path, seconds: float, every: int, says: str) -> None:
    report = api.scan([write(tmp_path / "exp1", seconds, every)], api.ScanOptions(select=["RUN003"], cache=False))
    (found,) = report.findings
    assert found.message.startswith(says)
