"""What a server tells of a model's signatures."""
