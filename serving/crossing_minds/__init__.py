"""The Crossing Minds dialect: programs written for that API keep working unchanged. Section numbers (§) in this package
are those of its contract.
"""
