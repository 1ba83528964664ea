"""Policies, pinned versions and labels."""
