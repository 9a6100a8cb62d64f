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

# respawn LOG COMMAND...: run it for ever; at SIGTERM end it, and then itself.
respawn() {
    log=$1
    shift
    trap 'trap "" TERM; kill "$child"; wait "$child"; exit 0' TERM
    while :; do
        if [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -gt "$LOG_BYTES_MAX" ]; then mv "$log" "$log.1"; fi
        "$@" </dev/null >>"$log" 2>&1 &
        child=$!
        wait "$child" || echo "$(date -u +%FT%TZ) $1 ended with status $?; starting it again" >>"$log"
        sleep 0.5 &
        child=$!
        wait "$child"
    done
}

import_images() {
    [ ! -e "$NODE_FOLDER/images-imported" ] || return 0
    until [ -S /run/containerd/containerd.sock ]; do sleep 0.01; done
    "$CTR" --namespace k8s.io images import --snapshotter "$SNAPSHOTTER" "$IMAGES" >/dev/null
    : >"$NODE_FOLDER/images-imported"
}

# As a machine that powers off: first what would start containers again, then the containers.
shut_down() {
    trap '' TERM
    kill "$node" 2>/dev/null && wait "$node"
    kill "$runtime" 2>/dev/null && wait "$runtime"
    kill -TERM -1 2>/dev/null
    tries=0
    while [ "$tries" -lt 20 ] && kill -0 -1 2>/dev/null; do
        sleep 0.1
        tries=$((tries + 1))
    done
    exit 0
}

furnish
respawn "$NODE_FOLDER/containerd.log" "$CONTAINERD" --config "$NODE_FOLDER/containerd.toml" &
runtime=$!
connect
respawn "$NODE_FOLDER/node.log" $NODE_COMMAND &
node=$!
set +e
trap shut_down TERM INT
import_images &
# Waiting reaps every orphan of the node; it would end only if both loops above had ended.
while :; do
    wait
    sleep 1
done
