"""Serves one model twice from one process: plainly, and by ``s2igan serve --lan``.

Run with the folder of the model and two ports.
"""

import sys
from pathlib import Path

from s2igan.cli import main
from s2igan.serving.model import SpeechToImage
from s2igan.serving.page_model import make_page
from s2igan.serving.page_server import Where, launch

folder, plain, secure = sys.argv[1:]
page = make_page(SpeechToImage.load(Path(folder)), Path(folder), "cpu")
sys.stdout.write(launch(page, Where(port=int(plain))) + "\n")
sys.stdout.flush()
main(["serve", "--model", folder, "--port", secure, "--lan"])
