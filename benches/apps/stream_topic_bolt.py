"""The bench app of streams.py for bolt-host with one Topic, which all clients watch."""

# mypy: ignore-errors
# Versions of bolt without Topic are measured too; streams.py leaves this app out then.

from bolt import BoltAPI, Topic
from bolt.sse import EventSourceResponse

api = BoltAPI()
news = Topic("news")


@api.get("/")
def hello() -> dict[str, object]:
    return {"message": "hello", "n": 1}


@api.get("/news")
async def watch() -> EventSourceResponse:
    return EventSourceResponse(news)


@api.post("/say")
async def say(n: int) -> dict[str, object]:
    news.publish({"n": n})
    return {"said": n}
