"""The decision dialect: routes, tolerances and replies that clients of the Learning API know (decision contract).

Numbers in parentheses are the contract's sections.
"""
