"""The live screen (Textual)."""
