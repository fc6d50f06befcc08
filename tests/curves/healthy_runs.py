"""Healthy runs of other kinds: language models, reinforcement learning, generative models, trees; and odd ways to log."""

import numpy as np

from tests.curves.curve import Collection, Curve
from tests.curves.shapes import Clock, cosine, grid, linear, power_law, relax, tagged, wander

RUNS = Collection()
Rng = np.random.Generator


@RUNS("100,000 steps of a language model with spikes of the loss that heal by themselves (Chowdhery et al. 2022, PaLM)")
def spikes_that_heal(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.9, 5_000, 120)
    steps, checks = grid(1_000, 100), grid(20, 5_000)
    loss = power_law(steps, 10.9, 2.3, 300, 0.6) + rng.normal(0, 0.03, 1_000)
    norm = relax(steps, 2.5, 0.35, 3_000) * rng.lognormal(0, 0.15, 1_000)
    for at in rng.choice(np.arange(150, 930), 4, replace=False):
        height, length = rng.uniform(0.6, 2.5), rng.integers(3, 16)
        spike = height * np.exp(-np.arange(5 * length) / length)[: 1_000 - at]
        loss[at : at + len(spike)] += spike
        norm[at : at + 3] *= rng.uniform(5, 20)
    return Curve(
        tagged(
            ("megatron", "nanogpt", "hf")[seed % 3],
            loss=clock.points(steps, loss),
            val_loss=clock.points(checks, power_law(checks, 10.9, 2.33, 300, 0.6) + rng.normal(0, 0.006, 20), True),
            lr=clock.points(steps, cosine(steps, 100_000, 6e-4, 2_000, 6e-5)),
            grad_norm=clock.points(steps, norm),
        )
    )


@RUNS("warm-up, stable, decay: the loss is nearly flat for long and falls when the rate does (Hu et al. 2024, MiniCPM)")
def warmup_stable_decay(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.9, 500, 30)
    steps, checks = grid(600, 20), grid(24, 500)
    rate = 6e-4 * np.minimum(steps / 500, 1) * np.where(steps > 10_000, 1 - (steps - 10_000) / 2_000, 1)

    def level(at: np.ndarray) -> np.ndarray:
        decayed = (np.asarray(at) - 10_000).clip(0) / 2_000
        return np.asarray(power_law(at, 10.8, 3.0, 60, 0.75) - 0.22 * decayed**0.7)

    return Curve(
        tagged(
            ("nanogpt", "megatron", "hf")[seed % 3],
            loss=clock.points(steps, level(steps) + rng.normal(0, 0.03, 600)),
            val_loss=clock.points(checks, level(checks) + 0.03 + rng.normal(0, 0.005, 24), True),
            lr=clock.points(steps, rate),
            grad_norm=clock.points(steps, 0.5 * rng.lognormal(0, 0.15, 600)),
        )
    )


@RUNS("mixture of experts: the balancing loss rises a little while the language loss falls (Fedus et al. 2022)")
def mixture_of_experts(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 1.4), grid(500, 20)
    names = (
        ("train/aux_loss", "train/z_loss"),
        ("load_balancing_loss", "z_loss"),
        ("train/load_balancing_loss", "train/router_z_loss"),
    )
    return Curve(
        tagged(
            ("hf", "megatron", "nanogpt")[seed % 3],
            loss=clock.points(steps, power_law(steps, 10.8, 2.5, 120, 0.7) + rng.normal(0, 0.03, 500)),
            lr=clock.points(steps, cosine(steps, 10_000, 4e-4, 300, 4e-5)),
            grad_norm=clock.points(steps, 0.6 * rng.lognormal(0, 0.15, 500)),
        )
        | {
            names[seed % 3][0]: clock.points(steps, relax(steps, 1.02, 1.09, 3_000) + rng.normal(0, 0.004, 500)),
            names[seed % 3][1]: clock.points(steps, relax(steps, 0.5, 1.9, 4_000) + rng.normal(0, 0.05, 500)),
        }
    )


@RUNS("batches from two data sets in turn: the loss of a step is near 0.3 or near 2, and both fall")
def bimodal_batches(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.5, 500)
    steps, checks = grid(700, 10), grid(14, 500)
    hard = rng.random(700) < 0.4
    loss = np.where(hard, relax(steps, 3.6, 1.9, 1_800), relax(steps, 1.4, 0.30, 1_200)) * rng.lognormal(0, 0.06, 700)
    return Curve(
        tagged(
            ("torch", "hf", "lightning")[seed % 3],
            loss=clock.points(steps, loss),
            val_loss=clock.points(checks, relax(checks, 2.2, 0.98, 1_500) + rng.normal(0, 0.008, 14), True),
            lr=clock.points(steps, linear(steps, 7_000, 1e-4, 300)),
        )
    )


@RUNS("gradient accumulation: a value each 8th batch, some missing where a window was empty, the last one short")
def accumulation_gaps(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.25)
    steps = grid(420, 8)
    kept = rng.random(420) > 0.12
    kept[200:214] = False
    steps = np.append(steps[kept], steps[-1] + 3)
    return Curve(
        tagged(
            ("lightning", "hf", "torch")[seed % 3],
            loss=clock.points(steps, relax(steps, 2.4, 0.7, 700) * rng.lognormal(0, 0.08, len(steps))),
            lr=clock.points(steps, linear(steps, 3_400, 5e-5, 200)),
            grad_norm=clock.points(steps, relax(steps, 6, 2, 500) * rng.lognormal(0, 0.3, len(steps))),
        ),
        {"gradient_accumulation_steps": 8.0},
    )


@RUNS("a loss logged with two decimals: once it has converged, the same number stands for dozens of points")
def two_decimals(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 200)
    steps, checks = grid(400, 10), grid(20, 200)
    return Curve(
        tagged(
            ("torch", "lightning", "hf")[seed % 3],
            loss=clock.points(steps, np.round(relax(steps, 2.31, 0.04, 450) + rng.normal(0, 0.0015, 400), 2)),
            val_loss=clock.points(checks, np.round(relax(checks, 2.2, 0.11, 450) + rng.normal(0, 0.002, 20), 2), True),
            val_acc=clock.points(checks, np.round(relax(checks, 0.2, 0.97, 450) + rng.normal(0, 0.002, 20), 2), True),
            lr=clock.points(steps, np.full(400, 1e-3)),
            grad_norm=clock.points(steps, np.round(relax(steps, 4, 0.3, 450) * rng.lognormal(0, 0.2, 400), 2)),
        )
    )


@RUNS("evaluations of 40 minutes after each of twelve epochs, and nothing is logged while they run")
def evaluation_pauses(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 1.0, 300, 2_400)
    steps, checks = grid(360, 10), grid(12, 300)
    return Curve(
        tagged(
            ("torch", "lightning", "hf")[seed % 3],
            loss=clock.points(steps, relax(steps, 2.3, 0.6, 700) * rng.lognormal(0, 0.08, 360)),
            val_loss=clock.points(checks, relax(checks, 2.2, 0.7, 700) + rng.normal(0, 0.008, 12), True),
            val_acc=clock.points(checks, relax(checks, 0.2, 0.8, 700) + rng.normal(0, 0.006, 12), True),
            lr=clock.points(steps, cosine(steps, 3_600, 1e-3)),
        )
    )


@RUNS("one value every 20 to 45 minutes on a shared machine: slow, but no stall against its own pace")
def slow_epochs(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 1.0), grid(24, 1, 0)
    spent = np.cumsum(rng.uniform(1_200, 2_700, 24))
    series = tagged(
        ("keras", "torch", "lightning")[seed % 3],
        loss=clock.points(epochs, relax(epochs, 1.4, 0.35, 5) + rng.normal(0, 0.01, 24)),
        val_loss=clock.points(epochs, relax(epochs, 1.3, 0.45, 5) + rng.normal(0, 0.012, 24)),
        val_acc=clock.points(epochs, relax(epochs, 0.5, 0.84, 5) + rng.normal(0, 0.005, 24)),
    )
    return Curve({tag: one._replace(wall=one.wall[0] + spent) for tag, one in series.items()})


@RUNS(
    "preempted, and resumed from the checkpoint 40 steps back with its optimizer state: the loss goes on where it was"
)
def preempted_and_resumed(rng: Rng, seed: int) -> Curve:
    before, after = grid(300, 2), grid(320, 2, 562)
    files = []
    for steps, first in ((before, 0.0), (after, 18_000.0)):
        clock = Clock(rng, 0.8, first=first)
        files.append(
            tagged(
                ("hf", "torch", "megatron")[seed % 3],
                loss=clock.points(steps, power_law(steps, 6, 1.4, 60, 0.8) + rng.normal(0, 0.05, len(steps))),
                lr=clock.points(steps, cosine(steps, 1_200, 3e-4, 50)),
                grad_norm=clock.points(steps, rng.lognormal(0, 0.2, len(steps))),
            )
        )
    return Curve(files[0], later=files[1])


@RUNS("machine metrics: the allocator grows for the first minutes, the GPU waits during evaluations")
def machine_metrics(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.5), grid(1_500, 10)
    busy = (rng.normal(95, 2, 1_500)).clip(0, 100)
    busy[np.arange(1_500) % 100 < 4] = rng.uniform(0, 15, 60)
    taken = relax(steps, 38, 61, 300) + rng.normal(0, 0.15, 1_500)
    took = rng.lognormal(np.log(0.45), 0.06, 1_500)
    return Curve(
        tagged(
            ("torch", "lightning", "mmengine")[seed % 3],
            loss=clock.points(steps, relax(steps, 2.3, 0.5, 3_000) * rng.lognormal(0, 0.08, 1_500)),
            lr=clock.points(steps, cosine(steps, 15_000, 1e-3, 500)),
        )
        | {
            "system.gpu.0.gpu": clock.points(steps, busy),
            "system.gpu.0.memoryAllocated": clock.points(steps, taken),
            "time": clock.points(steps, took),
            "data_time": clock.points(steps, took * rng.uniform(0.01, 0.06, 1_500)),
        }
    )


@RUNS(
    "KL annealing in a VAE: the weight of the term grows from 0 to 1, and the total rises with it (Bowman et al. 2016)"
)
def kl_annealing(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 20.0), grid(100, 1, 0)
    weight = (epochs / 40).clip(0, 1)
    recon = relax(epochs, 165, 74, 7) + 12 * weight
    kl = 27 + 30 * np.exp(-3 * weight) * (1 - np.exp(-epochs / 3))
    total, val = recon + weight * kl, 1.03 * recon + weight * kl
    noisy = {"loss": total, "recon_loss": recon, "kl_loss": kl}
    series = {f"train/{name}": one * rng.lognormal(0, 0.004, 100) for name, one in noisy.items()}
    series |= {"train/kl_weight": weight}
    if seed % 3 == 2:
        # Who logs the totals only does not say that it is a VAE.
        series = {"Loss/train": series["train/loss"], "Loss/val": val * rng.lognormal(0, 0.004, 100)}
    elif seed % 3:
        series |= {"val/loss": val * rng.lognormal(0, 0.004, 100)}
    return Curve({tag: clock.points(epochs, one) for tag, one in series.items()})


@RUNS(
    "BYOL: the loss falls at once, rises again as the features spread, and the neighbours get better (Grill et al. 2020)"
)
def byol_loss_rises(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 120.0), grid(200, 1, 0)
    loss = relax(epochs, 1.9, 0.20, 3) + 0.35 * (1 - np.exp(-epochs / 25)) - 0.0008 * epochs
    return Curve(
        {
            ("train/byol_loss", "byol_loss")[seed % 2]: clock.points(epochs, loss + rng.normal(0, 0.01, 200)),
            ("val/knn_accuracy", "knn_acc")[seed % 2]: clock.points(
                epochs, relax(epochs, 0.32, 0.87, 45) + rng.normal(0, 0.004, 200)
            ),
            "lr": clock.points(epochs, cosine(epochs, 199, 0.2, 10)),
        }
    )


@RUNS("a sparse reward: nothing at all for half of the run, then the goal is found (MountainCar, -200 an episode)")
def sparse_reward(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.002), grid(200, 1_000)
    at = int(rng.integers(85, 120))
    found = (np.arange(200) - at).clip(0)
    reward = np.where(found > 0, relax(found, -200, -112, 22) + wander(rng, 200, 2.5, 6), -200).clip(-200)
    entropy = relax(found, 1.09, 0.55, 60) + rng.normal(0, 0.005, 200)
    values = {
        "reward": reward,
        "length": -reward,
        "value_loss": rng.lognormal(0, 0.7, 200),
        "policy_loss": rng.normal(-0.005, 0.004, 200),
        "entropy": entropy,
        "negative_entropy": -entropy,
        "kl": np.abs(rng.normal(0.006, 0.003, 200)),
        "clip": rng.beta(5, 70, 200),
        "speed": rng.normal(1_500, 30, 200),
        "loss": 0.5 * rng.lognormal(0, 0.7, 200),
    }
    writer = ("sb3", "cleanrl")[seed % 2]
    return Curve(tagged(writer, **{name: clock.points(steps, one) for name, one in values.items()}))


@RUNS("SAC on HalfCheetah: the actor's loss falls to -250, the critic's rises with the returns (Haarnoja et al. 2018)")
def soft_actor_critic(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.012), grid(250, 4_000)
    learned = 1 - np.exp(-np.arange(250) / 90)
    values = {
        "rollout/ep_rew_mean": -200 + 7_500 * learned + wander(rng, 250, 180, 4),
        "rollout/ep_len_mean": np.full(250, 1_000.0),
        "train/actor_loss": -5 - 250 * learned + rng.normal(0, 4, 250),
        "train/critic_loss": (0.5 + 40 * learned) * rng.lognormal(0, 0.3, 250),
        "train/ent_coef": relax(steps, 1.0, 0.06, 40_000),
        "train/ent_coef_loss": relax(steps, -12, 0, 40_000) + rng.normal(0, 0.4, 250),
        "train/learning_rate": np.full(250, 3e-4),
        "time/fps": rng.normal(85, 1.5, 250),
    }
    if seed % 2:
        values = {
            "charts/episodic_return": -200 + 7_500 * learned + rng.normal(0, 400, 250),
            "charts/episodic_length": np.full(250, 1_000.0),
            "losses/actor_loss": values["train/actor_loss"],
            "losses/qf1_loss": values["train/critic_loss"],
            "losses/qf1_values": 5 + 250 * learned + rng.normal(0, 4, 250),
            "losses/alpha": values["train/ent_coef"],
            "charts/SPS": values["time/fps"],
        }
    return Curve({tag: clock.points(steps, one) for tag, one in values.items()})


@RUNS("DPO: the chosen answers lose likelihood too, only less than the rejected ones (Rafailov et al. 2023)")
def preferences(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 3.5, 100, 60)
    steps, checks = grid(100, 10), grid(10, 100)

    def values(at: np.ndarray, noise: float) -> dict[str, np.ndarray]:
        chosen, margin = relax(at, 0, -0.9, 400), relax(at, 0, 0.95, 350)
        return {
            "loss": relax(at, 0.693, 0.53, 350) + rng.normal(0, 0.03 * noise, len(at)),
            "rewards/chosen": chosen + rng.normal(0, 0.1 * noise, len(at)),
            "rewards/rejected": chosen - margin + rng.normal(0, 0.1 * noise, len(at)),
            "rewards/margins": margin + rng.normal(0, 0.08 * noise, len(at)),
            "rewards/accuracies": (relax(at, 0.5, 0.74, 250) + rng.normal(0, 0.05 * noise, len(at))).clip(0, 1),
            "logps/chosen": -280 + 10 * chosen + rng.normal(0, 6 * noise, len(at)),
            "logps/rejected": -260 + 10 * (chosen - margin) + rng.normal(0, 6 * noise, len(at)),
        }

    return Curve(
        {f"train/{name}": clock.points(steps, one) for name, one in values(steps, 1).items()}
        | {f"eval/{name}": clock.points(checks, one, True) for name, one in values(checks, 0.15).items()}
        | {
            "train/learning_rate": clock.points(steps, linear(steps, 1_000, 5e-7, 100)),
            "train/grad_norm": clock.points(steps, 4 * rng.lognormal(0, 0.25, 100)),
        },
        {"beta": 0.1} if seed % 2 else {},
    )


@RUNS("RLHF with PPO: the divergence from the reference grows as the score does; both losses stay where they are")
def human_feedback(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 25.0), grid(160, 16)
    x = np.arange(160)
    score = relax(x, -1.0, 1.6, 60) + rng.normal(0, 0.15, 160)
    divergence = relax(x, 0, 14, 70) + np.abs(rng.normal(0, 0.5, 160))
    values = {
        "objective/scores": score,
        "objective/kl": divergence,
        "objective/rlhf_reward": score - 0.05 * divergence,
        "objective/entropy": relax(x, 62, 41, 90) + rng.normal(0, 1.5, 160),
        "policy/entropy_avg": relax(x, 1.15, 0.75, 90) + rng.normal(0, 0.03, 160),
        "policy/approxkl_avg": np.abs(rng.normal(0.012, 0.004, 160)),
        "policy/clipfrac_avg": rng.beta(8, 60, 160),
        "loss/policy_avg": rng.normal(-0.01, 0.006, 160),
        "loss/value_avg": 0.15 * rng.lognormal(0, 0.3, 160),
        "val/ratio": rng.normal(1.0, 0.004, 160),
        "lr": linear(steps, 2_560, 3e-6),
    }
    return Curve({tag: clock.points(steps, one) for tag, one in values.items()})


@RUNS("boosted trees with an overfitting detector: the test loss is flat for the last 40 %, the learning loss falls on")
def boosted_trees(rng: Rng, seed: int) -> Curve:
    clock, rounds = Clock(rng, 0.02), grid(600, 1, 0)
    test = relax(rounds, 0.68, 0.312, 80) + 4e-6 * (rounds - 350).clip(0)
    series = {
        "learn:Logloss": relax(rounds, 0.68, 0.21, 130),
        "test:Logloss": test + rng.normal(0, 1e-5, 600),
        "test:AUC": relax(rounds, 0.78, 0.931, 80) + rng.normal(0, 2e-5, 600),
    }
    if seed % 2:
        series = {
            "train-logloss": series["learn:Logloss"],
            "validation-logloss": series["test:Logloss"],
            "validation-auc": series["test:AUC"],
        }
    return Curve({tag: clock.points(rounds, one) for tag, one in series.items()})


@RUNS(
    "a detector of one class: parts without a total, the class loss is exactly 0, three groups of rates fall from a warm-up"
)
def detector_of_one_class(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 55.0), grid(60, 1, 0)
    shapes = (("box_loss", 1.8, 0.85), ("dfl_loss", 1.55, 1.0))
    series = {
        f"{split}/{name}": relax(epochs, start, end + 0.12 * (split == "val"), 14) + rng.normal(0, 0.012, 60)
        for split in ("train", "val")
        for name, start, end in shapes
    }
    series |= {"train/cls_loss": np.zeros(60), "val/cls_loss": np.zeros(60)}
    series |= {
        "metrics/mAP50(B)": relax(epochs, 0.1, 0.88, 12) + rng.normal(0, 0.01, 60),
        "metrics/mAP50-95(B)": relax(epochs, 0.04, 0.61, 14) + rng.normal(0, 0.008, 60),
    }
    falling = 0.01 * (1 - 0.99 * epochs / 60)
    for group in range(3):
        start = 0.07 if group == 0 else 0.003
        series[f"lr/pg{group}"] = np.where(epochs < 3, start + (falling - start) * epochs / 3, falling)
    return Curve({tag: clock.points(epochs, one) for tag, one in series.items()}, {"epochs": 60.0})


@RUNS("a detector whose validation set has no small boxes: COCO's AP for them is NaN at every evaluation")
def no_small_boxes(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 500, 60)
    steps, checks = grid(250, 20), grid(10, 500)
    found = relax(checks, 4, 33, 1_600) + rng.normal(0, 0.4, 10)
    parts = {"loss_cls": relax(steps, 0.7, 0.2, 900), "loss_box_reg": relax(steps, 0.45, 0.28, 1_500)}
    noisy = {name: one * rng.lognormal(0, 0.08, 250) for name, one in parts.items()}
    missing = ("bbox/APs", "segm/APs")[seed % 2]
    return Curve(
        {name: clock.points(steps, one) for name, one in noisy.items()}
        | {
            "total_loss": clock.points(steps, noisy["loss_cls"] + noisy["loss_box_reg"]),
            "lr": clock.points(steps, 0.02 * np.minimum(steps / 1_000, 1) * np.where(steps > 4_000, 0.1, 1)),
            "time": clock.points(steps, 0.3 * rng.lognormal(0, 0.05, 250)),
            "data_time": clock.points(steps, 0.01 * rng.lognormal(0, 0.4, 250)),
            "bbox/AP": clock.points(checks, found, True),
            missing: clock.points(checks, np.full(10, np.nan), True),
        }
    )
