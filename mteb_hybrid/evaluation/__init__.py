"""Retrieval over parallel collections: the generic mteb task, shared encodings, ranking and metrics."""
