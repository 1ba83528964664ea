"""The gRPC API over the inference core, and the servers that carry it."""
