"""The metrics page: where it is, how it is written, and what is counted."""
