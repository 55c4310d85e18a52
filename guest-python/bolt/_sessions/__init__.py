"""What `bolt.sessions` is made of."""
