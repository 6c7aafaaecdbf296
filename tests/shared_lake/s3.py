"""moto's S3 server, in a process and an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUCKET = "s3://lake"


def moto_python() -> str | None:
    """Return the interpreter that has moto; None where a test can't have one."""
    return os.environ.get("NIGHTCART_TEST_MOTO") or None


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Run the server with an empty bucket, and yield the variables by which its clients find it."""
    script = Path(__file__).with_name("moto_server.py")
    command = [str(moto_python()), str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            endpoint = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/lake", method="PUT")):
                pass
            yield {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
            }
        finally:
            process.kill()
