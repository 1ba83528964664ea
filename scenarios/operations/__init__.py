"""The command line: flags, starts that are refused, ports, TLS, signals."""
