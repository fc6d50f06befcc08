"""A function over many items in a few threads: numpy and bottleneck let go of the interpreter while they work on a column."""

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
