"""Inference under both protocols: what a request means and which answers and errors it gets.

No sockets, no JSON, no protobuf tensors: requests come as :class:`~server_impl.tensor.Tensor` values and
serialised examples, and leave as such. ``predict``, ``classify`` and ``regress`` have the same shape:
``prepare(...)`` makes every check that can be made before the run and returns a call, whose ``run`` runs
the model and checks what it gave. A caller may so decide, between the two, on which thread to run.
"""
