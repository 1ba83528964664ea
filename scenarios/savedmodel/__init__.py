"""What must lie in a version folder, and what happens when it does not."""
