"""Merging the rules of a request, its runtime scenario and the default scenario."""

from __future__ import annotations

from scenarios.spec import Diversity, Rules

NO_RULES = Rules()


def merge(request: Rules | None, runtime: Rules | None, default: Rules | None) -> Rules:
    """The rules under which a list is made; a source that there is none of is None.

    Filters and exclusions of all sources hold; a lower source's reranking of a property that a higher one reranks is
    dropped; everything else is taken whole from the highest source that sets it.
    """
    return over(over(request or NO_RULES, runtime or NO_RULES), default or NO_RULES)


def over(high: Rules, low: Rules) -> Rules:
    """Two sources merged; associative, with ``Rules()`` changing nothing."""
    return Rules(
        amount=low.amount if high.amount is None else high.amount,
        filters=high.filters + low.filters,
        reranking=rerankings(high.reranking, low.reranking),
        exclude_rated=low.exclude_rated if high.exclude_rated is None else high.exclude_rated,
        exclude_types=high.exclude_types + low.exclude_types,
        exclude_properties=high.exclude_properties + low.exclude_properties,
        sequence=low.sequence if high.sequence is None else high.sequence,
        algorithms=low.algorithms if high.algorithms is None else high.algorithms,
        preselection=low.preselection if high.preselection is None else high.preselection,
        table=low.table if high.table is None else high.table,
        max_age=low.max_age if high.max_age is None else high.max_age,
        target=low.target if high.target is None else high.target,
    )


def rerankings(high: tuple[Diversity, ...], low: tuple[Diversity, ...]) -> tuple[Diversity, ...]:
    """All of ``high``, and those of ``low`` whose property is not reranked in ``high``; also for a block of a sequence
    over the rules around it.
    """
    taken = {rule.property for rule in high}
    return high + tuple(rule for rule in low if rule.property not in taken)
