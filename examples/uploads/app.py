"""Files from a form: checked by the host, kept on its disk, read in parts."""

import hashlib
from typing import Annotated

from bolt import HTML, BoltAPI, File, Form, Struct, UploadFile

api = BoltAPI(title="Uploads")


class Received(Struct):
    name: str
    size: int
    sha256: str


@api.get("/")
def page() -> HTML:
    return HTML(
        '<form method="post" action="/files" enctype="multipart/form-data">'
        '<input name="note" placeholder="a note"> <input name="files" type="file" multiple>'
        "<button>send</button></form>"
    )


@api.post("/files")
def receive(
    files: Annotated[list[UploadFile], File(max_files=5, max_size=20_000_000)],
    note: Annotated[str, Form(max_length=200)] = "",
) -> dict[str, str | list[Received]]:
    """However large a file is, a part of it is in the sandbox at a time."""
    received = []
    for file in files:
        digest = hashlib.sha256()
        for part in file.chunks(64 * 1024):
            digest.update(part)
        received.append(Received(name=file.filename, size=file.size, sha256=digest.hexdigest()))
    return {"note": note, "files": received}


@api.post("/picture")
def picture(
    picture: Annotated[bytes, File(allowed_types=["image/png"], max_size=500_000)],
) -> dict[str, int]:
    """The size that a PNG claims to have: a small file may be asked for as bytes."""
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    return {"width": width, "height": height}
