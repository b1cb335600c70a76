"""TorchServe: Java before one worker, batches of what waits.

python -m benchmarks.peers.servers.torchserve_server PORT
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.peers.servers.encoder import BATCH

if __name__ == "__main__":
    port = int(sys.argv[1])
    scripts = Path(sys.executable).parent
    folder = Path(tempfile.mkdtemp(prefix="torchserve-"))
    archiver = ("--model-name", "clip", "--version", "1.0", "--export-path", str(folder))
    handler = Path(__file__).with_name("torchserve_handler.py")
    subprocess.run([scripts / "torch-model-archiver", *archiver, "--handler", handler], check=True)
    model = {"defaultVersion": True, "marName": "clip.mar", "minWorkers": 1, "maxWorkers": 1}
    model |= {"batchSize": BATCH, "maxBatchDelay": 2, "responseTimeout": 120}
    config = folder / "config.properties"
    config.write_text(
        f"inference_address=http://127.0.0.1:{port}\n"
        "management_address=http://127.0.0.1:0\nmetrics_address=http://127.0.0.1:0\n"
        "disable_token_authorization=true\njob_queue_size=1000\n"
        f"load_models=clip.mar\nmodel_store={folder}\n"
        f"models={json.dumps({'clip': {'1.0': model}})}\n"
    )
    os.environ["PATH"] = f"{scripts}:{os.environ['PATH']}"
    os.environ["LOG_LOCATION"] = os.environ["METRICS_LOCATION"] = str(folder)
    command = [str(scripts / "torchserve"), "--start", "--foreground", "--ncs"]
    os.execv(command[0], [*command, "--ts-config", str(config)])
