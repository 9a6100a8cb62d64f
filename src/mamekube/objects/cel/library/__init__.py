"""The functions of CEL and of Kubernetes, by library. A module declares what it has; nobody calls it otherwise."""
