"""Healthy reinforcement learning: returns are noisy, losses mean little, and the policy gets better all the same."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import into, varied

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


@healthy("development", "tensorboard, names of Stable-Baselines3")
def bandit(run: Path, seed: int) -> None:
    """A contextual bandit with noisy pay-offs, solved by policy gradient: the mean return rises from about 0 to more than 0.6 of the best
    possible, through much noise.
    """
    random = data.generator(seed)
    truth = torch.randn(6, 4, generator=random)
    policy = models.mlp((6, 32, 4), "tanh")
    optimizer = torch.optim.Adam(policy.parameters(), varied(seed, 5e-3))
    log = loggers.TensorBoard(run, "plain")
    baseline, returns, best = 0.0, [], []
    for step in range(1, 801):
        context = torch.randn(32, 6, generator=random)
        chances = torch.distributions.Categorical(logits=policy(context))
        actions = chances.sample()
        worth = context @ truth
        reward = worth.gather(1, actions[:, None]).squeeze(1) + 2 * torch.randn(32, generator=random)
        baseline += 0.05 * (float(reward.mean()) - baseline)
        policy_loss = -(chances.log_prob(actions) * (reward - baseline)).mean()
        entropy = chances.entropy().mean()
        optimizer.zero_grad()
        (policy_loss - 0.02 * entropy).backward()
        optimizer.step()
        returns.append(float(reward.mean()))
        best.append(float(worth.max(1).values.mean()))
        if step % 5 == 0:
            log.log(
                step * 32,
                {"rollout/ep_rew_mean": sum(returns[-5:]) / 5, "train/policy_gradient_loss": policy_loss.item()},
            )
            log.log(step * 32, {"train/entropy_loss": -entropy.item()})
    log.close()
    share = sum(returns[-100:]) / sum(best[-100:])
    require(share > 0.6, f"the last returns are {share:.2f} of the best possible")


class CartPole:
    """Poles on carts, many at once: state (n, 4) of position, speed, angle, angular speed, after Barto, Sutton and Anderson (1983).

    A step pays 1; an episode ends beyond 2.4 m or 0.21 rad or after 200 steps, and another begins.
    """

    def __init__(self, count: int, random: torch.Generator) -> None:
        self.random = random
        self.state = self._fresh(count)
        self.steps = torch.zeros(count)

    def _fresh(self, count: int) -> Tensor:
        return 0.1 * (torch.rand(count, 4, generator=self.random) - 0.5)

    def step(self, right: Tensor) -> tuple[Tensor, Tensor]:
        """Push each cart right or left; which episodes ended, and how long each is so far."""
        position, speed, angle, turning = self.state.unbind(1)
        push = 20.0 * right - 10.0
        held = (push + 0.05 * turning**2 * angle.sin()) / 1.1
        turn = (9.8 * angle.sin() - angle.cos() * held) / (0.5 * (4 / 3 - 0.1 * angle.cos() ** 2 / 1.1))
        gain = held - 0.05 * turn * angle.cos() / 1.1
        self.state = torch.stack(
            [position + 0.02 * speed, speed + 0.02 * gain, angle + 0.02 * turning, turning + 0.02 * turn], 1
        )
        self.steps = self.steps + 1
        lengths = self.steps.clone()
        ended = (self.state[:, 0].abs() > 2.4) | (self.state[:, 2].abs() > 0.21) | (self.steps >= 200)
        self.state = torch.where(ended[:, None], self._fresh(len(ended)), self.state)
        self.steps = torch.where(ended, torch.zeros_like(self.steps), self.steps)
        return ended, lengths


@healthy("seen", "tensorboard, names of CleanRL")
def cart_pole(run: Path, seed: int) -> None:
    """Advantage actor-critic on a pole on a cart: episodes last about 20 steps in the beginning and more than 70 in the end; on the way
    returns fall back again and again, and the value loss rises as the returns do.
    """
    random = data.generator(seed)
    poles = CartPole(16, random)
    actor, critic = models.mlp((4, 32, 2), "tanh"), models.mlp((4, 32, 1), "tanh")
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], varied(seed, 8e-3))
    log = loggers.TensorBoard(run, "plain")
    finished: list[float] = []
    for update in range(1, 251):
        states, actions, ends = [], [], []
        for _ in range(16):
            with torch.no_grad():
                action = torch.distributions.Categorical(logits=actor(poles.state)).sample()
            states.append(poles.state)
            actions.append(action)
            ended, lengths = poles.step(action)
            ends.append(ended)
            finished += lengths[ended].tolist()
        with torch.no_grad():
            ahead = critic(poles.state).squeeze(1)
        targets = []
        for ended in reversed(ends):
            ahead = 1 + 0.97 * ahead * ~ended
            targets.append(ahead)
        seen, aim = torch.cat(states), torch.cat(targets[::-1])
        value = critic(seen).squeeze(1)
        chances = torch.distributions.Categorical(logits=actor(seen))
        advantage = aim - value.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        policy_loss = -(chances.log_prob(torch.cat(actions)) * advantage).mean()
        value_loss, entropy = functional.mse_loss(value, aim), chances.entropy().mean()
        optimizer.zero_grad()
        (policy_loss + 0.1 * value_loss - 0.01 * entropy).backward()
        nn.utils.clip_grad_norm_([*actor.parameters(), *critic.parameters()], 1.0)
        optimizer.step()
        told = {"losses/policy_loss": policy_loss.item(), "losses/value_loss": value_loss.item()}
        log.log(update * 256, {**told, "losses/entropy": entropy.item()})
        if finished:
            log.log(update * 256, {"charts/episodic_return": sum(finished[-10:]) / len(finished[-10:])})
    log.close()
    early, late = sum(finished[:50]) / 50, sum(finished[-50:]) / 50
    require(late > 70 and late > 3 * early, f"episodes took {early:.0f} steps at first, {late:.0f} at last")


@healthy("development", "csv, per episode")
def q_learning(run: Path, seed: int) -> None:
    """Q-learning in a grid of 6 × 6 with slippery floor and falling exploration: returns rise from about -60 to near the best, the error
    of the values rises at first, since values grow, and falls later.
    """
    random = np.random.default_rng(seed)
    values = np.zeros((36, 4))
    moves = ((-1, 0), (1, 0), (0, -1), (0, 1))
    log = loggers.Csv(run, "plain", "progress.csv", axis="episode")
    rate, returns = varied(seed, 0.3), []
    for episode in range(400):
        exploration = max(0.02, 1 - episode / 200)
        row = column = 0
        total, errors = 0.0, []
        for _ in range(100):
            state = row * 6 + column
            action = int(random.integers(4)) if random.random() < exploration else int(values[state].argmax())
            down, right = moves[int(random.integers(4)) if random.random() < 0.1 else action]
            row, column = min(5, max(0, row + down)), min(5, max(0, column + right))
            ended = (row, column) == (5, 5)
            reward = 10.0 if ended else -1.0
            error = reward + (0 if ended else 0.98 * values[row * 6 + column].max()) - values[state, action]
            values[state, action] += rate * error
            total += reward
            errors.append(abs(error))
            if ended:
                break
        returns.append(total)
        told = {"episode_reward": total, "episode_length": float(len(errors)), "exploration_rate": exploration}
        log.log(episode, {**told, "td_error": float(np.mean(errors))})
    log.close()
    early, late = np.mean(returns[:40]), np.mean(returns[-50:])
    require(late > -6 and late > early + 20, f"returns from {early:.1f} to {late:.1f}")


@healthy("seen", "jsonl, per generation")
def evolution_strategy(run: Path, seed: int) -> None:
    """An evolution strategy that balances poles: no gradient, no loss, only the returns of a population; from about 10 to 40 steps to
    more than 120.
    """
    random = data.generator(seed)
    mean, spread = torch.zeros(4), 0.5
    rate = varied(seed, 0.4)
    log = loggers.JsonLines(run, "plain", "progress.jsonl", axis="iteration")
    scores: list[float] = []
    for generation in range(60):
        tried = mean + spread * torch.randn(32, 4, generator=random)
        poles = CartPole(32, random)
        lived, alive = torch.zeros(32), torch.ones(32, dtype=torch.bool)
        for _ in range(200):
            ended, _ = poles.step(((poles.state * tried).sum(1) > 0).float())
            lived += alive
            alive &= ~ended
            if not alive.any():
                break
        ranks = lived.argsort().argsort() / 31 - 0.5
        mean = mean + rate * (ranks[:, None] * (tried - mean)).mean(0) / spread
        scores.append(float(lived.mean()))
        log.log(generation, {"episode_reward_mean": scores[-1], "episode_reward_max": float(lived.max())})
    log.close()
    late = sum(scores[-10:]) / 10
    require(late > 120 and late > scores[0] + 30, f"from {scores[0]:.0f} to {late:.0f} steps")
