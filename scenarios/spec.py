"""The words of the scenario language: frozen values that every other file here takes and gives.

A *definition* names a scenario of one reco type: a case (rules), or a way to another scenario (A/B test, condition,
alias). Rules that are merged and bound to property types are what a list is evaluated under.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RecoType = str
Op = Literal["eq", "neq", "lt", "lte", "gt", "gte", "in", "notin", "empty", "notempty", "ftsearch"]
Family = Literal["int", "float", "string", "bool", "text"]
Scalar = str | int | float | bool
ScenarioType = Literal["case", "ab_test", "condition", "alias"]

PROFILE_TYPES = ("profile_to_items", "profile_to_items_w_ctx_items", "profile_to_item_properties")
SESSION_TYPES = ("session_to_items", "session_to_items_w_ctx_items", "session_to_item_properties")
PRECOMPUTED_TYPES = ("precomputed_profile_to_items", "precomputed_item_to_items")
RECO_TYPES: tuple[RecoType, ...] = (
    "item_to_items", "profile_to_items", "session_to_items", "profile_to_items_w_ctx_items",
    "session_to_items_w_ctx_items", "precomputed_item_to_items", "precomputed_profile_to_items",
    "item_properties_to_items", "profile_to_item_properties", "session_to_item_properties",
    "profiles_group_to_items", "generic_input_to_items", "chat_to_items", "llm_text_completion",
    "llm_chat_completion",
)
# Reco types that a case of generic_input_to_items may name.
GENERIC_TARGETS: tuple[RecoType, ...] = RECO_TYPES[:8]


@dataclass(frozen=True, slots=True)
class PropertyType:
    """Declared type of a property: ``value_type`` as in ``unicode64`` or ``int16``, and whether it holds a list."""

    value_type: str
    repeated: bool = False

    @property
    def family(self) -> Family:
        """What operators care about. ``unicode``, ``bytes`` and ``image_url`` are strings."""
        kind = self.value_type.rstrip("0123456789")
        families: dict[str, Family] = {
            "int": "int", "uint": "int", "float": "float", "unicode": "string", "bytes": "string",
            "image_url": "string", "bool": "bool", "text": "text",
        }
        return families[kind]


ITEM_ID = PropertyType("unicode255")
"""Type of the pseudo-property ``item_id``."""


@dataclass(frozen=True, slots=True)
class Nested:
    """A value that is known only at the request: of the profile, of the context item, or of the clock."""

    kind: Literal["user_property", "item_property", "item_id", "timestamp_now"]
    name: str = ""
    rounding_amount: int = 1
    rounding_method: Literal["floor", "ceil"] = "floor"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on an item. ``property`` in lower case; ``value`` is a tuple for ``in`` and ``notin``, None for
    ``empty`` and ``notempty``.

    A nested value that was filled in is ``value_set``: the values of a list, for which ``eq`` and ordering hold if some
    value holds, ``neq`` if every one does. An unresolvable one is the empty tuple.
    """

    property: str
    op: Op
    value: Scalar | tuple[Scalar, ...] | Nested | None = None
    value_set: tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True)
class Diversity:
    """Reranking by diversity of one property. None in an option means unset."""

    property: str
    weight: float = 1.0
    activation_period: int | None = None
    max_activation_count: int | None = None
    default_malus: float = 0.0


@dataclass(frozen=True, slots=True)
class PropertyExclusion:
    """Drops items that share a value of ``property`` with items met by an interaction of one of these types."""

    property: str
    interaction_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a case sequence; ``amount`` None takes all."""

    amount: int | None = None
    filters: tuple[Filter, ...] = ()
    reranking: tuple[Diversity, ...] = ()


@dataclass(frozen=True, slots=True)
class Preselection:
    """Restriction of the candidates before filters: ``knn``, or a method that changes nothing."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class GenericTarget:
    """Where a case of ``generic_input_to_items`` leads: a reco type and, if named, its runtime scenario."""

    reco_type: RecoType
    scenario: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one case, of a request, or of several merged. None means that the source does not set it."""

    amount: int | None = None
    filters: tuple[Filter, ...] = ()
    reranking: tuple[Diversity, ...] = ()
    exclude_rated: bool | None = None
    exclude_types: tuple[str, ...] = ()
    exclude_properties: tuple[PropertyExclusion, ...] = ()
    sequence: tuple[Block, ...] | None = None
    algorithms: tuple[str, ...] | None = None
    preselection: Preselection | None = None
    table: str | None = None
    max_age: int | None = None
    target: GenericTarget | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A leaf: rules, and the object as it was put."""

    rules: Rules
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class AbTest:
    """Splits subjects by a hash of ``id`` and subject, half and half."""

    id: str
    scenario_a: str
    scenario_b: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Compares one operand and goes on with ``then`` or ``otherwise``.

    ``operand`` is a function's, a property's or a request parameter's name, by ``condition_type``.
    """

    condition_type: Literal["user_function", "item_property", "runtime_param"]
    operand: str
    op: Op
    value: Scalar | tuple[Scalar, ...] | None
    then: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a scenario."""

    scenario_name: str


Scenario = Case | AbTest | Condition | Alias


@dataclass(frozen=True, slots=True)
class Definition:
    """A stored scenario; ``raw`` is the document exactly as put."""

    reco_type: RecoType
    name: str
    scenario: Scenario
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def scenario_type(self) -> ScenarioType:
        """The word for its kind."""
        kinds: dict[type, ScenarioType] = {
            Case: "case", AbTest: "ab_test", Condition: "condition", Alias: "alias"
        }
        return kinds[type(self.scenario)]


Fault = Literal["wrong_data_type", "wrong_op_use", "wrong_parameter", "property_not_found", "scenario_not_found"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a definition or a rule, where, and what to try. ``where``: JSON path, or file and line."""

    fault: Fault
    where: str
    message: str
    hint: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")
