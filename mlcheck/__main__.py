"""`python -m mlcheck`, and the console scripts `mlcheck` and `mlcheck-scan`."""

import atexit
import contextlib
import gc
import os
import sys
from typing import NoReturn

SIGNALLED = 128
"""Exit codes above it say which signal ended the program, as shells do."""


def main() -> NoReturn:
    """Run the command line and leave with its exit code.

    Whatever goes wrong leaves with 2 and a short message, never with Python's own 1, which would read as "a finding".
    """
    # Loading modules, rules and runs makes hundreds of thousands of objects that stay: looking through them again and again for garbage
    # takes a fifth of the time of a small scan. A judged run goes by itself: nothing of it refers to itself (a test holds this).
    gc.set_threshold(1_000_000, 20, 20)
    try:
        from mlcheck.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
        if sys.stderr is not None:
            sys.stderr.write("mlcheck: interrupted\n")
    except Exception as error:  # noqa: BLE001 - the last line of defence: a message instead of a traceback
        code = _crash(error)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process at once: Python's own end frees every object and module by itself, a twentieth of the time of a small scan.

    What asked to be called at the end is called, as by Python; not after a signal, when the worker processes are gone that it waits for.
    """
    if code <= SIGNALLED:
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _crash(error: Exception) -> int:
    if any(word in ("-v", "--verbose") for word in sys.argv[1:]):
        import traceback

        traceback.print_exc()
    if sys.stderr is None:
        return 2
    name = type(error).__name__
    sys.stderr.write(
        f"mlcheck: {name}: {error}\nThis is a fault of mlcheck or of its installation; -v shows the traceback.\n"
    )
    return 2


if __name__ == "__main__":
    main()
