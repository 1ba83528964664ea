"""Which versions of a model there are, and in which state."""
