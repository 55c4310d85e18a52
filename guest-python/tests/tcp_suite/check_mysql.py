"""PyMySQL, without a change, with a MariaDB of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import as_somebody, free_port, program
from tcpfake import TcpHost
from tcpservers import AUTHORITY, SERVER

pymysql = pytest.importorskip("pymysql")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    install, server = program("mariadb-install-db"), program("mariadbd")
    found = free_port()
    with tempfile.TemporaryDirectory(prefix="mysql-") as folder:
        place, somebody = Path(folder), as_somebody()
        (place / "data").mkdir()
        shutil.copy(SERVER, place / "server.pem")
        (place / "init.sql").write_text(
            "create user 'app'@'127.0.0.1' identified by 'secret';\n"
            "create database app;\n"
            "grant all on app.* to 'app'@'127.0.0.1';\n"
        )
        if somebody:
            for path in (place, *place.iterdir()):
                os.chown(path, pwd.getpwnam("nobody").pw_uid, somebody["group"])
        options = ["--no-defaults", f"--datadir={place}/data"]
        made = [install, *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(made, check=True, cwd=folder, **quiet, **somebody)
        options += [f"--port={found}", "--bind-address=127.0.0.1", f"--socket={place}/socket"]
        options += [f"--ssl-cert={place}/server.pem", f"--ssl-key={place}/server.pem"]
        options += [f"--init-file={place}/init.sql", "--skip-name-resolve"]
        log = place / "log"
        with open(log, "w") as said:
            child = subprocess.Popen([server, *options], cwd=folder, stderr=said, **somebody)
        try:
            end = time.monotonic() + 60
            while "ready for connections" not in (told := log.read_text()):
                assert child.poll() is None and time.monotonic() < end, told
                time.sleep(0.02)
            yield found
        finally:
            child.kill()
            child.wait()


def connected(port: int, **options: Any) -> Any:
    given = {"password": "secret", "database": "app", **options}
    return pymysql.connect(host="db.test", port=port, user="app", **given)


def test_statements(host: TcpHost, port: int) -> None:
    host.grant("db.test", port)
    with connected(port, connect_timeout=10, read_timeout=10) as db:
        with db.cursor() as cursor:
            cursor.execute("select %s, %s, 1.50", (7, "ä"))
            assert [str(value) for value in cursor.fetchone()] == ["7", "ä", "1.50"]
            cursor.execute("select repeat('x', 5000000)")
            assert len(cursor.fetchone()[0]) == 5_000_000
            cursor.execute("create temporary table t (id int primary key, data longblob)")
            cursor.execute("insert into t values (1, %s)", (bytes(range(256)) * 10_000,))
            cursor.executemany("insert into t values (%s, '')", [(n,) for n in range(2, 1000)])
            db.commit()
            assert cursor.execute("select id from t order by id") == 999
            with pytest.raises(pymysql.err.IntegrityError):
                cursor.execute("insert into t values (1, '')")
        with db.cursor(pymysql.cursors.SSCursor) as cursor:
            cursor.execute("select id from t order by id")
            assert sum(1 for _ in cursor) == 999


def test_tls(host: TcpHost, port: int) -> None:
    host.grant("db.test", port)
    with connected(port, ssl={"ca": str(AUTHORITY)}) as db, db.cursor() as cursor:
        cursor.execute("show status like 'Ssl_version'")
        assert cursor.fetchone()[1].startswith("TLSv1")
        cursor.execute("select repeat('x', 1000000)")
        assert len(cursor.fetchone()[0]) == 1_000_000
    assert host.tls[-1]["verify"] and host.tls[-1]["server_name"] == "db.test"


def test_what_goes_wrong(host: TcpHost, port: int) -> None:
    with pytest.raises(pymysql.err.OperationalError, match=r"--allow-tcp db\.test"):
        connected(port)
    host.grant("db.test", port)
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        connected(port, password="wrong")
    with (
        connected(port, read_timeout=1) as db,
        db.cursor() as cursor,
        pytest.raises(pymysql.err.OperationalError, match="timed out"),
    ):
        cursor.execute("select sleep(3)")
