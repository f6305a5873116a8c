"""The retention dialect: paths, envelopes and documents that clients of the hosted service know (retention contract).

Numbers in parentheses are the contract's sections.
"""
