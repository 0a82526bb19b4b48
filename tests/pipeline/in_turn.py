"""One of several processes, in which stages run in turn: to start takes longer than a stage.

Run with a list, as JSON, of stages with the port at which their processes meet, and arguments.
"""

import importlib
import json
import os
import sys


def main(turns: str) -> int:
    """Run them until one fails, and return its exit code."""
    for stage, port, words in json.loads(turns):
        os.environ["MASTER_PORT"] = str(port)
        if code := int(importlib.import_module(f"stages.{stage}").STAGE.main(words)):
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
