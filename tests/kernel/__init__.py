"""Tests that need a real kernel: root, network namespaces, real handshakes."""
