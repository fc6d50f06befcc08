"""Healthy programs that look odd: losses below zero or ending at zero, cyclic rates, rewards that jump, sparse logs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, Hdf5History, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_qa_common import Job, explained, learned, odd_into, train
from bench.accuracy.programs_qa_data import circles, shapes

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


@odd("tensorboard by steps")
def mixture_density(run: Path, seed: int) -> None:
    """A density of narrow data by its negative log-likelihood, which is below zero since densities are above 1; below -0.5 at the end."""

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        spread = outputs[:, 1:].clamp(-5, 3)
        return (0.5 * ((targets - outputs[:, :1]) / spread.exp()).square() + spread + 0.919).mean()

    of = data.regression(seed, 1200)
    of = data.Split(of.x, of.y / 20, of.x_val, of.y_val / 20)
    model = models.mlp((8, 48, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    tags, steps = {"val_loss": "nll/valid"}, {"loss": "nll/train", "lr": "lr"}
    job = Job(model, of, optimizer, 15, TensorBoard(run, "plain"), tags, steps, 5, on_steps=True, seed=seed)
    job.loss, job.metric = likelihood, None
    found = train(job)
    require(found.val_loss[-1] < -1.5 and found.val_loss[-1] < min(found.val_loss) + 0.25, f"not learned: {found}")


@odd("jsonl by epochs; embeddings in hdf5", dumps=True)
def triplets_at_zero(run: Path, seed: int) -> None:
    """Triplets of digits whose loss ends at exactly zero for many batches, since all hold the margin; near neighbours are of one class."""

    def triplets(outputs: Tensor, targets: Tensor) -> Tensor:
        other = outputs.roll(1, 0)
        same = torch.stack([outputs[(targets == one).nonzero()[0, 0]] for one in targets])
        negative = targets != targets.roll(1)
        gap = (outputs - same).square().sum(1) - (outputs - other).square().sum(1) + 0.2
        return (gap.relu() * negative).mean()

    model = models.mlp((64, 64, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    of = data.bundled("digits", seed)
    tags = {"loss": "triplet_loss", "val_loss": "val_triplet_loss"}
    job = Job(model, of, optimizer, 25, JsonLines(run, axis="epoch"), tags, seed=seed, batch=32)
    job.loss, job.metric, job.dump, job.dump_every = triplets, None, Hdf5Dump(run), 105
    found = train(job)
    with torch.no_grad():
        near = of.y[torch.cdist(model(of.x_val), model(of.x)).argmin(1)]
    require(found.loss[-1] < 0.05 * found.loss[0], f"not learned: {found}")
    require(float((near == of.y_val).float().mean()) > 0.9, "the neighbours are of other classes")


@odd("tensorboard by steps")
def cyclic_rate(run: Path, seed: int) -> None:
    """CyclicLR between 0.002 and 0.1: the loss swings with the rate, and ends well at the end of a cycle; above 0.9."""
    model = models.mlp((64, 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.8)
    steps = {"loss": "train_loss", "lr": "learning_rate"}
    tags = {"val_loss": "val_loss", "val_metric": "val_accuracy"}
    of = data.with_label_noise(data.bundled("digits", seed), 0.1, seed)
    job = Job(model, of, optimizer, 16, TensorBoard(run, "plain"), tags, steps, 4, on_steps=True, seed=seed)
    job.schedule, job.schedule_steps = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.002, 0.1, 84), True
    found = train(job)
    require(found.val_metric[-1] > 0.88 and found.val_loss[-1] < 1.2 * min(found.val_loss), f"not learned: {found}")


@odd("csv, progress of each update")
def noisy_bandit(run: Path, seed: int) -> None:
    """A policy over ten arms whose rewards have five times the spread of what there is to gain: the curve is noise that creeps up."""
    random = np.random.default_rng(seed)
    gains = np.linspace(0, 1, 10)[random.permutation(10)]
    preferences, baseline, chosen = np.zeros(10), 0.0, []
    log = Csv(run, "plain", "progress.csv", axis="timesteps")
    for update in range(400):
        shares = np.exp(preferences) / np.exp(preferences).sum()
        arms = random.choice(10, 64, p=shares)
        rewards = gains[arms] + 2.5 * random.normal(size=64)
        advantage = rewards - baseline
        slope = np.bincount(arms, advantage, 10) / 64 - shares * advantage.mean()
        preferences += 0.6 * slope
        baseline += 0.1 * (rewards.mean() - baseline)
        chosen.append(float(shares @ gains))
        entropy = float(-(shares * np.log(shares)).sum())
        log.log((update + 1) * 64, {"episode_reward_mean": float(rewards.mean()), "entropy": entropy})
    log.close()
    require(chosen[-1] > chosen[0] + 0.2, f"the expected reward went from {chosen[0]:.2f} to {chosen[-1]:.2f}")


@odd("console: falling errors")
def falling_metrics(run: Path, seed: int) -> None:
    """A regression judged by Huber loss and MAE alone: every curve falls, the metric too; R² above 0.6."""
    log = Console(run, axis="epoch")
    model = models.mlp((8, 32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def error(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).abs().mean()

    tags = {"loss": "train_huber", "metric": "train_mae", "val_loss": "val_huber", "val_metric": "val_mae"}
    of = data.regression(seed, 1000)
    job = Job(model, of, optimizer, 30, log, tags, seed=seed, loss=functional.huber_loss, metric=error)
    found = train(job)
    with torch.no_grad():
        require(float(explained(model(of.x_val), of.y_val)) > 0.6, f"not learned: {found}")
    require(found.val_loss[-1] < 1.1 * min(found.val_loss), f"the validation loss rose again: {found}")


@odd("tensorboard by steps: both losses of a GAN")
def balanced_gan(run: Path, seed: int) -> None:
    """Two spots by a GAN in balance: the losses of both hover about their equilibrium and none falls, as it should be."""
    random = data.generator(seed)
    generator, discriminator = models.gan_pair(2)
    optimizers = [torch.optim.Adam(one.parameters(), lr=5e-4, betas=(0.5, 0.99)) for one in (generator, discriminator)]
    spots = torch.tensor([[1.5, 0.0], [-1.5, 0.0]])
    log = TensorBoard(run, "plain")
    binary = functional.binary_cross_entropy_with_logits
    for step in range(1, 1201):
        real = spots[torch.randint(0, 2, (64,), generator=random)] + 0.3 * torch.randn(64, 2, generator=random)
        made = generator(torch.randn(64, 8, generator=random))
        said, guessed = discriminator(real), discriminator(made.detach())
        loss_d = binary(said, torch.ones_like(said)) + binary(guessed, torch.zeros_like(guessed))
        optimizers[1].zero_grad()
        loss_d.backward()
        optimizers[1].step()
        loss_g = binary(discriminator(made), torch.ones_like(said))
        optimizers[0].zero_grad()
        loss_g.backward()
        optimizers[0].step()
        if step % 20 == 0:
            log.log(step, {"D_loss": float(loss_d.detach()), "G_loss": float(loss_g.detach())})
    log.close()
    with torch.no_grad():
        away = torch.cdist(generator(torch.randn(800, 8, generator=random)), spots)
    near = float((away.amin(1) < 0.9).float().mean())
    require(near > 0.65 and len(set(away.argmin(1).tolist())) == 2, f"{near:.2f} near a spot")


@odd("history.h5")
def warm_start(run: Path, seed: int) -> None:
    """Ten epochs from a trained body with a new head: it starts far below ln 10 and gains what little is left; above 0.93."""
    of = data.bundled("digits", seed)
    half = len(of.x) // 2
    model = models.mlp((64, 48, 10))
    first = torch.optim.Adam(model.parameters(), lr=3e-3)
    log = JsonLines(run, "plain", "pretraining.jsonl", axis="epoch")
    tags = {"loss": "pretrain_loss", "val_loss": "pretrain_val_loss", "val_metric": "pretrain_val_acc"}
    train(Job(model, data.Split(of.x[:half], of.y[:half], of.x_val, of.y_val), first, 8, log, tags, seed=seed))
    (run / "pretraining.jsonl").unlink()
    second = torch.optim.Adam(model.parameters(), lr=3e-4)
    tags = {"loss": "loss", "val_loss": "val_loss", "metric": "acc", "val_metric": "val_acc", "lr": "lr"}
    found = train(Job(model, of, second, 10, Hdf5History(run, "plain"), tags, seed=seed))
    require(found.val_metric[-1] > 0.93 and found.val_loss[-1] < 1.1 * min(found.val_loss), f"not learned: {found}")


@odd("trainer_state.json, every 50 steps")
def sparse_log(run: Path, seed: int) -> None:
    """Six rows of training and three evaluations in all, as logging_steps=50 leaves of a short fine-tuning; above 0.75."""
    of = shapes(seed, 800, noise=0.25)
    of = data.Split(of.x / 255, of.y, of.x_val / 255, of.y_val)
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(300, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    inner = TrainerState(run, 19, 19 * 16, 50)

    class Rare:
        """Passes on each fifth evaluation."""

        def log(self, step: int, values: Mapping[str, float]) -> None:
            """What is of training, and some of what is not."""
            if "val_loss" not in values or step // 19 % 5 == 0:
                inner.log(step, values)

        def close(self) -> None:
            """Write the state."""
            inner.close()

    tags, steps = {"val_loss": "val_loss", "val_metric": "val_accuracy"}, {"loss": "train_loss", "lr": "lr"}
    found = train(Job(model, of, optimizer, 16, Rare(), tags, steps, 50, on_steps=True, seed=seed))
    learned(found, 0.75, late_rise=0.15)


@odd("csv as of Lightning; steps and epochs")
def label_noise(run: Path, seed: int) -> None:
    """A ring around a disc of which a fifth of the training labels are wrong: training accuracy stays at 0.8, below the validation's."""
    of = data.with_label_noise(circles(seed, 1000), 0.4, seed)
    model = models.mlp((2, 12, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    tags = {"loss": "train_loss_epoch", "metric": "train_acc", "val_loss": "val_loss", "val_metric": "val_acc"}
    tags["epoch"] = "epoch"
    steps = {"loss": "train_loss_step", "epoch": "epoch"}
    job = Job(model, of, optimizer, 25, Csv(run, "plain"), tags, steps, 10, on_steps=True, seed=seed)
    found = train(job)
    require(found.val_metric[-1] > 0.88 and found.val_loss[-1] < 1.1 * min(found.val_loss), f"not learned: {found}")
