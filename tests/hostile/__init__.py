"""Malformed HTTP, JSON, protobuf and tensors against a running reference server.

Whatever comes, each answer is a well-formed error or a right result, within its deadline; good requests are
answered in between, and the server holds as much memory, threads and connections afterwards as before.
The campaigns are derandomised: every run sends the same.
"""
