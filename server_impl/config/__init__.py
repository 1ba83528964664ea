"""What the configuration files say: reading them and checking the model config."""
