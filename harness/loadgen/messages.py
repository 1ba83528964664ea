"""Names of the messages between coordinator and generators, over Locust's own connection."""

PLAN = "load-plan"
PHASE = "load-phase"
STOP = "load-stop"
CALIBRATE = "load-calibrate"
WINDOWS = "load-windows"
DONE = "load-done"
CALIBRATED = "load-calibrated"
