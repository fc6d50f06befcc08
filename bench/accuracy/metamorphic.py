"""Labelled runs under other names, with fewer rows, in another format: does mlcheck still say the same?

python -m bench.accuracy.metamorphic --root ~/.cache/mlcheck-accuracy --half development [--change NAME …] [--seed 0] [--jobs 2]

Prints one row for each change (bench/accuracy/rewrite.py), and each run whose level is another with `--list`. With fewer rows or
columns some verdicts must change: what is not measured cannot be judged.
"""

import argparse
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from bench.accuracy.harness import HALVES
from bench.accuracy.rewrite import CHANGES, EVENTS, rewritten
from bench.accuracy.verdicts import Label, labels, mlcheck_rows

_LEVELS = ("error", "warning", "nothing")
Outcome = tuple[Label, str, str, str]
"""A run, the change, and the levels before and after."""


def outcomes(label: Label, changes: Sequence[str]) -> list[Outcome]:
    """What each change that touches the run makes of its level."""
    before = _level(label.path)
    found = []
    with tempfile.TemporaryDirectory() as directory:
        for change in changes:
            other = rewritten(label.path, change, Path(directory) / change)
            if other is not None:
                found.append((label, change, before, _level(other)))
    return found


def _level(run: Path) -> str:
    from mlcheck.api import ScanOptions, scan

    levels = {row.level for row in mlcheck_rows(scan([run], ScanOptions(cache=False, keep_rules=True)))}
    return next((level for level in _LEVELS if level in levels), "nothing")


def table(found: Sequence[Outcome]) -> str:
    """One row for each change, as Markdown."""
    lines = [
        "| change | runs | faulty | same | error to warning | error to nothing | warning to nothing | up | healthy | same | up |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for change, name in ((EVENTS, "as TensorBoard events"), *((key, CHANGES[key][0]) for key in CHANGES)):
        pairs = Counter((label.faulty, before, after) for label, done, before, after in found if done == change)
        if pairs:
            lines.append(f"| {name} | {' | '.join(map(str, _counts(pairs)))} |")
    return "\n".join(lines)


def _counts(pairs: Counter[tuple[bool, str, str]]) -> Iterator[int]:
    def of(faulty: bool, before: Sequence[str] = _LEVELS, after: Sequence[str] = _LEVELS) -> int:
        return sum(pairs[faulty, one, other] for one in before for other in after)

    def same(faulty: bool) -> int:
        return sum(pairs[faulty, level, level] for level in _LEVELS)

    def up(faulty: bool) -> int:
        return sum(of(faulty, _LEVELS[at + 1 :], [level]) for at, level in enumerate(_LEVELS))

    yield from (of(True) + of(False), of(True), same(True))
    yield from (of(True, ["error"], ["warning"]), of(True, ["error"], ["nothing"]), of(True, ["warning"], ["nothing"]))
    yield from (up(True), of(False), same(False), up(False))


def main() -> None:
    """Rewrite, scan and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--half", choices=HALVES, default="development")
    parser.add_argument("--change", nargs="+", choices=[EVENTS, *CHANGES], default=[EVENTS, *CHANGES])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="each run whose level is another")
    given = parser.parse_args()
    chosen = [label for label in labels(given.root, given.half) if label.seed == given.seed]
    with ProcessPoolExecutor(given.jobs, multiprocessing.get_context("spawn")) as pool:
        found = [one for some in pool.map(outcomes, chosen, repeat(given.change), chunksize=4) for one in some]
    for label, change, before, after in found:
        if given.list and before != after:
            print(f"{change}: {'faulty' if label.faulty else 'healthy'} {label.run}: {before} -> {after}")
    print(table(found))


if __name__ == "__main__":
    main()
