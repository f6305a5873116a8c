"""Definitions: every problem of every file at once, and a digest of what matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import DefinitionError
from store.definitions import load, load_settings
from store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "definitions" / "sources").mkdir(parents=True)
    return Layout(tmp_path)


def write(layout: Layout, name: str, text: str) -> None:
    (layout.definitions / name).write_text(text, encoding="utf-8")


def test_nothing_written_means_defaults(layout: Layout) -> None:
    loaded = load(layout)
    assert loaded.settings.pipeline.as_of == "run_start"
    assert loaded.sources == ()


@pytest.mark.parametrize("name", ["features.yaml", "sources/empty.yaml"])
def test_an_empty_file_is_no_mystery(layout: Layout, name: str) -> None:
    write(layout, name, "# nothing yet\n")
    try:
        load(layout)
    except DefinitionError as error:
        assert error.problems
        assert all(name.rpartition("/")[2] in problem.where for problem in error.problems)


def test_all_problems_of_all_files_are_reported_together(layout: Layout) -> None:
    write(layout, "settings.toml", '[pipeline]\nthreds = 2\n[churn]\nthreshold = 1\n[surving]\nport = 1\n')
    write(layout, "features.yaml", "features: [")
    write(layout, "sources/broken.yaml", "name: x\n  bad: [")
    with pytest.raises(DefinitionError) as caught:
        load(layout)
    text = str(caught.value)
    for part in (
        "'threds'",
        "did you mean 'threads'",
        "'threshold'",
        "did you mean 'thresholds'",
        "'surving'",
        "features.yaml:1",
        "broken.yaml:2",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[pipeline]\nas_of = "noon"', "pipeline.as_of"),
        ("[pipeline]\nthreads = 0", "pipeline.threads"),
        ('[pipeline]\nthreads = "many"', "pipeline.threads"),
        ("[pipeline]\nkeep_runs = 1", "pipeline.keep_runs"),
        ("[churn]\nthresholds = [0.5, 0.4, 0.9]", "churn.thresholds"),
        ("[churn]\ncurve_days = [30, 7]", "churn.curve_days"),
        ("[churn]\nhorizon_days = 400", "churn.horizon_days"),
        ("[recommendations]\nevent_weights = { charged = -1.0 }", "recommendations.event_weights"),
        ("[serving]\nport = 70000", "serving.port"),
    ],
)
def test_values_that_make_no_sense_are_named(layout: Layout, text: str, where: str) -> None:
    write(layout, "settings.toml", text)
    with pytest.raises(DefinitionError, match=where):
        load_settings(layout)


def test_broken_toml_names_its_line(layout: Layout) -> None:
    write(layout, "settings.toml", "[pipeline]\nthreads = = 2\n")
    with pytest.raises(DefinitionError, match=r"line 2"):
        load_settings(layout)


def test_the_digest_follows_content_and_not_how_it_is_made(layout: Layout) -> None:
    plain = load(layout).digest
    write(layout, "settings.toml", "[pipeline]\nthreads = 7\nkeep_runs = 3\n[serving]\nport = 9000\n")
    assert load(layout).digest == plain
    write(layout, "settings.toml", "[churn]\nlookback_days = 100\n")
    assert load(layout).digest != plain
    write(layout, "settings.toml", "")
    write(layout, "features.yaml", "table:\n  min_rows: 5\n")
    assert load(layout).digest != plain


@pytest.mark.parametrize("name", ["inbox", "sample"])
def test_reserved_names_are_no_workspaces(tmp_path: Path, name: str) -> None:
    with pytest.raises(DefinitionError, match="reserved"):
        load_settings(Layout(tmp_path, name))


def test_another_workspace_has_its_own_definitions(tmp_path: Path) -> None:
    folder = tmp_path / "definitions" / "workspaces" / "north"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text("[pipeline]\nseed = 4\n")
    assert load_settings(Layout(tmp_path, "north")).pipeline.seed == 4
    assert load_settings(Layout(tmp_path)).pipeline.seed == 0


def test_a_property_has_one_exact_type_in_all_mappings(layout: Layout) -> None:
    text = (
        "name: {name}\nmatch: {name}/*\nentities:\n  - entity: items\n    columns: {{item_id: a, item_name: b}}\n"
        "    types: {{Year: {kind}}}\n"
    )
    before = load(layout)
    write(layout, "sources/one.yaml", text.format(name="one", kind="int16"))
    loaded = load(layout)
    assert loaded.value_types("items") == {"year": "int16"} and loaded.value_types("profiles") == {}
    assert loaded.digest != before.digest
    write(layout, "sources/two.yaml", text.format(name="two", kind="int32"))
    with pytest.raises(DefinitionError, match="Year"):
        load(layout)
