"""How versions are loaded, take over, fail, are retried and are unloaded."""
