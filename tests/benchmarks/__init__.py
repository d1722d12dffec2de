"""Benchmarks: ratios against reference implementations, both sides interleaved in one run; reported, never asserted."""
