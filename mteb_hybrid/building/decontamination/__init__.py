"""Decontamination: no text of the tasks that a model will be tested on, in any language, stays in a training corpus.

``index.build_index`` reads the tasks' texts once into a folder; ``stage.Decontaminate`` holds each shard against it;
``stage.DropGroups`` takes out what else shares a passage that was found; ``record`` is what the lock file says of it.
"""
