"""An app of WSGI and nothing else."""

from flask import Flask

app = Flask(__name__)


@app.route("/<path:rest>")
def answer(rest: str) -> dict[str, str]:
    return {"wsgi": rest}
