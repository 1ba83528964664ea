import http.server
import threading

import pytest

from harness.loadgen.observer import Metrics, Processes, parse_metrics

PAGE = """# TYPE :tensorflow:serving:request_count counter
:tensorflow:serving:request_count{model_name="m",status="OK"} %d
:tensorflow:serving:request_count{model_name="n, } x",status="OK"} 2
# TYPE :tensorflow:serving:request_latency histogram
:tensorflow:serving:request_latency_bucket{model_name="m",le="+Inf"} 7
:tensorflow:serving:request_latency_sum{model_name="m"} 1.5e+06
:tensorflow:core:other 99
"""


def test_label_sets_are_added_up():
    found = parse_metrics(PAGE % 5)
    assert found == {"request_count": 7.0, "request_latency_sum_us": 1.5e6}
    assert parse_metrics("<html>") == {}


@pytest.fixture
def server():
    """Shows the metrics page, one request more each time; 404 where there is none."""

    class Handler(http.server.BaseHTTPRequestHandler):
        count = 0
        page = True

        def do_GET(self):
            Handler.count += 1
            body = (PAGE % Handler.count).encode() if Handler.page else b""
            self.send_response(200 if Handler.page else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"127.0.0.1:{served.server_address[1]}", Handler
        served.shutdown()
        thread.join()


def test_only_what_happened_since_the_last_look_counts(server):
    address, _ = server
    metrics = Metrics(address)
    assert metrics.look() == {"request_count": 1.0, "request_latency_sum_us": 0.0}


def test_a_server_without_metrics_is_asked_once(server):
    address, handler = server
    handler.page = False
    metrics = Metrics(address)
    assert metrics.look() is None
    assert metrics.look() is None
    assert handler.count == 1
    assert Metrics(None).look() is None


def test_processes_are_looked_at_while_they_live():
    (line,) = Processes(None).look()
    assert line["who"] == "generator"
    assert line["rss_bytes"] > 0
