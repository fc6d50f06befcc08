"""What the changed PyTorch example scripts share: loaders, an evaluation, their logs, and a few sets of data of their own."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from bench.accuracy import data
from bench.accuracy.loggers import Log
from bench.accuracy.loop import Loss
from bench.accuracy.programs_field_common import Trail
from bench.accuracy.programs_post_common import CartPole


def loaders(of: data.Split, batch: int, shuffle: bool = True, test_batch: int = 256) -> tuple[Any, Any]:
    """A loader of the training data and one of the validation data."""
    train, test = TensorDataset(of.x, of.y), TensorDataset(of.x_val, of.y_val)
    return DataLoader(train, batch_size=batch, shuffle=shuffle), DataLoader(test, batch_size=test_batch)


@torch.no_grad()
def evaluate(model: nn.Module, loader: Any, loss: Loss = functional.cross_entropy) -> tuple[float, float]:
    """Mean loss and accuracy over a loader; the model trains on afterwards."""
    model.eval()
    total, hit, seen = 0.0, 0, 0
    for x, y in loader:
        outputs = model(x)
        total += float(loss(outputs, y)) * len(x)
        hit += int((outputs.argmax(-1) == y).sum()) if outputs.dim() > 1 else 0
        seen += len(x)
    model.train()
    return total / seen, hit / seen


def keep(trail: Trail, values: Mapping[str, float]) -> dict[str, float]:
    """Append to the trail what is logged, and hand it on."""
    for tag, value in values.items():
        trail.setdefault(tag, []).append(float(value))
    return {tag: float(value) for tag, value in values.items()}


class Printed:
    """What a script prints, sent to a file as with `python main.py > train.log`."""

    def __init__(self, run: Path, name: str = "train.log") -> None:
        self.file = (run / name).open("a", encoding="utf-8")

    def __call__(self, text: str) -> None:
        self.file.write(text + "\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class FastaiTable:
    """The table that fastai's Learner prints: epoch, train_loss, valid_loss, metrics, time."""

    def __init__(self, run: Path, *metrics: str) -> None:
        self.out = Printed(run, "nohup.out")
        self.out("".join(f"{name:<10}  " for name in ("epoch", "train_loss", "valid_loss", *metrics, "time")).rstrip())

    def row(self, epoch: int, *values: float) -> None:
        """A row, with a second or so for its time."""
        self.out("".join(f"{one:<10}  " for one in (epoch, *(f"{value:.6f}" for value in values), "00:01")).rstrip())

    def close(self) -> None:
        """Close the file."""
        self.out.close()


class Mlflow:
    """The file store of MLflow: mlruns/0/RUN/metrics/NAME with `time value step` a line."""

    def __init__(self, run: Path, experiment: str = "0", name: str = "c0ffee5c21b94b6f8a6e0d9b7a1e2f34") -> None:
        self.metrics = run / "mlruns" / experiment / name / "metrics"
        self.metrics.mkdir(parents=True)
        (self.metrics.parent / "params").mkdir()
        meta = f"artifact_uri: ./mlruns/{experiment}/{name}/artifacts\nexperiment_id: '{experiment}'\nrun_id: {name}\n"
        meta += f"lifecycle_stage: active\nrun_name: first-try\nstatus: 3\nstart_time: {int(time.time() * 1000)}\n"
        (self.metrics.parent / "meta.yaml").write_text(meta, encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One line each."""
        for name, value in values.items():
            with (self.metrics / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {float(value)} {step}\n")

    def param(self, name: str, value: object) -> None:
        """A parameter."""
        (self.metrics.parent / "params" / name).write_text(str(value), encoding="utf-8")


def digits(seed: int) -> data.Split:
    """The digits of scikit-learn as pictures (n, 1, 8, 8) of 0 to 1."""
    of = data.bundled("digits", seed, scaled=False).as_images()
    return replace(of, x=of.x / 16, x_val=of.x_val / 16)


def genres(seed: int, samples: int = 900) -> data.Split:
    """Measures of films (n, 24) and which of 8 genres they have, (n, 8) of 0 and 1, three or so each."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 24))
    weights = random.normal(size=(24, 8)) / np.sqrt(24)
    y = (x @ weights + 0.15 * random.normal(size=(samples, 8)) > 0.3).astype(np.float32)
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def lesions(seed: int, samples: int = 400, empty: float = 0.5) -> data.Split:
    """Pictures (n, 1, 16, 16) and masks of the same shape: one or two bright discs in noise, or, in a share of them, nothing."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:16, 0:16]
    masks = np.zeros((samples, 1, 16, 16))
    for mask in masks:
        for _ in range(0 if random.random() < empty else random.integers(1, 3)):
            row, column = random.integers(3, 13, 2)
            mask[0] = np.maximum(mask[0], (rows - row) ** 2 + (columns - column) ** 2 <= random.integers(4, 10))
    x = masks + 0.5 * random.normal(size=masks.shape)
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(masks, dtype=torch.float32)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def frauds(seed: int, samples: int = 1600, share: float = 0.05) -> data.Split:
    """Payments (n, 10), standardised, and whether they are frauds, as (n, 1) of 0 and 1; few are."""
    of = data.imbalanced(seed, samples, share)
    return replace(of, y=of.y[:, None].float(), y_val=of.y_val[:, None].float())


class Poles:
    """Some poles on carts at once, which begin anew when they fall, as a vector environment of gymnasium does."""

    def __init__(self, seed: int, count: int = 4) -> None:
        self.all = [CartPole(100 * seed + number) for number in range(count)]
        self.states = np.stack([pole.reset() for pole in self.all])
        self.lengths, self.ended = [0] * count, [0.0]

    def step(self, actions: list[int]) -> list[float]:
        """One step of each; 1 where one is over. The lengths of those go to `ended`."""
        overs = []
        for number, (pole, action) in enumerate(zip(self.all, actions, strict=True)):
            self.states[number], _, over = pole.step(action)
            self.lengths[number] += 1
            if over:
                self.ended.append(float(self.lengths[number]))
                self.states[number], self.lengths[number] = pole.reset(), 0
            overs.append(float(over))
        return overs


def advantages(overs: Tensor, values: Tensor, ahead: Tensor) -> Tensor:
    """Generalised advantages (steps, poles) with 0.99 and 0.95, and a reward of 1 a step."""
    found, total = torch.zeros_like(values), torch.zeros(values.shape[1])
    for step in reversed(range(len(values))):
        following = ahead if step == len(values) - 1 else values[step + 1]
        delta = 1.0 + 0.99 * following * (1 - overs[step]) - values[step]
        total = delta + 0.99 * 0.95 * (1 - overs[step]) * total
        found[step] = total
    return found


def ppo(log: Log, seed: int, ends: bool, updates: int = 36, steps: int = 96) -> Trail:
    """CleanRL's ppo.py in small on four poles; returns end with an episode if `ends`. Logs once an update, by global steps."""
    actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
    critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    parameters = [*actor.parameters(), *critic.parameters()]
    rate = 0.0025
    optimizer = torch.optim.Adam(parameters, lr=rate, eps=1e-5)
    poles, trail = Poles(seed), Trail()
    for update in range(1, updates + 1):
        optimizer.param_groups[0]["lr"] = rate * (1 - (update - 1) / updates)
        rows: list[tuple[Tensor, Tensor, Tensor]] = []
        with torch.no_grad():
            for _ in range(steps):
                states = torch.tensor(poles.states, dtype=torch.float32)
                actions = torch.multinomial(actor(states).softmax(-1), 1)[:, 0]
                rows.append((states, actions, torch.tensor(poles.step(actions.tolist()))))
            states, actions, overs = (torch.stack(one) for one in zip(*rows, strict=True))
            values = critic(states)[..., 0]
            ahead = critic(torch.tensor(poles.states, dtype=torch.float32))[:, 0]
            gains = advantages(overs if ends else torch.zeros_like(overs), values, ahead).flatten()
            states, actions, targets = states.flatten(0, 1), actions.flatten(), gains + values.flatten()
            before = actor(states).log_softmax(-1).gather(1, actions[:, None])[:, 0]
        told: list[list[float]] = []
        for _ in range(4):
            for chosen in torch.randperm(len(states)).chunk(4):
                logs = actor(states[chosen]).log_softmax(-1)
                change = logs.gather(1, actions[chosen, None])[:, 0] - before[chosen]
                ratio, gain = change.exp(), gains[chosen]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                policy_loss = torch.max(-gain * ratio, -gain * ratio.clamp(0.8, 1.2)).mean()
                value_loss = 0.5 * (critic(states[chosen])[:, 0] - targets[chosen]).square().mean()
                entropy = -(logs.exp() * logs).sum(-1).mean()
                optimizer.zero_grad()
                (policy_loss - 0.01 * entropy + 0.5 * value_loss).backward()
                nn.utils.clip_grad_norm_(parameters, 0.5)
                optimizer.step()
                clipped = ((ratio - 1).abs() > 0.2).float().mean()
                kl = (ratio - 1 - change).mean()
                told.append([float(one.detach()) for one in (policy_loss, value_loss, entropy, kl, clipped)])
        names = ("policy_loss", "value_loss", "entropy", "approx_kl", "clipfrac")
        found = {f"losses/{name}": float(value) for name, value in zip(names, np.mean(told, 0), strict=True)}
        spread = float(targets.var())
        found["losses/explained_variance"] = 1 - float((targets - values.flatten()).var()) / max(spread, 1e-9)
        found |= {"charts/learning_rate": optimizer.param_groups[0]["lr"]}
        found |= {"charts/episodic_return": float(np.mean(poles.ended[-20:]))}
        log.log(update * steps * 4, keep(trail, found))
    return trail
