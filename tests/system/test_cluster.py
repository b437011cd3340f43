"""The Ray pool on several nodes: each a raylet of its own, all on this machine. And the files that
start clusters."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.support.meetings import Meeting
from tests.support.random_packs import random_wiring
from tests.support.simulated_pool import SimulatedPool
from tests.support.studies import fake_train, tiny_task
from wiring_search.tasks.task import Task
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Beat, PackJob, PackResult, Rung, no_beat

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "cluster"
SMALL_STORE = 80 * 2**20


def _jobs(count: int, candidates: int = 1) -> list[PackJob]:
    wirings = [random_wiring(np.random.default_rng(seed)) for seed in range(candidates)]
    return [
        PackJob(k, Rung(0, 1, 4), tuple(Candidate(w, seed=k) for w in wirings), 0)
        for k in range(count)
    ]


@dataclass(frozen=True)
class _Sleeping:
    seconds: float

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        time.sleep(self.seconds)
        return fake_train(task, job)


@pytest.fixture
def cluster() -> Iterator:
    """A head without cores; tests add nodes to it."""
    import ray
    from ray.cluster_utils import Cluster

    # Workers find the stand-in trainers of this folder there.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    )
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


def _pool(train, **given):
    from wiring_search.workers.ray_pool import RayPool

    return RayPool(train, tiny_task(), **given)


def _add(cluster, nodes: int) -> list:
    return [cluster.add_node(num_cpus=1, object_store_memory=SMALL_STORE) for _ in range(nodes)]


def _work(pool, jobs: list[PackJob], ahead: int) -> list[PackResult]:
    """All results; so many jobs are submitted before the first is asked for."""
    for job in jobs[:ahead]:
        pool.submit(job)
    found = []
    for job in [*jobs[ahead:], *[None] * min(ahead, len(jobs))]:
        found.append(pool.next_done())
        if job is not None:
            pool.submit(job)
    return found


def _same(results: list[PackResult], jobs: list[PackJob]) -> bool:
    """All back once, as the trainer gives them here; compared as text, in which a NaN equals a
    NaN."""
    expected = {job.number: repr(fake_train(tiny_task(), job).outcomes) for job in jobs}
    return len(results) == len(jobs) and {r.number: repr(r.outcomes) for r in results} == expected


@pytest.mark.ray
@pytest.mark.slow
def test_nodes_that_join_are_used_to_the_full_and_one_that_dies_loses_nothing(
    cluster, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    pool, nodes = _pool(meeting, address=cluster.address), []
    for raylets in (2, 4, 8):
        nodes += _add(cluster, raylets - len(nodes))
        meeting.expect(1, f"fewer-than-{raylets}")
        while pool.workers < raylets:
            _work(pool, _jobs(1), 1)
        meeting.expect(raylets, f"all-{raylets}")
        assert _same(_work(pool, _jobs(3 * raylets), 2 * raylets), _jobs(3 * raylets))
    meeting.expect(9, "one-more-than-there-are")
    jobs = _jobs(32, candidates=3)
    for job in jobs:
        pool.submit(job)
    while meeting.come() < 8:  # so that each node has a job under way
        assert pool.next_done(timeout=0.1) is None
    cluster.remove_node(nodes[0], allow_graceful=False)
    meeting.expect(1, "any")
    found = [pool.next_done() for _ in jobs]
    pool.close()
    assert _same(found, jobs)


@pytest.mark.ray
@pytest.mark.slow
def test_a_pool_on_an_empty_cluster_waits_until_a_node_comes(cluster) -> None:
    pool = _pool(
        _Sleeping(0.05), workers=3, address=cluster.address
    )  # more than there will be: no error
    pool.submit(_jobs(1)[0])
    assert pool.next_done(timeout=0.5) is None
    assert pool.workers == 0
    assert pool.waiting == 1
    _add(cluster, 1)
    assert _same([pool.next_done()], _jobs(1))
    assert pool.workers == 1
    pool.close()


@dataclass(frozen=True)
class _Seeing:
    """Says which GPUs a worker is given to see."""

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        time.sleep(0.3)
        return replace(fake_train(task, job), worker=os.environ.get("CUDA_VISIBLE_DEVICES", "all"))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(("share", "seen"), [(1.0, {"0", "1"}), (0.5, {"0", "1"}), (0.0, {""})])
def test_each_worker_sees_the_gpu_that_it_claims_and_no_other(
    cluster, share: float, seen: set[str]
) -> None:
    """On a node that says that it has two: two actors, or four that share them; one that claims
    none leaves them alone."""
    cluster.add_node(num_cpus=4, num_gpus=2, object_store_memory=SMALL_STORE)
    pool = _pool(_Seeing(), address=cluster.address, gpus=share)
    while pool.workers < (4 if share < 1 else 2):
        _work(pool, _jobs(1), 1)
    found = _work(pool, _jobs(16), 16)
    pool.close()
    assert {result.worker for result in found} == seen
    assert _same(found, _jobs(16))


def test_256_workers_with_heavy_tails_are_kept_busy() -> None:
    """Durations are Pareto distributed with an infinite variance; speeds span a factor of four."""
    rng = np.random.default_rng(0)
    speeds = rng.choice([1.0, 2.0, 4.0], 256)
    pool = SimulatedPool(
        fake_train, tiny_task(), speeds, lambda part: len(part.candidates) * (1 + rng.pareto(1.5))
    )
    jobs = _jobs(1500, candidates=4)
    for job in jobs[:512]:
        pool.submit(job)
    found = []
    for job in jobs[512:]:
        found.append(pool.next_done())
        pool.submit(job)
    assert pool.utilisation > 0.99
    while pool.under_way or pool.waiting:
        found.append(pool.next_done())
    assert _same(found, jobs)


# The real autoscaler, which starts raylets on this machine instead of buying machines.


def _autoscaling(port: int) -> dict:
    import ray

    lists = (
        "setup_commands",
        "head_setup_commands",
        "worker_setup_commands",
        "initialization_commands",
    )
    lists += (
        "head_start_ray_commands",
        "worker_start_ray_commands",
        "cluster_synced_files",
        "rsync_exclude",
        "rsync_filter",
    )
    address = f"{ray.util.get_node_ip_address()}:{port}"
    return {
        "cluster_name": "simulated",
        "max_workers": 2,
        "upscaling_speed": 10,
        "idle_timeout_minutes": 1,
        "provider": {"type": "fake_multinode", "gcs_address": address, "launch_multiple": True},
        "auth": {},
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "core": {
                "resources": {"CPU": 1, "object_store_memory": SMALL_STORE},
                "node_config": {},
                "min_workers": 0,
                "max_workers": 2,
            },
        },
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in lists},
    }


@pytest.mark.ray
@pytest.mark.slow
def test_an_autoscaling_cluster_grows_with_the_workers_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "cluster.json").write_text(json.dumps(_autoscaling(port)))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    settings = {
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [
        sys.executable,
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        f"--port={port}",
        "--num-cpus=0",
    ]
    command += ["--include-dashboard=false", f"--autoscaling-config={tmp_path / 'cluster.json'}"]
    head = subprocess.Popen(
        command,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert any("Ray runtime started" in line for line in head.stdout)
        pool, jobs = _pool(_Sleeping(0.1), workers=2, address=f"127.0.0.1:{port}"), _jobs(4)
        for job in jobs:
            pool.submit(job)
        assert _same([pool.next_done() for _ in jobs], jobs)
        while pool.workers < 2:
            _work(pool, _jobs(1), 1)
        assert sum(node["Alive"] for node in ray.nodes()) == 3
        pool.close()
    finally:
        started = _below(head.pid)
        head.terminate()
        head.wait(timeout=600)
        for process in started - {
            head.pid
        }:  # the nodes that the autoscaler started outlive their head
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _below(ancestor: int) -> set[int]:
    """Processes that this one has started, and those that they have: what else runs on the machine
    is not ours to kill."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = dict(map(int, line.split()) for line in listing.splitlines())
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


# The files that start clusters.


def test_ray_accepts_the_cluster_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((EXAMPLES / "ray-up.yaml").read_text())
    validate_config(prepare_config(config))
    broken = {**config, "head_node_type": "nobody"}
    with pytest.raises(ValueError, match="head_node_type"):
        validate_config(prepare_config(broken))
    types = config["available_node_types"]
    assert types["head"]["resources"]["CPU"] == 0
    assert all(types[name]["max_workers"] for name in types if name != "head")


def test_the_slurm_script_is_one() -> None:
    script = EXAMPLES / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    options = dict(
        line.removeprefix("#SBATCH --").split("=")
        for line in script.read_text().splitlines()
        if "#SBATCH" in line
    )
    assert int(options["nodes"]) > 1
    assert options["ntasks-per-node"] == "1"
    assert options["signal"].startswith("B:TERM@")


def test_the_slurm_script_starts_a_cluster_and_passes_the_warning_on(tmp_path: Path) -> None:
    """With stand-ins for Slurm and Ray; the search is one that waits for its signal."""
    stand_ins = tmp_path / ".venv" / "bin"
    stand_ins.mkdir(parents=True)
    programs = {
        "scontrol": "echo one; echo two",
        "srun": f'echo srun "$@" >> {tmp_path}/calls; case "$*" in *hostname*) echo 192.0.2.1;; '
        "esac",
        "ray": "exit 0",
        "wiring-search": f"trap 'echo stopped >> {tmp_path}/calls; exit 0' TERM; echo search "
        f'"$@" >> {tmp_path}/calls; '
        "while true; do sleep 0.05; done",
    }
    for name, body in programs.items():
        (stand_ins / name).write_text(f"#!/bin/bash\n{body}\n")
        (stand_ins / name).chmod(0o755)
    (stand_ins / "activate").write_text(f"PATH={stand_ins}:$PATH")
    slurm = {
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_ID": "7",
        "SLURM_CPUS_PER_TASK": "4",
        "SLURM_JOB_NUM_NODES": "2",
    }
    slurm["VENV"] = ".venv"  # `make VENV=… test` exports another, where the stand-ins do not lie
    process = subprocess.Popen(
        ["bash", EXAMPLES / "slurm.sh"],
        cwd=tmp_path,
        env={**os.environ, **slurm},
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 600
        while not (tmp_path / "calls").exists() or "search" not in (tmp_path / "calls").read_text():
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=600) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    calls = (tmp_path / "calls").read_text()
    assert "ray start --head --node-ip-address=192.0.2.1 --port=20007 --num-cpus=4" in calls
    assert "--exclude=one" in calls
    assert "ray start --address=192.0.2.1:20007" in calls
    assert "search search --task digits" in calls
    assert "--address 192.0.2.1:20007" in calls
    assert calls.endswith("stopped\n")


def test_the_kubernetes_manifest_fits_together() -> None:
    import ray

    claim, job = yaml.safe_load_all((EXAMPLES / "kuberay.yaml").read_text())
    assert (claim["kind"], job["kind"], job["apiVersion"]) == (
        "PersistentVolumeClaim",
        "RayJob",
        "ray.io/v1",
    )
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    containers = [
        container for group in groups for container in group["template"]["spec"]["containers"]
    ]
    # Ray takes a container's limits for its resources, and workers must have the driver's version
    # of everything.
    assert all(
        container["resources"]["limits"] == container["resources"]["requests"]
        for container in containers
    )
    assert len({container["image"] for container in containers}) == 1
    assert cluster["rayVersion"].split(".")[0] == ray.__version__.split(".")[0]
    assert cluster["enableInTreeAutoscaling"]
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    room = sum(
        group["maxReplicas"]
        * int(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
        for group in cluster["workerGroupSpecs"]
    )
    asked = job["spec"]["entrypoint"].split("--workers ")[1].split(";")[0]
    assert int(asked) <= room
    volumes = cluster["headGroupSpec"]["template"]["spec"]["volumes"]
    assert volumes[0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
