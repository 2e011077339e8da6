"""What tfotop costs, measured on this machine: ``python -m tests.bench [PART ...]``. Nothing here is a test."""
