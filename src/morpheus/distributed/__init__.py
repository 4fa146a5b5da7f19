"""A field in chunks, on any number of processors: out of core, and resumable."""
