"""Programs with callbacks, generative models and a learner by rewards in which one thing is wrong; and their repaired versions."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_desk_common import spectra
from bench.accuracy.programs_field_common import (
    Snapshots,
    Trail,
    above,
    below,
    last,
    steady,
    told,
)
from bench.accuracy.programs_post_common import board, houses
from bench.accuracy.programs_quarter_b_common import arrays, fit, fresh, one_hot, stack, tensor_dump
from bench.accuracy.programs_quarter_common import into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The loss falls nicely to 0.69 of something and accuracy is 10 %": kernel_regularizer=l2(0.3) in each layer.
@pair(
    "weight-decay-too-strong",
    ("weights-vanish", "metric-at-chance", "constant-answer", "loss-plateau", "underfit", "all-zero"),
    "Keras TensorBoard callback and dumps to Parquet",
    framework="keras",
    dumps=True,
)
def b_spectra_l2(run: Path, seed: int, fixed: bool) -> None:
    """Plastics from their spectra by an MLP with l2(0.3); fixed: l2(0.0003)."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(spectra(seed, noise=0.15))
    layers, l2 = keras.layers, keras.regularizers.L2(3e-4 if fixed else 0.3)
    model = stack(
        keras,
        (60,),
        layers.Dense(32, activation="relu", kernel_regularizer=l2),
        layers.Dense(16, activation="relu", kernel_regularizer=l2),
        layers.Dense(5, activation="softmax", kernel_regularizer=l2),
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    dump = tensor_dump(keras, ParquetDump(run), x[:64], y[:64], "wg", 3)
    found = fit(model, (x, y, x_val, y_val), 24, callbacks=[board(keras, run), dump])
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_loss", 0.3)
    else:
        below(found, "val_accuracy", 0.4)


# "Learning stops after five epochs": ReduceLROnPlateau(monitor="val_loss", mode="max"), so every better loss is a plateau.
@pair(
    "learning-rate-zero-too-early",
    ("rate-falls-too-soon", "learning-rate-zero", "schedule-mismatch", "updates-too-small", "underfit", "loss-plateau"),
    "Keras CSVLogger with learning_rate",
    framework="keras",
)
def b_houses_plateau_upside_down(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by an MLP with ReduceLROnPlateau in mode max; fixed: in mode min."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(houses(seed, samples=640))
    y, y_val = (y - y.mean()) / y.std(), (y_val - y.mean()) / y.std()
    layers = keras.layers
    model = stack(
        keras, (10,), layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1)
    )
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae", "r2_score"])
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", mode="min" if fixed else "max", factor=0.1, patience=1 + 2 * fixed
    )
    csv = keras.callbacks.CSVLogger(str(run / "history.csv"))
    found = fit(model, (x, y, x_val, y_val), 25, callbacks=[plateau, csv])
    if fixed:
        above(found, "val_r2_score", 0.75)
        steady(found, "val_loss", 0.2)
    else:
        require(last(found, "val_r2_score") < 0.65 and found["learning_rate"][-1] < 1e-6, told(found))


# "Accuracy is fine but the loss never gets below 1.46": softmax at the end and from_logits=True in the loss.
@pair(
    "double-softmax",
    ("softmax-twice", "loss-plateau", "underfit", "loss-not-decreasing"),
    "Keras CSVLogger",
    framework="keras",
)
def b_digits_from_logits(run: Path, seed: int, fixed: bool) -> None:
    """Digits by an MLP whose loss takes shares for logits; fixed: it takes them for shares."""
    keras = fresh(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed))
    layers = keras.layers
    model = stack(keras, (64,), layers.Dense(40, activation="relu"), layers.Dropout(0.1), layers.Dense(10))
    model.add(layers.Softmax())

    def cross_entropy(targets, shares):  # type: ignore[no-untyped-def]
        """What the loss of Keras does; torch's Keras would see the softmax and warn."""
        return keras.ops.categorical_crossentropy(targets, shares * 1.0, from_logits=not fixed)

    model.compile(keras.optimizers.SGD(0.1), cross_entropy, metrics=["categorical_accuracy"])
    csv = keras.callbacks.CSVLogger(str(run / "digits.csv"))
    found = fit(model, (x, one_hot(y, 10), x_val, one_hot(y_val, 10)), 20, batch=64, callbacks=[csv])
    if fixed:
        above(found, "val_categorical_accuracy", 0.94)
        below(found, "val_loss", 0.25)
        steady(found, "val_loss", 0.2)
    else:
        require(last(found, "val_loss") > 1.46, told(found))


# "The decoder draws the mean digit, and KL is 0.0000": the divergence is a sum and the error a mean.
@pair(
    "kl-collapse",
    (
        "posterior-collapse",
        "representation-collapse",
        "loss-plateau",
        "loss-not-decreasing",
        "underfit",
        "low-variance",
    ),
    "SummaryWriter and add_histogram",
    dumps=True,
)
def b_vae_kl(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits whose error is a mean over pixels and whose divergence is a sum; fixed: both are sums."""
    of = data.bundled("digits", seed, scaled=False)
    x, x_val = of.x / 16, of.x_val / 16
    encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
    decoder = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid())
    vae = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    optimizer = torch.optim.Adam(vae.parameters(), 3e-3)
    writer, random, found = TensorBoard(run, "plain"), data.generator(seed), Trail()
    snapshots = Snapshots(HistogramDump(writer), vae, 1, watched=False)

    def parts(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Error and divergence, and the means of the code."""
        mean, spread = encoder(batch).chunk(2, -1)
        code = mean + torch.randn(mean.shape, generator=random) * (spread / 2).exp()
        error = functional.mse_loss(decoder(code), batch, reduction="none")
        kl = -0.5 * (1 + spread - mean.square() - spread.exp()).sum(-1).mean()
        return error.sum(-1).mean() if fixed else error.mean(), kl * (0.2 if fixed else 1), mean

    for epoch in range(24):
        rows = []
        for chosen in torch.randperm(len(x), generator=random).split(64):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            error, kl, mean = parts(x[chosen])
            (error + kl).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rows.append((float(error), float(kl)))
        if epoch % 3 == 0:
            snapshots.extra = {"activations/encoder.mu": mean.detach().numpy()}
            snapshots.take(epoch + 1)
        with torch.no_grad():
            error, kl, _ = parts(x_val)
        train = np.mean(rows, 0)
        row = {
            "Loss/train": float(train.sum()),
            "Loss/recon": float(train[0]),
            "Loss/kl": float(train[1]),
            "Loss/val": float(error + kl),
            "Recon/val": float(error),
        }
        writer.log(epoch, row)
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    writer.close()
    spread = float((x_val - x.mean(0)).square().mean()) * (64 if fixed else 1)
    if fixed:
        below(found, "Recon/val", 0.6 * spread)
        steady(found, "Loss/val", 0.1)
    else:
        require(last(found, "Recon/val") > 0.95 * spread and last(found, "Loss/kl") < 0.01, f"{spread}; {told(found)}")


# "The critic always wins and the fakes never change": .detach() stands in the generator's step too.
@pair(
    "detached-graph",
    ("discriminator-wins", "adversarial-divergence", "unchanged-tensor", "gradient-all-zero", "loss-divergence"),
    "CSV by hand and dumps to HDF5",
    dumps=True,
)
def b_gan_detached(run: Path, seed: int, fixed: bool) -> None:
    """A GAN of a bent line whose generator's fakes are detached in its own step; fixed: they are not."""
    random = data.generator(seed)
    torch.manual_seed(seed)
    generator, critic = models.gan_pair(2, 8, 32)
    ahead = torch.optim.Adam(generator.parameters(), 1e-3, betas=(0.5, 0.999))
    judge = torch.optim.Adam(critic.parameters(), 1e-3, betas=(0.5, 0.999))
    log, dump, found = Csv(run, "plain", "gan_log.csv", "step"), Hdf5Dump(run), Trail()
    bce = functional.binary_cross_entropy_with_logits

    def real(count: int) -> torch.Tensor:
        """Points of a bent line."""
        at = torch.rand(count, generator=random) * 2 - 1
        return torch.stack([at + 1.5, 2 * at.square() - 1.5], -1) + 0.05 * torch.randn(count, 2, generator=random)

    for step in range(1, 1201):
        fake = generator(torch.randn(64, 8, generator=random))
        told_real, told_fake = critic(real(64)), critic(fake.detach())
        loss_d = bce(told_real, torch.ones_like(told_real)) + bce(told_fake, torch.zeros_like(told_fake))
        judge.zero_grad()
        loss_d.backward()  # type: ignore[no-untyped-call]
        judge.step()
        told_fake = critic(fake if fixed else fake.detach())
        loss_g = bce(told_fake, torch.ones_like(told_fake))
        ahead.zero_grad()
        loss_g.backward()  # type: ignore[no-untyped-call]
        if step % 150 == 1:
            made = {}
            for part, net in (("G", generator), ("D", critic)):
                for name, one in net.named_parameters():
                    made[f"weights/{part}.{name}"] = one.detach().numpy().copy()
                    if one.grad is not None:
                        made[f"gradients/{part}.{name}"] = one.grad.numpy().copy()
            dump.dump(step, made)
        ahead.step()
        if step % 20 == 0:
            row = {"d_loss": float(loss_d), "g_loss": float(loss_g)}
            row |= {"D(x)": float(told_real.sigmoid().mean()), "D(G(z))": float(told_fake.sigmoid().mean())}
            log.log(step, row)
            for name, value in row.items():
                found.setdefault(name, []).append(value)
    log.close()
    dump.close()
    with torch.no_grad():
        made_up, points = generator(torch.randn(512, 8, generator=random)), real(512)
    near = float(torch.cdist(points, made_up).min(1).values.mean())
    if fixed:
        require(near < 0.15 and last(found, "d_loss", 10) > 0.8, f"{near}; {told(found)}")
    else:
        require(near > 0.5 and last(found, "d_loss", 10) < 0.1, f"{near}; {told(found)}")


# "The agent always takes the small reward next door": epsilon is 0 from the start.
@pair(
    "never-explores",
    ("reward-flat", "entropy-collapse", "task-not-learned"),
    "jsonl by hand",
)
def b_corridor_greedy(run: Path, seed: int, fixed: bool) -> None:
    """A corridor with a small reward on the left and a large one on the right, by Q-learning that is greedy; fixed: epsilon falls."""
    rng, log, found = np.random.default_rng(seed), JsonLines(run, "plain", "episodes.jsonl", "episode"), Trail()
    values = 0.01 * rng.random((9, 2))
    values[:, 0] += 0.02
    for episode in range(1, 601):
        at, total, ended, length, errors = 3, 0.0, False, 0, []
        epsilon = max(0.05, 1 - episode / 300) if fixed else 0.0
        while not ended and length < 40:
            action = int(rng.integers(2)) if rng.random() < epsilon else int(values[at].argmax())
            after = at + (1 if action else -1)
            if rng.random() < 0.05:
                after = at
            reward = 1.0 if after == 0 else 10.0 if after == 8 else -0.05
            ended = after in (0, 8)
            error = reward + (0 if ended else 0.95 * values[after].max()) - values[at, action]
            values[at, action] += 0.1 * error
            errors.append(error * error)
            at, total, length = after, total + reward, length + 1
        row = {
            "reward": total,
            "length": length,
            "td_loss": float(np.mean(errors)),
            "epsilon": epsilon,
        }
        for name, value in row.items():
            found.setdefault(name, []).append(float(value))
        if episode % 5 == 0:
            log.log(episode, {name: float(np.mean(one[-5:])) for name, one in found.items()})
    log.close()
    if fixed:
        require(last(found, "reward", 50) > 7, told(found))
    else:
        require(last(found, "reward", 50) < 1.5, told(found))
