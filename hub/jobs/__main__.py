"""The job service: ``python -m stp3_hub.jobs`` as the hub starts it; ``... rebuild`` makes the database anew."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence

from ..settings import Settings
from .database import Busy, only_writer, open_database
from .decisions import Decisions
from .follower import Follower


def serve(settings: Settings) -> None:
    """Answer until the hub ends it."""
    import uvicorn
    from jupyterhub.services.auth import HubOAuth

    from .app import create_app
    from .login import HubLogin

    auth = HubOAuth()
    login = HubLogin(auth, auth.base_url, trusted_seconds=min(settings.refresh_seconds, TRUSTED_SECONDS))
    uvicorn.run(
        create_app(settings, open_database(settings), login),
        host="127.0.0.1",
        port=settings.jobs_port,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


def rebuild(settings: Settings) -> str:
    """Bring the database, whatever is in it, to what the run directories and the journal of decisions say.

    What came of it, in words.
    """
    began = time.monotonic()
    engine = open_database(settings)
    Decisions(settings, engine).catch_up()
    changed = Follower(settings, engine).rebuild()
    engine.dispose()
    return f"{changed} jobs were read from {settings.var / 'jobs'} in {time.monotonic() - began:.1f} s."


TRUSTED_SECONDS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 when it is done."""
    parser = argparse.ArgumentParser(prog="python -m stp3_hub.jobs", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("serve", "rebuild"), default="serve")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    settings = Settings()
    try:
        with only_writer(settings):
            if parser.parse_args(argv).command == "rebuild":
                print(rebuild(settings))
            else:
                serve(settings)
    except Busy as busy:
        print(f"stp3: {busy}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
