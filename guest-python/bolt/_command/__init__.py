"""What `bolt-host exec` serves in place of the app whose commands it runs."""
