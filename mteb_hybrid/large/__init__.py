"""Collections that do not fit in memory: encoded into a folder of vectors, and ranked by streaming them.

``encode`` lays the rows of a collection out in shards (``layout``) and writes their vectors, a file a shard
(``encode``); several processes may share the shards (``processes``). ``rank`` goes through the vectors of the passages
twice, a block at a time: first for the similarities of each query's relevant passages, then counting what is ahead of
them (``streaming``, ``rank``). Ranks, and so all metrics (``scores``), are those of ``mteb_hybrid.evaluation``.
``search`` holds faiss indexes against the exact ranks. ``folder`` says what lies in a folder of vectors.
"""
