"""YAML read as JSON values, with the line of every part, for problems that say where they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import Problem

MAX_PARTS = 100_000


class _Loader(yaml.SafeLoader):
    """Safe loader without dates: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(slots=True)
class LinedDocument:
    """A document's JSON value; ``lines``: line (from 1) of each part by JSON path, ``$`` the whole."""

    name: str
    value: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: str) -> str:
        """``file:line path``; the line of the nearest part around it that exists."""
        part = path
        while part not in self.lines:
            cut = max(part.rfind("."), part.rfind("["))
            if cut < 1:
                return f"{self.name}:1 {path}"
            part = part[:cut]
        return f"{self.name}:{self.lines[part]} {path}"


def read_lined(path: Path, name: str) -> LinedDocument:
    """Read a YAML file of one document. Faults of the text are problems, with their line; OSError is the caller's."""
    document = LinedDocument(name)
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
            if node is not None:
                document.value = _Reader(loader, document).value(node, "$", ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        document.problems.append(Problem(f"{name}{line}", str(error.problem)))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        document.problems.append(Problem(name, str(error).partition("\n")[0]))
    return document


class _Reader:
    """Turns nodes into values, noting lines."""

    def __init__(self, loader: _Loader, document: LinedDocument) -> None:
        self._loader = loader
        self._document = document
        self._parts = 0

    def value(self, node: yaml.Node, path: str, around: tuple[int, ...]) -> Any:
        """The JSON value of a node; ``around``: the nodes that it is in, to see one that holds itself."""
        self._parts += 1
        if id(node) in around or self._parts > MAX_PARTS:
            self._fault(node, "an alias that leads to itself" if id(node) in around else "too large")
            return None
        self._document.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*around, id(node)))
        if isinstance(node, yaml.SequenceNode):
            inner = (*around, id(node))
            return [self.value(part, f"{path}[{place}]", inner) for place, part in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: str, around: tuple[int, ...]) -> dict[str, Any]:
        own: set[str] = set()
        for key_node, _value in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in own:
                    self._fault(key_node, f"{key_node.value!r} stands twice")
                own.add(key_node.value)
        self._loader.flatten_mapping(node)
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if isinstance(key, str):
                found[key] = self.value(value_node, f"{path}.{key}", around)
                self._document.lines[f"{path}.{key}"] = key_node.start_mark.line + 1
            else:
                self._fault(key_node, "a key must be a text", "put it in quotes")
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        value = self._loader.construct_object(node, deep=True)
        if value is None or isinstance(value, str | bool | int):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        self._fault(node, f"{value!r} is no value of JSON")
        return None

    def _fault(self, node: yaml.Node, message: str, hint: str = "") -> None:
        self._document.problems.append(Problem(f"{self._document.name}:{node.start_mark.line + 1}", message, hint))
