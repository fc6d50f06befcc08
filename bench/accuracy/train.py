"""Train the labelled runs that are not there yet.

python -m bench.accuracy.train --root /tmp/accuracy --half development --jobs 1 [--only GLOB] [--seeds 0,1,2]
"""

import argparse
import fnmatch
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# Before any worker imports keras or a numeric library: these read their settings once.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench.accuracy.harness import HALVES, NotAsPlannedError, Recipe, recipes, train


def chosen(half: str, only: str) -> list[Recipe]:
    """Recipes of a half (or of `all`) whose name fits a glob."""
    return [one for one in recipes() if half in (one.half, "all") and fnmatch.fnmatchcase(one.name, only)]


def attempt(name: str, seed: int, root: Path) -> tuple[str, int, float, str]:
    """Train one; name, seed, seconds, and what went wrong (empty when nothing did)."""
    recipe = next(one for one in recipes() if one.name == name)
    started = time.perf_counter()
    trouble = ""
    try:
        train(recipe, seed, root)
    except NotAsPlannedError as error:
        trouble = f"not as planned: {error}"
    except Exception:  # noqa: BLE001 one broken recipe must not keep the others from training
        trouble = traceback.format_exc()
    return name, seed, time.perf_counter() - started, trouble


def attempts(todo: Sequence[tuple[str, int]], root: Path, jobs: int) -> Iterator[tuple[str, int, float, str]]:
    """All of them, here or in processes of their own."""
    if jobs == 1:
        for name, seed in todo:
            yield attempt(name, seed, root)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(attempt, name, seed, root) for name, seed in todo]
        for one in waiting:
            yield one.result()


def main() -> None:
    """Train, with one line for each run that took time; exit 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--half", choices=(*HALVES, "all"), default="development")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="*", help="glob over names of recipes")
    parser.add_argument("--seeds", default="0,1,2")
    given = parser.parse_args()
    seeds = [int(one) for one in given.seeds.split(",")]
    todo = [(recipe.name, seed) for recipe in chosen(given.half, given.only) for seed in seeds]
    failed = 0
    for name, seed, seconds, trouble in attempts(todo, given.root, given.jobs):
        failed += bool(trouble)
        if trouble or seconds > 0.2:
            print(f"{name} {seed}: {seconds:.1f} s {trouble}".rstrip(), flush=True)
    print(f"{len(todo)} runs, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
