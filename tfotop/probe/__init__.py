"""One server measured with and without Fast Open: ``records``, ``cookies``, ``statistics`` and ``verdict`` are pure."""
