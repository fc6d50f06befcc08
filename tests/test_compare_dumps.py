"""Dumps of two models, as a CI job holds them against each other (issue 8 items 2 to 6)."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from mlcheck import api
from mlcheck.comparing.dumps import DumpOptions
from mlcheck.errors import UsageError
from mlcheck.report import Report
from mlcheck.updates.base import ComparisonError
from mlcheck.work import ScanOptions
from tests.test_cli import run

ROWS = 2000
LABELS = np.random.default_rng(0).integers(0, 5, ROWS)


def write(path: Path, **columns: object) -> Path:
    parquet.write_table(pa.table({"id": [f"e{row}" for row in range(ROWS)], "label": LABELS, **columns}), path)
    return path


def predictions(wrong: "np.ndarray") -> "np.ndarray":
    return np.where(wrong, (LABELS + 1) % 5, LABELS)


def at_random(share: float, seed: int) -> "np.ndarray":
    return np.random.default_rng(seed).random(ROWS) < share


def compare(*paths: Path, dumps: DumpOptions | None = None, **options) -> Report:
    return api.compare([str(path) for path in paths], ScanOptions(**options), dumps=dumps)


def outcomes(report: Report) -> dict[str, str]:
    return {one.rule: one.outcome for one in report.outcomes}


def test_an_update_that_changes_nothing_passes(tmp_path: Path) -> None:
    wrong = at_random(0.2, 1)
    old, new = (write(tmp_path / f"{name}.parquet", prediction=predictions(wrong)) for name in ("old", "new"))
    report = compare(old, new)
    assert not report.findings
    assert outcomes(report)["UPD003"] == "passed"
    measured = {(one.subject, one.statistic): one for one in report.measurements}
    assert measured["flips", "negative_flips"].value == 0


def test_an_accuracy_that_fell_fails_with_the_counts(tmp_path: Path) -> None:
    wrong = at_random(0.1, 1)
    old = write(tmp_path / "old.parquet", prediction=predictions(wrong))
    new = write(tmp_path / "new.parquet", prediction=predictions(wrong | at_random(0.1, 2)))
    result = run("compare", old, new, "-o", f"json={tmp_path / 'report.json'}", cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    data = json.loads((tmp_path / "report.json").read_text())
    (drop,) = [one for one in data["findings"] if one["rule"] == "UPD003"]
    flipped = int((~wrong & at_random(0.1, 2)).sum())
    assert drop["severity"] == "error"
    assert f"({flipped} flipped from right to wrong" in drop["message"]
    assert drop["value"] == pytest.approx(flipped / ROWS, rel=1e-6)


def test_a_limit_is_the_users_word(tmp_path: Path) -> None:
    old = write(tmp_path / "old.parquet", prediction=predictions(at_random(0.2, 1)))
    new = write(tmp_path / "new.parquet", prediction=predictions(at_random(0.2, 2)))
    assert run("compare", old, new, "--select", "UPD001", cwd=tmp_path).returncode == 0
    failing = run("compare", old, new, "--select", "UPD001", "--set", "UPD001.max_rate=0.01", cwd=tmp_path)
    assert failing.returncode == 1, failing.stdout


def test_a_seed_floor_says_what_retraining_alone_does(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.parquet", prediction=predictions(at_random(0.3, n))) for n in range(5)]
    floored = compare(*paths[:2], dumps=DumpOptions(seeds=[str(tmp_path / "[234].parquet")]))
    (found,) = [one for one in floored.measurements if one.statistic == "relative_to_seed_floor" and one.value]
    assert found.value == pytest.approx(1, abs=0.2), "errors as independent as those of the seeds"
    assert not [one for one in floored.findings if one.rule == "UPD002" and one.severity == "error"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"prediction": np.full(ROWS, 1), "score": np.where(np.arange(ROWS) == 7, np.nan, 0.5)}, r"1 .*e7"),
        ({"prediction": np.full(ROWS, 1), "id": ["same"] * ROWS}, r"1,999|2,000"),
        ({"prediction": np.full(ROWS, 1), "id": [f"other{row}" for row in range(ROWS)]}, "no example|share|joined"),
        ({"prediction": np.full(ROWS, 1), "label": (LABELS + 1) % 5}, "label"),
    ],
    ids=["nan score", "duplicate key", "disjoint ids", "changed labels"],
)
def test_what_cannot_be_compared_is_exit_2_with_the_first_offenders(tmp_path: Path, columns, says: str) -> None:
    old = write(tmp_path / "old.parquet", prediction=predictions(at_random(0.2, 1)))
    table = {"id": [f"e{row}" for row in range(ROWS)], "label": LABELS, **columns}
    parquet.write_table(pa.table(table), tmp_path / "new.parquet")
    with pytest.raises(ComparisonError, match=says):
        compare(old, tmp_path / "new.parquet")
    assert run("compare", "old.parquet", "new.parquet", cwd=tmp_path).returncode == 2


def test_little_overlap_is_a_warning_and_less_than_half_an_error(tmp_path: Path) -> None:
    old = write(tmp_path / "old.parquet", prediction=predictions(at_random(0.2, 1)))
    for name, kept in (("most", 0.9), ("few", 0.4)):
        whole = parquet.read_table(old)
        parquet.write_table(whole.slice(0, int(ROWS * kept)), tmp_path / f"{name}.parquet")
    severity = {
        name: [str(one.severity) for one in compare(old, tmp_path / f"{name}.parquet").findings if one.rule == "UPD009"]
        for name in ("most", "few")
    }
    assert severity == {"most": ["warning"], "few": ["error"]}


def test_rules_of_other_dumps_are_not_counted(tmp_path: Path) -> None:
    old, new = (write(tmp_path / f"{name}.parquet", prediction=LABELS) for name in ("old", "new"))
    assert {rule[:3] for rule in outcomes(compare(old, new))} == {"UPD"}


def test_a_rule_that_is_required_and_cannot_be_judged_is_exit_2(tmp_path: Path) -> None:
    write(tmp_path / "old.parquet", prediction=LABELS)
    write(tmp_path / "new.parquet", prediction=LABELS)
    assert run("compare", "old.parquet", "new.parquet", "--require", "EMB001", cwd=tmp_path).returncode == 2


def embedded(path: Path, vectors: "np.ndarray") -> Path:
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), vectors.shape[1])
    return write(path, embedding=values)


def test_a_rotated_space_cannot_search_the_old_gallery(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(5, 16))[LABELS] * 2 + random.normal(size=(ROWS, 16))
    turn = np.linalg.qr(random.normal(size=(16, 16)))[0]
    old = embedded(tmp_path / "old.parquet", vectors)
    same = compare(old, embedded(tmp_path / "same.parquet", vectors))
    assert {str(one.severity) for one in same.findings} <= {"info"}, (
        "as good as before, and the criterion asks for better"
    )
    turned = compare(old, embedded(tmp_path / "turned.parquet", vectors @ turn))
    assert [str(one.severity) for one in turned.findings if one.rule == "EMB001"] == ["error"]
    wider = compare(old, embedded(tmp_path / "wider.parquet", np.hstack([vectors, vectors])))
    assert [str(one.severity) for one in wider.findings if one.rule == "EMB008"] == ["error"], "never a score of 0"
    assert outcomes(wider)["EMB001"] == "skipped"


def test_a_dump_of_texts_is_judged_alone(tmp_path: Path) -> None:
    rows = [
        {"id": str(row), "source": ["where is a cafe"], "reference": "where is a cafe", "hypothesis": "where is <unk>"}
        for row in range(40)
    ]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = compare(tmp_path / "new.jsonl")
    assert "RWR007" in {one.rule for one in report.findings}, "unknown tokens in the output"


def test_a_run_and_a_dump_are_not_compared(tmp_path: Path) -> None:
    write(tmp_path / "old.parquet", prediction=LABELS)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_text("step,loss\n0,1\n1,0.5\n")
    with pytest.raises(UsageError, match="two of a kind"):
        compare(tmp_path / "old.parquet", tmp_path / "run")


def test_every_format_says_it(tmp_path: Path) -> None:
    wrong = at_random(0.1, 1)
    write(tmp_path / "old.parquet", prediction=predictions(wrong))
    write(tmp_path / "new.parquet", prediction=predictions(wrong | at_random(0.2, 2)))
    formats = ("markdown", "sarif", "junit", "github", "gitlab", "jsonl", "csv", "html")
    options = [word for name in formats for word in ("-o", f"{name}={name}.out")]
    assert run("compare", "old.parquet", "new.parquet", *options, cwd=tmp_path).returncode == 1
    for name in formats:
        assert "accuracy-drop" in (tmp_path / f"{name}.out").read_text(), name
    for name in ("markdown", "html"):
        assert "negative flips" in (tmp_path / f"{name}.out").read_text(), name
