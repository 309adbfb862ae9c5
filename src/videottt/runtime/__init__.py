"""Manage the machine: devices, precision, processes, interruption, saved states and claims."""
