"""What a comparison measured: values as rows, and each reason for a missing one said once."""

from dataclasses import replace

from mlcheck.report import Measurement
from mlcheck.reporters import registry
from mlcheck.reporters.base import Options
from mlcheck.reporters.measured import measured, undefined
from tests.reporters.example import failing

WHY = "the spaces have 8 and 12 dimensions"
MEASUREMENTS = (
    Measurement("retrieval/recall@1", "new_self_test", 0.97, base=0.87, headline=True),
    Measurement("retrieval/recall@1", "cross_test", None, note=WHY, headline=True),
    Measurement("retrieval/recall@1", "difference", None, note=WHY, headline=True),
    Measurement("retrieval/recall@5", "new_self_test", 0.99, headline=True),
    Measurement("retrieval/recall@5", "cross_test", None, note=WHY, headline=True),
    Measurement("retrieval/recall@5", "difference", None, note=WHY, headline=True),
    Measurement("pairs", "same_no_farther", None, note=WHY, headline=True),
    Measurement("drift", "hidden", None, note="nobody asked"),
)
REPORT = replace(failing(), measurements=MEASUREMENTS)


def test_each_reason_is_said_once_with_what_it_is_of() -> None:
    assert undefined(REPORT) == [
        f"cross test, difference of retrieval/recall@1, recall@5: {WHY}",
        f"same no farther of pairs: {WHY}",
    ]
    assert undefined(REPORT, everything=True)[-1] == "hidden of drift: nobody asked"
    assert [(row.subject, row.statistic, row.value, row.base) for row in measured(REPORT)] == [
        ("retrieval/recall@1", "new self test", "0.97", "was 0.87"),
        ("retrieval/recall@5", "new self test", "0.99", ""),
    ]


def test_tables_and_pages_show_them() -> None:
    for name in ("terminal", "markdown", "html"):
        text = " ".join(
            registry.get(name).render(REPORT, Options()).replace("\u200b", "").replace("&#8203;", "").split()
        )
        assert text.count("cross test, difference of retrieval/recall@1, recall@5") == 1, name
        assert "Undefined" in text, name
