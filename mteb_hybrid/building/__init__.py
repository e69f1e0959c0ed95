"""Training corpora built from sources: read, cleaned, translated, decontaminated, with a lock file of what went in."""
