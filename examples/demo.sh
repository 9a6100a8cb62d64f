#!/usr/bin/env bash
# The tutorial on a real cluster, command by command, with the output that the commands print.
set -euo pipefail
cd "$(dirname "$0")/.."

app=kubernetes-bootcamp
image=jocatalin/kubernetes-bootcamp
bold=$'\e[1m' plain=$'\e[0m'
[[ -t 1 ]] || bold='' plain=''

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
mk() { ./mamekube "$@"; }
kubectl() { ./mamekube kubectl "$@"; }
show() {
  local words="$*"
  printf '%s$ %s%s\n' "$bold" "${words/#mk /.\/mamekube }" "$plain"
  "$@"
}
quietly() { "$@" >/dev/null; }

began=$SECONDS
say "A cluster: API server, controllers, scheduler, and a node with its own containerd"
show mk start
quietly kubectl delete "deployment/$app" "service/$app" --ignore-not-found --cascade=foreground

say "1. An application"
show kubectl create deployment "$app" --image="$image:v1" --port=8080
show kubectl rollout status "deployment/$app"
show kubectl get deployments

say "2. Four of it"
show kubectl scale "deployments/$app" --replicas=4
quietly kubectl wait "deployment/$app" --for='jsonpath={.status.availableReplicas}=4' --timeout=60s
show kubectl get pods -o wide

say "3. A container dies, and comes back by itself"
pod=$(kubectl get pods -l "app=$app" -o 'jsonpath={.items[0].metadata.name}')
container=$(kubectl get pod "$pod" -o 'jsonpath={.status.containerStatuses[0].containerID}')
show mk ssh -- ctr -n k8s.io tasks kill -s SIGKILL "${container#containerd://}"
quietly kubectl wait "pod/$pod" --for='jsonpath={.status.containerStatuses[0].restartCount}=1' --timeout=60s
quietly kubectl wait "pod/$pod" --for=condition=Ready --timeout=60s
show kubectl get pods

say "4. One address for all of them"
show kubectl expose "deployment/$app" --type=NodePort --port 8080
show kubectl describe "services/$app"
port=$(kubectl get "services/$app" -o go-template='{{(index .spec.ports 0).nodePort}}')
address=$(mk ip)
quietly kubectl rollout status "deployment/$app"
for _ in 1 2 3 4 5; do show curl -sS --retry 5 --retry-connrefused "$address:$port"; done

say "5. Version 2, without an interruption"
show kubectl set image "deployments/$app" "$app=$image:v2"
show kubectl rollout status "deployments/$app"
show curl -sS "$address:$port"

say "6. Version 10 does not exist: the rollout stops, the service goes on"
show kubectl set image "deployments/$app" "$app=$image:v10"
broken=''
until [[ -n $broken ]]; do
  broken=$(kubectl get pods -o 'jsonpath={.items[?(@.spec.containers[0].image=="'"$image:v10"'")].metadata.name}')
done
quietly kubectl wait "pod/${broken%% *}" --timeout=60s \
  --for='jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff'
show kubectl get pods
show curl -sS "$address:$port"

say "7. Back to version 2; the pods that stayed were never touched"
show kubectl rollout undo "deployments/$app"
show kubectl rollout status "deployments/$app"
show kubectl get pods

cat <<EOF

${bold}That took $((SECONDS - began)) seconds.${plain} The cluster is still there:

  ./mamekube kubectl get all         or your own kubectl: its context is now "mamekube"
  ./mamekube ssh                     a shell on the node
  curl $address:$port
  ./mamekube stop                    keep it for later
  ./mamekube delete                  remove every trace of it
EOF
