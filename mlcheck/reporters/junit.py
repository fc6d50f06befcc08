"""JUnit XML: a suite for each run, a case for each rule, so that any CI system shows what was checked and what was not.

No times: the same report gives the same bytes. A case fails for findings that are active and at or above `--min-severity`.
"""

import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from mlcheck.report import Finding, Outcome, Report, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.text import clean, number, plural, prose
from mlcheck.reporters.troubles import RULE_ERROR, Trouble, troubles
from mlcheck.reporters.view import RunView, views
from mlcheck.reporters.wording import against_limit, cost, doubts, period, subject

_MOST_LINES = 200
"""Findings that the text of one case lists."""
_MOST_TROUBLES = 1_000
# What XML 1.0 has no character for (section 2.2) and `clean` lets through.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JUnitReporter:
    """The dialect of Ant and Jenkins, as most CI systems read it."""

    name = "junit"

    def render(self, report: Report, options: Options) -> str:
        """See `Reporter.render`."""
        names = {rule.id: rule.name for rule in report.rules} | {f.rule: f.name for f in report.findings}
        whole = JUnitXml("mlcheck")
        for view in views(report):
            whole.append(_suite(view, names, options))
        missing = [one for one in troubles(report) if not (one.kind == RULE_ERROR and one.run)]
        if missing:
            whole.append(_input(missing))
        return _text(whole)


def _suite(view: RunView, names: dict[str, str], options: Options) -> TestSuite:
    suite = TestSuite(xml(clean(view.info.name)))
    for key, value in _properties(view):
        suite.add_property(xml(key), xml(value))
    findings: dict[str, list[Finding]] = {}
    outcomes: dict[str, list[Outcome]] = {}
    for finding in view.findings:
        findings.setdefault(finding.rule, []).append(finding)
    for outcome in view.outcomes:
        outcomes.setdefault(outcome.rule, []).append(outcome)
    for rule in sorted({*findings, *outcomes}):
        case = TestCase(xml(f"{clean(rule)} {clean(names.get(rule, ''))}".rstrip()), suite.name)
        case.result = _results(findings.get(rule, []), outcomes.get(rule, []), options)
        # `add_testcase` counts everything anew each time; the counts are made once, at the end.
        suite.append(case)
    return suite


def _properties(view: RunView) -> Iterable[tuple[str, str]]:
    """Facts of the run in alphabetical order, after what mlcheck found out about it."""
    info = view.info
    yield "regime", clean(info.regime)
    yield "lane", clean(info.lane)
    yield "points", str(info.points)
    for key, value in sorted(info.facts.items()):
        words = isinstance(value, str | bool)
        yield f"fact.{clean(key)}", clean(str(value)) if words else number(float(value))


def _results(findings: list[Finding], outcomes: list[Outcome], options: Options) -> list[Any]:
    """What became of one rule in one run: failure and error together where it raised on some series and failed on others."""
    shown = [f for f in findings if f.status == "active" and f.severity.rank >= options.min_severity.rank]
    errored = [o for o in outcomes if o.outcome == "errored"]
    results: list[Any] = []
    if shown:
        results.append(_failure(shown))
    if errored:
        error = Error(xml(prose(errored[0].reason or "no reason given")), "rule-error")
        error.text = xml(
            "\n".join(f"{_labels(o)}{prose(o.reason or 'no reason given')}" for o in errored[:_MOST_LINES])
        )
        results.append(error)
    if results:
        return results
    if findings:
        return [Skipped(xml(_set_aside(findings)))]
    if any(o.outcome == "failed" for o in outcomes):
        return [Failure("the rule failed; the report holds no finding of it", "failed")]
    if any(o.outcome == "passed" for o in outcomes):
        return []
    reasons = dict.fromkeys(prose(o.reason or "no reason given") for o in outcomes if o.outcome == "skipped")
    return [Skipped(xml("; ".join(reasons) or "not judged"))]


def _failure(findings: list[Finding]) -> Failure:
    lead = max(findings, key=lambda f: f.severity.rank)
    more = f" (and {plural(len(findings) - 1, 'more finding')})" if len(findings) > 1 else ""
    failure = Failure(xml(prose(lead.message or lead.headline) + more), lead.severity.value)
    lines = [_line(finding) for finding in findings[:_MOST_LINES]]
    if len(findings) > _MOST_LINES:
        lines.append(f"{len(findings) - _MOST_LINES:,} more; the JSON report has all of them")
    failure.text = xml("\n".join(lines))
    return failure


def _line(finding: Finding) -> str:
    where = ", ".join(part for part in (subject(finding), period(finding)) if part)
    parts = [where, prose(finding.message), against_limit(finding), cost(finding), doubts(finding)]
    parts += [f"try: {prose(finding.advice)}"] if finding.advice else []
    return f"{finding.severity}: {'; '.join(part for part in parts if part)}"


def _labels(outcome: Outcome) -> str:
    text = ", ".join(f"{clean(key)} {clean(value)}" for key, value in sorted(outcome.labels.items()))
    return f"{text}: " if text else ""


def _set_aside(findings: list[Finding]) -> str:
    """`2 findings baselined, 1 finding below --min-severity`: a case without a failure that did not pass either."""
    parts = [
        f"{plural(count, 'finding')} {word}"
        for word in ("baselined", "suppressed")
        if (count := sum(f.status == word for f in findings))
    ]
    below = sum(f.status == "active" for f in findings)
    return ", ".join([*parts, f"{plural(below, 'finding')} below --min-severity"] if below else parts)


def _input(found: list[Trouble]) -> TestSuite:
    """What could not be read or was not there: an error where mlcheck fails for it, else skipped."""
    suite = TestSuite("mlcheck: input")
    for one in found[:_MOST_TROUBLES]:
        case = TestCase(xml(f"{one.kind} {clean(one.path or one.run or '')}".rstrip()), suite.name)
        fails = one.severity is Severity.ERROR
        case.result = [Error(xml(one.text), one.kind) if fails else Skipped(xml(one.text))]
        suite.append(case)
    if len(found) > _MOST_TROUBLES:
        case = TestCase("more", suite.name)
        case.result = [Skipped(f"{len(found) - _MOST_TROUBLES:,} more; the JSON report has all of them")]
        suite.append(case)
    return suite


def xml(text: str) -> str:
    """Text with U+FFFD for every character that XML 1.0 forbids."""
    return _NOT_XML.sub("\ufffd", text)


def _text(whole: JUnitXml) -> str:
    whole.update_statistics()
    # junitparser takes lxml where that is installed, which writes other bytes than the standard library.
    root = ElementTree.fromstring(whole.tostring())
    for element in root.iter():
        element.attrib.pop("time", None)
    ElementTree.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'
