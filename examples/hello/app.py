"""The smallest app with the whole path: typed parameters, models, errors, both kinds of handler."""

from bolt import BoltAPI, HTTPException, Struct

api = BoltAPI(title="Hello")


class User(Struct):
    id: int
    name: str
    email: str


@api.get("/")
def hello() -> dict[str, str]:
    return {"message": "hello"}


@api.get("/users/{user_id}")
def get_user(user_id: int) -> User:
    if user_id == 0:
        raise HTTPException(404, "no such user")
    return User(id=user_id, name="John", email="john@example.com")


@api.post("/users", status_code=201)
async def create_user(user: User) -> User:
    return user
