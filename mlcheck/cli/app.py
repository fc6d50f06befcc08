"""The commands and their options, as the option parser (typer) knows them."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mlcheck import __version__
from mlcheck.cli.baseline import baseline_commands
from mlcheck.cli.cache import cache_commands
from mlcheck.cli.choices import ColorChoice
from mlcheck.cli.codes import INTERRUPTED, USAGE_ERROR
from mlcheck.cli.compare import compare
from mlcheck.cli.config import config as config_command
from mlcheck.cli.effective import effective
from mlcheck.cli.export import export
from mlcheck.cli.grouped import GroupedCommand
from mlcheck.cli.learn import learn
from mlcheck.cli.options import (
    AllowEmpty,
    Assignments,
    Baseline,
    BaselineRun,
    Color,
    Config,
    Expect,
    ExpectIdentical,
    FailOn,
    FailWhen,
    Ignore,
    Isolated,
    Jobs,
    MaxChars,
    MinSeverity,
    NoBaseline,
    NoCache,
    NoProgress,
    Output,
    Paths,
    Profile,
    Quiet,
    Regime,
    Require,
    RulePaths,
    RulesDirs,
    RunName,
    Select,
    ShowSuppressed,
    Strict,
    Verbose,
    Verify,
)
from mlcheck.cli.output import (
    parse_outputs,
    render_options,
    say,
    write,
    write_file,
)
from mlcheck.cli.render import render
from mlcheck.errors import MlcheckError

USAGE_PROBLEM: Any = next(one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException")
"""The base of what the option parser raises: typer brings its own click since 0.26, and used the installed one before."""

app = typer.Typer(
    name="mlcheck",
    help="The linter for machine-learning training runs.",
    epilog="Exit codes: 0 clean, 1 a finding at or above --fail-on, 2 usage, configuration or rule error, 3 no run data.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def run_app(arguments: Sequence[str]) -> int:
    """Parse the arguments and run the command that they name; its exit code. What is wrong with them is said here."""
    try:
        result = app(args=list(arguments), prog_name="mlcheck", standalone_mode=False)
    except typer.Exit as leaving:
        return leaving.exit_code
    except typer.Abort:
        return INTERRUPTED
    except USAGE_PROBLEM as error:
        say(_usage_text(error))
        return USAGE_ERROR
    return result if isinstance(result, int) else 0


def _usage_text(error: Any) -> str:
    context = getattr(error, "ctx", None)
    usage = f"{context.get_usage()}\nTry '{context.command_path} -h' for help.\n\n" if context is not None else ""
    # How pydantic, which checks the values for the option parser, begins its sentences.
    text = error.format_message().replace(": Value error, ", ": ")
    return text if type(error).__name__ == "NoArgsIsHelpError" else f"{usage}Error: {text}"


def _print_version(value: bool) -> None:
    if value:
        write(f"mlcheck {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """The linter for machine-learning training runs: mlcheck scan ./runs/exp1."""


# Commands


@app.command()
def scan(
    paths: Paths = None,
    output: Output = None,
    fail_on: FailOn = None,
    select: Select = None,
    ignore: Ignore = None,
    fail_when: FailWhen = None,
    require: Require = None,
    expect: Expect = None,
    assignments: Assignments = None,
    rules: RulesDirs = None,
    regime: Regime = None,
    config: Config = None,
    isolated: Isolated = False,
    profile: Profile = None,
    baseline: Baseline = None,
    no_baseline: NoBaseline = False,
    baseline_run: BaselineRun = None,
    expect_identical: ExpectIdentical = False,
    run_name: RunName = None,
    min_severity: MinSeverity = None,
    show_suppressed: ShowSuppressed = False,
    max_chars: MaxChars = None,
    strict: Strict = None,
    allow_empty: AllowEmpty = None,
    jobs: Jobs = None,
    no_cache: NoCache = False,
    verify: Verify = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_progress: NoProgress = False,
    color: Color = ColorChoice.auto,
) -> int:
    """Import runs, judge them, report what is wrong."""
    given = locals()
    from mlcheck.cli.scan import scan_runs

    return scan_runs(**given)


@app.command()
def inspect(
    paths: Paths = None,
    output: Output = None,
    regime: Regime = None,
    config: Config = None,
    isolated: Isolated = False,
    verbose: Verbose = False,
    color: Color = ColorChoice.auto,
) -> int:
    """Show runs, series with their roles, facts, and what could not be read and why."""
    from mlcheck import api
    from mlcheck.records import replace
    from mlcheck.report import exit_code
    from mlcheck.reporters.inspection import render_inspection

    outputs = parse_outputs(output or ())
    report = api.scan(
        paths or ["."], api.ScanOptions(regime=regime, fail_on="never", settings=effective(config, isolated=isolated))
    )
    report = replace(report, findings=())
    options = render_options(color, verbose=verbose)
    for name, path in outputs or [("terminal", None)]:
        if name == "terminal":
            text = render_inspection(report, options)
        else:
            from mlcheck.reporters import registry

            text = registry.get(name).render(report, options)
        if path is None:
            write(text)
        else:
            write_file(path, text)
    for missing in report.missing_paths:
        say(f"mlcheck: {missing}")
    return exit_code(report)


@app.command(name="rules")
def list_rules(rules: RulesDirs = None, verbose: Verbose = False, color: Color = ColorChoice.auto) -> int:
    """List the rules."""
    from mlcheck import api
    from mlcheck.engine.describe import describe
    from mlcheck.reporters.explain import render_rules

    write(render_rules([describe(rule) for rule in api.registry(rules or ())], render_options(color, verbose=verbose)))
    return 0


def _complete_rule(incomplete: str) -> list[str]:
    from mlcheck import api

    return [word for word in api.registry().words() if word.lower().startswith(incomplete.lower())]


@app.command()
def explain(
    rule: Annotated[
        str,
        typer.Argument(metavar="RULE", help="Id or name, such as NUM001 or non-finite.", autocompletion=_complete_rule),
    ],
    rules: RulesDirs = None,
    verbose: Verbose = False,
    color: Color = ColorChoice.auto,
) -> int:
    """Show one rule: what it does, why it matters, what to try, its parameters."""
    from mlcheck import api
    from mlcheck.engine.describe import describe
    from mlcheck.reporters.explain import render_explain

    write(render_explain(describe(api.registry(rules or ()).get(rule)), render_options(color, verbose=verbose)))
    return 0


app.command(cls=GroupedCommand)(compare)
app.command()(learn)
app.command()(render)
app.command()(export)
app.command(name="config")(config_command)
app.add_typer(baseline_commands, name="baseline")
app.add_typer(cache_commands, name="cache")


@app.command(name="test")
def test_rules(
    paths: RulePaths = None,
    verbose: Verbose = False,
    color: Color = ColorChoice.auto,
) -> int:
    """Run the tests inside rule files; exit 1 when one fails, 2 when a file is no rule."""
    from mlcheck.engine import registry
    from mlcheck.engine.loader import load_file
    from mlcheck.engine.ruletest import run_tests

    files = [file for path in paths or [registry.built_in_directory()] for file in registry.rule_files(path)]
    failed = count = 0
    broken = False
    for file in files:
        try:
            results = run_tests(load_file(file))
        except MlcheckError as error:
            say(f"mlcheck: {error}")
            broken = True
            continue
        count += len(results)
        bad = [one for one in results if not one.passed]
        failed += len(bad)
        if verbose or bad:
            for one in results:
                if verbose or not one.passed:
                    mark = "ok    " if one.passed else "FAILED"
                    write(
                        f"{mark} {one.rule} {one.name}"
                        + (f"\n       {one.place}: {one.message}\n" if one.message else "\n")
                    )
    write(f"{count - failed} passed, {failed} failed\n")
    return USAGE_ERROR if broken else 1 if failed else 0
