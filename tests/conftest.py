"""What all tests share: no tracking, no machine settings of the person who runs them."""

import gc
import os
import re
import signal
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Read when torch is loaded: processes that share the cores must not each start threads for all.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if not any(Path("/dev").glob("nvidia[0-9]*")):
    # Read when Triton is loaded, by whomever: its kernels then run on a CPU, slowly.
    os.environ["TRITON_INTERPRET"] = "1"

KEPT = ("S2IGAN_REAL_DATA", "DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY")
SETTINGS = re.compile(
    "(AWS|DVC|GRADIO|MLFLOW|S2IGAN|SLURM)_.*|GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX)"
    "|(LOCAL_)?(RANK|WORLD_SIZE)|MASTER_(ADDR|PORT)|(HTTPS?|ALL|NO)_PROXY"
)

# Before the fixtures of modules and sessions, which see the environment as it is here.
for name in os.environ.keys() - KEPT:
    if SETTINGS.fullmatch(name.upper()):
        del os.environ[name]


# Nothing that the collection of tests imports is garbage; to look for some takes a fifth of it.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: at the end one of them would leave other cores idle."""
    gc.freeze()
    gc.enable()
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True, scope="session")
def _listening() -> None:
    # Under nohup or behind an ampersand these arrive ignored, and what is started here inherits it.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("S2IGAN_TRACKING", "off")
    monkeypatch.setenv("S2IGAN_DEVICE", "cpu")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def emulated_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have bfloat16 computed where it is asked for, be it slowly, on any processor."""
    monkeypatch.setattr("s2igan.engine.device._computes_bfloat16", lambda _: True)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that trainings of this process take, counted from 1.

    One that starts anew ends with the same bytes as one that goes on: only its steps tell.
    """
    from s2igan.engine.keeper import Keeper  # needs torch, which most tests do without

    steps: list[int] = []
    after = Keeper.after

    def noted(keeper: Keeper, step: int) -> None:
        steps.append(step)
        after(keeper, step)

    monkeypatch.setattr(Keeper, "after", noted)
    return steps


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this repository."""
    return Path(__file__).parents[1]


@pytest.fixture
def real_data() -> Path:
    """The folder of real photographs and weights."""
    folder = os.environ.get("S2IGAN_REAL_DATA")
    if not folder:
        pytest.skip("S2IGAN_REAL_DATA names no folder of real data")
    return Path(folder)
