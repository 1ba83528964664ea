"""Several models in one server, and a configuration that changes."""
