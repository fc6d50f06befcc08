"""`make bench`: mlcheck beside its peers, whole processes in turn on the same inputs, as ratios.

    python -m bench.run [--rounds 3] [--slow] [--large] [--only TITLE]

Each tool runs `rounds` times, in turn; the table gives the median wall time, the largest peak memory, and how many times the time of
mlcheck's `scan` (import, judge and report) it took. The peers only read; mlcheck reads and judges. `--slow` adds TensorBoard's
EventAccumulator and tbparse (minutes for a million events), `--large` ten million events.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import peers
from bench.peers import Tool

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench" / "data"


@dataclass(frozen=True)
class Measure:
    """What a tool took."""

    seconds: float
    """Median wall time of the whole process."""
    megabytes: float
    """Largest peak resident memory."""


def measure_once(command: Sequence[str]) -> Measure:
    """Wall time and peak memory of one process. Raises CalledProcessError when it fails."""
    # As an installed program: with its modules compiled, whatever the caller's shell says of that.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(DATA / "compiled")}
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **compiled, "PYTHONPATH": str(ROOT)},
        # As in a user's directory: that of mlcheck itself has a pyproject.toml which names it, and costs a scan its parsing.
        cwd=tempfile.gettempdir(),
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measure(seconds, usage.ru_maxrss / 1024)


def measure(chosen: Sequence[Tool], file: Path, rounds: int) -> dict[str, Measure]:
    """All tools in turn, `rounds` times, so that a busy moment of the machine meets all of them."""
    taken: dict[str, list[Measure]] = {tool.name: [] for tool in chosen}
    for tool in chosen:
        measure_once([*tool.command, str(file)])
    for _ in range(rounds):
        for tool in chosen:
            taken[tool.name].append(measure_once([*tool.command, str(file)]))
    return medians(taken)


def medians(taken: dict[str, list[Measure]]) -> dict[str, Measure]:
    """Of each name the median time and the largest peak."""
    return {
        name: Measure(statistics.median(one.seconds for one in all_of), max(one.megabytes for one in all_of))
        for name, all_of in taken.items()
    }


def made(name: str, script: str, *arguments: str) -> Path:
    """An input, made once by a script of this directory, in a process of its own: Linux counts the memory of the parent at the fork as a
    child's peak.
    """
    path = DATA / name
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        words = [str(path) if word == "PATH" else word for word in arguments]
        subprocess.run([sys.executable, str(ROOT / "bench" / script), *words], check=True, cwd=ROOT)
    return path


def events_file(events: int) -> Path:
    """Scalar events of 24 tags of different lengths, interleaved."""
    return made(f"events.out.tfevents.{events}", "make_events.py", "PATH", str(events), "24")


def table(measured: dict[str, Measure]) -> str:
    """A Markdown table, with the ratios to the first row."""
    own = next(iter(measured.values()))
    lines = ["| tool | wall, s | peak memory, MB | × mlcheck |", "|---|---:|---:|---:|"]
    for name, one in measured.items():
        lines.append(f"| {name} | {one.seconds:.2f} | {one.megabytes:.0f} | {one.seconds / own.seconds:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true", help="EventAccumulator and tbparse, too")
    parser.add_argument("--large", action="store_true", help="10 million events, too")
    parser.add_argument("--only", default="", help="only the tables whose title holds this text")
    given = parser.parse_args()
    rounds = given.rounds

    def section(title: str, chosen: Sequence[Tool], file: Callable[[], Path]) -> None:
        if given.only in title:
            print(f"\n{title}:\n\n{table(measure(chosen, file(), rounds))}", flush=True)

    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {rounds} rounds")
    section(
        "1,000,000 scalar events, 24 tags, interleaved",
        peers.event_readers(given.slow),
        partial(events_file, 1_000_000),
    )
    kinds = {
        "tensors": "300,000 scalars as tensors",
        "keras": "300,000 scalars as tensors, the plugin in each event",
        "histograms": "4,000 old histograms of 500 buckets",
        "new_histograms": "40,000 new histograms of 30 buckets",
        "small": "a run of 1,200 points",
    }
    for kind, title in kinds.items():
        file = partial(made, f"{kind}.tfevents", "make_kinds.py", kind, "PATH")
        section(title, peers.event_readers(given.slow or kind == "small"), file)
    for kind, title in (
        ("large", "500 contiguous float32 tensors of 1024 x 1024 (2 GB)"),
        ("small", "20,000 of 32 x 32"),
    ):
        section(f"HDF5, {title}", peers.dump_readers(), partial(made, f"{kind}.h5", "make_dumps.py", kind, "PATH"))
    if given.only in "The million events with the cache":
        cached(rounds)
    if given.only in "Growth of `mlcheck scan`, and of the import alone":
        growth(rounds, given.large)


def cached(rounds: int) -> None:
    """The same million events without the cache, into an empty one, and again: nothing has changed, or one parameter has."""
    file = str(events_file(1_000_000))
    uncached = list(peers.scan().command)
    command = [word for word in uncached if word != "--no-cache"]
    other = [*command, "--set", "GEN001.patience=4"]
    taken: dict[str, list[Measure]] = {}
    with tempfile.TemporaryDirectory() as directory:
        os.environ["MLCHECK_CACHE_DIR"] = directory
        measure_once([*uncached, file])
        for _ in range(rounds):
            # The built-in rules stay, as they do beside `--no-cache`.
            shutil.rmtree(Path(directory) / "imports", ignore_errors=True)
            for name, words in (
                ("`--no-cache`", uncached),
                ("first scan, an empty cache", command),
                ("second scan, the same", command),
                ("second scan, another parameter", other),
            ):
                taken.setdefault(name, []).append(measure_once([*words, file]))
        del os.environ["MLCHECK_CACHE_DIR"]
    print(f"\nThe million events with the cache:\n\n{table(medians(taken))}", flush=True)


def growth(rounds: int, large: bool) -> None:
    """Time and memory over the number of events: of `mlcheck scan`, and of the import alone, which holds the store's columns."""
    scan, reading = peers.event_readers(slow=False)[:2]
    print("\nGrowth of `mlcheck scan`, and of the import alone:\n")
    print("| events | scan, s | peak memory, MB | import, s | peak memory, MB | bytes a point |")
    print("|---:|---:|---:|---:|---:|---:|")
    nothing = 0.0
    for events in (1_000, 10_000, 100_000, 1_000_000, *([10_000_000] if large else [])):
        file = events_file(events)
        taken = measure([scan, reading], file, rounds)
        one, other = taken[scan.name], taken[reading.name]
        nothing = nothing or other.megabytes
        points = (other.megabytes - nothing) * (1 << 20) / events
        numbers = f"{one.seconds:.2f} | {one.megabytes:.0f} | {other.seconds:.2f} | {other.megabytes:.0f}"
        print(f"| {events:,} | {numbers} | {points:.0f} |", flush=True)
        if events > 1_000_000:
            file.unlink()


if __name__ == "__main__":
    main()
