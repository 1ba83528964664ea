from __future__ import annotations

import pytest

from harness.wire import messages as wire
from server_impl.servable.graph import waiting_nodes


def node(name: str, op: str, *inputs: str, calls: str = "", branches: tuple[str, ...] = ()) -> wire.NodeDef:
    message = wire.NodeDef(name=name, op=op, input=inputs)
    if calls:
        message.attr["f"].func.name = calls
    for branch in branches:
        message.attr["branches"].list.func.add(name=branch)
    return message


def function(name: str, *body: wire.NodeDef) -> wire.FunctionDef:
    return wire.FunctionDef(signature=wire.OpDef(name=name), node_def=body)


def graph(*nodes: wire.NodeDef, functions: tuple[wire.FunctionDef, ...] = ()) -> wire.GraphDef:
    return wire.GraphDef(node=nodes, library=wire.FunctionDefLibrary(function=functions))


# fmt: off
WAITING = [
    "While", "StatelessWhile", "For", "Enter", "RefEnter", "NextIteration", "PyFunc", "EagerPyFunc",
    "PyFuncStateless", "QueueDequeueV2", "BarrierTakeMany", "Stage", "MapUnstage", "IteratorGetNext",
    "ReduceDataset", "_HostRecv", "CollectiveReduceV2", "Batch", "Unbatch", "BatchFunction", "RemoteCall",
    "MutexLock", "ReadFile", "ReaderReadV2", "MatchingFiles", "AccumulatorTakeGradient",
]
PROMPT = [
    "AddV2", "ReadVariableOp", "VarHandleOp", "PartitionedCall", "If", "Case", "StatelessIf", "Unpack",
    "Where", "BatchMatMulV2", "BatchToSpaceND", "ParseExampleV2", "FormatString", "Einsum",
    "LookupTableFindV2", "FusedBatchNormV3", "Pack",
]
# fmt: on


@pytest.mark.parametrize("op", WAITING)
def test_ops_that_wait(op):
    assert waiting_nodes(graph(node("y", op)), ["y"]) == {"y"}


@pytest.mark.parametrize("op", PROMPT)
def test_ops_that_do_not_wait(op):
    assert waiting_nodes(graph(node("y", op)), ["y"]) == frozenset()


def test_only_what_a_node_depends_on_counts():
    nodes = graph(
        node("x", "Placeholder"),
        node("loop", "While", "x"),
        node("after_loop", "Identity", "loop:1"),
        node("ordered", "Identity", "x", "^after_loop"),
        node("apart", "Neg", "x"),
    )
    names = ["after_loop", "ordered", "apart", "x", "no_such_node"]
    assert waiting_nodes(nodes, names) == {"after_loop", "ordered"}


def test_functions_count_however_they_are_called():
    functions = (
        function("inner", node("w", "StatelessWhile")),
        function("outer", node("call", "PartitionedCall", calls="inner")),
        function("plain", node("add", "AddV2")),
    )
    nodes = graph(
        node("by_attribute", "StatefulPartitionedCall", calls="outer"),
        node("by_name", "inner"),
        node("by_branch", "Case", branches=("plain", "outer")),
        node("fine", "PartitionedCall", calls="plain"),
        functions=functions,
    )
    assert waiting_nodes(nodes, ["by_attribute", "by_name", "by_branch", "fine"]) == {
        "by_attribute",
        "by_name",
        "by_branch",
    }


def test_graphs_with_cycles_end():
    nodes = graph(node("a", "Merge", "b"), node("b", "Switch", "a"))
    assert waiting_nodes(nodes, ["a"]) == frozenset()
