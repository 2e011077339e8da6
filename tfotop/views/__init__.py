"""What people and programs get to see of a Model: text, JSON, the screen."""
