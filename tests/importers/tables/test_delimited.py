"""CSV and TSV: what is read, what is lost and what is said of it."""

import math
import tracemalloc
from pathlib import Path

import pytest

from mlcheck.importers.tables import lines
from tests.importers.tables.helpers import claimed, points, read

PLAIN = "epoch,loss,val_loss\n0,1.5,1.75\n1,1.25,1.5\n2,1.0,1.25\n"
EXPECTED = {"loss": [(0, 1.5), (1, 1.25), (2, 1.0)], "val_loss": [(0, 1.75), (1, 1.5), (2, 1.25)]}


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", ", "),
        PLAIN.rstrip("\n"),
        PLAIN.replace("epoch,loss,val_loss", '"epoch","loss","val_loss"'),
        "# a comment\n\n" + PLAIN,
        "# " + PLAIN,
        "A title without a table\n" + PLAIN,
        PLAIN.replace("0,1.5,1.75\n", "(#),(nats),(nats)\n0,1.5,1.75\n"),
        PLAIN.replace("0,1.5,1.75\n", "\n0,1.5,1.75,,\n\n"),
    ],
)
def test_the_same_table_however_it_is_written(tmp_path: Path, content: str | bytes) -> None:
    imported = read(tmp_path, "log.csv", content)
    assert points(imported) == EXPECTED
    assert {one.hints.axis for one in imported.series} == {"epoch"}
    assert claimed(tmp_path / "log.csv")


def test_a_plain_table_is_read_without_a_word(tmp_path: Path) -> None:
    status = read(tmp_path, "log.csv", PLAIN).status
    assert (status.status, status.records, status.reason, status.lost_bytes) == ("read", 3, None, 0)
    assert (status.format, status.bytes) == ("csv", len(PLAIN))


def test_empty_cells_were_not_logged_and_nan_was(tmp_path: Path) -> None:
    text = "step,loss,val_loss\n1,nan,\n2,inf,\n3,,0.5\n4,-Infinity, \n5,None,N/A\n"
    found = points(read(tmp_path, "log.csv", text))
    assert [step for step, _ in found["loss"]] == [1, 2, 4]
    assert math.isnan(found["loss"][0][1])
    assert [value for _, value in found["loss"][1:]] == [math.inf, -math.inf]
    assert found["val_loss"] == [(3, 0.5)]


def test_broken_rows_are_counted_with_line_offset_and_reason(tmp_path: Path) -> None:
    text = "step,loss,lr\n1,0.5,0.1\n2,0.4\n3,0.3,0.1,9\n4,0.2,0.1\n"
    imported = read(tmp_path, "log.csv", text)
    assert points(imported)["loss"] == [(1, 0.5), (4, 0.2)]
    status = imported.status
    assert status.status == "partial"
    assert "2 rows are lost, first at line 3: 2 cells under a header of 3" in (status.reason or "")
    assert status.offset == text.index("2,0.4")
    assert status.lost_bytes == len("2,0.4\n3,0.3,0.1,9\n")
    assert not status.tail_only


def test_the_offset_counts_bytes_not_characters(tmp_path: Path) -> None:
    content = "step,loss,note\n1,0.5,größe\n2,0.4\n3,0.3,x\n".encode()
    assert read(tmp_path, "log.csv", content).status.offset == content.index(b"2,0.4")


def test_a_cut_last_line_is_only_the_tail(tmp_path: Path) -> None:
    status = read(tmp_path, "log.csv", PLAIN + "3,0.").status
    assert (status.status, status.tail_only, status.records) == ("partial", True, 3)


@pytest.mark.parametrize(("last", "kept"), [("1.25e-", False), ("1.25", False), ("1.25e-05", True)])
def test_a_number_that_lost_its_end_is_no_number(tmp_path: Path, last: str, kept: bool) -> None:
    text = f"step,loss\n1,1.125e-05\n2,1.375e-05\n3,{last}"
    steps = [step for step, _ in points(read(tmp_path, "log.csv", text))["loss"]]
    assert steps == ([1, 2, 3] if kept else [1, 2])


def test_mixed_types_are_told_with_line_and_column(tmp_path: Path) -> None:
    imported = read(tmp_path, "log.csv", "step,loss\n1,0.5\n2,oops\n3,0.25\n")
    assert points(imported)["loss"] == [(1, 0.5), (3, 0.25)]
    assert imported.status.status == "partial"
    assert "line 3, column 'loss': 'oops'" in (imported.status.reason or "")


def test_numbers_as_printed_by_others(tmp_path: Path) -> None:
    text = "step;loss;acc\n1;0,5;50%\n2;\"tensor(0.25, device='cuda:0')\";62.5%\n"
    found = points(read(tmp_path, "log.csv", text))
    assert found == {"loss": [(1, 0.5), (2, 0.25)], "acc": [(1, 50.0), (2, 62.5)]}


def test_a_header_that_changes_in_the_middle(tmp_path: Path) -> None:
    text = "step,loss\n1,0.5\n2,0.4\nstep,val_loss,loss\n3,0.7,0.3\nstep,val_loss,loss\n4,0.6,0.2\n"
    imported = read(tmp_path, "metrics.csv", text)
    assert points(imported) == {"loss": [(1, 0.5), (2, 0.4), (3, 0.3), (4, 0.2)], "val_loss": [(3, 0.7), (4, 0.6)]}
    assert imported.status.status == "read"
    assert "line 4" in (imported.status.reason or "")


def test_a_header_of_the_same_width_with_other_names(tmp_path: Path) -> None:
    text = "step,loss\n1,0.5\nstep,val_loss\n2,0.7\n"
    assert points(read(tmp_path, "metrics.csv", text)) == {"loss": [(1, 0.5)], "val_loss": [(2, 0.7)]}


def test_two_header_lines_are_put_together(tmp_path: Path) -> None:
    text = "step,loss,loss\nstep,train,val\n1,0.5,0.75\n2,0.25,0.5\n"
    found = points(read(tmp_path, "metrics.csv", text))
    assert len(found) == 2
    assert sorted(pair[0][1] for pair in found.values()) == [0.5, 0.75]


def test_columns_of_one_name_stay_apart(tmp_path: Path) -> None:
    found = points(read(tmp_path, "metrics.csv", "step,loss,loss\n1,0.5,0.75\n2,0.25,0.5\n"))
    assert found == {"loss": [(1, 0.5), (2, 0.25)], "loss#2": [(1, 0.75), (2, 0.5)]}


def test_quoted_newlines_and_delimiters(tmp_path: Path) -> None:
    text = 'step,note,loss\n1,"two\nlines, and a ""quote""",0.5\n2,x,0.25\n'
    imported = read(tmp_path, "log.csv", text)
    assert points(imported)["loss"] == [(1, 0.5), (2, 0.25)]
    assert imported.status.status == "read"


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"{step},x,0.5\n" for step in range(3, 200))
    imported = read(tmp_path, "log.csv", "\n".join(["step,note,loss", "1,x,0.5", '2,"oops,0.5', rows]))
    assert len(points(imported)["loss"]) == 198
    assert "line 3: a quote is not closed" in (imported.status.reason or "")


def test_quoted_cells_over_the_border_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 37)
    text = "step,note,loss\n" + "".join(f'{step},"a\nb, {step}\nc",{step / 4}\n' for step in range(100))
    imported = read(tmp_path, "log.csv", text)
    assert points(imported)["loss"] == [(step, step / 4) for step in range(100)]
    assert imported.status.status == "read"


def test_ten_thousand_columns(tmp_path: Path) -> None:
    names = ",".join(f"loss_{number}" for number in range(10_000))
    rows = "".join(f"{step}," + ",".join([str(step)] * 10_000) + "\n" for step in range(3))
    imported = read(tmp_path, "metrics.csv", f"step,{names}\n{rows}")
    assert len(imported.series) == 10_000
    assert points(imported)["loss_9999"] == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_a_line_of_many_megabytes_is_passed_over_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1 << 20)
    path = tmp_path / "metrics.csv"
    with path.open("w") as file:
        file.write("step,loss\n1,0.5\n")
        for _ in range(64):
            file.write("x" * (1 << 20))
        file.write("\n2,0.25\n")
    content_size = path.stat().st_size
    tracemalloc.start()
    from mlcheck.importers.tables.importer import TableImporter

    imported = TableImporter().read(path, "metrics.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert points(imported)["loss"] == [(1, 0.5), (2, 0.25)]
    assert "line 3: longer than 1 MiB" in (imported.status.reason or "")
    assert imported.status.lost_bytes == content_size - len("step,loss\n1,0.5\n2,0.25\n")
    assert peak < 20 << 20


def test_the_word_that_names_the_split_of_a_row(tmp_path: Path) -> None:
    text = "epoch,phase,loss\n1,train,0.5\n1,val,0.75\n2,train,0.25\n2,val,0.5\n"
    imported = read(tmp_path, "log.csv", text)
    assert points(imported) == {"train/loss": [(1, 0.5), (2, 0.25)], "val/loss": [(1, 0.75), (2, 0.5)]}
    assert [one.hints.mode for one in imported.series] == ["train", "val"]


def test_wall_times_from_stamps_dates_and_seconds(tmp_path: Path) -> None:
    for column, values in (
        ("timestamp", ("1700000000", "1700000060")),
        ("timestamp", ("1700000000000", "1700000060000")),
        ("timestamp", ("2023-11-14T22:13:20", "2023-11-14T22:14:20+00:00")),
    ):
        imported = read(tmp_path, "log.csv", f"step,{column},loss\n1,{values[0]},0.5\n2,{values[1]},0.25\n")
        assert [one.tag for one in imported.series] == ["loss"]
        assert imported.series[0].wall_times.tolist() == [1.7e9, 1.7e9 + 60]
        assert imported.first_wall_time == 1.7e9


def test_the_step_that_moves_is_the_step(tmp_path: Path) -> None:
    text = "step,epoch,loss\n0,1,0.5\n0,2,0.4\n0,3,0.3\n"
    assert points(read(tmp_path, "log.csv", text))["loss"] == [(1, 0.5), (2, 0.4), (3, 0.3)]


def test_an_epoch_in_fractions_is_no_step(tmp_path: Path) -> None:
    text = "epoch,loss\n0.1,0.5\n0.2,0.4\n0.3,0.3\n"
    imported = read(tmp_path, "metrics.csv", text)
    assert points(imported)["loss"] == [(0, 0.5), (1, 0.4), (2, 0.3)]
    assert "rows are counted" in (imported.status.reason or "")
