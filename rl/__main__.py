"""Entry of `python -m rl COMMAND`."""

from rl.main import app

app()
