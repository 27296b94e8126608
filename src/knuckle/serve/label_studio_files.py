"""Images of Label Studio's tasks, fetched from that Label Studio and from nowhere else."""

from __future__ import annotations

import base64
import os
import urllib.error
import urllib.request
from urllib.parse import quote, urlsplit

from knuckle.serve.limits import Refused
from knuckle.serve.service import Service

KEY = "LABEL_STUDIO_API_KEY"
STORAGES = ("s3://", "gs://", "azure-blob://")


def read_task_image(service: Service, address: str, task: object) -> bytes:
    """The file of a task's image.

    Args:
        address: what the task says: a path or address of Label Studio, a file of its cloud storage, or a data: address.
        task: id of the task, with which Label Studio resolves files of cloud storages.

    Raises:
        Refused: 400 for an address of another server, 413 for too many bytes, 502 if Label Studio does not give it.
    """
    base = str(service.label_studio).rstrip("/")
    most = service.limits.body_bytes
    if address.startswith("data:"):
        try:
            return base64.b64decode(address.partition(",")[2], validate=True)
        except ValueError as error:  # letters that are not ASCII, or binascii.Error, which is one
            raise Refused(400, f"task {task}: the data: address is not base64: {error}") from error
    if address.startswith(STORAGES):
        file = base64.urlsafe_b64encode(address.encode()).decode()
        address = f"{base}/tasks/{quote(str(task))}/resolve/?fileuri={file}"
    elif address.startswith("/") and not address.startswith("//"):
        address = base + address
    asked, ours = urlsplit(address), urlsplit(base)
    if (asked.scheme, asked.netloc) != (ours.scheme, ours.netloc):
        raise Refused(400, f"task {task}: images are fetched from {base} only, got {address:.100}")
    request = urllib.request.Request(address)
    if os.environ.get(KEY):  # not sent on to where Label Studio redirects to
        request.add_unredirected_header("Authorization", f"Token {os.environ[KEY]}")
    try:
        with urllib.request.urlopen(request, timeout=service.limits.receive_s) as answer:
            data: bytes = answer.read(most + 1)
    except urllib.error.HTTPError as error:
        error.close()
        advice = f"; give its access token as {KEY}" if error.code in (401, 403) else ""
        raise Refused(502, f"task {task}: Label Studio answered {error.code} for {address:.100}{advice}") from error
    except (OSError, ValueError) as error:
        raise Refused(502, f"task {task}: {address:.100} cannot be fetched: {error}") from error
    if len(data) > most:
        raise Refused(413, f"task {task}: the image may have at most {most} bytes, got more")
    return data
