"""The bench app of data.py for Django-Bolt: users in a database, over Django's ORM."""

# mypy: ignore-errors
# What it imports is installed only in the peers' environment, not where mypy runs.

from datetime import datetime

from data_people.models import User
from django_bolt import BoltAPI
from django_bolt.exceptions import HTTPException
from django_bolt.serializers import Serializer
from msgspec import Struct

api = BoltAPI(enable_logging=False)


class UserStruct(Struct):
    id: int
    name: str
    email: str
    age: int
    created: datetime


class UserOut(Serializer):
    id: int
    name: str
    email: str
    age: int
    created: datetime


@api.get("/")
async def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


# A Struct takes a little less time here than a Serializer; for a list it is the same.
@api.get("/users/{user_id}")
async def read(user_id: int) -> UserStruct:
    try:
        found = await User.objects.aget(id=user_id)
    except User.DoesNotExist:
        raise HTTPException(404) from None
    return UserStruct(found.id, found.name, found.email, found.age, found.created)


@api.get("/users")
async def page(after: int = 0) -> list[UserOut]:
    return User.objects.filter(id__gt=after).order_by("id")[:20]
