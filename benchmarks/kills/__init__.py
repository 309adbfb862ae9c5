"""The parts of benchmarks/kill_campaign.py."""
