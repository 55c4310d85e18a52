"""`bolt.sqlalchemy` over a fake host. SQLAlchemy's own tests are in `sqlalchemy_suite`."""

import subprocess
import sys
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlfake import SqlHost, host

sqlalchemy = pytest.importorskip("sqlalchemy")
orm = pytest.importorskip("sqlalchemy.orm")

from bolt import sql  # noqa: E402
from bolt.sqlalchemy import create_engine  # noqa: E402

__all__ = ["host"]

Base: Any = orm.declarative_base()


class User(Base):
    __tablename__ = "users"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    name = sqlalchemy.Column(sqlalchemy.String(50), unique=True)
    made = sqlalchemy.Column(sqlalchemy.Date)
    posts = orm.relationship("Post", order_by="Post.id", cascade="all, delete-orphan")


class Post(Base):
    __tablename__ = "posts"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    title = sqlalchemy.Column(sqlalchemy.Text)
    user_id = sqlalchemy.Column(sqlalchemy.ForeignKey("users.id"), nullable=False)


@pytest.fixture
def engine(host: SqlHost) -> Any:
    made = create_engine("main")
    Base.metadata.create_all(made)
    host.log.clear()
    return made


def test_urls(engine: Any) -> None:
    for url in ("bolt:///main", "sqlite+bolt:///main", "bolt://"):
        with sqlalchemy.create_engine(url).connect() as connection:
            assert connection.scalar(sqlalchemy.text("select 1")) == 1
    assert (engine.dialect.name, engine.dialect.driver) == ("sqlite", "bolt")
    for url in ("bolt://host/main", "bolt:///main?timeout=5"):
        with pytest.raises(sqlalchemy.exc.ArgumentError, match="sqlite\\+bolt:///NAME"):
            sqlalchemy.create_engine(url).connect()


def test_objects_and_rollback(host: SqlHost, engine: Any) -> None:
    with orm.Session(engine) as session:
        session.add(User(name="ann", posts=[Post(title="a"), Post(title="b")]))
        session.commit()
    with orm.Session(engine) as session:
        user = session.scalars(sqlalchemy.select(User)).one()
        assert [post.title for post in user.posts] == ["a", "b"]
        session.add(User(name="ann"))
        with pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
            session.flush()
        assert type(caught.value.orig) is sql.UniqueViolation
        session.rollback()
        session.delete(user)
        session.commit()
        assert session.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(Post)) == 0
    assert not host.sessions


def test_savepoints(engine: Any) -> None:
    with orm.Session(engine) as session:
        session.add(User(name="outer"))
        with pytest.raises(sqlalchemy.exc.IntegrityError), session.begin_nested():
            session.add_all([User(name="inner"), User(name="outer")])
            session.flush()
        session.commit()
        assert session.scalars(sqlalchemy.select(User.name)).all() == ["outer"]


def test_a_transaction_that_only_reads_keeps_nobody_waiting(host: SqlHost, engine: Any) -> None:
    with orm.Session(engine) as reading, orm.Session(engine) as writing:
        assert reading.scalars(sqlalchemy.select(User)).all() == []
        writing.add(User(name="ann"))
        writing.commit()
        assert reading.scalars(sqlalchemy.select(User)).all() == []
        reading.add(User(name="bob"))
        with pytest.raises(sqlalchemy.exc.OperationalError, match="repeat it"):
            reading.flush()
        reading.rollback()
        reading.add(User(name="bob"))
        reading.commit()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "IMMEDIATE", "AUTOCOMMIT"])
def test_isolation_levels(host: SqlHost, engine: Any, level: str) -> None:
    first = {"SERIALIZABLE": "begin", "IMMEDIATE": "begin immediate", "AUTOCOMMIT": "select 1"}
    for other in (
        create_engine(isolation_level=level),
        engine.execution_options(isolation_level=level),
    ):
        with other.connect() as connection:
            assert connection.get_isolation_level() == level
            host.log.clear()
            connection.execute(sqlalchemy.text("select 1"))
            assert host.log[0][1] == first[level]
            connection.rollback()
        with other.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(User.__table__.insert(), {"name": "ann"})
            connection.execute(User.__table__.delete())
    with pytest.raises(sqlalchemy.exc.ArgumentError):
        create_engine(isolation_level="READ COMMITTED").connect()


def test_reflection(engine: Any) -> None:
    found = sqlalchemy.inspect(engine)
    assert found.get_schema_names() == ["main"]
    assert sorted(found.get_table_names()) == ["posts", "users"]
    assert found.get_foreign_keys("posts")[0]["referred_table"] == "users"
    assert found.get_unique_constraints("users")[0]["column_names"] == ["name"]
    with engine.connect() as connection:
        table = sqlalchemy.Table("users", sqlalchemy.MetaData(), autoload_with=connection)
    assert [str(column.type) for column in table.columns] == ["INTEGER", "VARCHAR(50)", "DATE"]


def test_statements_of_postgres(host: SqlHost) -> None:
    engine = create_engine(dialect="postgres")
    assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "bolt")
    statement = sqlalchemy.select(User.id).where(User.name == "ann", User.made > User.made)
    assert str(statement.compile(engine)).split("WHERE")[1] == (
        " users.name = $1::VARCHAR AND users.made > users.made"
    )
    data = sqlalchemy.column("data", sqlalchemy.JSON)
    for key, cast in (("a", "$1::TEXT"), (1, "$1::INT")):
        assert str(data[key].compile(engine)) == f"data -> {cast}"
    host.dialects["main"] = "postgres"
    for level in engine.dialect.get_isolation_level_values(None):
        connection = engine.dialect.connect("main", raw=False)
        assert engine.dialect.get_isolation_level(connection) == "READ COMMITTED"
        engine.dialect.set_isolation_level(connection, level)
        assert engine.dialect.get_isolation_level(connection) == level
    kinds = [
        (sqlalchemy.Numeric(), "int8", 1, 1),
        (sqlalchemy.Numeric(asdecimal=False), "numeric", Decimal("1.5"), 1.5),
        (sqlalchemy.Float(asdecimal=True), "float8", 1.5, Decimal("1.5")),
        (sqlalchemy.Float(), "float8", 1.5, 1.5),
        (sqlalchemy.JSON(), "json", {"a": 1}, {"a": 1}),
        (sqlalchemy.Uuid(), "uuid", UUID(int=1), UUID(int=1)),
    ]
    for kind, declared, value, expected in kinds:
        convert = kind.dialect_impl(engine.dialect).result_processor(engine.dialect, declared)
        assert (convert(value) if convert else value) == expected, kind


def test_an_engine_is_for_one_kind_of_database(host: SqlHost) -> None:
    for dialect, found in (("postgres", "sqlite"), ("sqlite", "postgres")):
        host.dialects["main"] = found
        with pytest.raises(sqlalchemy.exc.ArgumentError, match=f'dialect="{found}"'):
            create_engine(dialect=dialect).connect()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one of sqlite, postgres"):
        create_engine(dialect="mysql")  # type: ignore[arg-type]
    with pytest.raises(sqlalchemy.exc.ArgumentError, match="TypeDecorator"):
        create_engine(dialect="postgres", json_deserializer=str)
    with pytest.raises(sqlalchemy.exc.ArgumentError, match="postgresql\\+bolt:///NAME"):
        sqlalchemy.create_engine("postgresql+bolt://server/main").connect()


def test_the_sdk_does_not_import_it() -> None:
    code = "import sys, bolt, bolt.sql, bolt.dbapi; assert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
