"""What serving/ deploys with: every file parses, and flags, ports, paths and metrics are those that there are."""

import argparse
import json
import re
import shlex
import urllib.request
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from serving_cases.make_fixtures import save_half_plus

from nmt.cli import gateway, serve
from nmt.cli.arguments import hyphenated
from nmt.serving.model_configs import read_model_configs
from nmt.serving.monitoring_config import METRICS_PATH, read_metrics_path
from nmt.serving.rest_api import LIVE_PATH, READY_PATH
from nmt.serving.server import Server, model_config

SERVING = Path(__file__).parents[2] / "serving"
MANIFESTS = {
    (manifest["kind"], manifest["metadata"]["name"]): manifest
    for path in sorted((SERVING / "kubernetes").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for manifest in yaml.safe_load_all(path.read_text())
}
COMPOSE, WITH_NMT = (
    yaml.safe_load((SERVING / name).read_text())["services"]
    for name in ("docker-compose.yml", "docker-compose.nmt.yml")
)


def parsed(command):
    """The options of `nmt serve ...` or `nmt gateway ...`, by its own parser."""
    name, *arguments = command
    parser = argparse.ArgumentParser(exit_on_error=False)
    {"serve": serve, "gateway": gateway}[name].add_arguments(parser)
    return parser.parse_args(hyphenated(arguments))


def container(name):
    (found,) = MANIFESTS["Deployment", name]["spec"]["template"]["spec"]["containers"]
    return found


@pytest.fixture(scope="module")
def served_metrics(tmp_path_factory):
    """The names of what a server's page has."""
    directory = tmp_path_factory.mktemp("m")
    save_half_plus(directory / "1", 1.0)
    with Server([model_config(directory, name="m")], port=0, rest_api_port=0) as server:
        page = urllib.request.urlopen(server.rest_url + METRICS_PATH).read().decode()
    return set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))


def ports(container):
    return {port["name"]: port["containerPort"] for port in container["ports"]}


@pytest.mark.parametrize("folder", ["kubernetes", "kubernetes-training"])
def test_every_manifest_is_applied_and_has_the_fields_of_kubernetes_api(folder):
    listed = yaml.safe_load((SERVING / folder / "kustomization.yaml").read_text())["resources"]
    present = {path.name for path in (SERVING / folder).iterdir()} - {"kustomization.yaml"}
    assert set(listed) == present
    for name in listed:
        for manifest in yaml.safe_load_all((SERVING / folder / name).read_text()):
            for version in ("1.31", kubernetes_validate.latest_version()):
                kubernetes_validate.validate(manifest, version, strict=True)


def test_the_pods_command_has_the_servers_flags_and_ports():
    options = parsed(container("serving")["args"])
    assert ports(container("serving")) == {"grpc": options.port, "rest": options.rest_api_port}
    assert options.model_config_file_poll_wait_seconds > 0
    options = parsed(container("gateway")["args"])
    assert ports(container("gateway")) == {"http": options.port}
    (model,) = options.model
    service = MANIFESTS["Service", "serving"]["spec"]["ports"]
    assert f"http://serving:{next(port['port'] for port in service if port['name'] == 'rest')}/translator" in model


def test_probes_ask_what_the_server_answers():
    pod = container("serving")
    paths = {kind: pod[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": LIVE_PATH, "liveness": LIVE_PATH, "readiness": READY_PATH}
    assert all(pod[f"{kind}Probe"]["httpGet"]["port"] in ports(pod) for kind in paths)
    annotations = MANIFESTS["Deployment", "serving"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == METRICS_PATH
    assert annotations["prometheus.io/port"] == str(ports(pod)["rest"])


def test_services_and_the_autoscaler_find_the_pods():
    for name in ("serving", "gateway"):
        labels = MANIFESTS["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        service = MANIFESTS["Service", name]["spec"]
        assert service["selector"] == labels
        assert {port["targetPort"] for port in service["ports"]} == set(ports(container(name)))
    target = MANIFESTS["HorizontalPodAutoscaler", "serving"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in MANIFESTS


def test_the_config_map_has_the_files_of_the_folder_where_the_flags_expect_them():
    data = MANIFESTS["ConfigMap", "serving"]["data"]
    assert data == {name: (SERVING / name).read_text() for name in data}
    pod = container("serving")
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["volumeMounts"]}
    options = parsed(pod["args"])
    for file in (options.model_config_file, options.monitoring_config_file, options.batching_parameters_file):
        assert file in {f"{mounts['config']}/{name}" for name in data}
    (model,) = read_model_configs(SERVING / "model.config")
    assert mounts["export"] == model.base_path
    volumes = {volume["name"] for volume in MANIFESTS["Deployment", "serving"]["spec"]["template"]["spec"]["volumes"]}
    assert set(mounts) == volumes


def test_what_compose_runs_has_the_flags_and_ports_it_publishes():
    command = [*WITH_NMT["serving"]["entrypoint"][1:], *COMPOSE["serving"]["command"]]
    options = parsed(command)
    published = {int(port.split(":")[-1]) for port in COMPOSE["serving"]["ports"]}
    assert published == {options.port, options.rest_api_port}
    assert READY_PATH in WITH_NMT["serving"]["healthcheck"]["test"][-1]
    options = parsed([part.replace("${DIRECTION:-en-de}", "en-de") for part in COMPOSE["gateway"]["command"]])
    assert COMPOSE["gateway"]["ports"] == [f"127.0.0.1:{options.port}:{options.port}"]
    assert options.model == ["en-de=http://serving:8501/translator"]
    for service in COMPOSE.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        for volume in service.get("volumes", []):
            assert volume.startswith("${EXPORT") or (SERVING / volume.split(":")[0]).is_file()


def test_prometheus_asks_the_server_where_its_page_is():
    (job,) = yaml.safe_load((SERVING / "prometheus.yml").read_text())["scrape_configs"]
    assert job["metrics_path"] == METRICS_PATH == read_metrics_path(SERVING / "monitoring.config")
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]
    (source,) = yaml.safe_load((SERVING / "grafana" / "datasource.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((SERVING / "grafana" / "provider.yml").read_text())["providers"]
    assert f"./grafana/dashboard.json:{provider['options']['path']}/dashboard.json:ro" in COMPOSE["grafana"]["volumes"]


def test_the_dashboard_shows_what_the_server_measures(served_metrics):
    dashboard = json.loads((SERVING / "grafana" / "dashboard.json").read_text())
    (source,) = yaml.safe_load((SERVING / "grafana" / "datasource.yml").read_text())["datasources"]
    asked = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == source["uid"]
            asked |= set(re.findall(r"(?:process|nmt|:tensorflow)[\w:]+", target["expr"]))
    suffixes = ("", "_bucket", "_sum", "_count", "_total")
    assert asked <= {metric + suffix for metric in served_metrics for suffix in suffixes}
    assert len(asked) > 10


def test_the_systemd_unit_starts_the_server_with_its_flags():
    unit = (SERVING / "nmt-serve.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    program, *arguments = shlex.split(command)
    assert Path(program).name == "nmt"
    assert parsed(arguments).directory == "/srv/translator"
    sections = re.findall(r"^\[(\w+)\]$", unit, re.MULTILINE)
    assert sections == ["Unit", "Service", "Install"]
    assert all(re.match(r"#|\[|$|\w+=", line) for line in unit.splitlines())
