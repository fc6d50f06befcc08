"""What a job says of its own end: tracebacks, memory that ran out, collective operations that failed, signals."""

import re

from mlcheck.importers.console.ansi import Text
from mlcheck.importers.console.patterns import table
from mlcheck.records import dataclass, field
from mlcheck.store.series import Fact

LONGEST_VALUE = 200
"""Characters of a message that are kept."""
FRAMES = 2_000
"""Lines of a traceback that are passed over at most."""

_BEGINNING = "Traceback (most recent call last)"
_TRACEBACK = re.compile(rf"^(?P<before>.{{0,200}}?){re.escape(_BEGINNING)}")
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]{0,199}(?::|$)")


@dataclass(slots=True)
class Events:
    """The messages of one file so far."""

    source: str
    _found: dict[str, Fact] = field(default_factory=dict)
    _before: str | None = None
    """What stands before each line of the traceback that is being read; None outside of one."""
    _frames: int = 0

    def read(self, text: Text) -> None:
        """Look through a piece of text."""
        near = [word for word in (*table().event_near, _BEGINNING) if word in text.body]
        if self._before is None and not near:
            return
        for place, line in enumerate(text.lines):
            number = text.first_line + place
            if self._before is not None:
                self._in_traceback(line, number)
            if not any(word in line for word in near):
                continue
            if _BEGINNING in line and (start := _TRACEBACK.match(line)):
                self._before, self._frames = start["before"], 0
            else:
                self._event(line, number)

    def facts(self) -> list[Fact]:
        """One fact for each sort of message, in order of the keys."""
        return [self._found[key] for key in sorted(self._found)]

    def _event(self, line: str, number: int) -> None:
        for event in table().events:
            if event.keep_first and event.key in self._found:
                continue
            if event.match.search(line) and not (event.unless and event.unless.search(line)):
                self._note(event.key, line, number)

    def _note(self, key: str, text: str, number: int) -> None:
        self._found[key] = Fact(key, _short(text), f"{self.source}:{number}")

    def _in_traceback(self, line: str, number: int) -> None:
        # The exception is the first line behind the frames that is not indented: `ValueError: …`.
        before = self._before or ""
        body = line.removeprefix(before)
        self._frames += 1
        if self._frames > FRAMES:
            self._before = None
        elif body and not body[0].isspace():
            self._before = None
            if _EXCEPTION.match(body):
                self._note("console/traceback", body, number)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
