"""The protocols in front of the inference core: REST over HTTP/1, gRPC, and the monitoring page."""
