"""Segments that are followed event by event: what a definition may say, and what an event does to a tag. No I/O."""
