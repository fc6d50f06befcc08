"""Programs of the forum that were asked about though nothing is wrong with them: their curves look odd."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, TensorBoard, tensors_of, watch
from bench.accuracy.programs_forum_common import (
    SEEN,
    Job,
    Table,
    arrays,
    ends_well,
    explained,
    history_parquet,
    hits,
    keras_board,
    keras_module,
    steps,
    tested,
    write_json,
)

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]


def odd(logger: str, dumps: bool = False, framework: str = "torch") -> Callable[[Build], Build]:
    """A decorator that appends a healthy recipe named after the function: `forum-odd-…`."""

    def keep(build: Build) -> Build:
        name = f"forum-odd-{build.__name__.replace('_', '-')}"
        about = {"scalars_only": not dumps, "framework": framework, "logger": logger}
        RECIPES.append(Recipe(name, "healthy", SEEN, build, **about))
        return build

    return keep


@odd("csv")
def density_below_zero(run: Path, seed: int) -> None:
    """A mixture of Gaussians for a narrow curve: the negative log-likelihood falls below zero, as that of a narrow density must."""
    random = data.generator(seed)
    x = 2 * torch.rand(1000, 1, generator=random) - 1
    y = torch.sin(3 * x) + 0.04 * torch.randn(1000, 1, generator=random)
    of = data.Split(x[:800], y[:800], x[800:], y[800:])
    model = models.mlp((1, 32, 32, 9), "tanh")

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        weight, mean, scale = outputs.chunk(3, -1)
        normal = torch.distributions.Normal(mean, functional.softplus(scale) + 1e-3)
        return -torch.logsumexp(torch.log_softmax(weight, -1) + normal.log_prob(targets), -1).mean()

    job = Job(model, of, torch.optim.Adam(model.parameters(), 4e-3), 40, likelihood, lambda *_: 0.0, 40, seed)
    table = Table(run / "mdn.csv", ["epoch", "nll", "val_nll"])
    decay, losses = torch.optim.lr_scheduler.ExponentialLR(job.optimizer, 0.95), list[float]()
    for now in steps(job):
        if now.last:
            losses.append(tested(job)[0])
            table.row(epoch=now.epoch, nll=now.mean_loss, val_nll=losses[-1])
            decay.step()
    table.close()
    require(losses[-1] < -1.0, f"negative log-likelihood {losses[-1]:.3g}")
    ends_well(False, losses, 0.15)


@odd("tensorboard by step")
def triplet_to_zero(run: Path, seed: int) -> None:
    """Triplets of digits with a margin: most batches end at a loss of exactly 0, since every triplet is told apart."""
    of = data.bundled("digits", seed)
    random = data.generator(seed)
    model = models.mlp((64, 64, 16))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    writer, criterion = SummaryWriter(str(run)), nn.TripletMarginLoss(0.5)
    groups = [torch.nonzero(of.y == one).squeeze(1) for one in range(10)]
    losses = list[float]()
    for step in range(1, 801):
        kinds = torch.stack([torch.randperm(10, generator=random)[:2] for _ in range(24)])
        chosen = [
            [groups[int(kind)][torch.randint(len(groups[int(kind)]), (1,), generator=random)] for kind in (a, a, b)]
            for a, b in kinds
        ]
        anchor, positive, negative = (model(of.x[torch.cat([one[part] for one in chosen])]) for part in range(3))
        loss = criterion(anchor, positive, negative)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 4 == 0:
            writer.add_scalar("triplet_loss", losses[-1], step)
        if step % 80 == 0:
            writer.add_scalar("recall_at_1", _recall(model, of), step)
    writer.close()
    require(_recall(model, of) > 0.9, f"recall {_recall(model, of):.3f}")
    require(losses[-100:].count(0.0) > 20, f"{losses[-100:].count(0.0)} of the last 100 losses are 0")


def _recall(model: nn.Module, of: data.Split) -> float:
    """Share of validation images whose nearest training image is of their class."""
    with torch.no_grad():
        nearest = torch.cdist(model(of.x_val), model(of.x)).argmin(1)
    return float((of.y[nearest] == of.y_val).float().mean())


@odd("tensorboard")
def cyclic_rate(run: Path, seed: int) -> None:
    """CyclicLR in triangles of 130 steps: loss and accuracy swing with the rate, and each valley is lower; it ends in one."""
    model = models.cnn(channels=(8, 16), norm=True)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    cycle = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.0005, 0.12, step_size_up=65, mode="triangular")
    job = Job(model, data.bundled("digits", seed).as_images(), optimizer, 12, seed=seed)
    writer, losses, reached = SummaryWriter(str(run)), list[float](), 0.0
    for now in steps(job):
        if now.step % 5 == 0:
            writer.add_scalar("Train/ce", now.loss, now.step)
            writer.add_scalar("Train/lr", cycle.get_last_lr()[0], now.step)
        cycle.step()
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            writer.add_scalar("Val/ce", val_loss, now.step)
            writer.add_scalar("Val/top1", reached, now.step)
    writer.close()
    require(reached > 0.95, f"validation accuracy {reached:.3f}")
    ends_well(False, losses, 0.2)


@odd("csv of monitor.csv's kind")
def noisy_returns(run: Path, seed: int) -> None:
    """Returns of single episodes with rare jackpots: noise far above the trend, and a mean that rises by more than half."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    worth = np.array([0.2, 0.5, 1.0, 0.35, 0.1])
    preference, baseline = torch.zeros(5, requires_grad=True), 0.0
    optimizer = torch.optim.Adam([preference], 0.006)
    table, returns = Table(run / "progress.csv", ["episode", "ep_rew", "policy_entropy"]), list[float]()
    for episode in range(1500):
        chances = torch.distributions.Categorical(logits=preference)
        actions = chances.sample((12,))
        reward = worth[actions.numpy()] * (random.random(12) < 0.25) * 4 + random.normal(0, 0.6, 12)
        baseline += 0.02 * (float(reward.mean()) - baseline)
        gain = torch.tensor(reward - baseline, dtype=torch.float32)
        loss = -(chances.log_prob(actions) * gain).mean() - 0.01 * chances.entropy()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        returns.append(float(reward.sum()))
        if episode % 3 == 0:
            table.row(episode=episode, ep_rew=returns[-1], policy_entropy=chances.entropy().item())
    table.close()
    first, last = np.mean(returns[:100]), np.mean(returns[-200:])
    require(last > 1.5 * first, f"mean return {first:.2f} at first, {last:.2f} at the end")


@odd("tensorboard")
def gan_in_balance(run: Path, seed: int) -> None:
    """A GAN of two Gaussians: both losses hover near their equilibrium and never fall, while the samples come to match mean and spread."""
    random = data.generator(seed)
    generator, discriminator = models.gan_pair(2, 6, 32)
    both = [torch.optim.Adam(one.parameters(), 5e-4, betas=(0.5, 0.999)) for one in (generator, discriminator)]
    writer, bce = SummaryWriter(str(run)), functional.binary_cross_entropy_with_logits
    for step in range(1, 1201):
        side = torch.randint(0, 2, (64, 1), generator=random) * 2.0 - 1
        real = torch.cat([side, -0.5 * side], 1) + 0.3 * torch.randn(64, 2, generator=random)
        made = generator(torch.randn(64, 6, generator=random))
        told = torch.cat([discriminator(real), discriminator(made.detach())])
        loss_d = bce(told, torch.cat([torch.full((64, 1), 0.9), torch.zeros(64, 1)]))
        both[1].zero_grad()
        loss_d.backward()
        both[1].step()
        loss_g = bce(discriminator(made), torch.ones(64, 1))
        both[0].zero_grad()
        loss_g.backward()
        both[0].step()
        if step % 10 == 0:
            writer.add_scalar("d_loss", loss_d.item(), step)
            writer.add_scalar("g_loss", loss_g.item(), step)
    writer.close()
    with torch.no_grad():
        made = generator(torch.randn(2000, 6, generator=random))
    spread = made.std(0)
    require(float(made.mean(0).norm()) < 0.6 and 0.7 < float(spread[0]) < 1.4, f"spread {spread}, mean {made.mean(0)}")


@odd("tensorboard, two files that overlap")
def resumed_with_overlap(run: Path, seed: int) -> None:
    """A job that was killed after its checkpoint and resumed from it: steps 400 to 460 are logged twice, and all goes on as before."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 32, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.5)
    random, kept, losses, reached = data.generator(seed), {}, list[float](), 0.0
    for first, last in ((1, 460), (401, 900)):
        if kept:
            model.load_state_dict(kept["model"])
            optimizer.load_state_dict(kept["optimizer"])
        writer = SummaryWriter(str(run), filename_suffix=f".{first}")
        for step in range(first, last + 1):
            chosen = torch.randint(0, len(of.x), (32,), generator=random)
            loss = functional.cross_entropy(model(of.x[chosen]), of.y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step == 400:
                kept = {
                    "model": {k: v.clone() for k, v in model.state_dict().items()},
                    "optimizer": optimizer.state_dict(),
                }
            if step % 5 == 0:
                writer.add_scalar("model_a/loss", loss.item(), step)
            if step % 50 == 0:
                with torch.no_grad():
                    outputs = model(of.x_val)
                losses.append(float(functional.cross_entropy(outputs, of.y_val)))
                reached = hits(outputs, of.y_val)
                writer.add_scalar("model_a/dev_loss", losses[-1], step)
                writer.add_scalar("model_a/dev_acc", reached, step)
        writer.close()
    require(reached > 0.92, f"validation accuracy {reached:.3f}")
    ends_well(False, losses)


@odd("json, six rows")
def sparse_rows(run: Path, seed: int) -> None:
    """3,000 steps of which every 500th is logged with its error rate in per cent, which falls to below 12."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 24, 10), "tanh", dropout=0.2)
    job = Job(model, of, torch.optim.SGD(model.parameters(), 0.01), 70, seed=seed)
    rows, losses = [], list[float]()
    for now in steps(job):
        if now.step % 500 == 0:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            about = {"iter": now.step, "loss": now.loss, "dev_loss": val_loss, "dev_error_rate": 100 * (1 - reached)}
            rows.append(about)
        if now.step == 3000:
            break
    write_json(run / "log.json", rows)
    require(rows[-1]["dev_error_rate"] < 12, f"error rate {rows[-1]['dev_error_rate']:.1f} %")
    ends_well(False, losses)


@odd("tensorboard, hdf5 dump", dumps=True)
def weighted_tasks(run: Path, seed: int) -> None:
    """Two tasks with learned weights exp(-s): the total falls below zero while both tasks' own losses fall to their noise."""
    of = data.regression(seed + 3, samples=900)
    trunk = models.mlp((8, 48, 16))
    heads, logs = nn.Linear(16, 2), nn.Parameter(torch.zeros(2))
    targets = torch.cat([of.y, 0.5 * of.x[:, :1] ** 2], 1)
    targets_val = torch.cat([of.y_val, 0.5 * of.x_val[:, :1] ** 2], 1)
    optimizer = torch.optim.Adam([*trunk.parameters(), *heads.parameters(), logs], 5e-3)
    writer, dump, seen = SummaryWriter(str(run)), Hdf5Dump(run), watch(trunk)
    random, losses, outputs = data.generator(seed), list[float](), Tensor()
    for epoch in range(50):
        sums = torch.zeros(3)
        for chosen in torch.randperm(len(of.x), generator=random).split(64):
            each = ((heads(functional.relu(trunk(of.x[chosen]))) - targets[chosen]) ** 2).mean(0)
            total = (torch.exp(-logs) * each + logs).sum()
            optimizer.zero_grad()
            total.backward()
            sums += torch.cat([each.detach(), total.detach()[None]]) * len(chosen) / len(of.x)
            optimizer.step()
        if epoch % 5 == 0:
            dump.dump(epoch, tensors_of(trunk, seen))
        with torch.no_grad():
            outputs = heads(functional.relu(trunk(of.x_val)))
        losses.append(float(((outputs - targets_val) ** 2).mean()))
        for name, value in zip(("loss_price", "loss_size", "loss_total"), sums.tolist(), strict=True):
            writer.add_scalar(f"multitask/train/{name}", value, epoch)
        writer.add_scalar("multitask/val/mse", losses[-1], epoch)
        optimizer.param_groups[0]["lr"] *= 0.93
    writer.close()
    dump.close()
    scores = [explained(outputs[:, k], targets_val[:, k]) for k in range(2)]
    require(min(scores) > 0.6, f"R² {scores}")
    ends_well(False, losses, 0.15)


@odd("csv")
def divergence_that_rises(run: Path, seed: int) -> None:
    """A variational autoencoder: its KL term rises from nothing as the code begins to be used, while the reconstruction falls."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    encoder, decoder = models.mlp((64, 64, 16)), models.mlp((8, 64, 64))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 2e-3)
    log, random, elbos, kls = (
        Csv(run, "plain", name="vae_log.csv", axis="epoch"),
        data.generator(seed),
        list[float](),
        list[float](),
    )

    def terms(batch: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = encoder(batch).chunk(2, 1)
        code = mean + torch.randn(mean.shape, generator=random) * torch.exp(logvar / 2)
        reconstruction = functional.binary_cross_entropy_with_logits(decoder(code), batch, reduction="none").sum(1)
        return reconstruction.mean(), (0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)).mean()

    for epoch in range(30):
        total = np.zeros(2)
        for chosen in torch.randperm(len(x), generator=random).split(64):
            parts = terms(x[chosen])
            optimizer.zero_grad()
            (parts[0] + parts[1]).backward()
            optimizer.step()
            total += np.array([float(one.detach()) for one in parts]) * len(chosen) / len(x)
        with torch.no_grad():
            left, kl = (float(one) for one in terms(x_val))
        elbos.append(left + kl)
        kls.append(total[1])
        log.log(epoch, {"recon_loss": total[0], "kl_loss": total[1], "val_elbo_loss": left + kl})
    log.close()
    require(
        kls[-1] > 2 * kls[0] and elbos[-1] < 0.85 * elbos[0],
        f"KL {kls[0]:.2f} to {kls[-1]:.2f}, loss {elbos[0]:.1f} to {elbos[-1]:.1f}",
    )
    ends_well(False, elbos)


@odd("tensorboard")
def long_flat_then_learns(run: Path, seed: int) -> None:
    """Exclusive or of signs behind noise columns: flat at ln 2 for a good while, then the loss drops and accuracy passes 0.9."""
    random = data.generator(seed)
    x = torch.randn(4000, 6, generator=random)
    y = (x[:, 0] * x[:, 1] > 0).long()
    of = data.Split(x[:3200], y[:3200], x[3200:], y[3200:])
    model = models.mlp((6, 32, 32, 2), "tanh")
    job = Job(model, of, torch.optim.SGD(model.parameters(), 0.04, momentum=0.5), 60, batch=64, seed=seed)
    log, losses, reached = TensorBoard(run, "plain"), list[float](), 0.0
    for now in steps(job):
        if now.last:
            val_loss, reached = tested(job)
            losses.append(val_loss)
            log.log(
                now.epoch, {"clf/loss/train": now.mean_loss, "clf/loss/dev": val_loss, "clf/f1_like_acc/dev": reached}
            )
    log.close()
    require(reached > 0.88, f"validation accuracy {reached:.3f}")
    require(losses[2] > 0.66, f"validation loss {losses[2]:.3f} after three epochs")
    ends_well(False, losses)


@odd("event files of Keras' callback", framework="keras")
def validation_better_than_training(run: Path, seed: int) -> None:
    """Strong noise and dropout in training only: the validation loss is far below the training loss from start to end."""
    keras = keras_module(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    layers = [keras.Input((64,)), keras.layers.GaussianNoise(0.8), keras.layers.Dense(64, activation="relu")]
    model = keras.Sequential([*layers, keras.layers.Dropout(0.6), keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    given = {"validation_data": (x_val, y_val), "batch_size": 64, "verbose": 0, "callbacks": [keras_board(run)]}
    history = model.fit(x, y, epochs=25, **given).history
    require(history["val_accuracy"][-1] > 0.92, f"validation accuracy {history['val_accuracy'][-1]:.3f}")
    require(
        history["val_loss"][-1] < 0.8 * history["loss"][-1], "the validation loss is not far below the training loss"
    )
    ends_well(False, history["val_loss"])


@odd("history as Parquet", framework="sklearn")
def deviance_of_counts(run: Path, seed: int) -> None:
    """Boosted trees for counts: the Poisson objective falls below zero, as it leaves out a constant; half of what can be known is."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, signal = datasets.make_friedman1(1200, 8, noise=0.5, random_state=seed)
    y = np.random.default_rng(seed).poisson(np.maximum(signal, 0.1))
    x, x_val, y, y_val = x[:900], x[900:], y[:900], y[900:]
    model = HistGradientBoostingRegressor(
        loss="poisson", learning_rate=0.08, max_iter=60, max_leaf_nodes=8, random_state=seed
    )
    model.fit(x, y)
    history: dict[str, list[float]] = {"poisson_loss": [], "val_poisson_loss": []}
    pairs = zip(model.staged_predict(x), model.staged_predict(x_val), strict=True)
    for told, told_val in pairs:
        history["poisson_loss"].append(float(np.mean(told - y * np.log(told))))
        history["val_poisson_loss"].append(float(np.mean(told_val - y_val * np.log(told_val))))
    history_parquet(run / "boosting.parquet", history)
    losses = history["val_poisson_loss"]
    left = float(np.mean((model.predict(x_val) - y_val) ** 2) / np.var(y_val))
    require(left < 0.7 and losses[-1] < 0 and math.isfinite(losses[-1]), f"{left:.2f} is left, loss {losses[-1]:.3f}")
    ends_well(False, losses)
