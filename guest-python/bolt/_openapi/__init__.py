"""The OpenAPI description of an application."""
