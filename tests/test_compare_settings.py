"""What `mlcheck compare` can be told by options, in `[compare]` and in a dump's own metadata, and which of them holds."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from mlcheck import settings
from mlcheck.cli.effective import effective
from mlcheck.comparing.dumps import DumpOptions, compare_dumps
from mlcheck.comparing.settings import dump_options, field_of, run_settings
from mlcheck.errors import ConfigError, UsageError
from mlcheck.settings.compare import BY_KEY, COMPARE_KEYS, from_options
from mlcheck.settings.values import Number, Several, Whole
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.retrieval_settings import RetrievalSettings
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.runs import RunSettings
from mlcheck.updates.table import ReadSettings
from mlcheck.work import ScanOptions
from tests.test_cli import run

DEFAULTS: dict[str, Any] = {
    **vars(RunSettings()),
    **vars(RewriteSettings()),
    **vars(RetrievalSettings()),
    **vars(PredictionSettings()),
}
INSIDE = {"training_values", "vocabulary", "thresholds", "assumed_thresholds", "score_of", "task"}
"""Fields that are filled from settings of another name."""


def configured(tmp_path: Path, text: str) -> DumpOptions:
    path = tmp_path / "mlcheck.toml"
    path.write_text(text)
    return dump_options(settings.load(path).compare)


def scored(path: Path, scores: list[float], **metadata: str) -> str:
    """Ten examples of two classes, the last five of class 1, with a score of the positive class."""
    table = pa.table({"id": list(range(10)), "label": [0] * 5 + [1] * 5, "score": scores})
    parquet.write_table(table.replace_schema_metadata(metadata), path)
    return str(path)


def flips(paths: list[str], dumps: DumpOptions) -> dict[str, float | None]:
    report, _ = compare_dumps(paths, ScanOptions(), dumps)
    return {one.statistic: one.value for one in report.measurements if one.subject == "flips"}


def test_every_setting_of_dumps_and_runs_has_a_key() -> None:
    keys = {field_of(one.key) for one in COMPARE_KEYS}
    for kind in (PredictionSettings, RetrievalSettings, RewriteSettings, RunSettings, DumpOptions):
        own = {one.name for one in fields(kind)} - INSIDE - {"read", "predictions", "retrieval", "rewrites"}
        assert own <= keys, kind
    assert {one.name for one in fields(ReadSettings)} - {"told", "assumed"} <= keys


def test_help_tells_the_default_that_holds() -> None:
    for key in COMPARE_KEYS:
        known = DEFAULTS.get(field_of(key.key))
        if isinstance(known, bool):
            assert key.default == str(known).lower(), key.key
        elif isinstance(key.kind, Number | Whole) and known is not None:
            assert float(key.default) == known, key.key
        elif isinstance(key.kind, Several) and known:
            named = key.default.replace("U+2047", "\u2047").replace("U+FFFD", "\ufffd")
            assert named.split(", ") == list(known), key.key
        elif isinstance(known, str) and known and key.key != "placeholder":
            assert key.default.replace("-", " ") == known.replace("-", " "), key.key


def test_nothing_said_is_the_default() -> None:
    assert dump_options({}) == DumpOptions()
    assert run_settings({}) == RunSettings()


def test_a_table_of_a_file_reaches_what_measures(tmp_path: Path) -> None:
    found = configured(
        tmp_path,
        """
        [compare]
        columns = {example_id = "uid"}
        task = "binary"
        confidence = 0.9
        draws = 200
        min-slice = 5
        class-slices = false
        adjust = "bh"
        new-classes = "keep"
        ranges = {"rouge/score" = 10}
        lower-is-better = ["wer/score"]
        metrics = ["mAP@10", "recall@5"]
        shown-metrics = []
        gate-low = 0.1
        unknown-tokens = "<oov>"
        seeds = ["seeds/*.parquet"]
        vocabulary = "words.txt"
        """,
    )
    assert found.read == ReadSettings(columns={"example_id": "uid"}, task="labels")
    assert found.predictions == PredictionSettings(
        task="binary",
        confidence=0.9,
        draws=200,
        min_n=5,
        by_label=False,
        adjust="bh",
        new_classes="keep",
        ranges={"rouge/score": 10.0},
        lower_is_better=("wer/score",),
    )
    assert found.retrieval == RetrievalSettings(metrics=("mAP@10", "recall@5"), also=(), confidence=0.9, draws=200)
    assert found.rewrites == RewriteSettings(confidence=0.9, draws=200, gate_low=0.1, unknown_tokens=("<oov>",))
    # As with a baseline, paths are those beside the file.
    assert found.seeds == (str(tmp_path / "seeds/*.parquet"),)
    assert found.vocabulary == tmp_path / "words.txt"


def test_an_option_stands_above_the_file_and_joins_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "mlcheck.toml"
    path.write_text(
        '[compare]\nconfidence = 0.9\nslices = ["a", "b"]\ncolumns = {example_id = "uid", step = "epoch"}\n'
    )
    told = from_options(
        {"confidence": "0.99", "slices": ["c"], "columns": ["step=global"], "draws": None, "graded": []}
    )
    found = effective(path, compare=told).compare
    assert found["confidence"].value == 0.99
    assert found["slices"].value == ("c",)
    assert found["columns"].value == {"example_id": "uid", "step": "global"}
    assert "draws" not in found
    assert found["confidence"].origin == "--confidence"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("confidence = 95", "`compare.confidence` must be a number above 0 and below 1, not 95"),
        ("confidence = '0.9'", "`compare.confidence` must be a number above 0 and below 1, not '0.9'"),
        ("draws = 1.5", "`compare.draws` must be a whole number from 1 to 1,000,000, not 1.5"),
        ("draws = true", "`compare.draws` must be a whole number"),
        ("adjust = 'bonferroni'", "`compare.adjust` must be one of holm, bh, none, not 'bonferroni'"),
        ("mid-p = 1", "`compare.mid-p` must be true or false, not 1"),
        ("min_slice = 5", "unknown key `compare.min_slice`; did you mean compare.min-slice"),
        ("ranges = {rouge = 0}", "`compare.ranges` of 'rouge' must be a number above 0, not 0"),
        ("threshold = [0.1, 0.2, 0.3]", "`compare.threshold` must be one number, or two"),
        ("threshold = nan", "`compare.threshold` must be a number, not nan"),
        ("placeholder = '('", "`compare.placeholder` must be a regular expression; '(' is none"),
        ("columns = 3", "`compare.columns` must be a table, such as {example_id = uid}, not 3"),
        ("graded = 3", "`compare.graded` must be a list, not 3"),
    ],
)
def test_errors_name_the_file_the_key_and_the_value(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, f"[compare]\n{text}\n")
    assert f"{tmp_path / 'mlcheck.toml'}: {says}" in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metrics = ['recal@1']", "`compare.metrics`: no metric 'recal@1'"),
        ("gate-low = 0.97", "`compare.gate-low`: gate-low (0.97) must be below gate-high (0.95)"),
        ("confident-gap = 0.05", "`compare.confident-gap`: boundary-gap (0.1) must be below confident-gap (0.05)"),
    ],
)
def test_values_that_mean_nothing_together_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        configured(tmp_path, f"[compare]\n{text}\n")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"confidence": "95"}, "--confidence must be a number above 0 and below 1, not 95"),
        ({"draws": "many"}, "--draws must be a whole number from 1 to 1,000,000, not 'many'"),
        ({"ranges": ["rouge"]}, "--range must be written NAME=VALUE, such as rouge=1, not 'rouge'"),
        ({"threshold": "0.1,0.2,0.3"}, "--threshold must be one number, or two"),
        ({"align": "hour"}, "--align must be one of step, epoch, time, not 'hour'"),
    ],
)
def test_errors_of_options_name_the_option_and_the_value(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r"^--") as error:
        from_options(given)
    assert says in str(error.value)


# Five of class 0 score from 0.1 to 0.5, five of class 1 from 0.6 to 1.0: at a threshold of 0.55 all is right; the new model scores all
# 0.2 lower, so that at 0.55 those of 0.4 and 0.5 flip from right to wrong, and at 0.35 none.
OLD = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
NEW = [round(one - 0.2, 1) if one > 0.2 else 0.0 for one in OLD]


@pytest.mark.parametrize(
    ("stated", "config", "option", "flipped"),
    [
        ("", "threshold = 0.55", "", 2),
        ("", "threshold = [0.55, 0.35]", "", 0),
        ("0.55", "threshold = [0.55, 0.35]", "", 2),
        ("0.55", "", "0.55,0.35", 0),
        ("0.35", "threshold = 0.35", "0.55", 2),
    ],
)
def test_an_option_stands_above_the_dump_and_the_dump_above_a_file(
    tmp_path: Path, stated: str, config: str, option: str, flipped: int
) -> None:
    paths = [
        scored(tmp_path / "old.parquet", OLD, **({"threshold": "0.55"} if stated else {})),
        scored(tmp_path / "new.parquet", NEW, **({"threshold": stated} if stated else {})),
    ]
    path = tmp_path / "mlcheck.toml"
    path.write_text(f"[compare]\n{config}\n")
    told = from_options({"threshold": option or None, "class-slices": False, "draws": "50"})
    found = flips(paths, dump_options(effective(path, compare=told).compare))
    assert found["negative_flips"] == flipped


def test_score_of_by_a_file_holds_for_dumps_that_do_not_say_it(tmp_path: Path) -> None:
    silent = [scored(tmp_path / f"{name}.parquet", OLD) for name in ("old", "new")]
    with pytest.raises(UsageError):
        flips(silent, DumpOptions())
    found = flips(silent, configured(tmp_path, '[compare]\nscore-of = "positive"\n'))
    # 0.5 is where none is stated: the one of class 0 with 0.5 is taken for class 1 by both.
    assert found["examples"] == 10
    assert found["negative_flips"] == 0
    assert found["error_rate_old"] == pytest.approx(0.1)


def test_the_command_takes_options_files_and_isolated(tmp_path: Path) -> None:
    old, new = scored(tmp_path / "old.parquet", OLD), scored(tmp_path / "new.parquet", NEW)
    (tmp_path / "mlcheck.toml").write_text("[compare]\nthreshold = 0.55\nmin-slice = 2\ndraws = 50\n")
    result = run("compare", old, new, "-o", "json", "--fail-on", "never", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    measured = {(one["subject"], one["statistic"]): one for one in json.loads(result.stdout)["measurements"]}
    assert measured["flips", "negative_flips"]["value"] == 2
    assert ("flips/label=1", "negative_flips") in measured
    isolated = run("compare", old, new, "--isolated", cwd=tmp_path)
    assert isolated.returncode == 2
    assert "neither" in isolated.stderr or "nothing" in isolated.stderr
    both = run("compare", old, new, "--isolated", "--config", "mlcheck.toml", cwd=tmp_path)
    assert both.returncode == 2
    assert "give one of them" in both.stderr
    wrong = run("compare", old, new, "--confidence", "95", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--confidence must be a number above 0 and below 1, not 95" in wrong.stderr


def test_config_shows_what_holds_and_where_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mlcheck.compare]\nconfidence = 0.9\nmid-p = true\n")
    lines = {
        line.split()[0]: line.split()[1:] for line in run("config", cwd=tmp_path).stdout.splitlines() if line.strip()
    }
    assert lines["compare.confidence"] == ["0.9", str(tmp_path / "pyproject.toml")]
    assert lines["compare.mid-p"][0] == "true"
    assert lines["compare.draws"] == ["1000", "default"]
    isolated = run("config", "--isolated", cwd=tmp_path).stdout
    assert "pyproject.toml" not in isolated


def test_help_groups_the_options(tmp_path: Path) -> None:
    text = run("compare", "--help", cwd=tmp_path).stdout
    places = [
        text.index(f"\n{name}:")
        for name in ("Options", "Runs", "Reading dumps", "Dumps of predictions", "Dumps of texts")
    ]
    assert places == sorted(places)
    for key in BY_KEY.values():
        assert key.option in text
