"""The commands, one a module: sources on one side, views on the other."""
