"""The model: what the samples mean. Pure: no clock, no files, no sockets, no Textual."""
