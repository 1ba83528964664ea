"""What a graph tells without being run: whether computing a tensor may wait or repeat work."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.wire import messages as wire

# Loops, calls into Python, and ops that wait: for queues, input pipelines, files or other processes.
_WAITING_OP = re.compile(
    r"While|^For$|^(Ref)?(Enter|NextIteration)$|PyFunc|Queue|Barrier|[Ss]tage|Iterator|Dataset|Recv"
    r"|Collective|^(Batch|Unbatch|BatchFunction)$|RemoteCall|Mutex|ReadFile|WriteFile|Reader"
    r"|MatchingFiles|TakeGradient|Rpc"
)


def waiting_nodes(graph: wire.GraphDef, names: Iterable[str]) -> frozenset[str]:
    """Those nodes among ``names`` whose value depends on an op that may wait, or repeat its work.

    Everything a node depends on counts, functions that it calls included, whatever is fed. Names
    without a node are left out.
    """
    waiting_functions = _waiting_functions(graph.library)
    nodes = {node.name: node for node in graph.node}
    return frozenset(name for name in names if _depends(name, nodes, waiting_functions))


def _depends(name: str, nodes: dict[str, wire.NodeDef], waiting_functions: set[str]) -> bool:
    seen: set[str] = set()
    pending = [name]
    while pending:
        node = nodes.get(pending.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if _waits(node, waiting_functions):
            return True
        # "node", "node:1" and, for order alone, "^node"
        pending.extend(source.removeprefix("^").partition(":")[0] for source in node.input)
    return False


def _waiting_functions(library: wire.FunctionDefLibrary) -> set[str]:
    """Names of the functions that contain a waiting op, or call a function that does."""
    bodies = {function.signature.name: function.node_def for function in library.function}
    waiting: set[str] = set()
    before = -1
    while before != len(waiting):
        before = len(waiting)
        waiting.update(
            name
            for name, body in bodies.items()
            if name not in waiting and any(_waits(node, waiting) for node in body)
        )
    return waiting


def _waits(node: wire.NodeDef, waiting_functions: set[str]) -> bool:
    return bool(_WAITING_OP.search(node.op)) or not waiting_functions.isdisjoint(_called(node))


def _called(node: wire.NodeDef) -> Iterable[str]:
    """Functions that a node calls: by its op, or by name in an attribute."""
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        for function in value.list.func:
            yield function.name
