"""What all tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlcheck.engine import registry

RULE = """\
id: TST001
name: loss-too-high
category: test
status: {stable: "0.1"}
severity: warning
inputs:
  loss: {role: loss, split: train}
params:
  top: {default: 2, min: 0, max: 10, help: "The most that is fine."}
when: loss > top
for: 2 points
message: "{series} is {value:.3g}, above {limit:g}"
headline: "the loss is too high"
tests:
  - name: high
    given: {train/loss: "3x9"}
    expect: [{severity: warning, first: 0, last: 9, points: 10}]
  - name: low
    given: {train/loss: "1x9"}
    expect: passed
"""


@pytest.fixture
def rule_text() -> str:
    """A small rule that loads."""
    return RULE


@pytest.fixture(scope="session")
def kept_rules(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The built-in rules as the first command keeps them in its cache: reading them from YAML takes longer than most tests."""
    cache = tmp_path_factory.mktemp("rules")
    registry.load(kept=cache)
    return list(cache.iterdir())


@pytest.fixture(autouse=True)
def own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, kept_rules: list[Path]
) -> Iterator[Path]:
    """No test reads or writes the cache of the user who runs it.

    It goes with its test: six thousand caches of a megabyte filled the disk of a CI machine.
    """
    path = tmp_path_factory.mktemp("cache")
    for kept in kept_rules:
        # The cache replaces its files and never writes into them, so that the tests can share them.
        os.link(kept, path / kept.name)
    monkeypatch.setenv("MLCHECK_CACHE_DIR", str(path))
    yield path
    shutil.rmtree(path, ignore_errors=True)
