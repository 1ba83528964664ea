"""Deployments that go wrong: what a server makes of them, and what helps."""
