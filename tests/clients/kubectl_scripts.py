"""What the two kubectls are asked side by side: lines of words, in the order in which they build on each other.

`@NS` is the namespace and `@DIR` the folder of `FILES`; what follows ` <<< ` is standard input; `$NAME=VALUE` sets
a variable of the environment.
"""

CONFIG_MAP = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":{"x":"%s"}}\n'
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: b}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx, env: [{name: A, value: "1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}], selector: {app: web}}
"""
ROLES = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "@NS-r", labels: {a: b}}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
- {nonResourceURLs: [/x], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "@NS-rb"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "@NS-r"}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}
- {kind: ServiceAccount, name: d, namespace: default}
"""
OTHER_ROLES = ROLES.replace("list]", "watch]").replace("bob", "alice")
SECRET = '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":%s}\n'
WORDS = {
    "long": "aaaa bbbbbbbbbbbbbbbbbbbb cccccccccccccccccccc dddddddddddddddddddd eeeeeeeeeeeeeeeeeee ffffffffff",
    "lines": "a\\nb\\n",
    "number": "1e3",
    "octal": "0o17",
    "sixties": "1:20",
    "switch": "on",
    "y": "N",
    "date": "2020-01-01",
    "equals": "=",
    "merge": "<<",
    "markup": "a < b & c",
    "bean": "é豆",
    "nothing": "",
}
YAML = SECRET.replace("Secret", "ConfigMap") % (
    "{" + ",".join(f'"{key}":"{value}"' for key, value in WORDS.items()) + "}"
)
EDITOR = """\
#!/bin/sh
# Keeps what it is given, and does to it what $EDIT says, and $EDIT_AGAIN where it is given it again.
for file; do :; done
step=$EDIT
test -e @DIR/seen && step=$EDIT_AGAIN
{ basename "$file"; cat "$file"; } >> @DIR/seen
test "$step" = fail && exit 3
test -z "$step" || sed -i "$step" "$file"
"""
PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: lone, labels: {side: "@NS"}}
spec: {nodeName: "@NODE", containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stores, labels: {side: "@NS"}}
spec: {nodeName: "@NODE", containers: [{name: a, image: a}], volumes: [{name: v, emptyDir: {}}]}
"""
SETS = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: daemons}
spec:
  selector: {matchLabels: {side: "@NS", made: daemons}}
  template:
    metadata: {labels: {side: "@NS", made: daemons}}
    spec: {containers: [{name: a, image: a}], nodeSelector: {kubernetes.io/hostname: "@NODE"}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: set}
spec:
  replicas: 1
  selector: {matchLabels: {side: "@NS", made: set}}
  template:
    metadata: {labels: {side: "@NS", made: set}}
    spec: {containers: [{name: a, image: a}], nodeSelector: {kubernetes.io/hostname: "@NODE"}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: budget}
spec: {minAvailable: 1, selector: {matchLabels: {side: "@NS", made: set}}}
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- {name: c, cluster: {server: https://localhost:1, certificate-authority-data: YQ==}}
users:
- {name: u, user: {token: secret, client-certificate: b.json}}
contexts:
- {name: first, context: {cluster: c, user: u}}
current-context: first
"""
REQUEST = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlISU1IQUNBUUF3RGpFTU1Bb0dBMVVFQXd3RFltOWlNRmt3"
    "RXdZSEtvWkl6ajBDQVFZSUtvWkl6ajBEQVFjRApRZ0FFNUFNcDBPOVRKbEFzcW1VdHVSREttb1FUMnlpdHloUjVya0FXanBR"
    "UWxKRnV4Vnp0bWtGb2dqWFBSNVdyCm8xcEJaa253KzZubVhQanZVSDVwR0U2NlJhQUFNQW9HQ0NxR1NNNDlCQU1DQTBnQU1F"
    "VUNJRmdYdEIxcXR4US8KZ1REUmlEYnFlVUovamZCRDR6K2RXdXNVNERObXJWWjJBaUVBOXo0dHpSUzgxTysyTDdqdzZ2b0NN"
    "UTFneWFrYQpCaklvak5oNHd5MzBGTEk9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo="
)
"""A request for a certificate of a user called bob; its key was thrown away."""
REQUESTS = "---\n".join(
    """\
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: "@NS{ending}"}
spec: {request: {REQUEST}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}
""".replace("{ending}", ending).replace("{REQUEST}", REQUEST)
    for ending in ("", "-2")
)
FILES = {
    "requests.yaml": REQUESTS,
    "config": KUBECONFIG,
    "b.json": CONFIG_MAP % "1",
    "bad.json": CONFIG_MAP.replace('"%s"', "1"),
    "web.yaml": DEPLOYMENT,
    "web2.yaml": DEPLOYMENT.replace("nginx", "busybox").replace("port: 80", "port: 81"),
    "roles.yaml": ROLES,
    "roles2.yaml": OTHER_ROLES,
    "roles3.yaml": OTHER_ROLES.replace('kind: ClusterRole, name: "@NS-r"', "kind: ClusterRole, name: view"),
    "secret.json": SECRET % '{"a":"YQ==","b":"Yg=="}',
    "secret2.json": SECRET % '{"a":"Yg==","b":"Yg==","c":"Yw=="}',
    "pods.yaml": PODS,
    "sets.yaml": SETS,
    "yaml.json": YAML,
    "editor": EDITOR,
}
SCRIPTS = {
    "create": [
        "create -f @DIR/b.json",
        "create -f @DIR/b.json",
        'create -f - <<< {"apiVersion":"v1","kind":"ConfigMapp","metadata":{"name":"b"}}',
        'create -f - <<< {"metadata":{"name":"b"}}{"a":1}',
        "create -f - <<< a: [",
    ],
    "output": [
        "create -f @DIR/yaml.json",
        "get configmap s -o yaml",
        "get configmap s -o json",
        "get configmap s -o jsonpath={.data}",
        "get configmap kube-root-ca.crt -o jsonpath={.metadata}",
        "annotate --local -f - a=b -o jsonpath={.x} <<< {apiVersion: v1, kind: ConfigMap, metadata: {name: in}, "
        "x: [y, 0o17, 1e3, 2020-01-01, 1:20, =, <<, -0, 5., 1_0, TRUE, tRUE, 08]}",
    ],
    "apply": [
        "apply -f @DIR/b.json",
        "apply -f @DIR/bad.json",
        "apply -f @DIR/bad.json --server-side",
        "apply -f @DIR/b.json --as=bob",
        'apply -f - <<< {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"B b"}}',
    ],
    "patch": [
        "create -f @DIR/b.json",
        "patch configmap b -p '['",
        """patch configmap b -p '{"data":{"x":"1"}}'""",
        "patch configmap b -p 'data: {x: \"8\"}' -o yaml",
        "patch configmap b -p 'data: {x: \"9\"}' -o name",
        "patch configmap b --patch-file /none",
        "patch configmap b -p 1",
        "patch configmap b --subresource=x -p 1",
        "patch configmap none -p '{}'",
        """patch configmap b -p '{"data":{"x":"2"}}' --dry-run=client -o yaml""",
        """patch configmap b -p '{"data":{"x":"2"}}' --dry-run=server""",
        "patch configmap b --type=x -p 1",
        """patch configmap b --type=json -p '[{"op":"test","path":"/data/x","value":"3"}]'""",
        """patch configmap b --type=json -p '[{"op":"replace","path":"/data/x","value":"3"}]'""",
        """patch -f @DIR/b.json --local -p '{"data":{"z":"3"}}' -o yaml""",
        """patch configmap b --type=merge -p '{"metadata":{"name":"x"}}'""",
        """patch configmap/b --type=merge -p '{"data":{"z":"4"}}'""",
        "patch configmap b -p 1 --patch-file=b",
    ],
    "replace": [
        "replace",
        "replace -f @DIR/b.json --subresource=x",
        "replace -f @DIR/b.json",
        "replace --force -f @DIR/b.json",
        "replace --force -f @DIR/b.json",
        "replace -f @DIR/b.json",
        "replace -f @DIR/b.json --dry-run=server -o yaml",
        "replace -f @DIR/b.json --save-config -o name",
        "replace -f @DIR/b.json --grace-period=1",
        'replace -f - <<< {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","resourceVersion":"1"}}',
        'replace -f - <<< {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"dota":{"x":"3"}}',
    ],
    "label": [
        "create -f @DIR/b.json",
        "label configmap b a=1",
        "label configmap b a=1 a-",
        "label configmap b a- zz-",
        "label configmap b a- ",
        "annotate configmap b a=1 -o name",
        "annotate configmap b a=3 x-",
        "annotate configmap b x=1 x-",
        "annotate --list configmap/b configmap/kube-root-ca.crt",
        "label -f @DIR/b.json a=b --local -o yaml",
    ],
    "diff": [
        "diff",
        "apply -f @DIR/secret.json",
        "diff -f @DIR/secret.json",
        "diff -f @DIR/secret2.json",
        "diff -f @DIR/secret2.json --server-side --force-conflicts",
        "apply -f @DIR/web.yaml",
        "diff -f @DIR/web2.yaml -l a=b",
        "$KUBECTL_EXTERNAL_DIFF=none -a",
        "diff -f @DIR/web2.yaml",
        "$KUBECTL_EXTERNAL_DIFF=diff -q -r /b",
        "diff -f @DIR/web2.yaml",
        "$KUBECTL_EXTERNAL_DIFF=diff --none",
        "diff -f @DIR/web2.yaml",
    ],
    "explain": [
        "explain pod.spec.containers.imagePullPolicy",
        "explain deployments.apps --recursive",
        "explain svc.spec.type",
        "explain svc.spec.ipFamilies",
        "explain pod.spec.containers.lifecycle",
        "explain pod.spec.volumes.hostPath",
        "explain cm.nope",
        "explain nope",
        "explain crd.spec.versions.schema.openAPIV3Schema.properties",
        "explain hpa.spec --api-version=autoscaling/v1",
        "explain hpa --api-version=autoscaling/v9",
    ],
    "auth": [
        "auth can-i get pods/foo -q",
        "auth can-i frob pods --as=bob",
        "auth can-i get /healthz --as=bob",
        "auth can-i get nonsense.apps",
        "auth can-i create clusterroles",
        "auth can-i --list --as=bob",
        "auth can-i --list --as=system:kube-scheduler --no-headers",
        "auth whoami --as=x --as-group=a --as-group=b --as-uid=3",
        "get pods --as=bob",
        "auth reconcile -f @DIR/roles.yaml --dry-run=client",
        "auth reconcile -f @DIR/roles.yaml",
        "auth reconcile -f @DIR/roles.yaml",
        "auth reconcile -f @DIR/roles2.yaml",
        "auth reconcile -f @DIR/roles2.yaml --remove-extra-permissions --remove-extra-subjects",
        "auth reconcile -f @DIR/roles3.yaml",
    ],
    "cordon": [
        "cordon",
        "cordon @NODE",
        "cordon @NODE --dry-run=client",
        "uncordon @NODE --dry-run=server",
        "uncordon -l kubernetes.io/hostname=@NODE",
        "uncordon node/@NODE",
        "cordon @NODE -l a=b",
        "cordon -l none=x",
    ],
    "drain": [
        "create -f @DIR/pods.yaml",
        "wait pod lone stores --for=condition=Ready",
        "drain @NODE --force --pod-selector='side in'",
        "drain @NODE --pod-selector=side=@NS --delete-emptydir-data",
        "drain @NODE --pod-selector=side=@NS --force",
        "drain @NODE --pod-selector=side=@NS --force --delete-emptydir-data --dry-run=client",
        "delete pod stores --now",
        "drain @NODE --pod-selector=side=@NS --force",
        "uncordon @NODE",
        "create -f @DIR/sets.yaml",
        "wait daemonset daemons --for=jsonpath={.status.numberReady}=1",
        "wait replicaset set --for=jsonpath={.status.readyReplicas}=1",
        "drain @NODE --pod-selector=made=daemons,side=@NS",
        "drain @NODE --pod-selector=side=@NS --ignore-daemonsets --disable-eviction",
        "uncordon @NODE",
    ],
    "taint": [
        "taint",
        "taint pods x a=b:NoSchedule",
        "taint node @NODE a=b:Nope",
        "taint node @NODE a=b",
        "taint node @NODE a=b:PreferNoSchedule",
        "taint node @NODE a=b:PreferNoSchedule",
        "taint node @NODE a=c:PreferNoSchedule --overwrite",
        "taint node @NODE a=c:NoSchedule a-",
        "taint node @NODE q=c:NoSchedule z-",
        "taint node @NODE a- b:PreferNoSchedule",
        "taint node @NODE b- --dry-run=client -o jsonpath={.spec.taints}",
        "taint nodes -l kubernetes.io/hostname=@NODE b-",
        "taint node none a=b:NoSchedule",
        "taint node @NODE a=1:NoSchedule a=2:NoSchedule",
        "taint node @NODE '!:NoSchedule'",
    ],
    "config": [
        f"{line} --kubeconfig=@DIR/config"
        for line in (
            "config view --minify",
            "config view --flatten",
            "config view -o json --raw",
            "config view x",
            "config get-contexts first none x --no-headers",
            "config use-context none",
            "config set-context --current --namespace=foo",
            "config set-context x --cluster=a",
            "config set-context x --user=b",
            "config get-contexts",
            "config use-context x",
            "config current-context",
            "config view --minify",
            "config rename-context x y",
            "config rename-context y first",
            "config delete-context y",
            "config delete-context y",
            "config current-context",
            "config unset current-context",
            "config current-context",
            "config set-cluster d --certificate-authority=@DIR/b.json --embed-certs",
            "config set-cluster e --certificate-authority=/none",
            "config set-credentials v --client-certificate=@DIR/b.json",
            "config set contexts.a.b.namespace bar",
            "config delete-cluster c",
            "config view",
        )
    ],
    "edit": [
        "create -f @DIR/b.json",
        "create -f @DIR/web.yaml",
        "$KUBE_EDITOR=@DIR/editor",
        "edit configmap b",
        '$EDIT=s/x: .*/x: "2"/',
        "edit configmap b",
        "$EDIT=s/x: .*/x: 3/",
        "edit configmap b",
        "$EDIT=s/^data:/data: [/",
        '$EDIT_AGAIN=s/data: .*/data:/;s/x: .*/x: "5"/',
        "edit configmap b",
        "$EDIT_AGAIN=",
        "$EDIT=s/^data:/dota:/",
        "edit configmap b",
        "$EDIT=1,100d",
        "edit configmap b",
        "$EDIT=fail",
        "edit configmap b",
        "$EDIT=s/  name: b/  name: c/",
        "edit configmap b",
        "$EDIT=s/namespace: .*/namespace: default/",
        "edit configmap b",
        "$EDIT=s/image: nginx/image: busybox/",
        "edit deployment web --output-patch",
        '$EDIT=s/"x": .*/"x": "9"/',
        "edit configmap b -o json",
        "$EDIT=s/port: 80/port: -1/",
        "$EDIT_AGAIN=s/port: -1/port: 82/;s/a: b/a: c/",
        "edit service/web configmap/b",
        "$KUBE_EDITOR=none",
        "edit configmap b",
        "$KUBE_EDITOR=sh -c 'exit 4'",
        "edit configmap b",
    ],
    "certificate": [
        "certificate approve",
        "certificate approve none",
        "create -f @DIR/requests.yaml",
        "certificate approve @NS",
        "certificate approve @NS --force",
        "certificate deny @NS",
        "certificate deny csr/@NS-2 -o name",
        "certificate deny @NS-2",
        "delete -f @DIR/requests.yaml",
    ],
    "autoscale": [
        "apply -f @DIR/web.yaml",
        "autoscale deployment web --max=0",
        "autoscale deployment web --min=5 --max=2",
        "autoscale deployment web --min=2 --max=5",
        "autoscale deployment web --min=2 --max=5",
        "autoscale deployment/web --max=5 --cpu-percent=80 --name=y",
        "get hpa y -o jsonpath={.spec}",
        "autoscale configmap kube-root-ca.crt --max=3",
        "autoscale deployment none --max=3",
        "top pod",
        "top node x",
    ],
    "events": [
        'create -f - <<< {"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"involvedObject":'
        '{"apiVersion":"v1","kind":"Pod","name":"p","namespace":"@NS"},"type":"Warning","reason":"Because",'
        '"message":" It did.",'
        '"lastTimestamp":"2026-01-02T03:04:05Z","count":1}',
        'create -f - <<< {"apiVersion":"v1","kind":"Event","metadata":{"name":"f"},"involvedObject":'
        '{"kind":"Pod","name":"q","namespace":"@NS"},"type":"Normal","reason":"Because","message":"It did."}',
        "events",
        "events --for pod/p --no-headers",
        "events --types=warning -o name",
        "events --types=other",
        "events --for x",
        "events -A --for pod/none",
    ],
    "resources": [
        "api-versions",
        "api-resources --sort-by=name -o wide",
        "api-resources --sort-by=x",
        "cluster-info",
    ],
}
