"""Retrieval over parallel collections: the generic mteb task, shared encodings, ranking and metrics."""

# First and as a whole: once mteb has executed, our tasks are registered, and they need modules of this package. Were
# one of these being imported then, it would be found half made.
import mteb  # noqa: F401
