"""Reports for the formats of CI systems: everything that can go wrong at once, nasty texts, and one of a large sweep."""

import math
from dataclasses import replace

from mlcheck.report import Best, Evidence, Gap, Note, Outcome, Report, RuleInfo, Severity, SourceStatus
from tests.reporters.example import HOSTILE, RULES, curve, failing, finding, rule, run

NASTY = (
    *HOSTILE,
    "@everyone",
    "%0A::error::encoded",
    "\n::error file=a,line=1::at the start of a line",
    "::set-output name=x::y",
    "##vso[task.setvariable variable=x]y",
    "##teamcity[message text='x']",
    "\u200f\u200e\u2067right to left\u2069",
    "null\x00byte",
    "\ufffe\uffff not XML",
    "]]></failure><script>",
    "</script><!--",
    "{0} {curly}",
    "[a link](https://evil.example)",
    '=HYPERLINK("https://evil.example")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    '"quoted", and; more',
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\windows\\system32",
    "https://evil.example/a?b#c",
    "x" * 10_000,
)
"""Texts that a run may hold and that some format could obey."""


def nasty() -> Report:
    """Every text that comes from a run is one of `NASTY`; three runs, so that the formats show findings one by one."""
    names = ("::error::run\n[bold]|\x00", "=run", "../run")
    runs = tuple(
        run(
            name,
            path=f"{name}/\x1b[31m",
            facts={text: text for text in NASTY},
            best=Best("@everyone|x", "metric", "val", 3, math.inf),
            coverage=replace(run().coverage, gaps=(Gap("<i>|\n", ("X|",), "::error::how @everyone"),)),
        )
        for name in names
    )
    findings = tuple(
        finding(
            f"LOS{i:03d}",
            text,
            names[i % 3],
            category=text,
            labels={"layer": text, text: text},
            series=(text, text),
            message=text,
            advice=text,
            headline=text,
            reasons=(text,),
            fingerprint=f"{text}{i}",
            measure=text,
            axis=text,
            params={text: text},
            evidence=(Evidence(text, text, text, text, (0, 1), (1.0, math.nan)),),
            status=("active", "baselined", "suppressed")[i % 7 % 3] if i % 7 < 3 else "active",
        )
        for i, text in enumerate(NASTY)
    )
    outcomes = tuple(
        Outcome(text, names[i % 3], kind, text, labels={text: text})
        for i, text in enumerate(NASTY)
        for kind in ("errored", "skipped")
    )
    sources = tuple(
        SourceStatus(text, text, "unreadable", 0, text, 3, names[i % 3] if i % 2 else None, 9, 6)
        for i, text in enumerate(NASTY)
    )
    return Report(
        version="1.0\n::error::x",
        runs=runs,
        sources=sources,
        findings=findings,
        outcomes=outcomes,
        rules=tuple(rule(f"RUL{i:03d}", text, text, "warning") for i, text in enumerate(NASTY)),
        notes=tuple(Note("path", text) for text in NASTY),
        missing_paths=NASTY,
        unmet=NASTY,
    )


def troubled() -> Report:
    """What no finding says: rules that raised, unmet requirements, files that cannot be read; and findings of every state."""
    base = failing()
    suppressed = finding("OPT001", "learning-rate-zero", "exp1", status="suppressed", fingerprint="zero")
    return replace(
        base,
        findings=(*base.findings, suppressed),
        outcomes=(
            *base.outcomes,
            Outcome("LOS003", "exp1", "errored", "ValueError: no values", labels={"metric": "loss"}),
            Outcome("LOS003", "exp1", "errored", "ValueError: no values", labels={"metric": "accuracy"}),
            Outcome("GEN001", "exp1", "errored", "ZeroDivisionError: division by zero"),
        ),
        sources=(
            *base.sources,
            SourceStatus(
                "runs/exp1/part.h5", "hdf5", "partial", 10, "data in the middle is lost", 512, "exp1", 1_000, 88
            ),
            SourceStatus("runs/old/events.out.tfevents.9", "tensorboard", "unreadable", reason="empty file"),
        ),
        unmet=("exp1: ACT001 (dead-relu) is required and was not checked: no activations",),
        missing_paths=("runs/gone: no such directory",),
    )


def large(runs: int = 100, per_run: int = 5) -> Report:
    """500 findings over 100 runs, each with its evidence: what every format must render in under a second."""
    names = [f"sweep/lr-{i:03d}" for i in range(runs)]
    rules: tuple[RuleInfo, ...] = tuple(
        replace(one, doc="# What it does\nFinds it.\n\n# Why it matters\n" + "It costs hours. " * 40) for one in RULES
    )
    values = [1.0 + i / 7 for i in range(200)]
    return Report(
        version="0.1.0",
        runs=tuple(run(name) for name in names),
        sources=tuple(SourceStatus(f"{name}/events", "tensorboard", "read", 10, run=name, bytes=99) for name in names),
        findings=tuple(
            finding(
                rules[j % len(rules)].id,
                rules[j % len(rules)].name,
                name,
                labels={"layer": f"encoder.{j}"},
                fingerprint=f"{name}-{j}",
                severity=(Severity.ERROR, Severity.WARNING, Severity.INFO)[j % 3],
                evidence=(curve("train/loss", "loss", values), curve("val/loss", "loss", values)),
            )
            for name in names
            for j in range(per_run)
        ),
        outcomes=tuple(
            Outcome(one.id, name, "failed" if j < per_run else "passed")
            for name in names
            for j, one in enumerate(rules)
        ),
        rules=rules,
    )
