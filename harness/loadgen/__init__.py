"""Load on a server: arrivals on a schedule, checked replies, honest numbers. Locust runs it.

The locustfile is harness/load.py. Only the modules that say so import Locust, which monkey-patches on
import; all others can be used and tested without it.
"""
