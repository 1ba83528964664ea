"""Request batching: what joins, what is refused, what one request does to another."""
