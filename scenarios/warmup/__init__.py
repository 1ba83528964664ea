"""Warm-up: the requests that a version brings along are run before it is available."""
