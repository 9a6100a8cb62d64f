"""The resource quota controller: what it counts."""

from mamekube.controllers.resourcequota import limited_resources, plan
from mamekube.controllers.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES


def test_only_what_a_quota_limits_is_counted():
    quota = {"spec": {"hard": {"pods": "2", "count/deployments.apps": "1"}}}
    assert limited_resources(quota, [PODS, SERVICES, DEPLOYMENTS, CONFIG_MAPS]) == [PODS, DEPLOYMENTS]
    counted = plan(quota, [(PODS, {"spec": {}}), (PODS, {"spec": {}}), (CONFIG_MAPS, {})])
    assert counted == {
        "hard": {"pods": "2", "count/deployments.apps": "1"},
        "used": {"pods": "2", "count/deployments.apps": "0"},
    }
