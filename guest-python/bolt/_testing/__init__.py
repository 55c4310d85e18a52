"""What `bolt.testing` is made of. It runs beside the tests, and never in the sandbox."""
