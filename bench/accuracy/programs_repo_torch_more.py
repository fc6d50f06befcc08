"""Programs in torch as they lie in repositories, and after the commit that repaired them: attention, translation, critics, policies."""

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    Course,
    Descent,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_repo_common import Catch, into

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Bag(nn.Module):
    """Attention over the things of a bag (n, 6, 9), whose last column is the mask; to two logits."""

    def __init__(self, filling: float) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
        self.attention = nn.Sequential(nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 1))
        self.classifier = nn.Linear(32, 2)
        self.filling = filling

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 2)."""
        things = self.encoder(x[..., :8])
        scores = self.attention(things)[..., 0].masked_fill(x[..., 8] == 0, self.filling)
        return self.classifier((scores.softmax(1)[..., None] * things).sum(1))


# In the manner of multiple-instance learning repositories, "fix nan: bags without instances, mask with -1e9 instead of -inf".
@pair(
    "softmax-of-a-masked-row",
    ("non-finite", "masked-non-finite", "loss-goes-missing", "loss-divergence"),
    "SummaryWriter by steps; weights, gradients, activations in hdf5",
    dumps=True,
)
def empty_bags(run: Path, seed: int, fixed: bool) -> None:
    """Bags of things by attention that is masked with -inf, though a few bags are empty; fixed: with -1e9."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(800, 6, 8))
    mask = np.arange(6) < random.integers(1, 7, 800)[:, None]
    hot = (x[..., 0] + x[..., 1] > 1.5) & mask
    y = hot.any(1).astype(np.int64)
    mask[random.permutation(600)[:3]] = False
    x = np.concatenate([x * mask[..., None], mask[..., None]], -1)
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    of = data.Split(xs[:600], ys[:600], xs[600:], ys[600:])
    model = Bag(-1e9 if fixed else -float("inf"))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    log = TensorBoard(run, "plain")
    snapshots = Snapshots(Hdf5Dump(run), model, 20)
    tags = ("mil/loss", "", "mil/val_loss", "mil/val_acc")
    found = fit(model, of, optimizer, 10, log, tags, seed=seed, batch=16, every=2, snapshots=snapshots)
    if fixed:
        above(found, "mil/val_acc", 0.82)
        steady(found, "mil/val_loss", 0.2)
    else:
        require(not np.isfinite(found["mil/loss"][-1]), told(found))


class Translator(nn.Module):
    """A GRU that reads and one that writes; the writer begins with symbol 0."""

    def __init__(self, symbols: int, width: int = 64) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(symbols, 16), nn.Embedding(symbols, 16)
        self.encoder, self.decoder = nn.GRU(16, width, batch_first=True), nn.GRU(16, width, batch_first=True)
        self.generator = nn.Linear(width, symbols)

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        """Logits of each word, the writer being given these words."""
        _, state = self.encoder(self.source(x))
        return self.generator(self.decoder(self.target(given), state)[0])

    def write(self, x: Tensor) -> Tensor:
        """Greedy decoding, as long as the source."""
        _, state = self.encoder(self.source(x))
        word, words = torch.zeros(len(x), 1, dtype=torch.long), []
        for _ in range(x.shape[1]):
            out, state = self.decoder(self.target(word), state)
            word = self.generator(out).argmax(-1)
            words.append(word)
        return torch.cat(words, 1)


# In the manner of seq2seq repositories, "shift decoder input by one, loss was 0 and translations garbage".
@pair("decoder-sees-the-answer", ("too-good", "exposure-gap"), "console log by steps")
def decoder_not_shifted(run: Path, seed: int, fixed: bool) -> None:
    """Sequences turned round by GRUs; the decoder is fed the very word that it has to tell; fixed: the word before it."""
    of = data.copying(seed, 2000, 5, 7)
    x, y, x_val, y_val = of.x + 1, of.y + 1, of.x_val + 1, of.y_val + 1
    of = data.Split(x, y, x_val, y_val)
    model = Translator(8)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 800)
    stream = data.batches(of, 32, seed)

    def nll(x: Tensor, y: Tensor) -> Tensor:
        before = functional.pad(y[:, :-1], (1, 0))
        return functional.cross_entropy(model(x, before if fixed else y).flatten(0, 1), y.flatten())

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            right = float((model.write(x_val) == y_val).float().mean())
            return {"valid_loss": float(nll(x_val, y_val)), "greedy_token_acc": right}

    step = Descent(model, optimizer, lambda _: (nll(*next(stream)), {}), "train_loss", clip=1.0, schedule=schedule)
    log = Console(run, "plain", "seq2seq.log")
    found = go(Course(step, 800, log, 10, averaged=True, evaluate=evaluate, evaluate_every=50))
    if fixed:
        above(found, "greedy_token_acc", 0.8)
        steady(found, "valid_loss", 0.2)
    else:
        below(found, "greedy_token_acc", 0.35)
        below(found, "valid_loss", 0.02)


# In the manner of WGAN repositories, "forgot to add gradient_penalty to loss_D".
@pair(
    "critic-without-constraint",
    ("loss-divergence", "exploding-tensor", "exploding-gradient", "unstable-loss", "loss-spike", "discriminator-wins"),
    "json lines by steps",
)
def critic_unbounded(run: Path, seed: int, fixed: bool) -> None:
    """Points on a ring by a WGAN whose gradient penalty is computed and not added; fixed: it is added."""
    maker, judge = models.gan_pair(2, 4, 48)
    making = torch.optim.Adam(maker.parameters(), lr=1e-3, betas=(0.5, 0.9))
    judging = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.0, 0.9))
    falling = [torch.optim.lr_scheduler.LinearLR(one, 1.0, 0.02, 800) for one in (making, judging)]
    random = data.generator(seed)

    def real() -> Tensor:
        angle = 6.2832 * torch.rand(64, generator=random)
        return torch.stack([angle.cos(), angle.sin()], 1) * 2 + 0.1 * torch.randn(64, 2, generator=random)

    def step(number: int) -> dict[str, float]:
        for _ in range(3):
            true, made = real(), maker(torch.randn(64, 4, generator=random)).detach()
            share = torch.rand(64, 1, generator=random)
            between = (share * true + (1 - share) * made).requires_grad_()
            slope = torch.autograd.grad(judge(between).sum(), between, create_graph=True)[0]
            penalty = 1 * (slope.norm(dim=1) - 1).square().mean()
            loss_d = judge(made).mean() - judge(true).mean() + (penalty if fixed else 0)
            judging.zero_grad()
            loss_d.backward()
            judging.step()
        loss_g = -judge(maker(torch.randn(64, 4, generator=random))).mean()
        making.zero_grad()
        loss_g.backward()
        making.step()
        for one in falling:
            one.step()
        told = {"loss_D": loss_d, "loss_G": loss_g, "gp": penalty}
        return {name: float(one.detach()) for name, one in told.items()}

    found = go(Course(step, 800, JsonLines(run, "plain", "wgan.jsonl", "batches_done"), 4))
    with torch.no_grad():
        radius = maker(torch.randn(500, 4, generator=random)).norm(dim=1)
    missed = float((radius - 2).abs().mean())
    if fixed:
        require(missed < 0.6, f"{missed:.2f} away from the ring: {told(found)}")
        require(abs(last(found, "loss_D", 20)) < 2, told(found))
    else:
        require(missed > 1, f"{missed:.2f} away from the ring: {told(found)}")
        require(max(np.abs(found["loss_D"])) > 50, told(found))


# In the manner of metric learning repositories, "negative index was drawn from the anchor's own class".
@pair(
    "negatives-of-the-same-class",
    BADLY_LEARNED,
    "SummaryWriter by epochs, with add_histogram",
    dumps=True,
)
def triplets_of_one_class(run: Path, seed: int, fixed: bool) -> None:
    """Digits embedded by a triplet loss whose negatives are positives too; fixed: of another class."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(of.y.numpy() == kind) for kind in range(10)]
    triplet = nn.TripletMarginLoss(0.5)

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        chosen = []
        for kind in random.integers(0, 10, 32):
            other = (kind + random.integers(1, 10)) % 10 if fixed else kind
            chosen.append([*random.choice(members[kind], 2), random.choice(members[other])])
        parts = [functional.normalize(model(of.x[one])) for one in torch.tensor(np.array(chosen)).T]
        return triplet(*parts), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            gallery, queries = functional.normalize(model(of.x)), functional.normalize(model(of.x_val))
        near = torch.cdist(queries, gallery).topk(10, largest=False).indices
        return {"val/P@10": float((of.y[near] == of.y_val[:, None]).float().mean())}

    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 40, "torch")
    step = Descent(model, optimizer, objective, "train/triplet_loss", snapshots=snapshots)
    found = go(Course(step, 600, writer, evaluate=evaluate, per_epoch=20, snapshots=snapshots))
    if fixed:
        above(found, "val/P@10", 0.93)
        below(found, "train/triplet_loss", 0.1)
    else:
        below(found, "val/P@10", 0.85)
        not_below(found, "train/triplet_loss", 0.4)


# In the manner of DQN repositories, "target used .max(1)[1] (the action) instead of .max(1)[0] (its value)".
@pair("indices-for-values", ("reward-flat",), "csv by episodes")
def dqn_argmax_target(run: Path, seed: int, fixed: bool) -> None:
    """Balls caught by a DQN whose target adds the index of the best action; fixed: its value."""
    game = Catch(seed)
    online, target = (models.mlp((17, 48, 3)) for _ in range(2))
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
    memory: deque[tuple[Any, ...]] = deque(maxlen=3000)
    random = np.random.default_rng(seed)

    def learn() -> float:
        chosen = [memory[place] for place in random.integers(0, len(memory), 32)]
        states, actions, rewards, following, ended = (np.array(one) for one in zip(*chosen, strict=True))
        with torch.no_grad():
            after = target(torch.tensor(following, dtype=torch.float32)).max(1)[0 if fixed else 1]
            goal = torch.tensor(rewards + 0.95 * (1 - ended) * after.numpy(), dtype=torch.float32)
        values = online(torch.tensor(states, dtype=torch.float32))[torch.arange(32), torch.tensor(actions)]
        loss = functional.mse_loss(values, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    scores: deque[float] = deque(maxlen=50)

    def episode(number: int) -> dict[str, float]:
        epsilon = max(0.05, 1 - number / 120)
        state, ended, losses, reward = game.reset(1), False, [0.0], 0.0
        while not ended:
            with torch.no_grad():
                best = int(online(torch.tensor(state, dtype=torch.float32)).argmax())
            action = int(random.integers(3)) if random.random() < epsilon else best
            after, got, ended = game.step(np.array([action]))
            reward = float(got[0])
            memory.append((state[0], action, reward, after[0], float(ended)))
            state = after
            if len(memory) > 100:
                losses.append(learn())
        if number % 10 == 0:
            target.load_state_dict(online.state_dict())
        scores.append(reward)
        return {"reward": reward, "avg_reward": float(np.mean(scores)), "td_loss": losses[-1], "eps": epsilon}

    found = go(Course(episode, 450, Csv(run, "plain", "dqn_catch.csv", "episode"), 1))
    if fixed:
        above(found, "avg_reward", 0.6)
    else:
        below(found, "avg_reward", 0.1)


# In the manner of A2C repositories, "entropy bonus had the wrong sign (and is far too large)".
@pair("entropy-punished", ("entropy-collapse", "reward-flat", "reward-collapse"), "SummaryWriter by updates")
def entropy_sign(run: Path, seed: int, fixed: bool) -> None:
    """Balls caught by an actor-critic that adds 0.4 times its entropy to the loss; fixed: 0.1 times it is subtracted."""
    game = Catch(seed)
    body, actor, critic = models.mlp((17, 48, 48)), nn.Linear(48, 3), nn.Linear(48, 1)
    net = nn.ModuleList([body, actor, critic])
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

    def update(number: int) -> dict[str, float]:
        state, ended, kept = game.reset(16), False, []
        while not ended:
            hidden = body(torch.tensor(state, dtype=torch.float32)).relu()
            policy = torch.distributions.Categorical(logits=actor(hidden))
            action = policy.sample()
            kept.append((policy.log_prob(action), policy.entropy(), critic(hidden)[:, 0]))
            state, reward, ended = game.step(action.numpy())
        told, entropy, values = (torch.stack(one) for one in zip(*kept, strict=True))
        goal = torch.tensor(reward, dtype=torch.float32) * 0.95 ** torch.arange(len(kept) - 1, -1, -1)[:, None]
        gain = goal - values
        parts = -(told * gain.detach()).mean(), gain.square().mean(), entropy.mean()
        loss = parts[0] + 0.5 * parts[1] + (-0.1 if fixed else 0.4) * parts[2]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        names = ("losses/policy", "losses/value", "entropy")
        row = {name: float(one.detach()) for name, one in zip(names, parts, strict=True)}
        return {"rollout/return": float(reward.mean()), **row}

    found = go(Course(update, 500, TensorBoard(run, "plain"), 2, averaged=True))
    if fixed:
        above(found, "rollout/return", 0.6)
    else:
        below(found, "rollout/return", 0.1)
        below(found, "entropy", 0.1)
