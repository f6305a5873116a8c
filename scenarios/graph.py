"""All stored scenarios of one workspace and the default of each reco type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scenarios.resolve import references
from scenarios.spec import Case, Definition, RecoType

Key = tuple[RecoType, str]


@dataclass(frozen=True, slots=True)
class Graph:
    """Definitions by reco type and name; ``defaults``: name of the default scenario by reco type."""

    definitions: Mapping[Key, Definition] = field(default_factory=dict)
    defaults: Mapping[RecoType, str] = field(default_factory=dict)

    def lookup(self, reco_type: RecoType, name: str) -> Definition | None:
        """The definition of that name, None where there is none."""
        return self.definitions.get((reco_type, name))

    def default(self, reco_type: RecoType) -> str | None:
        """Name of the default scenario of a reco type."""
        return self.defaults.get(reco_type)

    def shadowed(self, listed: Iterable[Definition]) -> Graph:
        """The same graph with some definitions put over it; of equal ones the last listed counts. For previews."""
        over = {(one.reco_type, one.name): one for one in listed}
        return Graph({**self.definitions, **over}, self.defaults)

    def without(self, keys: Iterable[Key]) -> Graph:
        """The same graph without some definitions and the defaults that point to them."""
        gone = set(keys)
        kept = {key: one for key, one in self.definitions.items() if key not in gone}
        return Graph(kept, {kind: name for kind, name in self.defaults.items() if (kind, name) not in gone})

    def cases(self, reco_type: RecoType) -> tuple[Definition, ...]:
        """Every stored case of a reco type, by name."""
        found = (one for one in self.definitions.values() if one.reco_type == reco_type)
        return tuple(sorted((one for one in found if isinstance(one.scenario, Case)), key=lambda one: one.name))

    def leaves(self, reco_type: RecoType, name: str) -> tuple[Definition, ...]:
        """Every case that a walk from this scenario can end at, by name; missing scenarios and circles lead to none."""
        waiting, seen, found = [name], {name}, []
        while waiting:
            definition = self.lookup(reco_type, waiting.pop())
            if definition is None:
                continue
            if isinstance(definition.scenario, Case):
                found.append(definition)
                continue
            onward = [target for _kind, target in references(definition) if target not in seen]
            seen.update(onward)
            waiting.extend(onward)
        return tuple(sorted(found, key=lambda one: one.name))
