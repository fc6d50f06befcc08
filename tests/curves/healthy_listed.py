"""The list "Healthy curves that naive rules get wrong" of the rule catalogue, each item as a generated run."""

import numpy as np

from tests.curves.curve import Collection, Curve, Points
from tests.curves.shapes import Clock, cosine, grid, linear, power_law, relax, tagged, wander

LISTED = Collection()
Rng = np.random.Generator


@LISTED("second half of a pre-training run in a directory of its own: 1.80 to 1.78 under batch noise of 0.03")
def resumed_second_half(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.8, 2_500)
    steps, checks = grid(600, 50, 50_050), grid(12, 2_500, 52_500)
    along = (steps - 50_000) / 30_000
    return Curve(
        tagged(
            ("hf", "megatron", "nanogpt")[seed % 3],
            loss=clock.points(steps, 1.80 - 0.02 * along + rng.normal(0, 0.03, 600)),
            val_loss=clock.points(checks, 1.84 - 0.02 * (checks - 50_000) / 30_000 + rng.normal(0, 0.002, 12), True),
            lr=clock.points(steps, cosine(steps, 80_000, 3e-4, 1_000, 3e-5)),
            grad_norm=clock.points(steps, rng.lognormal(-0.7, 0.2, 600)),
        )
    )


@LISTED("SimCLR-like: with a batch of 512 the loss starts at ln 512 = 6.24 and moves little (van den Oord et al. 2018)")
def infonce_large_batch(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.6), grid(500, 20)
    x = np.arange(500)
    tags = ("loss", "acc/top1", "acc/top5", "learning_rate")
    if seed % 2:
        tags = ("train/info_nce_loss", "train/acc_top1", "train/acc_top5", "train/lr")
    values = (
        relax(x, np.log(512), 6.14, 180) + rng.normal(0, 0.008, 500),
        relax(x, 0.2, 2.6, 180) + rng.normal(0, 0.4, 500).clip(-0.2, None),
        relax(x, 1.0, 9.5, 180) + rng.normal(0, 0.8, 500).clip(-0.9, None),
        cosine(steps, 10_000, 3e-4),
    )
    return Curve({tag: clock.points(steps, value) for tag, value in zip(tags, values, strict=True)})


@LISTED("a trained language model on a new domain that is close to the old one: 2.05 to 2.02")
def continued_pretraining(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 2.1, 400, 90)
    steps, checks = grid(400, 10), grid(10, 400)
    facts: dict[str, str | float | bool] = {"_name_or_path": "meta-llama/Llama-3.2-1B", "max_steps": 4000.0}
    return Curve(
        tagged(
            "hf",
            loss=clock.points(steps, relax(steps, 2.05, 2.02, 1200) + rng.normal(0, 0.02, 400)),
            val_loss=clock.points(checks, relax(checks, 2.06, 2.03, 1200) + rng.normal(0, 0.0008, 10), True),
            lr=clock.points(steps, cosine(steps, 4_000, 1e-5, 100)),
            grad_norm=clock.points(steps, rng.lognormal(0, 0.15, 400)),
        ),
        facts if seed % 2 else {},
    )


@LISTED("TRL's GRPO: the loss is beta times a divergence, which begins at 0 and grows (Shao et al. 2024)")
def grpo_loss_rises_from_zero(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 14.0), grid(150, 10)
    x = np.arange(150)
    values = {
        "train/loss": relax(x, 0, 0.03, 60) + rng.normal(0, 0.002, 150),
        "train/grad_norm": rng.lognormal(-1.2, 0.3, 150),
        "train/learning_rate": linear(steps, 1_500, 1e-6),
        "train/reward": relax(x, 0.2, 0.75, 50) + rng.normal(0, 0.05, 150),
        "train/reward_std": relax(x, 0.4, 0.25, 60) + rng.normal(0, 0.02, 150),
        "train/rewards/accuracy_reward/mean": relax(x, 0.15, 0.6, 50) + rng.normal(0, 0.05, 150),
        "train/frac_reward_zero_std": (relax(x, 0.25, 0.5, 60) + rng.normal(0, 0.08, 150)).clip(0, 1),
        "train/completions/mean_length": relax(x, 180, 260, 80) + rng.normal(0, 10, 150),
        "train/completions/clipped_ratio": rng.beta(2, 30, 150),
        "train/kl": relax(x, 0, 0.75, 60) + np.abs(rng.normal(0, 0.03, 150)),
        "train/epoch": steps / 1_500,
    }
    return Curve({tag: clock.points(steps, value) for tag, value in values.items()})


@LISTED("DQN: the squared TD error grows with the Q values while the agent learns (Mnih et al. 2015)")
def dqn_loss_grows_with_q(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.003), grid(400, 1_000, 10_000)
    learned = 1 - np.exp(-np.arange(400) / 150)
    td = (0.05 + 0.04 * 120 * learned) * rng.lognormal(0, 0.5, 400)
    ends = np.cumsum(rng.integers(500, 2_500, 260))
    returns = (20 + 400 * (1 - np.exp(-ends / 150_000))) * rng.uniform(0.45, 1.35, 260)
    exploring = np.maximum(1 - 0.95 * steps / 200_000, 0.05)
    # Until the replay buffer is filled nothing is learned, and the environment runs alone.
    speed = 900 + 2_500 * np.exp(-steps / 15_000) + rng.normal(0, 12, 400)
    if seed % 2:
        values = {
            "rollout/ep_rew_mean": 20 + 400 * learned + wander(rng, 400, 15, 20),
            "rollout/ep_len_mean": 20 + 400 * learned + wander(rng, 400, 15, 20),
            "rollout/exploration_rate": exploring,
            "time/fps": speed,
            "train/loss": td,
            "train/learning_rate": np.full(400, 1e-4),
        }
        return Curve({tag: clock.points(steps, value) for tag, value in values.items()})
    values = {
        "losses/td_loss": td,
        "losses/q_values": 120 * learned + rng.normal(0, 2, 400),
        "charts/SPS": speed,
        "charts/epsilon": exploring,
    }
    return Curve(
        {tag: clock.points(steps, value) for tag, value in values.items()}
        | {
            "charts/episodic_return": clock.points(ends, returns),
            "charts/episodic_length": clock.points(ends, np.round(returns)),
        }
    )


@LISTED("noise prediction of a trained model: one random timestep a batch, so the loss is stationary and heavy-tailed")
def diffusion_finetuning(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 1.1), grid(1_000)
    loss = 0.11 * rng.lognormal(0, 0.7, 1_000) - 1e-5 * steps
    rate = clock.points(steps, np.full(1_000, 1e-5))
    if seed % 2:
        loss_of_bound = loss * rng.lognormal(-4, 0.5, 1_000)
        return Curve(
            {
                "train/loss_simple_step": clock.points(steps, loss),
                "train/loss_vlb_step": clock.points(steps, loss_of_bound),
                "train/loss_step": clock.points(steps, loss + 0.001 * loss_of_bound),
                "lr_abs": rate,
            }
        )
    facts: dict[str, str | float | bool] = {
        "pretrained_model_name_or_path": "stabilityai/stable-diffusion-2",
        "snr_gamma": 5.0,
        "noise_offset": 0.0,
        "max_train_steps": 1000.0,
    }
    return Curve({"train_loss": clock.points(steps, loss), "lr": rate}, facts)


@LISTED("an over-parametrised model that fits its data: to 1e-4 with hiccups that are large only against that")
def memorised_with_hiccups(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.1), grid(800, 5)
    x = np.arange(800)
    loss = (relax(x, 2.3, 0, 55) + 1e-4) * rng.lognormal(0, 0.35, 800)
    loss[rng.choice(np.arange(420, 780), 6, replace=False)] += 10 ** rng.uniform(-3, -1.8, 6)
    return Curve(
        tagged(
            ("lightning", "torch", "mmengine")[seed % 3],
            loss=clock.points(steps, loss),
            acc=clock.points(steps, (1 - 0.9 * np.exp(-x / 40)).clip(0, 1)),
            lr=clock.points(steps, np.full(800, 1e-3)),
            grad_norm=clock.points(steps, 3 * np.sqrt(loss) * rng.lognormal(0, 0.3, 800)),
        )
    )


@LISTED("negative log-likelihood of a normalising flow, from 2.5 through zero to -3 (densities may exceed 1)")
def likelihood_crosses_zero(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.05, 100)
    steps, checks = grid(800, 10), grid(80, 100)
    return Curve(
        tagged(
            ("lightning", "torch", "hf")[seed % 3],
            loss=clock.points(steps, relax(steps, 2.5, -3, 1_600) + rng.normal(0, 0.18, 800)),
            val_loss=clock.points(checks, relax(checks, 2.5, -2.9, 1_600) + rng.normal(0, 0.02, 80), True),
            lr=clock.points(steps, np.full(800, 1e-3)),
        )
    )


@LISTED("cosine decay that ends at exactly 0 on the last logged value; per batch, and per epoch with Keras")
def cosine_to_zero(rng: Rng, seed: int) -> Curve:
    if seed % 2:
        clock, epochs = Clock(rng, 40.0), grid(20, 1, 0)
        return Curve(
            tagged(
                "keras",
                loss=clock.points(epochs, relax(epochs, 1.9, 0.18, 4) + rng.normal(0, 0.006, 20)),
                val_loss=clock.points(epochs, relax(epochs, 1.6, 0.42, 4) + rng.normal(0, 0.012, 20)),
                acc=clock.points(epochs, relax(epochs, 0.35, 0.945, 4) + rng.normal(0, 0.002, 20)),
                val_acc=clock.points(epochs, relax(epochs, 0.45, 0.875, 4) + rng.normal(0, 0.005, 20)),
                lr=clock.points(epochs, cosine(epochs, 19, 1e-3)),
            )
        )
    clock = Clock(rng, 0.2, 250)
    steps, checks = grid(500, 10), grid(20, 250)
    return Curve(
        tagged(
            "torch",
            loss=clock.points(steps, relax(steps, 2.3, 0.25, 900) * rng.lognormal(0, 0.15, 500)),
            val_loss=clock.points(checks, relax(checks, 2.2, 0.42, 900) + rng.normal(0, 0.01, 20), True),
            val_acc=clock.points(checks, relax(checks, 0.2, 0.87, 900) + rng.normal(0, 0.004, 20), True),
            lr=clock.points(steps, cosine(steps, 5_000, 0.1)),
        )
    )


@LISTED(
    "cosine restarts after epochs 10 and 30, stopped at 50 in the middle of the third cycle (Loshchilov, Hutter 2017)"
)
def warm_restarts_end_in_mid_cycle(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.15, 200, 15)
    steps, checks = grid(500, 20), grid(50, 200)

    def rate(at: np.ndarray) -> np.ndarray:
        epoch = at / 200
        start, length = (np.select([epoch <= 10, epoch <= 30], values, 0) for values in ([0, 10], [10, 20]))
        start, length = np.where(epoch > 30, 30, start), np.where(epoch > 30, 40, length)
        return np.asarray(0.05 * (1 + np.cos(np.pi * (epoch - start) / length)))

    def level(at: np.ndarray, floor: float, heat: float) -> np.ndarray:
        """A high rate keeps the loss above what the same weights reach when it is low."""
        return np.asarray(relax(at, 2.2, floor, 900) + heat * (rate(at) / 0.1) * (1 - np.exp(-at / 900)))

    loss = level(steps, 0.08, 0.5) * rng.lognormal(0, 0.08, 500)
    accuracy = relax(checks, 0.3, 0.955, 900) - 0.12 * rate(checks) / 0.1 + rng.normal(0, 0.006, 50)
    return Curve(
        tagged(
            ("torch", "lightning", "hf")[seed % 3],
            loss=clock.points(steps, loss),
            val_loss=clock.points(checks, level(checks, 0.22, 0.45) + rng.normal(0, 0.015, 50), True),
            val_acc=clock.points(checks, accuracy, True),
            lr=clock.points(steps, rate(steps)),
        )
    )


@LISTED("early stopping with a patience of 10: what comes after the best is the patience, and it was meant")
def early_stop(rng: Rng, seed: int) -> Curve:
    best = int(rng.integers(18, 30))
    epochs = grid(best + 11, 1, 0)
    clock = Clock(rng, 45.0)
    after = (epochs - best).clip(0)
    val_loss = relax(epochs, 1.5, 0.40, best / 5) + 0.012 * after + rng.normal(0, 0.004, len(epochs))
    val_loss[best] = val_loss.min() - 0.004
    facts: dict[str, str | float | bool] = {"early_stopping_patience": 10.0, "epochs": 200.0}
    return Curve(
        tagged(
            ("keras", "lightning", "torch")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.8, 0.05, 9) + rng.normal(0, 0.004, len(epochs))),
            val_loss=clock.points(epochs, val_loss),
            val_acc=clock.points(epochs, relax(epochs, 0.4, 0.88, best / 5) + rng.normal(0, 0.004, len(epochs))),
        ),
        facts if seed % 2 == 0 else {},
    )


@LISTED("losses that are sums over a batch: an autoencoder with reduction='sum', 120,000 to 13,000")
def sum_of_squares(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.02, 470)
    steps, checks = grid(600, 10), grid(12, 470)
    return Curve(
        tagged(
            ("torch", "lightning", "nanogpt")[seed % 3],
            loss=clock.points(steps, relax(steps, 1.2e5, 1.3e4, 500) * rng.lognormal(0, 0.06, 600)),
            val_loss=clock.points(checks, relax(checks, 1.2e5, 1.32e4, 500) + rng.normal(0, 60, 12), True),
            grad_norm=clock.points(steps, relax(steps, 3e6, 2e5, 400) * rng.lognormal(0, 0.3, 600)),
        )
    )


def _ppo(rng: Rng, seed: int, count: int) -> dict[str, np.ndarray]:
    x = np.arange(count)
    learned = 1 - np.exp(-x / (0.35 * count))
    entropy = relax(x, 1.38, 0.45, 0.5 * count) + rng.normal(0, 0.01, count)
    return {
        "reward": -200 + 430 * learned + wander(rng, count, 12, 8),
        "length": 250 + 400 * learned + wander(rng, count, 15, 8),
        "value_loss": 60 * (0.3 + learned) * rng.lognormal(0, 0.6, count),
        "policy_loss": rng.normal(-0.008, 0.004, count),
        "loss": 30 * (0.3 + learned) * rng.lognormal(0, 0.6, count),
        "entropy": entropy,
        "negative_entropy": -entropy,
        "kl": np.abs(rng.normal(0.008, 0.003, count)),
        "clip": rng.beta(6, 60, count),
        "explained": (0.92 * (1 - np.exp(-x / (0.15 * count))) + rng.normal(0, 0.05, count)).clip(-1, 1),
        "std": relax(x, 1.0, 0.35, 0.5 * count),
        "speed": rng.normal(1_100, 25, count),
        "lr": 3e-4 * (1 - x / count) if seed % 2 else np.full(count, 3e-4),
    }


@LISTED("PPO: the surrogate is near 0 with no direction, and the value loss follows the returns (Schulman et al. 2017)")
def policy_surrogate(rng: Rng, seed: int) -> Curve:
    writer = ("sb3", "cleanrl", "rsl_rl")[seed % 3]
    clock, steps = Clock(rng, 0.001), grid(240, 1 if writer == "rsl_rl" else 2_048)
    values = _ppo(rng, seed, 240)
    return Curve(tagged(writer, **{name: clock.points(steps, value) for name, value in values.items()}))


@LISTED(
    "DCGAN: the discriminator's loss falls and the generator's rises, and the pictures get better (Radford et al. 2015)"
)
def gan_losses(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.15), grid(600, 20)
    x = np.arange(600)
    discriminator = relax(x, 1.4, 0.35, 180) * rng.lognormal(0, 0.4, 600)
    generator = relax(x, 1.0, 4.6, 200) * rng.lognormal(0, 0.3, 600)
    names = (
        ("Loss/Discriminator", "Loss/Generator"),
        ("errD", "errG"),
        ("d_loss", "g_loss"),
        ("train/loss_D", "train/loss_G"),
    )[seed % 4]
    return Curve(dict(zip(names, (clock.points(steps, one) for one in (discriminator, generator)), strict=True)))


@LISTED("over-confident on what it gets wrong: validation cross-entropy rises while accuracy rises (Guo et al. 2017)")
def cross_entropy_rises_with_accuracy(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(60, 1, 0)
    val_loss = relax(epochs, 1.2, 0.48, 4) + 0.006 * epochs + rng.normal(0, 0.006, 60)
    accuracy = relax(epochs, 0.55, 0.86, 5) + 0.0006 * epochs + rng.normal(0, 0.002, 60)
    return Curve(
        tagged(
            ("keras", "torch", "lightning")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.6, 0.012, 9) + rng.normal(0, 0.002, 60).clip(-0.006, None)),
            acc=clock.points(epochs, relax(epochs, 0.45, 0.9985, 9) + rng.normal(0, 0.0004, 60)),
            val_loss=clock.points(epochs, val_loss),
            val_acc=clock.points(epochs, accuracy),
        )
    )


def _lightning(rng: Rng) -> tuple[Clock, dict[str, Points]]:
    clock = Clock(rng, 0.3, 120, 8)
    steps, checks = grid(240, 10, 9), grid(20, 120, 119)
    series = tagged(
        "lightning",
        loss=clock.points(steps, relax(steps, 2.3, 0.5, 500) * rng.lognormal(0, 0.12, 240)),
        val_loss=clock.points(checks, relax(checks, 2.1, 0.6, 500) + rng.normal(0, 0.012, 20), True),
        val_acc=clock.points(checks, relax(checks, 0.2, 0.82, 500) + rng.normal(0, 0.006, 20), True),
        lr=clock.points(steps, np.full(240, 1e-3)),
        epoch=clock.points(steps, np.floor(steps / 120)),
    )
    return clock, series


@LISTED("Lightning writes hp_metric = -1 at step 0 of every run")
def hp_metric(rng: Rng, seed: int) -> Curve:
    clock, series = _lightning(rng)
    return Curve({"hp_metric": clock.points(grid(1, 1, 0), np.array([-1.0])), **series})


@LISTED("the best value so far, logged beside the value: it stands still by construction")
def best_val_loss(rng: Rng, seed: int) -> Curve:
    _, series = _lightning(rng)
    checks = series["val_loss"]
    name = ("best_val_loss", "val_loss_best", "min_val_loss", "best/val_loss")[seed % 4]
    return Curve(series | {name: checks._replace(values=np.minimum.accumulate(checks.values))})


@LISTED(
    "float16: the loss scaler begins too high and skips steps until it fits, and again when it probes (Micikevicius 2018)"
)
def infinite_gradients_of_mixed_precision(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.2, 100), grid(1_200, 1, 0)
    checks = grid(11, 100)
    skipped = 3 + seed % 4
    norm = relax(steps, 3.0, 0.7, 200) * rng.lognormal(0, 0.2, 1_200)
    norm[:skipped] = np.inf
    probes = np.array([skipped + 500, skipped + 1_001])
    norm[probes] = np.inf
    scale = np.full(1_200, 65_536.0 / 2**skipped)
    scale[:skipped] = 65_536.0 / 2 ** np.arange(skipped)
    scale[probes[0]], scale[probes[1]] = 2 * scale[-1], 2 * scale[-1]
    name = ("train/loss_scale", "amp_scale", "grad_scale", "scaler/scale")[seed % 4]
    return Curve(
        tagged(
            ("hf", "torch", "nanogpt")[seed % 3],
            loss=clock.points(steps, relax(steps, 2.3, 0.6, 250) * rng.lognormal(0, 0.1, 1_200)),
            val_loss=clock.points(checks, relax(checks, 2.2, 0.66, 250) + rng.normal(0, 0.008, 11), True),
            grad_norm=clock.points(steps, norm),
            lr=clock.points(steps, cosine(steps, 1_200, 1e-3, 50)),
        )
        | {name: clock.points(steps, scale)}
    )


@LISTED("LoRA: B starts at zero, so little happens at first, and little is gained in all (Hu et al. 2021)")
def lora(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 3.0, 600, 120)
    steps, checks = grid(120, 10), np.array([600, 1_200])
    facts: dict[str, str | float | bool] = {
        "_name_or_path": "mistralai/Mistral-7B-v0.1",
        "peft_type": "LORA",
        "lora_r": 16.0,
        "num_train_epochs": 2.0,
    }
    return Curve(
        tagged(
            "hf",
            loss=clock.points(steps, power_law(steps, 1.6, 1.15, 60) + rng.normal(0, 0.06, 120)),
            val_loss=clock.points(checks, np.array([1.31, 1.28]) + rng.normal(0, 0.004, 2), True),
            lr=clock.points(steps, linear(steps, 1_200, 2e-4, 36)),
            grad_norm=clock.points(steps, relax(steps, 0.15, 0.45, 80) * rng.lognormal(0, 0.25, 120)),
            epoch=clock.points(steps, steps / 600),
        ),
        facts,
    )
