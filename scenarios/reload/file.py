"""A configuration file that is read again while the server runs."""

from __future__ import annotations

import re
from dataclasses import replace

from harness.actions import Configure, Publish, Reload
from harness.checks import Answers, Logs, NoGap, Shows
from harness.scenario import Scenario, Step
from harness.terms import Request, State
from scenarios.reload.models import BAD, A, B, C
from scenarios.versions import GARBAGE, failed, gone

AVAILABLE, END = State.AVAILABLE, State.END


def refused_file(name: str, rule: str, text: str, logged: str, *facts: str) -> Step:
    """A text for the configuration file that changes nothing for the model ``b``."""
    return Step(
        name,
        rule,
        actions=(Configure((B,), text=text),),
        checks=(
            Logs(name, re.compile(logged), facts=facts),
            NoGap(Request("b"), 3, 3, facts=facts),
        ),
    )


FILE = Scenario(
    id="reload_file",
    title="A configuration file that is read again",
    models=(A,),
    flags={"max_num_load_retries": 0, "model_config_file_poll_wait_seconds": 1},
    steps=(
        Step(
            "add",
            "A model that is added to the file is loaded.",
            actions=(Publish("b", 3), Configure((A, B))),
            checks=(
                Answers(Request("b"), by=3, facts=("2.5.10", "REL-14")),
                NoGap(Request("a"), 2, 2, facts=("2.5.10", "REL-14")),
            ),
        ),
        refused_file(
            "syntax",
            "A file that cannot be read is only logged; the configuration stays.",
            "model_config_list { config { nonsense",
            r"Failed to read ModelServerConfig file: .*Invalid protobuf file: ",
            "2.5.10",
            "REL-15",
        ),
        Step(
            "remove",
            "When the file is right again it counts again.",
            actions=(Configure((B,)),),
            checks=(
                Shows("a", {2: END}, facts=("2.5.10", "2.5.1", "REL-15")),
                NoGap(Request("b"), 3, 3, facts=("2.5.10", "REL-14")),
            ),
        ),
        refused_file(
            "listed_twice",
            "A list that makes no sense is only logged.",
            'model_config_list { config { name: "b" base_path: "$MODELS/b" model_platform: "tensorflow" } '
            'config { name: "b" base_path: "$MODELS/a" model_platform: "tensorflow" } }',
            "PollFilesystemAndReloadConfig failed to ReloadConfig: "
            "Illegal to list model b multiple times in config list",
            "2.5.10",
            "REL-15",
        ),
        refused_file(
            "comment",
            "A file that says nothing is no change from a list, and is only logged.",
            "# nothing\n",
            r"PollFilesystemAndReloadConfig failed to ReloadConfig: Cannot transition to requested config\. "
            r"It is only legal to transition from one ModelConfigList to another\.",
            "2.3.1",
            "X-17",
        ),
        refused_file(
            "empty",
            "An empty file cannot be read.",
            "",
            r"Failed to read ModelServerConfig file: .*models\.config; Invalid argument",
            "2.5.10",
            "1.3.4",
            "X-17",
        ),
        Step(
            "gone",
            "A file that is gone is only logged.",
            actions=(Configure((), gone=True),),
            checks=(
                Logs(
                    "gone",
                    re.compile(r"Failed to read ModelServerConfig file: .*No such file or directory"),
                    facts=("2.5.10", "REL-15"),
                ),
                NoGap(Request("b"), 3, 3, facts=("2.5.10", "REL-15")),
            ),
        ),
        Step(
            "labels",
            "Labels in the file count as in a reload.",
            actions=(Configure((replace(B, labels={"stable": 3}),)),),
            checks=(Answers(Request("b", label="stable"), by=3, facts=("2.5.10", "2.6.1", "LAB-01")),),
        ),
        Step(
            "bad_label",
            "A label that cannot be assigned is only logged; those that were stay.",
            actions=(Configure((replace(B, labels={"stable": 9}),)),),
            checks=(
                Logs(
                    "label",
                    "PollFilesystemAndReloadConfig failed to ReloadConfig: Request to assign label to "
                    "version 9 of model b, which is not currently available for inference",
                    facts=("2.5.10", "2.6.1", "LAB-03"),
                ),
                Answers(Request("b", label="stable"), by=3, facts=("2.6.1", "LAB-03")),
            ),
        ),
        Step(
            "bad_model",
            "A model that cannot be loaded is only logged; its status tells why.",
            actions=(Publish("bad", 1, files=GARBAGE), Configure((B, BAD))),
            checks=(
                Logs(
                    "bad_model",
                    re.compile(
                        r"PollFilesystemAndReloadConfig failed to ReloadConfig: "
                        r"1 model\(s\) did not become available: \{\{\{name: bad version: 1\} due to error: "
                    ),
                    facts=("2.5.5", "2.5.10"),
                ),
                Shows("bad", {1: failed("bad", 1)}, facts=("2.5.5", "2.5.10")),
                NoGap(Request("b"), 3, 3, facts=("2.5.5", "REL-08")),
            ),
        ),
        Step(
            "against_rpc",
            "The file knows nothing of a reload over gRPC: the next time it is read it undoes it.",
            actions=(Publish("c", 4), Reload((B, C))),
            checks=(
                Shows("c", {4: END}, facts=("2.5.11", "REL-17")),
                gone("c", None, "2.5.11", "REL-17"),
                NoGap(Request("b"), 3, 3, facts=("2.5.11",)),
            ),
        ),
    ),
)
