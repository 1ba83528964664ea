"""Predict over gRPC, and what the gRPC server itself offers."""
