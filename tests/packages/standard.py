"""What the standard library does here that it does with threads, processes and libraries of C elsewhere."""

import depth
import lacking
import threads
from bolt import BoltAPI

api = BoltAPI()
for part in (threads, lacking, depth):
    api.include_router(part.router)
