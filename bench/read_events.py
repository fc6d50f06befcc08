"""Time and peak memory of importing an event file: python bench/read_events.py FILE [ROUNDS]."""

import resource
import sys
import time
from pathlib import Path

from mlcheck.importers.tensorboard import TensorBoardImporter


def main(path: Path, rounds: int) -> None:
    """Print one line."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        imported = TensorBoardImporter().read(path, path.name)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    points = sum(len(one.steps) for one in imported.series)
    megabytes = path.stat().st_size / 1e6
    print(
        f"{points:,} points, {len(imported.series)} series, {megabytes:.0f} MB: best {min(times):.3f} s, "
        f"first {times[0]:.3f} s; memory {before / 1024:.0f} MB before, peak {peak / 1024:.0f} MB; {imported.status}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
