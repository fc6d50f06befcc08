"""Canonical reports that all reporter tests draw: what an engine would give, written by hand."""

import math
from dataclasses import replace

from mlcheck.report import (
    Best,
    Confidence,
    Cost,
    Coverage,
    Episode,
    Evidence,
    Finding,
    Gap,
    IdenticalRuns,
    Note,
    Outcome,
    Panel,
    Report,
    RuleInfo,
    RunInfo,
    SeriesInfo,
    SettingSplit,
    Severity,
    SourceStatus,
)

VERSION = "0.1.0"


def rule(id: str, name: str, category: str, severity: str) -> RuleInfo:
    return RuleInfo(
        id=id,
        name=name,
        category=category,
        status="stable",
        default_severity=severity,
        effective_severity=severity,
        summary=f"Finds {name}.",
        doc="# What it does\n…",
        regimes=("supervised", "finetune"),
        params={"share": 0.05},
    )


RULES = (
    rule("NUM001", "non-finite", "numerics", "error"),
    rule("GRD001", "vanishing-gradient", "gradients", "error"),
    rule("LOS001", "loss-not-decreasing", "loss", "error"),
    rule("LOS003", "loss-divergence", "loss", "error"),
    rule("GEN001", "overfit", "generalisation", "error"),
    rule("OPT001", "learning-rate-zero", "optimiser", "error"),
    rule("RUN001", "step-went-back", "run", "info"),
    rule("RUN006", "source-incomplete", "run", "warning"),
)

GAPS = (
    Gap("activations", ("ACT001",), ""),
    Gap("validation metric", ("GEN006",), "log one with writer.add_scalar('val/accuracy', …)"),
)


def run(name: str = "exp1", **changes: object) -> RunInfo:
    base = RunInfo(
        name=name,
        path=f"runs/{name}",
        lane=name,
        series=62,
        points=34_000,
        first_step=0,
        last_step=10_000,
        axis="step",
        hours=6.2,
        formats=("tensorboard",),
        regime="supervised",
        regime_reason="a training loss and a validation loss",
        facts={"learning_rate": 0.001, "planned_steps": 10_000.0},
        best=Best("val/loss", "loss", "val", 1_150, 0.412),
        coverage=Coverage(8, 6, GAPS),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def finding(id: str, name: str, run: str, **changes: object) -> Finding:
    base = Finding(
        rule=id,
        name=name,
        category="loss",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        reasons=(),
        run=run,
        labels={},
        series=("train/loss",),
        axis="step",
        first_step=1_200,
        last_step=10_000,
        onset=1_200,
        points=88,
        value=3.5,
        limit=1.2,
        message=f"{name} in {run}",
        advice="lower the learning rate",
        headline=f"{name.replace('-', ' ')} occurs",
        fingerprint=f"{id}-{run}",
        cost=Cost(8_800, 0.88, 5.4),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def curve(series: str, role: str, values: list[float], statistic: str = "value") -> Evidence:
    return Evidence(series, role, statistic, "step", tuple(range(0, 100 * len(values), 100)), tuple(values))


def _vanishing(layer: int) -> Finding:
    name = f"encoder.{layer}"
    return finding(
        "GRD001",
        "vanishing-gradient",
        "exp1",
        category="gradients",
        labels={"layer": name},
        series=(f"gradients/{name}",),
        value=3.1e-09,
        limit=1e-07,
        message=f"mean |gradient| of {name} is 3.1e-09, below 1e-07, for 88 points from step 1200",
        advice=f"residual connections or normalisation before {name}",
        headline="gradients vanish",
        fingerprint=f"grd-{layer}",
        explains=("los-1",) if layer == 3 else (),
        excess=1.5,
        layer_order=layer,
        onset=1_200 + 10 * (layer - 3),
        episodes=(Episode(1_200, 10_000, 88, 9_000, 3.1e-09),),
        evidence=(curve(f"gradients/{name}", "gradient", [10.0 ** -(3 + i / 8) for i in range(48)], "abs_mean"),),
    )


def failing() -> Report:
    """One run: vanishing gradients in 12 of 48 layers explain the flat loss; an overfit warning; a restart."""
    flat = finding(
        "LOS001",
        "loss-not-decreasing",
        "exp1",
        onset=None,
        first_step=0,
        value=0.001,
        limit=0.02,
        fingerprint="los-1",
        caused_by="grd-3",
        message="the loss gains 0.1 % of its level over 100 points",
        headline="the loss does not decrease",
        evidence=(curve("train/loss", "loss", [2.3, 2.31, 2.29, 2.3] * 5),),
    )
    overfit = finding(
        "GEN001",
        "overfit",
        "exp1",
        category="generalisation",
        severity=Severity.WARNING,
        confidence=Confidence.MEDIUM,
        reasons=("borderline",),
        series=("val/loss", "train/loss"),
        first_step=4_000,
        onset=4_000,
        value=0.61,
        limit=0.43,
        message="validation loss rose from 0.412 at step 1150 to 0.61 while the training loss fell",
        advice="keep the checkpoint of step 1150",
        headline="the validation loss turns up",
        cost=Cost(6_000, 0.6, 3.7),
        params={"patience": 3.0, "by_metric": False},
        evidence=(
            curve("val/loss", "loss", [1.0, 0.6, 0.42, 0.412, 0.45, 0.5, 0.55, 0.61]),
            curve("train/loss", "loss", [1.0, 0.5, 0.3, 0.2, math.nan, 0.1, 0.08, math.inf]),
        ),
    )
    restart = finding(
        "RUN001",
        "step-went-back",
        "exp1",
        category="run",
        severity=Severity.INFO,
        first_step=5_000,
        last_step=5_000,
        onset=5_000,
        points=1,
        value=None,
        limit=None,
        healed=True,
        message="the run was restarted at step 5,000 and repeats 120 steps",
        advice="",
        headline="the run restarts",
        cost=None,
    )
    known = finding("NUM001", "non-finite", "exp1", status="baselined", fingerprint="known", value=math.nan, limit=None)
    return Report(
        version=VERSION,
        runs=(run(),),
        sources=(
            SourceStatus("runs/exp1/events.out.tfevents.1", "tensorboard", "read", 34_000, run="exp1", bytes=2_000_000),
            SourceStatus(
                "runs/exp1/events.out.tfevents.2",
                "tensorboard",
                "partial",
                1_000,
                "the last record is cut",
                1_999_980,
                "exp1",
                2_000_000,
                20,
                tail_only=True,
            ),
            SourceStatus("runs/exp1/notes.txt", "unknown", "ignored", reason="not run data", run="exp1"),
        ),
        findings=(_vanishing(3), flat, *(_vanishing(i) for i in range(4, 15)), overfit, restart, known),
        outcomes=(
            Outcome("GEN001", "exp1", "failed"),
            *(Outcome("GRD001", "exp1", "failed", labels={"layer": f"encoder.{i}"}) for i in range(3, 15)),
            Outcome("GRD001", "exp1", "passed", count=36),
            Outcome("LOS001", "exp1", "failed"),
            Outcome("LOS003", "exp1", "passed"),
            Outcome("NUM001", "exp1", "failed"),
            Outcome("OPT001", "exp1", "skipped", "lr: 7 of 20 points", kind="short"),
            Outcome("RUN001", "exp1", "failed"),
            Outcome("RUN006", "exp1", "skipped", "not for supervised", kind="regime"),
        ),
        rules=RULES,
        series=(
            SeriesInfo("exp1", "train/loss", "loss", LOSS_LABELS, "pattern train/loss", 10_001, 0, 10_000, 2, 2),
            SeriesInfo("exp1", "val/loss", "loss", VAL_LABELS, "pattern val/loss", 100, 0, 9_900, 1, 0),
            SeriesInfo(
                "exp1",
                "gradients/encoder.3",
                "gradient",
                {"layer": "encoder.3", "param": "weight", "axis": "step", "certainty": "pattern"},
                "starts with gradients/",
                100,
                0,
                9_900,
                1,
                0,
                "tensor",
            ),
        ),
        panels=(Panel("exp1", "train/loss", "line", curve("train/loss", "loss", [2.3, 2.1])),),
        notes=(Note("baseline", "1 entry of the baseline no longer occurs: LOS003 in exp1"),),
    )


LOSS_LABELS = {"split": "train", "metric": "loss", "primary": "true", "axis": "step", "certainty": "exact"}
VAL_LABELS = {"split": "val", "metric": "loss", "axis": "step", "certainty": "exact"}


def healthy() -> Report:
    """One run of which all rules but one could be checked, and none failed."""
    gap = Gap("learning rate", ("OPT001",), "log it with writer.add_scalar('lr', …)")
    info = run("good", coverage=Coverage(8, 7, (gap,)), best=Best("val/loss", "loss", "val", 9_800, 0.2034567))
    ids = [r.id for r in RULES if r.id != "OPT001"]
    return Report(
        version=VERSION,
        runs=(info,),
        sources=(SourceStatus("good/events.out.tfevents.1", "tensorboard", "read", 34_000, run="good", bytes=10),),
        findings=(),
        outcomes=(
            *(Outcome(id, "good", "passed") for id in ids),
            Outcome("OPT001", "good", "skipped", "no learning rate", kind="input", missing=("learning rate",)),
        ),
        rules=RULES,
    )


def sweep(size: int = 12) -> Report:
    """A sweep over the learning rate: the largest quarter diverges, two overfit, one has no series at all."""
    runs, findings, outcomes = [], [], []
    for i in range(size):
        name = f"sweep/lr-{i:03d}"
        rate = round(1e-4 * 2**i if size <= 60 else 1e-4 * (i + 1), 4)
        empty = i == 0
        runs.append(
            run(
                name,
                series=0 if empty else 8,
                points=0 if empty else 4_000,
                facts={"learning_rate": rate, "optimiser": "adam"},
                best=None
                if empty
                else Best("val/loss", "loss", "val", 1_000 + i, round(0.3 + 0.01 * abs(i - size / 2), 4)),
                coverage=Coverage(8, 0, ()) if empty else Coverage(8, 8, ()),
                regime="unknown" if empty else "supervised",
            )
        )
        if empty:
            continue
        diverges, overfits = i >= size * 3 / 4, i in (2, 3)
        if diverges:
            findings.append(
                finding(
                    "LOS003",
                    "loss-divergence",
                    name,
                    headline="the loss diverges",
                    excess=round(i / size, 4),
                    message=f"the loss rose to {3.5 + i:g}, above 1.2, and stayed there",
                    evidence=(curve("train/loss", "loss", [1.0, 0.5, 0.6, 2.0, 3.5 + i]),),
                )
            )
        if overfits:
            findings.append(
                finding("GEN001", "overfit", name, severity=Severity.WARNING, headline="the validation loss turns up")
            )
        outcomes += [
            Outcome("LOS003", name, "failed" if diverges else "passed"),
            Outcome("GEN001", name, "failed" if overfits else "passed"),
            Outcome("NUM001", name, "passed"),
        ]
    first = min(i for i in range(size) if i >= size * 3 / 4)
    rate = runs[first].facts["learning_rate"]
    split = SettingSplit("LOS003", "learning_rate", "≥", rate, size - first, size - first, 0, first - 1, 0.005)
    same = IdenticalRuns((runs[4].name, runs[5].name), ("learning_rate",))
    return Report(VERSION, tuple(runs), (), tuple(findings), tuple(outcomes), RULES, splits=(split,), identical=(same,))


def empty() -> Report:
    """No run: unreadable files only."""
    reasons = ("empty file", "Git LFS pointer: the data was not downloaded; run `git lfs pull`")
    sources = tuple(
        SourceStatus(
            f"logs/events.out.tfevents.{i}", "tensorboard", "unreadable", reason=reasons[i % 2], bytes=130 * (i % 2)
        )
        for i in range(14)
    )
    return Report(
        VERSION, (), sources, (), (), RULES, missing_paths=("logs",), notes=(Note("path", "logs holds no run"),)
    )


HOSTILE = (
    "[red]bold[/red]",
    "a|b",
    "line\nbreak",
    "\x1b[31mansi\x1b[0m",
    "<script>alert(1)</script>",
    "@user",
    "::error::pwned",
    "##[group]x",
    "\u202egnp.exe",
    "lone\udc80surrogate",
    "`code` *b* _i_ #12 https://evil.example $x$ ![i](u)",
    "```",
    "]]>--> <!-- x",
    "n" * 5_000,
)


def hostile() -> Report:
    """Every text that comes from files is as bad as it can be."""
    findings = []
    for i, text in enumerate(HOSTILE):
        findings.append(
            finding(
                f"LOS{i:03d}",
                "loss-divergence",
                "::error::run [bold]|\x07",
                labels={"layer": text},
                series=(text,),
                message=f"{text} diverged",
                advice=f"look at {text}",
                headline=f"{text} diverges",
                fingerprint=f"f{i}",
                reasons=(text,),
                params={text: text},
                evidence=(Evidence(text, text, text, text, (0, 1), (1.0, math.nan)),),
            )
        )
    info = run(
        "::error::run [bold]|\x07",
        path="runs/@org/<b>",
        regime="unknown",
        facts=dict.fromkeys(HOSTILE, "x\n::error::y"),
        best=Best("@user|x", "metric", "val", 3, math.inf),
        coverage=Coverage(8, 6, (Gap("<i>|\n", ("X|",), "::error::how @user"),)),
    )
    sources = tuple(SourceStatus(t, t, "partial", 1, t, 3, info.name, 9, 6) for t in HOSTILE)
    series = tuple(SeriesInfo(info.name, t, t, {"layer": t, t: t}, t, 1, 0, 1, 1, 0) for t in HOSTILE)
    return Report(
        VERSION, (info,), sources, tuple(findings), (), RULES, series, notes=tuple(Note("path", t) for t in HOSTILE)
    )


def everything() -> dict[str, Report]:
    """All canonical reports by name."""
    return {
        "failing": failing(),
        "healthy": healthy(),
        "sweep": sweep(),
        "empty": empty(),
        "hostile": hostile(),
    }
