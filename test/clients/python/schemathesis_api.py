"""The API keeps to its own OpenAPI document, whatever it is asked: schemathesis makes requests by it and against it.

That all that fits the document be accepted is the one check left out: how long a text may be, and how many dimensions there are, is the
model's to say.
"""
import os
import pathlib
import subprocess
import sys

tool = pathlib.Path(sys.executable).with_name("schemathesis")
sys.exit(subprocess.run([
    tool, "run", os.environ["CHECK_URL"] + "/v1/openapi.json", "--header", "Authorization: Bearer " + os.environ["CHECK_TOKEN"],
    "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--max-examples", "20", "--seed", "1", "--request-timeout", "60", "--max-response-time", "60", "--no-color", *sys.argv[1:],
], cwd=os.environ["CHECK_SCRATCH"], env={**os.environ, "SCHEMATHESIS_HOOKS": "_schemathesis_hooks", "PYTHONPATH": str(pathlib.Path(__file__).parent)}).returncode)
