"""Input that somebody made to do harm: model files, pictures, names, addresses, drawings, and the server's door."""
