"""pg8000, without a change, with a Postgres of its own: passwords (SCRAM) and TLS."""

from __future__ import annotations

import datetime
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from programs import as_somebody, free_port, program
from tcpfake import TcpHost
from tcpservers import AUTHORITY, SERVER

native = pytest.importorskip("pg8000.native")
dbapi = pytest.importorskip("pg8000.dbapi")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    initdb, postgres = program("initdb"), program("postgres")
    found = free_port()
    # Another user reads it, so it is not in a folder of pytest.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        place, somebody = Path(folder), as_somebody()
        (place / "password").write_text("secret")
        for name in ("server.crt", "server.key"):
            shutil.copy(SERVER, place / name)
            (place / name).chmod(0o600)
        if somebody:
            for path in (place, *place.iterdir()):
                os.chown(path, pwd.getpwnam("nobody").pw_uid, somebody["group"])
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        login = ["-U", "app", "-A", "scram-sha-256", "--pwfile", str(place / "password")]
        command = [initdb, "-D", str(place / "data"), *login, "--no-sync", "-E", "UTF8"]
        subprocess.run(command, check=True, cwd=folder, **quiet, **somebody)
        settings = [
            f"listen_addresses=127.0.0.1 port={found} fsync=off ssl=on",
            f"unix_socket_directories={folder}",
            f"ssl_cert_file={place}/server.crt ssl_key_file={place}/server.key",
        ]
        options = [part for line in settings for word in line.split() for part in ("-c", word)]
        log = place / "log"
        with open(log, "w") as said:
            child = subprocess.Popen(
                [postgres, "-D", str(place / "data"), *options],
                cwd=folder,
                stderr=said,
                **somebody,
            )
        try:
            end = time.monotonic() + 30
            while "ready to accept connections" not in (told := log.read_text()):
                assert child.poll() is None and time.monotonic() < end, told
                time.sleep(0.02)
            yield found
        finally:
            # Whatever its connections do.
            child.send_signal(signal.SIGQUIT)
            child.wait()


def connected(port: int, **options: Any) -> Any:
    login = {"password": "secret", "database": "postgres"}
    return native.Connection("app", host="db.test", port=port, **login, **options)


def test_statements(host: TcpHost, port: int) -> None:
    host.grant("db.test", port)
    with_values = "select cast(:a as int), cast(:b as text), cast(:c as numeric), cast(:d as date)"
    db = connected(port, timeout=10)
    try:
        assert db.run(with_values, a=1, b="ä", c=Decimal("1.5"), d=datetime.date(2026, 1, 2)) == [
            [1, "ä", Decimal("1.5"), datetime.date(2026, 1, 2)]
        ]
        assert len(db.run("select * from generate_series(1, 100000)")) == 100_000
        assert len(db.run("select repeat('x', 5000000)")[0][0]) == 5_000_000
        db.run("create temporary table t (id int primary key, data bytea)")
        db.run("insert into t values (1, :data)", data=bytes(range(256)) * 10_000)
        assert db.run("select length(data) from t") == [[2_560_000]]
        with pytest.raises(native.DatabaseError):
            db.run("insert into t values (1, null)")
        assert db.run("select count(*) from t") == [[1]]
    finally:
        db.close()


def test_transactions(host: TcpHost, port: int) -> None:
    host.grant("db.test", port)
    login = {"password": "secret", "database": "postgres"}
    db = dbapi.connect("app", host="db.test", port=port, **login)
    cursor = db.cursor()
    cursor.execute("create temporary table t (id int)")
    db.commit()
    cursor.executemany("insert into t values (%s)", [(1,), (2,)])
    db.rollback()
    cursor.execute("select count(*) from t")
    assert cursor.fetchone()[0] == 0
    db.close()


def test_tls_and_a_login_that_is_bound_to_it(host: TcpHost, port: int) -> None:
    host.grant("db.test", port)
    db = connected(port, ssl_context=ssl.create_default_context(cafile=AUTHORITY))
    try:
        assert db.run("select version from pg_stat_ssl where pid = pg_backend_pid()") == [
            ["TLSv1.3"]
        ]
        assert len(db.run("select repeat('x', 1000000)")[0][0]) == 1_000_000
    finally:
        db.close()
    db = connected(port, ssl_context=True)
    assert db.run("select 1") == [[1]]
    db.close()


def test_what_goes_wrong(host: TcpHost, port: int) -> None:
    with pytest.raises(native.InterfaceError, match="Can't create a connection") as caught:
        connected(port)
    assert "--allow-tcp" in str(caught.value.__cause__)
    host.grant("db.test", port)
    with pytest.raises(native.DatabaseError, match="password"):
        native.Connection("app", host="db.test", port=port, password="wrong", database="postgres")
    with pytest.raises((ssl.SSLError, native.InterfaceError)):
        connected(port, ssl_context=ssl.create_default_context())
    db = connected(port, timeout=0.1)
    with pytest.raises((TimeoutError, native.InterfaceError)):
        db.run("select pg_sleep(5)")
