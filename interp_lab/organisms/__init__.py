"""Models that come with the package: hand-compiled ones whose circuit is known, and trained ones; and their text."""
