"""Applications with pages of their own, on this machine only."""
