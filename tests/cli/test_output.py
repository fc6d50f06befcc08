"""Where documents go."""

from pathlib import Path

import pytest

from mlcheck.cli.output import parse_outputs
from mlcheck.errors import UsageError


def test_a_path_or_none_or_a_dash_for_standard_output(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert parse_outputs([f"json={path}", "markdown=-"]) == [("json", path), ("markdown", None)]
    assert parse_outputs(["json"]) == [("json", None)]


@pytest.mark.parametrize("texts", [("json=-", "markdown=-"), ("json", "markdown=-")])
def test_one_document_fits_on_standard_output(texts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="only one document"):
        parse_outputs(texts)


def test_a_separator_wants_a_path() -> None:
    with pytest.raises(UsageError, match="no path after"):
        parse_outputs(["json="])
