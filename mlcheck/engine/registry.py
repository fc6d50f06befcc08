"""All rules that there are: the built-in ones, those of `--rules DIR`, and Python rules of installed packages."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mlcheck.engine import plugin
from mlcheck.engine.across import IdenticalRunsRule
from mlcheck.engine.loader import load_file
from mlcheck.engine.plugin import PluginRule
from mlcheck.engine.rank import Causes, cause_edges
from mlcheck.engine.rule import Rule
from mlcheck.errors import RuleError, UsageError, did_you_mean

AnyRule = Rule | PluginRule | IdenticalRunsRule

OPT_IN_CATEGORIES = frozenset({"sagemaker"})
"""Packs that are off unless `--select` names them."""


def built_in_directory() -> Path:
    """Where the built-in rules lie: inside the package in a wheel, at the top of the repository in an editable install."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_rules", package.parent / "rules"):
        if candidate.is_dir():
            return candidate
    raise RuleError("the built-in rules are missing from this installation; install mlcheck-scan again")


def rule_files(path: Path) -> list[Path]:
    """The rule files below a directory, or the file itself. Raises UsageError when there are none."""
    try:
        if path.is_file():
            return [path]
        if not path.exists():
            raise UsageError(f"{path}: no such file or directory; --rules takes a directory with rule files (*.yaml)")
        found = sorted(one for suffix in ("*.yaml", "*.yml") for one in path.rglob(suffix))
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
        self.rules: list[AnyRule] = []
        self._by_word: dict[str, AnyRule] = {}
        for rule in rules:
            self._add(rule)
        edges, self.warnings = cause_edges(self.rules)
        self.causes = Causes(edges)

    def _add(self, rule: AnyRule) -> None:
        for word in (rule.id, rule.name):
            other = self._by_word.get(word.lower())
            if other is not None:
                raise RuleError(f"{rule.origin}: {word!r} is already the rule of {other.origin}")
            self._by_word[word.lower()] = rule
        self.rules.append(rule)

    def __iter__(self) -> Iterator[AnyRule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def get(self, word: str) -> AnyRule:
        """The rule of an id or name. Raises UsageError with the nearest ones."""
        found = self._by_word.get(word.lower())
        if found is None:
            hint = did_you_mean(word, self.words()) or "`mlcheck rules` lists them"
            raise UsageError(f"no rule {word!r}; {hint}")
        return found

    def words(self) -> list[str]:
        """All ids and names."""
        return [word for rule in self.rules for word in (rule.id, rule.name)]


def load(directories: Sequence[Path] = ()) -> Registry:
    """Built-in rules, installed Python rules, and the rule files of more directories. Raises RuleError or UsageError."""
    base = built_in_directory()
    rules: list[AnyRule] = [
        load_file(path, f"rules/{path.relative_to(base).as_posix()}", "built-in") for path in rule_files(base)
    ]
    rules.append(IdenticalRunsRule())
    rules += plugin.installed()
    for directory in directories:
        rules += [load_file(path) for path in rule_files(directory)]
    return Registry(sorted(rules, key=lambda rule: rule.id))
