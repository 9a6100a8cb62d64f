"""Who asks: certificates, tokens, proxies, nobody; and acting as somebody else."""

import base64
import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mamekube.apiserver.access.authentication import Authenticator, impersonate
from mamekube.apiserver.access.reviews import Reviews
from mamekube.apiserver.access.tokens import Tokens
from mamekube.apiserver.request import User
from mamekube.foundation.clock import format_time
from mamekube.objects.status import StatusError

ISSUER = "https://kubernetes.default.svc.cluster.local"


@pytest.fixture
def make(world, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "sa.key").write_bytes(key)
    tokens = Tokens(str(tmp_path / "sa.key"), issuer=ISSUER, reader=world.reader, clock=world.clock)

    def make(**options) -> Authenticator:
        return Authenticator(tokens=tokens, reader=world.reader, clock=world.clock, **options)

    make.tokens = tokens
    return make


def certificate(name="jane", groups=("dev", "ops"), issuer="ca"):
    subject = (*((("organizationName", group),) for group in groups), (("commonName", name),))
    return {"subject": subject, "issuer": ((("commonName", issuer),),)}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def test_nobody_is_anonymous(make):
    user = await make().authenticate(certificate=None, headers={})
    assert (user.name, user.groups) == ("system:anonymous", ("system:unauthenticated",))


async def test_nobody_is_refused_where_anonymity_is_off(make):
    with pytest.raises(StatusError) as caught:
        await make(anonymous=False).authenticate(certificate=None, headers={})
    assert caught.value.code == 401


async def test_a_certificate_names_user_and_groups(make):
    user = await make().authenticate(certificate=certificate(), headers={})
    assert (user.name, user.groups) == ("jane", ("dev", "ops", "system:authenticated"))


async def test_a_certificate_that_expires_on_a_connection_is_refused_from_then_on(world, make):
    shown = {**certificate(), "notAfter": "Jan 15 08:00:10 2027 GMT"}
    authenticator = make()
    world.clock.now_s = ssl.cert_time_to_seconds("Jan 15 08:00:00 2027 GMT")
    assert (await authenticator.authenticate(certificate=shown, headers={})).name == "jane"
    world.clock.now_s += 11
    with pytest.raises(StatusError) as caught:
        await authenticator.authenticate(certificate=shown, headers={})
    assert caught.value.code == 401


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "abcdef.0123456789abcdef"])
async def test_a_bad_token_is_refused_and_never_taken_for_none(make, token):
    with pytest.raises(StatusError) as caught:
        await make().authenticate(certificate=None, headers=bearer(token))
    assert (caught.value.code, caught.value.message) == (401, "Unauthorized")


async def test_a_service_account_token_is_accepted(world, make):
    await world.account("robot")
    answer = await make.tokens.request({}, namespace="default", name="robot")
    user = await make().authenticate(certificate=None, headers=bearer(answer["status"]["token"]))
    assert user.name == "system:serviceaccount:default:robot"
    assert "system:authenticated" in user.groups


async def test_a_token_may_come_as_a_websocket_protocol(world, make):
    await world.account("robot")
    answer = await make.tokens.request({}, namespace="default", name="robot")
    encoded = base64.urlsafe_b64encode(answer["status"]["token"].encode()).decode().rstrip("=")
    headers = {
        "Sec-WebSocket-Protocol": f"v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.{encoded}"
    }
    assert (await make().authenticate(certificate=None, headers=headers)).name.endswith(":robot")


def bootstrap_secret(world, **changes):
    data = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        "expiration": format_time(world.clock.now() + 60),
        **changes,
    }
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items() if value}
    meta = {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    return {"metadata": meta, "type": "bootstrap.kubernetes.io/token", "data": encoded}


async def test_a_bootstrap_token_is_a_bootstrapper_until_it_expires(world, make):
    await world.put("secrets", bootstrap_secret(world))
    headers = bearer("abcdef.0123456789abcdef")
    user = await make().authenticate(certificate=None, headers=headers)
    assert user.name == "system:bootstrap:abcdef"
    assert user.groups == (
        "system:bootstrappers",
        "system:bootstrappers:kubeadm:default-node-token",
        "system:authenticated",
    )
    world.clock.now_s += 61
    with pytest.raises(StatusError):
        await make().authenticate(certificate=None, headers=headers)


@pytest.mark.parametrize(
    "changes",
    [
        {"token-secret": "fedcba9876543210"},
        {"usage-bootstrap-authentication": ""},
        {"auth-extra-groups": "system:masters"},
        {"expiration": "soon"},
        {"token-id": "fedcba"},
    ],
)
async def test_a_bootstrap_secret_that_is_not_whole_lets_nobody_in(world, make, changes):
    await world.put("secrets", bootstrap_secret(world, **changes))
    with pytest.raises(StatusError):
        await make().authenticate(certificate=None, headers=bearer("abcdef.0123456789abcdef"))


async def test_a_token_file_names_users(make, tmp_path):
    (tmp_path / "tokens.csv").write_text('secret,jane,7,"dev,ops"\n')
    authenticator = make(token_file=str(tmp_path / "tokens.csv"))
    user = await authenticator.authenticate(certificate=None, headers=bearer("secret"))
    assert (user.name, user.uid, user.groups) == ("jane", "7", ("dev", "ops", "system:authenticated"))


class Authority:
    """A certificate authority, and what it issues, as PEM files."""

    def __init__(self, directory, name):
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write(name, self._sign(self._name, self._key, authority=True), self._key)

    def issue(self, common_name, *organizations):
        """A file with key and certificate."""
        name = x509.Name(
            [
                *(x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, each) for each in organizations),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
            ]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        return self._write(f"{common_name}-leaf", self._sign(name, key, authority=False), key)

    def _sign(self, subject, key, *, authority):
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name, certificate, key):
        path = self._directory / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return str(path)


def shown(server_file, client_file, *authorities):
    """The client's certificate as the server's TLS hands it over after a handshake in memory."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(server_file)
    server_side.verify_mode = ssl.CERT_REQUIRED
    for authority in authorities:
        server_side.load_verify_locations(authority.file)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_mode = ssl.CERT_NONE
    client_side.load_cert_chain(client_file)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(down, up)
    server = server_side.wrap_bio(up, down, server_side=True)
    waiting = [client, server]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    return server.getpeercert()


async def test_headers_of_a_proxy_count_only_with_the_proxys_certificate(make, tmp_path):
    clients, front = Authority(tmp_path, "kubernetes-ca"), Authority(tmp_path, "front-proxy-ca")
    authenticator = make(client_ca_file=clients.file, requestheader_ca_file=front.file)
    served = clients.issue("server")
    headers = {"X-Remote-User": "jane", "X-Remote-Group": "dev", "X-Remote-Extra-Scopes%2Fa": "b"}

    async def user(issuer, name, sent):
        certificate = shown(served, issuer.issue(name, "system:masters"), clients, front)
        return await authenticator.authenticate(certificate=certificate, headers=sent)

    proxied = await user(front, "front-proxy-client", headers)
    assert (proxied.name, proxied.groups) == ("jane", ("dev", "system:authenticated"))
    assert proxied.extra == {"scopes/a": ("b",)}
    assert (await user(front, "somebody", headers)).name == "system:anonymous"
    assert (await user(front, "front-proxy-client", {})).name == "system:anonymous"
    assert (await user(clients, "front-proxy-client", headers)).name == "front-proxy-client"
    admin = await user(clients, "admin", {})
    assert (admin.name, admin.groups) == ("admin", ("system:masters", "system:authenticated"))
    assert (await authenticator.authenticate(certificate=None, headers=headers)).name == "system:anonymous"


# Impersonation ----------------------------------------------------------------------------------------

ROOT = User("root", ("system:masters", "system:authenticated"))
JANE = User("jane", ("system:authenticated",))


async def test_the_permitted_act_as_somebody_else(authorizer):
    headers = {"Impersonate-User": "alice", "Impersonate-Group": "dev", "Impersonate-Extra-Scopes": "view"}
    user = impersonate(ROOT, headers, authorizer)
    assert (user.name, user.groups) == ("alice", ("dev", "system:authenticated"))
    assert user.extra == {"scopes": ("view",)}


async def test_others_do_not(authorizer):
    with pytest.raises(StatusError) as caught:
        impersonate(JANE, {"Impersonate-User": "alice"}, authorizer)
    assert (caught.value.code, caught.value.message) == (
        403,
        'users "alice" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster '
        "scope",
    )


async def test_each_part_of_an_identity_needs_its_own_permission(world, authorizer):
    group = "rbac.authorization.k8s.io"
    rule = {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"]}
    await world.put("clusterroles", {"metadata": {"name": "act"}, "rules": [rule]}, group=group)
    binding = {
        "metadata": {"name": "act"},
        "roleRef": {"kind": "ClusterRole", "name": "act"},
        "subjects": [{"kind": "User", "name": "jane"}],
    }
    await world.put("clusterrolebindings", binding, group=group)
    assert impersonate(JANE, {"Impersonate-User": "alice"}, authorizer).name == "alice"
    with pytest.raises(StatusError, match='resource "groups"'):
        impersonate(JANE, {"Impersonate-User": "a", "Impersonate-Group": "system:masters"}, authorizer)
    with pytest.raises(StatusError, match='resource "serviceaccounts"'):
        impersonate(JANE, {"Impersonate-User": "system:serviceaccount:kube-system:x"}, authorizer)


async def test_a_service_account_is_impersonated_with_its_groups(authorizer):
    user = impersonate(ROOT, {"Impersonate-User": "system:serviceaccount:ns:x"}, authorizer)
    assert user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:ns",
        "system:authenticated",
    )


async def test_groups_without_a_user_are_refused(authorizer):
    with pytest.raises(StatusError):
        impersonate(ROOT, {"Impersonate-Group": "system:masters"}, authorizer)


# Reviews ----------------------------------------------------------------------------------------------


class Asked:
    def __init__(self, user, namespace=""):
        self.user = user
        self.namespace = namespace


@pytest.fixture
def reviews(make, authorizer):
    return Reviews(make(), authorizer)


async def test_a_token_review_tells_whose_token_it_is(world, make, reviews):
    kind = world.kind("tokenreviews", "authentication.k8s.io")
    await world.account("robot")
    token = (await make.tokens.request({}, namespace="default", name="robot"))["status"]["token"]
    answer = await reviews.create_review(kind, {"spec": {"token": token}}, Asked(ROOT))
    assert answer["status"]["authenticated"]
    assert answer["status"]["user"]["username"] == "system:serviceaccount:default:robot"
    assert answer["status"]["audiences"] == [ISSUER]
    answer = await reviews.create_review(kind, {"spec": {"token": "no"}}, Asked(ROOT))
    assert answer["status"] == {"user": {}, "error": "invalid bearer token"}


async def test_an_access_review_answers_for_whoever_is_named(world, reviews):
    kind = world.kind("subjectaccessreviews", "authorization.k8s.io")
    question = {"resourceAttributes": {"verb": "get", "resource": "pods"}, "user": "jane"}
    answer = await reviews.create_review(kind, {"spec": question}, Asked(ROOT))
    assert answer["status"] == {"allowed": False}
    answer = await reviews.create_review(
        kind, {"spec": {**question, "groups": ["system:masters"]}}, Asked(JANE)
    )
    assert answer["status"]["allowed"]


POD = {"verb": "get", "resource": "pods", "namespace": "default"}
SELECTOR = "spec.resourceAttributes.fieldSelector"
REVIEWS = [
    (
        "selfsubjectaccessreviews",
        {"spec": {}},
        'spec.resourceAttributes: Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes '
        "must be specified",
    ),
    (
        "subjectaccessreviews",
        {
            "spec": {
                "user": "a",
                "resourceAttributes": POD,
                "nonResourceAttributes": {"path": "/", "verb": "get"},
            }
        },
        'spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":"get"}: cannot be specified in combination '
        "with resourceAttributes",
    ),
    (
        "subjectaccessreviews",
        {"spec": {"resourceAttributes": POD}},
        'spec.user: Invalid value: "": at least one of user or group must be specified',
    ),
    (
        "subjectaccessreviews",
        {"metadata": {"name": "x"}, "spec": {"user": "a", "resourceAttributes": POD}},
        'metadata: Invalid value: {"name":"x"}: must be empty',
    ),
    (
        "subjectaccessreviews",
        {"spec": {"user": "a", "resourceAttributes": {**POD, "fieldSelector": {}}}},
        f"{SELECTOR}.requirements: Required value: when {SELECTOR} is specified, requirements or rawSelector is "
        "required",
    ),
    (
        "subjectaccessreviews",
        {
            "spec": {
                "user": "a",
                "resourceAttributes": {
                    **POD,
                    "fieldSelector": {"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "In"}]},
                },
            }
        },
        f'[{SELECTOR}.rawSelector: Invalid value: "a=b": may not specified at the same time as requirements, '
        f"{SELECTOR}.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn']",
    ),
    (
        "localsubjectaccessreviews",
        {"spec": {"user": "a", "resourceAttributes": {**POD, "namespace": "other"}}},
        'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
    ),
    (
        "localsubjectaccessreviews",
        {"spec": {"user": "a", "nonResourceAttributes": {"path": "/", "verb": "get"}}},
        'spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":"get"}: disallowed on this kind of request',
    ),
]


@pytest.mark.parametrize(("plural", "review", "text"), REVIEWS)
async def test_a_review_that_asks_nothing_or_too_much_is_refused(world, reviews, plural, review, text):
    kind = world.kind(plural, "authorization.k8s.io")
    with pytest.raises(StatusError) as caught:
        await reviews.create_review(kind, review, Asked(ROOT, "default"))
    assert caught.value.message == f'{kind.kind}.authorization.k8s.io "" is invalid: {text}'


async def test_a_rules_review_lists_what_one_may_do(world, reviews):
    group = "rbac.authorization.k8s.io"
    rules = [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["get"], "nonResourceURLs": ["/x"]},
    ]
    await world.put("clusterroles", {"metadata": {"name": "r"}, "rules": rules}, group=group)
    for name in ("r", "gone"):
        binding = {
            "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "User", "name": "jane"}],
        }
        await world.put("clusterrolebindings", binding, group=group)
    kind = world.kind("selfsubjectrulesreviews", "authorization.k8s.io")
    answer = await reviews.create_review(kind, {"spec": {"namespace": "default"}}, Asked(JANE))
    assert answer["status"] == {
        "resourceRules": rules[:1],
        "nonResourceRules": rules[1:],
        "incomplete": True,
        "evaluationError": 'clusterrole.rbac.authorization.k8s.io "gone" not found',
    }


async def test_who_am_i_tells(world, reviews):
    kind = world.kind("selfsubjectreviews", "authentication.k8s.io")
    answer = await reviews.create_review(kind, {}, Asked(JANE))
    assert answer["status"] == {"userInfo": {"username": "jane", "groups": ["system:authenticated"]}}
