"""Run facts are drawn from what files state, never guessed."""

from pathlib import Path

import pytest

from mlcheck.store.build import build_run
from mlcheck.store.facts import facts_from_yaml, run_facts
from mlcheck.store.series import Fact
from tests.store.builders import imported, raw


def facts(**stated: str | float | bool) -> dict[str, str | float | bool]:
    return run_facts([Fact(key, value, "args/text_summary") for key, value in stated.items()], [])


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"max_steps": 500.0}, {"planned_steps": 500.0}),
        ({"max_steps": -1.0, "num_train_epochs": 3.0}, {"planned_epochs": 3.0}),
        ({"learning_rate": "3e-4"}, {"learning_rate": 3e-4}),
        ({"learning-rate": 0.1}, {"learning_rate": 0.1}),
        ({"optimizer/lr": 0.1}, {"learning_rate": 0.1}),
        ({"generator/lr": 0.1, "discriminator/lr": 0.2}, {}),
        ({"lr": 0.1, "learning_rate": 0.1}, {"learning_rate": 0.1}),
        ({"eval/batch_size": 8.0, "train/batch_size": 32.0}, {"batch_size": 32.0}),
        ({"max_grad_norm": 0.0}, {}),
        ({"gradient_clip_val": 1.0}, {"max_grad_norm": 1.0}),
        ({"warmup_steps": 0.0, "warmup_ratio": 0.1}, {"warmup": "0.1 of the run"}),
        ({"warmup_steps": 0.0, "warmup_ratio": 0.0}, {"warmup": "none"}),
        ({"warmup_steps": 100.0}, {"warmup": "100 steps"}),
        ({"lr_scheduler_type": "Linear"}, {"schedule": "linear"}),
        ({"lr_scheduler_type": "none"}, {}),
        ({"fp16": False, "bf16": True}, {"precision": "bf16"}),
        ({"fp16": False, "bf16": False}, {}),
        ({"precision": 16.0}, {"precision": "16"}),
        ({"load_best_model_at_end": True}, {"load_best": True}),
        ({"lora_r": 8.0}, {"frozen_or_lora": True}),
        ({"console/early_stopped": "Epoch 41: early stopping"}, {"stopped_early": True}),
        ({"freeze": "None"}, {"frozen_or_lora": False}),
        ({"seed": 0.0}, {"seed": 0.0}),
        ({"patience": 10.0}, {}),
        ({"patience": 10.0, "close_mosaic": 10.0}, {"early_stop_patience": 10.0}),
        ({"num_classes": True}, {}),
        ({"num_classes": "ten"}, {}),
        ({"n_epochs": 10.0}, {}),
        ({"--lr": "0.01", "--batch-size": "64"}, {"learning_rate": 0.01, "batch_size": 64.0}),
        ({"lr/value": 0.01, "_wandb/value/max_steps": 3.0}, {"learning_rate": 0.01}),
        (
            {"trainer/max_epochs": 20.0, "trainer/gradient_clip_val": 0.5},
            {"planned_epochs": 20.0, "max_grad_norm": 0.5},
        ),
        ({"data/num_classes": 10.0, "model/num_classes": 10.0}, {"num_classes": 10.0}),
        ({"data/num_classes": 10.0, "model/num_classes": 12.0}, {}),
        ({"num_classes": 9.5}, {}),
        ({"env/max_steps": 200.0, "max_steps": 1e6}, {"planned_steps": 1e6}),
        ({"max_train_steps": 400.0}, {"planned_steps": 400.0}),
        ({"n_timesteps": 1e5}, {"planned_steps": 1e5}),
        ({"num_steps": 128.0}, {}),
        ({"warmup_steps": 0.1}, {"warmup": "0.1 of the run"}),
        ({"cos_lr": True}, {"schedule": "cosine"}),
        ({"cos_lr": False}, {}),
        ({"scheduler/_target_": "torch.optim.lr_scheduler.StepLR"}, {"schedule": "torch.optim.lr_scheduler.steplr"}),
        ({"optimizer/name": "adam"}, {}),
        ({"amp": True}, {"precision": "mixed"}),
        ({"callbacks/early_stopping/patience": 5.0}, {"early_stop_patience": 5.0}),
        ({"scheduler/patience": 5.0}, {}),
        ({"early_stopping_rounds": 50.0}, {"early_stop_patience": 50.0}),
        ({"batch": 0.9}, {}),
        ({"fp16": "True"}, {"precision": "fp16"}),
        ({"load_best_model_at_end": "False"}, {"load_best": False}),
        ({}, {}),
    ],
)
def test_facts(stated: dict[str, str | float | bool], expected: dict[str, str | float | bool]) -> None:
    assert facts(**stated) == expected


WRITERS: dict[str, tuple[dict[str, str | float | bool], dict[str, str | float | bool]]] = {
    "Hugging Face": (
        {
            "max_steps": -1.0,
            "num_train_epochs": 3.0,
            "learning_rate": 5e-5,
            "per_device_train_batch_size": 8.0,
            "per_device_eval_batch_size": 16.0,
            "max_grad_norm": 1.0,
            "warmup_steps": 0.0,
            "warmup_ratio": 0.0,
            "lr_scheduler_type": "linear",
            "fp16": False,
            "bf16": True,
            "seed": 42.0,
            "gradient_accumulation_steps": 1.0,
            "load_best_model_at_end": True,
            "eval_steps": 500.0,
            "_name_or_path": "bert-base-cased",
        },
        {
            "planned_epochs": 3.0,
            "learning_rate": 5e-5,
            "batch_size": 8.0,
            "max_grad_norm": 1.0,
            "warmup": "none",
            "schedule": "linear",
            "precision": "bf16",
            "seed": 42.0,
            "accumulation_steps": 1.0,
            "load_best": True,
        },
    ),
    "Ultralytics": (
        {
            "task": "detect",
            "mode": "train",
            "epochs": 100.0,
            "patience": 50.0,
            "batch": 16.0,
            "imgsz": 640.0,
            "pretrained": True,
            "seed": 0.0,
            "cos_lr": False,
            "close_mosaic": 10.0,
            "amp": True,
            "freeze": "None",
            "lr0": 0.01,
            "lrf": 0.01,
            "momentum": 0.937,
            "weight_decay": 0.0005,
            "warmup_epochs": 3.0,
        },
        {
            "planned_epochs": 100.0,
            "early_stop_patience": 50.0,
            "batch_size": 16.0,
            "seed": 0.0,
            "precision": "mixed",
            "frozen_or_lora": False,
            "learning_rate": 0.01,
            "warmup": "3 epochs",
        },
    ),
    "Lightning and Hydra": (
        {
            "trainer/max_epochs": 10.0,
            "trainer/precision": "16-mixed",
            "trainer/accumulate_grad_batches": 4.0,
            "trainer/gradient_clip_val": 0.5,
            "model/optimizer/lr": 0.001,
            "model/net/num_classes": 10.0,
            "data/batch_size": 128.0,
            "seed": 12345.0,
            "callbacks/early_stopping/patience": 100.0,
            "model/scheduler/_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau",
            "model/scheduler/patience": 10.0,
        },
        {
            "planned_epochs": 10.0,
            "precision": "16-mixed",
            "accumulation_steps": 4.0,
            "max_grad_norm": 0.5,
            "learning_rate": 0.001,
            "num_classes": 10.0,
            "batch_size": 128.0,
            "seed": 12345.0,
            "early_stop_patience": 100.0,
            "schedule": "torch.optim.lr_scheduler.reducelronplateau",
        },
    ),
    "CleanRL": (
        {
            "env_id": "CartPole-v1",
            "total_timesteps": 500000.0,
            "learning_rate": 2.5e-4,
            "num_envs": 4.0,
            "num_steps": 128.0,
            "anneal_lr": True,
            "update_epochs": 4.0,
            "max_grad_norm": 0.5,
            "seed": 1.0,
            "batch_size": 512.0,
            "num_iterations": 976.0,
        },
        {
            "planned_steps": 500000.0,
            "learning_rate": 2.5e-4,
            "schedule": "linear",
            "max_grad_norm": 0.5,
            "seed": 1.0,
            "batch_size": 512.0,
        },
    ),
    "ML-Agents": (
        {
            "trainer_type": "ppo",
            "max_steps": 500000.0,
            "hyperparameters/batch_size": 1024.0,
            "hyperparameters/learning_rate": 3e-4,
            "hyperparameters/num_epoch": 3.0,
            "hyperparameters/learning_rate_schedule": "linear",
            "checkpoint_interval": 500000.0,
        },
        {"planned_steps": 500000.0, "batch_size": 1024.0, "learning_rate": 3e-4, "schedule": "linear"},
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_settings_of_popular_writers(writer: str) -> None:
    stated, expected = WRITERS[writer]
    assert facts(**stated) == expected


def test_sources_that_contradict_each_other_make_a_fact_unknown() -> None:
    assert run_facts([Fact("lr", 0.1, "a"), Fact("lr", 0.2, "b")], []) == {}


@pytest.mark.parametrize(
    ("tag", "values", "expected"),
    [
        ("train/clip_norm", [0.001, 0.001, 0.001], {"max_grad_norm": 0.001}),
        ("train/clip_norm", [0.001, 0.001, 0.002], {}),
        ("train/clip_norm", [0.001, 0.001], {}),
        ("train/clip_norm", [float("nan")] * 3, {}),
        ("train/lr", [0.1, 0.1, 0.1], {}),
        ("train/grad_clip", [1.0, 1.0, 1.0], {}),
        ("train_steps", [500.0, 500.0, 500.0], {}),
    ],
    ids=[
        "constant",
        "changes",
        "short",
        "not known",
        "has a role of its own",
        "how often it clips",
        "counts of a round",
    ],
)
def test_a_setting_that_is_logged_at_each_step(
    tag: str, values: list[float], expected: dict[str, str | float | bool]
) -> None:
    file = imported(raw(tag, list(range(len(values))), values), raw("train/loss", [0, 1, 2]))
    run = build_run("run", "run", [("", file)])
    assert run.facts == expected


def test_beside_holds_within_one_source_only() -> None:
    assert run_facts([Fact("patience", 9.0, "a"), Fact("close_mosaic", 10.0, "b")], []) == {}


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "hparams.yaml"
    path.write_text("lr: 1e-3\nmodel: {name: resnet, layers: [1, 2]}\nseed: {desc: null, value: 7}\nflag: true\n")
    assert facts_from_yaml(path) == [
        Fact("lr", 1e-3, "hparams.yaml"),
        Fact("model/name", "resnet", "hparams.yaml"),
        Fact("seed", 7.0, "hparams.yaml"),
        Fact("flag", True, "hparams.yaml"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "- a\n- b\n", "a: [1\n", "a: !!python/object:os.system {}\n", "\x00", "x: " + "a" * 1_000_001],
    ids=["empty", "list", "broken", "object", "binary", "large"],
)
def test_yaml_that_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert facts_from_yaml(path) == []


def test_yaml_that_multiplies_itself_is_bounded(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{i}: &a{i} {{" + ", ".join(f"k{j}: *a{i - 1}" for j in range(9)) + "}" for i in range(1, 12)]
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(lines))
    assert len(facts_from_yaml(path)) <= 2000
