"""The ledger of costs."""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from s2igan.engine.costs import hash_sources, ledger_path, machine, metered, read_costs

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def test_every_execution_is_one_line_of_the_users_repository(repository: Path) -> None:
    with metered("train_rdg", "abc", "src", {"rdg": {"seed": 1}}, CPU):
        pass
    with pytest.raises(RuntimeError), metered("train_rdg", "abc", "src", {}, CPU):
        raise RuntimeError
    assert ledger_path() == repository / ".s2igan" / "costs.jsonl"
    first, second = read_costs(ledger_path())
    assert (first.stage, first.key, first.params) == ("train_rdg", "abc", {"rdg": {"seed": 1}})
    assert (first.finished, second.finished) == (True, False)
    assert 0 <= first.seconds < 5
    assert 10 < first.memory_mib < 100_000
    assert (first.device, first.gpu_memory_mib) == ("cpu", None)
    assert first.machine == machine()


def test_a_mac_tells_the_peak_of_memory_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> str:
        raise FileNotFoundError

    peak = SimpleNamespace(ru_maxrss=300 * 2**20)
    with monkeypatch.context() as mac:
        mac.setattr(sys, "platform", "darwin")
        mac.setattr(Path, "read_text", absent)
        mac.setattr(resource, "getrusage", lambda _: peak)
        with metered("sample", "k", "s", {}, CPU):
            pass
    assert read_costs(ledger_path())[0].memory_mib == 300


@pytest.mark.parametrize(("says", "name"), [("Apple M2", "Apple M2"), ("", "unnamed processor")])
def test_a_mac_tells_the_name_of_its_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, name: str
) -> None:
    program = tmp_path / "sysctl"
    program.write_text(f'#!/bin/sh\ntest "$*" = "-n machdep.cpu.brand_string" && echo "{says}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.__wrapped__().rpartition(", ")[0] == name


def test_a_torn_line_is_passed_over() -> None:
    for _ in range(2):
        with metered("sample", "k", "s", {}, CPU):
            pass
    path = ledger_path()
    whole = path.read_text()
    path.write_text(whole[:30] + "\n" + '{"stage": "other"}\n[1]\n' + whole)
    assert len(read_costs(path)) == 2
    assert read_costs(path.with_name("absent.jsonl")) == []


def test_a_ledger_that_cannot_be_written_stops_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / ".s2igan").write_text("in the way")
    with metered("sample", "k", "s", {}, CPU):
        pass
    told = capsys.readouterr().err
    assert told.startswith("costs: not recorded")
    assert told.count("\n") == 1


def test_sources_are_hashed_by_name_and_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("a")
    two.write_text("b")
    before = hash_sources([one, two])
    assert hash_sources([two, one]) == before
    two.write_text("c")
    assert hash_sources([one, two]) != before
