"""Choices as paths ask for them (3.1)."""

from __future__ import annotations

import pytest

from decisions.agent import Choice, Decision, Point
from decisions.codes import BadCall
from decisions.paths import Asked, many_lists, named, one_list

POINT = Point("p", (Decision("v", (Choice("a"), Choice("b"))), Decision("w", (Choice("c"),))))


def test_one_list() -> None:
    assert one_list("") == one_list("null") == one_list("/undefined/") == Asked()
    assert one_list("3") == Asked("", ("0", "1", "2"))
    assert one_list("b,a,b,,null,a") == Asked("", ("b", "a"))
    assert one_list("v:a,b") == Asked("v", ("a", "b"))
    assert one_list("v/2") == Asked("v", ("0", "1"))
    for bad in ("0", "101", "a/b", "a/b/c", "u:v:a", "a b", "v w/2", "v/2.5", "٣"):
        with pytest.raises(BadCall):
            one_list(bad)


def test_many_lists() -> None:
    assert many_lists("") == ()
    assert many_lists("v:a,b/c,d/2") == (Asked("v", ("a", "b")), Asked("", ("c", "d")), Asked("", ("0", "1")))
    assert many_lists("v:3") == (Asked("v", ("3",)),)


def test_lists_without_names_go_by_position() -> None:
    asked = many_lists("x,y/w:c/z")
    assert named(asked, POINT) == {"v": ("x", "y"), "w": ("c",), "decision-3": ("z",)}
    assert named(asked, None) == {"decision-1": ("x", "y"), "w": ("c",), "decision-3": ("z",)}
    assert named((Asked("w"),), POINT) == {"w": ("c",)}
    for bad, point in (("v:a/v:b", POINT), ("a/v:b", POINT), ("new:", POINT)):
        with pytest.raises(BadCall):
            named(many_lists(bad), point)
