"""Topics: what one handler publishes, and subscribers in all interpreters of an app get."""
