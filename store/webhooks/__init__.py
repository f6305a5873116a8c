"""Notifications to an account's receiver: what they say, where they may go, and how they are delivered."""
