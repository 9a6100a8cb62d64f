#!/bin/busybox sh
# respawn.sh LOG COMMAND...: run a program for ever, its output appended to LOG. At SIGTERM end it, and then itself.
# A log beyond LOG_BYTES_MAX is put aside before the next start, and the one before it forgotten.
log=$1
shift
child=
trap 'trap "" TERM; [ -z "$child" ] || { kill "$child"; wait "$child"; }; exit 0' TERM INT
while :; do
    if [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -gt "$LOG_BYTES_MAX" ]; then mv "$log" "$log.1"; fi
    "$@" </dev/null >>"$log" 2>&1 &
    child=$!
    wait "$child"
    echo "$(date -u +%FT%TZ) ${1##*/} ended with status $?; starting it again" >>"$log"
    sleep 0.5 &
    child=$!
    wait "$child"
done
