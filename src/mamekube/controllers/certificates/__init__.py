"""CertificateSigningRequests: who approves, who signs, and when they are forgotten."""
