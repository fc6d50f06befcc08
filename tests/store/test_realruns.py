"""What is known of real runs (EXPECTED.tsv beside them) comes out of the store."""

from pathlib import Path

import pytest

from mlcheck.importers.tensorboard import TensorBoardImporter
from mlcheck.store.build import build_run
from mlcheck.store.roles import known_roles
from mlcheck.store.series import Run

ROOT = Path(__file__).parents[3] / "shared" / "realruns"

pytestmark = [
    pytest.mark.realruns,
    pytest.mark.skipif(not ROOT.is_dir(), reason="the shared runs are not on this machine"),
]


def run_at(directory: str) -> Run:
    """The run whose files lie in a directory or below it."""
    base = ROOT / directory
    files = sorted(path for path in base.rglob("*tfevents*") if path.is_file())
    assert files
    parts = [(path.parent.relative_to(base).as_posix(), TensorBoardImporter().read(path, path.name)) for path in files]
    return build_run(base.name, directory, [("" if part == "." else part, file) for part, file in parts])


@pytest.mark.parametrize(
    ("directory", "steps", "overlaps"),
    [
        # Five processes start at step 1501; four of them repeat it.
        ("AlessioQuercia__Regression_Analysis_NN/model_dir", [1501] * 4, [1] * 4),
        ("Kirschberg32__TensorFlow_22-23/Homework11/logs/run2_HP_100epochs", [91], [9]),
        ("liuhengyue__SJNR/logs/train", [46000], [1]),
        # 210 values over steps 0 to 199.
        ("janosh__tensorboard-reducer/tests/runs/duplicate_steps/run_1", [90], [10]),
    ],
)
def test_restarts(directory: str, steps: list[int], overlaps: list[int]) -> None:
    events = next(one for one in run_at(directory).series if one.role == "restart")
    restarted = events.columns["overlap"] > 0
    assert events.steps[restarted].tolist() == steps
    assert events.columns["overlap"][restarted].tolist() == overlaps


def test_loss_jumps_where_the_optimizer_state_was_lost() -> None:
    run = run_at("Kirschberg32__TensorFlow_22-23/Homework11/logs/run2_HP_100epochs")
    assert next(one for one in run.series if one.role == "restart").columns["jump"][0] > 1.2


def test_two_series_under_one_tag() -> None:
    run = run_at("Kirschberg32__TensorFlow_22-23/Homework09/logs/run2-500samplesize/20230123-202220")
    assert next(one for one in run.series if one.role == "restart").columns["duplicates"].tolist() == [10]
    assert not [one for one in run.series if "primary" in one.labels]


@pytest.mark.parametrize(
    ("directory", "regime", "primary"),
    [
        ("Mkamel104__Allennlp_4/output/log", "supervised", {"train/loss", "validation/loss"}),
        ("Wujieling0624__spibot_RL/logs/g1/Mar25_15-55-59_", "rl", set()),
        ("AP-IT-GH__jumper-assignment-vitterb/results/first_test/jumpAgent", "rl", set()),
        ("1644heihei__Kaggle_Predict_Customer_Churn/catboost_info", "tree", {"learn/Logloss", "test/Logloss"}),
        ("ryanwakabayashi__python-notebook-summarization/results/runs/May08_09-49-57_Scythe_desktop", "finetune", {"train/loss"}),
    ],
)  # fmt: skip
def test_regime_and_primary_loss(directory: str, regime: str, primary: set[str]) -> None:
    run = run_at(directory)
    assert run.regime.name == regime, run.regime.reason
    assert {one.name for one in run.series if one.labels.get("primary") == "true"} == primary


def test_every_tag_has_a_known_role() -> None:
    for path in ROOT.rglob("*tfevents*"):
        if path.is_file():
            run = build_run("run", "run", [("", TensorBoardImporter().read(path, path.name))])
            assert {one.role for one in run.series} <= set(known_roles())
