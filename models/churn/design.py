"""The design: from feature columns as they come to the matrices that models are fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

MOST_CATEGORIES = 20
FEWEST_OF_CATEGORY = 10
_MISSING = -1.0
_CLIP = 6.0
_COLLINEAR = 0.9999


@dataclass(frozen=True, slots=True)
class Term:
    """One column of the design: feature ``name``, or whether its text is ``category``."""

    name: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Design:
    """How features become matrices. ``matrix`` keeps values and NaN for trees; ``standard`` is for linear models.

    ``mean`` and ``scale`` are of the signed logarithm of each term over the rows it was made from. ``dropped`` says why
    a feature or category is not a term: ``constant``, ``no value is frequent``, or ``collinear with <term>``.
    """

    terms: tuple[Term, ...]
    mean: Floats
    scale: Floats
    dropped: dict[str, str]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that have a term, sorted."""
        return tuple(sorted({term.name for term in self.terms}))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms, in the order of the matrices' columns."""
        return tuple(_name(term) for term in self.terms)

    def matrix(self, columns: Columns) -> Floats:
        """(n, terms) float64, Fortran order: numbers as they are (NaN is missing), categories as 0 or 1."""
        rows = len(next(iter(columns.values()))) if columns else 0
        out = np.empty((rows, len(self.terms)), dtype=np.float64, order="F")
        for place, term in enumerate(self.terms):
            out[:, place] = columns[term.name] if term.category is None else columns[term.name] == term.category
        return out

    def standard(self, matrix: Floats) -> Floats:
        """(n, terms): signed logarithm, standardized, cut at 6 deviations. Missing is below every count, where it is a
        term's rarest.
        """
        return np.clip((_compressed(matrix) - self.mean) / self.scale, -_CLIP, _CLIP)

    def by_feature(self, terms: Floats) -> Floats:
        """Sum a (n, terms) matrix over the terms of each feature: (n, features), in the order of ``features``."""
        place = {name: number for number, name in enumerate(self.features)}
        out = np.zeros((len(terms), len(place)))
        for number, term in enumerate(self.terms):
            out[:, place[term.name]] += terms[:, number]
        return out

    def card(self) -> dict[str, Any]:
        """What ``restore`` needs beside the arrays, as JSON values."""
        return {"terms": [[term.name, term.category] for term in self.terms], "dropped": self.dropped}

    @staticmethod
    def restore(card: Mapping[str, Any], mean: Floats, scale: Floats) -> Design:
        """The design that ``card`` and its arrays describe."""
        return Design(
            tuple(Term(name, category) for name, category in card["terms"]), mean, scale, dict(card["dropped"])
        )


def make(columns: Columns, numbers: Sequence[str], texts: Sequence[str]) -> Design:
    """Design of these training rows: every number, and for a text its 20 most frequent values (ties by value) of those
    that at least ten rows have, or a twentieth where rows are fewer than 200: one row more teaches nothing of a value.

    ``columns`` holds float64 arrays for ``numbers`` and object arrays of str for ``texts``. Constant terms and terms
    collinear with an earlier one are dropped with the reason.
    """
    terms = [Term(name) for name in numbers]
    rare: dict[str, str] = {}
    for name in texts:
        values, counts = np.unique(columns[name].astype(str), return_counts=True)
        many = counts >= min(FEWEST_OF_CATEGORY, len(columns[name]) / 20)
        if not many.any():
            rare[name] = "no value is frequent"
        values, counts = values[many], counts[many]
        frequent = values[np.argsort(-counts, kind="stable")][:MOST_CATEGORIES]
        terms += [Term(name, str(value)) for value in sorted(frequent)]
    every = Design(tuple(terms), np.zeros(len(terms)), np.ones(len(terms)), {})
    matrix = _compressed(every.matrix(columns))
    mean = matrix.mean(axis=0) if len(matrix) else np.zeros(len(terms))
    scale = matrix.std(axis=0) if len(matrix) else np.zeros(len(terms))
    kept, dropped = _independent(terms, (matrix - mean) / np.where(scale > 1e-9, scale, 1.0), scale)
    return Design(tuple(terms[place] for place in kept), mean[kept], scale[kept], rare | dropped)


def _compressed(matrix: Floats) -> Floats:
    """sign(x) log(1 + |x|); missing becomes -1, below the 0 of an empty count."""
    values = np.sign(matrix) * np.log1p(np.abs(matrix))
    return np.where(np.isnan(values), _MISSING, values)


def _independent(terms: Sequence[Term], standard: Floats, scale: Floats) -> tuple[list[int], dict[str, str]]:
    correlation = np.abs(standard.T @ standard) / max(len(standard), 1)
    kept: list[int] = []
    dropped: dict[str, str] = {}
    for place, term in enumerate(terms):
        twin = next((other for other in kept if correlation[place, other] > _COLLINEAR), None)
        if scale[place] <= 1e-9:
            dropped[_name(term)] = "constant"
        elif twin is not None:
            dropped[_name(term)] = f"collinear with {_name(terms[twin])}"
        else:
            kept.append(place)
    return kept, dropped


def _name(term: Term) -> str:
    return term.name if term.category is None else f"{term.name}={term.category}"
