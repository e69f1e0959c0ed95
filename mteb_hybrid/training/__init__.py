"""Training with hybrid batches."""
