"""The lane of a run: its path without what changes when the same job runs again.

Findings are recognised across runs by it (design.md §5). Taken out are time stamps (with the host, process and counter that
writers append to them), counters of runs and random ids. Settings stay: two seeds, folds or learning rates are two lanes.

| taken out | examples |
|---|---|
| date and time | `2021-05-31`, `20230123-194043`, `2023-01-01/12-34-56`, `1640995200` |
| torch, Hugging Face default | `Apr29_09-30-18_host` |
| event file, add_hparams | `1744227257.b-3-167.5388.0`, `events.out.tfevents.…` |
| counters | `version_7`, `exp12`, `run3`, `train2`, `trial_4`, `DQN_2`, a bare number |
| ids | `run-20230101_120000-3xg7k2ab`, `b1946ac92492d2347c6235b4d2611184`, Ray's `a1b2c_00003` |

Kept: `seed_1`, `fold3`, `lr=0.1`, `seed/1`, `CartPole-v1`, `Homework07`, `bs32`.
"""

import re
from functools import lru_cache

from mlcheck.store.tables import Pattern

_COUNTED = (
    "version|ver|run|runs|exp|expt|exps|experiment|experiment_run|trial|try|attempt|job|slurm|session|rerun"
    "|train|val|predict|detect|segment|classify"
)
_ALGORITHMS = (
    "PPO|RecurrentPPO|MaskablePPO|DQN|QRDQN|QR-DQN|A2C|A3C|SAC|TD3|DDPG|TRPO|ARS|TQC|CrossQ|HER|ACER|ACKTR|GAIL|BC"
    "|IMPALA|APEX"
)
_SETTINGS = Pattern(
    r"(?:seeds?|folds?|lr|learning[_-]?rate|bs|batch(?:[_-]?size)?|dim|size|layers?|hidden|depth|width|k|n|heads?|epochs?|steps?|classes|rank|worker|env|agent|level|stage|task)$",
    re.IGNORECASE,
)

_EVENT_FILE = Pattern(r"^events\.out\.tfevents.*$")
_STAMPED = Pattern(r"^1[0-9]{9}(?:\.\d+)?(?:\..*)?$")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_HOST = Pattern(rf"^{_MONTH}\d\d_\d\d-\d\d-\d\d(?:_(?P<rest>.*))?$")
# A comment is glued to the host: `nodeLR_0.1_BATCH_16`, the example of torch's SummaryWriter.
_SETTING_IN_COMMENT = Pattern(
    r"[A-Za-z]\w*?=[^_,\s]+"
    r"|(?:(?<![A-Za-z])(?:lr|bs|batch|batch_size|seed|fold|wd)|(?<![A-Z])(?:LR|BS|BATCH|BATCH_SIZE|SEED|FOLD|WD))_?-?[0-9][0-9.e-]*"
)
_WANDB = Pattern(r"^(?P<kept>(?:offline-)?run)-\d{8}_\d{6}-\w+$")

_TIME = r"\d{2}[-_:.h]?\d{2}(?:[-_:.m]?\d{2}s?)?(?:[.,]\d{1,6})?"
_DATE = r"(?:19|20)\d{2}(?P<d>[-_.]?)(?:0[1-9]|1[0-2])(?P=d)(?:0[1-9]|[12]\d|3[01])"
_STAMPS = (
    Pattern(rf"(?<![0-9]){_DATE}(?:[-_T ]{{1,2}}{_TIME})?Z?(?![0-9])"),
    Pattern(rf"(?<![A-Za-z]){_MONTH}[-_]?\d{{1,2}}(?:[-_]{_TIME})?(?![0-9A-Za-z])"),
    Pattern(r"(?<![0-9.])1[0-9]{9}(?:[0-9]{3})?(?:\.\d+)?(?![0-9])"),
    Pattern(r"^\d{2}-\d{2}-\d{2}$"),
)
_RAY = Pattern(r"(?<=[_-])[0-9a-f]{5,8}_\d{5}(?:_\d+)?(?=[_-]|$)")
_UUID = Pattern(r"(?<![0-9a-z])[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(?![0-9a-z])", re.I)
_HEX = Pattern(r"^(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}$")
_COUNTER = Pattern(rf"(?<![A-Za-z0-9])(?P<word>{_COUNTED})[-_.]?\d+(?![0-9.A-Za-z=])", re.IGNORECASE)
_ALGORITHM = Pattern(rf"^(?P<word>{_ALGORITHMS})_\d+$")
_LONGEST = 300
"""File systems allow 255 bytes a name; longer parts are tags, which name no run."""
_SHORTEST_UUID = 32
_CUT = "\0"
_AT_EDGE = Pattern(rf"^[-_. {_CUT}]*{_CUT}[-_. ]*|[-_. ]*{_CUT}[-_. {_CUT}]*$")
_INSIDE = Pattern(rf"([-_. ]?)[-_. {_CUT}]*{_CUT}[-_. {_CUT}]*")


@lru_cache(maxsize=65536)
def lane(relative_path: str) -> str:
    """The lane of a path relative to the scan, `/`-separated; `.` where nothing is left. Idempotent but for odd names."""
    parts = [part for part in relative_path.replace("\\", "/").split("/") if part not in ("", ".")]
    kept = []
    for index, part in enumerate(parts):
        above = parts[index - 1] if index else ""
        collapsed = _component(part, above)
        if collapsed:
            kept.append(collapsed)
    return "/".join(kept) or "."


def _component(part: str, above: str) -> str:
    if len(part) > _LONGEST:
        return part
    if not any(map(str.isdigit, part)) and len(part) < _SHORTEST_UUID and not part.startswith("events."):
        # Whatever is taken out holds a digit.
        return part.replace(_CUT, "")
    if part.isdigit():
        return part if _SETTINGS.match(above) else ""
    if _EVENT_FILE.match(part) or _STAMPED.match(part):
        return ""
    host = _HOST.match(part)
    if host:
        return "_".join(_SETTING_IN_COMMENT.compiled.findall(host["rest"] or ""))
    wandb = _WANDB.match(part)
    if wandb:
        return wandb["kept"]
    text = part.replace(_CUT, "")
    for pattern in (*_STAMPS, _RAY, _UUID, _HEX):
        text = pattern.sub(_CUT, text)
    text = _ALGORITHM.sub(r"\g<word>", _COUNTER.sub(r"\g<word>", text))
    if _CUT not in text:
        return text
    # Separators go with what was cut between them; a name that ends in one by itself keeps it.
    return _INSIDE.sub(r"\1", _AT_EDGE.sub("", text))
