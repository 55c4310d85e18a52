"""TCP and TLS connections of the host, as `socket`, `select`, `ssl` and asyncio have them."""
