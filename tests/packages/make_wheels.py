"""Makes a folder of small wheels: a good one, and those that an installer must refuse or tidy.

usage: make_wheels.py FOLDER MARK    `MARK` is a file that must never be there
"""

import base64
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

FOLDER, MARK = Path(sys.argv[1]), sys.argv[2]
MARKING = f"open({MARK!r}, 'w').close()\n"


def wheel(name: str, files: dict[str, bytes], tag: str = "py3-none-any", needs: str = "") -> None:
    info = f"{name}-1.0.dist-info"
    required = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        **files,
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{required}".encode()
        ),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nTag: {tag}\n".encode(),
    }
    lines = []
    with zipfile.ZipFile(FOLDER / f"{name}-1.0-{tag}.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
            digest = (
                base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            )
            lines.append(f"{path},sha256={digest},{len(content)}\n")
        lines.append(f"{info}/RECORD,,\n")
        archive.writestr(f"{info}/RECORD", "".join(lines))


def sdist(name: str) -> None:
    with tarfile.open(FOLDER / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, content in [
            ("setup.py", MARKING.encode()),
            ("PKG-INFO", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()),
        ]:
            entry = tarfile.TarInfo(f"{name}-1.0/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


LINUX = "cp314-cp314-manylinux_2_17_x86_64"
FOLDER.mkdir(parents=True, exist_ok=True)
wheel(
    "greeting",
    {
        "greeting/__init__.py": b"from greeting.words import WORD\n",
        "greeting/words.py": b"WORD = 'hello'\n",
        "greeting/data/text.txt": b"a text",
        "own.py": b"raise ImportError('the app has this module itself')\n",
        "greeting.pth": b"import os\n",
        "greeting-1.0.data/scripts/greet": b"#!python\n" + MARKING.encode(),
    },
    needs="uvloop",
)
wheel(
    "many",
    {
        "many/__init__.py": b"from many import stage\n"
        + b"".join(b"from many import part%d\n" % number for number in range(12)),
        "many/stage.py": b"import os\nSTAGE = os.environ.get('STAGE')\n",
        "many/after.py": b"import sys\nAPP = sys.modules['app'].__name__\n",
        **{f"many/part{number}.py": b"" for number in range(12)},
    },
)
wheel("fast", {"fast/_fast.cpython-314-x86_64-linux-gnu.so": b"\x7fELF" + bytes(100)}, LINUX)
wheel(
    "markupsafe",
    {
        "markupsafe/__init__.py": b"SPEED = 'pure'\n",
        "markupsafe/_speedups.cpython-314-x86_64-linux-gnu.so": b"\x7fELF" + bytes(100),
    },
    LINUX,
)
wheel("elsewhere", {"elsewhere.py": b""}, needs=f"other @ file://{FOLDER}/other-1.0.tar.gz")
wheel("vast", {"vast/zeros.bin": bytes(400_000_000)})
sdist("other")
