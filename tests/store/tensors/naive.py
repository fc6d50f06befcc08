"""What each statistic of a tensor is by its definition, in float64 with numpy, one tensor at a time."""

import hashlib
import math
from collections import Counter

import numpy as np

BASE = ("count", "nan", "inf", "nonfinite", "zeros", "min", "max", "mean", "std", "abs_mean", "abs_max", "l2")


def base(array: np.ndarray) -> dict[str, float]:
    flat = array.reshape(-1).astype(np.float64)
    x = flat[np.isfinite(flat)]
    found = {
        "count": flat.size,
        "nan": np.isnan(flat).sum(),
        "inf": np.isinf(flat).sum(),
        "nonfinite": flat.size - x.size,
        "zeros": (x == 0).sum(),
    }
    with np.errstate(all="ignore"):
        if x.size:
            found |= {
                "min": x.min(),
                "max": x.max(),
                "mean": x.mean(),
                "std": x.std(),
                "abs_mean": np.abs(x).mean(),
                "abs_max": np.abs(x).max(),
                "l2": np.sqrt((x * x).sum()),
            }
    return {key: float(found.get(key, math.nan)) for key in BASE}


def values(array: np.ndarray, q: float, token: float) -> dict[str, float]:
    flat = array.reshape(-1)
    x = flat[np.isfinite(flat)]
    wide = x.astype(np.float64)
    words = flat.astype(flat.dtype.newbyteorder("<")).tobytes()
    with np.errstate(all="ignore"):
        return {
            "quantile": float(np.quantile(wide, q)) if x.size else math.nan,
            "share_equal": float((wide == token).mean()) if x.size else math.nan,
            "whole": float((wide == np.rint(wide)).mean()) if x.size else math.nan,
            "distinct": float(len(set(x.tolist()))) if len(set(x.tolist())) <= 1000 else math.nan,
            "hash": float(int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little") >> 11),
        }


def equal_rows(array: np.ndarray) -> float:
    if array.ndim < 2 or not array.size:
        return math.nan
    rows = [array[i].tobytes() for i in range(len(array))]
    times = Counter(rows)
    return sum(times[row] > 1 for row in rows) / len(rows)


def compared(
    new: np.ndarray, old: np.ndarray, epsilon: float, rtol: float, atol: float, equal_nan: bool
) -> dict[str, float]:
    a, b = new.reshape(-1).astype(np.float64), old.reshape(-1).astype(np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    known = b[np.isfinite(b)]
    with np.errstate(all="ignore"):
        d = a[both] - b[both]
        update = float(np.sqrt((d * d).sum())) if both.any() else math.nan
        return {
            "update_l2": update,
            "update_ratio": float(np.float64(update) / (np.sqrt((known * known).sum()) + epsilon)),
            "changed": float((~np.isclose(a, b, rtol, atol, equal_nan)).mean()) if a.size else math.nan,
        }


def units(samples: list[np.ndarray]) -> dict[str, float]:
    """`samples`: the values of each unit."""
    wide = [one.reshape(-1).astype(np.float64) for one in samples]
    names = (
        "channel_zero", "channel_constant", "channel_mean_max", "channel_std_max", "channel_std_min", "channel_shift_max",
    )  # fmt: skip
    if not sum(one.size for one in wide):
        return dict.fromkeys(names, math.nan)
    single = wide[0].size < 2
    zero, constant, means, stds, shifts = 0, 0, [], [], []
    for one in wide:
        zero += bool((one == 0).all())
        constant += bool((one == one[0]).all() and np.isfinite(one[0]))
        x = one[np.isfinite(one)]
        if x.size:
            means.append(abs(x.mean()))
        if x.size > 1:
            std = 0.0 if x.min() == x.max() else x.std()
            stds.append(std)
            shifts.append(abs(x.mean()) / std if std else (math.inf if x.mean() else 0.0))
    found = (
        zero / len(wide),
        math.nan if single else constant / len(wide),
        max(means, default=math.nan),
        max(stds, default=math.nan),
        min(stds, default=math.nan),
        max(shifts, default=math.nan),
    )
    return dict(zip(names, map(float, found), strict=True))
