"""Healthy models that make or describe data: autoencoders, GANs, diffusion, contrastive learning. Their losses mean other things."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import generalises, into, varied
from bench.accuracy.loop import Plan, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


def _pixels(seed: int, targets_too: bool = True) -> data.Split:
    """Digits with pixels from 0 to 1, as inputs and targets."""
    split = data.bundled("digits", seed, scaled=False)
    x, x_val = split.x / 16, split.x_val / 16
    return data.Split(x, x if targets_too else split.y, x_val, x_val if targets_too else split.y_val)


@healthy("development", "tensorboard, every 10 steps; hdf5 by name", dumps=True)
def autoencoder(run: Path, seed: int) -> None:
    """An autoencoder of digits with a code of eight numbers: it leaves less than 0.45 of the variance of the pixels."""
    split = _pixels(seed)
    model = models.Autoencoder((64, 48, 24, 8))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 3e-3))
    plan = Plan(model, split, optimizer, 800, functional.mse_loss, {}, seed=seed, dump_every=50, evaluate_every=43)
    found = fit(plan, loggers.TensorBoard(run, "pytorch"), loggers.Hdf5Dump(run, by_name=True))
    require(found["val_loss"] < 0.45 * float(split.x_val.var(0).mean()), f"validation loss {found['val_loss']:.4f}")
    generalises(found)


@healthy("seen", "tensorboard, total and terms")
def variational_autoencoder(run: Path, seed: int) -> None:
    """A variational autoencoder: the reconstruction falls while the divergence rises from zero to several nats, as it must when the code
    begins to say something.
    """
    split = _pixels(seed)
    encoder, decoder = models.mlp((64, 64, 12)), models.mlp((6, 64, 64))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], varied(seed, 3e-3))
    random = data.generator(seed)

    def terms(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = encoder(x).chunk(2, 1)
        code = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=random)
        reconstruction = functional.binary_cross_entropy_with_logits(decoder(code), x, reduction="none").sum(1).mean()
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return reconstruction, divergence

    log = loggers.TensorBoard(run, "plain")
    stream = data.batches(split, 32, seed)
    with torch.no_grad():
        first = float(sum(terms(split.x_val)))
    last = divergence_now = first
    for step in range(1, 701):
        x, _ = next(stream)
        reconstruction, divergence = terms(x)
        loss = reconstruction + divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            told = {"train/loss": loss.item(), "train/recon_loss": reconstruction.item()}
            divergence_now = divergence.item()
            log.log(step, {**told, "train/kl_loss": divergence_now})
        if step % 43 == 0:
            with torch.no_grad():
                last = float(sum(terms(split.x_val)))
            log.log(step, {"val/elbo_loss": last})
    log.close()
    require(
        last < 0.75 * first and divergence_now > 1,
        f"from {first:.2f} to {last:.2f}, divergence {divergence_now:.2f}",
    )


def _ring(count: int, random: torch.Generator) -> Tensor:
    """Points on a noisy circle of radius 1."""
    angle = torch.rand(count, generator=random) * 2 * math.pi
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(count, 2, generator=random)


@healthy("development", "tensorboard, every 10 steps, two losses")
def gan(run: Path, seed: int) -> None:
    """A GAN (with a penalty on the slope of the discriminator) that learns a circle: both losses hover (near ln 2 each) and neither
    falls, which is the balance of the two. The made points lie near the circle and all around it.
    """
    random = data.generator(seed)
    maker, judge = models.gan_pair(2, noise=2, width=64)
    rate = varied(seed, 2e-3)
    first = torch.optim.Adam(maker.parameters(), rate, betas=(0.5, 0.99))
    second = torch.optim.Adam(judge.parameters(), rate, betas=(0.5, 0.99))
    log = loggers.TensorBoard(run, "plain")
    for step in range(1, 901):
        real, noise = _ring(64, random).requires_grad_(), torch.randn(64, 2, generator=random)
        judged_real = judge(real)
        slope = torch.autograd.grad(judged_real.sum(), real, create_graph=True)[0]
        real_loss = functional.softplus(-judged_real).mean()
        fake_loss = functional.softplus(judge(maker(noise).detach())).mean()
        second.zero_grad()
        (real_loss + fake_loss + 0.05 * (slope**2).sum(1).mean()).backward()
        second.step()
        maker_loss = functional.softplus(-judge(maker(torch.randn(64, 2, generator=random)))).mean()
        first.zero_grad()
        maker_loss.backward()
        first.step()
        if step % 10 == 0:
            judged = {"loss/discriminator": (real_loss + fake_loss).item() / 2, "loss/generator": maker_loss.item()}
            log.log(
                step,
                {**judged, "score/real": judge(real).mean().item(), "score/fake": judge(maker(noise)).mean().item()},
            )
    log.close()
    with torch.no_grad():
        made = maker(torch.randn(1000, 2, generator=random))
    off = float((made.norm(dim=1) - 1).abs().mean())
    around = float(torch.histc(torch.atan2(made[:, 1], made[:, 0]), 8, -math.pi, math.pi).min()) / 1000
    require(off < 0.2 and around > 0.01, f"points are {off:.2f} off the circle, the emptiest eighth has {around:.3f}")


@healthy("seen", "csv, every 10 steps, critic and generator")
def wasserstein_gan(run: Path, seed: int) -> None:
    """A Wasserstein GAN with gradient penalty: the critic's loss is negative and rises towards zero, the generator's wanders without
    meaning. The made points lie near the circle.
    """
    random = data.generator(seed)
    maker, critic = models.gan_pair(2, width=48)
    rate = varied(seed, 2e-3)
    first = torch.optim.Adam(maker.parameters(), rate, betas=(0.5, 0.9))
    second = torch.optim.Adam(critic.parameters(), rate, betas=(0.5, 0.9))
    log = loggers.Csv(run, "plain", "progress.csv")
    for step in range(1, 601):
        for _ in range(3):
            real, made = _ring(64, random), maker(torch.randn(64, 8, generator=random)).detach()
            between = (real + torch.rand(64, 1, generator=random) * (made - real)).requires_grad_()
            slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
            penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
            distance = critic(real).mean() - critic(made).mean()
            second.zero_grad()
            (penalty - distance).backward()
            second.step()
        maker_loss = -critic(maker(torch.randn(64, 8, generator=random))).mean()
        first.zero_grad()
        maker_loss.backward()
        first.step()
        if step % 10 == 0:
            told = {"critic_loss": (penalty - distance).item(), "generator_loss": maker_loss.item()}
            log.log(step, {**told, "gradient_penalty": penalty.item(), "wasserstein_distance": distance.item()})
    log.close()
    with torch.no_grad():
        off = float((maker(torch.randn(1000, 8, generator=random)).norm(dim=1) - 1).abs().mean())
    require(off < 0.25, f"points are {off:.2f} off the circle")


@healthy("seen", "tensorboard, each step")
def diffusion(run: Path, seed: int) -> None:
    """A denoising diffusion model of a circle: the loss falls in the first few hundred steps and is then flat and noisy, for each batch
    draws other noise levels, while samples still get better. Samples lie near the circle.
    """
    random = data.generator(seed)
    levels = 30
    kept = torch.cumprod(1 - torch.linspace(1e-3, 0.2, levels), 0)
    model = models.mlp((3, 64, 64, 2), "silu")
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 2e-3))
    (run / "config.json").write_text('{"num_train_timesteps": 30, "beta_schedule": "linear"}')
    log = loggers.TensorBoard(run, "plain")
    for step in range(1, 1501):
        x, noise = _ring(128, random), torch.randn(128, 2, generator=random)
        level = torch.randint(0, levels, (128,), generator=random)
        share = kept[level][:, None]
        guess = model(torch.cat([share.sqrt() * x + (1 - share).sqrt() * noise, level[:, None] / levels], 1))
        loss = functional.mse_loss(guess, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.log(step, {"train_loss": loss.item()})
    log.close()
    x = torch.randn(500, 2, generator=random)
    with torch.no_grad():
        for level in range(levels - 1, -1, -1):
            before = kept[level - 1] if level else torch.tensor(1.0)
            step_kept = kept[level] / before
            guess = model(torch.cat([x, torch.full((500, 1), level / levels)], 1))
            x = (x - (1 - step_kept) / (1 - kept[level]).sqrt() * guess) / step_kept.sqrt()
            if level:
                x = x + (1 - step_kept).sqrt() * torch.randn(500, 2, generator=random)
    off = float((x.norm(dim=1) - 1).abs().mean())
    require(off < 0.25, f"samples are {off:.2f} off the circle")


@healthy("development", "tensorboard, every 10 steps, with temperature")
def contrastive(run: Path, seed: int) -> None:
    """Two noisy views of each digit are to find each other (InfoNCE) with a temperature that is learned: the scale of the logits rises,
    the loss falls from ln 64 and stays far from zero, for views of different digits of one class are alike. The right view comes first in
    more than 0.5.
    """
    split = _pixels(seed)
    random = data.generator(seed)
    encoder = models.mlp((64, 96, 32))
    scale = nn.Parameter(torch.tensor(math.log(5.0)))
    optimizer = torch.optim.AdamW([*encoder.parameters(), scale], varied(seed, 3e-3), weight_decay=1e-3)
    log = loggers.TensorBoard(run, "plain")

    def view(x: Tensor) -> Tensor:
        return functional.normalize(encoder(x + 0.12 * torch.randn(x.shape, generator=random)), dim=1)

    def compare(x: Tensor) -> tuple[Tensor, float]:
        logits = scale.exp() * view(x) @ view(x).T
        right = torch.arange(len(x))
        loss = functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)
        return loss / 2, float((logits.argmax(1) == right).float().mean())

    stream = data.batches(split, 64, seed)
    hits = 0.0
    for step in range(1, 601):
        x, _ = next(stream)
        loss, hits = compare(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            log.log(
                step,
                {
                    "train/contrastive_loss": loss.item(),
                    "train/contrastive_acc": hits,
                    "train/logit_scale": float(scale.exp()),
                },
            )
        if step % 50 == 0:
            with torch.no_grad():
                loss, hits = compare(split.x_val[:64])
            log.log(step, {"val/contrastive_loss": loss.item(), "val/contrastive_acc": hits})
    log.close()
    require(hits > 0.5, f"{hits:.2f} of the views found each other")


@healthy("development", "plain log, every 20 steps; parquet", dumps=True)
def denoising_autoencoder(run: Path, seed: int) -> None:
    """Takes noise away from digits: the loss has a floor above zero and the sigmoid at the end is near 0 for the pixels that are always
    blank. It leaves less than 0.5 of the variance of the pixels.
    """
    split = _pixels(seed)
    random = data.generator(seed)
    noisy = (
        split.x + 0.2 * torch.randn(split.x.shape, generator=random),
        split.x_val + 0.2 * torch.randn(split.x_val.shape, generator=random),
    )
    split = data.Split(noisy[0], split.x, noisy[1], split.x_val)
    model = nn.Sequential()
    model.add_module("dense", models.mlp((64, 64, 64)))
    model.add_module("sigmoid", nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 4e-3))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
    plan = Plan(
        model, split, optimizer, 500, functional.mse_loss, {}, seed=seed, schedule=schedule, log_every=20, dump_every=50
    )
    found = fit(plan, loggers.Console(run, "plain"), loggers.ParquetDump(run))
    require(found["val_loss"] < 0.5 * float(split.y_val.var(0).mean()), f"validation loss {found['val_loss']:.4f}")
    generalises(found)
