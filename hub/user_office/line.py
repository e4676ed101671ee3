"""Calls of an office over HTTP, limited in time and size. What goes wrong on the line is `OfficeDown`."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from .base import LoginNeeded, OfficeDown

MOST_BYTES = 8 << 20


async def ask(
    method: str, url: str, *, seconds: float, refusals: Collection[int] = (401, 403), **request: Any
) -> bytes:
    """The body of the answer 200 or 201. Raises LoginNeeded (`refusals`) or OfficeDown (everything else).

    Redirections are not followed: what is sent along is for this address alone.
    """
    host = urlsplit(url).netloc
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(timeout=seconds, trust_env=False, verify=_authorities()) as client,
            client.stream(method, url, **request) as answer,
        ):
            if answer.status_code in refusals:
                raise LoginNeeded(f"{host} answered {answer.status_code}")
            if answer.status_code not in {200, 201}:
                raise OfficeDown(f"{host} answered {answer.status_code}")
            return await _body(answer, host)
    except TimeoutError:
        raise OfficeDown(f"{host} did not answer within {seconds:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
        raise OfficeDown(f"{host} cannot be reached ({type(fault).__name__})") from None


async def ask_json(method: str, url: str, *, seconds: float, **request: Any) -> Any:
    """The answer as JSON; raises as `ask` does."""
    body = await ask(method, url, seconds=seconds, **request)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise OfficeDown(f"{urlsplit(url).netloc} did not answer with JSON") from None


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def read_secret(path: Path) -> str:
    """The secret in a file that nobody but its owner may read; raises OfficeDown."""
    try:
        mode = path.stat().st_mode
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise OfficeDown(f"the secret in {path} cannot be read ({type(fault).__name__})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OfficeDown(f"the secret in {path} is open to others: chmod 600 {path}")
    if not text:
        raise OfficeDown(f"the secret in {path} is empty")
    return text


@cache
def _authorities() -> ssl.SSLContext:
    """The machine's certificate authorities, read once: it takes longer than a call."""
    return ssl.create_default_context()


async def _body(answer: httpx.Response, host: str) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MOST_BYTES:
            raise OfficeDown(f"{host} answered with more than {MOST_BYTES >> 20} MB")
    return bytes(body)
