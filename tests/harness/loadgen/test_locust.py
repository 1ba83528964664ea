"""The locustfile as users start it: short runs of Locust against the null server."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import psutil
import pytest

from harness.loadgen import histograms
from harness.loadgen.calibration import NullServer
from harness.loadgen.judging import ExitCode
from reports import read

ROOT = Path(__file__).parents[3]
LOCUSTFILE = ROOT / "harness" / "load.py"
#: On a machine that is busy with other things the generator says so: its figures would be worth nothing.
FINE = (ExitCode.OK, ExitCode.INVALID)
DEADLINE = 60

PREDICT = {"method": "POST", "target": "/v1/models/m:predict", "body": {"instances": [1.0]}}
#: Compared byte for byte, so the null server's one reply fits.
GRPC = {"method": "/tensorflow.serving.PredictionService/Classify", "body_b64": ""}


@pytest.fixture(scope="module")
def server():
    with NullServer([b'{"predictions": [2.5]}']) as null:
        yield null


@pytest.fixture
def locust(tmp_path):
    """Starts Locust; whatever is left of it at the end is killed."""
    started = []

    def start(*arguments, server=None, requests=(PREDICT,), record=True):
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *arguments]
        if server is not None:
            lines = tmp_path / "requests.jsonl"
            lines.write_text("".join(json.dumps(line) + "\n" for line in requests))
            target = f"url:http://{server.addresses['rest']},{server.addresses['grpc']}"
            command += ["--target", target, "--requests", str(lines)]
        if record:
            command += ["--record", str(tmp_path / "run.jsonl")]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finish(process):
    """Output and exit code; nothing of the process's session may be left running."""
    output, _ = process.communicate(timeout=DEADLINE)
    left = [other for other in psutil.process_iter(["pid"]) if _session(other.pid) == process.pid]
    assert not left, output
    return output, process.returncode


def _session(pid):
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)
    return None


def lines_of(tmp_path, kind):
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def merged(tmp_path, key):
    return histograms.merge(histograms.decode(line[key]) for line in lines_of(tmp_path, "window"))


def verdicts(tmp_path):
    return {line["name"]: line["ok"] for line in lines_of(tmp_path, "verdict")}


def test_a_run_over_both_protocols(locust, server, tmp_path):
    output, code = finish(
        locust(
            *("--headless", "-t", "3s", "--rate", "100", "--arrival", "constant", "--slo", "p50<1s"),
            server=server,
            requests=(PREDICT, GRPC),
        )
    )
    assert code in FINE, output
    windows = lines_of(tmp_path, "window")
    assert sum(line["correct"] for line in windows) == 300
    assert sum(line["offered"] for line in windows) == pytest.approx(300)
    assert {line["protocol"] for line in windows} == {"rest", "grpc"}
    assert {line["protocol"] for line in lines_of(tmp_path, "calibration")} == {"rest", "grpc"}
    assert all(line["ceiling_per_s"] > 100 for line in lines_of(tmp_path, "calibration"))
    assert verdicts(tmp_path)["slo"] is True
    assert verdicts(tmp_path)["correctness"] is True
    assert "ceiling over rest" in output
    # What the load generator writes is what the reports read.
    assert read(tmp_path / "run.jsonl") is not None
    assert (tmp_path / "report.html").exists()


def test_wrong_replies_end_with_code_1(locust, tmp_path):
    with NullServer([b"<html>moved</html>"]) as wrong:
        output, code = finish(
            locust("--headless", "-t", "1s", "--rate", "50", "--no-calibration", server=wrong)
        )
    assert code == ExitCode.WRONG, output
    assert sum(line["wrong"] for line in lines_of(tmp_path, "window")) > 20
    assert "not JSON" in output


def test_a_missed_objective_ends_with_code_3_unless_the_figures_are_invalid(locust, server, tmp_path):
    options = ("--headless", "-t", "1s", "--rate", "50", "--no-calibration", "--slo", "p50<1us")
    output, code = finish(locust(*options, server=server))
    assert code in (ExitCode.SLO, ExitCode.INVALID), output
    assert verdicts(tmp_path)["slo"] is False


def test_a_frozen_server_shows_in_response_times_and_hides_in_service_times(locust, tmp_path):
    """Coordinated omission: a pause of one second in four, of which few requests in flight know."""
    with NullServer([b'{"predictions": [2.5]}'], freeze={"after": 1.0, "for": 1.0}) as freezing:
        output, code = finish(
            locust(
                *("--headless", "-t", "4s", "-u", "4", "--rate", "200", "--arrival", "constant"),
                *("--no-calibration", "--patience", "30"),
                server=freezing,
            )
        )
    assert code in FINE, output
    response, service = merged(tmp_path, "response_us"), merged(tmp_path, "service_us")
    assert response.get_total_count() == service.get_total_count() == 800
    # A quarter of the requests were due while nothing moved: half of these waited for half a second or more.
    assert histograms.count_above(response, 500_000) >= 90
    assert histograms.percentile(response, 95) > 600_000
    # Only the four requests under way had a long service time; the 95th percentile knows nothing.
    assert histograms.count_above(service, 500_000) <= 8
    assert histograms.percentile(service, 95) < 300_000


def test_two_processes_make_the_load_of_one(locust, server, tmp_path):
    options = ("--headless", "-t", "2s", "--rate", "100", "--arrival", "constant", "--no-calibration")
    output, code = finish(locust(*options, "--processes", "2", server=server))
    assert code in FINE, output
    assert sum(line["correct"] for line in lines_of(tmp_path, "window")) == 200
    (validity,) = (line for line in lines_of(tmp_path, "verdict") if line["name"] == "validity")
    assert len(validity["detail"]["cpu"]) == 2


def test_a_master_and_two_workers(locust, server, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    workers = [locust("--worker", "--master-port", port, record=False) for _ in range(2)]
    master = locust(
        *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
        *("--expect-workers", "2", "--expect-workers-max-wait", "30"),
        *("--headless", "-t", "2s", "--rate", "100", "--arrival", "constant", "--no-calibration"),
        server=server,
    )
    output, code = finish(master)
    assert code in FINE, output
    for worker in workers:
        assert finish(worker)[1] == 0
    assert sum(line["correct"] for line in lines_of(tmp_path, "window")) == 200


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one", "two"])
def test_ctrl_c_still_writes_the_record(locust, server, tmp_path, processes):
    process = locust("--headless", "--rate", "50", "--no-calibration", *processes, server=server)
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "  2 s" in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    output, code = finish(process)
    assert code in FINE, "".join(seen) + output
    (footer,) = lines_of(tmp_path, "footer")
    assert footer["interrupted"] is True
    assert sum(line["done"] for line in lines_of(tmp_path, "window")) >= 50
    assert verdicts(tmp_path)["correctness"] is True


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--rate", "0"), "error: rate '0'"),
        (("--processes", "2", "--scenario", "nope"), "error: there is no scenario 'nope'"),
        (("--target", "url:http://127.0.0.1:1", "--model", "m"), "nobody answers at 127.0.0.1:1"),
        (("--target", "ftp://x"), "error: target 'ftp://x'"),
    ],
    ids=["rate", "scenario", "unreachable", "target"],
)
def test_bad_usage_ends_with_code_2_and_leaves_nothing_running(locust, arguments, reason):
    output, code = finish(locust("--headless", *arguments))
    assert code == ExitCode.USAGE
    assert reason in output
    assert "Traceback" not in output


def test_the_peak_of_the_null_server_is_beyond_the_generator(locust, server, tmp_path):
    output, code = finish(
        locust(
            *("--headless", "--find-peak", "--slo", "p50<1s", "--trial", "0.5", "--rate", "100000"),
            *("--protocol", "rest", "-u", "16"),
            server=server,
        )
    )
    (peak,) = (line for line in lines_of(tmp_path, "verdict") if line["name"] == "peak")
    assert peak["detail"]["trials"], output
    assert code in (ExitCode.OK, ExitCode.SLO), output
    assert lines_of(tmp_path, "phase")


def test_the_web_ui_starts_runs_and_shows_who_answers(locust, server, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = locust("--web-host", "127.0.0.1", "--web-port", str(port), server=server)
    base = f"http://127.0.0.1:{port}"
    page = _await(lambda: urllib.request.urlopen(base, timeout=5).read().decode())
    assert "scenario" in page
    form = {"user_count": 4, "spawn_rate": 4, "rate": "50", "no_calibration": "true"}
    body = urllib.parse.urlencode(form).encode()
    assert json.load(urllib.request.urlopen(f"{base}/swarm", body, timeout=10))["success"]

    def answering():
        stats = json.load(urllib.request.urlopen(f"{base}/stats/requests", timeout=5))
        versions = {table["key"]: table["data"] for table in stats["extended_stats"]}["load-versions"]
        return versions[0]["answers"]

    assert _await(answering) > 0
    urllib.request.urlopen(f"{base}/stop", b"", timeout=30).close()
    _await(lambda: lines_of(tmp_path, "footer")[0])
    os.killpg(process.pid, signal.SIGINT)
    output, code = finish(process)
    assert code in FINE, output
    assert verdicts(tmp_path)["correctness"] is True


def _await(look):
    """The first result of ``look`` that comes without an error and is not empty."""
    deadline = time.monotonic() + DEADLINE
    while True:
        with contextlib.suppress(OSError, LookupError):
            found = look()
            if found:
                return found
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.1)
