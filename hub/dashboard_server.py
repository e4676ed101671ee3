"""A person's dashboard server: Voilà behind the hub's login, and nothing else.

Run by the hub as ``python -m stp3_hub.dashboard_server``; what it is told stands in `settings.ServerEnvironment`.
"""

from __future__ import annotations

import logging
import sys

from .settings import ServerEnvironment, server_environment


def configuration(told: ServerEnvironment) -> dict[str, dict[str, object]]:
    """Voilà's configuration: overrides and files off, kernels on sockets and culled, one workbench kept warm."""
    return {
        "Voila": {
            "open_browser": False,
            "connection_dir_root": str(told.stp3_run_folder),
            "log_level": logging.WARNING,
        },
        "VoilaConfiguration": {
            "template": told.stp3_template,
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "file_allowlist": ["(?!)"],  # matches nothing
            "preheat_kernel": True,
            "default_pool_size": 0,
            "extension_allowlist": [
                "@voila-dashboards/widgets-manager8",
                "@jupyter-widgets/jupyterlab-manager",
                "anywidget",
            ],
        },
        "VoilaKernelManager": {
            # The next warm kernel is made when the page that took the last one is drawn; a page that comes in between
            # waits for it, so no longer.
            "fill_delay": 3.0,
            "kernel_pools_config": {"workbench.ipynb": {"pool_size": 1}, "default": {"pool_size": 0}},
        },
        "KernelManager": {"transport": "ipc"},
        "MappingKernelManager": {
            "cull_interval": max(1, min(60, told.stp3_kernel_idle_seconds // 4)),
            "cull_idle_timeout": told.stp3_kernel_idle_seconds,
        },
    }


def main() -> None:
    """Serve until told to stop."""
    # jsonschema's optional check of international addresses compiles a grammar at import: 0.85 s of every start
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from traitlets.config import Config

    from .dashboard_app import DashboardServer

    told = server_environment()
    server = DashboardServer(told=told)
    server.update_config(Config(configuration(told)))
    server.initialize([str(told.stp3_dashboards)])
    server.start()


if __name__ == "__main__":
    main()
