"""A real SLURM of this machine, for tests: a controller and several nodes in a temporary folder, gone at the end.

Needs Debian's or Ubuntu's packages slurmctld, slurmd, slurm-client and munge. Root's jobs run as root; started by
anybody else, it runs that person's jobs.
"""

from __future__ import annotations

import getpass
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")
_READY_SECONDS = 20.0
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin"


def missing_programs() -> list[str]:
    """What of SLURM is not installed here."""
    return [name for name in PROGRAMS if _program(name) is None]


class Slurm:
    """A cluster of `nodes` nodes with two processors each, ready when the context is entered.

    Commands find it by `environment`; `scontrol` and the like are run by `ask`.
    """

    def __init__(self, nodes: int = 3, processors: int = 2, memory_mib: int = 6000) -> None:
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # short: a socket lies in it
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = _free_ports(nodes + 1)
        for name in ("run", "log", "state", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        self._write_settings(processors, memory_mib)

    def __enter__(self) -> Slurm:
        try:
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, *command: str) -> str:
        """What a command of SLURM says. Raises CalledProcessError."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def jobs(self, states: str = "all") -> dict[str, tuple[str, str]]:
        """Name and state of each job by its id."""
        lines = self.ask("squeue", "--noheader", f"--states={states}", "--format=%i|%T|%j").splitlines()
        return {job: (name, state) for job, state, name in (line.split("|", 2) for line in lines)}

    def start_controller(self) -> None:
        if "munged" not in self._running:
            self._start(
                "munged", "--foreground", "--force", f"--key-file={self.folder}/munge.key",
                f"--socket={self.folder}/run/munge", f"--pid-file={self.folder}/run/munged.pid",
                f"--log-file={self.folder}/log/munged.log", f"--seed-file={self.folder}/run/munge.seed",
            )  # fmt: skip
            _wait_for(lambda: (self.folder / "run/munge").exists(), "munged does not start")
        self._start("slurmctld", "-D")

    def start_node(self, node: str) -> None:
        self._start("slurmd", "-D", "-N", node, as_name=node)

    def kill(self, name: str) -> None:
        """SIGKILL for the controller (`slurmctld`), or for a node with all that runs on it."""
        self._running.pop(name).kill()
        if name in self.nodes:
            self._kill_jobs_of(name)

    def stop(self) -> None:
        """Ends all jobs and daemons and takes the folder away."""
        for node in self.nodes:
            self._kill_jobs_of(node)
        for process in reversed(self._running.values()):
            process.terminate()
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(3)
            process.kill()
            process.wait()
        for node in self.nodes:
            self._kill_jobs_of(node)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, program: str, *arguments: str, as_name: str = "") -> None:
        path = _program(program)
        if path is None:
            raise FileNotFoundError(f"{program} is not installed")
        with open(self.folder / f"log/{as_name or program}.out", "ab") as log:
            self._running[as_name or program] = subprocess.Popen(
                [*_WITH_US, path, *arguments],
                env={"PATH": os.environ.get("PATH", "") + ":" + _SYSTEM_FOLDERS, **self.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _kill_jobs_of(self, node: str) -> None:
        """SIGKILL for all processes of a node's jobs, those that look after them first."""
        for _ in range(3):
            found = [pid for pid in _processes() if self._is_of(pid, node)]
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not found:
                return
            time.sleep(0.05)

    def _is_of(self, pid: int, node: str) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        marks = f"SLURMD_NODENAME={node}", f"SLURM_CONF={self.environment['SLURM_CONF']}"
        return all(mark.encode() in environment for mark in marks)

    def _wait_until_ready(self) -> None:
        def is_ready() -> bool:
            with suppress(subprocess.CalledProcessError):
                return self.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%t").split() == ["idle"] * len(self.nodes)
            return False

        _wait_for(is_ready, f"SLURM is not ready: {self.log('slurmctld')}")

    def log(self, name: str) -> str:
        """The last words of a daemon."""
        with suppress(OSError):
            return (self.folder / f"log/{name}.out").read_text(errors="replace")[-2000:]
        return ""

    def _write_settings(self, processors: int, memory_mib: int) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        host = platform.node()
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={processors} "
            f"RealMemory={memory_mib} Features={'fast' if node == 'n1' else 'plain'} State=UNKNOWN"
            for node, port in zip(self.nodes, self._ports[1:], strict=True)
        )
        settings = _SETTINGS.format(
            host=host, port=self._ports[0], folder=self.folder, user=getpass.getuser(), nodes=nodes
        )
        (self.folder / "slurm.conf").write_text(settings)


_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")  # daemons end with the process that started them, killed or not

_SETTINGS = """\
ClusterName=practice
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
EnforcePartLimits=ALL
JobRequeue=1
SlurmctldTimeout=10
SlurmdTimeout=15
InactiveLimit=0
MinJobAge=300
KillWait=5
CompleteWait=0
MessageTimeout=10
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=01:00:00 DefaultTime=00:10:00 State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=01:00:00 State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=closed Nodes=ALL MaxTime=01:00:00 State=INACTIVE
"""


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def _wait_for(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.02)
