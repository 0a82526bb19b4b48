"""Serves one model twice from one process: plainly, and by ``s2igan serve --lan``.

Run with the folder of the model and two ports.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from s2igan.cli import main
from s2igan.serving import page_server
from s2igan.serving.model import SpeechToImage
from s2igan.serving.page_model import make_page
from s2igan.serving.page_server import Where, launch

if TYPE_CHECKING:
    import gradio as gr

folder, plain, secure = sys.argv[1:]


def launch_both(page: "gr.Blocks", where: Where) -> str:
    """Launch another page before the one of the command: Gradio takes what was sent to either."""
    other = make_page(SpeechToImage.load(Path(folder)), Path(folder), "cpu")
    return f"{launch(other, Where(port=int(plain)))}\n{launch(page, where)}"


page_server.launch = launch_both
main(["serve", "--model", folder, "--port", secure, "--lan"])
