"""The ``handful`` command, a module for each of its commands.

Commands import inside their functions, for one reason: PyTorch takes seconds to import, and
neither ``handful --help`` nor a mistyped argument should wait for it. So arguments are checked
first, as far as possible, and what the work needs is imported after that.
"""

from __future__ import annotations

import typer

from service.cli.add import add
from service.cli.backup import backup
from service.cli.bridge import bridge
from service.cli.check import check
from service.cli.classifiers import classifiers
from service.cli.convert import convert
from service.cli.demo import demo
from service.cli.diagnose import diagnose
from service.cli.doctor import doctor
from service.cli.evaluate import evaluate
from service.cli.export import export
from service.cli.import_ import import_
from service.cli.keys import keys
from service.cli.limits import limits
from service.cli.mcp import mcp
from service.cli.migrate_store import migrate_store
from service.cli.move_images import move_images
from service.cli.predict import predict
from service.cli.re_embed import re_embed
from service.cli.restore import restore
from service.cli.serve import serve
from service.cli.suggest import suggest
from service.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Few-shot image classification.")
app.command()(serve)
app.command()(evaluate)
app.command()(diagnose)
app.command()(suggest)
app.command()(predict)
app.command()(demo)
app.command()(doctor)
app.command()(check)
app.command()(mcp)
app.command()(convert)
app.command("re-embed")(re_embed)
app.command("move-images")(move_images)
app.command()(classifiers)
app.command()(add)
app.command()(export)
app.command("import")(import_)
app.command()(backup)
app.command()(restore)
app.command("migrate-store")(migrate_store)
app.add_typer(bridge, name="bridge")
app.add_typer(keys, name="keys")
app.add_typer(limits, name="limits")
app.add_typer(train, name="train")


@app.callback()
def handful() -> None:
    """Few-shot image classification: a few images a class, no training."""
