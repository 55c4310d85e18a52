"""The application object and what belongs to an application as a whole."""
