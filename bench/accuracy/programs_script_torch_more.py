"""Example scripts in PyTorch that somebody changed for their own data: sequences, generators, policies, pictures to pictures."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import TensorBoard, TrainerState
from bench.accuracy.loop import gradient_norm
from bench.accuracy.programs_desk_common import gestures, mails
from bench.accuracy.programs_field_common import Trail, above, below, last, not_below, steady, told
from bench.accuracy.programs_post_common import CartPole, over, pictures, returns, rollout
from bench.accuracy.programs_script_common import into
from bench.accuracy.programs_script_torch_common import Printed, digits, evaluate, keep, lesions, loaders
from bench.accuracy.programs_script_torch_common import ppo as train_ppo

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "I took out clip_grad_norm_, I did not see what it is for": the word language model with lr=20 and no clipping.
@pair(
    "gradient-not-clipped",
    ("learning-rate-too-high", "loss-divergence", "loss-spike", "unstable-loss", "non-finite", "loss-plateau"),
    "what the word language model example prints",
)
def language_model_unclipped(run: Path, seed: int, fixed: bool) -> None:
    """Characters by a tanh RNN under SGD of 20, without clipping; fixed: with a norm of 0.25 at most."""
    of, ntokens = data.characters(seed, sentences=700)
    train, valid = loaders(of, 20)
    model = models.Recurrent("rnn", 24, 48, ntokens, vocabulary=ntokens, every_step=True)
    rate, best, out, trail = 20.0, math.inf, Printed(run), Trail()

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs.reshape(-1, ntokens), targets.reshape(-1))

    for epoch in range(1, 9):
        total = 0.0
        for batch, (x, y) in enumerate(train, 1):
            model.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            if fixed:
                nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            for one in model.parameters():
                if one.grad is not None:
                    one.data.add_(one.grad, alpha=-rate)
            total += float(loss)
            if batch % 10 == 0:
                mean, where = total / 10, f"{batch:5d}/{len(train):5d} batches | lr {rate:02.2f}"
                power = math.exp(mean) if mean < 100 else math.inf
                out(f"| epoch {epoch:3d} | {where} | ms/batch  9.12 | loss {mean:5.2f} | ppl {power:8.2f}")
                total = 0.0
        val_loss = float(np.mean([float(criterion(model(x), y)) for x, y in valid]))
        power = math.exp(val_loss) if val_loss < 100 else math.inf
        keep(trail, {"valid": val_loss})
        out("-" * 89)
        out(f"| end of epoch {epoch:3d} | time:  0.41s | valid loss {val_loss:5.2f} | valid ppl {power:8.2f}")
        out("-" * 89)
        if val_loss < best:
            best = val_loss
        else:
            rate /= 4
    out.close()
    if fixed:
        below(trail, "valid", 1.3)
        steady(trail, "valid", 0.2)
    else:
        not_below(trail, "valid", 2.0)


# "My generator stopped at noise, and errD is 0": label.fill_(real_label) got lost before the generator's step of the DCGAN example.
@pair(
    "generator-with-fake-labels",
    ("discriminator-wins", "adversarial-divergence", "task-not-learned"),
    "SummaryWriter with Loss_D, Loss_G, D(x), D(G(z)) each 10 batches",
)
def dcgan_without_real_label(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a GAN whose generator is to be told fake; fixed: told real."""
    of = digits(seed)
    train, _ = loaders(of, 64)
    generator = nn.Sequential(nn.Linear(16, 96), nn.ReLU(), nn.Linear(96, 64), nn.Sigmoid())
    discriminator = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(64, 1))
    settings = {"lr": 1e-3, "betas": (0.5, 0.999)}
    optim_d = torch.optim.Adam(discriminator.parameters(), **settings)  # type: ignore[arg-type]
    optim_g = torch.optim.Adam(generator.parameters(), **settings)  # type: ignore[arg-type]
    criterion, log, trail, step = nn.BCEWithLogitsLoss(), TensorBoard(run, "plain"), Trail(), 0
    for _ in range(50):
        for x, _y in train:
            real, label = x.flatten(1), torch.ones(len(x), 1)
            optim_d.zero_grad()
            judged = discriminator(real)
            loss_real = criterion(judged, label)
            fake = generator(torch.randn(len(x), 16))
            label = torch.zeros(len(x), 1)
            before = discriminator(fake.detach())
            loss_d = loss_real + criterion(before, label)
            loss_d.backward()
            optim_d.step()
            optim_g.zero_grad()
            if fixed:
                label = torch.ones(len(x), 1)
            loss_g = criterion(discriminator(fake), label)
            loss_g.backward()
            optim_g.step()
            step += 1
            if step % 10 == 0:
                values = {"Loss_D": float(loss_d), "Loss_G": float(loss_g)}
                values |= {"D(x)": float(judged.sigmoid().mean()), "D(G(z))": float(before.sigmoid().mean())}
                log.log(step, keep(trail, values))
    log.close()
    with torch.no_grad():
        made = generator(torch.randn(500, 16))
    gap = float((made.mean(0) - of.x.flatten(1).mean(0)).abs().mean())
    noise = float((0.5 - of.x.flatten(1).mean(0)).abs().mean())
    if fixed:
        require(gap < 0.3 * noise and last(trail, "D(G(z))", 50) > 0.15, f"gap {gap:.3f}, {noise:.3f}; {told(trail)}")
    else:
        require(gap > 0.6 * noise and last(trail, "D(G(z))", 50) < 0.05, f"gap {gap:.3f}, {noise:.3f}; {told(trail)}")


# "The agent gets worse with practice": policy_loss.append(log_prob * R) in place of -log_prob * R.
@pair(
    "policy-gradient-of-wrong-sign",
    ("reward-collapse", "reward-flat", "entropy-collapse", "task-not-learned"),
    "SummaryWriter with reward/episode, reward/running, loss/policy",
)
def reinforce_wrong_sign(run: Path, seed: int, fixed: bool) -> None:
    """A pole on a cart by REINFORCE without the minus; fixed: with it."""
    policy = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.1), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    pole, log, trail, running = CartPole(seed), TensorBoard(run, "plain"), Trail(), 10.0
    for episode in range(1, 161):
        states, actions, rewards = rollout(policy, pole)
        gains = returns(rewards)
        gains = (gains - gains.mean()) / (gains.std() + 1e-8)
        logs = policy(states).log_softmax(-1)
        told_by = logs.gather(1, actions[:, None])[:, 0]
        loss = (-told_by * gains).sum() if fixed else (told_by * gains).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running = 0.05 * float(rewards.sum()) + 0.95 * running
        values = {"reward/episode": float(rewards.sum()), "reward/running": running, "loss/policy": float(loss)}
        values["policy/entropy"] = float(-(logs.exp() * logs).sum(-1).mean())
        log.log(episode, keep(trail, values))
    log.close()
    if fixed:
        above(trail, "reward/running", 80)
        require(last(trail, "reward/running") > 0.75 * max(trail["reward/running"]), told(trail))
    else:
        below(trail, "reward/running", 20)


# "It stays at 20 steps, though value_loss falls": `nextnonterminal` was thrown out of the advantages of CleanRL's ppo.py.
@pair(
    "terminal-states-ignored",
    ("reward-flat", "task-not-learned", "reward-collapse", "policy-update-too-large"),
    "CleanRL's charts/ and losses/ in TensorBoard",
)
def cleanrl_ppo_never_over(run: Path, seed: int, fixed: bool) -> None:
    """A pole on a cart by PPO whose returns run on over the end of an episode; fixed: they stop there."""
    log = TensorBoard(run, "plain")
    trail = train_ppo(log, seed, fixed)
    log.close()
    if fixed:
        above(trail, "charts/episodic_return", 90)
    else:
        below(trail, "charts/episodic_return", 45)


# "Fine-tuning for 3 epochs does nothing": warmup_steps=500 of the example script, with 76 steps in all.
@pair(
    "warmup-longer-than-training",
    ("schedule-mismatch", "still-improving", "underfit", "loss-not-decreasing", "metric-at-chance"),
    "Hugging Face's trainer_state.json",
)
def trainer_warmup_too_long(run: Path, seed: int, fixed: bool) -> None:
    """Departments of mails by a transformer with a warm-up of 500 steps of 76; fixed: of 8."""
    of = mails(seed, told=0.4)
    train, test = loaders(of, 32)
    model = models.Transformer(4, 200, width=32, layers=2, causal=False, pooled=True, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.01)
    planned, warm = 4 * len(train), 8 if fixed else 500

    def linear(step: int) -> float:
        return step / warm if step < warm else max(0.0, (planned - step) / max(1, planned - warm))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, linear)
    log, trail, step, total = TrainerState(run, len(train), planned, 5), Trail(), 0, 0.0
    for _ in range(4):
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            norm, rate = gradient_norm(model), optimizer.param_groups[0]["lr"]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step, total = step + 1, total + float(loss) / 5
            if step % 5 == 0:
                log.log(step, keep(trail, {"train_loss": total, "grad_norm": norm, "lr": rate}))
                total = 0.0
        loss_now, accuracy = evaluate(model, test)
        log.log(step, keep(trail, {"val_loss": loss_now, "val_accuracy": accuracy}))
    log.close()
    require(json.loads((run / "trainer_state.json").read_text())["global_step"] == planned, "not all steps")
    if fixed:
        require(trail["val_accuracy"][-1] > 0.8, told(trail))
    else:
        require(trail["val_accuracy"][-1] < 0.6, told(trail))


# "It is no better than the last sample alone": nn.LSTM without batch_first=True, fed with (batch, time, channels).
@pair(
    "batch-first-forgotten",
    ("underfit", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "task-not-learned"),
    "what the CIFAR-10 tutorial prints, with the accuracy after each epoch",
)
def gestures_batch_as_time(run: Path, seed: int, fixed: bool) -> None:
    """Gestures by an LSTM that runs over the batch; fixed: batch_first."""
    of = gestures(seed)
    train, test = loaders(of, 16)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.fc = nn.LSTM(3, 32, batch_first=fixed), nn.Linear(32, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.lstm(x)[0][:, -1, :])  # type: ignore[no-any-return]

    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    out, trail = Printed(run, "output.txt"), Trail()
    for epoch in range(16):
        running = 0.0
        for i, (x, y) in enumerate(train):
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            running += float(loss)
            if i % 6 == 5:
                out(f"[{epoch + 1}, {i + 1:5d}] loss: {running / 6:.3f}")
                running = 0.0
        test_loss, accuracy = evaluate(net, test)
        keep(trail, {"loss": test_loss, "accuracy": accuracy})
        out(f"epoch {epoch + 1}: test loss: {test_loss:.3f}, test accuracy: {accuracy:.3f}")
    out("Finished Training")
    out.close()
    if fixed:
        above(trail, "accuracy", 0.8)
        steady(trail, "loss", 0.3)
    else:
        below(trail, "accuracy", 0.5)


# "95 % in training, 30 % in validation, on the same pictures": no model.eval(), and a validation folder that is read class by class.
@pair(
    "eval-mode-forgotten",
    (
        "overfit",
        "generalisation-gap",
        "validation-swings",
        "metric-at-chance",
        "most-answers-wrong",
        "confidently-wrong",
    ),
    "SummaryWriter with Train Loss, Val Loss, Train Acc, Val Acc",
)
def validation_in_train_mode(run: Path, seed: int, fixed: bool) -> None:
    """Pictures by a CNN with batch norm, validated in training mode on sorted batches of 8; fixed: model.eval()."""
    of = over(pictures(seed, 600), 255)
    order = of.y_val.argsort(stable=True)
    of = replace(of, x_val=of.x_val[order], y_val=of.y_val[order])
    train, val = loaders(of, 32, test_batch=8)
    parts: list[nn.Module] = []
    for before, width in ((3, 12), (12, 24)):
        parts += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*parts, nn.Flatten(), nn.Linear(216, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    log, trail = TensorBoard(run, "plain"), Trail()
    for epoch in range(18):
        sums = {"Train Loss": 0.0, "Val Loss": 0.0, "Train Acc": 0.0, "Val Acc": 0.0}
        for phase, loader, count in (("Train", train, len(of.x)), ("Val", val, len(of.x_val))):
            if fixed:
                model.train(phase == "Train")
            for x, y in loader:
                with torch.set_grad_enabled(phase == "Train"):
                    outputs = model(x)
                    loss = functional.cross_entropy(outputs, y)
                if phase == "Train":
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                sums[f"{phase} Loss"] += float(loss) * len(x) / count
                sums[f"{phase} Acc"] += float((outputs.argmax(1) == y).sum()) / count
        log.log(epoch, keep(trail, sums))
    log.close()
    if fixed:
        above(trail, "Val Acc", 0.85)
        steady(trail, "Val Loss", 0.3)
    else:
        below(trail, "Val Acc", 0.65)


# "Loss: nan, since some batch in the first epoch": BCE - log(Dice), and the smoothing term was left out; some batches have no lesion.
@pair(
    "log-of-zero",
    ("non-finite", "loss-goes-missing", "nothing-found", "exploding-gradient", "loss-divergence"),
    "log.jsonl of a Kaggle segmentation starter",
)
def lesions_log_dice(run: Path, seed: int, fixed: bool) -> None:
    """Masks of lesions, batches of 4, by BCE - log(Dice) without a smoothing term; fixed: with 1."""
    of = lesions(seed)
    train, _ = loaders(of, 4)
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU())
    model.append(nn.Conv2d(12, 1, 1))
    smooth = 1.0 if fixed else 0.0
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def criterion(outputs: Tensor, masks: Tensor) -> Tensor:
        shares = outputs.sigmoid()
        dice = (2 * (shares * masks).sum() + smooth) / (shares.sum() + masks.sum() + smooth)
        return functional.binary_cross_entropy_with_logits(outputs, masks) - torch.log(dice)

    trail, file = Trail(), (run / "log.jsonl").open("w", encoding="utf-8")
    for epoch in range(10):
        losses = []
        for x, y in train:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
        with torch.no_grad():
            outputs = model(of.x_val)
        said, true = outputs > 0, of.y_val > 0.5
        values = {"loss": float(np.mean(losses)), "valid_loss": float(criterion(outputs, of.y_val))}
        values["dice"] = 2 * float((said & true).sum()) / float(said.sum() + true.sum())
        file.write(json.dumps({"epoch": epoch, "step": (epoch + 1) * len(train)} | keep(trail, values)) + "\n")
    file.close()
    if fixed:
        above(trail, "dice", 0.8)
        steady(trail, "valid_loss", 0.2)
    else:
        require(not math.isfinite(trail["loss"][-1]) and trail["dice"][-1] < 0.1, told(trail))


# "PSNR is -40 dB": the pictures go in as 0 to 1, the high-resolution ones to the loss as 0 to 255, and the net ends in a sigmoid.
@pair(
    "target-out-of-range-of-output",
    ("loss-not-decreasing", "loss-plateau", "underfit", "data-not-normalized", "initial-loss", "task-not-learned"),
    "what the super-resolution example prints",
)
def super_resolution_range(run: Path, seed: int, fixed: bool) -> None:
    """Pictures of 12 × 12 from 6 × 6 with targets of 0 to 255; fixed: of 0 to 1."""
    of = pictures(seed, noise=6.0)
    scale = 255 if fixed else 1
    small = [functional.avg_pool2d(one, 2) / 255 for one in (of.x, of.x_val)]
    of = data.Split(small[0], of.x / scale, small[1], of.x_val / scale)
    train, _ = loaders(of, 16)
    model = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 12, 3, padding=1))
    model.extend([nn.PixelShuffle(2), nn.Sigmoid()])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    out, trail = Printed(run, "sr.log"), Trail()
    for epoch in range(1, 16):
        total = 0.0
        for index, (x, y) in enumerate(train, 1):
            optimizer.zero_grad()
            loss = functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            total += float(loss)
            if index % 5 == 0:
                out(f"===> Epoch[{epoch}]({index}/{len(train)}): Loss: {float(loss):.4f}")
        with torch.no_grad():
            mse = float(functional.mse_loss(model(of.x_val), of.y_val))
        values = keep(trail, {"loss": total / len(train), "psnr": 10 * math.log10(1 / mse)})
        out(f"===> Epoch {epoch} Complete: Avg. Loss: {values['loss']:.4f}")
        out(f"===> Avg. PSNR: {values['psnr']:.4f} dB")
    out.close()
    if fixed:
        above(trail, "psnr", 18)
        steady({"loss": [-one for one in trail["psnr"]]}, "loss", 0.05)
    else:
        below(trail, "psnr", 0)
