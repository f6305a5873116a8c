"""Columns of every table that a run publishes, a file for each part of it."""
