"""The part of CRI v1 (and of containerd's events) that the kubelet speaks, as a table of field numbers.

Specification: `k8s.io/cri-api/pkg/apis/runtime/v1/api.proto`, `containerd/api/services/events/v1`.
Enumerations are plain numbers; those that the kubelet names stand below.
"""

from __future__ import annotations

from mamekube.kubelet.wire import Schema

NAMESPACE_POD, NAMESPACE_CONTAINER, NAMESPACE_NODE, NAMESPACE_TARGET = range(4)
SANDBOX_READY, SANDBOX_NOT_READY = range(2)
CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_UNKNOWN = range(4)
PROFILE_RUNTIME_DEFAULT, PROFILE_UNCONFINED, PROFILE_LOCALHOST = range(3)
PROPAGATION = {"None": 0, "HostToContainer": 1, "Bidirectional": 2}
PROTOCOL = {"TCP": 0, "UDP": 1, "SCTP": 2}

SCHEMA = Schema("""
Empty:
Int64Value: value=1:int
UInt64Value: value=1:uint
KeyValue: key=1 value=2
VersionRequest: version=1
VersionResponse: version=1 runtime_name=2 runtime_version=3 runtime_api_version=4
StatusRequest: verbose=1:bool
StatusResponse: status=1:RuntimeStatus info=2:map
RuntimeStatus: conditions=1:*RuntimeCondition
RuntimeCondition: type=1 status=2:bool reason=3 message=4
DNSConfig: servers=1:* searches=2:* options=3:*
PortMapping: protocol=1:int container_port=2:int host_port=3:int host_ip=4
Mount: container_path=1 host_path=2 readonly=3:bool selinux_relabel=4:bool propagation=5:int
    recursive_read_only=8:bool
NamespaceOption: network=1:int pid=2:int ipc=3:int target_id=4
SecurityProfile: profile_type=1:int localhost_ref=2
LinuxSandboxSecurityContext: namespace_options=1:NamespaceOption run_as_user=3:Int64Value
    run_as_group=8:Int64Value readonly_rootfs=4:bool supplemental_groups=5:*int privileged=6:bool
    seccomp=9:SecurityProfile
LinuxPodSandboxConfig: cgroup_parent=1 security_context=2:LinuxSandboxSecurityContext sysctls=3:map
    overhead=4:LinuxContainerResources resources=5:LinuxContainerResources
PodSandboxMetadata: name=1 uid=2 namespace=3 attempt=4:uint
PodSandboxConfig: metadata=1:PodSandboxMetadata hostname=2 log_directory=3 dns_config=4:DNSConfig
    port_mappings=5:*PortMapping labels=6:map annotations=7:map linux=8:LinuxPodSandboxConfig
RunPodSandboxRequest: config=1:PodSandboxConfig runtime_handler=2
PodSandboxId: pod_sandbox_id=1
PodSandboxStatusRequest: pod_sandbox_id=1 verbose=2:bool
PodIP: ip=1
PodSandboxNetworkStatus: ip=1 additional_ips=2:*PodIP
PodSandboxStatus: id=1 metadata=2:PodSandboxMetadata state=3:int created_at=4:int
    network=5:PodSandboxNetworkStatus labels=7:map annotations=8:map runtime_handler=9
PodSandboxStatusResponse: status=1:PodSandboxStatus info=2:map
PodSandboxFilter: id=1 label_selector=3:map
ListPodSandboxRequest: filter=1:PodSandboxFilter
PodSandbox: id=1 metadata=2:PodSandboxMetadata state=3:int created_at=4:int labels=5:map annotations=6:map
    runtime_handler=7
ListPodSandboxResponse: items=1:*PodSandbox
ImageSpec: image=1 annotations=2:map user_specified_image=18 runtime_handler=19
HugepageLimit: page_size=1 limit=2:uint
LinuxContainerResources: cpu_period=1:int cpu_quota=2:int cpu_shares=3:int memory_limit_in_bytes=4:int
    oom_score_adj=5:int cpuset_cpus=6 cpuset_mems=7 hugepage_limits=8:*HugepageLimit unified=9:map
    memory_swap_limit_in_bytes=10:int
Capability: add_capabilities=1:* drop_capabilities=2:*
LinuxContainerSecurityContext: capabilities=1:Capability privileged=2:bool
    namespace_options=3:NamespaceOption run_as_user=5:Int64Value run_as_group=12:Int64Value
    run_as_username=6 readonly_rootfs=7:bool supplemental_groups=8:*int no_new_privs=11:bool
    masked_paths=13:* readonly_paths=14:* seccomp=15:SecurityProfile apparmor=16:SecurityProfile
LinuxContainerConfig: resources=1:LinuxContainerResources security_context=2:LinuxContainerSecurityContext
ContainerMetadata: name=1 attempt=2:uint
Device: container_path=1 host_path=2 permissions=3
ContainerConfig: metadata=1:ContainerMetadata image=2:ImageSpec command=3:* args=4:* working_dir=5
    envs=6:*KeyValue mounts=7:*Mount devices=8:*Device labels=9:map annotations=10:map log_path=11
    stdin=12:bool stdin_once=13:bool tty=14:bool linux=15:LinuxContainerConfig
CreateContainerRequest: pod_sandbox_id=1 config=2:ContainerConfig sandbox_config=3:PodSandboxConfig
ContainerId: container_id=1
StopContainerRequest: container_id=1 timeout=2:int
ContainerFilter: id=1 pod_sandbox_id=3 label_selector=4:map
ListContainersRequest: filter=1:ContainerFilter
Container: id=1 pod_sandbox_id=2 metadata=3:ContainerMetadata image=4:ImageSpec image_ref=5 state=6:int
    created_at=7:int labels=8:map annotations=9:map image_id=10
ListContainersResponse: containers=1:*Container
ContainerStatusRequest: container_id=1 verbose=2:bool
ContainerStatus: id=1 metadata=2:ContainerMetadata state=3:int created_at=4:int started_at=5:int
    finished_at=6:int exit_code=7:int image=8:ImageSpec image_ref=9 reason=10 message=11 labels=12:map
    annotations=13:map mounts=14:*Mount log_path=15
ContainerStatusResponse: status=1:ContainerStatus info=2:map
UpdateContainerResourcesRequest: container_id=1 linux=2:LinuxContainerResources
ExecSyncRequest: container_id=1 cmd=2:* timeout=3:int
ExecSyncResponse: stdout=1:bytes stderr=2:bytes exit_code=3:int
ExecRequest: container_id=1 cmd=2:* tty=3:bool stdin=4:bool stdout=5:bool stderr=6:bool
AttachRequest: container_id=1 stdin=2:bool tty=3:bool stdout=4:bool stderr=5:bool
PortForwardRequest: pod_sandbox_id=1 port=2:*int
StreamingResponse: url=1
Image: id=1 repo_tags=2:* repo_digests=3:* size=4:uint uid=5:Int64Value username=6 pinned=8:bool
ImageFilter: image=1:ImageSpec
ListImagesRequest: filter=1:ImageFilter
ListImagesResponse: images=1:*Image
ImageStatusRequest: image=1:ImageSpec verbose=2:bool
ImageStatusResponse: image=1:Image info=2:map
AuthConfig: username=1 password=2 auth=3 server_address=4 identity_token=5 registry_token=6
PullImageRequest: image=1:ImageSpec auth=2:AuthConfig sandbox_config=3:PodSandboxConfig
PullImageResponse: image_ref=1
RemoveImageRequest: image=1:ImageSpec
FilesystemIdentifier: mountpoint=1
FilesystemUsage: timestamp=1:int fs_id=2:FilesystemIdentifier used_bytes=3:UInt64Value
    inodes_used=4:UInt64Value
ImageFsInfoResponse: image_filesystems=1:*FilesystemUsage container_filesystems=2:*FilesystemUsage
ContainerAttributes: id=1 metadata=2:ContainerMetadata labels=3:map annotations=4:map
CpuUsage: timestamp=1:int usage_core_nano_seconds=2:UInt64Value usage_nano_cores=3:UInt64Value
MemoryUsage: timestamp=1:int working_set_bytes=2:UInt64Value available_bytes=3:UInt64Value
    usage_bytes=4:UInt64Value rss_bytes=5:UInt64Value page_faults=6:UInt64Value
    major_page_faults=7:UInt64Value
ContainerStats: attributes=1:ContainerAttributes cpu=2:CpuUsage memory=3:MemoryUsage
    writable_layer=4:FilesystemUsage
ContainerStatsFilter: id=1 pod_sandbox_id=2 label_selector=3:map
ListContainerStatsRequest: filter=1:ContainerStatsFilter
ListContainerStatsResponse: stats=1:*ContainerStats
ContainerEvent: container_id=1 container_event_type=2:int created_at=3:int
    pod_sandbox_status=4:PodSandboxStatus
SubscribeRequest: filters=1:*
Any: type_url=1 value=2:bytes
Envelope: namespace=2 topic=3 event=4:Any
TaskExit: container_id=1 id=2
TaskDelete: container_id=1 id=5
TaskOOM: container_id=1
""")

_RUNTIME = {
    "Version": ("VersionRequest", "VersionResponse"),
    "Status": ("StatusRequest", "StatusResponse"),
    "RunPodSandbox": ("RunPodSandboxRequest", "PodSandboxId"),
    "StopPodSandbox": ("PodSandboxId", "Empty"),
    "RemovePodSandbox": ("PodSandboxId", "Empty"),
    "PodSandboxStatus": ("PodSandboxStatusRequest", "PodSandboxStatusResponse"),
    "ListPodSandbox": ("ListPodSandboxRequest", "ListPodSandboxResponse"),
    "CreateContainer": ("CreateContainerRequest", "ContainerId"),
    "StartContainer": ("ContainerId", "Empty"),
    "StopContainer": ("StopContainerRequest", "Empty"),
    "RemoveContainer": ("ContainerId", "Empty"),
    "ListContainers": ("ListContainersRequest", "ListContainersResponse"),
    "ContainerStatus": ("ContainerStatusRequest", "ContainerStatusResponse"),
    "UpdateContainerResources": ("UpdateContainerResourcesRequest", "Empty"),
    "ReopenContainerLog": ("ContainerId", "Empty"),
    "ExecSync": ("ExecSyncRequest", "ExecSyncResponse"),
    "Exec": ("ExecRequest", "StreamingResponse"),
    "Attach": ("AttachRequest", "StreamingResponse"),
    "PortForward": ("PortForwardRequest", "StreamingResponse"),
    "ListContainerStats": ("ListContainerStatsRequest", "ListContainerStatsResponse"),
    "GetContainerEvents": ("Empty", "ContainerEvent"),
}
_IMAGES = {
    "ListImages": ("ListImagesRequest", "ListImagesResponse"),
    "ImageStatus": ("ImageStatusRequest", "ImageStatusResponse"),
    "PullImage": ("PullImageRequest", "PullImageResponse"),
    "RemoveImage": ("RemoveImageRequest", "Empty"),
    "ImageFsInfo": ("Empty", "ImageFsInfoResponse"),
}

METHODS: dict[str, tuple[str, str, str]] = {
    **{name: (f"/runtime.v1.RuntimeService/{name}", *types) for name, types in _RUNTIME.items()},
    **{name: (f"/runtime.v1.ImageService/{name}", *types) for name, types in _IMAGES.items()},
    "Subscribe": ("/containerd.services.events.v1.Events/Subscribe", "SubscribeRequest", "Envelope"),
}
"""A method's path and the types of its request and its answer."""
