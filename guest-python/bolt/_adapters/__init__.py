"""Models of pydantic and msgspec as parameters and results, checked by the packages themselves."""
