"""What is said about models and rows of SQLAlchemy and Django that cannot be sent, or received."""

from collections.abc import Callable
from typing import Any

import pytest

from bolt import BoltAPI, sql
from bolt._runtime.tracebacks import failure_text
from bolt._serialization.replies import encode_reply
from bolt._serialization.serialize_checked import to_plain
from bolt.exceptions import BuildError
from bolt.topics import Topic

sqlalchemy = pytest.importorskip("sqlalchemy")
orm = pytest.importorskip("sqlalchemy.orm")
Base: Any = orm.declarative_base()


class Author(Base):
    __tablename__ = "authors"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    name = sqlalchemy.Column(sqlalchemy.String(9))


@pytest.fixture(scope="module")
def engine() -> Any:
    made = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)
    Base.metadata.create_all(made)
    with orm.Session(made) as session, session.begin():
        session.add(Author(id=1, name="ann"))
    return made


def failure(handler: Callable[[], Any]) -> str:
    """What the log says about the result of a handler."""
    api = BoltAPI()
    api.get("/")(handler)
    api.finish()
    try:
        encode_reply(200, api.routes[0].invoke(()))
    except Exception as exc:
        # As if the host had called it, and not this function of an app.
        exc.__traceback__ = exc.__traceback__ and exc.__traceback__.tb_next
        return failure_text(exc, "handler, app.py:1")
    raise AssertionError("the result was sent")


def test_rows_of_instances(engine: Any) -> None:
    def executed() -> list[Author]:
        with orm.Session(engine) as session:
            return list(session.execute(sqlalchemy.select(Author)))

    def mapped() -> list[Author]:
        with orm.Session(engine) as session:
            return list(session.execute(sqlalchemy.select(Author)).mappings())

    for handler in (executed, mapped):
        text = failure(handler)
        assert "has no 'id': a row of instances is no instance" in text, text
        assert "`session.scalars(...)`" in text

    def lacking() -> list[Author]:
        with orm.Session(engine) as session:
            return list(session.execute(sqlalchemy.select(Author.name)))

    assert failure(lacking).endswith("has no 'id'")


def test_results_without_a_type(engine: Any) -> None:
    with orm.Session(engine) as session:
        author = session.scalars(sqlalchemy.select(Author)).one()
        whole = session.execute(sqlalchemy.select(Author)).one()
        row = session.execute(sqlalchemy.select(Author.id)).one()
    for value, said in (
        (author, "result.a is an instance of the model Author; declare the type of the result"),
        (whole, "result.a is a row of instances; write `session.scalars(...)`"),
        (row, "result.a is a row of a query; declare the type of the result"),
        (Topic("x"), "result.a is a topic; write `return EventSourceResponse(topic)`"),
    ):
        with pytest.raises(TypeError) as raised:
            to_plain({"a": value})
        assert said in str(raised.value)


def test_a_query_of_django_without_a_type() -> None:
    class Book:
        class _meta:
            concrete_fields = ()

    class Found:
        model, query = Book, "select ..."

    for value, said in ((Book(), "is an instance of the model"), (Found(), "declare the result")):
        with pytest.raises(TypeError, match=said):
            to_plain(value)


def test_an_object_that_is_read_after_its_session(engine: Any) -> None:
    def handler() -> Author:
        with orm.Session(engine) as session, session.begin():
            author = session.scalars(sqlalchemy.select(Author)).one()
        return author  # type: ignore[no-any-return]

    text = failure(handler)
    assert text.startswith("handler, app.py:1: its result could not be read\nTraceback"), text
    assert "DetachedInstanceError" in text
    assert "\nhint: the session that has loaded the object has ended" in text


def test_a_model_is_no_body() -> None:
    def handler(author: Author) -> None: ...

    with pytest.raises(BuildError, match=r"Author is a model of a database, .* by a Struct"):
        failure(handler)


def test_a_call_of_a_database_that_was_not_awaited() -> None:
    def handler() -> list[str]:
        return sql.Database("main").fetch("select 1")  # type: ignore[return-value]

    text = failure(handler)
    assert "in an `async def` handler, or `db.sync.fetch(...)` in a `def` handler" in text, text
