"""The HTTP service: exported models, read with by other programs. Needs no MXNet."""
