"""What texts have in common that depend on machine, exporter or chance."""

from __future__ import annotations

import re


def steady(text: bytes) -> bytes:
    """A text without what depends on the machine, on the exporter or on chance."""
    text = re.sub(rb"Could not find variable \w+", b"Could not find variable *", text)
    text = re.sub(rb"localhost/\w+", b"localhost/*", text)
    text = re.sub(rb"binary running on \S+\.", b"binary running on *.", text)
    text = re.sub(rb"\{\{function_node [^}]*\}\}", b"{{function_node *}}", text)
    if b"Could not find variable" in text:  # whichever variable is read first
        text = re.sub(rb"\{\{node [^}]*\}\}", b"{{node *}}", text)
    return text
