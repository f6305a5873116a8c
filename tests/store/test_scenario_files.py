"""Scenario files: faults with file and line, and what of them comes into the journal, when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import DefinitionError
from contracts.settings import Settings
from scenarios.spec import Case
from store import scenario_documents
from store.definition_apply import apply_files, preview_files
from store.definitions import load
from store.journal import Journal, documents
from store.journal.documents import Document
from store.layout import Layout
from store.scenario_documents import DEFAULT, SCENARIO
from store.scenario_files import WHO

P = "profile_to_items"
AMOUNT = "scenario_type: case\ncase: {{amt: {}}}\n"
SPLIT = "scenario_type: ab_test\nab_test: {id: t, scenario_a: a, scenario_b: b}\n"
START = datetime(2026, 1, 1)


class Place:
    """A workspace with definitions and a journal whose clock goes on by a minute a reading."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home)
        self.folder = home / "definitions" / "scenarios"
        (self.folder / P).mkdir(parents=True)
        self.now = START
        self.journal = Journal.open(self.layout, Settings(), self._clock)

    def _clock(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def write(self, name: str, text: str, reco_type: str = P) -> None:
        (self.folder / reco_type).mkdir(exist_ok=True)
        (self.folder / reco_type / f"{name}.yaml").write_text(text, encoding="utf-8")

    def default(self, text: str) -> None:
        (self.folder / "defaults.yaml").write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        (self.folder / P / f"{name}.yaml").unlink()

    def apply(self) -> list[str]:
        found = apply_files(self.layout, load(self.layout), self.journal)
        return [f"{'-' if one.body is None else '+'}{one.name}" for one in found.changes]

    def through_the_api(self, name: str, amount: int | None) -> None:
        with self.journal.writing() as connection:
            if amount is None:
                scenario_documents.delete(connection, P, name, "api", self._clock())
            else:
                body = f'{{"scenario_type": "case", "case": {{"amt": {amount}}}}}'
                documents.put(connection, SCENARIO, f"{P}/{name}", body, "api", self._clock())

    def history(self, name: str, kind: str = SCENARIO) -> list[Document]:
        with self.journal.reading() as connection:
            return documents.history(connection, kind, name if kind == DEFAULT else f"{P}/{name}")

    def amount(self, name: str) -> int | None:
        with self.journal.reading() as connection:
            definition = scenario_documents.read(connection).graph.lookup(P, name)
        assert definition is None or isinstance(definition.scenario, Case)
        return definition.scenario.rules.amount if definition and isinstance(definition.scenario, Case) else None

    def default_name(self) -> str | None:
        with self.journal.reading() as connection:
            return scenario_documents.read(connection).graph.default(P)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.journal.close()


def problems(place: Place) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        place.apply()
    return [str(problem) for problem in caught.value.problems]


def test_files_become_versions_with_who_and_when(place: Place) -> None:
    for name, amount in (("a", 1), ("b", 2)):
        place.write(name, AMOUNT.format(amount))
    place.write("home", SPLIT)
    place.default(f"{P}: home\n")
    assert place.apply() == [f"+{P}/a", f"+{P}/b", f"+{P}/home", f"+{P}"]
    assert place.apply() == [] and place.default_name() == "home"
    place.write("a", "# a remark, other order and writing change nothing\ncase:\n  amt: 1\nscenario_type: 'case'\n")
    assert place.apply() == []
    place.write("a", AMOUNT.format(9))
    assert place.apply() == [f"+{P}/a"]
    versions = place.history("a")
    assert [(one.version, one.who, one.deleted) for one in versions] == [(1, WHO, False), (2, WHO, False)]
    assert START < versions[0].at < versions[1].at
    assert versions[1].body == '{"scenario_type": "case", "case": {"amt": 9}}'


def test_a_change_through_the_api_stands_until_the_file_changes(place: Place) -> None:
    place.write("a", AMOUNT.format(1))
    place.apply()
    place.through_the_api("a", 5)
    assert place.apply() == [] and place.amount("a") == 5
    place.write("a", AMOUNT.format(2))
    assert place.apply() == [f"+{P}/a"] and place.amount("a") == 2
    place.through_the_api("a", None)
    assert place.apply() == [] and place.amount("a") is None
    place.write("a", AMOUNT.format(3))
    assert place.apply() == [f"+{P}/a"] and place.amount("a") == 3


def test_a_removed_file_takes_only_what_is_still_its_own(place: Place) -> None:
    for name in ("a", "b", "c"):
        place.write(name, AMOUNT.format(1))
    place.default(f"{P}: c\n")
    place.apply()
    place.through_the_api("a", 5)
    place.remove("a")
    place.remove("b")
    assert place.apply() == [f"-{P}/b"]
    assert place.amount("a") == 5 and place.amount("b") is None
    assert place.history("b")[-1].deleted and place.history("b")[-1].who == WHO
    assert place.apply() == []
    place.write("b", AMOUNT.format(1))
    assert place.apply() == [f"+{P}/b"], "the same file comes back"
    place.remove("c")
    assert ["defaults.yaml:1" in text and "'c'" in text for text in problems(place)] == [True]
    (place.folder / "defaults.yaml").unlink()
    assert place.apply() == [f"-{P}/c", f"-{P}"] and place.default_name() is None


def test_a_default_goes_with_its_scenario(place: Place) -> None:
    place.write("a", AMOUNT.format(1))
    place.apply()
    with place.journal.writing() as connection:
        scenario_documents.put_default(connection, P, "a", "api", place.now)
    place.remove("a")
    assert place.apply() == [f"-{P}/a"] and place.default_name() is None
    assert place.history(P, DEFAULT)[-1].deleted


def test_what_files_refer_to_may_be_stored_already(place: Place) -> None:
    place.through_the_api("b", 1)
    place.write("a", "scenario_type: alias\nalias: {scenario_name: b}\n")
    assert place.apply() == [f"+{P}/a"]
    place.through_the_api("b", None)
    assert place.apply() == [], "a file that did not change is not put and not refused"


def test_faults_across_files_have_their_lines_and_change_nothing(place: Place) -> None:
    place.through_the_api("fixed", 1)
    place.write("good", AMOUNT.format(1))
    place.write("a", "# links\nscenario_type: alias\n\nalias:\n  scenario_name: b\n")
    place.write("b", "scenario_type: alias\nalias:\n  scenario_name: a\n")
    place.write("lost", "scenario_type: alias\nalias:\n  scenario_name: nowhere\n")
    place.default(f"item_to_items: good\n{P}: unheard\n")
    told = problems(place)
    assert any(text.startswith(f"scenarios/{P}/a.yaml:4 $.alias") and "a -> b -> a" in text for text in told)
    assert any(text.startswith(f"scenarios/{P}/lost.yaml:2") and "nowhere" in text for text in told)
    assert any(text.startswith("scenarios/defaults.yaml:1") for text in told)
    assert any(text.startswith("scenarios/defaults.yaml:2") and "unheard" in text for text in told)
    assert len(told) == 4 and place.history("good") == []


def test_an_ab_test_cannot_be_changed_by_its_file(place: Place) -> None:
    for name in ("a", "b"):
        place.write(name, AMOUNT.format(1))
    place.write("home", SPLIT)
    place.apply()
    place.write("home", SPLIT.replace("id: t", "id: u"))
    assert ["cannot be changed" in text and "home.yaml:1" in text for text in problems(place)] == [True]


def test_rules_are_held_against_the_types_of_source_mappings(place: Place) -> None:
    sources = place.folder.parent / "sources"
    sources.mkdir()
    (sources / "s.yaml").write_text(
        "name: s\nmatch: s/*\nentities:\n  - entity: items\n    columns: {item_id: i, item_name: n, item_category: c, "
        "item_description: d, item_price: p, properties.plot: plot, properties.year: y}\n    types: {plot: text}\n",
        encoding="utf-8",
    )
    place.write("a", "scenario_type: case\ncase:\n  filters:\n    - {property_name: year, op: gt, value: 2000}\n"
                     "    - {property_name: item_category, op: eq, value: x}\n"
                     "    - {property_name: unheard, op: empty}\n")
    found = preview_files(place.layout, load(place.layout), None)
    assert found.warnings == {f"{P}/a": ("Missing property `unheard`",)}
    place.write("b", "scenario_type: case\ncase:\n  filters:\n    - {property_name: Plot, op: eq, value: x}\n")
    assert [text.startswith(f"scenarios/{P}/b.yaml:4 $.case.filters[0]") for text in problems(place)] == [True]


@pytest.mark.parametrize(("text", "where"), [
    ("scenario_type: case\ncase:\n  amt: 5\n  filterz: []\n", "a.yaml:4 $.case.filterz"),
    ("scenario_type: case\ncase:\n  filters:\n    - property_name: x\n      op: gt\n", "a.yaml:4 $.case.filters[0]"),
    ("scenario_type: case\ncase: {amt: 5, amt: 6}\n", "a.yaml:2: 'amt' stands twice"),
    ("scenario_type: case\ncase: {amt: .nan}\n", "a.yaml:2"), ("scenario_type: [\n", "a.yaml:2"),
    ("scenario_type: case\nmetadata: {1: x}\ncase: {}\n", "a.yaml:2: a key must be a text"),
    ("", "a.yaml:1 $"), ("scenario_type: case\n", "a.yaml:1 $.case"), ("&a [*a]\n", "a.yaml:1"),
    ("scenario_type: case\ncase: !!python/object/apply:os.getcwd []\n", "a.yaml:2"),
    ("--- 1\n--- 2\n", "a.yaml"),
])
def test_faults_of_one_file(place: Place, text: str, where: str) -> None:
    place.write("a", text)
    with pytest.raises(DefinitionError) as caught:
        load(place.layout)
    assert any(where in str(problem) for problem in caught.value.problems), caught.value


def test_faults_of_names_and_places(place: Place) -> None:
    place.write("a", AMOUNT.format(1), "profile_to_item")
    place.write("a b", AMOUNT.format(1))
    (place.folder / P / "x.yml").write_text(AMOUNT.format(1))
    place.write("x", AMOUNT.format(1))
    (place.folder / "loose.yaml").write_text(AMOUNT.format(1))
    place.default(f"{P}: 5\nnothing: a\n")
    (place.folder / P / "notes.txt").write_text("not read")
    with pytest.raises(DefinitionError) as caught:
        load(place.layout)
    told = str(caught.value)
    for part in ("did you mean profile_to_items", "'a b'", "is also in", "loose.yaml", "defaults.yaml:1",
                 "'nothing' is not a reco type"):
        assert part in told, part


def test_yaml_is_read_as_json(place: Place) -> None:
    place.write("a", "base: &base {op: eq, value: 2020-01-02}\nscenario_type: case\nmetadata: {since: 2020-01-02}\n"
                     "case:\n  filters:\n    - {<<: *base, property_name: day}\n")
    written = load(place.layout).scenarios.definitions[P, "a"]
    assert isinstance(written.scenario, Case) and written.scenario.rules.filters[0].value == "2020-01-02"
    assert written.metadata["since"] == "2020-01-02"


def test_texts_that_look_like_truths_are_not_keys(place: Place) -> None:
    place.write("a", "scenario_type: case\nmetadata: {'on': 1}\ncase: {}\n")
    assert load(place.layout).scenarios.definitions[P, "a"].metadata == {"on": 1}


steps = st.lists(st.tuples(
    st.sampled_from(["file", "remove", "api", "api_delete"]), st.sampled_from("ab"), st.integers(0, 2)), max_size=8)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_what_counts_is_the_later_change(
    tmp_path_factory: pytest.TempPathFactory, listed: list[tuple[str, str, int]]
) -> None:
    """A model of both sides: an unchanged file never undoes the API; applying twice changes nothing more."""
    place = Place(tmp_path_factory.mktemp("law"))
    files: dict[str, int] = {}
    last: dict[str, int | None] = {}
    stored: dict[str, tuple[int, str]] = {}
    try:
        for what, name, amount in listed:
            if what == "file":
                place.write(name, AMOUNT.format(amount))
                files[name] = amount
            elif what == "remove" and name in files:
                place.remove(name)
                del files[name]
            elif what == "api":
                place.through_the_api(name, amount)
                stored[name] = (amount, "api")
            elif what == "api_delete":
                place.through_the_api(name, None)
                stored.pop(name, None)
            for one in "ab":
                if one in files and last.get(one) != files[one]:
                    last[one], stored[one] = files[one], (files[one], WHO)
                elif one not in files and one in stored and stored[one][1] == WHO:
                    last[one] = None
                    del stored[one]
            place.apply()
            assert {one: place.amount(one) for one in "ab"} == {one: stored.get(one, (None,))[0] for one in "ab"}
            assert place.apply() == []
    finally:
        place.journal.close()
