"""HTTP and the REST API: addresses, methods, headers, errors, connections."""
