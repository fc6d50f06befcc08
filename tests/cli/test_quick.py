"""The plain scan without the option parser: whatever it reads, typer reads the same."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.cli import app as commands
from mlcheck.cli import quick, scan

SWITCHES = st.sampled_from(sorted(quick._FLAGS)).map(lambda word: [word])
TEXTS = st.sampled_from(["runs", "a=b", "LOS,NUM001", "20%", "json=x.json", "runs=2", "smoke", "", "=", "x y", "é"])
CHOICES = {
    "fail_on": st.sampled_from(["error", "warning", "info", "never", "Error", "bad"]),
    "min_severity": st.sampled_from(["error", "info", "never"]),
    "color": st.sampled_from(["auto", "always", "never", "x"]),
    "jobs": st.sampled_from(["1", "16", "0", "-1", "x", "1.5", " 2", "1_0", "٣"]),
}


def _with_value(option: str) -> st.SearchStrategy[list[str]]:
    name = (quick._SINGLE.get(option) or quick._REPEATED[option])[0]
    values = CHOICES.get(name, TEXTS)
    spaced = values.map(lambda value: [option, value])
    return st.one_of(spaced, values.map(lambda value: [f"{option}={value}"]) if option.startswith("--") else spaced)


WORDS = st.one_of(
    SWITCHES,
    TEXTS.map(lambda word: [word]),
    st.sampled_from(sorted([*quick._SINGLE, *quick._REPEATED])).flatmap(_with_value),
    st.sampled_from([["--"], ["-"], ["-qv"], ["-ojson"], ["--jobs"], ["--help"], ["--none"], ["--max-chars", "5000"]]),
)


@settings(deadline=None, max_examples=60)
@given(words=st.lists(WORDS, max_size=6))
def test_typer_reads_the_same(words: list[list[str]]) -> None:
    arguments = ["scan", *(word for one in words for word in one)]
    plain = quick.usual_scan(arguments)
    if plain is None:
        return
    seen: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "scan_runs", lambda **given: seen.append(given) or 0)
        assert commands.run_app(arguments) == 0
        (by_typer,) = seen
    defaults = scan.scan_runs.__kwdefaults__
    assert {**defaults, **plain} == {name: _plain(value) for name, value in by_typer.items()}


def _plain(value: Any) -> Any:
    """A repeatable option that is not given may be an empty list."""
    return None if value == [] else value


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["rules"],
        ["scan", "--help"],
        ["scan", "-qv"],
        ["scan", "--jobs", "0"],
        ["scan", "--fail-on", "bad"],
        ["scan", "--"],
    ],
)
def test_what_is_not_plain_is_left_to_the_option_parser(arguments: list[str]) -> None:
    assert quick.usual_scan(arguments) is None


def test_the_usual_scan_is_plain() -> None:
    assert quick.usual_scan(["scan", "runs/exp1", "-q", "--fail-on=never", "-o", "json=x.json"]) == {
        "paths": ["runs/exp1"],
        "quiet": True,
        "fail_on": "never",
        "output": ["json=x.json"],
    }
