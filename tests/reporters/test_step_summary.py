import pytest

from mlcheck.report import Note, Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.registry import get
from mlcheck.reporters.step_summary import MOST_BYTES
from tests.reporters.example import RULES, failing, finding, run


def test_it_is_the_markdown_report_without_the_marker_of_a_comment() -> None:
    summary = get("step-summary").render(failing(), Options())
    markdown = get("markdown").render(failing(), Options(max_chars=900_000))
    assert markdown.endswith(summary)
    assert not summary.startswith(("<!--", "\n"))


def _large(count: int, text: str) -> Report:
    findings = tuple(
        finding(f"X{i:04d}", "loss-divergence", "r", message=text * 100, advice=text * 100, fingerprint=str(i))
        for i in range(count)
    )
    return Report("0", (run("r"),), (), findings, (), RULES, notes=tuple(Note("x", text * 50) for _ in range(30)))


@pytest.mark.parametrize("text", ["a|", "日本", "🙂", "@<"])
def test_it_is_under_the_limit_of_github_in_bytes(text: str) -> None:
    written = get("step-summary").render(_large(1_500, text), Options())
    size = len(written.encode("utf-8"))
    assert size <= MOST_BYTES < 1_000_000
    assert size > MOST_BYTES / 2, "the room is used"
    assert "left out" in written


def test_the_limit_of_a_comment_does_not_count() -> None:
    assert len(get("step-summary").render(_large(300, "a"), Options(max_chars=2_000))) > 60_000
