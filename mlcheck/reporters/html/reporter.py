"""The page as a whole: template, scripts, content security policy."""

from importlib.util import find_spec
from typing import Any

from mlcheck.errors import UsageError
from mlcheck.report import Report, Severity
from mlcheck.reporters import footer
from mlcheck.reporters.across import across, best_and_worst, gaps, identical_runs, state
from mlcheck.reporters.across import counts as run_counts
from mlcheck.reporters.base import Options
from mlcheck.reporters.html import assets
from mlcheck.reporters.html.cards import Cards, cards
from mlcheck.reporters.html.charts import Charts
from mlcheck.reporters.html.sections import rule_items, run_items, source_items
from mlcheck.reporters.jsontext import dumps, scrubbed
from mlcheck.reporters.measured import measured, undefined
from mlcheck.reporters.text import clean, prose
from mlcheck.reporters.verdict import coverage, verdict
from mlcheck.reporters.view import RunView, views

_NEEDS = ("jinja2", "plotly")
_FEW = 3
"""Up to so many runs each say their own verdict at the top; more are counted."""
_EXITS = {
    "finding": "a finding at or above {fail_on}",
    "rule-error": "a rule raised an error",
    "requirement": "a requirement is not met",
    "missing-path": "a path holds no run",
    "no-run": "no run data found",
    "incomplete-source": "a file is incomplete",
}


class HtmlReporter:
    """One self-contained page; see `Reporter.render`. `quiet` and `verbose` change nothing: the page folds and filters itself.

    Raises UsageError where the packages of the extra `html` are not installed.
    """

    name = "html"

    def __init__(self) -> None:
        missing = [name for name in _NEEDS if find_spec(name) is None]
        if missing:
            raise UsageError(
                f"the HTML report needs {' and '.join(missing)}: pip install {' '.join(missing)} (the extra `html` of mlcheck-scan)"
            )

    def render(self, report: Report, options: Options) -> str:
        """The page: what is at or above `options.min_severity`, with known findings (baselined, suppressed) to be unfolded."""
        from jinja2 import Environment, FunctionLoader, StrictUndefined

        environment = Environment(
            autoescape=True,
            loader=FunctionLoader(assets.own),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        return environment.get_template("page.html.j2").render(_content(report, options))


def _content(report: Report, options: Options) -> dict[str, Any]:
    shown = views(report)
    charts = Charts()
    made = cards(report, shown, options.min_severity, charts)
    runs = run_items(report, shown, made, charts)
    rules = rule_items(report, made)
    plotly, script = assets.plotly_js(), assets.script_safe(assets.own("report.js"))
    return {
        "head": _head(report, shown),
        "counts": footer.counts(report, shown, options.min_severity),
        "requests": footer.requests(report),
        "measured": measured(report),
        "undefined": undefined(report),
        "notes": [prose(note.text) for note in report.notes],
        "cards": made.active,
        "known": made.known,
        "severities": _severities(made),
        "rules_found": sorted({(card.rule, card.name) for card in (*made.active, *made.known)}),
        "across": _across(shown, report, options.min_severity) if len(shown) > _FEW else (),
        "runs": runs,
        "rules": rules,
        "rule_keys": {rule.id: rule.key for rule in rules},
        "sources": source_items(report),
        "version": clean(report.version, 40),
        "data": dumps(scrubbed(charts.document())),
        "style": assets.own("style.css"),
        "plotly": plotly,
        "script": script,
        "policy": "; ".join(
            (
                "default-src 'none'",
                f"script-src '{assets.digest(plotly)}' '{assets.digest(script)}'",
                # plotly.js writes style elements and attributes of its own; pictures are its heatmaps and its PNG export.
                "style-src 'unsafe-inline'",
                "img-src data: blob:",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
    }


def _head(report: Report, shown: tuple[RunView, ...]) -> dict[str, Any]:
    """What is said first: the verdict, and why a CI job would stop."""
    summary = report.summary
    worst = max((v.severity for v in shown if v.severity), key=lambda s: s.rank, default=None)
    reasons = [_EXITS[reason].format(fail_on=report.fail_on) for reason in summary.exit_reason]
    healthy = all(state(view) == "healthy" for view in shown)
    unjudged = ", and nothing could be judged" if shown and not any(view.judged for view in shown) else ""
    lines: list[tuple[str, str]] = []
    if not shown:
        lines.append(("No run found.", ""))
    elif len(shown) <= _FEW:
        lines += [(verdict(view), coverage(view)) for view in shown]
    else:
        more = [text for text in (best_and_worst(shown), gaps(shown), *identical_runs(report.identical)) if text]
        lines.append((f"{run_counts(shown)}.", " ".join(f"{text}." for text in more)))
    return {
        "lines": lines,
        "worst": str(worst) if worst else ("clean" if shown and not summary.exit_code and healthy else "unknown"),
        "exit": f"exit code {summary.exit_code}: {'; '.join(reasons) or f'no finding at or above {report.fail_on}{unjudged}'}",
    }


def _severities(made: Cards) -> list[tuple[str, int]]:
    worst_first = (Severity.ERROR, Severity.WARNING, Severity.INFO)
    return [(str(s), sum(card.severity is s for card in made.active)) for s in worst_first]


def _across(shown: tuple[RunView, ...], report: Report, least: Severity) -> list[dict[str, Any]]:
    return [
        {
            "rule": clean(one.rule),
            "name": clean(one.name),
            "severity": str(one.severity),
            "runs": f"{len(one.hit):,} of {len(shown):,}",
            "split": one.split,
            "worst": clean(one.worst.info.name),
        }
        for one in across(shown, least, report.splits)
    ]
