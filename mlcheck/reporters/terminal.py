"""The terminal: the verdict first, then how much was judged, then the ranked findings."""

from mlcheck.report import Report
from mlcheck.reporters.across import MANY, best_and_worst
from mlcheck.reporters.across import counts as run_counts
from mlcheck.reporters.base import NARROWEST, Options
from mlcheck.reporters.verdict import verdict
from mlcheck.reporters.view import views


class TerminalReporter:
    """Ranked findings as a person reads them; see `Reporter.render`."""

    name = "terminal"

    def render(self, report: Report, options: Options) -> str:
        """Text of at most `options.width` columns, with ANSI colours when `options.color`; it holds no timing."""
        if options.quiet and not options.color:
            text = _verdicts(report)
            # Plain words need nobody to draw them: rich takes longer to load than a small run to be judged.
            if text.isascii() and "  " not in text and max(map(len, text.split()), default=0) < NARROWEST:
                return _broken(text, max(options.width, NARROWEST))
        from mlcheck.reporters.drawn import drawn

        return drawn(report, options)


def _broken(text: str, width: int) -> str:
    """Single-spaced words shorter than a line, broken into lines as rich breaks them."""
    from textwrap import TextWrapper

    wrapper = TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    return "".join(f"{part}\n" for line in text.splitlines() for part in wrapper.wrap(line) or [""])


def _verdicts(report: Report) -> str:
    """The verdicts alone, unbroken: what `drawn` gives with `quiet`, where each line fits."""
    shown = views(report)
    if len(shown) <= MANY:
        return "\n".join(f"{verdict(view)}\n" for view in shown)
    extremes = best_and_worst(shown)
    return f"{run_counts(shown)}.\n" + (f"{extremes}.\n" if extremes else "")
