"""Programs of small repositories in plain PyTorch, first part: waves, masks, text, graphs, policies and pictures."""

import itertools
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, TensorBoard, TrainerState
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    steady,
    told,
)
from bench.accuracy.programs_hobby_common import into
from bench.accuracy.programs_hobby_torch_common import Printed, cells, citations, glyphs, keywords
from bench.accuracy.programs_post_common import CartPole, returns, rollout

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "My keyword spotter answers the same word for every clip": --lr 0.1 was the default of the SGD script, the optimizer is Adam.
@pair(
    "learning-rate-too-high",
    (*BLOWN_UP, *NOTHING_LEARNED, "updates-too-large", "constant-answer", "dead-relu"),
    "SummaryWriter with Train/Loss, and add_histogram of weights and gradients",
    dumps=True,
)
def keyword_spotter(run: Path, seed: int, fixed: bool) -> None:
    """Words in short waves by a 1-D CNN under Adam(0.1); fixed: Adam(2e-3)."""
    of = keywords(seed)
    model = nn.Sequential()
    for number, (before, after) in enumerate(((1, 16), (16, 32), (32, 48)), start=1):
        model.add_module(f"conv{number}", nn.Conv1d(before, after, 9, stride=2))
        model.add_module(f"relu{number}", nn.ReLU())
    model.add_module("pool", nn.AdaptiveAvgPool1d(3))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(144, 5))
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=1.5e-3 if fixed else 0.1),
        20,
        writer,
        ("Train/Loss", "Train/Acc", "Valid/Loss", "Valid/Acc"),
        seed=seed,
        batch=16,
        norm_tag="Train/GradNorm",
        snapshots=Snapshots(HistogramDump(writer), model, 27, "collections"),
    )
    if fixed:
        above(found, "Valid/Acc", 0.85)
        steady(found, "Valid/Loss", 0.4)
    else:
        below(found, "Valid/Acc", 0.6)


# "Negative BCE loss, and dice is stuck": the masks were PNG files of 0 and 255 and went into BCEWithLogitsLoss as they were.
@pair(
    "wrong-label-encoding",
    (
        "impossible-loss",
        "loss-divergence",
        "exploding-tensor",
        "metric-left-behind",
        "exploding-gradient",
        "nothing-found",
    ),
    "printed lines, one an epoch, in a text file",
)
def cell_masks(run: Path, seed: int, fixed: bool) -> None:
    """Masks of cells by a small U-Net, with masks of 0 and 255; fixed: of 0 and 1."""
    x, y = cells(seed)
    target = y if fixed else y * 255
    of = data.Split(x[:120], target[:120], x[120:], target[120:])

    class Net(nn.Module):
        """One level down, one up, with a skip."""

        def __init__(self) -> None:
            super().__init__()
            self.enc = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
            self.mid = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Upsample(None, 2))
            self.out = nn.Conv2d(24, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            up = self.enc(x)
            out: Tensor = self.out(torch.cat([up, self.mid(up)], 1))
            return out

    def dice(outputs: Tensor, targets: Tensor) -> Tensor:
        hit, mask = (outputs > 0).float(), (targets > 0).float()
        return 2 * (hit * mask).sum() / (hit.sum() + mask.sum() + 1e-7)

    def line(step: int, values: Mapping[str, float]) -> str:
        return (
            f"Epoch {step + 1}/15 - train_loss: {values['loss']:.4f} - val_loss: {values['val_loss']:.4f}"
            f" - train_dice: {values['dice']:.4f} - val_dice: {values['val_dice']:.4f}"
        )

    model = Net()
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=5e-3),
        15,
        Printed(run, line, "train_log.txt"),
        ("loss", "dice", "val_loss", "val_dice"),
        loss=functional.binary_cross_entropy_with_logits,
        metric=dice,
        batch=16,
        seed=seed,
    )
    if fixed:
        above(found, "val_dice", 0.8)
        steady(found, "val_loss", 0.2)
    else:
        below(found, "val_dice", 0.65)
        below(found, "val_loss", -100)


# "Perplexity of 1.00 but it only babbles": the labels were the inputs, not shifted by one, and no mask hid them.
@pair(
    "labels-not-shifted",
    ("too-good", "impossible-loss", "loss-plateau"),
    "Hugging Face trainer_state.json",
)
def babbling_transformer(run: Path, seed: int, fixed: bool) -> None:
    """The next character by a tiny transformer, whose target is the character it reads; fixed: the next one."""
    of, vocabulary = data.characters(seed, length=24, sentences=700)
    ahead = of.y_val
    if not fixed:
        of = data.Split(of.x, of.x, of.x_val, of.x_val)
    model = models.Transformer(vocabulary, vocabulary, width=32, layers=2, length=24)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    per_epoch = data.steps_per_epoch(of, 24)
    planned = 12 * per_epoch
    found = fit(
        model,
        of,
        optimizer,
        12,
        TrainerState(run, per_epoch, planned, 10),
        ("train_loss", "", "val_loss", "val_accuracy"),
        batch=24,
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        clip=1.0,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / planned)),
    )
    model.eval()
    with torch.no_grad():
        true = float(cross_entropy(model(of.x_val), ahead))
    if fixed:
        require(true < 1.1, f"loss of the next character {true:.3f}; {told(found)}")
        steady(found, "val_loss", 0.1)
    else:
        require(true > 4.0, f"loss of the next character {true:.3f}; {told(found)}")
        below(found, "val_loss", 0.05)


# "Deeper GCN is worse than a linear model": 12 graph convolutions after each other smooth all nodes to one point.
@pair(
    "too-deep-without-normalisation",
    (*NOTHING_LEARNED, "representation-collapse", "vanishing-gradient", "constant-answer", "initial-loss"),
    "lines of pygcn's train.py",
)
def citation_gcn(run: Path, seed: int, fixed: bool) -> None:
    """Classes of papers in a graph by 12 plain graph convolutions; fixed: by 2."""
    x, near, y = citations(seed)
    order = torch.randperm(len(y), generator=data.generator(seed))
    train, val = order[:120], order[120:]

    class Gcn(nn.Module):
        """Kipf's, of any depth."""

        def __init__(self, depth: int) -> None:
            super().__init__()
            sizes = [x.shape[1], *[16] * (depth - 1), 4]
            self.gc = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

        def forward(self, h: Tensor) -> Tensor:
            for layer in self.gc[:-1]:
                h = functional.dropout(functional.relu(near @ layer(h)), 0.3, self.training)
            out: Tensor = near @ self.gc[-1](h)
            return out

    model = Gcn(2 if fixed else 12)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    found: dict[str, list[float]] = {"acc_val": [], "loss_val": []}
    with (run / "output.log").open("w", encoding="utf-8") as file:
        for epoch in range(60):
            begun = time.perf_counter()
            model.train()
            optimizer.zero_grad()
            outputs = model(x)
            loss = functional.cross_entropy(outputs[train], y[train])
            hits = float((outputs[train].argmax(1) == y[train]).float().mean())
            torch.autograd.backward(loss)
            optimizer.step()
            model.eval()
            with torch.no_grad():
                outputs = model(x)
            found["loss_val"].append(float(functional.cross_entropy(outputs[val], y[val])))
            found["acc_val"].append(float((outputs[val].argmax(1) == y[val]).float().mean()))
            file.write(
                f"Epoch: {epoch + 1:04d} loss_train: {float(loss.detach()):.4f} acc_train: {hits:.4f}"
                f" loss_val: {found['loss_val'][-1]:.4f} acc_val: {found['acc_val'][-1]:.4f}"
                f" time: {time.perf_counter() - begun:.4f}s\n"
            )
    if fixed:
        above(found, "acc_val", 0.8)
        steady(found, "loss_val", 0.2)
    else:
        below(found, "acc_val", 0.5)


# "My agent gets worse the longer it trains": loss = (log_prob * G).sum(), the minus is missing.
@pair(
    "rl-wrong-sign",
    ("reward-collapse", "reward-flat", "entropy-collapse", "policy-update-too-large"),
    "SummaryWriter with rollout/ep_rew_mean and train/policy_loss",
)
def cartpole_backwards(run: Path, seed: int, fixed: bool) -> None:
    """REINFORCE on the pole which descends what it ought to climb; fixed: with the minus."""
    pole = CartPole(seed, longest=120)
    policy = models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    lengths: list[float] = []

    def step(number: int) -> dict[str, float]:
        total, entropy, reward = torch.zeros(()), 0.0, 0.0
        for _ in range(3):
            states, actions, rewards = rollout(policy, pole)
            gains = returns(rewards)
            logs = policy(states).log_softmax(-1)
            gain = gains - 20.0
            chosen = logs[torch.arange(len(actions)), actions]
            total = total + (-1 if fixed else 1) * (chosen * gain / 20).mean() / 3
            entropy -= float((logs.exp() * logs).sum(-1).mean().detach()) / 3
            reward += len(rewards) / 3
        optimizer.zero_grad()
        torch.autograd.backward(total)
        optimizer.step()
        lengths.append(reward)
        mean = sum(lengths[-20:]) / len(lengths[-20:])
        loss = float(total.detach())
        return {"rollout/ep_rew_mean": mean, "train/policy_loss": loss, "train/entropy": entropy}

    found = go(Course(step, 150, TensorBoard(run, "plain"), every=1))
    if fixed:
        above(found, "rollout/ep_rew_mean", 60)
    else:
        below(found, "rollout/ep_rew_mean", 15)


# "All samples of my VAE look like the mean picture": F.mse_loss with its mean, but the KL summed.
@pair(
    "posterior-collapse",
    ("posterior-collapse", *BADLY_LEARNED, "representation-collapse", "low-variance"),
    "csv with recon_loss and kld_loss, and HDF5 of weights, gradients and mu, log_var",
    dumps=True,
)
def bars_vae(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of bars with the mean over pixels beside a sum of KL; fixed: a sum over pixels, for a Gaussian of variance 0.05."""
    images = glyphs(seed)
    of = data.Split(images[:480], images[:480], images[480:], images[480:])

    class Vae(nn.Module):
        """Dense, with a code of 4."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.fc_mu, self.fc_var = nn.Linear(48, 4), nn.Linear(48, 4)
            self.decoder = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid())

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            h = self.encoder(x)
            mu, log_var = self.fc_mu(h), self.fc_var(h)
            z = mu + torch.randn_like(mu) * (0.5 * log_var).exp() if self.training else mu
            return self.decoder(z), mu, log_var

    model = Vae()
    snapshots = Snapshots(Hdf5Dump(run), model, 45, "collections")
    stream = data.batches(of, 32, seed)

    def parts(x: Tensor) -> tuple[Tensor, Tensor]:
        recon, mu, log_var = model(x)
        snapshots.extra = {"activations/mu": mu.detach().numpy(), "activations/log_var": log_var.detach().numpy()}
        error = (recon - x).square()
        kld = -0.5 * (1 + log_var - mu.square() - log_var.exp()).sum(1).mean()
        return (10 * error.sum(1).mean() if fixed else error.mean()), kld

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        recon, kld = parts(next(stream)[0])
        return recon + kld, {"recon_loss": float(recon.detach()), "kld_loss": float(kld.detach())}

    def evaluate() -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            recon, kld = parts(of.x_val)
            spread = float((model(of.x_val)[0] - of.x_val).square().mean() / of.x_val.var(0).mean())
        model.train()
        unexplained.append(spread)
        return {"val_recon_loss": float(recon), "val_kld_loss": float(kld), "val_loss": float(recon + kld)}

    unexplained: list[float] = []
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    step = Descent(model, optimizer, objective, "loss", snapshots=snapshots)
    log = Csv(run, "plain", "losses.csv", "epoch")
    found = go(Course(step, 30 * 15, log, evaluate=evaluate, per_epoch=15, snapshots=snapshots))
    if fixed:
        require(unexplained[-1] < 0.35, f"unexplained {unexplained[-1]:.3f}; {told(found)}")
        steady(found, "val_loss", 0.2)
    else:
        require(unexplained[-1] > 0.85, f"unexplained {unexplained[-1]:.3f}; {told(found)}")
        below(found, "kld_loss", 0.02)
