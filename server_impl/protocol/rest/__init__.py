"""The REST API over the inference core."""
