"""A boosted forest as plain arrays: taken from scikit-learn after its fit, summed and explained with numpy, stored
without pickle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Forest:
    """All trees one after the other. Node arrays have one entry a node; children are counted from the tree's root.

    ``start`` (trees + 1) bounds the trees; ``term`` is the column split on, -1 in a leaf; a row goes left when its
    value is at most ``threshold``, or missing and ``missing_left``; ``value`` is what the tree would say at that node,
    ``base`` the forest's first guess.
    """

    base: float
    start: NDArray[np.int32]
    term: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: Floats

    @staticmethod
    def of(model: Any, thresholds: Callable[[NDArray[np.int32], Floats], Floats] | None = None) -> Forest:
        """Arrays of a fitted binary ``HistGradientBoostingClassifier``, or a regressor, without categorical splits.

        ``thresholds`` gives values for columns and what the model parts them at, when it was fitted on other numbers.
        """
        trees = [stage[0].nodes for stage in model._predictors]
        nodes = np.concatenate(trees)
        leaf = nodes["is_leaf"].astype(bool)
        term = np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32)
        threshold = nodes["num_threshold"].astype(np.float64)
        # scikit-learn shrinks the leaves only, so an inner node's value is made anew from the leaves below it
        return Forest(
            float(np.ravel(model._baseline_prediction)[0]),
            np.concatenate([[0], np.cumsum([len(tree) for tree in trees])]).astype(np.int32),
            term,
            threshold if thresholds is None else thresholds(term, threshold),
            nodes["left"].astype(np.int32),
            nodes["right"].astype(np.int32),
            nodes["missing_go_to_left"].astype(bool),
            np.concatenate([_node_values(tree) for tree in trees]),
        )

    @staticmethod
    def mean(forests: Sequence[Forest]) -> Forest:
        """The forest whose score is the mean of these forests' scores."""
        trees = [np.diff(one.start) for one in forests]
        term, threshold, left, right, missing_left, value = (
            np.concatenate([getattr(one, name)[: one.start[-1]] for one in forests])
            for name in ("term", "threshold", "left", "right", "missing_left", "value")
        )
        start = np.concatenate([[0], np.cumsum(np.concatenate(trees))]).astype(np.int32)
        base = float(np.mean([one.base for one in forests]))
        return Forest(base, start, term, threshold, left, right, missing_left, value / len(forests))

    def score(self, matrix: Floats) -> Floats:
        """Log-odds of each row of ``matrix`` (n, terms), float64 (n,)."""
        out = np.full(len(matrix), self.base)
        for first, last, node in self._leaves(matrix):
            out += self.value[first:last][node]
        return out

    @property
    def root(self) -> float:
        """Mean score of the training rows: the first guess and what all roots add."""
        return float(self.base + self.value[self.start[:-1]].sum())

    def contributions(self, matrix: Floats) -> Floats:
        """What each term adds along the row's path through every tree: (n, terms).

        At each split the change of the node's value goes to the term split on, so a row's contributions sum to its
        score less the sum of the root values, exactly but for rounding (Saabas 2014). Unlike Shapley values they depend
        on the order of the splits.
        """
        out = np.zeros(matrix.shape, order="F")
        for first, last, node in self._leaves(matrix):
            table = self._path_sums(first, last)
            for term in np.flatnonzero(table.any(axis=0)):
                out[:, term] += table[:, term][node]
        return out

    def only(self, trees: NDArray[np.bool_]) -> Forest:
        """These of its trees (a mask), without a first guess."""
        kept = np.repeat(trees, np.diff(self.start))
        start = np.concatenate([[0], np.cumsum(np.diff(self.start)[trees])]).astype(np.int32)
        return Forest(
            0.0,
            start,
            self.term[kept],
            self.threshold[kept],
            self.left[kept],
            self.right[kept],
            self.missing_left[kept],
            self.value[kept],
        )

    def _leaves(self, matrix: Floats) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """For each tree its bounds and the node where each row ends.

        A parent's number is below its children's (preorder).
        """
        for first, last in zip(self.start[:-1], self.start[1:], strict=True):
            node = np.zeros(len(matrix), dtype=np.int32)
            for place in range(last - first):
                term = self.term[first + place]
                if term < 0:
                    continue
                here = node == place
                values = matrix[:, term]
                goes_left = values <= self.threshold[first + place]
                if self.missing_left[first + place]:
                    goes_left |= np.isnan(values)
                node[here & goes_left] = self.left[first + place]
                node[here & ~goes_left] = self.right[first + place]
            yield int(first), int(last), node

    def _path_sums(self, first: int, last: int) -> Floats:
        """(nodes, terms) of one tree: what the path from the root to each node gave to each term."""
        width = int(self.term.max(initial=0)) + 1
        table = np.zeros((last - first, width))
        for place in range(last - first):
            term = self.term[first + place]
            if term < 0:
                continue
            for child in (self.left[first + place], self.right[first + place]):
                table[child] = table[place]
                table[child, term] += self.value[first + child] - self.value[first + place]
        return table

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, by name."""
        return {
            "base": np.array([self.base]),
            "start": self.start,
            "term": self.term,
            "threshold": self.threshold,
            "left": self.left,
            "right": self.right,
            "missing_left": self.missing_left,
            "value": self.value,
        }

    @staticmethod
    def restore(arrays: dict[str, NDArray[Any]]) -> Forest:
        """The forest of these ``arrays()``."""
        rest = {name: values for name, values in arrays.items() if name != "base"}
        return Forest(base=float(arrays["base"][0]), **rest)


def _node_values(tree: NDArray[Any]) -> Floats:
    """Mean of the leaf values below each node of one tree, weighted by training rows; children come after their
    parents.
    """
    value = tree["value"].astype(np.float64)
    count = tree["count"].astype(np.float64)
    for place in range(len(tree) - 1, -1, -1):
        if not tree["is_leaf"][place]:
            below = [tree["left"][place], tree["right"][place]]
            value[place] = (value[below] * count[below]).sum() / count[below].sum()
    return value
