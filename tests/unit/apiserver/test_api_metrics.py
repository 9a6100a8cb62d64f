"""`/metrics`: upstream's names and labels, and no more series than there are things to count."""

import asyncio
import re
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests import stable_metrics

from mamekube.apiserver import storagemetrics
from mamekube.apiserver.admission.webhook_counts import CallCount, WebhookCounts
from mamekube.apiserver.flow import fairness_metrics
from mamekube.apiserver.flow.fair_queues import Counts
from mamekube.apiserver.metrics import InFlight, Metrics
from mamekube.apiserver.request import parse_request
from mamekube.foundation.metrics import render
from mamekube.kinds.registry import builtin_registry
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


async def scrape(web) -> str:
    return (await web.send("GET", "/metrics")).body


def series(text: str, name: str, /, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
    """The series of a name that have these labels: all labels -> value."""
    found = {}
    for line in text.splitlines():
        match = re.match(rf"{name}(?:{{(.*)}})? (\S+)$", line)
        if match:
            pairs = dict(re.findall(r'(\w+)="([^"]*)"', match[1] or ""))
            if labels.items() <= pairs.items():
                found[tuple(sorted(pairs.items()))] = float(match[2])
    return found


def one(text: str, name: str, /, **labels: str) -> float:
    (value,) = series(text, name, **labels).values()
    return value


def config_map(name: str) -> dict:
    return {"metadata": {"name": name}, "data": {"k": "v" * 2000}}


async def test_requests_are_counted_by_what_they_do(web):
    await web.send("POST", f"{CONFIG_MAPS}?dryRun=All", config_map("a"))
    await web.send("POST", CONFIG_MAPS, config_map("a"))
    await web.send("GET", f"{CONFIG_MAPS}/a")
    await web.send("GET", "/api/v1/configmaps")
    apply = {"Content-Type": "application/apply-patch+yaml"}
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}'
    await web.send("PATCH", f"{CONFIG_MAPS}/a?fieldManager=m", body, headers=apply)
    await web.send("DELETE", CONFIG_MAPS)
    text = await scrape(web)
    labels = {"resource": "configmaps", "group": "", "version": "v1", "component": "apiserver"}
    counted = {
        (dict(key)["verb"], dict(key)["scope"], dict(key)["code"], dict(key)["dry_run"]): value
        for key, value in series(text, "apiserver_request_total", **labels).items()
    }
    assert counted == {
        ("POST", "resource", "201", "All"): 1,
        ("POST", "resource", "201", ""): 1,
        ("GET", "resource", "200", ""): 1,
        ("LIST", "cluster", "200", ""): 1,
        ("APPLY", "resource", "200", ""): 1,
        ("DELETECOLLECTION", "namespace", "200", ""): 1,
    }
    assert one(text, "apiserver_request_duration_seconds_count", verb="GET", **labels) == 1
    assert one(text, "apiserver_request_sli_duration_seconds_count", verb="POST", **labels) == 2
    assert 2000 < one(text, "apiserver_response_sizes_sum", verb="GET", **labels) < 3000
    assert not series(text, "apiserver_response_sizes_sum", verb="POST", **labels)


async def test_paths_that_nobody_serves_make_no_series_of_their_own(web):
    for number in range(3):
        await web.send("GET", f"/nothing/{number}")
        await web.send("GET", f"/apis/none.example.com/v1/things{number}")
        await web.send("GET", f"/api/v1/namespaces/default/pods/p/sub{number}")
    text = await scrape(web)
    found = series(text, "apiserver_request_total", code="404")
    assert sorted(
        (dict(key)["resource"], dict(key)["subresource"], value) for key, value in found.items()
    ) == [
        ("", "", 3),
        ("", "", 3),
        ("pods", "", 3),
    ]


async def test_the_work_of_admission_is_measured(web):
    await web.send("POST", CONFIG_MAPS, config_map("a"))
    gone = await web.send("POST", "/api/v1/namespaces/gone/configmaps", config_map("a"))
    assert gone.code == 404
    text = await scrape(web)
    name = "apiserver_admission_controller_admission_duration_seconds_count"
    plugin = {"name": "NamespaceLifecycle", "operation": "CREATE", "type": "admit"}
    assert one(text, name, rejected="true", **plugin) == 1
    assert one(text, name, rejected="false", **plugin) >= 1
    half = "apiserver_admission_step_admission_duration_seconds_count"
    assert one(text, half, operation="CREATE", type="admit", rejected="true") == 1


async def test_events_of_watches_are_counted(web):
    async with asyncio.timeout(10):
        url = f"{web.url}{CONFIG_MAPS}?watch=1"
        headers = {"Authorization": "Bearer admin-token"}
        async with web.session.get(url, headers=headers) as answer:
            await web.send("POST", CONFIG_MAPS, config_map("a"))
            size = len(await answer.content.readline())
            text = await scrape(web)
    labels = {"group": "", "version": "v1", "resource": "configmaps"}
    assert one(text, "apiserver_watch_events_total", **labels) == 1
    assert one(text, "apiserver_watch_events_sizes_sum", **labels) == size
    assert one(text, "apiserver_longrunning_requests", verb="WATCH", scope="namespace", **labels) == 1


async def test_who_asks_is_counted_without_naming_him(web):
    await web.send("GET", "/version", headers={"Authorization": "Bearer wrong"})
    await web.send("GET", CONFIG_MAPS, headers={"Authorization": "Bearer nobody-token"})
    text = await scrape(web)
    assert one(text, "authentication_attempts", result="failure") == 1
    assert one(text, "authorization_attempts_total", result="no-opinion") == 1
    assert one(text, "authenticated_user_requests", username="admin") >= 1
    assert one(text, "authenticated_user_requests", username="other") == 1


async def test_writes_to_the_store_are_measured_by_what_is_written(web):
    await web.send("POST", CONFIG_MAPS, config_map("a"))
    await web.send("POST", CONFIG_MAPS, config_map("a"))
    await web.send("DELETE", f"{CONFIG_MAPS}/a")
    text = await scrape(web)
    labels = {"group": "", "resource": "configmaps"}
    before = one(text, "etcd_requests_total", operation="create", **labels)
    assert one(text, "etcd_requests_total", operation="delete", **labels) == 1
    assert one(text, "etcd_request_duration_seconds_count", operation="create", **labels) == before
    roles = {"group": "rbac.authorization.k8s.io", "resource": "clusterroles", "operation": "create"}
    assert one(text, "etcd_request_duration_seconds_sum", **roles) > 0
    assert "etcd_request_errors_total" not in text, "a name that is taken is no failure of the store"
    await web.send("POST", CONFIG_MAPS, config_map("a"))
    again = one(await scrape(web), "etcd_requests_total", operation="create", **labels)
    assert again == before + 1


def test_the_size_of_the_store_is_that_of_its_file(tmp_path):
    file = tmp_path / "store.db"
    file.write_bytes(bytes(5000))
    text = render(storagemetrics.size(file)).decode()
    assert 'apiserver_storage_size_bytes{storage_cluster_id="etcd-0"} 5000\n' in text


async def test_objects_are_counted_under_both_names(web):
    await web.send("POST", CONFIG_MAPS, config_map("a"))
    text = await scrape(web)
    count = one(text, "apiserver_resource_objects", group="", resource="configmaps")
    assert count == one(text, "apiserver_storage_objects", resource="configmaps") > 0
    assert series(text, "apiserver_storage_objects", resource="deployments.apps")


async def test_what_upstream_promises_is_there_and_any_reader_takes_it(web, tmp_path):
    await web.send("GET", "/api/v1/componentstatuses")
    await web.send("GET", "/readyz")
    async with asyncio.timeout(10):
        headers = {"Authorization": "Bearer admin-token"}
        async with web.session.get(f"{web.url}{CONFIG_MAPS}?watch=1", headers=headers):
            text = await scrape(web)
    families = {family.name for family in text_string_to_metric_families(text)}
    assert {"process_cpu_seconds", "process_start_time_seconds", "kubernetes_build_info"} <= families
    async with web.session.get(f"{web.url}/metrics/slis", headers=headers) as answer:
        text += await answer.text()
    assert not stable_metrics.differences(text + elsewhere(tmp_path / "store.db"), "apiserver")


def elsewhere(file) -> str:
    """What a server shows that has webhooks, a file, and more requests than seats."""
    webhooks = WebhookCounts()
    webhooks.note_call(
        CallCount("w.example.com", "admit", "CREATE", rejected=False), code=200, duration_s=0.1
    )
    file.write_bytes(b"")
    flow = Counts(dispatched=1, rejected={"queue-full": 1})
    level = SimpleNamespace(name="l", nominal=1, lendable=0, borrowed_max=0)
    fairness = SimpleNamespace(levels=lambda: [level], counts=lambda: [("l", "s", flow)])
    parts = (webhooks.families(), storagemetrics.size(file), fairness_metrics.families(fairness))
    return "".join(render(families).decode() for families in parts)


def test_what_waited_for_others_is_no_work_of_the_server():
    metrics = Metrics(Store(MemoryBackend()), builtin_registry())
    for waits in ([], [2.0, 1.0], []):
        request = parse_request("GET", CONFIG_MAPS, headers={})
        request.waits.extend(waits)
        metrics.note(request, 200, 3.5 if waits else 0.1)
    families = {family.name: list(family.lines()) for family in metrics._request_families()}
    sli = "\n".join(families["apiserver_request_sli_duration_seconds"])
    whole = "\n".join(families["apiserver_request_duration_seconds"])
    assert one(sli, "apiserver_request_sli_duration_seconds_sum") == pytest.approx(0.7)
    assert one(sli, "apiserver_request_sli_duration_seconds_bucket", le="0.6") == 3
    assert one(whole, "apiserver_request_duration_seconds_bucket", le="3") == 2


def test_the_peak_of_a_second_is_told_in_the_next():
    flight = InFlight()
    for _ in range(3):
        flight.begin(10.0)
    flight.now -= 2
    assert flight.peak(10.9) == 3
    assert flight.peak(11.5) == 3
    assert flight.peak(12.5) == 1
    flight.begin(12.6)
    assert flight.peak(12.7) == 2
