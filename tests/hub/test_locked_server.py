"""A visitor's server: the dashboards are served, and nothing else to anybody, over HTTP and websocket."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

KERNEL_ID = re.compile(r'"kernelId": "([0-9a-f-]{36})"')
V1 = "v1.kernel.websocket.jupyter.org"
PROTOCOLS = pytest.mark.parametrize("protocol", [None, V1], ids=["legacy", "v1"])

CLOSED_ROUTES = [
    ("GET", "lab"),
    ("GET", "lab/tree/workbench.ipynb"),
    ("GET", "tree"),
    ("GET", "api/contents"),
    ("GET", "api/contents/workbench.ipynb"),
    ("PUT", "api/contents/new.ipynb"),
    ("GET", "api/terminals"),
    ("POST", "api/terminals"),
    ("GET", "api/kernels"),
    ("POST", "api/kernels"),
    ("GET", "api/sessions"),
    ("POST", "api/sessions"),
    ("GET", "api/kernelspecs"),
    ("GET", "files/workbench.ipynb"),
    ("GET", "nbconvert/html/workbench.ipynb"),
    ("GET", "voila/files/secret.png"),
    ("GET", "voila/files/secret.txt"),
    ("GET", "voila/files/workbench.ipynb"),
    ("GET", "voila/tree"),
    ("GET", "voila/api/contents/"),
    ("GET", "voila/api/contents/workbench.ipynb"),
    ("GET", "voila/render/absent.ipynb"),
    ("GET", "voila/render/secret.txt"),
    ("GET", "voila/render/..%2f..%2fetc%2fpasswd"),
    ("GET", "voila/render/%2e%2e/workbench.ipynb"),
    ("GET", "voila/static/..%2f..%2f..%2fetc%2fpasswd"),
    ("GET", "voila/templates/stp3/static/..%2f..%2f..%2f..%2fetc%2fpasswd"),
    ("GET", "download/..%2f..%2fsecrets%2fcookie"),
    ("GET", "download/absent"),
]


@pytest.fixture
def kernel(vera) -> Iterator[str]:
    """The kernel of an open dashboard of vera's; closed afterwards."""
    kernel = vera.kernel()
    yield kernel
    close(vera, kernel)


def test_the_owner_sees_the_dashboard(vera) -> None:
    page = vera.open_dashboard()
    close(vera, KERNEL_ID.search(page.text)[1])
    assert page.status_code == 200
    assert "kernelId" in page.text
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    assert "http:" not in page.headers["Content-Security-Policy"]


def test_the_front_door_leads_to_the_workbench(vera) -> None:
    answer = vera.client.get("/user/vera/", follow_redirects=False)
    assert answer.headers["location"] == "/user/vera/voila/render/workbench.ipynb"


@pytest.mark.parametrize(("method", "route"), CLOSED_ROUTES)
def test_no_other_route_is_there(vera, method: str, route: str) -> None:
    answer = vera.client.request(method, f"/user/vera/{route}", headers=vera.xsrf("/user/vera/"))
    assert answer.status_code in {403, 404, 405}
    assert "beside the notebook" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("verb", ["restart", "interrupt"])
def test_kernels_are_not_commanded_over_http(vera, kernel, verb: str) -> None:
    answer = vera.client.post(f"/user/vera/api/kernels/{kernel}/{verb}", headers=vera.xsrf("/user/vera/"))
    assert answer.status_code in {403, 404}
    assert vera.client.delete(f"/user/vera/api/kernels/{kernel}", headers=vera.xsrf("/user/vera/")).status_code == 405


def test_template_and_theme_are_not_the_browsers_choice(vera) -> None:
    page = vera.client.get("/user/vera/voila/render/second.ipynb?template=reveal&theme=dark")
    assert page.status_code == 200
    assert "reveal.js" not in page.text
    close(vera, KERNEL_ID.search(page.text)[1])


@PROTOCOLS
@pytest.mark.parametrize("channel", ["shell", "control"])
def test_code_sent_to_a_kernel_is_not_run(
    vera, kernel, message, arrives, tmp_path: Path, protocol, channel: str
) -> None:
    marker = tmp_path / "marker"
    code = f"open({str(marker)!r}, 'w').close()"
    request = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "user_expressions": {}}
    with vera.websocket(f"/user/vera/api/kernels/{kernel}/channels", protocol=protocol) as socket:
        for kind, content in [
            ("execute_request", request),
            ("debug_request", {"type": "request", "seq": 1, "command": "evaluate", "arguments": {"expression": code}}),
            ("complete_request", {"code": "open", "cursor_pos": 4}),
            ("inspect_request", {"code": "open", "cursor_pos": 4, "detail_level": 0}),
            ("history_request", {"output": False, "raw": True, "hist_access_type": "tail", "n": 9}),
            ("create_subshell_request", {}),
        ]:
            socket.send(message(kind, content, channel, protocol))
        # the socket and the form of the messages are right: what widgets need is answered
        socket.send(message("comm_info_request", {}, "shell", protocol))
        assert arrives(socket, "comm_info_reply", 20)
        time.sleep(0.5)
    assert not marker.exists()


@PROTOCOLS
def test_the_same_probe_runs_code_in_a_scientists_lab(sam, message, arrives, tmp_path: Path, protocol) -> None:
    assert sam.start("lab").status_code == 200
    assert sam.client.get("/user/sam/lab/lab").status_code == 200
    started = sam.client.post("/user/sam/lab/api/kernels", headers=sam.xsrf("/user/sam/lab/"))
    assert started.status_code == 201, started.text
    marker = tmp_path / "marker"
    request = {"code": f"open({str(marker)!r}, 'w').close()", "silent": False, "store_history": False}
    path = f"/user/sam/lab/api/kernels/{started.json()['id']}/channels"
    with sam.websocket(path, protocol=protocol) as socket:
        socket.send(message("execute_request", request | {"allow_stdin": False}, "shell", protocol))
        assert arrives(socket, "execute_reply", 30)
    assert marker.exists()


def test_the_kernel_holds_no_token_of_the_hub(vera, kernel) -> None:
    processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/environ") if _is_kernel(path, kernel)]
    assert processes
    assert not any(b"JUPYTERHUB_API_TOKEN" in environment for environment in processes)
    assert all(b"STP3_VISITS" in environment for environment in processes)


def test_another_visitor_gets_nothing(vera, kernel, victor) -> None:
    for route in (
        "",
        "voila/render/workbench.ipynb",
        f"api/kernels/{kernel}",
        "download/absent",
        "voila/static/voila.js",
    ):
        assert victor.client.get(f"/user/vera/{route}").status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        victor.websocket(f"/user/vera/api/kernels/{kernel}/channels", protocol=V1)
    assert refused.value.response.status_code == 403
    assert victor.client.post(f"/user/vera/voila/api/shutdown/{kernel}").status_code == 403
    assert victor.api("POST", "users/vera/server").status_code in {403, 404}
    assert victor.api("DELETE", "users/vera/server").status_code in {403, 404}


def test_without_login_nothing(vera, kernel, nobody) -> None:
    root = "/user/vera/"
    for route in (
        "",
        "voila/render/workbench.ipynb",
        "download/absent",
        "voila/static/voila.js",
        "voila/files/secret.png",
    ):
        answer = nobody.client.get(root + route)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith("/hub/api/oauth2/authorize")
    assert nobody.client.get(f"{root}api/kernels/{kernel}").status_code == 403
    for path in (f"api/kernels/{kernel}/channels", f"voila/query/{kernel}"):
        with pytest.raises(InvalidStatus) as refused:
            nobody.websocket(root + path)
        assert refused.value.response.status_code == 403
    assert nobody.client.post(f"{root}voila/api/shutdown/{kernel}").status_code == 403
    assert nobody.client.get("/hub/home").status_code == 302
    assert nobody.client.get("/services/jobs/jobs.json").status_code == 401


def test_a_foreign_page_cannot_open_the_websocket(vera, kernel) -> None:
    with pytest.raises(InvalidStatus) as refused:
        vera.websocket(f"/user/vera/api/kernels/{kernel}/channels", origin="https://elsewhere.example")
    assert refused.value.response.status_code == 403


def test_a_foreign_page_cannot_end_a_kernel(vera, kernel) -> None:
    headers = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert vera.client.post(f"/user/vera/voila/api/shutdown/{kernel}", headers=headers).status_code == 403


def test_past_the_cap_the_page_says_why(vera) -> None:
    opened = []
    for _ in range(8):
        page = vera.open_dashboard("second.ipynb")
        if page.status_code != 200:
            break
        opened.append(KERNEL_ID.search(page.text)[1])
    assert page.status_code == 429
    assert len(opened) == 3
    assert "Close one of their tabs" in page.text
    for kernel in opened:
        close(vera, kernel)
    page = vera.open_dashboard("second.ipynb")
    assert page.status_code == 200
    close(vera, KERNEL_ID.search(page.text)[1])


def close(person, kernel: str) -> None:
    """Close the tab, as Voilà's page does."""
    path = f"/user/{person.name}/"
    answer = person.client.post(f"{path}voila/api/shutdown/{kernel}", headers=person.xsrf(path))
    assert answer.status_code == 204, answer.text


def _is_kernel(environ: Path, kernel: str) -> bool:
    try:
        return kernel.encode() in (environ.parent / "cmdline").read_bytes()
    except OSError:
        return False
