import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
from s2igan.engine.allocator import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    block = ctypes.create_string_buffer(64 * 2**20)
    ctypes.memset(block, 1, 64 * 2**20)
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode == 3:
        pytest.skip("this C library keeps memory by rules of its own")
    return int(done.stdout)


def test_a_large_block_is_reused_instead_of_being_mapped_again() -> None:
    assert page_faults("keep") < page_faults("return") / 5
