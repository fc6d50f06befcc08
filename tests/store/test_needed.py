"""What a pattern needs never changes what it matches."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store import labels, parameters, roles, tables
from mlcheck.store.needed import may_match, need_of, needs_of


@pytest.mark.parametrize(
    ("pattern", "need"),
    [
        ("loss", "loss"),
        (r"\bloss\b", "loss"),
        ("LOSS", "loss"),
        ("train loss$", "train loss"),
        (r"\b(value|critic) loss", ("all", (("any", ("value", "critic")), " loss"))),
        ("a(bc)?d", ("all", ("a", "d"))),
        ("(bc){2,}", "bc"),
        ("x|", None),
        (r"\w+", None),
        ("(?<!cross )entropy", "entropy"),
        ("[dg]_loss", ("all", (("any", ("d", "g")), "_loss"))),
        ("[^dg]_loss", "_loss"),
        ("[a-d]_loss", "_loss"),
        ("(", None),
        ("(?i:loss)", None),
    ],
)
def test_what_a_pattern_needs(pattern: str, need: Any) -> None:
    assert need_of(pattern) == need


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("train/Value Loss", True),
        ("critic loss", True),
        ("value", False),
        ("loss", False),
        ("", False),
        # The long s matches an s where case is ignored, and is none when it is made small.
        ("value lo\u017fs", True),
    ],
)
def test_a_text_may_match_where_it_holds_all_of_one_way(text: str, may: bool) -> None:
    assert may_match(need_of("(value|critic) loss"), text) is may


def test_nothing_known_may_always_match() -> None:
    assert may_match(None, "anything")


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _patterns(one)


ALL = sorted(set(_patterns(tables.tables()[0])))
COMPILED = [(re.compile(one), re.compile(one, re.IGNORECASE), need_of(one)) for one in ALL if need_of(one) is not None]
IN_CODE = [
    one for module in (labels, parameters, roles) for one in vars(module).values() if isinstance(one, tables.Pattern)
]
COMPILED += [(one.compiled, one.compiled, one.need) for one in IN_CODE if one.need is not None]
WORDS = sorted(
    {word for one in [*ALL, *(one.pattern for one in IN_CODE)] for word in re.findall(r"[A-Za-z]+|\d|[ /._-]", one)}
)
TAGS = sorted(
    {
        line.split("\t")[0]
        for path in Path(__file__).parent.glob("*.tsv")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    | {line.strip("'\", ") for line in Path(__file__).with_name("test_roles.py").read_text(encoding="utf-8").split("(")}
)


def _check(text: str) -> None:
    for cased, any_case, need in COMPILED:
        if not may_match(need, text):
            assert cased.search(text) is None, (cased.pattern, text)
            assert any_case.search(text) is None, (cased.pattern, text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["tr", "fit", "va", "loss", "acc", "x", " ", " ", "/", "_", ".", "é"]), max_size=8))
def test_what_is_not_asked_of_names_would_not_have_changed_them(parts: list[str]) -> None:
    name = "".join(parts)
    assert labels.tidy(name) == labels._SPACES.compiled.sub(lambda m: m[1] or " ", name).strip(" /")
    if not any(one in name for one in labels._BEFORE):
        assert labels._SHORT_BEFORE.compiled.search(name) is None
    if not name.endswith(labels._AFTER):
        assert labels._SHORT_AFTER.compiled.search(name) is None
    if name.replace("/", "").replace(".", "").isalnum():
        assert labels._SEPARATOR.compiled.search(name) is None


def test_most_patterns_of_the_tables_need_something() -> None:
    known, needs = tables.tables()
    assert needs == needs_of(known)
    patterns = [one for entry in known["roles"]["pattern"] for one in (entry.get("tag"), entry.get("name")) if one]
    assert sum(one in needs for one in patterns) > 0.8 * len(patterns)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=7), st.booleans(), st.sampled_from(["", " ", "/", "_"]))
def test_no_match_is_lost_on_texts_of_their_own_words(words: list[str], capital: bool, between: str) -> None:
    text = between.join(words)
    _check(text.title() if capital else text)


def test_no_match_is_lost_on_tags() -> None:
    for tag in TAGS[::4]:
        _check(tag)
