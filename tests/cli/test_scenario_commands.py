"""``check``, ``apply`` and ``get scenarios`` as a person types them."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import REPOSITORY, Shop


def write(shop: Shop, name: str, text: str) -> None:
    path = shop.home / "definitions" / "scenarios" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def keys_of(command: str) -> set[str]:
    """Keys that the documentation lists for a command's JSON."""
    page = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{command}` |") and "`" in line.split("|")[3]]
    return {part.strip("`(),") for part in row.split("|")[3].split() if part.startswith(("`", "(each"))} - {"(each"}


CASE = "scenario_type: case\ncase:\n  amt: {}\n  filters:\n    - {{property_name: unheard, op: empty}}\n"


def test_scenarios_from_files_to_history(fresh: Shop) -> None:
    assert "nothing changed" in fresh.good("apply").out
    assert fresh.good("get", "scenarios").out == "Scenarios: none\n"
    write(fresh, "profile_to_items/front.yaml", CASE.format(5))
    write(fresh, "defaults.yaml", "profile_to_items: front\n")
    checked = fresh.good("check", "--json").json
    assert checked["scenarios"] == ["profile_to_items/front"]
    assert checked["warnings"] == ["profile_to_items/front: Missing property `unheard`"]
    assert set(checked) <= keys_of("check")
    assert "2 would change" in fresh.good("apply", "--dry").out and fresh.good("get", "scenarios", "--json").json == []
    applied = fresh.good("apply", "--json").json
    assert applied["changes"] == [
        {"kind": "scenario", "name": "profile_to_items/front", "deleted": False},
        {"kind": "scenario_default", "name": "profile_to_items", "deleted": False},
    ]
    (listed,) = fresh.good("get", "scenarios", "--json").json
    assert set(listed) == keys_of("get scenarios") and listed["default"] and listed["who"] == "definitions"
    write(fresh, "profile_to_items/front.yaml", CASE.format(6))
    assert "put scenario profile_to_items/front" in fresh.good("apply").out
    (fresh.home / "definitions/scenarios/profile_to_items/front.yaml").unlink()
    (fresh.home / "definitions/scenarios/defaults.yaml").unlink()
    assert "delete scenario profile_to_items/front" in fresh.good("apply").out
    history = fresh.good("get", "scenarios", "--history", "front", "--json").json
    assert [(one["version"], one["deleted"]) for one in history] == [(1, False), (2, False), (3, True)]
    assert [one["scenario"] and one["scenario"]["case"]["amt"] for one in history] == [5, 6, None]
    assert set(history[0]) == keys_of("get scenarios --history")
    assert "deleted" in fresh.good("get", "scenarios", "--history", "profile_to_items/front").out
    assert fresh("get", "scenarios", "--history", "nothing").code == 5


def test_faults_of_scenarios_are_told_with_all_others(fresh: Shop) -> None:
    write(fresh, "profile_to_items/front.yaml", "scenario_type: case\ncase:\n  amt: 500\n")
    (fresh.home / "definitions" / "features.yaml").write_text("features: [\n")
    for command in ("check", "apply"):
        refused = fresh(command)
        assert refused.code == 2 and "features.yaml" in refused.err
        assert "scenarios/profile_to_items/front.yaml:3 $.case.amt: must be a whole number in 0..64" in refused.err


def test_a_fault_across_scenarios_blocks_check_and_night(fresh: Shop, tmp_path: Path) -> None:
    write(fresh, "profile_to_items/front.yaml", "scenario_type: alias\nalias: {scenario_name: front}\n")
    for command in (("check",), ("apply",), ("run", "--no-prefect")):
        refused = fresh(*command)
        assert refused.code == 2 and "go in a circle: front -> front" in refused.err, command
        assert "front.yaml:2" in refused.err and "Traceback" not in refused.err
    assert fresh.good("get", "scenarios", "--json").json == []


AGENT = "points:\n  - code: top\n    decisions:\n      - {code: banner, choices: [a, b]}\n"


def test_agents_from_files_to_history(fresh: Shop) -> None:
    path = fresh.home / "definitions" / "agents" / "home.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(AGENT)
    assert fresh.good("check", "--json").json["agents"] == ["home"]
    assert fresh.good("get", "agents").out == "Agents: none\n"
    assert "1 would change" in fresh.good("apply", "--dry").out
    assert "put agent home" in fresh.good("apply").out and "nothing changed" in fresh.good("apply").out
    (listed,) = fresh.good("get", "agents", "--json").json
    assert set(listed) == keys_of("get agents") and listed["agent"]["points"][0]["code"] == "top"
    path.write_text(AGENT + "aa: true\n")
    fresh.good("apply")
    history = fresh.good("get", "agents", "--history", "home", "--json").json
    assert [(one["version"], one["agent"]["aa"]) for one in history] == [(1, False), (2, True)]
    assert "home" in fresh.good("get", "agents").out
    assert fresh("get", "agents", "--history", "nobody").code == 5
    path.write_text(AGENT + "learning: {explorationRate: 2}\n")
    refused = fresh("check")
    assert refused.code == 2 and "agents/home.yaml:5 $.learning.explorationRate: must be between 0 and 1" in refused.err


def test_agents_and_rules_from_one_file(fresh: Shop) -> None:
    path = fresh.home / "all.yaml"
    path.write_text(
        "kind: agents\nagents:\n  - {code: one, name: One}\n  - {code: two words}\n---\nkind: targetingRules\n"
        "targetingRules:\n  - {code: vips, when: [['feature:vip', eq, '1']], apply: {segment: vips}}\n"
    )
    refused = fresh("apply", "-f", str(path))
    assert refused.code == 1 and "$.code: must be 1 to 50" in refused.out
    assert [one["code"] for one in fresh.good("get", "agents", "--json").json] == ["one"]
    assert [one["code"] for one in fresh.good("get", "targetingrules", "--json").json] == ["vips"]
    assert "vips" in fresh.good("get", "targetingrules").out
    alone = fresh.home / "three.yaml"
    alone.write_text(AGENT)
    assert "created three" in fresh.good("apply", "-f", str(alone)).out
