"""What a finding is said to be about."""

from pathlib import Path

from mlcheck import api
from mlcheck.reporters.wording import subject


def test_the_group_of_a_witness_is_not_where_the_fault_is(tmp_path: Path) -> None:
    rows = "".join(f"{step},{2.3 + 0.01 * (step % 3)},0.001\n" for step in range(60))
    (tmp_path / "metrics.csv").write_text(f"step,train/loss,lr-Adam\n{rows}")
    (found,) = [one for one in api.scan([tmp_path]).findings if one.name == "loss-not-decreasing"]
    assert found.labels["group"] == "Adam"
    assert subject(found) == "train/loss"
