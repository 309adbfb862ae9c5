"""Published networks that the methods are compared with: their code, weights and inference."""
