"""Where the command line writes: documents to standard output and files, talk to standard error."""

import errno
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcheck.cli.choices import ColorChoice
from mlcheck.errors import MlcheckError, UsageError
from mlcheck.records import replace

if TYPE_CHECKING:
    from mlcheck.report import Report
    from mlcheck.reporters.base import Options
    from mlcheck.settings import Settings


MOST_SUMMARY_BYTES = 1_000_000
"""Of all that a step says in its summary; GitHub drops one of more than 1,024 KiB."""


NOT_WRITTEN = 2
"""Exit code where a document could not be written, unless a finding stands."""


class OutputError(MlcheckError):
    """A document could not be written (exit 2, unless a finding stands)."""


def say(text: str) -> None:
    """A line of talk on standard error; one that is closed or full is no reason to fail."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def write(text: str) -> None:
    """A document on standard output. A reader that has gone (`| head`) is no error: the exit code still says what was found.

    Raises OutputError where it is closed or full.
    """
    try:
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "ascii", "replace"))
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
    except (OSError, ValueError, AttributeError) as error:
        _abandon_stdout()
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise OutputError(f"standard output cannot be written: {reason}") from None


def flush() -> None:
    """Send what is buffered; a reader that has gone is no error."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        _abandon_stdout()


def _abandon_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere (Python documentation, note on SIGPIPE)."""
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return


def _is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; one that the caller closed is None."""
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:
        return False


WIDTH = 120
"""Columns where there is no terminal."""


def render_options(color: ColorChoice, *, verbose: bool = False, quiet: bool = False, **more: Any) -> "Options":
    """How reports are to be written to this terminal."""
    from mlcheck.reporters.base import Options

    width = max(60, min(_columns(), 160))
    return Options(color=_use_color(color), width=width, verbose=verbose, quiet=quiet, **more)


def _columns() -> int:
    """As `shutil.get_terminal_size`, which loads every kind of compression."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or WIDTH  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return WIDTH


def report_options(color: ColorChoice, settings: "Settings", **more: Any) -> "Options":
    """How reports of findings are to be written, by settings and by what only the command line says."""
    from mlcheck.report import Severity

    if settings.max_chars is not None:
        more["max_chars"] = settings.max_chars
    return render_options(color, min_severity=Severity(settings.min_severity or "info"), **more)


def _use_color(color: ColorChoice) -> bool:
    """NO_COLOR and FORCE_COLOR are honoured when they are not empty (no-color.org, force-color.org); an option wins over both."""
    if color is not ColorChoice.auto:
        return color is ColorChoice.always
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return _is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb"


def parse_outputs(texts: Sequence[str]) -> list[tuple[str, Path | None]]:
    """`FORMAT[=PATH]`, checked before anything is read: a wrong format must not cost a scan. Raises UsageError."""
    from mlcheck.reporters import registry

    outputs: list[tuple[str, Path | None]] = []
    for text in texts:
        name, separator, path = text.partition("=")
        if path == "-":
            # The word for standard output of trivy, curl and tar.
            separator, path = "", ""
        registry.get(name)
        if separator and not path:
            raise UsageError(f"-o {text}: no path after `=`")
        if path and any(str(other) == path for _, other in outputs if other is not None):
            raise UsageError(f"-o {text}: another document goes to that path already")
        if path and not _is_directory(Path(path).parent):
            raise UsageError(f"-o {text}: the directory {Path(path).parent} does not exist")
        outputs.append((name, Path(path) if path else None))
    if sum(path is None for _, path in outputs) > 1:
        raise UsageError("more than one -o FORMAT without a path: only one document fits on standard output")
    return outputs


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def write_file(path: Path, text: str) -> None:
    """Write a whole document or nothing: a half-written report must never be read as one.

    What is no regular file (a pipe, /dev/stdout) is written to, never replaced; a link stays a link; a file keeps its mode.
    Raises OutputError.
    """
    try:
        target = path.resolve() if path.is_symlink() else path
        if target.exists() and not target.is_file():
            with open(target, "w", encoding="utf-8") as file:
                file.write(text)
            return
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        if mode is not None and not mode & stat.S_IWUSR:
            raise PermissionError(errno.EACCES, "the file is read-only")
        _replace(target, text, mode)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OutputError(f"{path}: cannot be written: {reason}") from None


def _replace(target: Path, text: str, mode: int | None) -> None:
    temporary = target.with_name(f".mlcheck.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


class Progress:
    """A bar on standard error; nothing where that is no terminal, or under CI."""

    def __init__(self, wanted: bool) -> None:
        self.on = wanted and _is_terminal(sys.stderr) and not os.environ.get("CI")
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: int, total: int, name: str) -> None:
        """Show how far the scan is; see `api.Progress`."""
        if not self.on:
            return
        from rich.markup import escape

        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task("", total=total)
        self._bar.update(self._task, completed=done, description=escape(name[-60:]))

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def deliver(report: "Report", outputs: Sequence[tuple[str, Path | None]], options: "Options") -> tuple[str, list[str]]:
    """Write every document that was asked for; the terminal table where none takes standard output.

    Returns the format that went to standard output, and what could not be written: the rest is written all the same, since a
    finding is never hidden by another trouble.
    """
    from mlcheck.reporters import registry

    # A document in a file is whole however little the terminal is to show.
    plain = replace(options, color=False, quiet=False)
    on_stdout = next((name for name, path in outputs if path is None), "terminal")
    problems = []
    for name, path in [*((name, path) for name, path in outputs if path is not None), (on_stdout, None)]:
        try:
            if path is None:
                write(registry.get(name).render(report, options))
            else:
                write_file(path, registry.get(name).render(report, plain))
        except OutputError as error:
            problems.append(str(error))
    if any(registry.get(name).name == "github" for name, _ in outputs):
        append_step_summary(report, outputs, plain)
    return on_stdout, problems


def append_step_summary(report: "Report", outputs: Sequence[tuple[str, Path | None]], options: "Options") -> None:
    """Append the step summary to the file that GitHub Actions names, with `-o github`; nothing anywhere else.

    GitHub drops the whole summary where it is too long, so one that does not fit beside what is there is left out, and said to be.
    A summary that cannot be written is no reason to fail: nobody asked for it by name.
    """
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name or any(path is not None and str(path) == name for _, path in outputs):
        return
    from mlcheck.reporters import registry

    data = registry.get("step-summary").render(report, options).encode("utf-8")
    try:
        with open(name, "ab") as file:
            if file.tell() + len(data) > MOST_SUMMARY_BYTES:
                say(f"mlcheck: the step summary is full ({file.tell():,} bytes); nothing was added to it")
                return
            file.write(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        say(f"mlcheck: the step summary {name} cannot be written: {reason}")


def finish(report: "Report", outputs: Sequence[tuple[str, Path | None]], options: "Options", started: float) -> int:
    """Write all documents, say why the exit code is what it is, and return it. `started` is of time.perf_counter, in seconds."""
    import time

    from mlcheck.report import exit_code

    on_stdout, problems = deliver(report, outputs, options)
    for text in problems:
        say(f"mlcheck: {text}")
    seconds, quiet = time.perf_counter() - started, options.quiet
    explain_exit(report, seconds, said=on_stdout == "terminal" and not quiet, quiet=quiet)
    code = exit_code(report)
    return NOT_WRITTEN if problems and code != 1 else code


def explain_exit(report: "Report", seconds: float, *, said: bool, quiet: bool) -> None:
    """Why the exit code is what it is: the reader of a CI log needs no manual. `said`: the table named the paths already."""
    from mlcheck.report import exit_code, exit_reasons

    for text in () if said else (*report.missing_paths, *report.unmet):
        say(f"mlcheck: {text}")
    if quiet:
        return
    words = {
        "finding": f"a finding at or above --fail-on {report.fail_on}",
        "rule-error": "a rule raised an error",
        "requirement": "a requirement was not met (--require, --expect)",
        "missing-path": "a path holds no run",
        "no-run": "no run data found",
        "incomplete-source": "a file is incomplete (--strict)",
    }
    reasons = "; ".join(words[reason] for reason in exit_reasons(report))
    if not reasons and report.fail_when != "any" and exit_code(replace(report, fail_when="any")):
        reasons = (
            f"fewer runs than --fail-when {report.fail_when} have a finding at or above --fail-on {report.fail_on}"
        )
    if not reasons:
        reasons = f"no finding at or above --fail-on {report.fail_on}"
        if report.runs and not report.findings and not any(run.coverage.checked for run in report.runs):
            reasons += ", and nothing could be judged"
    say(f"exit {exit_code(report)}: {reasons} · {seconds:.1f} s")
