"""Version labels: names for versions that a configuration gives."""
