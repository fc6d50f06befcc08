"""The command line: the only place that prints, opens output files and knows exit codes."""

import os
import signal
import sys
from collections.abc import Sequence

from mlcheck.cli.codes import INTERRUPTED, NO_RUN, USAGE_ERROR
from mlcheck.cli.output import flush, say
from mlcheck.errors import MlcheckError, NoRunError


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code. Nothing that the user did ends in a traceback."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        code = _run(arguments)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Stopped as stopped:
        code = 128 + stopped.number
    except SystemExit as leaving:
        # The option parser's own, when the reader of a help page has gone; its 1 would read as "a finding".
        code = 0 if leaving.code == 1 else int(leaving.code or 0)
    except MlcheckError as error:
        say(f"mlcheck: {error}")
        code = NO_RUN if isinstance(error, NoRunError) else USAGE_ERROR
    if code == INTERRUPTED:
        say("mlcheck: interrupted")
    flush()
    return code


def _run(arguments: Sequence[str]) -> int:
    """The usual scan without the option parser, which takes a quarter of the time of a small scan; all else with it."""
    from mlcheck.cli.quick import usual_scan

    given = usual_scan(arguments)
    if given is None:
        from mlcheck.cli.app import run_app

        return run_app(arguments)
    from mlcheck.cli.scan import scan_runs

    # numpy's BLAS starts a thread for each core as it is loaded, and a scan multiplies no matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return scan_runs(**given)


class Stopped(BaseException):
    """SIGTERM or SIGHUP: left through the stack, so that worker processes end with this one."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def _stop(number: int, _: object) -> None:
    """End the workers at once, before anything that they read from is taken down, then leave."""
    multiprocessing = sys.modules.get("multiprocessing")
    for child in multiprocessing.active_children() if multiprocessing is not None else ():
        child.kill()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Stopped(number)
