"""What the page is made with: our style sheet and script, and plotly.js, each inlined once."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

_PACKAGE = "mlcheck.reporters.html"
# Ends or hides the rest of a script element wherever it stands, also inside a string of the script.
_ENDS_SCRIPT = re.compile(r"<(?=/script|script|!--)", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n?")


def own(name: str) -> str:
    """A file of this package."""
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


@cache
def plotly_js() -> str:
    """plotly.js as it came with the package plotly, safe inside a script element."""
    from plotly.offline import get_plotlyjs

    return script_safe(get_plotlyjs())


def script_safe(source: str) -> str:
    """JavaScript that a script element holds to its end: what could end it stands in strings only, where `\\x3c` is `<`.

    Line ends are single line feeds, since a browser makes them so before it compares the hash.
    """
    return _ENDS_SCRIPT.sub(r"\\x3c", _LINE_ENDS.sub("\n", source))


def digest(source: str) -> str:
    """What a content security policy names a script by: `sha256-…`."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode('utf-8')).digest()).decode('ascii')}"
