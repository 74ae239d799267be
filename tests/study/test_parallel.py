"""A function over a list of work: on the cores of this machine, and on a real Ray cluster."""

import importlib
import importlib.util
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study import parallel
from study.errors import StudyError

HEAD = """
import sys, ray
context = ray.init(
    "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
    object_store_memory=80_000_000, _temp_dir=sys.argv[1],
)
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
ray.shutdown()
"""


WORK = """
import os, signal

def square(number):
    'The square, who reckoned it, and in how many threads.'
    return number**2, os.getpid(), os.environ.get("OMP_NUM_THREADS", "")

def stumble(number):
    if number == 3:
        raise ValueError("three")
    return number

def die(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module that other processes can import, too."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "work_of_test_parallel.py").write_text(WORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("work_of_test_parallel")


@pytest.fixture(scope="module")
def ray_cluster(work: Any) -> Iterator[dict[str, str]]:
    """The environment in which a Ray cluster of its own is the one to use. It ends with its standard input."""
    pytest.importorskip("ray")
    # Sockets have short names, so the folder is not under pytest's.
    folder = Path(f"/tmp/ray-{secrets.token_hex(4)}")  # noqa: S108
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    here = {"PYTHONPATH": os.pathsep.join([str(Path(parallel.__file__).parents[1]), str(Path(work.__file__).parent)])}
    head = subprocess.Popen(
        [sys.executable, "-c", HEAD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | token | here,
    )
    try:
        assert head.stdout is not None
        address = head.stdout.readline().strip()
        assert address, "no Ray head came up"
        yield token | here | {"RAY_ADDRESS": address}
    finally:
        head.communicate(timeout=60)
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_every_piece_is_done_once_by_other_processes_in_one_thread_each(
    work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    found = dict(parallel.each(work.square, range(12), jobs=2))
    assert {place: result[0] for place, result in found.items()} == {number: number**2 for number in range(12)}
    assert os.getpid() not in {result[1] for result in found.values()}
    assert {result[2] for result in found.values()} == {"1"}
    assert list(parallel.each(work.square, [], jobs=2)) == []


def test_an_error_in_the_work_is_raised_and_a_lost_worker_is_said(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ValueError, match="three"):
        list(parallel.each(work.stumble, range(6), jobs=1))
    with pytest.raises(StudyError, match="ended from outside"):
        list(parallel.each(work.die, range(4), jobs=1))


def test_workers_do_not_outlive_who_started_them(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, time\n"
        "from study.parallel import each\n"
        "def note(number):\n"
        "    open(f'worker-{os.getpid()}', 'w').close()\n"
        "    time.sleep(0.2)\n"
        "if __name__ == '__main__':\n"
        "    list(each(note, range(1000), jobs=2))\n"
    )
    here = os.environ | {"PYTHONPATH": str(Path(parallel.__file__).parents[1])}
    here.pop("RAY_ADDRESS", None)
    process = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, env=here, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(workers := list(tmp_path.glob("worker-*"))) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    left = {int(path.name.removeprefix("worker-")) for path in workers}
    while left:
        assert time.monotonic() < deadline, f"still there: {left}"
        left = {pid for pid in left if _lives(pid)}
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_with_ray_address_the_work_is_done_on_that_cluster(ray_cluster: dict[str, str]) -> None:
    """The driver is a process of its own, as it will be."""
    script = (
        "import os, ray, work_of_test_parallel as work\n"
        "from study.parallel import each\n"
        "found = dict(each(work.square, range(30), jobs=1))\n"
        "assert {place: one[0] for place, one in found.items()} == {n: n * n for n in range(30)}\n"
        "assert os.getpid() not in {one[1] for one in found.values()}\n"
        "assert {one[2] for one in found.values()} == {'1'}, found\n"
        "assert not ray.is_initialized()\n"
        "try:\n"
        "    list(each(work.stumble, range(6), jobs=1))\n"
        "except ValueError as error:\n"
        "    print('told:', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | ray_cluster, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "told:" in done.stdout
    assert "three" in done.stdout


def test_ray_address_without_ray_is_one_sentence(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StudyError, match=r"the package ray is not installed: pip install 'bedside\[ray\]'"):
        list(parallel.each(work.square, [1], jobs=1))


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is an extra")
def test_a_cluster_that_is_not_there_is_one_sentence_at_once(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(StudyError, match=r"No Ray cluster can be reached at RAY_ADDRESS=127\.0\.0\.1:1 "):
        list(parallel.each(work.square, [1], jobs=1))
