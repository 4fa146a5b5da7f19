"""Data that come with the program: a small simulated field."""

from morpheus.data.example import get_sample

__all__ = ["get_sample"]
