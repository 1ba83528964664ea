"""The syntax error of a JSON text."""

from __future__ import annotations

from server_impl.errors import Code, ServingError


class ParseError(ServingError):
    """A text that is not JSON: RapidJSON's words and the byte offset [5.1.2]."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(Code.INVALID_ARGUMENT, f"JSON Parse error: {what} at offset: {offset}")
