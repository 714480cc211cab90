"""The simulator stands alone."""

import ast
import sys
from pathlib import Path

import simulator

FOLDER = Path(simulator.__file__).parent
ALLOWED = {"httpx", "yaml", "simulator"} | sys.stdlib_module_names


def test_it_imports_nothing_of_the_project() -> None:
    """Standard library, httpx, PyYAML; AWFDRS is known by HTTP alone."""
    found = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                found.add((node.module or "").split(".")[0])
    assert {"httpx", "yaml"} <= found
    assert found <= ALLOWED
