"""A server that is killed while a run learns, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys

from core.config import TrainConfig
from core.jobs import PROJECT
from core.runs import Run, RunStore
from tests.waiting import wait_for

SCRIPT = (
    "import sys, time; from core.jobs import JobManager; from core.runs import RunStore\n"
    "from core.config import TrainConfig; import json\n"
    "print(JobManager(RunStore()).submit(TrainConfig.from_json(sys.argv[1])), flush=True); time.sleep(600)"
)


def left_by_a_killed_server(store: RunStore, config: TrainConfig, environment: dict[str, str]) -> Run:
    """The run that a process with a manager queued, once it has learned, SIGKILL has ended that process, and it shows.

    environment: of the process; names the store.
    """
    command = [sys.executable, "-c", SCRIPT, json.dumps(config.as_dict())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env=environment) as server:
        assert server.stdout
        run = store.get(server.stdout.readline().strip())
        wait_for(lambda: run.metrics().steps)
        server.kill()
    wait_for(lambda: run.status().state == "interrupted")
    return run
