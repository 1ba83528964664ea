"""Plays scenarios against a TensorFlow Serving server: for conformance with pytest, for load with Locust."""
