"""``python -m harness.play MODULE STEP``: bring a server into the state after a step, and keep it there.

MODULE defines ``SCENARIO``, e.g. ``scenarios.hot_plug.scenario``; another name follows a colon, as in
``scenarios.rest.scenario:CORS``.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

from harness import targets
from harness.models.cache import BuildError
from harness.player import Player
from harness.scenario import Scenario
from harness.terms import Protocol


def main() -> None:
    """Play, print the addresses, wait for Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", help="Python module that defines SCENARIO, or MODULE:NAME")
    parser.add_argument("step", nargs="?", help="last step to play; the first one if left out")
    parser.add_argument("--target", default="reference", help="where the server comes from")
    options = parser.parse_args()
    try:
        module, _, name = options.module.partition(":")
        scenario: Scenario = getattr(importlib.import_module(module), name or "SCENARIO")
        steps = [step.id for step in scenario.steps]
        index = steps.index(options.step) if options.step else 0
        player = Player(
            scenario, targets.parse(options.target), Protocol, on_event=lambda event: print("#", event.detail)
        )
    except (ModuleNotFoundError, AttributeError) as error:
        sys.exit(f"{options.module} does not define a scenario: {error}")
    except ValueError:
        sys.exit(f"scenario {scenario.id} has no step {options.step!r}; it has {', '.join(steps)}")
    except (targets.UsageError, targets.Unsupported, targets.StartError, BuildError) as error:
        sys.exit(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        player.reach(index)
        addresses = player.server.addresses
        print(f"export REST={addresses.rest} GRPC={addresses.grpc}", flush=True)
        signal.pause()
    except targets.Unsupported as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass  # the way to end
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        player.close()


if __name__ == "__main__":
    main()
