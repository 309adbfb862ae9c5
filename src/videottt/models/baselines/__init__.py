"""Read and run the published networks that methods are compared with."""
