"""An app's graph as text and as SVG: pure functions of its pieces."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from streamflow.topology import AgentNode, Node, OperatorNode, Piece, SinkNode, SourceNode, TableNode, TopicNode

BOX_WIDTH = 190
BOX_HEIGHT = 40
GAP_X = 60
GAP_Y = 18
MARGIN = 20
LABEL_CHARACTERS_MAX = 25

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .small { font-size: 10px; fill: #59636e; }
  rect, path.cylinder { stroke: #59636e; stroke-width: 1.2; }
  .topic { fill: #dff0ff; } .operator { fill: #ffffff; } .agent { fill: #ffe9c7; stroke-width: 2; }
  .table { fill: #e7f6e7; } .sink { fill: #efe6fb; }
  .edge { stroke: #59636e; fill: none; stroke-width: 1.3; marker-end: url(#arrow); }
  .lookup { stroke-dasharray: 4 3; }
"""


def kind_of(node: Node) -> str:
    if isinstance(node, SourceNode | TopicNode):
        return "topic"
    if isinstance(node, AgentNode):
        return "agent"
    if isinstance(node, TableNode):
        return "table"
    return "sink" if isinstance(node, SinkNode) else "operator"


def label_of(node: Node) -> str:
    if isinstance(node, SourceNode | TopicNode):
        return node.topic.name
    if isinstance(node, AgentNode):
        return f"{node.agent.name}()"
    if isinstance(node, SinkNode):
        return node.sink.name
    return node.kind if isinstance(node, OperatorNode) else node.name


def as_text(pieces: Iterable[Piece]) -> str:
    """A tree for each source, by piece."""
    lines: list[str] = []
    for piece in pieces:
        tasks = f"{piece.partitions} tasks" if piece.partitions else "tasks as its topics have partitions"
        lines.append(f"{piece.name}  ({tasks})")
        for source in piece.sources:
            lines.append(f"  {_described(source)}")
            _branches(source, "  ", lines)
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _described(node: Node) -> str:
    tables = "".join(f" ⋈ {table.name}" for table in node.tables)
    return f"{kind_of(node)} {label_of(node)}{tables}" if kind_of(node) != "operator" else f"{label_of(node)}{tables}"


def _branches(node: Node, indent: str, lines: list[str]) -> None:
    for number, child in enumerate(node.children):
        last = number == len(node.children) - 1
        lines.append(f"{indent}{'└─' if last else '├─'} {_described(child)}")
        _branches(child, indent + ("   " if last else "│  "), lines)


def as_svg(pieces: list[Piece]) -> str:
    """Boxes in columns from left to right, a row a path; a topic that one piece writes and another reads is one box."""
    nodes, edges = _drawn(pieces)
    places = _places(pieces, edges)
    width = max((x for x, _ in places.values()), default=0) + BOX_WIDTH + MARGIN
    height = max((y for _, y in places.values()), default=0) + BOX_HEIGHT + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="arrow" markerWidth="9" markerHeight="9" refX="8" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#59636e"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff" stroke="none"/>',
    ]
    parts += [_edge(places[a], places[b], looked_up) for a, b, looked_up in edges]
    parts += [_box(node, *places[key]) for key, node in nodes.items()]
    return "\n".join([*parts, "</svg>", ""])


def _key(node: Node) -> str:
    return f"topic:{node.topic.name}" if isinstance(node, SourceNode | TopicNode) else f"node:{node.name}"


def _drawn(pieces: list[Piece]) -> tuple[dict[str, Node], list[tuple[str, str, bool]]]:
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str, bool], None] = {}
    for piece in pieces:
        for node in piece.nodes:
            nodes.setdefault(_key(node), node)
            for parent in node.parents:
                edges[_key(parent), _key(node), False] = None
            for table in node.tables:
                edges[_key(table), _key(node), True] = None
    return nodes, list(edges)


def _places(pieces: list[Piece], edges: list[tuple[str, str, bool]]) -> dict[str, tuple[int, int]]:
    """A column by the longest way from a source; rows of its own for each piece, so that long edges find their way."""
    parents: dict[str, list[str]] = {}
    for a, b, _ in edges:
        parents.setdefault(b, []).append(a)
    columns: dict[str, int] = {}

    def column(key: str, path: frozenset[str]) -> int:
        if key not in columns:
            before = [column(p, path | {key}) for p in parents.get(key, ()) if p not in path and p != key]
            columns[key] = max(before, default=-1) + 1
        return columns[key]

    rows: dict[str, int] = {}
    first = 0
    for piece in pieces:
        own = sorted({_key(n): column(_key(n), frozenset()) for n in piece.nodes}.items(), key=lambda item: item[1])
        taken = {(columns[key], row) for key, row in rows.items()}
        for key, at in own:
            if key in rows:
                continue
            row = max((rows[p] for p in parents.get(key, ()) if rows.get(p, -1) >= first), default=first)
            while (at, row) in taken:
                row += 1
            rows[key] = row
            taken.add((at, row))
        first = max(rows.values(), default=-1) + 1
    step_x, step_y = BOX_WIDTH + GAP_X, BOX_HEIGHT + GAP_Y
    return {key: (MARGIN + columns[key] * step_x, MARGIN + row * step_y) for key, row in rows.items()}


def _edge(start: tuple[int, int], end: tuple[int, int], looked_up: bool) -> str:
    x1, y1 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT // 2
    x2, y2 = end[0], end[1] + BOX_HEIGHT // 2
    bend = max(30, (x2 - x1) // 2)
    style = "edge lookup" if looked_up else "edge"
    return f'<path class="{style}" d="M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"/>'


def _box(node: Node, x: int, y: int) -> str:
    kind, label = kind_of(node), label_of(node)
    short = label if len(label) <= LABEL_CHARACTERS_MAX else label[: LABEL_CHARACTERS_MAX - 1] + "…"
    middle = x + BOX_WIDTH // 2
    if kind == "sink":
        shape = (
            f'<path class="sink cylinder" d="M{x},{y + 6} a{BOX_WIDTH // 2},6 0 0 1 {BOX_WIDTH},0 v{BOX_HEIGHT - 12} '
            f'a{BOX_WIDTH // 2},6 0 0 1 {-BOX_WIDTH},0 z"/>'
        )
    else:
        radius = BOX_HEIGHT // 2 if kind == "topic" else 4
        shape = f'<rect class="{kind}" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="{radius}"/>'
    title = f"<title>{escape(label)}</title>"
    words = f'<text x="{middle}" y="{y + 19}" text-anchor="middle">{escape(short)}</text>'
    below = f'<text class="small" x="{middle}" y="{y + 33}" text-anchor="middle">{kind}</text>'
    return f"<g>{title}{shape}{words}{below}</g>"
