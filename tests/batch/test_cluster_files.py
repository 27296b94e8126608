"""The files of examples/cluster are what Slurm, Ray and KubeRay take."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from knuckle.cli.batch import batch

yaml = pytest.importorskip("yaml")
FOLDER = Path(__file__).resolve().parents[2] / "examples" / "cluster"


def options_of(command: str) -> set[str]:
    """The options that a command line gives to `knuckle batch`."""
    return {word for word in shlex.split(command.split("knuckle batch", 1)[1].split("||")[0]) if word.startswith("--")}


KNOWN = {name for option in batch.params for name in option.opts}


def test_the_cluster_file_follows_the_schema_of_ray() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    autoscaler = pytest.importorskip("ray.autoscaler", reason="Ray is not installed")
    schema = json.loads(Path(autoscaler.__file__).with_name("ray-schema.json").read_text())
    cluster = yaml.safe_load((FOLDER / "ray-cluster.yaml").read_text())
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
    assert cluster["available_node_types"]["head"]["resources"] == {"CPU": 0}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(cluster | {"workers": 3}, schema)


def test_the_job_of_kuberay_is_complete() -> None:
    job = yaml.safe_load((FOLDER / "ray-job.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert options_of(job["spec"]["entrypoint"].replace('"', "")) <= KNOWN
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    for group in (cluster["headGroupSpec"], workers):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]} and container["image"]
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/shared"}
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    image = (FOLDER / "Dockerfile").read_text()
    assert f"rayproject/ray:{cluster['rayVersion']}-" in image


def test_the_script_of_slurm_is_valid_and_gives_options_that_exist() -> None:
    script = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    command = script.read_text().replace("\\\n", " ").split("srun ")[1]
    assert {"--shard", "--workers", "--out"} <= options_of(command) <= KNOWN
