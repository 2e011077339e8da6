/* Empty on purpose: bcc includes it, and carries what it needs of it itself. */
