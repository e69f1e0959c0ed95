"""Remedies for language bias after the fact: embeddings are changed by the language of their text, none trained."""
