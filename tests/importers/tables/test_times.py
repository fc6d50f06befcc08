"""Which columns are wall times."""

import numpy as np

from tests.importers.tables.helpers import points, read


def test_a_column_called_time_is_a_wall_time_where_it_counts_from_the_epoch(tmp_path):
    rows = [f'{{"step": {step}, "time": {1.7e9 + 3 * step}, "loss": {1 / (step + 1)}}}' for step in range(10)]
    imported = read(tmp_path, "log.jsonl", "\n".join(rows))
    assert points(imported).keys() == {"loss"}
    (loss,) = imported.series
    assert np.diff(loss.wall_times).tolist() == [3.0] * 9


def test_and_a_quantity_where_it_does_not(tmp_path):
    rows = [f'{{"step": {step}, "time": {0.2 + 0.01 * (step % 3)}, "loss": {1 / (step + 1)}}}' for step in range(10)]
    assert points(read(tmp_path, "log.jsonl", "\n".join(rows))).keys() == {"loss", "time"}
