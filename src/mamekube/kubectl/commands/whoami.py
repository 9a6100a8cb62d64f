"""kubectl auth whoami: who the server takes the user for."""

from __future__ import annotations

from mamekube.kubectl import tabs
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import OUTPUT_FLAGS, chosen_format, printer
from mamekube.kubectl.session import Session

FLAGS = (*OUTPUT_FLAGS, Flag("show-managed-fields", "bool"))
PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def run(session: Session) -> int:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    review = session.api.call("POST", PATH, body=body)
    if output := chosen_format(session):
        session.out.write(printer(session, output)(review))
        return 0
    user = (review.get("status") or {}).get("userInfo") or {}
    rows = [["ATTRIBUTE", "VALUE"]]
    if user.get("username"):
        rows.append(["Username", user["username"]])
    if user.get("uid"):
        rows.append(["UID", user["uid"]])
    if user.get("groups"):
        rows.append(["Groups", f"[{' '.join(user['groups'])}]"])
    for key, values in sorted((user.get("extra") or {}).items()):
        rows.append([f"Extra: {key}", f"[{' '.join(values)}]"])
    session.out.write(tabs.table(rows))
    return 0
