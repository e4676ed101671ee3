"""Runs the jobs page as the hub starts it: ``python -m stp3_hub.jobs``."""

from __future__ import annotations

import uvicorn
from jupyterhub.services.auth import HubOAuth

from ..settings import Settings
from .app import create_app
from .login import HubLogin

if __name__ == "__main__":
    auth = HubOAuth()
    settings = Settings()
    uvicorn.run(
        create_app(settings, HubLogin(auth, auth.base_url)),
        host="127.0.0.1",
        port=settings.jobs_port,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
