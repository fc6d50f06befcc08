"""Two re-runs share a lane; two experiments, seeds or settings do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcheck.store.lane import lane


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("exp1x", "exp1x"),
        ("lightning_logs/version_7", "lightning_logs/version"),
        ("runs/exp12", "runs/exp"),
        ("runs/exp", "runs/exp"),
        ("runs/detect/train2", "runs/detect/train"),
        ("runs/detect/train", "runs/detect/train"),
        ("DQN_2", "DQN"),
        ("runs/Apr29_09-30-18_host", "runs"),
        ("results/runs/Apr30_13-34-30_Scythe_desktop", "results/runs"),
        ("runs/Jan05_10-00-00_nodeLR_0.1_BATCH_16", "runs/LR_0.1_BATCH_16"),
        ("logs/g1/Mar25_15-55-59_", "logs/g1"),
        ("1744227257.b-3-167.5388.0", "."),
        ("runs/Apr29_09-30-18_host/1714401019.4182403", "runs"),
        ("events.out.tfevents.1714401019.host.29168.0", "."),
        ("logs_2021-05-31/cyclic_1e5/DQN/seed_1/DQN_2", "logs/cyclic_1e5/DQN/seed_1/DQN"),
        ("buffer_size=1000/seed_1/DQN_1", "buffer_size=1000/seed_1/DQN"),
        ("Homework09/logs/run2-500samplesize/20230123-202220", "Homework09/logs/run-500samplesize"),
        ("outputs/2023-01-01/12-34-56", "outputs"),
        ("wandb/run-20230101_120000-3xg7k2ab", "wandb/run"),
        ("CartPole-v1__dqn__1__1640995200", "CartPole-v1__dqn__1"),
        ("mlruns/b1946ac92492d2347c6235b4d2611184", "mlruns"),
        ("ray/PPO_a1b2c_00003_3_lr=0.01", "ray/PPO_lr=0.01"),
        ("SGD_Momentum-0.9", "SGD_Momentum-0.9"),
        ("Voc-10000_Epoch-15/20230206-141614", "Voc-10000_Epoch-15"),
        ("sweep/seed/3", "sweep/seed/3"),
        ("sacred/12", "sacred"),
        ("fold3", "fold3"),
        ("my_ssd_mobnet/", "my_ssd_mobnet"),
        (".", "."),
        ("", "."),
    ],
)
def test_lane(path: str, expected: str) -> None:
    assert lane(path) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("runs/May08_19-37-39_Scythe_desktop", "runs/May09_14-58-14_other-host"),
        ("lightning_logs/version_594", "lightning_logs/version_600"),
        ("a/20230123-194043/train", "a/20230123-194215/train"),
        ("x/trial_1", "x/trial_20"),
        ("train/1714401019.4182403", "train/1714401020.1"),
    ],
)
def test_a_rerun_keeps_its_lane(one: str, other: str) -> None:
    assert lane(one) == lane(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("seed_1/DQN_1", "seed_2/DQN_1"),
        ("lr=0.1", "lr=0.01"),
        ("buffer_size=1000", "buffer_size=10000"),
        ("Homework07/logs/run1", "Homework08/logs/run1"),
        ("run1_HP_10epochs", "run2_HP_100epochs"),
        ("SUB_1/Adam", "SUB_2/Adam"),
        ("fold1", "fold2"),
        ("resnet18", "resnet50"),
    ],
)
def test_another_experiment_has_another_lane(one: str, other: str) -> None:
    assert lane(one) != lane(other)


@given(st.text(max_size=80))
def test_any_path_has_a_lane(path: str) -> None:
    assert lane(path)
