"""What `bolt.kv` is made of."""
