"""The bench app of data.py for FastAPI: SQLAlchemy's ORM, over asyncpg or aiosqlite.

DATABASE is the URL. With AUTOCOMMIT=1, no transaction is begun for what only reads.
"""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from data_models import Guest, User, prepare
from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

app = FastAPI()

engine = create_async_engine(os.environ["DATABASE"], pool_size=10, max_overflow=0)
prepare(engine.sync_engine)
if os.environ.get("AUTOCOMMIT"):
    engine = engine.execution_options(isolation_level="AUTOCOMMIT")
make_session = async_sessionmaker(engine, expire_on_commit=False)


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    email: str
    age: int
    created: datetime


class GuestIn(BaseModel):
    name: str
    email: str
    age: int


async def opened() -> AsyncIterator[AsyncSession]:
    async with make_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(opened)]


@app.get("/")
async def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@app.get("/crud", response_model=list[UserOut])
async def listed(
    session: Session,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
):
    query = select(User).order_by(User.id).limit(limit).offset(offset)
    return (await session.scalars(query)).all()


@app.get("/users/{user_id}", response_model=UserOut)
async def read(session: Session, user_id: int):
    found = await session.get(User, user_id)
    if found is None:
        raise HTTPException(404)
    return found


@app.get("/users", response_model=list[UserOut])
async def page(session: Session, after: int = 0):
    query = select(User).where(User.id > after).order_by(User.id).limit(20)
    return (await session.scalars(query)).all()


@app.post("/guests")
async def insert(session: Session, guest: GuestIn) -> dict[str, int]:
    made = Guest(name=guest.name, email=guest.email, age=guest.age)
    session.add(made)
    await session.commit()
    return {"id": made.id}
