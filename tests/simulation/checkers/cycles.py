"""Transactions that read one another's writes in a circle: no order of them explains that (G1c)."""

from __future__ import annotations

from tests.simulation.checkers.operations import OK, Evidence, Found


def check(evidence: Evidence) -> Found:
    """`G1c`, as the processes of a circle. Each operation is looked at once (Tarjan)."""
    numbers = {id(operation): n for n, operation in enumerate(evidence.operations)}
    readers: dict[int, dict[int, None]] = {n: {} for n in range(len(evidence.operations))}
    for n, operation in enumerate(evidence.operations):
        if operation.outcome != OK:
            continue
        for partition, records in operation.polled.items():
            for _, value in records:
                writer = evidence.writer.get((partition, value))
                if writer is not None and writer is not operation and evidence.must(writer):
                    readers[numbers[id(writer)]][n] = None
    circles = components(readers)
    return {"G1c": [tuple(evidence.operations[n].process for n in circle) for circle in circles]}


def components(edges: dict[int, dict[int, None]]) -> list[list[int]]:
    """Those of more than one node, without recursion."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[list[int]] = []
    for root in edges:
        if root in order:
            continue
        work = [(root, iter(edges[root]))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            after = next(rest, None)
            if after is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    circle = []
                    while not circle or circle[-1] != node:
                        circle.append(stack.pop())
                        on_stack.discard(circle[-1])
                    if len(circle) > 1:
                        found.append(circle)
            elif after not in order:
                order[after] = low[after] = len(order)
                stack.append(after)
                on_stack.add(after)
                work.append((after, iter(edges[after])))
            elif after in on_stack:
                low[node] = min(low[node], order[after])
    return found
