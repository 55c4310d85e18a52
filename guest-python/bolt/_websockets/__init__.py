"""WebSockets: the host's side of one, the end of its handler, and which origins may open it."""
