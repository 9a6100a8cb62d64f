"""Service addresses and node ports: each given out once, in upstream's range, order and words."""

import asyncio
import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamekube.apiserver.addresses import ServiceAddresses, address_range, port_range
from mamekube.apiserver.writes import UPDATE
from mamekube.objects.status import StatusError

from .conftest import settle


@pytest.fixture
async def addresses(world):
    async with ServiceAddresses(
        world.store, world.reader, world.clock, service_cidr="10.96.0.0/12"
    ) as addresses:
        yield addresses


def service(name="s", **spec):
    spec.setdefault("ports", [{"port": 80, "protocol": "TCP"}])
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def assign(addresses, write):
    addresses.prepare(write)
    await addresses.assign(write)
    return write.object["spec"]


async def create(world, addresses, name="s", **spec):
    """As the API server creates: assigned, then stored."""
    made = await assign(addresses, world.write("services", service(name, **spec)))
    await world.put("services", service(name, **made))
    return made


async def update(world, addresses, old, **spec):
    write = world.write("services", service(**spec), operation=UPDATE, old=service(**old))
    return await assign(addresses, write)


async def refusal(work) -> str:
    with pytest.raises(StatusError) as caught:
        await work
    return caught.value.message


async def test_an_address_comes_from_the_upper_part_of_the_range(world, addresses):
    spec = await create(world, addresses)
    address = ipaddress.ip_address(spec["clusterIP"])
    assert address in ipaddress.ip_network("10.96.0.0/12")
    assert int(address) > int(ipaddress.ip_address("10.96.1.0"))
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


async def test_a_chosen_address_is_given_once(world, addresses):
    assert (await create(world, addresses, clusterIP="10.96.0.10"))["clusterIPs"] == ["10.96.0.10"]
    assert await refusal(create(world, addresses, "t", clusterIP="10.96.0.10")) == (
        'Service "t" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: '
        "provided IP is already allocated"
    )
    await world.remove("services", "s", namespace="default")
    await create(world, addresses, "t", clusterIP="10.96.0.10")


async def test_an_address_outside_of_the_range_is_refused(world, addresses):
    assert await refusal(create(world, addresses, clusterIP="1.2.3.4")) == (
        'Service "s" is invalid: spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: '
        "the provided network does not match the current range"
    )


async def test_headless_and_external_services_get_no_address(world, addresses):
    assert (await create(world, addresses, clusterIP="None"))["clusterIPs"] == ["None"]
    spec = await create(world, addresses, "t", type="ExternalName", externalName="example.com")
    assert "clusterIP" not in spec
    assert "ipFamilies" not in spec


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"ipFamilies": ["IPv6"]},
            'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for '
            "dual-stack services",
        ),
    ],
)
async def test_a_family_that_the_cluster_has_not_is_refused(world, addresses, spec, text):
    assert text in await refusal(create(world, addresses, **spec))


@pytest.mark.parametrize(
    ("spec", "families", "policy"),
    [
        ({}, ["IPv4", "IPv6"], "RequireDualStack"),
        ({"ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], "RequireDualStack"),
        ({"ipFamilyPolicy": "SingleStack"}, ["IPv4"], "SingleStack"),
        ({"selector": {"app": "x"}}, ["IPv4"], "SingleStack"),
    ],
)
async def test_a_service_without_addresses_and_pods_may_have_families_that_the_cluster_has_not(
    world, addresses, spec, families, policy
):
    made = await create(world, addresses, clusterIP="None", **spec)
    assert (made["ipFamilies"], made["ipFamilyPolicy"]) == (families, policy)


async def test_both_families_are_given_where_the_cluster_has_both(world):
    async with ServiceAddresses(
        world.store, world.reader, world.clock, service_cidr="10.0.0.0/24,fd00::/112"
    ) as addresses:
        spec = await create(world, addresses, ipFamilyPolicy="PreferDualStack")
        assert spec["ipFamilies"] == ["IPv4", "IPv6"]
        assert [ipaddress.ip_address(address).version for address in spec["clusterIPs"]] == [4, 6]
        assert len((await create(world, addresses, "t"))["clusterIPs"]) == 1


async def test_node_ports_are_given_to_every_port_and_shared_across_protocols(world, addresses):
    ports = [
        {"port": 53, "protocol": "TCP"},
        {"port": 53, "protocol": "UDP"},
        {"port": 80, "protocol": "TCP"},
    ]
    spec = await create(world, addresses, type="NodePort", ports=ports)
    first, second, third = [port["nodePort"] for port in spec["ports"]]
    assert first == second != third
    assert all(30086 <= port <= 32767 for port in (first, third))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (80, "provided port is not in the valid range. The range of valid ports is 30000-32767"),
        (30001, "provided port is already allocated"),
    ],
)
async def test_a_node_port_that_cannot_be_had_is_refused(world, addresses, number, text):
    await create(world, addresses, "other", type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    ports = [{"port": 80, "protocol": "TCP", "nodePort": number}]
    assert await refusal(create(world, addresses, type="NodePort", ports=ports)) == (
        f'Service "s" is invalid: spec.ports[0].nodePort: Invalid value: {number}: {text}'
    )


async def test_a_refused_service_gives_everything_back(world, addresses):
    ports = [{"port": 80, "nodePort": 30500}, {"port": 81, "nodePort": 80}]
    await refusal(create(world, addresses, clusterIP="10.96.0.20", type="NodePort", ports=ports))
    await create(
        world,
        addresses,
        "t",
        clusterIP="10.96.0.20",
        type="NodePort",
        ports=[{"port": 80, "nodePort": 30500}],
    )


async def test_a_dry_run_keeps_nothing(world, addresses):
    write = world.write("services", service(clusterIP="10.96.0.20"), dry_run=True)
    await assign(addresses, write)
    await create(world, addresses, "t", clusterIP="10.96.0.20")


def service_cidr(name, *cidrs, **meta):
    return {"metadata": {"name": name, **meta}, "spec": {"cidrs": list(cidrs)}}


async def test_service_cidrs_add_to_the_range_until_they_are_deleted(world):
    async with ServiceAddresses(
        world.store, world.reader, world.clock, service_cidr="10.0.0.0/30"
    ) as addresses:
        for name in ("a", "b"):
            await create(world, addresses, name)
        assert "range is full" in await refusal(create(world, addresses, "c"))
        await world.put(
            "servicecidrs", service_cidr("more", "10.9.0.0/24", "fd00::/112"), group="networking.k8s.io"
        )
        await settle()
        assert (await create(world, addresses, "c"))["clusterIP"].startswith("10.9.0.")
        await create(world, addresses, "d", clusterIP="10.9.0.7")
        leaving = service_cidr("more", "10.9.0.0/24", deletionTimestamp="2026-01-01T00:00:00Z")
        await world.put("servicecidrs", leaving, group="networking.k8s.io")
        await settle()
        assert "range is full" in await refusal(create(world, addresses, "e"))
        assert "does not match the current range" in await refusal(
            create(world, addresses, "e", clusterIP="10.9.0.8")
        )


async def test_a_promise_that_was_not_kept_lapses(world, addresses):
    await assign(addresses, world.write("services", service(clusterIP="10.96.0.20")))
    assert "already allocated" in await refusal(create(world, addresses, "t", clusterIP="10.96.0.20"))
    world.clock.now_s += 61
    await create(world, addresses, "t", clusterIP="10.96.0.20")


async def test_creations_at_the_same_time_share_no_address(world):
    async with ServiceAddresses(
        world.store, world.reader, world.clock, service_cidr="10.0.0.0/27"
    ) as addresses:
        made = await asyncio.gather(
            *(create(world, addresses, f"s{i}", type="NodePort") for i in range(30)), return_exceptions=True
        )
        given = [spec for spec in made if isinstance(spec, dict)]
        assert len({spec["clusterIP"] for spec in given}) == 30
        assert len({spec["ports"][0]["nodePort"] for spec in given}) == 30
        assert "range is full" in await refusal(create(world, addresses, "more"))


async def test_a_new_server_knows_what_is_taken(world):
    await world.put("services", service(clusterIP="10.96.0.10", clusterIPs=["10.96.0.10"]))
    async with ServiceAddresses(
        world.store, world.reader, world.clock, service_cidr="10.96.0.0/12"
    ) as addresses:
        assert "already allocated" in await refusal(create(world, addresses, "t", clusterIP="10.96.0.10"))


async def test_an_update_that_leaves_addresses_out_keeps_them(world, addresses):
    old = await create(world, addresses, type="NodePort")
    spec = await update(world, addresses, old, type="NodePort")
    assert spec["clusterIP"] == old["clusterIP"]
    assert spec["ports"] == old["ports"]


async def test_a_change_to_cluster_ip_drops_the_node_ports(world, addresses):
    old = await create(world, addresses, type="NodePort", externalTrafficPolicy="Cluster")
    sent = {**old, "type": "ClusterIP", "ports": [dict(port) for port in old["ports"]]}
    spec = await update(world, addresses, old, **sent)
    assert "nodePort" not in spec["ports"][0]
    assert "externalTrafficPolicy" not in spec


async def test_a_change_to_external_name_drops_the_address(world, addresses):
    old = await create(world, addresses)
    spec = await update(
        world, addresses, old, **{**old, "type": "ExternalName", "externalName": "example.com"}
    )
    assert "clusterIP" not in spec
    await world.put("services", service(**spec))
    await settle()
    await create(world, addresses, "t", clusterIP=old["clusterIP"])


async def test_local_traffic_needs_a_health_port(world, addresses):
    spec = await create(world, addresses, type="LoadBalancer", externalTrafficPolicy="Local")
    assert 30000 <= spec["healthCheckNodePort"] <= 32767


@settings(deadline=None)
@given(st.integers(min_value=8, max_value=30))
def test_every_usable_address_of_a_network_is_a_candidate(prefix):
    network = ipaddress.ip_network(f"10.0.0.0/{prefix}")
    bounds = address_range(network)
    assert bounds.first == int(network.network_address) + 1
    assert bounds.last == int(network.broadcast_address) - 1
    assert bounds.first <= bounds.dynamic <= bounds.last
    if prefix >= 24:
        assert set(bounds.candidates()) == set(range(bounds.first, bounds.last + 1))


def test_port_ranges_are_read_in_both_forms():
    assert port_range("30000-32767") == port_range("30000+2767")
