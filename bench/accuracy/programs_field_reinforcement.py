"""Programs of the field that learn from rewards: PPO and REINFORCE on a pole to balance, Q-learning on a grid."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import TensorBoard
from bench.accuracy.programs_field_common import into
from bench.accuracy.programs_field_logs import Table

RECIPES: list[Recipe] = []
pair = into(RECIPES)


class Poles:
    """Many poles on carts to balance at once, by the usual equations; an episode ends at a tilt of 12 degrees or after 200 steps."""

    def __init__(self, count: int, seed: int) -> None:
        self.random, self.count = np.random.default_rng(seed), count
        self.state = self.random.uniform(-0.05, 0.05, (count, 4))
        self.length = np.zeros(count)
        self.finished: deque[float] = deque(maxlen=50)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Act with 0 or 1 in each: rewards, and which episodes ended."""
        x, v, angle, turn = self.state.T
        force = np.where(action == 1, 10.0, -10.0)
        pull = (force + 0.05 * turn**2 * np.sin(angle)) / 1.1
        bend = (9.8 * np.sin(angle) - np.cos(angle) * pull) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        push = pull - 0.05 * bend * np.cos(angle) / 1.1
        self.state = np.stack([x + 0.02 * v, v + 0.02 * push, angle + 0.02 * turn, turn + 0.02 * bend], 1)
        self.length += 1
        over = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 0.2095) | (self.length >= 200)
        for one in np.flatnonzero(over):
            self.finished.append(float(self.length[one]))
        self.state[over] = self.random.uniform(-0.05, 0.05, (int(over.sum()), 4))
        self.length[over] = 0
        return np.ones(self.count), over

    def seen(self) -> Tensor:
        """What is observed (count, 4)."""
        return torch.tensor(self.state, dtype=torch.float32)


@dataclass
class Ppo:
    """What differs between programs."""

    rate: float = 3e-3
    clip: float = 0.2
    passes: int = 6
    entropy: float = 0.01
    iterations: int = 50
    ahead: float = 0.98
    """Discount."""


def ppo(run: Path, seed: int, of: Ppo) -> list[float]:
    """Train with PPO and write progress.csv as Stable-Baselines3 does; the mean episode at each iteration."""
    steps, count = 64, 8
    poles = Poles(count, seed)
    actor, critic = models.mlp((4, 32, 32, 2), "tanh"), models.mlp((4, 32, 32, 1), "tanh")
    actor[-1].weight.data *= 0.1
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=of.rate, eps=1e-5)
    log = Table(run / "progress.csv", "time/total_timesteps", clock="time/iteration_seconds")
    rewards: list[float] = []
    for iteration in range(1, of.iterations + 1):
        batch = gathered(poles, actor, critic, steps, of.ahead)
        row = improved(actor, critic, optimizer, batch, of)
        rewards.append(float(np.mean(poles.finished)) if poles.finished else float(poles.length.mean()))
        values = {"rollout/ep_rew_mean": rewards[-1], "rollout/ep_len_mean": rewards[-1], "time/iterations": iteration}
        values |= {
            "train/clip_range": of.clip,
            "train/learning_rate": of.rate,
            "train/n_updates": iteration * of.passes,
        }
        log.log(iteration * steps * count, values | row)
    log.close()
    return rewards


def gathered(poles: Poles, actor: nn.Module, critic: nn.Module, steps: int, ahead: float) -> dict[str, Tensor]:
    """Steps of all poles, flat, with advantages (by generalised estimation with 0.95) and returns."""
    rows: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]] = []
    with torch.no_grad():
        for _ in range(steps):
            seen = poles.seen()
            logits = actor(seen)
            action = torch.distributions.Categorical(logits=logits).sample()
            reward, over = poles.step(action.numpy())
            chance = logits.log_softmax(1).gather(1, action[:, None])[:, 0]
            rows.append((seen, action, chance, torch.tensor(reward).float(), torch.tensor(over), critic(seen)[:, 0]))
        after = critic(poles.seen())[:, 0]
    seen, action, chance, reward, over, value = (torch.stack(one) for one in zip(*rows, strict=True))
    advantage, running = torch.zeros_like(value), torch.zeros(value.shape[1])
    for at in reversed(range(steps)):
        going = 1 - over[at].float()
        surprise = reward[at] + ahead * after * going - value[at]
        running = surprise + ahead * 0.95 * going * running
        advantage[at], after = running, value[at]
    made = {
        "seen": seen,
        "action": action,
        "chance": chance,
        "advantage": advantage,
        "returns": advantage + value,
        "value": value,
    }
    return {name: one.flatten(0, 1) for name, one in made.items()}


def improved(
    actor: nn.Module, critic: nn.Module, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor], of: Ppo
) -> dict[str, float]:
    """Passes over what was gathered; what Stable-Baselines3 tells of them."""
    told: list[dict[str, float]] = []
    for _ in range(of.passes):
        for part in torch.randperm(len(batch["seen"])).split(128):
            spread = torch.distributions.Categorical(logits=actor(batch["seen"][part]))
            ratio = (spread.log_prob(batch["action"][part]) - batch["chance"][part]).exp()
            gain = batch["advantage"][part]
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            policy = -torch.min(ratio * gain, ratio.clamp(1 - of.clip, 1 + of.clip) * gain).mean()
            value = functional.mse_loss(critic(batch["seen"][part])[:, 0], batch["returns"][part])
            entropy = spread.entropy().mean()
            loss = policy + 0.5 * value - of.entropy * entropy
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*actor.parameters(), *critic.parameters()], 0.5)
            optimizer.step()
            ratio = ratio.detach()
            told.append(
                {
                    "train/approx_kl": float((ratio - 1 - ratio.log()).mean()),
                    "train/clip_fraction": float(((ratio - 1).abs() > of.clip).float().mean()),
                    "train/entropy_loss": -float(entropy.detach()),
                    "train/loss": float(loss.detach()),
                    "train/policy_gradient_loss": float(policy.detach()),
                    "train/value_loss": float(value.detach()),
                }
            )
    left = (batch["returns"] - batch["value"]).var() / (batch["returns"].var() + 1e-8)
    return {name: float(np.mean([row[name] for row in told])) for name in told[0]} | {
        "train/explained_variance": float(1 - left)
    }


def reward_rises(rewards: list[float], floor: float) -> None:
    """Require this mean of the last five, and that it is near the best."""
    end = float(np.mean(rewards[-5:]))
    require(end >= floor and end > 0.75 * max(rewards), f"rewards {rewards[::5]}")


def reward_stays(rewards: list[float], ceiling: float) -> None:
    """Require that the mean of the last five is at most this."""
    require(float(np.mean(rewards[-5:])) <= ceiling, f"rewards {rewards[::5]}")


@pair(
    "policy-update-too-large",
    ("policy-update-too-large", "entropy-collapse", "reward-flat", "reward-collapse", "learning-rate-too-high"),
    "progress.csv of Stable-Baselines3",
)
def ppo_without_clip(run: Path, seed: int, fixed: bool) -> None:
    """PPO with a clip range of 20 for 0.2 and a rate of 0.1 for 20 passes: each update throws the policy over; fixed: the usual ones."""
    rewards = ppo(run, seed, Ppo() if fixed else Ppo(rate=0.1, clip=20.0, passes=20, iterations=25, entropy=0.0))
    if fixed:
        reward_rises(rewards, 70)
    else:
        reward_stays(rewards, 45)


@pair("entropy-collapse", ("entropy-collapse", "reward-flat", "reward-collapse"), "progress.csv of Stable-Baselines3")
def entropy_made_small(run: Path, seed: int, fixed: bool) -> None:
    """PPO whose bonus for entropy has the wrong sign and too large a weight, so that one action is always taken; fixed: a small bonus."""
    rewards = ppo(run, seed, Ppo() if fixed else Ppo(entropy=-20.0))
    if fixed:
        reward_rises(rewards, 70)
    else:
        reward_stays(rewards, 20)


@pair("loss-sign", ("reward-collapse", "reward-flat", "loss-divergence"), "tensorboard under names of CleanRL")
def returns_made_small(run: Path, seed: int, fixed: bool) -> None:
    """REINFORCE whose loss lacks its minus, so that the returns are made small; fixed: with it."""
    poles, policy = Poles(8, seed), models.mlp((4, 32, 2), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    log = TensorBoard(run, "plain")
    rewards: list[float] = []
    for update in range(1, 121):
        chances, entropies, overs = [], [], []
        for _ in range(64):
            spread = torch.distributions.Categorical(logits=policy(poles.seen()))
            action = spread.sample()
            chances.append(spread.log_prob(action))
            entropies.append(spread.entropy())
            overs.append(torch.tensor(poles.step(action.numpy())[1]).float())
        returns, running = [], torch.zeros(8)
        for over in reversed(overs):
            running = 1 + 0.95 * running * (1 - over)
            returns.insert(0, running)
        gain = torch.stack(returns)
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        loss = (torch.stack(chances) * gain).mean() * (-1 if fixed else 1)
        optimizer.zero_grad()
        (loss - 0.005 * torch.stack(entropies).mean()).backward()
        optimizer.step()
        rewards.append(float(np.mean(poles.finished)) if poles.finished else 10.0)
        values = {"charts/episodic_return": rewards[-1], "losses/policy_loss": float(loss.detach())}
        log.log(
            update * 512,
            values | {"losses/entropy": float(torch.stack(entropies).mean()), "charts/learning_rate": 5e-3},
        )
    log.close()
    if fixed:
        reward_rises(rewards, 60)
    else:
        reward_stays(rewards, 14)


@pair(
    "target-network-never-updated",
    ("reward-flat", "loss-plateau", "reward-collapse"),
    "tensorboard under names of CleanRL",
)
def target_left_behind(run: Path, seed: int, fixed: bool) -> None:
    """Q-learning on a grid of 6 × 6 whose target network stays as it was made, so that no value travels from the goal; fixed: copied each
    50 steps.
    """
    rewards = grid_learning(run, seed, follows=fixed)
    if fixed:
        reward_rises(rewards, 0.4)
    else:
        reward_stays(rewards, 0.15)


def grid_learning(run: Path, seed: int, follows: bool, steps: int = 5000) -> list[float]:
    """Q-learning with replay and a target network; the mean return of the last 20 episodes at each tenth one."""
    random, side = np.random.default_rng(seed), 6
    net, target = models.mlp((side * side, 48, 4)), models.mlp((side * side, 48, 4))
    target.load_state_dict(net.state_dict())
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    codes = torch.eye(side * side)
    memory: deque[tuple[int, int, float, int, float]] = deque(maxlen=3000)
    log = TensorBoard(run, "plain", x=True)
    place, length, whole, recent = 0, 0, 0.0, deque[float](maxlen=20)
    means: list[float] = []
    for step in range(1, steps + 1):
        epsilon = max(0.05, 1 - step / (0.5 * steps))
        if random.random() < epsilon:
            action = int(random.integers(4))
        else:
            with torch.no_grad():
                action = int(net(codes[place]).argmax())
        row, column = divmod(place, side)
        row += {0: -1, 1: 1}.get(action, 0)
        column += {2: -1, 3: 1}.get(action, 0)
        there = min(max(row, 0), side - 1) * side + min(max(column, 0), side - 1)
        goal = there == side * side - 1
        reward = 1.0 if goal else -0.02
        memory.append((place, action, reward, there, float(goal)))
        place, length, whole = there, length + 1, whole + reward
        if goal or length >= 40:
            recent.append(whole)
            log.log(
                step, {"charts/episodic_return": whole, "charts/episodic_length": length, "charts/epsilon": epsilon}
            )
            means.append(float(np.mean(recent)))
            place, length, whole = 0, 0, 0.0
        if step > 200 and step % 2 == 0:
            chosen = [memory[one] for one in random.integers(0, len(memory), 32)]
            before, acted, gained, after, ended = (torch.tensor(one) for one in zip(*chosen, strict=True))
            with torch.no_grad():
                asked = gained.float() + 0.97 * target(codes[after]).amax(1) * (1 - ended.float())
            said = net(codes[before]).gather(1, acted[:, None])[:, 0]
            loss = functional.mse_loss(said, asked)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 50 == 0:
                log.log(step, {"losses/td_loss": float(loss.detach()), "losses/q_values": float(said.detach().mean())})
        if follows and step % 50 == 0:
            target.load_state_dict(net.state_dict())
    log.close()
    return means
