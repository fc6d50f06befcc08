"""Scan the labelled runs and say how accurate that was.

python -m bench.accuracy.score --root /tmp/accuracy --half development [-o docs/accuracy.md] [--no-peers] [--jobs 2]

Prints the page, and writes it where `-o` says. `--half all` scores all that have runs, each in a section of its own.
"""

import argparse
import datetime
import fnmatch
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from bench.accuracy import peers
from bench.accuracy.harness import HALVES
from bench.accuracy.report import Judged, page
from bench.accuracy.verdicts import Label, Verdict, labels, scanned

PART = 10
"""Runs that a process judges at once."""
Judge = Callable[[Iterable[Label]], Iterator[Verdict]]

OWN: dict[str, Judge] = {"mlcheck": scanned}
PEERS: dict[str, Judge] = {
    "sagemaker": peers.sagemaker,
    "runmedic": peers.runmedic,
    "runmedic, handed scalars": peers.runmedic_with_help,
}


def judged(found: list[Label], half: str, tools: dict[str, Judge], jobs: int) -> Judged:
    """All tools on all runs of a half, in so many processes."""
    verdicts = {}
    for name, judge in tools.items():
        started = time.perf_counter()
        verdicts[name] = spread(judge, found, jobs)
        seconds = time.perf_counter() - started
        print(f"{half}: {name} judged {len(found)} runs in {seconds:.0f} s", file=sys.stderr, flush=True)
        for one in verdicts[name]:
            if one.trouble and judge is scanned:
                print(f"{one.label.run}: {one.trouble}", file=sys.stderr)
    return Judged(half, verdicts)


def spread(judge: Judge, found: list[Label], jobs: int) -> list[Verdict]:
    """The verdicts of one tool, in the order of the runs."""
    if jobs == 1:
        return list(judge(found))
    parts = [found[at : at + PART] for at in range(0, len(found), PART)]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        return [one for said in pool.map(part_of, repeat(judge), parts) for one in said]


def part_of(judge: Judge, part: list[Label]) -> list[Verdict]:
    """The verdicts on some runs."""
    return list(judge(part))


def main() -> None:
    """Score, print, write; exit 1 where there are no labelled runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="where `bench.accuracy.train` left the runs")
    parser.add_argument("--half", choices=(*HALVES, "all"), default="development")
    parser.add_argument("--only", default="*", help="glob over names of recipes")
    parser.add_argument("--no-peers", action="store_true", help="mlcheck alone")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    tools = OWN if given.no_peers else OWN | PEERS
    halves = []
    for half in HALVES if given.half == "all" else (given.half,):
        found = [one for one in labels(given.root, half) if fnmatch.fnmatchcase(one.recipe, given.only)]
        if found:
            halves.append(judged(found, half, tools, given.jobs))
    if not halves:
        sys.exit(f"{given.root}: no labelled runs of {given.half}; python -m bench.accuracy.train makes them")
    from mlcheck import __version__

    text = page(halves, datetime.date.today().isoformat(), __version__)
    print(text)
    if given.output:
        given.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
