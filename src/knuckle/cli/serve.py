"""`knuckle serve`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from knuckle.errors import InputError
from knuckle.models import catalogue
from knuckle.serve.limits import Limits
from knuckle.serve.logs import LEVELS, start_log
from knuckle.serve.server import create_server, end_process_if_busy
from knuckle.serve.service import Service


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a token.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option(
    "--token",
    envvar="KNUCKLE_TOKEN",
    show_envvar=True,
    help="What API clients must send. The variable keeps it out of the process list.",
)
@click.option("--models", default=catalogue.DEFAULT, show_default=True, help="Bundle name, folder or .task file.")
@click.option("--allow-origin", "origins", multiple=True, help="Web origin that may use the API: https://example.org.")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False), help="PEM file for https and wss.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="PEM file with the certificate's key.")
@click.option(
    "--workers", type=click.IntRange(1), help="Threads for decoding and inference.  [default: CPU cores, at most 4]"
)
@click.option("--label-studio", metavar="URL", help="Pre-label the tasks of this Label Studio, at /label-studio.")
@click.option("--cvat", is_flag=True, help="Pre-label images for CVAT, as a serverless function without a token.")
@click.option("--max-sockets", default=32, show_default=True, type=click.IntRange(1), help="Open WebSockets at most.")
@click.option(
    "--limit", "changes", multiple=True, metavar="NAME=NUMBER", help="Change a limit of docs/serve.md; repeatable."
)
@click.option("--proxy-headers", is_flag=True, help="Believe X-Forwarded-For and -Proto of the trusted proxies.")
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address or network of a proxy, such as 10.0.0.0/8; repeatable.  [default: this computer]",
)
@click.option("--root-path", default="", metavar="PATH", help="Path below which a proxy shows the server: /hands.")
@click.option(
    "--log-level", default="warning", show_default=True, type=click.Choice(LEVELS), help="info logs requests."
)
@click.option(
    "--log-format", default="text", show_default=True, type=click.Choice(("text", "json")), help="Of each line."
)
@click.option(
    "--drain",
    "drain_s",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="When stopped, say so at /readyz and go on for this time.",
)
def serve(certificate: str | None, key: str | None, **settings: Any) -> None:
    """Serve the browser page and an API: POST /v1/detect, WebSocket /v1/track, documented at /v1.

    The page tracks inside the browser, so no image leaves the device that opens it. The server is reachable from this
    computer only, unless --host says otherwise. Browsers give other devices a camera on https pages only: use
    --certificate.

    \b
    knuckle serve
    KNUCKLE_TOKEN=... knuckle serve --host 0.0.0.0 --certificate cert.pem --key key.pem
    """
    if key and not certificate:
        raise InputError("--key needs --certificate")
    if settings["proxies"] and not settings["proxy_headers"]:
        raise InputError("--trusted-proxy needs --proxy-headers")
    if settings.pop("proxy_headers"):
        settings["proxies"] = settings["proxies"] or ("127.0.0.1", "::1")
    start_log(settings.pop("log_level"), settings.pop("log_format") == "json")
    port, limits = settings.pop("port"), limits_of(settings.pop("max_sockets"), settings.pop("changes"))
    service = Service(**settings, limits=limits)
    try:
        create_server(service, port, certificate, key).run()
    finally:
        end_process_if_busy(service)


def limits_of(max_sockets: int, changes: tuple[str, ...]) -> Limits:
    """The default limits with changes such as "body_bytes=20000000".

    Raises:
        InputError: a limit does not exist, or its value is not a positive number.
    """
    values: dict[str, Any] = {"sockets": max_sockets, "sockets_per_client": max(1, max_sockets // 2)}
    types = {field.name: type(field.default) for field in fields(Limits)}
    for change in changes:
        name, _, text = change.partition("=")
        if name not in types:
            raise InputError(f"--limit {change}: no limit called {name}; the limits are {', '.join(types)}")
        try:
            values[name] = float(text) if types[name] is float or name.endswith("_s") else int(text)
        except ValueError:
            raise InputError(f"--limit {change}: expected a number after {name}=, got {text!r}") from None
    room = max(Limits.connections, 2 * values["sockets"])  # more WebSockets need more connections
    values.setdefault("connections", room)
    values.setdefault("connections_per_client", max(Limits.connections_per_client, 2 * values["sockets_per_client"]))
    return Limits(**values)
