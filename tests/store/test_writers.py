"""What popular writers log by default gets the right regime, roles and primary losses (writers.toml)."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.series import Fact, Run
from tests.store.builders import imported, raw

WRITERS = tomllib.loads(Path(__file__).with_name("writers.toml").read_text(encoding="utf-8"))["writer"]


def run_of(writer: Mapping[str, Any]) -> Run:
    """A run of a hundred points in each series; the first file states the settings."""
    by_part: dict[str, list[str]] = {}
    for name in dict.fromkeys([*writer.get("roles", {}), *writer.get("tags", [])]):
        part, _, tag = name.rpartition("|")
        by_part.setdefault(part, []).append(tag)
    stated = [
        Fact(key, float(value) if type(value) is int else value, "settings")
        for key, value in writer.get("facts", {}).items()
    ]
    return build_run(
        "run",
        "run",
        [
            (part, imported(*(raw(tag, range(100)) for tag in tags), path=part or "events", facts=stated))
            for part, tags in by_part.items()
        ],
    )


@pytest.mark.parametrize("writer", WRITERS, ids=[one["name"] for one in WRITERS])
def test_regime(writer: dict[str, Any]) -> None:
    found = run_of(writer).regime
    assert found.name == writer["regime"], found.reason


@pytest.mark.parametrize("writer", WRITERS, ids=[one["name"] for one in WRITERS])
def test_roles(writer: dict[str, Any]) -> None:
    found = {one.name: one for one in run_of(writer).series}
    wrong = {
        name: (found[name.replace("|", "/")].role, found[name.replace("|", "/")].reason)
        for name, role in writer["roles"].items()
        if found[name.replace("|", "/")].role != role
    }
    assert wrong == {}


@pytest.mark.parametrize("writer", [one for one in WRITERS if "primary" in one], ids=lambda one: one["name"])
def test_primary(writer: dict[str, Any]) -> None:
    found = {one.name for one in run_of(writer).series if one.labels.get("primary") == "true"}
    assert found == {name.replace("|", "/") for name in writer["primary"]}
