"""Attention that has collapsed onto one place, is spread over everything, or does not move; and pointer-generator's own dumps of it."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcheck.updates.base import ComparisonError
from mlcheck.updates.clustered import Facts, put_share, share
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.table import PredictionTable
from mlcheck.updates.tokenwise import Tokenwise, refuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

UNIT_KEY = "attn_entropy_unit"
"""Key of the metadata of a dump: `nats` (default) or `normalised`, divided by ln(src_len) already."""
MOST_BYTES = 512 << 20
ROUNDING = 1e-3
"""By which an entropy may exceed its greatest value: dumps are float32 and smaller."""


def measure_attention(
    dump: PredictionTable,
    entropy: Tokenwise | None,
    peaks: Tokenwise | None,
    clusters: "Ints",
    settings: RewriteSettings,
) -> Facts:
    """Shares of the examples whose attention is collapsed or diffuse (median over tokens of H(a_t) / ln(src_len) below or above a bound),
    stuck (its peak at one position for some tokens in a row), and any of these (`degenerate`).

    entropy: column `attn_entropy`, peaks: column `attn_argmax`, the position of the greatest weight. Raises ComparisonError for an
    entropy that src_len positions cannot have.
    """
    import numpy as np

    facts = Facts()
    if entropy is None and peaks is None:
        return facts
    rows = len(dump.table)
    lengths = np.full(rows, np.nan)
    if dump.has("src_len"):
        lengths = _numbers_of(dump, "src_len")
    median, why = _medians(dump, entropy, lengths)
    collapsed, diffuse = median < settings.collapsed_below, median > settings.diffuse_above
    stuck = np.full(rows, False)
    if peaks is not None:
        stuck[np.flatnonzero(peaks.lengths > 0)] = [longest_run(one) >= settings.stuck_tokens for one in peaks.pieces()]
    by_entropy = ~np.isnan(median)
    by_peak = np.zeros(rows, dtype=bool) if peaks is None else peaks.lengths > 0
    judged = by_entropy | by_peak
    facts.put_all({"examples": int(judged.sum()), "confidence": settings.confidence})
    no_peaks = "no column `attn_argmax`, the position of the greatest weight"
    for name, part, whole, reason in (
        ("collapsed", collapsed, by_entropy, why),
        ("diffuse", diffuse, by_entropy, why),
        ("stuck", stuck, by_peak, no_peaks),
        ("degenerate", collapsed | diffuse | stuck, judged, why),
    ):
        put_share(facts, name, part, whole, clusters, settings.confidence, reason)
    facts.put("median_entropy", float(np.median(median[by_entropy])) if by_entropy.any() else math.nan, why)
    at_first = math.nan if peaks is None else float((peaks.values == 0).mean())
    facts.put("peak_at_first_position", at_first, no_peaks)
    _put_last(facts, peaks, lengths, no_peaks)
    return facts


def _numbers_of(dump: PredictionTable, name: str) -> "Floats":
    """A column of numbers, NaN where it has none."""
    import numpy as np
    import pyarrow as pa

    try:
        column = dump.table.column(name).cast(pa.float64())
    except pa.ArrowException:
        stated = dump.table.schema.field(name).type
        raise ComparisonError(
            f"{dump.path}: column {dump.named(name)!r} must hold numbers; it holds {stated}"
        ) from None
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _medians(dump: PredictionTable, entropy: Tokenwise | None, lengths: "Floats") -> "tuple[Floats, str]":
    """The median normalised entropy of each example, shape (n,), NaN where undefined, and why all of them could be."""
    import numpy as np

    found = np.full(len(dump.table), np.nan)
    if entropy is None:
        return found, "no column `attn_entropy`"
    unit = dump.metadata.get(UNIT_KEY, "nats")
    if unit not in ("nats", "normalised"):
        raise ComparisonError(f"{dump.path}: {UNIT_KEY} must be nats or normalised; it is {unit!r}")
    most = np.ones(len(dump.table)) if unit == "normalised" else np.log(np.where(lengths > 1, lengths, np.nan))
    over = entropy.values > most[entropy.example] * (1 + ROUNDING) + ROUNDING
    if over.any():
        refuse(
            dump,
            np.unique(entropy.example[over]),
            f"{dump.named('attn_entropy')!r} is above ln(src_len), its greatest value,",
        )
    there = np.flatnonzero(entropy.lengths > 0)
    found[there] = [float(np.median(one)) for one in entropy.pieces()]
    return found / most, "no example has a src_len above 1, by which its entropy could be normalised"


def _put_last(facts: Facts, peaks: Tokenwise | None, lengths: "Floats", why: str) -> None:
    import numpy as np

    at_last = math.nan
    if peaks is not None:
        last = lengths[peaks.example] - 1
        at_last = share(float((peaks.values == last).sum()), float(np.isfinite(last).sum()))
    facts.put("peak_at_last_position", at_last, why if peaks is None else "no column `src_len`")


def longest_run(values: "Floats") -> int:
    """The greatest number of equal values in a row."""
    import numpy as np

    edges = np.flatnonzero(np.diff(values) != 0)
    return int(np.diff(np.concatenate([[-1], edges, [len(values) - 1]])).max(initial=0))


# attn_vis_data.json


def coverage_losses(attention: "Floats") -> "Floats":
    """sum_i min(a_ti, c_ti) of each token, with c_t the sum of the attention of the tokens before. attention: shape (tokens, positions)."""
    import numpy as np

    before = np.cumsum(attention, axis=0) - attention
    found: Floats = np.minimum(attention, before).sum(axis=1)
    return found


def read_attention(paths: Sequence[tuple[Path, str]]) -> PredictionTable:
    """Examples of pointer-generator (See et al.): one `attn_vis_data.json` each, with article_lst, decoded_lst, abstract_str, attn_dists
    and p_gens.

    paths: each with the name that is shown. Entropy, peak and coverage loss come from attn_dists. Raises ComparisonError.
    """
    import pyarrow as pa

    rows = [{"example_id": shown, **_row(_parsed(path, shown), shown)} for path, shown in paths]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
    shown = paths[0][1] if len(paths) == 1 else f"{paths[0][1]} and {len(paths) - 1} more"
    return PredictionTable(shown, pa.table(columns), {"schema": "predictions/1", UNIT_KEY: "nats"})


def is_attention_file(path: Path) -> bool:
    """Whether a file is called as pointer-generator calls its dump of attention."""
    return path.suffix == ".json" and path.name.startswith("attn_vis_data")


def _parsed(path: Path, shown: str) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ComparisonError(f"{shown}: larger than {MOST_BYTES >> 20} MB; it holds one example")
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ComparisonError(f"{shown}: cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ComparisonError(f"{shown}: must be an object with article_lst, decoded_lst and attn_dists")
    return found


def _row(data: Mapping[str, Any], shown: str) -> dict[str, Any]:
    import numpy as np

    source, output = (_words(data, name, shown) for name in ("article_lst", "decoded_lst"))
    row: dict[str, Any] = {
        "source": " ".join(source),
        "hypothesis": " ".join(output),
        "reference": _unmarked(str(data["abstract_str"])) if "abstract_str" in data else None,
        "src_len": len(source),
        "tgt_len": len(output),
    }
    if data.get("p_gens"):
        row["p_gen"] = _numbers(data["p_gens"], "p_gens", (len(output),), shown).tolist()
    if data.get("attn_dists"):
        attention = _numbers(data["attn_dists"], "attn_dists", (len(output), len(source)), shown)
        with np.errstate(divide="ignore", invalid="ignore"):
            row["attn_entropy"] = (-np.where(attention > 0, attention * np.log(attention), 0).sum(axis=1)).tolist()
        row["attn_argmax"] = attention.argmax(axis=1).tolist()
        row["cov_loss"] = coverage_losses(attention).tolist()
    return row


def _words(data: Mapping[str, Any], name: str, shown: str) -> list[str]:
    found = data.get(name)
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise ComparisonError(f"{shown}: {name} must be a list of words")
    return [_unmarked(word) for word in found]


def _unmarked(text: str) -> str:
    """Without the signs that pointer-generator puts around words outside its vocabulary: `__word__`, `!!__word__!!`."""
    return " ".join(
        word.removeprefix("!!").removesuffix("!!").removeprefix("__").removesuffix("__") for word in text.split(" ")
    )


def _numbers(value: Any, name: str, shape: tuple[int, ...], shown: str) -> "Floats":
    """Numbers of a shape, negative ones and others refused. A gate may stand in a list of its own."""
    import numpy as np

    try:
        found = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ComparisonError(f"{shown}: {name} must hold numbers, as many in each row") from None
    if found.ndim == len(shape) + 1 and found.shape[-1] == 1:
        found = found[..., 0]
    if len(shape) == 2 and found.ndim == 2 and found.shape[1] > shape[1] and not found[:, shape[1] :].any():
        # Padding of the batch: positions behind the article have no weight.
        found = found[:, : shape[1]]
    if found.ndim == len(shape) and len(found) == shape[0] + 1:
        # The step that wrote the end of the text, which is no word.
        found = found[:-1]
    if found.shape != shape:
        raise ComparisonError(
            f"{shown}: {name} has the shape {found.shape}; words of output and source ask for {shape}"
        )
    if not (np.isfinite(found) & (found >= 0)).all():
        raise ComparisonError(f"{shown}: {name} holds {int((~(found >= 0)).sum()):,} values that are no weights")
    return found
