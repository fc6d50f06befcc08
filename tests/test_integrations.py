"""What other systems read from the repository: the action, the hook, the image, the GitLab jobs, the pages that show them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.test_cli import ROOT
from tests.test_cli import run as mlcheck

BASH = shutil.which("bash")
JQ = shutil.which("jq")
CI_PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SKILL = (ROOT / "SKILL.md").read_text(encoding="utf-8")
needs_bash = pytest.mark.skipif(BASH is None, reason="no bash")
needs_jq = pytest.mark.skipif(JQ is None or BASH is None, reason="no jq or no bash")


def yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its header."""
    table = page.split(f"## {heading}\n", 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.split("\n")[2:]]


ACTION = yaml((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
EXIT_CODES = rows(CI_PAGE, "What a job should do with the exit code")


# Exit codes


@pytest.mark.parametrize(("command", "code"), [(row[0].strip("`"), int(row[1])) for row in EXIT_CODES])
def test_the_table_of_exit_codes_is_true(command: str, code: int) -> None:
    program, *arguments = shlex.split(command)
    assert program == "mlcheck"
    done = mlcheck(*arguments)
    assert done.returncode == code, done.stderr


def test_the_table_has_every_exit_code_and_what_to_do() -> None:
    assert {row[1] for row in EXIT_CODES} == {"0", "1", "2", "3"}
    verdicts = {"0": "pass", "1": "fail", "2": "fail", "3": "fail"}
    for row in EXIT_CODES:
        assert len(row) == 4
        assert row[3].split(",")[0].split(":")[0].split()[0] == verdicts[row[1]]


# action.yml


def test_no_script_of_the_action_holds_an_expression() -> None:
    """`${{ … }}` is put into a script as text, so a title of a pull request could become a command."""
    scripts = [step["run"] for step in STEPS.values() if "run" in step]
    assert len(scripts) == 4
    assert not any("${{" in script for script in scripts)


def test_every_input_is_used_and_every_variable_comes_from_the_environment() -> None:
    whole = json.dumps(ACTION["runs"])
    used = set(re.findall(r"inputs\.([\w-]+)", whole))
    assert used == set(ACTION["inputs"])
    runner = {"RUNNER_TEMP", "GITHUB_ACTION_PATH", "GITHUB_OUTPUT", "GITHUB_REPOSITORY", "GITHUB_STEP_SUMMARY"}
    for step in STEPS.values():
        given = set(step.get("env", {}))
        read = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", step.get("run", "")))
        assert read <= given | runner
        assert given - read <= {"GH_TOKEN"}


def test_the_action_is_a_composite_whose_steps_are_pinned() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for step in STEPS.values():
        assert ("run" in step) != ("uses" in step)
        assert "run" not in step or step["shell"] == "bash"
        assert "uses" not in step or re.fullmatch(r"[\w-]+(/[\w-]+)+@v\d+", step["uses"])
    assert "$GITHUB_ACTION_PATH" in STEPS["Install mlcheck"]["run"]
    assert STEPS["Exit as mlcheck did"]["if"] == "always()"
    assert list(STEPS)[-1] == "Exit as mlcheck did"
    defaults = [given["default"] for given in ACTION["inputs"].values()]
    assert all(isinstance(default, str) for default in defaults)


def test_the_page_lists_every_input_with_its_default() -> None:
    table = CI_PAGE.split("| input | default | |\n|---|---|---|\n", 1)[1].split("\n\n", 1)[0]
    listed = {name: default.strip("` ") for name, default in re.findall(r"\| `([\w-]+)` \|([^|]*)\|", table)}
    given = {name: one["default"] for name, one in ACTION["inputs"].items()}
    assert listed == {**given, "github-token": "the job's"}
    for name in ACTION["outputs"]:
        assert f"`{name}`" in CI_PAGE


def script(step: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script of a step as the runner does: bash, without start files, ending at the first error."""
    assert BASH is not None
    return subprocess.run(
        [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": f"{directory / 'bin'}:{os.environ['PATH']}", "HOME": str(directory), **environment},
        timeout=60,
        check=False,
    )


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A runner's temporary directory, with mlcheck in the environment that the step before makes."""
    program = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m mlcheck "$@"\n'
    executable(tmp_path / "mlcheck-environment" / "bin" / "mlcheck", program)
    return tmp_path


def scanned(runner: Path, paths: str, args: str = "", fail_on: str = "", out: str = "") -> dict[str, str]:
    output = runner / "output"
    output.write_text("")
    done = script(
        "Scan",
        runner,
        RUNNER_TEMP=str(runner),
        GITHUB_OUTPUT=str(output),
        GITHUB_STEP_SUMMARY=str(runner / "summary.md"),
        INPUT_PATHS=paths,
        INPUT_ARGS=args,
        INPUT_FAIL_ON=fail_on,
        INPUT_OUTPUT_DIR=out,
    )
    assert done.returncode == 0, done.stderr
    return {**dict(line.split("=", 1) for line in output.read_text().splitlines()), "log": done.stdout + done.stderr}


@needs_bash
def test_the_scan_of_the_action_writes_every_report_and_never_fails_by_itself(runner: Path) -> None:
    given = scanned(runner, "fixtures/diverging\n")
    assert given["exit-code"] == "1"
    assert json.loads(Path(given["json"]).read_text())["summary"]["exit_code"] == 1
    assert json.loads(Path(given["sarif"]).read_text())["version"] == "2.1.0"
    assert Path(given["markdown"]).read_text().startswith("<!-- mlcheck -->\n")
    assert "the loss diverges" in (runner / "summary.md").read_text()
    assert "loss-divergence LOS003" in given["log"], "the table"
    assert "\n::error title=loss-divergence LOS003" in given["log"], "the annotations"


@needs_bash
def test_the_inputs_of_the_action_reach_the_scan(runner: Path) -> None:
    out = runner / "a directory"
    given = scanned(
        runner, "fixtures/diverging\nfixtures/keras-healthy", "--select=LOS\n--run-name=x y\n", "never", str(out)
    )
    assert given["exit-code"] == "2", "a name for two runs is wrong usage"
    given = scanned(runner, "fixtures/diverging\r\nfixtures/keras-healthy\n", "--select=LOS\r\n\n", "never", str(out))
    assert given["exit-code"] == "0"
    report = json.loads((out / "mlcheck.json").read_text())
    assert {one["name"] for one in report["runs"]} == {"diverging", "keras-healthy"}
    assert {one["id"][:3] for one in report["rules"]} == {"LOS"}


@needs_bash
@pytest.mark.parametrize("text", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "--config=/etc/passwd", "-h"])
def test_a_path_is_never_a_command_nor_an_option(runner: Path, text: str) -> None:
    given = scanned(runner, text)
    assert given["exit-code"] == "3"
    assert not (ROOT / "pwned").exists()


@needs_bash
def test_wrong_usage_leaves_no_report_of_an_earlier_scan(runner: Path) -> None:
    assert "json" in scanned(runner, "fixtures/diverging")
    given = scanned(runner, "fixtures/diverging", "--no-such-option")
    assert given["exit-code"] == "2"
    assert not {"json", "markdown", "sarif"} & set(given)


@needs_bash
@pytest.mark.parametrize(("code", "left"), [("0", 0), ("1", 1), ("3", 3), ("", 2)])
def test_the_action_exits_as_mlcheck_did(tmp_path: Path, code: str, left: int) -> None:
    assert script("Exit as mlcheck did", tmp_path, CODE=code).returncode == left


OURS = "<!-- mlcheck -->\nold"
COMMENTS = [
    {"id": 1, "user": {"type": "User"}, "author_association": "NONE", "body": OURS},
    {"id": 2, "user": {"type": "Bot"}, "author_association": "NONE", "body": "another bot's <!-- mlcheck -->"},
    {"id": 3, "user": {"type": "Bot"}, "author_association": "NONE", "body": None},
]


def commented(directory: Path, comments: list[dict[str, Any]], fails: bool = False) -> tuple[str, str, int]:
    """What `gh` was asked for in the end, what the log says, and how the step ended."""
    (directory / "comments.json").write_text(json.dumps(comments), encoding="utf-8")
    report = directory / "report.md"
    report.write_text("<!-- mlcheck -->\nnew", encoding="utf-8")
    calls = directory / "calls"
    executable(
        directory / "bin" / "gh",
        f"#!{BASH}\n"
        f'printf "%s\\n" "$*" >> "{calls}"\n'
        f"{'exit 1' if fails else ''}\n"
        'if [ "$2" = --paginate ]; then exec jq -r "$5" < "' + str(directory / "comments.json") + '"; fi\n',
    )
    done = script(
        "Comment on the pull request",
        directory,
        GITHUB_REPOSITORY="a/b",
        NUMBER="7",
        REPORT=str(report),
        GH_TOKEN="secret",
    )
    return calls.read_text().splitlines()[-1], done.stdout + done.stderr, done.returncode


@needs_jq
def test_the_first_comment_is_written(tmp_path: Path) -> None:
    call, log, code = commented(tmp_path, COMMENTS)
    assert call == f"api --silent --method POST repos/a/b/issues/7/comments -F body=@{tmp_path / 'report.md'}"
    assert (log, code) == ("", 0)


@needs_jq
@pytest.mark.parametrize(
    "author",
    [
        {"user": {"type": "Bot"}, "author_association": "NONE"},
        {"user": {"type": "User"}, "author_association": "MEMBER"},
    ],
)
def test_later_ones_renew_it_and_not_that_of_a_stranger(tmp_path: Path, author: dict[str, Any]) -> None:
    mine = [{"id": number, "body": OURS, **author} for number in (44, 45)]
    call, log, code = commented(tmp_path, [*COMMENTS, *mine])
    assert call == f"api --silent --method PATCH repos/a/b/issues/comments/44 -F body=@{tmp_path / 'report.md'}"
    assert (log, code) == ("", 0)


@needs_jq
def test_a_token_that_cannot_write_is_a_warning(tmp_path: Path) -> None:
    _, log, code = commented(tmp_path, [], fails=True)
    assert log.startswith("::warning title=mlcheck::the comment could not be written")
    assert code == 0


# The hook


def test_the_hook_runs_the_tests_inside_rule_files() -> None:
    (hook,) = yaml((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert (hook["id"], hook["entry"], hook["pass_filenames"], hook["language"]) == (
        "mlcheck-test-rules",
        "mlcheck test",
        False,
        "python",
    )
    done = mlcheck(*hook["entry"].split()[1:], *hook["args"])
    assert done.returncode == 0, done.stderr
    assert ", 0 failed" in done.stdout


# The image


def test_the_image_has_two_stages_no_root_and_all_that_it_copies() -> None:
    lines = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases)
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER mlcheck" in last
    assert 'ENTRYPOINT ["mlcheck"]' in last
    kept = {
        line.strip("!/")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line[:1] == "!"
    }
    copied = {
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_what_the_image_copies_is_enough_to_build(tmp_path: Path) -> None:
    """The build of the image without Docker: nothing but what .dockerignore lets through."""
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line[:1] == "!":
            source = ROOT / line.strip("!/")
            skip = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, tmp_path / source.name, ignore=skip)
            else:
                shutil.copy(source, tmp_path)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "wheels", "."]
    subprocess.run(build, check=True, capture_output=True, cwd=tmp_path)
    assert len(list((tmp_path / "wheels").glob("mlcheck_scan-*.whl"))) == 1


# GitLab


def test_the_page_shows_the_snippet_as_it_is() -> None:
    assert (ROOT / "ci" / "gitlab-snippet.yml").read_text(encoding="utf-8") in blocks(CI_PAGE, "yaml")


def test_the_gitlab_job_keeps_what_it_writes() -> None:
    job = yaml((ROOT / "ci" / "gitlab-snippet.yml").read_text(encoding="utf-8"))["mlcheck"]
    (command,) = job["script"]
    written = {word.split("=", 1)[1] for word in shlex.split(command) if "=" in word}
    assert written == {*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()}
    assert job["artifacts"]["when"] == "always"
    assert job["allow_failure"]["exit_codes"] == [3]


@needs_jq
@pytest.mark.parametrize(("author", "call"), [(5, "PUT /notes/9"), (6, "POST /notes")])
def test_the_gitlab_comment_is_renewed_where_it_is_ours(tmp_path: Path, author: int, call: str) -> None:
    job = yaml((ROOT / "ci" / "gitlab-snippet.yml").read_text(encoding="utf-8"))["mlcheck-comment"]
    notes = [{"id": 8, "author": {"id": 5}, "body": "hello"}, {"id": 9, "author": {"id": author}, "body": OURS}]
    (tmp_path / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
    executable(
        tmp_path / "bin" / "curl",
        f"#!{BASH}\n"
        'for last in "$@"; do :; done\n'
        'case "$last" in\n'
        "  */user) echo '{\"id\": 5}' ;;\n"
        f'  *per_page*) cat "{tmp_path / "notes.json"}" ;;\n'
        f'  *) echo "$5 ${{last#*merge_requests/3}}" > "{tmp_path / "call"}" ;;\n'
        "esac\n",
    )
    subprocess.run(
        [str(BASH), "-euo", "pipefail", "-c", "\n".join(job["script"])],
        env={
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "CI_API_V4_URL": "https://gitlab.example/api/v4",
            "CI_PROJECT_ID": "1",
            "CI_MERGE_REQUEST_IID": "3",
            "MLCHECK_TOKEN": "secret",
        },
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "call").read_text().strip() == call


# The pages


def _pages() -> list[Path]:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.y*ml"), *(ROOT / "ci").iterdir()]
    return [*found, ROOT / "Dockerfile", ROOT / ".pre-commit-hooks.yaml"]


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.name)
def test_no_page_says_to_install_a_distribution_of_another_owner(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(pip|pipx|uv|uvx|tool) (install |run )?(-\S+ )*[\"']?mlcheck(?![\w-])", text)


def test_every_yaml_block_is_yaml() -> None:
    shown = [yaml(block) for block in blocks(CI_PAGE, "yaml")]
    assert len(shown) == 3
    workflow, _, hooks = shown
    (used,) = (step for step in workflow["jobs"]["smoke"]["steps"] if "mlcheck" in step.get("uses", ""))
    assert set(used["with"]) <= set(ACTION["inputs"])
    (known,) = yaml((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hooks["repos"][0]["hooks"][0]["id"] == known["id"]


def _commands() -> list[str]:
    lines = [line for page in (CI_PAGE, SKILL) for block in blocks(page, "sh") for line in block.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.startswith("mlcheck ")]


@pytest.mark.parametrize("command", _commands())
def test_the_commands_of_the_pages_work(command: str, tmp_path: Path) -> None:
    """On a run of this repository in the place of the reader's."""
    shutil.copytree(ROOT / "fixtures" / "diverging", tmp_path / "runs" / "exp1")
    for name in ("report.json", "mlcheck.json"):
        mlcheck("scan", "runs", "-o", f"json={name}", cwd=tmp_path)
    done = mlcheck(*shlex.split(command)[1:], cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr


@needs_jq
def test_the_queries_of_the_skill_find_something(tmp_path: Path) -> None:
    mlcheck("scan", "fixtures/diverging", "-o", f"json={tmp_path / 'report.json'}")
    queries = [line for block in blocks(SKILL, "sh") for line in block.splitlines() if line.startswith("jq ")]
    assert len(queries) == 3
    found = [
        subprocess.run(shlex.split(query), cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for query in queries
    ]
    assert json.loads(found[0])["exit_code"] == 1
    assert found[1].splitlines()[0].startswith("error\tLOS003\tdiverging\t639\t")
    assert found[2] == "diverging\tval/loss\t0.1126429\t543\n"


def test_every_key_that_the_skill_names_is_in_the_report() -> None:
    report = json.loads(mlcheck("scan", "fixtures/diverging", "-o", "json").stdout)
    schema = json.loads((ROOT / "schema" / "mlcheck.report-1.schema.json").read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    owners = {
        "summary": "Summary",
        "findings[]": "Finding",
        "runs[]": "RunInfo",
        "sources[]": "SourceStatus",
        "splits[]": "SettingSplit",
    }
    listed = rows(SKILL, "Read the JSON")
    assert len(listed) > 15
    for where, keys, _ in listed:
        owner = where.strip("`")
        assert owner.removesuffix("[]") in report
        (properties,) = (one["properties"] for name, one in definitions.items() if name.startswith(owners[owner]))
        for key in re.findall(r"`(\w+)`", keys):
            assert key in properties, f"{owner}.{key}"


def test_the_skill_says_what_it_is_for() -> None:
    _, head, _ = SKILL.split("---\n", 2)
    front = yaml(head)
    assert set(front) == {"name", "description"}
    assert re.fullmatch(r"[a-z0-9-]{1,64}", front["name"])
    assert len(front["description"]) <= 1_024
    assert [row[0] for row in rows(SKILL, "Exit codes")] == ["0", "1", "2", "3"]
