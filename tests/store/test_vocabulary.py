"""The index over patterns leaves out only what cannot match."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store import roles
from mlcheck.store.labels import normalise, take_split
from mlcheck.store.vocabulary import Vocabulary, fragments


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\bgrads?[ _]norm\b", {"grad", "norm"}),
        (r"(?<!cross )entropy(?! coef)", {"entropy"}),
        (r"^(?P<group>pg\d+)$", {"pg"}),
        (r"[abc]{2}\d", set()),
        (r"^(?-i:RMSE|MAE)$", {"rmse", "mae"}),
        (r"\b(f1|r2|acc\d+|l1?)\b", {"f1", "r2", "acc"}),
    ],
)
def test_fragments(pattern: str, expected: set[str]) -> None:
    assert fragments(pattern) == expected


def test_pattern_without_letters_is_always_a_candidate() -> None:
    assert list(Vocabulary([r"^\d+$", "loss"]).candidates("12")) == [0]


WORDS = sorted({word for pattern in roles._table().scalars for word in fragments(pattern.conditions[-1][1].pattern)})
PIECES = st.one_of(st.sampled_from(WORDS), st.sampled_from([*"abdgqvz0129", "train", "val", "s", "lr0", "l1"]))
NAMES = st.lists(st.tuples(PIECES, st.sampled_from([" ", "/", "_", "-", "."])), min_size=1, max_size=4).map(
    lambda pairs: "".join(word + separator for word, separator in pairs).rstrip(" /_-.")
)


@settings(max_examples=400, deadline=None)
@given(NAMES)
def test_index_leaves_out_only_what_cannot_match(tag: str) -> None:
    core = take_split(normalise(tag))
    subjects = {"tag": tag, "name": core.name, "core": core.core, "part": ""}
    matching = [pattern for pattern in roles._table().scalars if roles._match(pattern, subjects)]
    candidates = [id(pattern) for pattern in roles._candidates("scalar", core.name, tag)]
    assert [pattern.role for pattern in matching if id(pattern) not in candidates] == []


def test_known_tags_get_the_same_role_with_and_without_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(__file__).parent
    cases = here.joinpath("roles_cases.tsv").read_text(encoding="utf-8").splitlines()
    tags = {line.split("\t")[0] for line in cases}
    writers = tomllib.loads(here.joinpath("writers.toml").read_text(encoding="utf-8"))["writer"]
    tags |= {name.rpartition("|")[2] for one in writers for name in [*one.get("roles", {}), *one.get("tags", [])]}
    indexed = {tag: roles._assign.__wrapped__(tag, "", "scalar") for tag in tags}
    monkeypatch.setattr(roles, "_candidates", lambda *_: roles._table().scalars)
    assert {tag: roles._assign.__wrapped__(tag, "", "scalar") for tag in tags} == indexed


def test_every_alternative_needs_letters() -> None:
    """But for the few patterns that have none at all: those are tried on each tag."""
    always = [one for one in roles._table().scalars if not fragments(one.conditions[-1][1].pattern)]
    assert len(always) <= 3
    for pattern in roles._table().scalars:
        if pattern in always:
            continue
        source = pattern.conditions[-1][1].pattern
        depth, start, ends = 0, 0, []
        for i, char in enumerate(re.sub(r"\\.", "..", source)):
            depth += {"(": 1, ")": -1}.get(char, 0)
            if char == "|" and depth == 0:
                ends.append(i)
        for end in [*ends, len(source)]:
            assert fragments(source[start:end]), source[start:end]
            start = end + 1
