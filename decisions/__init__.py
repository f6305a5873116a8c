"""The language of decisions: agents, draws, goals and what they mean. Pure: no files, no databases, no clock.

Numbers in parentheses are sections of the decision contract.
"""
