"""The kernel needs NumPy and the standard library, and nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import conf.kernel

KERNEL = Path(conf.kernel.__file__).parent
# Names and ranks of event types: a module without any import of its own outside the standard library.
ALLOWED = {"numpy", "conf.kernel", "conf.event_types"}


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def is_allowed(name: str) -> bool:
    is_standard = name.partition(".")[0] in sys.stdlib_module_names
    return is_standard or any(name == one or name.startswith(f"{one}.") for one in ALLOWED)


def test_modules_of_the_kernel_import_numpy_and_the_standard_library_alone() -> None:
    """Every module, so that the decision service loads in a moment."""
    paths = sorted(KERNEL.rglob("*.py"))
    assert len(paths) > 10
    assert {str(path): [name for name in imported(path) if not is_allowed(name)] for path in paths} == {
        str(path): [] for path in paths
    }
