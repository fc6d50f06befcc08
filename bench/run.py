"""`make bench`: mlcheck beside its peers, whole processes in turn on the same inputs, as ratios.

    python -m bench.run [--events 1000000] [--rounds 3] [--slow]

Each tool runs `rounds` times, in turn; the table gives the median wall time, the largest peak memory, and how many times the time of
mlcheck's `scan` (import, judge and report) it took. The peers only read; mlcheck reads and judges. `--slow` adds TensorBoard's
EventAccumulator (minutes for a million events).
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench" / "data"

PROTOBUF_LOOP = """
import struct, sys
from tensorboard.compat.proto import event_pb2
data = open(sys.argv[1], 'rb').read()
at, found = 0, {}
while at + 12 <= len(data):
    (length,) = struct.unpack_from('<Q', data, at)
    event = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
    for value in event.summary.value:
        found.setdefault(value.tag, []).append((event.step, event.wall_time, value.simple_value))
    at += length + 16
print(sum(map(len, found.values())))
"""

ACCUMULATOR = """
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
accumulator = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})
accumulator.Reload()
print(sum(len(accumulator.Scalars(tag)) for tag in accumulator.Tags()['scalars']))
"""

VISIT_ITEMS = """
import sys, h5py, numpy as np
found = {}
def visit(name, item):
    if isinstance(item, h5py.Dataset):
        x = item[...]
        finite = x[np.isfinite(x)]
        found[name] = (x.size, np.isnan(x).sum(), np.isinf(x).sum(), (x == 0).sum(), finite.min(), finite.max(), finite.mean(),
                       finite.std(), np.abs(finite).mean(), np.abs(finite).max(), np.linalg.norm(finite))
with h5py.File(sys.argv[1]) as file:
    file.visititems(visit)
print(len(found))
"""

READ_BYTES = "import sys; print(len(open(sys.argv[1], 'rb').read()))"


@dataclass(frozen=True)
class Tool:
    """One program that is measured."""

    name: str
    command: Sequence[str]
    """Its last argument, the event file, is added."""


@dataclass(frozen=True)
class Measure:
    """What a tool took."""

    seconds: float
    """Median wall time of the whole process."""
    megabytes: float
    """Largest peak resident memory."""


def tools(slow: bool) -> list[Tool]:
    """mlcheck first, then the peers."""
    python = sys.executable
    found = [
        Tool("mlcheck scan", [python, "-m", "mlcheck", "scan", "-q", "--fail-on", "never"]),
        Tool("protobuf loop (reads only)", [python, "-c", PROTOBUF_LOOP]),
        Tool("read the bytes", [python, "-c", READ_BYTES]),
    ]
    if slow:
        found.insert(1, Tool("TensorBoard EventAccumulator (reads only)", [python, "-c", ACCUMULATOR]))
    return found


def measure_once(command: Sequence[str]) -> Measure:
    """Wall time and peak memory of one process. Raises CalledProcessError when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
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
    for _ in range(rounds):
        for tool in chosen:
            taken[tool.name].append(measure_once([*tool.command, str(file)]))
    return {
        name: Measure(statistics.median(one.seconds for one in all_of), max(one.megabytes for one in all_of))
        for name, all_of in taken.items()
    }


def events_file(events: int) -> Path:
    """The input: scalar events of 24 tags of different lengths, interleaved; made once.

    In a process of its own: Linux counts the memory of the parent at the fork as a child's peak.
    """
    path = DATA / f"events.out.tfevents.{events}"
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, str(ROOT / "bench" / "make_events.py"), str(path), str(events), "24"], check=True
        )
    return path


def dump_file(kind: str) -> Path:
    """An HDF5 dump, `large` or `small` (bench/make_dumps.py); made once, in a process of its own."""
    path = DATA / f"{kind}.h5"
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(ROOT / "bench" / "make_dumps.py"), kind, str(path)], check=True)
    return path


def tensor_tools() -> list[Tool]:
    """mlcheck, and what people write by hand for a dump."""
    return [
        Tool("mlcheck scan", [sys.executable, "-m", "mlcheck", "scan", "-q", "--fail-on", "never"]),
        Tool("h5py visititems and numpy reductions", [sys.executable, "-c", VISIT_ITEMS]),
        Tool("read the bytes", [sys.executable, "-c", READ_BYTES]),
    ]


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
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {given.rounds} rounds\n")
    print(f"{given.events:,} scalar events, 24 tags, interleaved:\n")
    print(table(measure(tools(given.slow), events_file(given.events), given.rounds)))
    for kind, words in (("large", "500 contiguous float32 tensors of 1024 x 1024 (2 GB)"), ("small", "20,000 of 32 x 32")):
        print(f"\nHDF5, {words}:\n")
        print(table(measure(tensor_tools(), dump_file(kind), given.rounds)))
    command = [sys.executable, "-m", "mlcheck", "scan", "-q", "--fail-on", "never"]
    print("\nGrowth of `mlcheck scan`:\n\n| events | wall, s | peak memory, MB |\n|---:|---:|---:|")
    for events in (1_000, 10_000, 100_000, 1_000_000):
        one = measure([Tool("mlcheck", command)], events_file(events), given.rounds)["mlcheck"]
        print(f"| {events:,} | {one.seconds:.2f} | {one.megabytes:.0f} |")


if __name__ == "__main__":
    main()
