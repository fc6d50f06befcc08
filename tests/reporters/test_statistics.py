"""Captions say in words what rules name by the language's names of statistics."""

import pytest

from mlcheck.reporters.statistics import in_words, title_in_words
from mlcheck.reporters.wording import evidence_caption
from mlcheck.store.tensors.keys import PLAIN
from tests.reporters.example import curve


def test_every_statistic_of_tensors_has_words() -> None:
    for name in PLAIN - {"hash"}:
        assert "_" not in in_words(name)
        assert in_words(name) not in ("l2", "std", "inf", "nan", "nonfinite"), name


@pytest.mark.parametrize(
    ("statistic", "words"),
    [
        ("abs_mean", "mean magnitude"),
        ("nonfinite_share", "share of NaN and infinities"),
        ("quantile(0.95)", "95 % quantile"),
        ("quantile(0.5)", "median"),
        ("update_ratio(1e-9)", "update relative to the weight"),
        ("worst_row", "worst row"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
    ],
)
def test_words(statistic: str, words: str) -> None:
    assert in_words(statistic) == words


def test_captions_and_titles() -> None:
    caption = evidence_caption(curve("gradients/fc1", "gradient", [1.0, 2.0], "abs_mean"))
    assert caption.startswith("mean magnitude of gradients/fc1")
    assert title_in_words("abs_mean of gradients", "abs_mean") == "mean magnitude of gradients"
    assert title_in_words("train/loss", "value") == "train/loss"
