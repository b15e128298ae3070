"""The house's own rules, those that neither ruff, mypy nor import-linter can check.

The lists below hold what broke a rule when it was made. They may only shrink: an entry that is no longer needed fails
too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import streamflow
from streamflow.log.protocol.versions import APIS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "streamflow"

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
LONG_MODULES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}

NO_BEHAVIOUR = {
    "errors.py",
    "log/errors.py",
    "log/model.py",
    "engine/events.py",
    "operators/base.py",
    "worker/figures.py",
}
"""Names and plain data: what uses them is tested."""

TESTED_WITH = {
    # Whole apps on virtual time.
    "unit/test_agents.py": {
        "agent.py", "app.py", "topic.py",
        "testing/app.py", "testing/loop.py", "worker/actor.py", "worker/poller.py", "worker/run.py",
        "worker/runner.py",
    },
    "unit/test_streams.py": {"stream.py"},
    "unit/test_codecs.py": {"record.py"},
    "unit/operators/test_stateless.py": {"event.py"},
    # Every transport and every sink, by one suite each; the parts of the embedded log's node together, as a node.
    "conformance/transports/test_transports.py": {
        "transport/base.py", "transport/embedded.py", "log/node/embedded.py",
        *(f"transport/kafka/{part}.py" for part in ("client", "offsets", "reader", "topics", "transport", "writer")),
    },
    "conformance/transports/test_members.py": {"transport/kafka/member.py"},
    "conformance/sinks/test_sinks.py": {"sinks/base.py"},
    "unit/sinks/duckdb/test_sink.py": {"sinks/duckdb/rows.py", "sinks/duckdb/table.py"},
    "unit/log/node/test_node.py": {
        f"log/node/{part}.py"
        for part in (
            "checkpoint", "effects", "fetch", "groups", "metadata", "producer", "replica", "rows", "topics",
            "transactions",
        )
    },
    "unit/log/controller/test_topics.py": {
        "log/controller/configs.py", "log/controller/image.py", "log/controller/records.py",
    },
    "unit/log/coordinators/test_offsets.py": {"log/coordinators/records.py"},
    "unit/log/coordinators/test_transactions.py": {
        f"log/coordinators/{part}.py" for part in ("events", "transaction", "transaction_recovery")
    },
    "unit/log/coordinators/test_classic.py": {
        f"log/coordinators/{part}.py" for part in ("group_events", "group_states", "joining", "members", "rebalance")
    },
    "unit/log/node/test_consumer_groups.py": {"log/node/classic_requests.py", "log/node/promise.py"},
    "unit/log/coordinators/test_consumer.py": {
        f"log/coordinators/consumer_{part}.py" for part in ("admission", "deadlines", "events", "rebalance")
    },
    "unit/log/coordinators/test_topic_patterns.py": {"log/coordinators/pattern_states.py"},
    # A member's road through the door; what tools ask of groups.
    "unit/log/server/handlers/test_join_group.py": {
        f"log/server/handlers/{api}.py" for api in ("heartbeat", "leave_group", "sync_group")
    },
    "unit/log/server/handlers/test_describe_groups.py": {
        f"log/server/handlers/{api}.py" for api in ("delete_groups", "list_groups")
    },
    # What brokers ask of a controller.
    "unit/log/server/handlers/test_broker_registration.py": {
        f"log/server/handlers/{api}.py"
        for api in ("allocate_producer_ids", "alter_partition", "broker_heartbeat", "unregister_broker")
    },
    # What controllers say to each other of who leads.
    "unit/log/server/handlers/test_vote.py": {
        f"log/server/handlers/{api}.py" for api in ("begin_quorum_epoch", "end_quorum_epoch")
    },
    # A transaction's road through the door, of clients of both generations.
    "unit/log/server/handlers/test_end_txn.py": {
        "log/node/client_transactions.py", "log/server/producer_errors.py", "log/server/transactional_batches.py",
        *(
            f"log/server/handlers/{api}.py"
            for api in (
                "add_offsets_to_txn", "add_partitions_to_txn", "describe_producers", "describe_transactions",
                "init_producer_id", "list_transactions", "txn_offset_commit", "write_txn_markers",
            )
        ),
    },
    "unit/log/replication/test_leader.py": {"log/replication/events.py"},
    "unit/log/consensus/test_raft.py": {"log/consensus/events.py", "log/consensus/roles.py"},
    # Three brokers' replicas with the fetch handler between them.
    "unit/log/node/test_replication.py": {
        "log/node/acknowledgement.py", "log/server/leadership.py",
    },
    # A broker's process, started and stopped.
    "integration/test_broker.py": {"log/server/process.py"},
    # The command as a user types it.
    "integration/test_cli.py": {
        f"cli/{part}.py"
        for part in (
            "connection", "consume", "graph", "group", "logs", "main", "new", "worker",
        )
    },
}  # fmt: skip

BETTER_NAMES = "name the file after what it does: what it reads, writes, decides or stands for"
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}
UNFINISHED = re.compile(r"\b(FIX" + r"ME|TO" + r"DO|XX" + r"X)\b")
UNSAFE = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


@cache
def sources() -> dict[str, str]:
    """The package's modules by their path below `streamflow/`."""
    return {str(p.relative_to(PACKAGE)): p.read_text() for p in sorted(PACKAGE.rglob("*.py"))}


@cache
def trees() -> dict[str, ast.Module]:
    return {path: ast.parse(text) for path, text in sources().items()}


def dotted(path: str) -> str:
    return ".".join(("streamflow", *Path(path).with_suffix("").parts)).removesuffix(".__init__")


def is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers see."""
    for child in ast.iter_child_nodes(tree):
        if not is_typing_block(child):
            yield child
            yield from runtime_nodes(child)


def over(measured: dict[str, int], limit: int, known: dict[str, int]) -> list[str]:
    """What is too long, what an exception allowed and has grown, and exceptions nobody needs any more."""
    wrong = [f"{k}: {n} lines, at most {known.get(k, limit)}" for k, n in measured.items() if n > known.get(k, limit)]
    return wrong + [f"{k}: take its exception off the list" for k in known if measured.get(k, 0) <= limit]


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path, tree in trees().items() if not ast.get_docstring(tree)] == []


def test_a_module_is_one_idea() -> None:
    lines = {path: text.count("\n") for path, text in sources().items()}
    assert over(lines, MODULE_LINES_MAX, LONG_MODULES) == []


def test_a_function_fits_on_a_screen() -> None:
    lines = {
        f"{path}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert over(lines, FUNCTION_LINES_MAX, LONG_FUNCTIONS) == []


def test_nobody_inside_imports_the_root() -> None:
    """It would load the framework into a process that wants the log alone, or make a cycle."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in runtime_nodes(tree)
        if (isinstance(node, ast.ImportFrom) and node.module == "streamflow" and not node.level)
        or (isinstance(node, ast.ImportFrom) and node.level)
        or (isinstance(node, ast.Import) and any(a.name == "streamflow" for a in node.names))
    ]
    assert found == [], "import from the module that has it, by its full name"


def test_nothing_is_pickled() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and node.module in UNSAFE)
        or (isinstance(node, ast.Import) and any(a.name in UNSAFE for a in node.names))
    ]
    assert found == [], "who reads a pickle runs its writer's code; use msgspec"


def test_the_public_names_are_those_a_type_checker_sees_and_all_resolve() -> None:
    block = next(node for node in trees()["__init__.py"].body if is_typing_block(node))
    homes = {
        alias.asname: f"{node.module}.{alias.name}" if node.module == "streamflow" else node.module
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert sorted(streamflow.__all__) == sorted(str(name) for name in homes)
    for name in streamflow.__all__:
        home = import_module(homes[name])
        assert getattr(streamflow, name) is (home if name in streamflow._ROOMS else getattr(home, name)), name


def test_every_module_has_its_test_or_a_stated_reason() -> None:
    elsewhere = {module: f"tests/{test}" for test, modules in TESTED_WITH.items() for module in modules}
    wrong = [f"{module}: {test} isn't there" for module, test in elsewhere.items() if not (ROOT / test).exists()]
    modules = {path for path in sources() if not path.endswith("__init__.py")}
    for path in sorted(modules | elsewhere.keys() | NO_BEHAVIOUR):
        excused = path in elsewhere or path in NO_BEHAVIOUR
        own = Path("tests/unit") / Path(path).with_name(f"test_{Path(path).name}")
        if path not in modules:
            wrong.append(f"{path}: isn't there; take it off the list")
        elif (ROOT / own).exists() and excused:
            wrong.append(f"{path}: has {own}; take it off the list")
        elif not (ROOT / own).exists() and not excused:
            wrong.append(f"{path}: has no {own}")
    assert wrong == [], "\n".join(wrong)


def test_no_module_is_there_that_nobody_imports() -> None:
    used = set(re.findall(r"streamflow[\w.]+", (ROOT / "pyproject.toml").read_text().partition("[tool.")[0]))
    used |= {f"streamflow.log.server.handlers.{api.name}" for api in APIS.values()}  # `dispatch` loads them by name
    used.add("streamflow.log.protocol.stubs")  # Run by hand, to make messages.pyi.
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                used |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)} - {dotted(path)}
            elif isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.add(node.value)  # imported on first use, by name
    modules = [path for path in sources() if Path(path).name not in ("__init__.py", "__main__.py")]
    assert [path for path in modules if dotted(path) not in used] == []


def test_names_say_what_is_in_a_file_and_nothing_is_left_for_later() -> None:
    mine = [p for room in ("streamflow", "apps", "tests", "benchmarks", "docs") for p in (ROOT / room).rglob("*.py")]
    files = [p.relative_to(ROOT) for p in mine if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    named = {name for p in files for name in (p.stem, *p.parts[:-1])}
    assert named & BANNED_NAMES == set(), BETTER_NAMES
    assert [str(p) for p in files if UNFINISHED.search((ROOT / p).read_text())] == [], "do it, or say it in an issue"


def test_the_log_loads_neither_the_framework_nor_duckdb() -> None:
    log = [dotted(path) for path in sources() if path.startswith("log/")]
    program = (
        "import importlib, sys\n"
        "import streamflow\n"
        "assert [m for m in sys.modules if m.startswith('streamflow.')] == [], 'the root loads its rooms'\n"
        f"for name in {log!r}: importlib.import_module(name)\n"
        "print(*(m for m in sys.modules if m == 'duckdb' or m.startswith('streamflow.')))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    allowed = ("streamflow.log", "streamflow.errors", "streamflow.event")
    assert [m for m in ran.stdout.split() if not m.startswith(allowed)] == []


def test_the_layout_in_contributing_is_the_tree() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    listed: set[str] = set()
    parents: list[str] = []
    for line in text.partition("<!-- layout -->")[2].partition("<!-- /layout -->")[0].splitlines():
        entry = re.match(r"( *)([\w.]+/|[\w.]+\.\w+)", line)
        if entry:
            depth = len(entry[1]) // 2
            parents[depth:] = [entry[2]]
            listed.add("".join(parents))
    assert [path for path in sorted(listed) if not (ROOT / path).exists()] == [], "listed, but not there"
    rooms = {f"{p.parent.relative_to(ROOT)}/" for p in PACKAGE.rglob("__init__.py")}
    rooms |= {f"{p.relative_to(ROOT)}/" for p in (ROOT / "tests").iterdir() if any(p.rglob("*.py"))}
    assert sorted(rooms - listed) == [], "there, but not listed"
