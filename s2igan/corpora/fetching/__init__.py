"""How published files come to this machine: resumed, retried, verified, never half-written."""
