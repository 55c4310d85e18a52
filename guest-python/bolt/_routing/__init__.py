"""Routes, routers and class-based views, and the options that all of them take."""
