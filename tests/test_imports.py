"""Imports run one way, and light modules stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from s2igan.engine.closure import imported_modules

ROOT = Path(__file__).parents[1]
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "engine": {"errors"},
    "metrics": {"errors"},
    "corpora": {"errors", "engine", "metrics"},
    "speech": {"errors", "engine", "metrics", "corpora"},
    "vision": {"errors", "engine", "metrics", "corpora"},
    "sen": {"errors", "engine", "metrics", "corpora", "speech", "vision"},
    "rdg": {"errors", "engine", "metrics", "corpora", "speech", "vision", "sen"},
    "evaluation": {"errors", "engine", "metrics", "corpora", "speech", "vision", "sen", "rdg"},
    "serving": {"errors", "engine", "metrics", "corpora", "speech", "vision", "sen", "rdg"},
}
MAY_IMPORT["config"] = set().union(*MAY_IMPORT.values()) | {"evaluation", "serving"}
MAY_IMPORT["comparison"] = MAY_IMPORT["config"] | {"config"}
MAY_IMPORT["sharing"] = {"errors", "engine"}
MAY_IMPORT["cli"] = MAY_IMPORT["comparison"] | {"comparison", "sharing"}

MODULES = sorted((ROOT / "s2igan").rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT / "s2igan").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_rooms_before_its_own(path: Path) -> None:
    own = room(path)
    if own == "__init__":
        return
    package = ".".join(path.parent.relative_to(ROOT).parts)
    names = imported_modules(ast.parse(path.read_text(encoding="utf-8")), package)
    assert not [name for name in names if name.startswith("stages")]
    rooms = {name.split(".")[1] for name in names if name.count(".")}
    known = {name for name in rooms if name in MAY_IMPORT}
    assert known - {own} <= MAY_IMPORT[own]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_tracking_and_serving_import_mlflow(path: Path) -> None:
    if path.name == "tracking.py" or room(path) == "serving":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not [alias for alias in node.names if alias.name.startswith("mlflow")]
        elif isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("mlflow")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("s2igan", {"torch", "numpy", "mlflow", "pydantic"}),
        ("s2igan.config", {"torch", "numpy", "mlflow", "pandas"}),
        ("s2igan.engine.stage", {"torch", "mlflow"}),
        ("s2igan.engine.tracking", {"torch", "mlflow"}),
        ("s2igan.engine.workers", {"torch", "numpy"}),
        ("s2igan.serving.commands", {"torch", "numpy", "soundfile", "pydantic"}),
        ("s2igan.serving.recording", {"torch", "mlflow", "pandas"}),
        (
            "s2igan.serving.model, s2igan.serving.export",
            {"mlflow", "dvc", "pandas", "pyarrow", "yaml", "scipy", "gradio"},
        ),
        ("s2igan.serving.page_command", {"torch", "numpy", "gradio"}),
    ],
)
def test_importing_a_light_module_loads_nothing_heavy(module: str, heavy: set[str]) -> None:
    script = f"import sys, {module}; print(*sorted({sorted(heavy)!r} & sys.modules.keys()))"
    script = script.replace(repr(sorted(heavy)), repr(heavy))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""
