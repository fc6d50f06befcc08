"""A function over many items in a few threads, and how many there may be: compiled readers, numpy and bottleneck let go of the
interpreter while they work.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_ALLOWED: ContextVar[int | None] = ContextVar("mlcheck_threads", default=None)


def allowed() -> int:
    """How many threads may read at once: what `at_most` says, else one for each core that this process may use."""
    stated = _ALLOWED.get()
    if stated is not None:
        return stated
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Let no more threads read than this, while in it."""
    before = _ALLOWED.set(threads)
    try:
        yield
    finally:
        _ALLOWED.reset(before)


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> list[Result]:
    """The results in the order of the items; what the function raises is raised here, that of the first item that raised.

    `concurrent.futures` does it as well, and takes as long to load as a small run takes to be judged.
    """
    todo = list(enumerate(items))
    results: dict[int, Result] = {}
    failures: dict[int, BaseException] = {}
    # One iterator for all: the interpreter hands out each item once.
    rest = iter(todo)

    def work() -> None:
        for place, item in rest:
            try:
                results[place] = function(item)
            except BaseException as error:  # noqa: BLE001 - raised again below
                failures[place] = error
                return

    others = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(todo)) - 1)]
    for one in others:
        one.start()
    work()
    for one in others:
        one.join()
    if failures:
        raise failures[min(failures)]
    return [results[place] for place, _ in todo]
