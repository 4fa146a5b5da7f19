"""What is taken where nothing is said. Imports nothing: the command line's help is to be quick."""

__all__ = ["DEFAULT_MODEL"]

DEFAULT_MODEL = "hausen2020"
"""The model that is used if none is named."""
