"""Load on a server: arrivals on a schedule, checked replies, figures that can be relied on.

The locustfile is harness/load.py. Layers, lower ones know nothing of higher ones::

    arrivals, profiles                 when requests are due
    clock, pacer                       sending them then
    histograms, tally, collector       counting what happens
    checking                           judging replies
    rest_sender, grpc_sender           the lightest clients
    course, traffic, user_traffic      what to send, and what is right
    plan, messages                     telling it to other processes
    null_server, calibration           what the generator can do at all
    generator                          makes the load, in every process
    results, swap, steady, slo, peak   what the figures say
    validity, judging, progress        whether they count, and how they are told
    options, session, steps, observer,
    journal, run                       one run, in the coordinating process
    web, locust_glue                   Locust; these alone import it, which monkey-patches
"""
