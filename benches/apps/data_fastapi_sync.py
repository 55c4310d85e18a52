"""The bench app of data.py for FastAPI on SQLite: SQLAlchemy's ORM in `def` handlers.

DATABASE is the URL.
"""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

from anyio.to_thread import current_default_thread_limiter
from data_fastapi import GuestIn, UserOut
from data_models import Guest, User, prepare
from fastapi import Depends, FastAPI, Query
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.orm import sessionmaker

# A connection is given back after the response was made, for which there may be no thread as long
# as all of them wait for connections.
engine = create_engine(
    os.environ["DATABASE"].replace("+aiosqlite", ""), pool_size=64, max_overflow=0
)
prepare(engine)
make_session = sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Less than the default of 40, which are slower.
    current_default_thread_limiter().total_tokens = 10
    yield


app = FastAPI(lifespan=lifespan)


def opened() -> Iterator[SyncSession]:
    with make_session() as session:
        yield session


Session = Annotated[SyncSession, Depends(opened)]


@app.get("/")
async def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@app.get("/crud", response_model=list[UserOut])
def listed(
    session: Session,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
):
    query = select(User).order_by(User.id).limit(limit).offset(offset)
    return session.scalars(query).all()


@app.post("/guests")
def insert(session: Session, guest: GuestIn) -> dict[str, int]:
    made = Guest(name=guest.name, email=guest.email, age=guest.age)
    session.add(made)
    session.commit()
    return {"id": made.id}
