"""Read a study from the configuration: its jobs, their settings, inputs, price and needs."""
