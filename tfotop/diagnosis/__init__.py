"""Findings: what is wrong, from a Model alone."""
