"""Judging in threads gives what judging in one gives."""

import threading
import time

import numpy as np
import pytest

from mlcheck.engine import run as judging
from mlcheck.engine.loader import load_text
from mlcheck.engine.rank import Causes
from mlcheck.engine.select import Selected
from mlcheck.native.threads import in_threads
from mlcheck.report import SourceStatus
from mlcheck.store.build import build_run
from mlcheck.store.series import Imported, RawSeries, Run


def test_results_are_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert in_threads(slow_first, range(20), 4) == [item * item for item in range(20)]
    assert in_threads(slow_first, [], 4) == []


def test_several_threads_work_and_one_stays_in_its_own() -> None:
    barrier = threading.Barrier(3, timeout=10)
    in_threads(lambda _: barrier.wait(), range(3), 3)
    assert in_threads(lambda _: threading.current_thread(), range(2), 1) == [threading.current_thread()] * 2


def test_what_the_first_item_raises_is_raised() -> None:
    def fail(item: int) -> int:
        raise KeyError(item)

    with pytest.raises(KeyError):
        in_threads(fail, range(5), 2)


RULE = """
id: TST{number}
name: test-rule-{number}
category: test
status: {{preview: "0.1"}}
severity: error
inputs: {{x: {{role: loss}}, other: {{role: grad_norm, optional: true}}}}
when: rolling_median(x, {window}) > {limit} or other > 1e9
message: "{{series}} rose to {{value:.3g}}"
tests:
  - {{name: fires, given: {{loss: "1 5"}}, expect: [{{first: 1}}]}}
  - {{name: is quiet, given: {{loss: "1 1"}}, expect: []}}
"""


def _run() -> Run:
    rng = np.random.default_rng(3)
    rows = np.arange(3000, dtype=np.int64)
    series = tuple(
        RawSeries(
            name, "scalar", rows[::every], 1.7e9 + rows[::every], {"value": rng.standard_normal(len(rows[::every]))}
        )
        for name, every in (("train/loss", 1), ("val/loss", 7), ("grad_norm", 2))
    )
    return build_run("r", "r", [("", Imported(SourceStatus("f", "table", "read"), series))])


def test_verdicts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [RULE.format(number=100 + at, window=1 + at, limit=0.1 * at) for at in range(12)]
    selected = [Selected(rule, rule.defaults(), None) for rule in map(load_text, texts)]
    alone = judging.judge_run(_run(), selected, Causes({}))
    monkeypatch.setattr(judging, "THREADED_POINTS", 1)
    for _ in range(3):
        assert judging.judge_run(_run(), selected, Causes({}), threads=2) == alone
    assert alone.findings
