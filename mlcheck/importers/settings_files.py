"""Files with the settings of a run (hparams.yaml, args.yaml, Hydra's config.yaml, W&B's config.yaml, params.json): its facts.

They are no run by themselves and hold no series: they join the run of their directory.
"""

import json
import re
from pathlib import Path
from typing import Any

from mlcheck.importers.base import HYDRA, SETTINGS, unreadable
from mlcheck.report import SourceStatus
from mlcheck.store.facts import facts_from_settings
from mlcheck.store.series import Imported

LARGEST = 1_000_000
"""Bytes of a settings file; a larger one is data."""

NAMES = re.compile(
    r"(?:hparams|h_?params|hyper_?parameters|args?|arguments|opts?|options|hyp|params?|config|training_args|train_config|training_config"
    r"|settings|model_config|adapter_config|wandb-metadata)\.(?:ya?ml|json)",
    re.IGNORECASE,
)
"""What the popular writers call their settings."""

# Lightning's hparams.yaml and Ray's params hold Python objects: their plain contents are settings, their classes are nobody's business.
_PYTHON_TAG = re.compile(r"!!?(?:python|omegaconf)\b[^\s]*|!(?=[A-Za-z][\w.]*[ \n])[\w.]+")


class SettingsImporter:
    """Reads the settings beside a run's files."""

    format = SETTINGS

    def claims(self, path: Path, head: bytes) -> bool:
        """Never: settings alone are no run."""
        return False

    def accompanies(self, path: Path, head: bytes) -> bool:
        """By the file's name."""
        if path.parent.name == HYDRA:
            return path.name == "config.yaml"
        return NAMES.fullmatch(path.name) is not None

    def read(self, path: Path, shown: str) -> Imported:
        """The settings as facts; records are facts. What is no mapping holds none."""
        size = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            reason = f"larger than {LARGEST // 1_000_000} MB: data, no settings"
            return Imported(SourceStatus(shown, self.format, "ignored", reason=reason, bytes=size))
        text = content.decode("utf-8-sig", "replace")
        try:
            data = _json(text) if path.suffix.lower() == ".json" else _yaml(text)
        except _Broken as error:
            return unreadable(shown, self.format, str(error), size)
        facts = tuple(facts_from_settings(data, path.name))
        nothing = None if facts else "no settings: no mapping of names to values"
        return Imported(SourceStatus(shown, self.format, "read", len(facts), nothing, bytes=size), (), facts)


class _Broken(ValueError):
    """The file is not what its name says."""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _Broken(f"no JSON at line {error.lineno:,}, column {error.colno:,}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise _Broken("no JSON that can be read: a number or a nesting is too long") from error


def _yaml(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(_PYTHON_TAG.sub("", text))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1:,}, column {mark.column + 1:,}" if mark is not None else ""
        raise _Broken(f"no YAML{place}: {error.problem or 'it cannot be read'}") from error
    except (YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _Broken("no YAML that can be read") from error
