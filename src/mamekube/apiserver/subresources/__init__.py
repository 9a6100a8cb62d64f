"""One file for each subresource that is served by code of its own, and one for each way to reach into a node."""
