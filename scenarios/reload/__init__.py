"""New configurations for a running server, over gRPC and by the file."""
