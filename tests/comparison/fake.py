"""A small repository with stages of a few lines, each of which notes that it ran."""

from pathlib import Path

PIPELINE = """
stages:
  download:
    cmd: >-
      python -m stages.download
      --manifests data
      --corpus artifacts/corpus
      --weights artifacts/weights
    deps:
      - data
      - stages/download.py
    params:
      - corpus.seed
    outs:
      - artifacts/corpus
      - artifacts/weights
  train_rdg:
    cmd: >-
      python -m stages.train_rdg
      --corpus artifacts/corpus
      --weights artifacts/weights
      --rdg artifacts/rdg
      --curves plots/curves.tsv
    deps:
      - artifacts/corpus
      - artifacts/weights/rdg.json
      - stages/train_rdg.py
    params:
      - rdg
    outs:
      - artifacts/rdg
      - plots/curves.tsv:
          cache: false
  evaluate:
    cmd: >-
      python -m stages.evaluate
      --rdg artifacts/rdg
      --metrics metrics/generation.json
      --plots plots
    deps:
      - artifacts/rdg
      - stages/evaluate.py
      - stages/queries.yaml
    params:
      - evaluate
    outs:
      - plots/row.txt
    metrics:
      - metrics/generation.json:
          cache: false
"""

COMMON = """
import json, os, signal, sys, time
from pathlib import Path
import yaml

options = dict(zip(sys.argv[1::2], map(Path, sys.argv[2::2])))
params = yaml.safe_load(options.get("--params", Path("params.yaml")).read_text())
with open(os.environ["RAN"], "a") as file:
    file.write(NAME + "\\n")
"""

STAGES = {
    "download": """
assert (options["--manifests"] / "list.txt").is_file()
for name in ("--corpus", "--weights"):
    options[name].mkdir(parents=True)
(options["--corpus"] / "seed").write_text(str(params["corpus"]["seed"]))
(options["--weights"] / "rdg.json").write_text("{}")
(options["--weights"] / "other.json").write_text(str(params["corpus"]["seed"]))
""",
    "train_rdg": """
if params["rdg"]["use_rs"] is False and (Path.cwd() / "broken").exists():
    sys.exit("stage says\\ntrain_rdg: the relation is broken")
if (Path.cwd() / "slow").exists():
    print("at work", flush=True)
    time.sleep(600)
options["--rdg"].mkdir(parents=True)
seed = (options["--corpus"] / "seed").read_text()
(options["--rdg"] / "model").write_text(seed + str(params["rdg"]["seed"]))
options["--curves"].parent.mkdir(exist_ok=True)
options["--curves"].write_text("step\\n")
""",
    "evaluate": """
model = (options["--rdg"] / "model").read_text()
figure = {"value": float(model), "protocol": []}
figures = {"model": figure, "fidelity": {"generated": {"FID": figure}}}
options["--metrics"].parent.mkdir(exist_ok=True)
options["--metrics"].write_text(json.dumps(figures))
options["--plots"].mkdir(exist_ok=True)
(options["--plots"] / "row.txt").write_text(model)
""",
}


def make_repository(root: Path) -> Path:
    """Write the pipeline, its stages and its data."""
    (root / "stages").mkdir(parents=True)
    (root / "stages" / "__init__.py").touch()
    (root / "data").mkdir()
    (root / "data" / "list.txt").write_text("one\n")
    (root / "stages" / "queries.yaml").write_text("[1]\n")
    (root / "dvc.yaml").write_text(PIPELINE)
    for name, body in STAGES.items():
        (root / "stages" / f"{name}.py").write_text(f"NAME = {name!r}\n{COMMON}{body}")
    return root
