"""The exceptions of `errors` that an application raises or handles, where FastAPI has them."""

from .errors import HTTPException, RequestValidationError

__all__ = ["HTTPException", "RequestValidationError"]
