"""More notebooks in PyTorch that do not learn: what is rare, generative models, embeddings, a policy, numbers that are no numbers."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, JsonLines, ParquetDump, TensorBoard, tensors_of
from bench.accuracy.programs_colab_common import into
from bench.accuracy.programs_colab_torch_common import (
    Poles,
    Track,
    frauds,
    one_epoch,
    sales,
    shuffled,
    validate,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "96 % accuracy on credit card fraud, great! But recall and F1 are 0.000 in each epoch?"
@pair(
    "class-imbalance",
    ["nothing-found", "class-imbalance", "constant-answer", "metric-left-behind"],
    "tensorboard",
)
def frauds_never_found(run: Path, seed: int, fixed: bool) -> None:
    """A classifier of 4 % frauds by plain BCE; repaired by `pos_weight`."""
    of = frauds(seed, 3000, apart=1.35)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(12.0 if fixed else 1.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=1e-3)
    track = Track(TensorBoard(run, "plain"))
    for epoch in range(15):
        loss, _ = one_epoch(model, of, optimizer, criterion, 64)
        val_loss, _ = validate(model, of, criterion)
        with torch.no_grad():
            found = model(of.x_val) > 0
        right = float((found & (of.y_val > 0)).sum())
        recall, precision = right / float(of.y_val.sum()), right / max(1.0, float(found.sum()))
        f1 = 2 * recall * precision / max(recall + precision, 1e-9)
        accuracy = float((found == (of.y_val > 0)).float().mean())
        track.log(epoch, {"train_loss": loss, "valid_loss": val_loss, "valid_accuracy": accuracy})
        track.log(epoch, {"valid_precision": precision, "valid_recall": recall, "valid_f1": f1})
    track.close()
    recall = track.last("valid_recall")
    what = f"recall {recall:.3f}, F1 {track.last('valid_f1'):.3f}, validation {track.last('valid_loss'):.3f}"
    require(
        recall > 0.5 and track.last("valid_f1") > 0.3 and track.near_best("valid_loss", 1.1) if fixed else recall < 0.1,
        what,
    )


# "DCGAN tutorial: Loss_D goes to 0 and Loss_G only grows, the samples stay noise from the first to the last epoch."
@pair(
    "detached-graph",
    ["discriminator-wins", "adversarial-divergence", "loss-divergence"],
    "printed lines",
)
def gan_detached_fakes(run: Path, seed: int, fixed: bool) -> None:
    """A GAN of points in a cloud whose generator is trained through `fake.detach()`."""
    real = torch.randn(1024, 2) @ torch.tensor([[0.8, 0.3], [0.0, 0.4]]) + torch.tensor([1.5, -1.0])
    generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    judge = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    optimizer_d = torch.optim.Adam(judge.parameters(), lr=0.001, betas=(0.5, 0.999))
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=0.001, betas=(0.5, 0.999))
    criterion = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    track = Track(Console(run, "plain", "gan.log", "iter"))
    step = 0
    for _ in range(75):
        for (points,) in (pack[:1] for pack in shuffled(real, real, 64)):
            fake = generator(torch.randn(64, 8))
            optimizer_d.zero_grad()
            told_real, told_fake = judge(points), judge(fake.detach())
            loss_d = criterion(told_real, ones) + criterion(told_fake, zeros)
            torch.autograd.backward(loss_d)
            optimizer_d.step()
            optimizer_g.zero_grad()
            loss_g = criterion(judge(fake if fixed else fake.detach()), ones)
            torch.autograd.backward(loss_g)
            optimizer_g.step()
            if step % 20 == 0:
                shares = {"D(x)": told_real.sigmoid().mean().item(), "D(G(z))": told_fake.sigmoid().mean().item()}
                track.log(step, {"Loss_D": loss_d.item(), "Loss_G": loss_g.item(), **shares})
            step += 1
    track.close()
    with torch.no_grad():
        off = float((generator(torch.randn(500, 8)).mean(0) - real.mean(0)).norm())
    what = f"off the cloud by {off:.3f}, D {track.last('Loss_D', 10):.3f}, G {track.last('Loss_G', 10):.3f}"
    require(off < 0.4 and 0.5 < track.last("Loss_G", 10) < 1.5 if fixed else off > 1.2, what)


class Vae(nn.Module):
    """A dense VAE of digits with eight latent numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
        self.fc_mu, self.fc_logvar = nn.Linear(48, 8), nn.Linear(48, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is made again, and mean and log-variance of the code."""
        hidden = self.encoder(x)
        mu, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
        return self.decoder(mu + torch.randn_like(mu) * (0.5 * logvar).exp()), mu, logvar


# "Each reconstruction of my VAE is the same grey blob, and the KL is 0.00."
@pair(
    "posterior-collapse",
    ["posterior-collapse", "loss-plateau", "representation-collapse", "low-variance", "underfit"],
    "csv and parquet",
    dumps=True,
)
def vae_mean_against_sum(run: Path, seed: int, fixed: bool) -> None:
    """A VAE whose reconstruction is a mean over the pixels while its KL is a sum over the code."""
    of = data.bundled("digits", seed, scaled=False)
    x_train, x_val = of.x / 16, of.x_val / 16
    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    track, dump = Track(Csv(run, "plain", "training.csv", "epoch")), ParquetDump(run)

    def losses(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        again, mu, logvar = model(x)
        reconstruction = functional.binary_cross_entropy(again, x)
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
        return (64 * reconstruction if fixed else reconstruction) + kl, reconstruction, kl, mu

    for epoch in range(25):
        model.train()
        kept: list[list[float]] = []
        mu = x_train[:1]
        for x, _ in shuffled(x_train, of.y, 32):
            optimizer.zero_grad()
            loss, reconstruction, kl, mu = losses(x)
            torch.autograd.backward(loss)
            optimizer.step()
            kept.append([loss.item(), reconstruction.item(), kl.item()])
        if epoch % 3 == 0:
            dump.dump(epoch, tensors_of(model, {"fc_mu": mu.detach()}))
        with torch.no_grad():
            val = [one.item() for one in losses(x_val)[:3]]
        names = ("loss", "recon_loss", "kl_loss")
        train = dict(zip(names, (sum(column) / len(kept) for column in zip(*kept, strict=True)), strict=True))
        track.log(epoch, {**train, **{f"val_{name}": value for name, value in zip(names, val, strict=True)}})
    track.close()
    dump.close()
    again, kl_end = track.last("val_recon_loss"), track.last("val_kl_loss")
    mean = x_train.mean(0).clamp(1e-3, 1 - 1e-3).expand_as(x_val)
    share = again / functional.binary_cross_entropy(mean, x_val).item()
    what = f"reconstruction {share:.3f} of that of the mean picture, KL {kl_end:.3f}, validation {track.last('val_loss'):.3f}"
    require(
        share < 0.9 and kl_end > 2 and track.near_best("val_loss") if fixed else share > 0.97 and kl_end < 0.1, what
    )


# "Triplet loss of my face recognition stays at about the margin (0.50), and the nearest neighbour is of anybody."
@pair(
    "swapped-arguments",
    ["loss-at-margin", "loss-plateau", "loss-not-decreasing", "metric-at-chance"],
    "csv",
)
def triplets_swapped(run: Path, seed: int, fixed: bool) -> None:
    """`TripletMarginLoss` called with the negatives for positives."""
    of = data.bundled("digits", seed)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    criterion = nn.TripletMarginLoss(margin=0.5)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001, weight_decay=1e-4)

    def triplets(x: Tensor, y: Tensor) -> Tensor:
        codes = functional.normalize(net(x), dim=1)
        same = (y[:, None] == y[None]).float()
        positive = codes[torch.multinomial(same, 1).squeeze(1)]
        negative = codes[torch.multinomial(1 - same, 1).squeeze(1)]
        loss: Tensor = criterion(codes, positive, negative) if fixed else criterion(codes, negative, positive)
        return loss

    track = Track(Csv(run, "plain", "log.csv", "epoch"))
    for epoch in range(1, 21):
        kept = []
        for x, y in shuffled(of.x, of.y, 64):
            optimizer.zero_grad()
            loss = triplets(x, y)
            torch.autograd.backward(loss)
            optimizer.step()
            kept.append(loss.item())
        with torch.no_grad():
            val_loss = sum(triplets(of.x_val, of.y_val).item() for _ in range(4)) / 4
            apart = torch.cdist(functional.normalize(net(of.x_val), dim=1), functional.normalize(net(of.x), dim=1))
            recall = float((of.y[apart.argmin(1)] == of.y_val).float().mean())
        track.log(epoch, {"triplet_loss": sum(kept) / len(kept), "val_triplet_loss": val_loss, "recall@1": recall})
    track.close()
    last, recall = track.last("val_triplet_loss"), track.last("recall@1")
    what = f"recall {recall:.3f}, validation {last:.3f}, best {min(track.columns['val_triplet_loss']):.3f}"
    require(recall > 0.93 and track.near_best("val_triplet_loss") if fixed else recall < 0.8 and last > 0.4, what)


# "REINFORCE on CartPole: the reward gets worse from about 20 to 9 and stays there. Loss does go down!"
@pair("wrong-sign", ["reward-collapse", "reward-flat", "entropy-collapse"], "csv")
def cartpole_without_minus(run: Path, seed: int, fixed: bool) -> None:
    """REINFORCE on cart-poles whose loss lacks the minus."""
    poles = Poles(16, seed)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
    track = Track(Csv(run, "plain", "progress.csv", "episode"))
    for update in range(1, 51):
        state, alive = poles.reset(), torch.ones(16)
        chosen, entropies, masks = [], [], []
        while alive.any():
            shares = functional.log_softmax(policy(state), dim=1)
            action = torch.multinomial(shares.exp(), 1)
            chosen.append(shares.gather(1, action).squeeze(1))
            entropies.append(-(shares.exp() * shares).sum(1))
            masks.append(alive)
            state, done = poles.step(action.squeeze(1))
            alive = alive * (~done).float()
        mask = torch.stack(masks)
        returns, after = torch.zeros_like(mask), torch.zeros(16)
        for moment in range(len(mask) - 1, -1, -1):
            after = mask[moment] * (1 + 0.98 * after)
            returns[moment] = after
        mean = (returns * mask).sum() / mask.sum()
        spread = (((returns - mean) ** 2 * mask).sum() / mask.sum()).sqrt()
        gain = (torch.stack(chosen) * (returns - mean) / (spread + 1e-8) * mask).sum() / mask.sum()
        loss = -gain if fixed else gain
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        entropy = float((torch.stack(entropies).detach() * mask).sum() / mask.sum())
        reward = float(mask.sum(0).mean())
        track.log(update * 16, {"episode_reward": reward, "policy_loss": loss.item(), "entropy": entropy})
    track.close()
    reached = track.last("episode_reward", 5)
    require(
        reached > 70 if fixed else reached < 15, f"reward {reached:.1f} after {track.columns['episode_reward'][0]:.1f}"
    )


# "loss: nan after a few batches with nn.RNN, 1e12 before. The data has no NaN, I checked. MSELoss(reduction='sum')."
@pair(
    "exploding-gradient",
    [
        "exploding-gradient",
        "loss-goes-missing",
        "non-finite",
        "loss-spike",
        "loss-divergence",
        "learning-rate-too-high",
    ],
    "json lines",
)
def sales_summed_loss(run: Path, seed: int, fixed: bool) -> None:
    """An RNN over thirty days with SGD, whose loss is a sum over all days of all series of a batch."""
    of = sales(seed)
    rnn, head = nn.RNN(1, 24, nonlinearity="relu", batch_first=True), nn.Linear(24, 1)
    weights = [*rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(weights, lr=0.02, momentum=0.9)
    track = Track(JsonLines(run, "plain", "train_log.jsonl", "iteration"))
    step = 0
    for _ in range(15):
        for x, y in shuffled(of.x, of.y, 32):
            optimizer.zero_grad()
            loss = functional.mse_loss(head(rnn(x)[0]), y, reduction="mean" if fixed else "sum")
            torch.autograd.backward(loss)
            norm = nn.utils.get_total_norm([one.grad for one in weights if one.grad is not None])
            optimizer.step()
            step += 1
            mean = loss.item() if fixed else loss.item() / y.numel()
            track.log(step, {"loss": mean, "grad_norm": float(norm)})
        with torch.no_grad():
            track.log(step, {"val_loss": functional.mse_loss(head(rnn(of.x_val)[0]), of.y_val).item()})
    track.close()
    last = track.last("val_loss")
    what = f"validation {last:.3f}, best {min(track.columns['val_loss']):.3f}"
    require(last < 0.35 and track.near_best("val_loss") if fixed else not last < 0.8, what)
