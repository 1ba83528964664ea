"""Benchmarks: tables to read, never part of a test's verdict."""
