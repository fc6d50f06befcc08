"""Programs in PyTorch of policies and of generative models, leaks and nets that are too small; and their repaired versions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, JsonLines, TensorBoard
from bench.accuracy.programs_decade_common import into
from bench.accuracy.programs_desk_common import customers, gestures
from bench.accuracy.programs_field_common import Snapshots, Trail, above, below, fit, steady, told

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The reward is flat at 0.2 from the first episode": epsilon_start = 0 in the config of a DQN.
@pair(
    "rl-never-explores",
    ("reward-flat", "entropy-collapse", "reward-collapse", "loss-plateau"),
    "SummaryWriter with rollout/ep_rew_mean, train/loss, rollout/exploration_rate",
)
def greedy_from_the_start(run: Path, seed: int, fixed: bool) -> None:
    """A corridor of 8 fields with a small prize at the left and a large one at the right, by Q-learning without exploration."""
    random = np.random.default_rng(seed)
    last = nn.Linear(32, 2)
    net = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), last)
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.copy_(torch.tensor([0.1, 0.0]))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    eye = torch.eye(9)
    memory: list[tuple[int, int, float, int, bool]] = []
    writer = TensorBoard(run, "plain")
    kept: list[float] = []
    trail: Trail = {}
    for episode in range(1, 241):
        epsilon = max(0.05, 1 - episode / 130) if fixed else 0.0
        place, total, losses = 2, 0.0, []
        for _ in range(25):
            with torch.no_grad():
                greedy = int(net(eye[place]).argmax())
            action = int(random.integers(0, 2)) if random.random() < epsilon else greedy
            after = place + (1 if action else -1)
            reward = {0: 0.2, 8: 1.0}.get(after, 0.0)
            memory.append((place, action, reward, after, after in (0, 8)))
            total, place = total + reward, after
            rows = [memory[int(one)] for one in random.integers(0, len(memory), 16)]
            s, a, r, n, over = (torch.tensor(column) for column in zip(*rows, strict=True))
            with torch.no_grad():
                goal = r.float() + 0.95 * net(eye[n]).max(-1).values * (~over)
            loss = functional.smooth_l1_loss(net(eye[s])[torch.arange(16), a], goal)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            if after in (0, 8):
                break
        kept.append(total)
        if episode % 10 == 0:
            row = {
                "rollout/ep_rew_mean": float(np.mean(kept[-20:])),
                "rollout/exploration_rate": epsilon,
                "train/loss": float(np.mean(losses)),
            }
            writer.log(episode, row)
            for name, value in row.items():
                trail.setdefault(name, []).append(value)
    writer.close()
    if fixed:
        above(trail, "rollout/ep_rew_mean", 0.8)
    else:
        below(trail, "rollout/ep_rew_mean", 0.3)


# "All faces look the same": eight modes on a ring, and a generator that always makes one of them.
@pair(
    "gan-mode-collapse",
    ("discriminator-wins", "adversarial-divergence", "low-variance", "representation-collapse", "unstable-loss"),
    "SummaryWriter with Loss/G, Loss/D, D(x), D(G(z))",
)
def discriminator_much_faster(run: Path, seed: int, fixed: bool) -> None:
    """Points on a ring of eight modes; the discriminator learns at 0.01 and the generator at 0.0001; fixed: both alike, with R1."""
    random = torch.Generator().manual_seed(seed)
    generator, discriminator = models.gan_pair(2, 8, 48)
    rates = (1e-3, 1e-3) if fixed else (1e-4, 1e-2)
    g_opt = torch.optim.Adam(generator.parameters(), lr=rates[0], betas=(0.5, 0.99))
    d_opt = torch.optim.Adam(discriminator.parameters(), lr=rates[1], betas=(0.5, 0.99))
    writer = TensorBoard(run, "plain")
    trail: Trail = {}
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    turns = torch.arange(8.0) * torch.pi / 4
    centres = torch.stack([turns.cos(), turns.sin()], -1)
    bce = functional.binary_cross_entropy_with_logits
    for step in range(1, 1001):
        angle = torch.randint(0, 8, (64,), generator=random) * torch.pi / 4
        real = torch.stack([angle.cos(), angle.sin()], -1) + 0.05 * torch.randn(64, 2, generator=random)
        real.requires_grad_(fixed)
        fake = generator(torch.randn(64, 8, generator=random))
        on_real, on_fake = discriminator(real), discriminator(fake.detach())
        d_loss = bce(on_real, ones) + bce(on_fake, zeros)
        penalty = torch.zeros(())
        if fixed:
            slope = torch.autograd.grad(on_real.sum(), real, create_graph=True)[0]
            penalty = 0.1 * slope.square().sum(1).mean()
        d_opt.zero_grad()
        (d_loss + penalty).backward()
        d_opt.step()
        judged = discriminator(fake)
        g_loss = bce(judged, ones)
        g_opt.zero_grad()
        g_loss.backward()
        g_opt.step()
        if step % 20 == 0:
            near = (fake.detach()[:, None] - centres).norm(dim=-1)
            row = {
                "Loss/D": float(d_loss.detach()),
                "Loss/G": float(g_loss.detach()),
                "D(x)": float(on_real.detach().sigmoid().mean()),
                "D(G(z))": float(judged.detach().sigmoid().mean()),
                "modes": float(len(set(near.argmin(1)[near.min(1).values < 0.3].tolist()))),
            }
            writer.log(step, row)
            for name, value in row.items():
                trail.setdefault(name, []).append(value)
    writer.close()
    if fixed:
        above(trail, "modes", 6)
    else:
        below(trail, "modes", 3)


# "All reconstructions are the mean digit and the KL is 0.0001": reconstruction as a mean over pixels, KL as a sum.
@pair(
    "vae-kl-collapse",
    ("posterior-collapse", "loss-plateau", "low-variance", "underfit"),
    "Lightning's metrics.csv with val_kl and val_recon, and tensors in HDF5",
    dumps=True,
)
def kl_drowns_the_pixels(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a VAE whose reconstruction is a mean over pixels and whose KL is a sum; fixed: both are sums."""
    of = data.bundled("digits", seed, scaled=False)
    of = replace(of, x=of.x / 16, y=of.x / 16, x_val=of.x_val / 16, y_val=of.x_val / 16)

    class Vae(nn.Module):
        """An encoder to a code of 8, and a decoder."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
            self.decoder = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64))
            self.kl = torch.zeros(())

        def forward(self, x: Tensor) -> Tensor:
            mean, log_variance = self.encoder(x).chunk(2, -1)
            self.kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
            noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
            return self.decoder(mean + noise * (0.5 * log_variance).exp())

    model = Vae()

    def pixels(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs, targets)

    def also() -> dict[str, float]:
        with torch.no_grad():
            error = (model(of.x_val).sigmoid() - of.x_val).square().mean()
        return {"val_kl": float(model.kl), "val_mse": float(error)}

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        20,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "", "val_loss", "val_recon"),
        loss=lambda outputs, targets: (64 if fixed else 1) * pixels(outputs, targets) + model.kl,
        metric=pixels,
        seed=seed,
        also=also,
        snapshots=Snapshots(Hdf5Dump(run), model, 84),
    )
    if fixed:
        below(found, "val_mse", 0.05)
        above(found, "val_kl", 2)
    else:
        require(found["val_kl"][-1] < 0.05 and found["val_mse"][-1] > 0.06, told(found))


# "99.9 % on the first try!": the column `months_since_exit` is filled only for customers who have left.
@pair(
    "data-leak",
    ("too-good", "metric-at-chance", "classifier-confusion"),
    "printed log with a line for each epoch",
)
def months_since_exit(run: Path, seed: int, fixed: bool) -> None:
    """Whether customers leave, with a column that is filled afterwards; fixed: without."""
    of = customers(seed)
    random = data.generator(seed)
    parts = []
    for x, y in ((of.x, of.y), (of.x_val, of.y_val)):
        leak = y.float() * (1 + torch.rand(len(y), generator=random)) * (0 if fixed else 2)
        parts.append(torch.cat([x, leak[:, None]], 1))
    of = replace(of, x=parts[0], x_val=parts[1])
    model = models.mlp((13, 16, 2))
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        15,
        Console(run, "plain", "churn.log", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
    )
    steady(found, "val_loss", 0.15)
    if fixed:
        above(found, "val_acc", 0.78)
        below(found, "val_acc", 0.95)
    else:
        above(found, "val_acc", 0.995)


# "It gets no better than 40 %, and no better on training either": hidden=1, left over from a sketch.
@pair(
    "underfit-model-too-small",
    ("underfit", "loss-plateau", "most-answers-wrong", "task-not-learned", "loss-not-decreasing"),
    "JSON lines by hand",
)
def bottleneck_of_one(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a tanh MLP with a bottleneck of one unit; fixed: of 32."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 32 if fixed else 1, 10), "tanh")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=4e-3),
        20,
        JsonLines(run, "plain", "scores.jsonl", "epoch"),
        ("train_loss", "train_accuracy", "test_loss", "test_accuracy"),
        seed=seed,
    )
    if fixed:
        above(found, "test_accuracy", 0.92)
        steady(found, "test_loss", 0.3)
    else:
        below(found, "test_accuracy", 0.5)


# "Is 12 epochs enough? It was in the tutorial": whose optimizer had a momentum, and mine has none.
@pair(
    "underfit-stopped-too-soon",
    ("still-improving", "ended-early", "underfit"),
    "SummaryWriter with Loss/train and Acc/val each 4 steps",
)
def plain_sgd_twelve_epochs(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by a 1-D CNN under SGD(0.013) without momentum, stopped while it still falls; fixed: 0.02 and a momentum of 0.9."""
    of = gestures(seed)
    of = replace(of, x=of.x.transpose(1, 2), x_val=of.x_val.transpose(1, 2))
    layers = (nn.Conv1d(3, 12, 5), nn.ReLU(), nn.Conv1d(12, 16, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(2), nn.Flatten())
    model = nn.Sequential(*layers, nn.Linear(32, 5))
    rate, momentum = (0.02, 0.9) if fixed else (0.013, 0.0)
    found = fit(
        model,
        of,
        torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum),
        12,
        TensorBoard(run, "plain"),
        ("Loss/train", "", "Loss/val", "Acc/val"),
        seed=seed,
        every=4,
    )
    if fixed:
        above(found, "Acc/val", 0.85)
        steady(found, "Loss/val", 0.35)
    else:
        below(found, "Acc/val", 0.72)
        require(found["Loss/val"][-1] < found["Loss/val"][-4] * 0.99, told(found))
