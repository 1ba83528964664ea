"""HTTP/1 as libevent speaks it: requests in, responses out, and the connections in between."""
