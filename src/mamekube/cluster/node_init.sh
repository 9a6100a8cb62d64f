#!/bin/busybox sh
# Process 1 of a node: it furnishes the namespaces it was started in, runs containerd and the node process, starts
# either again when it ends, and reaps what is orphaned. When it ends, the kernel ends everything in the node.
#
# busybox's shell: one megabyte, and its own mount, hostname and sleep, so a boot starts hardly any process.
# The variables come from the launcher (node.py).
set -eu

furnish() {
    # Mounts made here stay here; containers may still ask for shared propagation among themselves.
    mount --make-rprivate /
    mount --make-rshared /
    mount -t proc proc /proc
    mount -t tmpfs -o mode=755,size=64m tmpfs /run
    mkdir -p /run/containerd /run/netns /run/lock
    resolver=$(readlink -f /etc/resolv.conf || true)
    if [ -n "$resolver" ]; then
        mkdir -p "${resolver%/*}"
        [ -e "$resolver" ] || : >"$resolver"
        mount --bind "$NODE_FOLDER/resolv.conf" "$resolver"
    fi
    hostname "$NODE_NAME"
}

connect() {
    "$IP" -batch - <<EOF
link set lo up
address add $CLUSTER_DNS/32 dev lo
link add eth0 type veth peer name $HOST_LINK netns /proc/self/fd/9
address add $NODE_ADDRESS/24 dev eth0
link set eth0 up
route add default via $GATEWAY
$NODE_ROUTES
EOF
    nsenter --net=/proc/self/fd/9 "$IP" link set "$HOST_LINK" master "$BRIDGE" up
    echo 1 >/proc/sys/net/ipv4/ip_forward
    # What pods send out of the cluster leaves with the node's address.
    "$NFT" -f - <<EOF
table ip mamekube-node {
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "eth0" ip saddr $POD_NETWORK ip daddr != $POD_NETWORK masquerade
    }
}
EOF
    exec 9<&-
}

import_images() {
    [ ! -e "$NODE_FOLDER/images-imported" ] || return 0
    until [ -S /run/containerd/containerd.sock ]; do sleep 0.01; done
    "$CTR" --namespace k8s.io images import --snapshotter "$SNAPSHOTTER" "$IMAGES" >/dev/null
    : >"$NODE_FOLDER/images-imported"
}

# Whether a container still has a process of its own, besides its shim and the pause program.
containers_run() {
    for process in /proc/[0-9]*; do
        [ "$process" != /proc/1 ] || continue
        case $(readlink "$process/exe") in
        "" | /pause | */containerd-shim*) ;;
        *) return 0 ;;
        esac
    done
    return 1
}

# As a machine that powers off: first what would start containers again, then the containers.
shut_down() {
    trap '' TERM INT
    kill $node $runtime 2>/dev/null
    wait $node $runtime
    kill -TERM -1 2>/dev/null
    tries=0
    while [ "$tries" -lt 20 ] && containers_run; do
        sleep 0.1
        tries=$((tries + 1))
    done
    exit 0
}

node=
runtime=
trap shut_down TERM INT
furnish
if [ -z "$FAKE" ]; then
    sh "$RESPAWN" "$NODE_FOLDER/containerd.log" "$CONTAINERD" --config "$NODE_FOLDER/containerd.toml" 9<&- &
    runtime=$!
fi
connect
sh "$RESPAWN" "$NODE_FOLDER/node.log" "$PYTHON" -m "$NODE_PROGRAM" "$NODE_FOLDER/node.json" &
node=$!
[ -n "$FAKE" ] || import_images &
# What can fail has been done. Waiting reaps every orphan of the node.
set +e
while :; do
    wait
    sleep 1 &
done
