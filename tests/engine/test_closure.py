import ast
from pathlib import Path

import pytest

from s2igan.engine import closure
from s2igan.engine.closure import EXEMPT, check_deps, import_closure, imported_modules, own_sources
from s2igan.errors import UserError

ROOT = Path(__file__).parents[2]


CLOSURE = [
    "s2igan/late.py",
    "s2igan/speech/__init__.py",
    "s2igan/speech/setup.py",
    "s2igan/speech/talk.py",
    "stages/tts.py",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "stages/__init__.py": '"""Docs."""\n',
        "stages/tts.py": "from s2igan.engine.stage import Stage\nfrom s2igan.speech import talk\n",
        "s2igan/__init__.py": '"""Docs."""\n__version__ = "1"\n',
        "s2igan/engine/__init__.py": "",
        "s2igan/engine/stage.py": "import s2igan.hidden\n",
        "s2igan/hidden.py": "",
        "s2igan/speech/__init__.py": "import s2igan.speech.setup\n",
        "s2igan/speech/setup.py": "import os\n",
        "s2igan/speech/talk.py": (
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import s2igan.typed\n"
            "def f():\n    from s2igan.late import name\n"
        ),
        "s2igan/typed.py": "",
        "s2igan/late.py": "name = 1\n",
        "s2igan/unused.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_closure_is_what_runs_and_can_change_a_result(root: Path) -> None:
    assert [path.as_posix() for path in import_closure("stages.tts", root)] == CLOSURE


def test_names_and_their_modules_are_both_candidates() -> None:
    tree = ast.parse("from s2igan.rdg import losses\nimport torch, stages.tts\n")
    assert imported_modules(tree, "s2igan") == ["s2igan.rdg", "s2igan.rdg.losses", "stages.tts"]


def test_a_relative_import_counts_from_its_package() -> None:
    tree = ast.parse("from . import a\nfrom .b import c\nfrom ..rdg import d\n")
    assert imported_modules(tree, "s2igan.sen") == [
        "s2igan.sen",
        "s2igan.sen.a",
        "s2igan.sen.b",
        "s2igan.sen.b.c",
        "s2igan.rdg",
        "s2igan.rdg.d",
    ]


def test_the_closure_goes_through_relative_imports(root: Path) -> None:
    (root / "s2igan/speech/__init__.py").write_text("from .setup import x\n")
    (root / "s2igan/speech/talk.py").write_text("from ..late import name\n")
    assert [path.as_posix() for path in import_closure("stages.tts", root)] == CLOSURE


def test_a_source_that_dvc_would_not_see_change_is_told_where_dvc_runs_the_stage(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closure, "_ROOT", root)
    listed = [f"      - {path}\n" for path in import_closure("stages.tts", root)]
    (root / "dvc.yaml").write_text(
        f"stages:\n  tts:\n    cmd: x\n    deps:\n{''.join(listed)}    outs:\n      - a\n\n"
        "  features:\n    deps:\n      - s2igan/unused.py\n"
    )
    monkeypatch.setenv("DVC_STAGE", "tts")
    check_deps("tts", own_sources("stages.tts"))
    (root / "s2igan/late.py").write_text("import s2igan.unused\n")
    with pytest.raises(UserError, match=r"deps of tts in .*no s2igan/unused.py; .*`make deps`"):
        check_deps("tts", own_sources("stages.tts"))
    monkeypatch.delenv("DVC_STAGE")
    check_deps("tts", own_sources("stages.tts"))


@pytest.mark.parametrize("module", EXEMPT)
def test_every_exempt_module_exists(module: str) -> None:
    path = ROOT / module.replace(".", "/")
    assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
