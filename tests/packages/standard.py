"""The standard library without threads, processes and libraries of C."""

import depth
import lacking
import threads
from bolt import BoltAPI

api = BoltAPI()
for part in (threads, lacking, depth):
    api.include_router(part.router)
