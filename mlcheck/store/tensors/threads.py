"""Work on several tensors at once: numpy lets go of the interpreter while it works on a block, and the system while it reads."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 8
"""More wait for memory, and for the interpreter between blocks."""


def cores() -> int:
    """Those that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(function: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """The results in the order of the items, which are begun in that order too.

    What the function raises is raised here, that of the first item that raised; nothing new is begun after it.
    """
    results: dict[int, Result] = {}
    failures: dict[int, BaseException] = {}
    # One iterator for all: the interpreter hands out each item once.
    rest = iter(enumerate(items))

    def work() -> None:
        # Threads do not inherit what their caller set.
        with np.errstate(all="ignore"):
            for place, item in rest:
                if failures:
                    return
                try:
                    results[place] = function(item)
                except BaseException as error:  # noqa: BLE001 - raised again below
                    failures[place] = error

    others = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(items)) - 1)]
    for one in others:
        one.start()
    work()
    for one in others:
        one.join()
    if failures:
        raise failures[min(failures)]
    return [results[place] for place in range(len(items))]
