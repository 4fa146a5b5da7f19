"""What is taken where nothing is said. Imports nothing: the command line's help is to be quick."""

__all__ = ["DEFAULT_MODEL"]

DEFAULT_MODEL = "hst4"
"""The model that is used if none is named."""
