"""Season, author B: a VAE, a triplet net, a GAN and reinforcement learning; and their repaired versions."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard, tensors_of
from bench.accuracy.programs_desk_common import spectra
from bench.accuracy.programs_season_b_common import loans
from bench.accuracy.programs_season_common import into, odd_into

RECIPES: list[Recipe] = []
pair = into(RECIPES)
odd = odd_into(RECIPES)


class Vae(nn.Module):
    """A variational autoencoder of dense layers."""

    def __init__(self, inputs: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, 48), nn.ReLU())
        self.mu, self.logvar = nn.Linear(48, latent), nn.Linear(48, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, 48), nn.ReLU(), nn.Linear(48, inputs))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encoder(x)
        mu, logvar = self.mu(hidden), self.logvar(hidden)
        return self.decoder(mu + torch.randn_like(mu) * (0.5 * logvar).exp()), mu, logvar


# "All my digits look like the same grey blob": a mean over pixels for the picture and a sum over codes for the KL.
@pair(
    "vae-posterior-collapse",
    ("posterior-collapse", "loss-plateau", "underfit", "representation-collapse", "low-variance"),
    "SummaryWriter with one scalar an epoch; mu and logvar in HDF5",
    dumps=True,
)
def b_digits_vae(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE whose reconstruction is a mean over pixels; fixed: a sum."""
    of = data.bundled("digits", seed)
    model = Vae(64, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log, dump, step, kept = TensorBoard(run, "plain"), Hdf5Dump(run), 0, torch.zeros(1)

    def parts(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reconstruction, KL, and what it comes from."""
        again, mu, logvar = model(x)
        error = (again - x).square().sum(1).mean() if fixed else functional.mse_loss(again, x)
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
        return error, kl, mu, logvar

    for epoch in range(22):
        rows = []
        for part in torch.randperm(len(of.x)).split(32):
            optimizer.zero_grad()
            error, kl, mu, logvar = parts(of.x[part])
            (error + kl).backward()
            if step % 120 == 0:
                dump.dump(step, tensors_of(model, {"mu": mu.detach(), "logvar": logvar.detach()}))
            optimizer.step()
            step += 1
            rows.append([float((error + kl).detach()), float(error.detach()), float(kl.detach())])
        with torch.no_grad():
            error, kept, _, _ = parts(of.x_val)
        means = np.mean(rows, 0)
        told = {"loss/train": means[0], "reconstruction/train": means[1], "kl/train": means[2]}
        log.log(epoch, told | {"loss/val": float(error + kept), "kl/val": float(kept)})
    log.close()
    dump.close()
    require(float(kept) > 3 if fixed else float(kept) < 0.1, f"KL of {float(kept):.3f}")


# "The loss is 0.2 and stays 0.2": that is the margin; all spectra have become one point.
@pair(
    "representation-collapse",
    (
        "loss-at-margin",
        "representation-collapse",
        "loss-plateau",
        "low-variance",
        "metric-at-chance",
        "loss-not-decreasing",
    ),
    "jsonl by hand; weights, gradients and embeddings in HDF5",
    dumps=True,
)
def b_spectra_triplets(run: Path, seed: int, fixed: bool) -> None:
    """Spectra of plastics by a triplet loss with the hardest negatives under Adam(0.05); fixed: all negatives, Adam(0.001)."""
    of = spectra(seed, noise=0.5)
    model = nn.Sequential(nn.Linear(60, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if fixed else 0.05)
    log, dump, step, value, hit = JsonLines(run, "plain", "triplet.jsonl", "epoch"), Hdf5Dump(run), 0, 0.0, 0.0

    def hardest(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the farthest of the same class against the nearest of another, and the embeddings."""
        codes = model(x)
        gaps = ((codes[:, None] - codes[None]).square().sum(-1) + 1e-9).sqrt()
        same = y[:, None] == y[None]
        if fixed:
            tuples = gaps[:, :, None] - gaps[:, None, :] + 0.2
            return tuples[same[:, :, None] & ~same[:, None, :]].relu().mean(), codes
        far = gaps.masked_fill(~same, -1.0).amax(1)
        near = gaps.masked_fill(same, 1e9).amin(1)
        return (far - near + 0.2).relu().mean(), codes

    for epoch in range(15):
        losses = []
        for part in torch.randperm(len(of.x)).split(45):
            optimizer.zero_grad()
            loss, codes = hardest(of.x[part], of.y[part])
            loss.backward()
            if step % 25 == 0:
                dump.dump(step, tensors_of(model, {"embedding": codes.detach()}))
            optimizer.step()
            step += 1
            losses.append(float(loss.detach()))
        with torch.no_grad():
            value = float(hardest(of.x_val[:60], of.y_val[:60])[0])
            nearest = torch.cdist(model(of.x_val), model(of.x)).argmin(1)
            hit = float((of.y[nearest] == of.y_val).float().mean())
        log.log(epoch, {"train_loss": float(np.mean(losses)), "val_loss": value, "val_recall_at_1": hit})
    log.close()
    dump.close()
    if fixed:
        require(hit > 0.8, f"recall {hit:.3f}, loss {value:.3f}")
    else:
        require(abs(value - 0.2) < 0.02 and hit < 0.75, f"recall {hit:.3f}, loss {value:.3f}")


# "epsilon = 0 while debugging", and it was never set back: the agent walks into the same wall each time.
@pair(
    "rl-never-explores",
    ("reward-flat", "entropy-collapse", "reward-collapse", "metric-at-chance", "stalled-training"),
    "csv by hand",
    framework="numpy",
)
def b_lake_greedy(run: Path, seed: int, fixed: bool) -> None:
    """A frozen lake of 4 by 4 with two holes by a table of Q with epsilon = 0; fixed: 1 that falls to 0.05 over 450 episodes."""
    random, table = np.random.default_rng(seed), np.zeros((16, 4))
    log, rewards = Csv(run, "plain", "episodes.csv", "episode"), []
    for episode in range(600):
        epsilon = max(0.05, 1 - episode / 450) if fixed else 0.0
        state, total, length = 0, 0.0, 0
        for _ in range(100):
            action = int(random.integers(4)) if random.random() < epsilon else int(table[state].argmax())
            row, column = divmod(state, 4)
            row, column = [(row, column - 1), (row + 1, column), (row, column + 1), (row - 1, column)][action]
            after = 4 * min(max(row, 0), 3) + min(max(column, 0), 3)
            reward, over = float(after == 15), after in (5, 12, 15)
            best = 0.0 if over else table[after].max()
            table[state, action] += 0.2 * (reward + 0.97 * best - table[state, action])
            state, total, length = after, total + reward, length + 1
            if over:
                break
        rewards.append(total)
        if (episode + 1) % 10 == 0:
            mean = float(np.mean(rewards[-10:]))
            log.log(episode + 1, {"epsilon": epsilon, "episode_reward": mean, "episode_length": length})
    log.close()
    found = float(np.mean(rewards[-100:]))
    require(found > 0.75 if fixed else found < 0.05, f"reward {found:.3f}")


# "Most rows of the table never get a gradient": nn.EmbeddingBag(sparse=True) over words of which most are rare.
@odd("csv by hand; weights and gradients in HDF5", dumps=True)
def b_sparse_words(run: Path, seed: int) -> None:
    """Loans with rare codes of branches in a sparse embedding, and gradients over four batches added up."""
    x, y, x_val, y_val = (torch.as_tensor(one) for one in loans(seed, noise=0.4))
    branch, branch_val = ((one[:, 0].abs() * 90).long().clamp(max=299) for one in (x, x_val))
    table, net = nn.Embedding(300, 4, sparse=True), nn.Sequential(nn.Linear(14, 24), nn.ReLU(), nn.Linear(24, 2))
    nn.init.zeros_(table.weight)
    slow, fast = torch.optim.SparseAdam(table.parameters(), lr=3e-4), torch.optim.Adam(net.parameters(), lr=3e-3)
    both = nn.ModuleDict({"branch": table, "net": net})
    log, dump, step, values = Csv(run, "plain", "sparse.csv", "epoch"), Hdf5Dump(run), 0, [0.0]
    hit = 0.0
    values.clear()
    for epoch in range(8):
        losses = []
        for number, part in enumerate(torch.randperm(len(x)).split(8)):
            loss = functional.cross_entropy(net(torch.cat([x[part], table(branch[part])], 1)), y[part])
            (loss / 4).backward()
            losses.append(float(loss.detach()))
            if number % 4 == 3:
                if step % 40 == 0:
                    dump.dump(step, tensors_of(both))
                for one in (slow, fast):
                    one.step()
                    one.zero_grad()
                step += 1
        with torch.no_grad():
            told = net(torch.cat([x_val, table(branch_val)], 1))
            values.append(float(functional.cross_entropy(told, y_val)))
            hit = float((told.argmax(1) == y_val).float().mean())
        log.log(epoch, {"train_loss": float(np.mean(losses)), "val_loss": values[-1], "val_acc": hit})
    log.close()
    dump.close()
    require(
        hit > 0.76 and values[-1] < 1.1 * min(values), f"accuracy {hit:.3f}, loss {values[-1]:.3f} of {min(values):.3f}"
    )
