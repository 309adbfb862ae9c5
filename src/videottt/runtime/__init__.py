"""Run on a machine: devices, precision, processes, interruption, saved states and claims."""
