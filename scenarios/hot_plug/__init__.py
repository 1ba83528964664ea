"""Versions that appear and disappear under a running server."""
