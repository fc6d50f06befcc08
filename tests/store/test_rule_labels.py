"""Labels by which rules tell apart series of one role: parts of a step, kinds of divergence, counters."""

import pytest

from mlcheck.store.roles import assign


@pytest.mark.parametrize(
    ("tag", "role", "metric"),
    [
        ("data_time", "step_time", "data"),
        ("train/data_time", "step_time", "data"),
        ("timers/data_loading", "step_time", "data"),
        ("time", "step_time", "step"),
        ("perf/step_time", "step_time", "step"),
        ("Perf/collection time", "step_time", None),
        ("eta_seconds", "step_time", None),
        ("train/approx_kl", "kl", "update"),
        ("policy/approxkl_avg", "kl", "update"),
        ("actor/ppo_kl", "kl", "update"),
        ("objective/kl", "kl", None),
        ("losses/old_approx_kl", "kl", None),
        ("train/clip_fraction", "clip_fraction", "clip_fraction"),
        ("train/frac_reward_zero_std", "rl_diagnostic", "frac_reward_zero_std"),
        ("Policy/mean_noise_std", "policy_std", "std"),
        ("train/epoch", "progress", "epoch"),
        ("train/global_step", "progress", None),
    ],
)
def test_the_metric_of_a_series_that_rules_ask_for(tag: str, role: str, metric: str | None) -> None:
    found = assign(tag)
    assert (found.role, found.labels.get("metric")) == (role, metric)
