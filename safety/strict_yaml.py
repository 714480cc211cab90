"""YAML as plain data and nothing else.

Refused: aliases and anchors (they multiply), tags (they name types), duplicate keys, keys that are
not text, several documents, more than 64 KiB, more than 20 levels. Only `true`, `false`, `null`
and decimal numbers are not text: `no`, `on`, `1:30` and `0x10` stay what was typed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20

_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "": None}
_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"[+-]?\d{1,18}\.\d{1,18}(?:[eE][+-]?\d{1,3})?|[+-]?\d{1,18}[eE][+-]?\d{1,3}")


class StrictYamlError(ValueError):
    """The text is not plain data; `line` counts from 1, 0 when it is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message, self.line = message, line


@dataclass
class Document:
    """The data, and the line on which the value at each path (`a.b[2]`) begins."""

    value: Any = None
    lines: dict[str, int] = field(default_factory=dict)


class _PlainLoader(yaml.SafeLoader):
    """Composes nodes, refusing at the event what `load` promises to refuse."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        peek: Callable[[], Any] = self.peek_event
        event = peek()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise StrictYamlError("Anchors and aliases are not allowed.", line)
        if event.tag is not None:
            raise StrictYamlError("Tags are not allowed.", line)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise StrictYamlError(f"More than {MAX_DEPTH} levels.", line)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def load(text: str) -> Document:
    """The one document in `text`. Raises StrictYamlError."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise StrictYamlError(f"Longer than {MAX_BYTES // 1024} KiB.")
    try:
        node = _PlainLoader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise StrictYamlError(_sentence(error), mark.line + 1 if mark else 0) from error
    except yaml.YAMLError as error:
        raise StrictYamlError("Contains a character that YAML does not allow.") from error
    document = Document()
    if node is not None:
        document.value = _value(node, "", document)
    return document


def _value(node: Node, path: str, document: Document) -> Any:
    document.lines[path] = node.start_mark.line + 1
    build: dict[type[Node], Callable[[Any, str, Document], Any]] = {
        MappingNode: _mapping,
        SequenceNode: _sequence,
        ScalarNode: _scalar,
    }
    return build[type(node)](node, path, document)


def _mapping(node: MappingNode, path: str, document: Document) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            raise StrictYamlError("A key must be text.", line)
        key = key_node.value
        if key in value:
            raise StrictYamlError(f"The key {key[:64]!r} stands here twice.", line)
        value[key] = _value(value_node, f"{path}.{key}" if path else key, document)
    return value


def _sequence(node: SequenceNode, path: str, document: Document) -> list[Any]:
    return [_value(item, f"{path}[{index}]", document) for index, item in enumerate(node.value)]


def _scalar(node: ScalarNode, path: str, document: Document) -> str | int | float | bool | None:
    text: str = node.value
    if node.style is not None:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _sentence(error: yaml.MarkedYAMLError) -> str:
    words = " ".join(part for part in (error.context, error.problem) if part)
    return f"Not YAML: {words}."
