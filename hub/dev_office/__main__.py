"""Runs the practice user office: ``python -m stp3_hub.dev_office --port 9400 …``; started by stp3_hub.practice."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from flask import cli
from werkzeug.serving import make_server

from ..processes import die_with_parent
from .app import Office, create_app
from .people import People
from .tokens import Client


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="stp3_hub.dev_office", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--people", type=Path, required=True, help="JSON file of the practice people")
    parser.add_argument("--facility", default="Practice facility")
    parser.add_argument("--client-id", default="stp3")
    parser.add_argument("--client-secret-file", type=Path, required=True)
    parser.add_argument("--redirect-uri", required=True, help="the hub's …/hub/oauth_callback")
    given = parser.parse_args()
    die_with_parent()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # its lines hold codes
    cli.show_server_banner = lambda *_: None
    client = Client(given.client_id, given.client_secret_file.read_text().strip(), given.redirect_uri)
    # another name than the hub's 127.0.0.1: cookies do not tell ports apart
    office = Office(f"http://localhost:{given.port}", given.facility, client, People(given.people))
    make_server("localhost", given.port, create_app(office), threaded=True).serve_forever()


if __name__ == "__main__":
    main()
