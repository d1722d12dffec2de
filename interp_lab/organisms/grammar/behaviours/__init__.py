"""The behaviours, one file each."""
