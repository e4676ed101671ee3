"""Every key an operator can set, from hub.toml and the environment; nothing else in hub/ reads the environment.

Keys are the fields of `Settings`. In the environment they carry the prefix ``STP3_HUB_`` (``STP3_HUB_PORT=8080``),
in hub.toml they stand as they are (``port = 8080``). The environment wins over the file. ``STP3_HUB_SETTINGS`` names
another file than the one in the checkout. Secrets stand in neither: only the files that hold them are named.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from .admission import AccessRules

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
OPERATORS_FILE = CHECKOUT / "hub.toml"
FILE_VARIABLE = "STP3_HUB_SETTINGS"  # names another file
PROXY_FOLDER = Path(sys.prefix) / "proxy"

# The system cuts the path of a unix socket off at 107 bytes; those of the kernels need 75 below this folder.
LONGEST_RUN_FOLDER = 30


class Settings(BaseSettings):
    """What the hub is told by its operator."""

    model_config = SettingsConfigDict(env_prefix="STP3_HUB_", frozen=True, extra="forbid", populate_by_name=True)

    facility: str = Field(default="Practice facility", description="name shown on every page")
    practice: bool = Field(default=False, description="practice mode: all servers run under the hub's own account")
    var: Path = Field(default=CHECKOUT / "var", description="runtime folder: data, jobs, database, secrets, logs")

    public_url: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9.\-\[\]:]+)?$",
        description="where browsers find the door, such as https://tomo.example.org; none: address and port",
    )
    own_proxy: bool = Field(default=True, description="the hub starts the proxy; false: stp3-hub proxy is a service")
    address: str = Field(default="127.0.0.1", description="address the door listens on")
    port: int = Field(default=8000, ge=1, le=65535, description="port the door listens on")
    hub_port: int = Field(default=8081, ge=1, le=65535, description="port of the hub itself, on loopback")
    proxy_port: int = Field(default=8001, ge=1, le=65535, description="port of the proxy's own interface, on loopback")
    jobs_port: int = Field(default=8090, ge=1, le=65535, description="port of the jobs page, on loopback")

    database_url: str = Field(
        default="",
        repr=False,
        description="job database, such as postgresql+psycopg://name:password@host/base; empty: SQLite in var",
    )
    sweep_seconds: int = Field(
        default=20, ge=1, description="how soon a change of a job that was over is seen in the job database"
    )

    office: dict[str, Any] = Field(default={}, description="the user office: kind, and what that kind needs")
    access: AccessRules = Field(default=AccessRules(), description="when a visit is open, and to whom; who has a role")
    refresh_seconds: int = Field(default=600, ge=1, description="how old a person's visits and roles may be")
    office_grace_seconds: int = Field(
        default=1800, ge=0, description="and how much older while the office does not answer, for what runs already"
    )

    data_root: str = Field(
        default="{var}/data/{visit}", description="folder of a visit's scans; {var} and {visit} are filled"
    )
    data_base: Path | None = Field(
        default=None, description="folders that the office itself names must lie in it; none: they are not used"
    )
    data: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("STP3_HUB_DATA", "STP3_DATA"),
        description="one more folder of scans, shown to everybody in practice mode as the visit 'data'",
    )
    python: Path = Field(default=Path(sys.executable), description="the Python that people's servers run on")
    accounts: Path | None = Field(default=None, description="YAML file: the hub's name of a person -> account")
    lowest_uid: int = Field(default=1000, ge=1, description="no server runs under an account below it")
    lowest_gid: int = Field(default=100, ge=1, description="nor under a group below it")
    guest_uids: tuple[int, int] | None = Field(
        default=None, description="first and last number for people without an account; none: they have no servers"
    )
    guest_group: str = Field(default="stp3-guests", description="their group, which may read the visits' data")
    dashboards: Path = Field(
        default=CHECKOUT / "notebooks" / "dashboards", description="notebooks served as dashboards"
    )
    notebooks: Path = Field(default=CHECKOUT / "notebooks", description="notebooks copied to scientists' folders")
    template: str = Field(default="stp3", description="template of the dashboards")
    template_folder: Path = Field(
        default=CHECKOUT / "extensions" / "voila-template", description="Jupyter data folder that holds it"
    )

    kernels_per_user: int = Field(default=6, ge=1, description="dashboards one person may have open at once")
    kernel_idle_seconds: int = Field(default=1800, ge=10, description="an unconnected kernel is closed after this")
    server_idle_seconds: int = Field(
        default=3600, ge=60, description="a person's server is closed after this without use"
    )
    server_age_seconds: int = Field(default=7 * 86400, ge=600, description="and after this in any case")
    warm_start: bool = Field(default=True, description="start a visitor's dashboards while the home page is read")
    threads: int | None = Field(default=None, ge=1, description="threads of a person's previews; none: all processors")

    @field_validator("data_root")
    @classmethod
    def _visit_in_data_root(cls, template: str) -> str:
        if "{visit}" not in template:
            raise ValueError(f"data_root must hold {{visit}}, or every visit would see one folder, got {template!r}")
        template.format(var="", visit="")
        return template

    @model_validator(mode="after")
    def _absolute(self) -> Settings:
        object.__setattr__(self, "var", self.var.expanduser().resolve())
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources in order of weight: call, environment, hub.toml."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, operators_file())

    @property
    def base_url(self) -> str:
        """Where a browser finds the door, without a slash at the end."""
        return self.public_url or self.bind_url

    @property
    def bind_url(self) -> str:
        """Where the door listens."""
        return f"http://{self.address}:{self.port}"

    @property
    def run_folder(self) -> Path:
        """A folder for sockets (0700 when made): inside var, or in /tmp where that path would be too long."""
        inside = self.var / "run"
        # jupyterhub lower-cases the path of a unix socket
        if len(str(inside)) <= LONGEST_RUN_FOLDER and str(inside) == str(inside).lower():
            return inside
        return Path("/tmp") / f"stp3-{hashlib.sha256(str(self.var).encode()).hexdigest()[:12]}"  # noqa: S108

    def visit_folder(self, visit: str, named: str = "") -> Path:
        """The folder of a visit's scans: the one that the office named if it may, otherwise the usual one."""
        folder = Path(os.path.normpath(named)) if named else None
        if folder and self.data_base and folder != self.data_base and folder.is_relative_to(self.data_base):
            return folder
        return Path(self.data_root.format(var=self.var, visit=visit))

    @property
    def visits_folder(self) -> Path:
        """Where the hub writes down the visits it was told of."""
        return self.var / "visits"

    def jobs_folder(self, user: str) -> Path:
        """The folder of a person's run directories."""
        return self.var / "jobs" / user

    def home_folder(self, user: str) -> Path:
        """The working folder of a person's servers."""
        return self.var / "home" / user

    def threads_per_user(self) -> int:
        """Threads of a person's previews."""
        return self.threads or len(os.sched_getaffinity(0))

    def secret(self, name: str) -> bytes:
        """32 random bytes kept under `name` in var/secrets (0600), made at the first call."""
        path = self.var / "secrets" / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        return bytes.fromhex(path.read_text())

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a process that reads them again."""
        skipped = {"data"} if self.data is None else set()
        values: dict[str, Any] = self.model_dump(mode="json", exclude_none=True, exclude=skipped)
        return {f"STP3_HUB_{key.upper()}": _as_text(value) for key, value in values.items()}


def _as_text(value: Any) -> str:
    """A value as pydantic-settings reads it back."""
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def operators_file() -> Path:
    """The file of the operator's keys, whether it is there or not."""
    return Path(os.environ.get(FILE_VARIABLE) or OPERATORS_FILE)


def slurm_configuration() -> Path:
    """Where SLURM is set up, whether it is there or not."""
    return Path(os.environ.get("SLURM_CONF") or "/etc/slurm/slurm.conf")


class ServerEnvironment(BaseSettings):
    """What the hub tells a person's dashboard server through its environment."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    jupyterhub_service_url: str
    jupyterhub_service_prefix: str
    jupyterhub_server_name: str = ""
    jupyterhub_activity_url: str = ""
    jupyterhub_api_token: str = Field(repr=False)
    stp3_jobs: Path
    stp3_dashboards: Path
    stp3_template: str = "lab"
    stp3_run_folder: Path
    stp3_kernels: int = 6
    stp3_kernel_idle_seconds: int = 1800
    stp3_activity_seconds: int = 120


def server_environment() -> ServerEnvironment:
    """What this dashboard server was told; afterwards the token is gone from the environment.

    Kernels inherit the environment, and nothing that runs in a kernel has business with the hub.
    """
    told = ServerEnvironment()  # type: ignore[call-arg]  # filled from the environment
    os.environ.pop("JUPYTERHUB_API_TOKEN", None)
    os.environ.pop("JPY_API_TOKEN", None)
    return told


def inherited_environment(**extra: str) -> dict[str, str]:
    """The environment of this process with `extra` on top, for a child process."""
    return {**os.environ, **extra}


def server_path() -> str:
    """PATH of the servers: the programs of this environment first."""
    return os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)])
