"""YAML 1.2 with positions: plain data, and for every value the place in the file where it stands."""

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from mlcheck.errors import Place, RuleError
from mlcheck.records import dataclass, field

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
"""A rule file is text that a person writes; anything larger is refused before it is parsed."""
MAX_DEPTH = 30


@dataclass(frozen=True)
class Document:
    """The data of a YAML file and the place of each value and key in it."""

    path: str
    data: Any
    lines: Sequence[str]
    values: Mapping[KeyPath, tuple[int, int]]
    """Line and column, from 1, where the value of a key path begins (for a block scalar: its first text line)."""
    keys: Mapping[KeyPath, tuple[int, int]]
    exact: frozenset[KeyPath] = field(default_factory=frozenset)
    """Scalars whose text stands in the file as it is: a line and column inside them is a line and column of the file."""

    def place(self, key_path: KeyPath, *, of_key: bool = False) -> Place:
        """The place of a value (or of its key); of the nearest parent that exists, when there is no such value."""
        table = self.keys if of_key else self.values
        while key_path and key_path not in table:
            key_path = key_path[:-1]
        line, column = table.get(key_path, (1, 1))
        return self.at(line, column)

    def inside(self, key_path: KeyPath, line: int, column: int) -> Place:
        """The place of a line and column inside a scalar: exact for plain and literal ones, else where the scalar begins."""
        first_line, first_column = self.values.get(key_path, (1, 1))
        if key_path not in self.exact:
            return self.place(key_path)
        if line == 1:
            return self.at(first_line, first_column + column - 1)
        return self.at(first_line + line - 1, first_column + column - 1)

    def at(self, line: int, column: int) -> Place:
        """The place of a line and column, with the text of that line."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Place(self.path, line, max(1, column), text)


def read(path: FilePath, shown: str) -> Document:
    """Parse one YAML file. Raises RuleError with the place for what is no YAML, too large, or uses anchors or tags."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RuleError(f"{shown}: larger than {MAX_BYTES:,} bytes, no rule file is")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RuleError(f"{shown}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise RuleError(f"{shown}: cannot be read: {error.strerror or error}") from None
    return parse(text, shown)


def parse(text: str, shown: str) -> Document:
    """Parse YAML text; `shown` names it in errors."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    lines = text.splitlines()
    # libyaml where it is installed, eight times faster; the resolver, and so YAML 1.2, is the same.
    yaml = YAML(typ="safe")
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        shown_line = lines[line - 1] if line <= len(lines) else ""
        raise RuleError(f"not YAML: {error.problem or error.context}", Place(shown, line, column, shown_line)) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise RuleError(f"{shown}: not YAML: {str(error).splitlines()[0]}") from None
    builder = _Builder(shown, lines)
    data = builder.build(node, (), 0) if node is not None else None
    return Document(shown, data, lines, builder.values, builder.keys, frozenset(builder.exact))


class _Builder:
    """Turns composed nodes into plain data; aliases are refused, so no file can grow beyond its own text."""

    def __init__(self, shown: str, lines: Sequence[str]) -> None:
        self.shown = shown
        self.lines = lines
        self.values: dict[KeyPath, tuple[int, int]] = {}
        self.keys: dict[KeyPath, tuple[int, int]] = {}
        self.exact: set[KeyPath] = set()
        self.seen: set[int] = set()

    def fail(self, message: str, node: "Node") -> RuleError:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return RuleError(message, Place(self.shown, line, column, text))

    def build(self, node: "Node", path: KeyPath, depth: int) -> Any:
        from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

        if depth > MAX_DEPTH:
            raise self.fail(f"nested deeper than {MAX_DEPTH} levels", node)
        if id(node) in self.seen:
            raise self.fail("aliases are not allowed in rule files: write it out", node)
        self.seen.add(id(node))
        self.values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return [self.build(child, (*path, index), depth + 1) for index, child in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        self._scalar_place(node, path)
        return self._scalar(node)

    def _mapping(self, node: Any, path: KeyPath, depth: int) -> dict[str, Any]:
        from ruamel.yaml.nodes import ScalarNode

        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self.fail("a key must be plain text", key_node)
            key = str(key_node.value)
            if key in data:
                raise self.fail(f"the key {key!r} stands here twice", key_node)
            self.keys[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            data[key] = self.build(value_node, (*path, key), depth + 1)
        return data

    def _scalar_place(self, node: Any, path: KeyPath) -> None:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if node.style == "|":
            first = next((n for n in range(line, len(self.lines)) if self.lines[n].strip()), line)
            text = self.lines[first] if first < len(self.lines) else ""
            self.values[path] = (first + 1, len(text) - len(text.lstrip()) + 1)
            self.exact.add(path)
        elif node.style in ("'", '"') and node.start_mark.line == node.end_mark.line:
            self.values[path] = (line, column + 1)
            if "\\" not in self.lines[line - 1] and "''" not in self.lines[line - 1]:
                self.exact.add(path)
        elif not node.style and node.start_mark.line == node.end_mark.line:
            self.exact.add(path)

    def _scalar(self, node: Any) -> str | int | float | bool | None:
        tag = str(node.tag).rsplit(":", 1)[-1]
        text = str(node.value)
        try:
            match tag:
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text.replace("_", ""), 0 if text.lstrip("+-").startswith(("0x", "0o")) else 10)
                case "float":
                    return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            raise self.fail(f"{text!r} is no {tag}", node) from None
        raise self.fail(f"the tag {node.tag} is not allowed; write plain text, a number, true or false", node)
