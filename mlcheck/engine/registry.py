"""All rules that there are: the built-in ones, those of `--rules DIR`, and Python rules of installed packages."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from mlcheck.engine import compiled, plugin
from mlcheck.engine.across import IdenticalRunsRule
from mlcheck.engine.built_in import built_in_directory as built_in_directory
from mlcheck.engine.plugin import PluginRule
from mlcheck.engine.rank import Causes, cause_edges
from mlcheck.engine.rule import Rule
from mlcheck.errors import RuleError, UsageError, did_you_mean
from mlcheck.store.comparison import COMPARISON_ROLES

AnyRule = Rule | PluginRule | IdenticalRunsRule

OPT_IN_CATEGORIES = frozenset({"sagemaker"})
"""Packs that are off unless `--select` names them. Their rules may bear names that other rules have: those then mean the other rule,
and `sagemaker/overfit` the pack's."""


def rule_files(path: Path) -> list[Path]:
    """The rule files below a directory, or the file itself. Raises UsageError when there are none."""
    try:
        if path.is_file():
            return [path]
        if not path.exists():
            raise UsageError(f"{path}: no such file or directory; --rules takes a directory with rule files (*.yaml)")
        names = (
            Path(folder, name)
            for folder, folders, files in os.walk(path)
            for name in (*folders, *files)
            if name.endswith((".yaml", ".yml"))
        )
        # Paths take ten times as long to compare as their parts.
        found = sorted(names, key=lambda one: one.parts)
        strange = next((one for one in found if not one.is_file()), None)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    if strange is not None:
        raise UsageError(f"{strange}: no regular file, so no rule file")
    if not found:
        raise UsageError(f"{path}: holds no rule file (*.yaml)")
    return found


class Registry:
    """Rules by id and by name."""

    def __init__(self, rules: Iterable[AnyRule]) -> None:
        self._by_word: dict[str, AnyRule] = {}
        self.rules = list(rules)
        # Names that a pack shares with other rules are the others'.
        for rule in sorted(self.rules, key=is_opt_in):
            self._name(rule)
        # The rules of a pack stand alone: they explain nothing, and nothing explains them.
        edges, self.warnings = cause_edges([rule for rule in self.rules if not is_opt_in(rule)])
        edges |= {rule.id: [] for rule in self.rules if is_opt_in(rule)}
        spreading = [rule.id for rule in self.rules if isinstance(rule, Rule) and rule.model.spreads]
        self.causes = Causes(edges, spreading)

    def _name(self, rule: AnyRule) -> None:
        own = (rule.id, f"{rule.category}/{rule.name}") if is_opt_in(rule) else (rule.id, rule.name)
        for word in own:
            other = self._by_word.get(word.lower())
            if other is not None:
                raise RuleError(f"{rule.origin}: {word!r} is already the rule of {other.origin}")
            self._by_word[word.lower()] = rule
        self._by_word.setdefault(rule.name.lower(), rule)

    def __iter__(self) -> Iterator[AnyRule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def get(self, word: str) -> AnyRule:
        """The rule of an id or name. Raises UsageError with the nearest ones."""
        found = self.named(word)
        if found is None:
            hint = did_you_mean(word, self.words()) or "`mlcheck rules` lists them"
            raise UsageError(f"no rule {word!r}; {hint}")
        return found

    def named(self, word: str) -> AnyRule | None:
        """The rule of an id or name, in any case of letters; None where there is none."""
        return self._by_word.get(word.lower())

    def words(self) -> list[str]:
        """All ids and names; the rules of a pack have their category before the name."""
        return [
            word
            for rule in self.rules
            for word in (rule.id, f"{rule.category}/{rule.name}" if is_opt_in(rule) else rule.name)
        ]


def is_opt_in(rule: AnyRule) -> bool:
    """Whether a rule belongs to a pack that is off unless it is selected."""
    return rule.category in OPT_IN_CATEGORIES


def is_comparative(rule: AnyRule) -> bool:
    """Whether a rule judges a comparison: some input binds facts of one, or series of a baseline run."""
    return isinstance(rule, Rule) and any(
        spec.run == "baseline" or not COMPARISON_ROLES.keys().isdisjoint(_roles(spec.role))
        for spec in rule.inputs.values()
    )


def _roles(role: str | Sequence[str] | None) -> Sequence[str]:
    return [role] if isinstance(role, str) else role or ()


def load(directories: Sequence[Path] = (), kept: Path | None = None) -> Registry:
    """Built-in rules, installed Python rules, and the rule files of more directories. Raises RuleError or UsageError.

    `kept` is a directory in which the built-in rules may be kept as they came out of their files.
    """
    rules: list[AnyRule] = [*_built_in(kept), IdenticalRunsRule(), *plugin.installed()]
    if directories:
        # What checks rule files (pydantic, the YAML reader) is brought in where there is a file to check.
        from mlcheck.engine.loader import load_file

        rules += [load_file(path) for directory in directories for path in rule_files(directory)]
    return Registry(sorted(rules, key=lambda rule: rule.id))


def _built_in(kept: Path | None) -> list[Rule]:
    base = built_in_directory()
    files = rule_files(base)
    found = compiled.load(files, kept) if kept is not None else None
    if found is None:
        found = list(_read(base, tuple(files), compiled.stamps(files)))
        if kept is not None:
            compiled.keep(found, files, kept)
    return found


@lru_cache(maxsize=1)
def _read(base: Path, files: tuple[Path, ...], stamps: str) -> tuple[Rule, ...]:
    """Read once in a process, such as a notebook that scans many runs; `stamps` change where the files do."""
    from mlcheck.engine.loader import load_file

    return tuple(load_file(path, f"rules/{path.relative_to(base).as_posix()}", "built-in") for path in files)
