"""What is not used is given up, and what was just handed out is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest


@pytest.mark.slow
def test_kernels_nobody_looks_at_are_given_up(start_hub, browser, message, dashboards: Path, tmp_path: Path) -> None:
    environment = {"STP3_HUB_DASHBOARDS": str(dashboards), "STP3_HUB_KERNEL_IDLE_SECONDS": "10"}
    with start_hub(tmp_path, "--without-scans", **environment) as hub:
        vera = browser(hub, "vera")
        vera.login()
        vera.start()
        abandoned, watched = vera.kernel(), vera.kernel()
        with vera.websocket(f"/user/vera/api/kernels/{watched}/channels"):
            time.sleep(16)
            assert kernel_answers(vera, watched)
            assert not kernel_answers(vera, abandoned)
        # the warm one has waited longer than the limit: it must survive being handed out
        fresh = vera.kernel()
        with vera.websocket(f"/user/vera/api/kernels/{fresh}/channels") as socket:
            socket.send(message("comm_info_request", {}, "shell", None))
            # its answer comes among other messages; recv gives up, and the test fails, when it does not come at all
            while "comm_info_reply" not in str(socket.recv(timeout=20)):
                pass


def kernel_answers(person, kernel: str) -> bool:
    """Whether the person's server still knows the kernel."""
    return person.client.get(f"/user/{person.name}/api/kernels/{kernel}").status_code == 200
