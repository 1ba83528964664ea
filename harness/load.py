"""The locustfile: checked load on TensorFlow Serving or anything that speaks as it does.

``locust -f harness/load.py`` starts the reference server and opens Locust's web UI; see docs/load.md.
"""

from harness.loadgen.locust_glue import ServingUser, install

__all__ = ["ServingUser"]

install()
