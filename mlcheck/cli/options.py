"""The options of the command line: names, types and help, each once."""

from pathlib import Path
from typing import Annotated

import typer

from mlcheck.cli.choices import ColorChoice, FailOnChoice, SeverityChoice
from mlcheck.reporters.registry import REPORTERS
from mlcheck.settings import LEAST_CHARS

Color = Annotated[ColorChoice, typer.Option("--color", help="Colours; auto: on a terminal, unless NO_COLOR is set.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show everything; the traceback when mlcheck fails.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings; default: mlcheck.toml or pyproject.toml here or above."),
]
Isolated = Annotated[bool, typer.Option("--isolated", help="Read no configuration file; options and variables hold.")]
RulesDirs = Annotated[
    list[Path] | None, typer.Option("--rules", metavar="DIR", help="More rule files (data only; repeatable).")
]
Regime = Annotated[
    str | None,
    typer.Option("--regime", help="Kind of training (supervised, rl, gan …) instead of what the run looks like."),
]


Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH]...",
        help="Runs, or directories above them; NAME=PATH names a run.  [default: .]",
        show_default=False,
    ),
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORMAT[=PATH]",
        help=f"{', '.join(REPORTERS)}; to standard output, or to a file (repeatable).",
    ),
]
FailOn = Annotated[
    FailOnChoice | None,
    typer.Option("--fail-on", help="Exit 1 for findings from this severity on.  [default: error]", show_default=False),
]
FailWhen = Annotated[
    str | None,
    typer.Option(
        "--fail-when",
        metavar="any|all|SHARE",
        help="Of several runs, how many must have such a finding: any, all, or a share such as 20%.  [default: any]",
        show_default=False,
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="RULES", help="Only these: ids, prefixes of ids, names, categories, with commas."),
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="RULES", help="Not these.")]
Require = Annotated[
    list[str] | None,
    typer.Option("--require", metavar="RULES", help="Exit 2 when these cannot be checked in some run."),
]
Expect = Annotated[
    list[str] | None,
    typer.Option(
        "--expect", metavar="runs=N|min-steps=N|metric=ROLE", help="Exit 2 unless this was found (repeatable)."
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="Findings that are accepted; only others fail.  [default: .mlcheck-baseline.json, if it is here]",
        show_default=False,
    ),
]
BaselineRun = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline-run",
        metavar="PATH",
        help="A run, or a pattern of runs in quotes, that each run is held against (repeatable).",
    ),
]
ExpectIdentical = Annotated[
    bool, typer.Option("--expect-identical", help="Every value must be that of the baseline's run (CMP001).")
]
NoBaseline = Annotated[bool, typer.Option("--no-baseline", help="Judge as if nothing were accepted.")]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Settings under a name. smoke: what must hold in a short training on every pull request.",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="RULE.PARAM=VALUE", help="Set a parameter of a rule (repeatable)."),
]
RunName = Annotated[str | None, typer.Option("--run-name", metavar="NAME", help="Name of the run, where there is one.")]
MinSeverity = Annotated[
    SeverityChoice | None,
    typer.Option(
        "--min-severity",
        help="Show findings from this severity on (the exit code does not change).",
        show_default=False,
    ),
]
MaxChars = Annotated[
    int | None,
    typer.Option(
        "--max-chars",
        min=LEAST_CHARS,
        metavar="N",
        help="Longest Markdown: charts go first, then details, then rows; GitHub refuses a comment of more than 65,536.  "
        "[default: 60000]",
        show_default=False,
    ),
]
ShowSuppressed = Annotated[bool, typer.Option("--show-suppressed", help="List baselined and suppressed findings too.")]
Strict = Annotated[
    bool | None, typer.Option("--strict", help="Exit 3 when the middle of a file is lost.", show_default=False)
]
AllowEmpty = Annotated[
    bool | None,
    typer.Option("--allow-empty", help="No run, or a path that is not there, is fine.", show_default=False),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes.  [default: the cores]", show_default=False),
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Compare every checksum of event files, not only those of suspects.")
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Read every file again, and keep nothing (see mlcheck cache info).")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Verdicts only; no talk on standard error.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress bar.")]
RulePaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH]...",
        help="Rule files, or directories of them.  [default: the built-in rules]",
        show_default=False,
    ),
]
