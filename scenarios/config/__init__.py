"""What a model configuration may say, and what is refused."""
